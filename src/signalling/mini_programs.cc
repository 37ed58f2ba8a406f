#include <algorithm>
#include <utility>

#include "auth/room_token.h"
#include "base/check.h"
#include "signalling/envelope.h"
#include "signalling/handlers.h"

/// Mini programs: their conversation is that of web clients without WebRTC (protocol sections 1.5
/// and 3.2), and their media comes and goes by RTMP and FLV (section 5).
namespace parley::signalling {
namespace json = boost::json;
namespace {

constexpr std::size_t kRtmpTokenLength = 32;
/// What tracks of mini programs are called by those who expect a name: RTMP carries none.
constexpr std::string_view kTag = "debug";

/// `auth-res` and what follows it at once. A session keeps its token for life: players go on using
/// the URLs that were made with it.
void welcome_mini_program(HubState& hub,
                          Session& session,
                          std::string_view rpcid,
                          Presence& presence,
                          const RoomEntry& entry,
                          Outputs& out) {
    seat(hub, session, presence);
    json::array players;
    for (const auto& [id, member] : entry.room.members()) {
        if (member.is_visible() && id != presence.id) players.push_back(player_json(member));
    }
    hub.send(session.id,
             "auth-res",
             {{"rpcid", to_json_view(rpcid)},
              {"code", int{kOk}},
              {"error", ""},
              {"rtmptoken", presence.rtmptoken},
              {"rtmphost", session.info.rtmp_host},
              {"players", std::move(players)},
              {"tracks", tracks_of_others(entry, presence.id)}},
             out);
    hub.send(session.id, "ping", {}, out);
    hub.schedule_ping(session);
}

void tell_local_tracks(HubState& hub,
                       const room::Member& member,
                       const std::vector<const room::Track*>& tracks,
                       Outputs& out) {
    json::array list;
    for (const room::Track* track : tracks) list.push_back(track_json(*track, member));
    hub.tell(member.id, "on-add-local-tracks", {{"tracks", std::move(list)}}, out);
}

void resume_mini_program(
    HubState& hub, Session& session, std::string_view rpcid, Presence& presence, Outputs& out) {
    const RoomEntry* entry = hub.find_room(presence.room);
    PARLEY_CHECK(entry != nullptr);
    const room::Member* member = entry->room.find(presence.id);
    PARLEY_CHECK(member != nullptr);
    const bool was_away = !presence.session.is_valid();
    if (!was_away) hub.drop_socket(presence.session, kClosePolicy, out);
    hub.end_grace(presence.id);
    welcome_mini_program(hub, session, rpcid, presence, *entry, out);
    ++hub.counters.reconnects;
    if (!was_away) return;
    tell_return(hub, *entry, *member, out);
    if (std::exchange(presence.local_tracks_untold, false)) {
        const std::vector<const room::Track*> own = entry->room.tracks_of(presence.id);
        if (!own.empty()) tell_local_tracks(hub, *member, own, out);
    }
    // These clients do not say what they saw last: what came before the loss, they have.
    replay_messages(hub, *entry, *member, presence.away_msgsn, out);
}

void join_mini_program(
    HubState& hub, Session& session, std::string_view rpcid, AuthRequest request, Outputs& out) {
    const auth::KeyLookup* keys = hub.apps.keys();
    if (keys == nullptr) {
        return refuse_join(hub, session, rpcid, kTokenWrong, "room tokens are not known here", out);
    }
    const Result<auth::RoomClaims> claims =
        auth::verify_room_token(request.roomtoken, *keys, hub.wall());
    if (!claims) {
        return refuse_join(
            hub, session, rpcid, auth::wire_code(claims.error()), claims.error().what, out);
    }
    const room::RoomKey key{claims->app_id, claims->room_name};
    const std::optional<AppSettings> settings = hub.apps.settings_of(key);
    if (!settings) return refuse_join(hub, session, rpcid, kTokenWrong, "no such app", out);
    if (request.playerdata.size() > hub.config.max_playerdata_bytes) {
        return refuse_join(hub, session, rpcid, kInvalidParameter, "playerdata is too long", out);
    }
    const RoomEntry* present = hub.find_room(key);
    const bool is_first = present == nullptr || present->room.empty();

    room::NewMember info;
    info.user_id = claims->user_id;
    info.kind = room::ClientKind::kMiniProgram;
    info.permission = claims->permission == auth::Permission::kAdmin ? room::Permission::kAdmin
                                                                     : room::Permission::kUser;
    info.playerdata = std::move(request.playerdata);
    info.agent = std::move(request.agent);
    const tl::expected<Joined, AccessRefusal> joined =
        admit(hub, key, *settings, std::move(info), out);
    if (!joined) {
        return refuse_join(hub, session, rpcid, joined.error().code, joined.error().error, out);
    }
    // It can play nothing else.
    if (is_first) joined->entry->video_codec = sfu::Codec::kH264;
    Presence& presence = *joined->presence;
    presence.rtmptoken = hub.secrets.alphanumeric(kRtmpTokenLength);
    hub.rtmptokens.emplace(presence.rtmptoken, presence.id);
    welcome_mini_program(hub, session, rpcid, presence, *joined->entry, out);
}

struct TokenOwner {
    Presence& presence;
    RoomEntry& entry;
    room::Member& member;
};
std::optional<TokenOwner> find_owner(HubState& hub, const std::string& rtmptoken) {
    const auto at = hub.rtmptokens.find(rtmptoken);
    if (rtmptoken.empty() || at == hub.rtmptokens.end()) return std::nullopt;
    Presence* presence = hub.find_presence(at->second);
    PARLEY_CHECK(presence != nullptr);
    RoomEntry* entry = hub.find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    room::Member* member = entry->room.find(presence->id);
    PARLEY_CHECK(member != nullptr);
    return TokenOwner{*presence, *entry, *member};
}

/// A mix is of everybody's sound but the viewer's: nobody wants to hear himself late. Sound that he
/// asks for alone is his to have.
void leave_out_own_sound(std::vector<PlayTrack>& tracks, room::MemberId viewer) {
    const auto is_others = [&](const PlayTrack& t) {
        return t.kind == sfu::MediaKind::kAudio && t.owner != viewer;
    };
    if (std::none_of(tracks.begin(), tracks.end(), is_others)) return;
    std::erase_if(tracks, [&](const PlayTrack& t) {
        return t.kind == sfu::MediaKind::kAudio && t.owner == viewer;
    });
}

std::vector<RoomSoundTrack> sounds_in(const room::Room& room) {
    std::vector<RoomSoundTrack> sounds;
    for (const auto& [id, track] : room.tracks()) {
        const bool is_heard = track.announced && !track.muted;
        if (is_heard && track.info.kind == sfu::MediaKind::kAudio) {
            sounds.push_back({track.media, track.owner});
        }
    }
    // The oldest first: a mixer takes a limited number.
    std::ranges::sort(sounds, {}, &RoomSoundTrack::track);
    return sounds;
}

bool is_at_limit(const HubState& hub, room::MemberId member) {
    const auto count = std::count_if(hub.streams.begin(), hub.streams.end(), [&](const auto& s) {
        return s.second.member == member;
    });
    return static_cast<std::size_t>(count) >= hub.config.max_streams_per_member;
}

}  // namespace

std::string_view to_string(StreamEnd reason) {
    switch (reason) {
        case StreamEnd::kReplaced:
            return "published from another place";
        case StreamEnd::kMemberLeft:
            return "user left the room";
        case StreamEnd::kTrackGone:
            return "track was unpublished";
        case StreamEnd::kNotAllowed:
            return "not allowed any more";
    }
    return "";
}

void handle_mini_program_auth(
    HubState& hub, Session& session, std::string_view rpcid, AuthRequest request, Outputs& out) {
    if (request.rtmptoken.empty()) {
        return join_mini_program(hub, session, rpcid, std::move(request), out);
    }
    const std::optional<TokenOwner> owner = find_owner(hub, request.rtmptoken);
    // Any other code would make the client try again without end (quirk M5).
    if (!owner) return refuse_join(hub, session, rpcid, kTokenWrong, "rtmptoken is unknown", out);
    resume_mini_program(hub, session, rpcid, owner->presence, out);
}

StreamEntry* HubState::find_stream(StreamId id) {
    const auto at = streams.find(id);
    return at == streams.end() ? nullptr : &at->second;
}

void HubState::add_stream(StreamId id, StreamEntry entry) {
    if (!entry.publishes) {
        for (const std::string& track : entry.trackids) players.emplace(track, id);
        if (entry.mixes.is_valid()) mixers.emplace(entry.mixes, id);
    }
    streams.insert_or_assign(id, std::move(entry));
}

void HubState::drop_stream(StreamId id, std::optional<StreamEnd> reason, Outputs& out) {
    const auto at = streams.find(id);
    if (at == streams.end()) return;
    const StreamEntry entry = std::move(at->second);
    streams.erase(at);
    if (reason) out.ended_streams.push_back({entry.worker, id, *reason});
    if (!entry.publishes) return forget_player(id, entry);
    Presence* presence = find_presence(entry.member);
    PARLEY_CHECK(presence != nullptr);
    RoomEntry* room_entry = find_room(presence->room);
    PARLEY_CHECK(room_entry != nullptr);
    const room::Member* member = room_entry->room.find(entry.member);
    PARLEY_CHECK(member != nullptr);
    const std::vector<room::Track> gone = room_entry->room.unpublish(entry.member, entry.trackids);
    json::array tracks;
    for (const room::Track& track : gone) {
        command(entry.worker, sfu::RemoveTrack{track.media}, out);
        tracks.push_back(track_json(track, *member));
    }
    announce_removed(*room_entry, *member, gone, out);
    if (!tracks.empty()) {
        tell(entry.member, "on-remove-local-tracks", {{"tracks", std::move(tracks)}}, out);
    }
}

void HubState::forget_player(StreamId id, const StreamEntry& entry) {
    std::erase_if(players, [&](const auto& player) { return player.second == id; });
    mixers.erase({entry.mixes, id});
}

void HubState::refresh_mixes(const RoomEntry& entry, Outputs& out) {
    const auto mixer = mixers.lower_bound({entry.id, StreamId{}});
    if (mixer == mixers.end() || mixer->first != entry.id) return;
    out.room_sounds.push_back({entry.worker, entry.id, sounds_in(entry.room)});
}

void HubState::end_streams(room::MemberId member, Outputs& out) {
    const Presence* presence = find_presence(member);
    if (presence == nullptr || presence->rtmptoken.empty()) return;
    const RoomEntry* entry = find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    for (auto at = streams.begin(); at != streams.end();) {
        if (at->second.member != member) {
            ++at;
            continue;
        }
        const StreamId id = at->first;
        for (const std::string& trackid : at->second.trackids) {
            const room::Track* track = entry->room.find_track(trackid);
            if (!at->second.publishes || track == nullptr) continue;
            command(at->second.worker, sfu::RemoveTrack{track->media}, out);
        }
        out.ended_streams.push_back({at->second.worker, id, StreamEnd::kMemberLeft});
        forget_player(id, at->second);
        at = streams.erase(at);
    }
}

Result<PublishGrant> Hub::open_publish(Instant now,
                                       StreamId stream,
                                       const StreamAddress& address,
                                       Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const std::optional<TokenOwner> owner = find_owner(hub, address.rtmptoken);
    if (!owner) return fail(Errc::kNotFound, "rtmptoken is unknown");
    if (address.is_for_playing()) return fail(Errc::kForbidden, "this URL is for playing");
    const std::string& user = owner->member.info.user_id;
    if (address.playerid != user) return fail(Errc::kForbidden, "playerid is not the token's user");
    if (!owner->member.info.privileges.publish) return fail(Errc::kForbidden, "may not publish");

    std::vector<StreamId> older;
    for (const auto& [id, entry] : hub.streams) {
        if (entry.member == owner->member.id && entry.publishes) older.push_back(id);
    }
    for (const StreamId id : older) hub.drop_stream(id, StreamEnd::kReplaced, out);
    hub.add_stream(stream, {owner->member.id, owner->entry.worker, true, {}});
    return PublishGrant{owner->entry.worker, owner->entry.key, user};
}

void Hub::handle_stream_tracks(Instant now,
                               StreamId stream,
                               std::span<const FoundTrack> found,
                               Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    StreamEntry* publisher = hub.find_stream(stream);
    if (publisher == nullptr || !publisher->publishes) return;
    Presence* presence = hub.find_presence(publisher->member);
    PARLEY_CHECK(presence != nullptr);
    RoomEntry* entry = hub.find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    const room::Member* member = entry->room.find(publisher->member);
    PARLEY_CHECK(member != nullptr);

    std::vector<const room::Track*> added;
    const std::uint64_t batch = hub.fresh_batch();
    for (const FoundTrack& one : found) {
        const std::vector<const room::Track*> present = entry->room.tracks_of(member->id);
        const bool known = std::any_of(present.begin(), present.end(), [&](const auto* track) {
            return track->info.kind == one.kind;
        });
        if (known) continue;
        room::NewTrack info;
        info.kind = one.kind;
        info.codec = one.codec;
        info.tag = kTag;
        info.master = true;
        const TrackId media = hub.fresh_track();
        const Result<room::Track*> track =
            entry->room.publish(member->id, media, batch, hub.fresh_name(), std::move(info));
        if (!track) continue;
        publisher->trackids.push_back((*track)->id);
        added.push_back(*track);
        hub.command(publisher->worker, 
                    sfu::AddLocalTrack{media, stream, one.kind, one.codec, owner_of(*entry, *member)}, out);
        hub.apply_locks(*entry, *member, **track, out);
    }
    if (added.empty()) return;
    if (presence->session.is_valid()) {
        tell_local_tracks(hub, *member, added, out);
    } else {
        presence->local_tracks_untold = true;
    }
    hub.announce_added(*entry, *member, out);
}

Result<PlayGrant> Hub::open_play(Instant now,
                                 StreamId stream,
                                 const StreamAddress& address,
                                 Outputs&) {
    HubState& hub = *state_;
    hub.advance(now);
    const std::optional<TokenOwner> owner = find_owner(hub, address.rtmptoken);
    if (!owner) return fail(Errc::kNotFound, "rtmptoken is unknown");
    if (!address.is_for_playing()) return fail(Errc::kForbidden, "this URL is for publishing");
    const bool mixes = !address.mix.empty();
    if (mixes && address.mix != "audio") return fail(Errc::kForbidden, "mix can only be audio");
    if (!owner->member.info.privileges.subscribe) return fail(Errc::kForbidden, "may not play");
    if (is_at_limit(hub, owner->member.id)) return fail(Errc::kBusy, "too many streams");

    PlayGrant grant;
    grant.worker = owner->entry.worker;
    grant.room = owner->entry.key;
    grant.user_id = owner->member.info.user_id;
    grant.listener = owner->member.id;
    StreamEntry entry{owner->member.id, owner->entry.worker, false, {}};
    for (const std::string& id : address.trackids) {
        const bool again = std::any_of(grant.tracks.begin(),
                                       grant.tracks.end(),
                                       [&](const PlayTrack& t) { return t.trackid == id; });
        if (again) continue;
        const room::Track* track = owner->entry.room.find_track(id);
        const room::Member* publisher =
            track == nullptr ? nullptr : owner->entry.room.find(track->owner);
        if (publisher == nullptr || !track->announced) {
            return fail(Errc::kNotFound, "no such track in the room");
        }
        if (!address.playerid.empty() && publisher->info.user_id != address.playerid) {
            return fail(Errc::kNotFound, "track is not of this user");
        }
        if (mixes && track->info.kind == sfu::MediaKind::kAudio) {
            return fail(Errc::kForbidden, "the mix has all sound: no trackid of one beside it");
        }
        grant.tracks.push_back({track->media,
                                track->id,
                                track->owner,
                                track->info.kind,
                                track->info.codec,
                                track->info.simulcast});
    }
    leave_out_own_sound(grant.tracks, owner->member.id);
    for (const PlayTrack& track : grant.tracks) entry.trackids.push_back(track.trackid);
    if (mixes) grant.mixes = entry.mixes = owner->entry.id;
    hub.add_stream(stream, std::move(entry));
    return grant;
}

std::vector<RoomSoundTrack> Hub::sounds_of(RoomId room) const {
    const RoomEntry* entry = state_->find_room(room);
    return entry == nullptr ? std::vector<RoomSoundTrack>() : sounds_in(entry->room);
}

void Hub::handle_stream_closed(Instant now, StreamId stream, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    hub.drop_stream(stream, std::nullopt, out);
}

}  // namespace parley::signalling

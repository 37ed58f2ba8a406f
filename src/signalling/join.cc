#include <utility>

#include "base/check.h"
#include "signalling/access.h"
#include "signalling/envelope.h"
#include "signalling/handlers.h"

namespace parley::signalling {
namespace json = boost::json;

void refuse_join(HubState& hub,
                 const Session& session,
                 std::string_view rpcid,
                 int code,
                 std::string_view error,
                 Outputs& out) {
    ++hub.counters.joins_refused;
    hub.send(session.id,
             "auth-res",
             {{"rpcid", to_json_view(rpcid)}, {"code", code}, {"error", to_json_view(error)}},
             out);
}

void seat(HubState& hub, Session& session, Presence& presence) {
    presence.session = session.id;
    session.state = Session::State::kMember;
    session.member = presence.id;
    session.last_pong = hub.now();
}

json::array tracks_of_others(const RoomEntry& entry, room::MemberId member) {
    json::array tracks;
    for (const auto& [id, track] : entry.room.tracks()) {
        if (!track.announced || track.owner == member) continue;
        const room::Member* owner = entry.room.find(track.owner);
        PARLEY_CHECK(owner != nullptr);
        tracks.push_back(track_json(track, *owner));
    }
    return tracks;
}

void tell_return(HubState& hub, const RoomEntry& entry, const room::Member& member, Outputs& out) {
    hub.tell_others(
        entry, member.id, "on-player-reconnect-in", {{"playerid", member.info.user_id}}, out);
    hub.raise(RoomEventKind::kUserReconnected, entry, member.info.user_id, {}, out);
}

void replay_messages(HubState& hub,
                     const RoomEntry& entry,
                     const room::Member& member,
                     std::int64_t seen,
                     Outputs& out) {
    json::array missed;
    for (const room::Message& message : entry.room.messages().missed(member.info.user_id, seen)) {
        missed.push_back(message_json(message));
    }
    if (missed.empty()) return;
    hub.tell(member.id, "on-messages", {{"messages", std::move(missed)}}, out);
}

namespace {

/// Gives the member to this session, with a fresh reconnect token, and says who and what is there.
void welcome(HubState& hub,
             Session& session,
             std::string_view rpcid,
             Presence& presence,
             const RoomEntry& entry,
             Outputs& out) {
    if (presence.reconntoken != 0) hub.reconntokens.erase(presence.reconntoken);
    presence.reconntoken = hub.fresh_reconntoken();
    hub.reconntokens.emplace(presence.reconntoken, presence.id);
    seat(hub, session, presence);
    json::array players;
    for (const auto& [id, member] : entry.room.members()) {
        if (member.is_visible()) players.push_back(player_json(member));
    }
    hub.send(session.id,
             "auth-res",
             {{"rpcid", to_json_view(rpcid)},
              {"code", int{kOk}},
              {"error", ""},
              {"reconntoken", presence.reconntoken},
              {"players", std::move(players)},
              {"tracks", tracks_of_others(entry, presence.id)},
              {"rtpcaps", presence.caps.rtpcaps}},
             out);
    hub.send(session.id, "ping", {}, out);
    hub.schedule_ping(session);
}

/// The member comes back on a new socket: same tracks, mids and connections.
void resume(HubState& hub,
            Session& session,
            std::string_view rpcid,
            const AuthRequest& request,
            Presence& presence,
            Outputs& out) {
    RoomEntry* entry = hub.find_room(presence.room);
    PARLEY_CHECK(entry != nullptr);
    room::Member* member = entry->room.find(presence.id);
    PARLEY_CHECK(member != nullptr);
    const bool was_away = !presence.session.is_valid();
    if (!was_away) hub.drop_socket(presence.session, kClosePolicy, out);
    hub.end_grace(presence.id);

    member->info.privileges =
        entry->room.rulings().allowed(member->info.user_id, request.privileges);
    // The same browser says the same again; anything else would not fit its living connections.
    if (!member->pubpc && !member->subpc) {
        if (Result<ClientCaps> caps = negotiate_caps(request.capsdp, entry->video_codec)) {
            presence.caps = std::move(*caps);
        }
    }
    welcome(hub, session, rpcid, presence, *entry, out);
    ++hub.counters.reconnects;
    if (was_away) tell_return(hub, *entry, *member, out);
    if (presence.lost_pubpc) {
        hub.send(session.id, "on-pubpc-disconnected", {{"pcid", *presence.lost_pubpc}}, out);
        presence.lost_pubpc.reset();
    }
    if (presence.lost_subpc) {
        hub.send(session.id, "on-subpc-disconnected", {{"pcid", *presence.lost_subpc}}, out);
        presence.lost_subpc.reset();
    }
    const std::int64_t seen = std::max(request.msgsn.value_or(0), member->joined_msgsn);
    replay_messages(hub, *entry, *member, seen, out);
}

void join_afresh(HubState& hub,
                 Session& session,
                 std::string_view rpcid,
                 AuthRequest request,
                 AccessGrant grant,
                 Outputs& out) {
    const std::optional<AppSettings> settings = hub.apps.settings_of(grant.room);
    if (!settings) return refuse_join(hub, session, rpcid, kTokenWrong, "no such app", out);
    if (request.playerdata.size() > hub.config.max_playerdata_bytes) {
        return refuse_join(hub, session, rpcid, kInvalidParameter, "playerdata is too long", out);
    }
    const RoomEntry* present = hub.find_room(grant.room);
    const bool is_first = present == nullptr || present->room.empty();
    const sfu::Codec preferred = is_first ? settings->video_codec : present->video_codec;
    Result<ClientCaps> caps = negotiate_caps(request.capsdp, preferred);
    if (!caps) return refuse_join(hub, session, rpcid, kNoCommonCodec, caps.error().what, out);

    room::NewMember info;
    info.user_id = std::move(grant.user_id);
    info.kind = room::ClientKind::kWeb;
    info.permission = grant.permission;
    info.privileges = request.privileges;
    info.playerdata = std::move(request.playerdata);
    info.agent = std::move(request.agent);
    const tl::expected<Joined, AccessRefusal> joined =
        admit(hub, grant.room, *settings, std::move(info), out);
    if (!joined) {
        return refuse_join(hub, session, rpcid, joined.error().code, joined.error().error, out);
    }
    joined->presence->caps = std::move(*caps);
    if (is_first) joined->entry->video_codec = joined->presence->caps.video.codec;
    welcome(hub, session, rpcid, *joined->presence, *joined->entry, out);
}

}  // namespace

tl::expected<Joined, AccessRefusal> admit(HubState& hub,
                                          const room::RoomKey& key,
                                          const AppSettings& settings,
                                          room::NewMember info,
                                          Outputs& out) {
    // The only code that every published client takes as final (protocol section 3.10).
    if (hub.apps.is_banned(key, info.user_id, hub.wall())) {
        return tl::unexpected(AccessRefusal{kTokenWrong, "user is banned from the room"});
    }
    const AccessRefusal closed{kRoomGone, "room is closed"};
    if (hub.find_room(key) == nullptr && !hub.apps.is_room_open(key)) {
        return tl::unexpected(closed);
    }
    const Result<RoomEntry*> opened = hub.open_room(key, settings, false, out);
    if (!opened) {
        return opened.error().code == Errc::kNotFound
                   ? tl::unexpected(AccessRefusal{kRoomGone, "room does not exist"})
                   : tl::unexpected(AccessRefusal{kRoomFull, "server is full"});
    }
    RoomEntry& entry = **opened;
    if (!entry.is_open) return tl::unexpected(closed);
    const bool visible = info.kind != room::ClientKind::kViewer;
    if (const room::Member* old = visible ? entry.room.find_user(info.user_id) : nullptr) {
        // Who is only waiting for its user to come back does not keep that user out.
        const Presence* presence = hub.find_presence(old->id);
        PARLEY_CHECK(presence != nullptr);
        const bool connected = presence->session.is_valid() || presence->media_session.is_valid();
        if (connected && entry.settings.no_auto_kick_user) {
            return tl::unexpected(AccessRefusal{kUserElsewhere, "user is in the room already"});
        }
        hub.expel(old->id,
                  kUserElsewhere,
                  "user joined from another place",
                  "",
                  LeaveReason::kReplaced,
                  out);
    }
    const room::Rulings& rulings = entry.room.rulings();
    info.permission = rulings.permission(info.user_id, info.permission);
    info.privileges = rulings.allowed(info.user_id, info.privileges);
    const room::MemberId id = hub.fresh_member();
    const Result<room::Member*> member = entry.room.join(id, std::move(info));
    if (!member) return tl::unexpected(AccessRefusal{kRoomFull, "room is full"});
    Presence& presence = hub.add_presence(entry, id);
    ++hub.counters.joins;
    if (visible) {
        hub.active_rooms.set(key.app_id, key.name, true);
        hub.tell_others(entry, id, "on-player-in", player_json(**member), out);
        const bool admin = (*member)->info.permission == room::Permission::kAdmin;
        hub.raise(RoomEventKind::kUserJoined,
                  entry,
                  (*member)->info.user_id,
                  {{"userData", (*member)->info.playerdata},
                   {"agent", (*member)->info.agent},
                   {"permission", admin ? "admin" : "user"}},
                  out);
    }
    return Joined{&presence, &entry, *member};
}

void handle_auth(HubState& hub,
                 Session& session,
                 std::string_view rpcid,
                 const json::object& body,
                 Outputs& out) {
    Result<AuthRequest> request = parse_auth(body);
    if (!request)
        return refuse_join(hub, session, rpcid, kInvalidParameter, request.error().what, out);
    if (request->is_mini_program) {
        return handle_mini_program_auth(hub, session, rpcid, std::move(*request), out);
    }
    tl::expected<AccessGrant, AccessRefusal> grant =
        check_access(hub.access_key, request->token, hub.wall());
    if (!grant) {
        return refuse_join(hub, session, rpcid, grant.error().code, grant.error().error, out);
    }
    if (request->reconntoken) {
        const auto at = hub.reconntokens.find(*request->reconntoken);
        Presence* presence = at == hub.reconntokens.end() ? nullptr : hub.find_presence(at->second);
        if (presence != nullptr) {
            const RoomEntry* entry = hub.find_room(presence->room);
            PARLEY_CHECK(entry != nullptr);
            const room::Member* member = entry->room.find(presence->id);
            PARLEY_CHECK(member != nullptr);
            if (entry->key == grant->room && member->info.user_id == grant->user_id) {
                return resume(hub, session, rpcid, *request, *presence, out);
            }
        }
        // The client comes back with the same access token and joins afresh.
        return refuse_join(
            hub, session, rpcid, kServerUnavailable, "reconnect token is unknown", out);
    }
    if (grant->expired) {
        return refuse_join(hub, session, rpcid, kTokenExpired, "access token is expired", out);
    }
    join_afresh(hub, session, rpcid, std::move(*request), std::move(*grant), out);
}

}  // namespace parley::signalling

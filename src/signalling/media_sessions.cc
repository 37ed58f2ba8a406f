#include <algorithm>
#include <utility>

#include "base/check.h"
#include "signalling/handlers.h"

/// WHIP and WHEP members: no socket, one peer connection, everything said in one HTTP request.
namespace parley::signalling {
namespace {

tl::unexpected<Error> refusal(const AccessRefusal& refused) {
    switch (refused.code) {
        case kUserElsewhere:
            return fail(Errc::kConflict, "user is in the room already");
        case kRoomGone:
            return fail(Errc::kNotFound, "room does not exist");
        case kTokenWrong:
            return fail(Errc::kForbidden, "user is banned from the room");
        default:
            return fail(Errc::kBusy, "room is full");
    }
}

Result<Joined> admit_media_session(HubState& hub,
                                   const MediaSessionOwner& owner,
                                   room::ClientKind kind,
                                   dtls::Role role,
                                   Outputs& out) {
    if (hub.draining) return fail(Errc::kBusy, "server is going away");
    const std::optional<AppSettings> settings = hub.apps.settings_of(owner.room);
    if (!settings) return fail(Errc::kNotFound, "no such app");
    room::NewMember info;
    info.user_id = owner.user_id;
    info.kind = kind;
    info.permission = owner.permission;
    info.agent = owner.agent.size() > kMaxLabelBytes ? std::string() : owner.agent;
    tl::expected<Joined, AccessRefusal> joined =
        admit(hub, owner.room, *settings, std::move(info), out);
    if (!joined) return refusal(joined.error());
    joined->presence->media_session = hub.fresh_media_session();
    joined->presence->media_role = role;
    hub.media_sessions.emplace(joined->presence->media_session, joined->presence->id);
    return *joined;
}

PeerParameters open_peer(HubState& hub,
                         const Joined& joined,
                         const MediaTransport& transport,
                         bool publishes,
                         Outputs& out) {
    const ice::Credentials ice = hub.fresh_credentials();
    const PeerId peer = hub.fresh_peer();
    room::PeerConnection connection{peer, hub.fresh_name(), false};
    (publishes ? joined.member->pubpc : joined.member->subpc) = std::move(connection);
    sfu::OpenPeer open;
    open.peer = peer;
    open.local_ice = ice;
    open.dtls_role = transport.local_role;
    open.remote_fingerprint = transport.remote_fingerprint;
    open.receive_extensions = transport.receive_extensions;
    open.send_extensions = transport.send_extensions;
    hub.add_peer(*joined.entry, joined.member->id, publishes, std::move(open), out);
    return hub.peer_parameters(*joined.entry, ice, transport.local_role, Policy::kPreferUdp);
}

}  // namespace

Result<PublisherJoined> Hub::join_publisher(Instant now,
                                            WallTime wall,
                                            const JoinPublisher& request,
                                            Outputs& out) {
    HubState& hub = *state_;
    hub.set_wall(now, wall);
    if (request.tracks.empty()) return fail(Errc::kMalformed, "no track to publish");
    if (request.tracks.size() > hub.config.max_tracks_per_member) {
        return fail(Errc::kTooLarge, "too many tracks");
    }
    const bool without_encoding =
        std::any_of(request.tracks.begin(), request.tracks.end(), [](const OfferedTrack& track) {
            return track.encodings.empty() || track.encodings.size() > sfu::kMaxLayers;
        });
    if (without_encoding) return fail(Errc::kMalformed, "encodings of a track");
    const Result<Joined> joined = admit_media_session(
        hub, request.owner, room::ClientKind::kPublisher, request.transport.local_role, out);
    if (!joined) return tl::unexpected(joined.error());
    PublisherJoined answer;
    answer.session = joined->presence->media_session;
    answer.peer = open_peer(hub, *joined, request.transport, true, out);

    const std::uint64_t batch = hub.fresh_batch();
    for (const OfferedTrack& offered : request.tracks) {
        room::NewTrack info;
        info.kind = offered.kind;
        info.codec = offered.codec;
        info.local_id = "mid-" + offered.mid;
        info.master = true;
        info.simulcast = offered.encodings.size() > 1;
        const TrackId media = hub.fresh_track();
        const Result<room::Track*> track = joined->entry->room.publish(
            joined->member->id, media, batch, hub.fresh_name(), std::move(info));
        if (!track) continue;  // the same mid twice: the first one counts
        room::Track* const published = *track;
        sfu::AddTrack command;
        command.peer = joined->member->pubpc->peer;
        command.track = media;
        command.kind = offered.kind;
        command.codec = offered.codec;
        command.payload_type = offered.payload_type;
        command.rtx_payload_type = offered.rtx_payload_type;
        command.red_payload_type = offered.red_payload_type;
        command.mid = offered.mid;
        command.encodings = offered.encodings;
        command.max_bitrate = offered.max_bitrate;
        hub.command(joined->entry->worker, std::move(command), out);
        hub.apply_locks(*joined->entry, *joined->member, *published, out);
    }
    return answer;
}

std::vector<MediaSource> Hub::media_sources(const room::RoomKey& key,
                                            std::string_view user_or_track) const {
    const RoomEntry* entry = state_->find_room(key);
    if (entry == nullptr) return {};
    std::vector<const room::Track*> tracks;
    if (const room::Member* member = entry->room.find_user(user_or_track)) {
        tracks = entry->room.tracks_of(member->id);
    } else if (const room::Track* track = entry->room.find_track(user_or_track)) {
        tracks.push_back(track);
    }
    std::vector<MediaSource> sources;
    for (const room::Track* track : tracks) {
        const room::Member* owner = entry->room.find(track->owner);
        if (!track->announced || owner == nullptr) continue;
        sources.push_back({track->id,
                           owner->info.user_id,
                           track->info.kind,
                           track->info.codec,
                           track->info.simulcast});
    }
    return sources;
}

Result<ViewerJoined> Hub::join_viewer(Instant now,
                                      WallTime wall,
                                      const JoinViewer& request,
                                      Outputs& out) {
    HubState& hub = *state_;
    hub.set_wall(now, wall);
    if (request.tracks.size() > hub.config.max_subscriptions_per_member) {
        return fail(Errc::kTooLarge, "too many tracks");
    }
    const RoomEntry* entry = hub.find_room(request.owner.room);
    const bool any =
        entry != nullptr &&
        std::any_of(request.tracks.begin(), request.tracks.end(), [&](const WantedTrack& wanted) {
            const room::Track* track = entry->room.find_track(wanted.trackid);
            return track != nullptr && track->announced;
        });
    if (!any) return fail(Errc::kNotFound, "no such track");
    const Result<Joined> joined = admit_media_session(
        hub, request.owner, room::ClientKind::kViewer, request.transport.local_role, out);
    if (!joined) return tl::unexpected(joined.error());
    ViewerJoined answer;
    answer.session = joined->presence->media_session;
    answer.peer = open_peer(hub, *joined, request.transport, false, out);
    for (const WantedTrack& wanted : request.tracks) {
        const Result<room::Room::Subscribed> subscribed =
            joined->entry->room.subscribe(joined->member->id, wanted.trackid);
        if (!subscribed || !subscribed->is_new) continue;
        const room::Track& track = *subscribed->track;
        room::Subscription& subscription = *subscribed->subscription;
        if (track.info.simulcast) subscription.layer = wanted.layer;
        CodecChoice codec;
        codec.codec = track.info.codec;
        codec.receive = wanted.payload_type;
        codec.receive_rtx = wanted.rtx_payload_type;
        codec.receive_red = wanted.red_payload_type;
        start_forwarding(hub,
                         *joined->entry,
                         *joined->member,
                         joined->member->subpc->peer,
                         track,
                         subscription,
                         codec,
                         out);
        const room::Member* owner = joined->entry->room.find(track.owner);
        PARLEY_CHECK(owner != nullptr);
        answer.tracks.push_back({track.id,
                                 subscription.ssrc,
                                 subscription.rtx_ssrc,
                                 stream_msid(*owner),
                                 stream_cname(*owner)});
    }
    return answer;
}

Result<PeerParameters> Hub::restart_media_session(Instant now,
                                                  MediaSessionId session,
                                                  Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const auto at = hub.media_sessions.find(session);
    if (at == hub.media_sessions.end()) return fail(Errc::kNotFound, "no such session");
    const Presence* presence = hub.find_presence(at->second);
    PARLEY_CHECK(presence != nullptr);
    const RoomEntry* entry = hub.find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    const room::Member* member = entry->room.find(presence->id);
    PARLEY_CHECK(member != nullptr);
    const std::optional<room::PeerConnection>& peer = member->pubpc ? member->pubpc : member->subpc;
    if (!peer) return fail(Errc::kNotFound, "no such session");
    return restart_ice(hub, *entry, peer->peer, presence->media_role, Policy::kPreferUdp, out);
}

Result<void> Hub::leave_media_session(Instant now, MediaSessionId session, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const auto at = hub.media_sessions.find(session);
    if (at == hub.media_sessions.end()) return fail(Errc::kNotFound, "no such session");
    hub.leave(at->second, LeaveReason::kLeft, out);
    return {};
}

}  // namespace parley::signalling

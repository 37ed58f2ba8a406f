#include <algorithm>
#include <utility>

#include "base/check.h"
#include "signalling/handlers.h"

namespace parley::signalling {
namespace json = boost::json;
namespace {

bool can_receive(const Caller& caller, const room::Track& track) {
    return caller.presence.caps.codec(track.info.kind).codec == track.info.codec;
}

bool is_subscribable(const Caller& caller, std::string_view id) {
    const room::Track* track = caller.entry.room.find_track(id);
    return track != nullptr && track->announced && track->owner != caller.member.id &&
           can_receive(caller, *track);
}

/// Subscribes to what is there; one entry for each different track that was asked for.
json::array subscribe(
    HubState& hub, Caller& caller, PeerId peer, const std::vector<SubTrack>& wanted, Outputs& out) {
    json::array results;
    std::vector<std::string_view> done;
    for (const SubTrack& want : wanted) {
        if (std::find(done.begin(), done.end(), want.trackid) != done.end()) continue;
        done.push_back(want.trackid);
        if (!is_subscribable(caller, want.trackid)) {
            results.push_back(refused_sub_track_json(want.trackid));
            continue;
        }
        const Result<room::Room::Subscribed> subscribed =
            caller.entry.room.subscribe(caller.member.id, want.trackid);
        if (!subscribed) {
            results.push_back(refused_sub_track_json(want.trackid));
            continue;
        }
        const room::Track& track = *subscribed->track;
        room::Subscription& subscription = *subscribed->subscription;
        if (subscribed->is_new) {
            if (track.info.simulcast) {
                subscription.layer = want.layer.value_or(sfu::Layer::kHigh);
            }
            start_forwarding(hub,
                             caller.entry,
                             caller.member,
                             peer,
                             track,
                             subscription,
                             caller.presence.caps.codec(track.info.kind),
                             out);
        }
        const room::Member* owner = caller.entry.room.find(track.owner);
        PARLEY_CHECK(owner != nullptr);
        results.push_back(sub_track_json(track, *owner, subscription));
    }
    return results;
}

}  // namespace

void start_forwarding(HubState& hub,
                      const RoomEntry& entry,
                      const room::Member& subscriber,
                      PeerId peer,
                      const room::Track& track,
                      room::Subscription& subscription,
                      const CodecChoice& codec,
                      Outputs& out) {
    subscription.ssrc = hub.fresh_ssrc(subscriber);
    const bool rtx = codec.receive_rtx.is_valid();
    if (rtx) subscription.rtx_ssrc = hub.fresh_ssrc(subscriber);
    const room::Member* owner = entry.room.find(track.owner);
    PARLEY_CHECK(owner != nullptr);

    sfu::Subscribe command;
    command.peer = peer;
    command.track = track.media;
    command.ssrc = subscription.ssrc;
    command.rtx_ssrc = subscription.rtx_ssrc;
    command.payload_type = codec.receive;
    command.rtx_payload_type = codec.receive_rtx;
    command.red_payload_type = codec.receive_red;
    command.layer = subscription.layer;
    command.cname = stream_cname(*owner);
    hub.command(entry.worker, std::move(command), out);
}

Reply handle_subpc(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    if (!caller.member.info.privileges.subscribe) {
        return Reply::refuse_tracks(kNoPermission, "no permission to subscribe");
    }
    const Result<SubscribeRequest> request = parse_subscribe(body);
    if (!request) return Reply::refuse_tracks(kInvalidParameter, request.error().what);
    // Code 0 without a usable track would hang every later subscribe of the client (quirk Q4).
    const bool any =
        std::any_of(request->tracks.begin(), request->tracks.end(), [&](const SubTrack& track) {
            return is_subscribable(caller, track.trackid);
        });
    if (!any) return Reply::refuse_tracks(kTrackNotFound, "no such track in the room");
    const ice::Credentials ice = hub.fresh_credentials();
    const PeerParameters parameters =
        hub.peer_parameters(caller.entry, ice, dtls::Role::kServer, request->policy);
    if (parameters.candidates.empty()) {
        return Reply::refuse_tracks(kInvalidParameter, "no candidate for this policy");
    }

    hub.close_peer(caller.member.subpc, out);
    caller.member.subscriptions.clear();
    caller.presence.lost_subpc.reset();
    caller.presence.subscribe_policy = request->policy;

    const PeerId peer = hub.fresh_peer();
    caller.member.subpc = room::PeerConnection{peer, hub.fresh_name(), false};
    sfu::OpenPeer open;
    open.peer = peer;
    open.local_ice = ice;
    open.dtls_role = dtls::Role::kServer;
    open.receive_extensions = caller.presence.caps.worker_receives;
    open.send_extensions = caller.presence.caps.worker_sends;
    hub.add_peer(caller.entry, caller.member.id, false, std::move(open), out);

    Reply reply;
    add_peer_json(reply.fields, caller.member.subpc->pcid, parameters);
    reply.fields["tracks"] = subscribe(hub, caller, peer, request->tracks, out);
    return reply;
}

Reply handle_sub_tracks(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    if (!caller.member.subpc)
        return Reply::refuse_tracks(kSubscribePeerGone, "receive connection is gone");
    if (!caller.member.info.privileges.subscribe) {
        return Reply::refuse_tracks(kNoPermission, "no permission to subscribe");
    }
    const Result<SubscribeRequest> request = parse_subscribe(body);
    if (!request) return Reply::refuse_tracks(kInvalidParameter, request.error().what);
    Reply reply;
    reply.fields["tracks"] =
        subscribe(hub, caller, caller.member.subpc->peer, request->tracks, out);
    return reply;
}

Reply handle_unsub_tracks(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const Result<std::vector<std::string>> ids = parse_track_ids(body);
    if (!ids) return Reply::refuse_tracks(kInvalidParameter, ids.error().what);
    for (const std::string& id : *ids) {
        const std::optional<room::Subscription> subscription =
            caller.entry.room.unsubscribe(caller.member.id, id);
        if (!subscription || !caller.member.subpc) continue;
        hub.command(caller.entry.worker,
                    sfu::Unsubscribe{caller.member.subpc->peer, subscription->media},
                    out);
    }
    Reply reply;
    reply.fields["tracks"] = json::array();
    return reply;
}

Reply handle_subpc_restart(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const std::optional<room::PeerConnection>& peer = caller.member.subpc;
    if (!peer || peer->pcid != text_field(body, "pcid")) {
        return Reply::refuse(kSubscribePeerGone, "receive connection is gone");
    }
    Reply reply;
    add_ice_json(reply.fields,
                 restart_ice(hub,
                             caller.entry,
                             peer->peer,
                             dtls::Role::kServer,
                             caller.presence.subscribe_policy,
                             out));
    return reply;
}

Reply handle_set_sub_profile(HubState& hub,
                             Caller& caller,
                             const json::object& body,
                             Outputs& out) {
    const Result<SubscribeRequest> request = parse_subscribe(body);
    if (!request) return Reply::refuse(kInvalidParameter, request.error().what);
    if (!caller.member.subpc)
        return Reply::refuse(kSubscribePeerGone, "receive connection is gone");
    for (const SubTrack& want : request->tracks) {
        const auto at = caller.member.subscriptions.find(want.trackid);
        const room::Track* track = caller.entry.room.find_track(want.trackid);
        if (!want.layer || at == caller.member.subscriptions.end() || track == nullptr ||
            !track->info.simulcast || at->second.layer == *want.layer) {
            continue;
        }
        at->second.layer = *want.layer;
        hub.command(caller.entry.worker,
                    sfu::SetLayer{caller.member.subpc->peer, at->second.media, *want.layer},
                    out);
    }
    return {};
}

PeerParameters restart_ice(HubState& hub,
                           const RoomEntry& entry,
                           PeerId peer,
                           dtls::Role role,
                           Policy policy,
                           Outputs& out) {
    const ice::Credentials ice = hub.fresh_credentials();
    hub.command(entry.worker, sfu::RestartIce{peer, ice}, out);
    return hub.peer_parameters(entry, ice, role, policy);
}

}  // namespace parley::signalling

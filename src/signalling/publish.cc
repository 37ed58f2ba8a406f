#include <algorithm>
#include <utility>

#include "signalling/handlers.h"

namespace parley::signalling {
namespace json = boost::json;
namespace {

constexpr std::int64_t kMaxKbps = 50'000;

/// The part of a request that can be refused without having changed anything: each wanted track
/// with the section of the offer that carries it.
struct Plan {
    PublishRequest request;
    std::vector<OfferedSection> sections;         // of the whole offer
    std::vector<const OfferedSection*> of_track;  // one for each wanted track
};

const OfferedSection* find_section(const std::vector<OfferedSection>& sections,
                                   const PubTrack& track) {
    const auto at =
        std::find_if(sections.begin(), sections.end(), [&](const OfferedSection& section) {
            if (section.kind != track.kind) return false;
            // Sections of an earlier, failed attempt stay in later offers (quirk Q5), so the id of
            // the source alone may fit more than one: the mid decides.
            return track.localmid.empty() ? section.local_id == track.localid
                                          : section.mid == track.localmid;
        });
    return at == sections.end() ? nullptr : &*at;
}

tl::expected<Plan, Reply> make_plan(const Caller& caller,
                                    const HubConfig& config,
                                    const json::object& body) {
    if (!caller.member.info.privileges.publish) {
        return tl::unexpected(Reply::refuse_tracks(kNoPermission, "no permission to publish"));
    }
    Result<PublishRequest> request = parse_publish(body);
    if (!request)
        return tl::unexpected(Reply::refuse_tracks(kInvalidParameter, request.error().what));
    if (request->tracks.empty()) {
        return tl::unexpected(Reply::refuse_tracks(kInvalidParameter, "no track to publish"));
    }
    if (request->tracks.size() > config.max_tracks_per_member) {
        return tl::unexpected(Reply::refuse_tracks(kInvalidParameter, "too many tracks"));
    }
    Result<std::vector<OfferedSection>> sections = parse_publish_offer(request->sdp);
    if (!sections)
        return tl::unexpected(Reply::refuse_tracks(kInvalidParameter, sections.error().what));

    Plan plan{std::move(*request), std::move(*sections), {}};
    for (const PubTrack& track : plan.request.tracks) {
        const OfferedSection* section = find_section(plan.sections, track);
        const bool taken =
            std::find(plan.of_track.begin(), plan.of_track.end(), section) != plan.of_track.end();
        if (section == nullptr || taken) {
            return tl::unexpected(
                Reply::refuse_tracks(kInvalidParameter, "track is not in the offer"));
        }
        plan.of_track.push_back(section);
    }
    return plan;
}

void add_track(HubState& hub,
               Caller& caller,
               PeerId peer,
               const PubTrack& wanted,
               const OfferedSection& section,
               std::uint64_t batch,
               json::array& results,
               Outputs& out) {
    const CodecChoice& codec = caller.presence.caps.codec(wanted.kind);
    room::NewTrack info;
    info.kind = wanted.kind;
    info.codec = codec.codec;
    info.local_id = wanted.localid;
    info.tag = wanted.tag;
    info.master = wanted.master;
    info.simulcast = section.is_simulcast();
    const TrackId media = hub.fresh_track();
    const Result<room::Track*> track = caller.entry.room.publish(
        caller.member.id, media, batch, hub.fresh_name(), std::move(info));
    json::object result{{"localid", wanted.localid}, {"localmid", wanted.localmid}};
    if (!track) {
        result["trackid"] = "";
        result["status"] = false;
        result["versionid"] = 0;
        results.push_back(std::move(result));
        return;
    }
    result["trackid"] = (*track)->id;
    result["status"] = true;
    result["versionid"] = (*track)->versionid;
    results.push_back(std::move(result));

    sfu::AddTrack command;
    command.peer = peer;
    command.track = media;
    command.kind = wanted.kind;
    command.codec = codec.codec;
    command.payload_type = codec.publish;
    command.rtx_payload_type = codec.publish_rtx;
    command.red_payload_type = codec.publish_red;
    command.mid = section.mid;
    command.encodings = section.encodings;
    command.max_bitrate = Bitrate::kbps(std::min(wanted.kbps, kMaxKbps));
    hub.command(caller.entry.worker, std::move(command), out);
    hub.apply_locks(caller.entry, caller.member, **track, out);
}

/// Takes tracks away at the room, the worker and the others.
void remove_tracks(HubState& hub,
                   Caller& caller,
                   const std::vector<std::string>& ids,
                   Outputs& out) {
    const std::vector<room::Track> gone = caller.entry.room.unpublish(caller.member.id, ids);
    for (const room::Track& track : gone) {
        hub.command(caller.entry.worker, sfu::RemoveTrack{track.media}, out);
    }
    hub.announce_removed(caller.entry, caller.member, gone, out);
}

}  // namespace

Reply handle_pubpc(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    tl::expected<Plan, Reply> plan = make_plan(caller, hub.config, body);
    if (!plan) return std::move(plan.error());
    const std::optional<dtls::Fingerprint>& remote = plan->of_track.front()->fingerprint;
    if (!remote) return Reply::refuse_tracks(kInvalidParameter, "offer has no sha-256 fingerprint");
    const ice::Credentials ice = hub.fresh_credentials();
    // The answer makes the server the DTLS client (protocol section 4.3).
    const PeerParameters parameters =
        hub.peer_parameters(caller.entry, ice, dtls::Role::kClient, plan->request.policy);
    if (parameters.candidates.empty()) {
        return Reply::refuse_tracks(kInvalidParameter, "no candidate for this policy");
    }

    // A rebuild: the old connection goes with all its tracks; sources that come again keep their
    // ids.
    hub.announce_removed(
        caller.entry, caller.member, caller.entry.room.unpublish_all(caller.member.id), out);
    hub.close_peer(caller.member.pubpc, out);
    caller.presence.lost_pubpc.reset();
    caller.presence.publish_policy = plan->request.policy;

    const PeerId peer = hub.fresh_peer();
    caller.member.pubpc = room::PeerConnection{peer, hub.fresh_name(), false};
    sfu::OpenPeer open;
    open.peer = peer;
    open.local_ice = ice;
    open.dtls_role = dtls::Role::kClient;
    open.remote_fingerprint = remote;
    open.receive_extensions = caller.presence.caps.worker_receives;
    open.send_extensions = caller.presence.caps.worker_sends;
    hub.add_peer(caller.entry, caller.member.id, true, std::move(open), out);

    json::array results;
    const std::uint64_t batch = hub.fresh_batch();
    for (std::size_t i = 0; i < plan->request.tracks.size(); ++i) {
        add_track(
            hub, caller, peer, plan->request.tracks[i], *plan->of_track[i], batch, results, out);
    }
    Reply reply;
    add_peer_json(reply.fields, caller.member.pubpc->pcid, parameters);
    reply.fields["tracks"] = std::move(results);
    return reply;
}

Reply handle_pub_tracks(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    if (!caller.member.pubpc)
        return Reply::refuse_tracks(kPublishPeerGone, "publish connection is gone");
    tl::expected<Plan, Reply> plan = make_plan(caller, hub.config, body);
    if (!plan) return std::move(plan.error());

    // A source that is published already comes again on another section: its old track goes first.
    std::vector<std::string> replaced;
    const std::vector<const room::Track*> present = caller.entry.room.tracks_of(caller.member.id);
    for (const room::Track* track : present) {
        for (const PubTrack& wanted : plan->request.tracks) {
            if (track->info.local_id == wanted.localid && track->info.kind == wanted.kind) {
                replaced.push_back(track->id);
            }
        }
    }
    const std::size_t total = present.size() - replaced.size() + plan->request.tracks.size();
    if (total > hub.config.max_tracks_per_member) {
        return Reply::refuse_tracks(kInvalidParameter, "too many tracks");
    }
    remove_tracks(hub, caller, replaced, out);

    json::array results;
    const std::uint64_t batch = hub.fresh_batch();
    for (std::size_t i = 0; i < plan->request.tracks.size(); ++i) {
        add_track(hub,
                  caller,
                  caller.member.pubpc->peer,
                  plan->request.tracks[i],
                  *plan->of_track[i],
                  batch,
                  results,
                  out);
    }
    if (caller.member.pubpc->connected) hub.announce_added(caller.entry, caller.member, out);
    Reply reply;
    reply.fields["tracks"] = std::move(results);
    return reply;
}

Reply handle_unpub_tracks(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const Result<std::vector<std::string>> ids = parse_track_ids(body);
    if (!ids) return Reply::refuse_tracks(kInvalidParameter, ids.error().what);
    remove_tracks(hub, caller, *ids, out);
    Reply reply;
    reply.fields["tracks"] = json::array();
    return reply;
}

Reply handle_pubpc_restart(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const std::optional<room::PeerConnection>& peer = caller.member.pubpc;
    if (!peer || peer->pcid != text_field(body, "pcid")) {
        return Reply::refuse(kPublishPeerGone, "publish connection is gone");
    }
    Reply reply;
    add_ice_json(reply.fields,
                 restart_ice(hub,
                             caller.entry,
                             peer->peer,
                             dtls::Role::kClient,
                             caller.presence.publish_policy,
                             out));
    return reply;
}

}  // namespace parley::signalling

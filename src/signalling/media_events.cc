#include "base/check.h"
#include "signalling/handlers.h"

namespace parley::signalling {
namespace json = boost::json;
namespace {

struct Found {
    Presence& presence;
    RoomEntry& entry;
    room::Member& member;
    std::optional<room::PeerConnection>& connection;
    bool publishes;
};

/// A worker may speak of a connection that was closed while its event was on the way.
std::optional<Found> find_peer(HubState& hub, PeerId peer) {
    const auto at = hub.peers.find(peer);
    if (at == hub.peers.end()) return std::nullopt;
    Presence* presence = hub.find_presence(at->second.member);
    PARLEY_CHECK(presence != nullptr);
    RoomEntry* entry = hub.find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    room::Member* member = entry->room.find(at->second.member);
    PARLEY_CHECK(member != nullptr);
    const bool publishes = at->second.publishes;
    return Found{*presence, *entry, *member, publishes ? member->pubpc : member->subpc, publishes};
}

}  // namespace

void handle_peer_connected(HubState& hub, const sfu::PeerConnected& event, Outputs& out) {
    std::optional<Found> found = find_peer(hub, event.peer);
    if (!found || !found->connection || found->connection->connected) return;
    found->connection->connected = true;
    hub.tell(found->member.id,
             found->publishes ? "on-pubpc-connected" : "on-subpc-connected",
             {{"pcid", found->connection->pcid}},
             out);
    if (found->publishes) hub.announce_added(found->entry, found->member, out);
}

void handle_peer_disconnected(HubState& hub, const sfu::PeerDisconnected& event, Outputs& out) {
    std::optional<Found> found = find_peer(hub, event.peer);
    if (!found) return;
    hub.peers.erase(event.peer);
    ++hub.counters.peers_failed;
    const room::MemberId id = found->member.id;
    const std::string pcid = found->connection ? found->connection->pcid : std::string();
    found->connection.reset();
    if (found->presence.media_session.is_valid()) {
        out.ended_media_sessions.push_back(found->presence.media_session);
        hub.leave(id, LeaveReason::kMediaLost, out);
        return;
    }
    if (found->publishes) {
        hub.announce_removed(found->entry, found->member, found->entry.room.unpublish_all(id), out);
    } else {
        found->member.subscriptions.clear();
    }
    if (!found->presence.session.is_valid()) {
        (found->publishes ? found->presence.lost_pubpc : found->presence.lost_subpc) = pcid;
        return;
    }
    hub.tell(id,
             found->publishes ? "on-pubpc-disconnected" : "on-subpc-disconnected",
             {{"pcid", pcid}},
             out);
}

void handle_layer_changed(HubState& hub, const sfu::LayerChanged& event, Outputs& out) {
    const std::optional<Found> found = find_peer(hub, event.peer);
    if (!found || found->publishes) return;
    const room::Track* track = found->entry.room.find_track(event.track);
    if (track == nullptr || !track->info.simulcast) return;
    if (!found->member.subscriptions.contains(track->id)) return;
    const std::string_view profile = profile_name(event.layer);
    hub.tell(
        found->member.id,
        "on-sub-profile-changed",
        {{"trackid", track->id}, {"profile", json::string_view(profile.data(), profile.size())}},
        out);
}

}  // namespace parley::signalling

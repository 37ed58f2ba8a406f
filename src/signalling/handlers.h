#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "signalling/access.h"
#include "signalling/hub_state.h"

/// What each message of a member does (protocol section 3). Each function changes the tables, tells
/// the others, and returns what the sender is answered with; the dispatcher in hub.cc sends that
/// exactly once, and only to a request that carries an rpcid.
namespace parley::signalling {

/// `auth` of a socket that has no member yet. Sends its own answer, because a ping and what the
/// member missed follow it at once.
void handle_auth(HubState& hub,
                 Session& session,
                 std::string_view rpcid,
                 const boost::json::object& body,
                 Outputs& out);

/// The same for a mini program: by room token the first time, by `rtmptoken` when it comes back.
void handle_mini_program_auth(
    HubState& hub, Session& session, std::string_view rpcid, AuthRequest request, Outputs& out);

// Parts that both have in common.
void refuse_join(HubState& hub,
                 const Session& session,
                 std::string_view rpcid,
                 int code,
                 std::string_view error,
                 Outputs& out);
/// From now on this session speaks for the member.
void seat(HubState& hub, Session& session, Presence& presence);
boost::json::array tracks_of_others(const RoomEntry& entry, room::MemberId member);
/// The others hear that a member that was away is back.
void tell_return(HubState& hub, const RoomEntry& entry, const room::Member& member, Outputs& out);
/// Custom messages numbered above `seen`.
void replay_messages(HubState& hub,
                     const RoomEntry& entry,
                     const room::Member& member,
                     std::int64_t seen,
                     Outputs& out);

/// A member just let in.
struct Joined {
    Presence* presence = nullptr;
    RoomEntry* entry = nullptr;
    room::Member* member = nullptr;
};
/// Lets a user into a room, made if need be, and tells the others; a member of the same user that
/// is there is told to leave, unless the app wants the newcomer refused. Codes: 10011, 10012,
/// 10022.
tl::expected<Joined, AccessRefusal> admit(HubState& hub,
                                          const room::RoomKey& key,
                                          const AppSettings& settings,
                                          room::NewMember info,
                                          Outputs& out);

// publish.cc
Reply handle_pubpc(HubState& hub, Caller& caller, const boost::json::object& body, Outputs& out);
Reply handle_pub_tracks(HubState& hub,
                        Caller& caller,
                        const boost::json::object& body,
                        Outputs& out);
Reply handle_unpub_tracks(HubState& hub,
                          Caller& caller,
                          const boost::json::object& body,
                          Outputs& out);
Reply handle_pubpc_restart(HubState& hub,
                           Caller& caller,
                           const boost::json::object& body,
                           Outputs& out);

// subscribe.cc
Reply handle_subpc(HubState& hub, Caller& caller, const boost::json::object& body, Outputs& out);
Reply handle_sub_tracks(HubState& hub,
                        Caller& caller,
                        const boost::json::object& body,
                        Outputs& out);
Reply handle_unsub_tracks(HubState& hub,
                          Caller& caller,
                          const boost::json::object& body,
                          Outputs& out);
Reply handle_subpc_restart(HubState& hub,
                           Caller& caller,
                           const boost::json::object& body,
                           Outputs& out);
Reply handle_set_sub_profile(HubState& hub,
                             Caller& caller,
                             const boost::json::object& body,
                             Outputs& out);

// company.cc
Reply handle_mute_tracks(HubState& hub,
                         Caller& caller,
                         const boost::json::object& body,
                         Outputs& out);
Reply handle_send_message(HubState& hub,
                          Caller& caller,
                          const boost::json::object& body,
                          Outputs& out);
Reply handle_send_qos(HubState& hub, Caller& caller, const boost::json::object& body, Outputs& out);
Reply handle_control(HubState& hub, Caller& caller, const boost::json::object& body, Outputs& out);
Reply handle_set_privileges(HubState& hub,
                            Caller& caller,
                            const boost::json::object& body,
                            Outputs& out);

// media_events.cc
void handle_peer_connected(HubState& hub, const sfu::PeerConnected& event, Outputs& out);
void handle_peer_disconnected(HubState& hub, const sfu::PeerDisconnected& event, Outputs& out);
void handle_layer_changed(HubState& hub, const sfu::LayerChanged& event, Outputs& out);

/// New ICE credentials for a peer connection of this member; its parameters for the answer.
PeerParameters restart_ice(HubState& hub,
                           const RoomEntry& entry,
                           PeerId peer,
                           dtls::Role role,
                           Policy policy,
                           Outputs& out);

/// Has the worker forward the track to this member's receive connection; fills the new
/// subscription's SSRCs.
void start_forwarding(HubState& hub,
                      const RoomEntry& entry,
                      const room::Member& subscriber,
                      PeerId peer,
                      const room::Track& track,
                      room::Subscription& subscription,
                      const CodecChoice& codec,
                      Outputs& out);

}  // namespace parley::signalling

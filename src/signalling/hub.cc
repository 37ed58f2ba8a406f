#include "signalling/hub.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/check.h"
#include "signalling/envelope.h"
#include "signalling/handlers.h"
#include "signalling/merge_job.h"

namespace parley::signalling {
namespace json = boost::json;
namespace {

/// Tokens cost a signature check each; nobody needs many tries on one socket.
constexpr std::uint32_t kMaxAuthAttempts = 8;
/// A web client closes one second after it was told.
constexpr Duration kDrainPatience = 3s;

using Handler = Reply (*)(HubState&, Caller&, const json::object&, Outputs&);

/// Jobs and cross-room relay are not there yet; `fields` are what their clients read beside the
/// code.
Reply refuse_job(HubState&, Caller&, const json::object& body, Outputs&) {
    Reply reply = Reply::refuse(kInvalidParameter, "not available yet");
    reply.fields["id"] = text_field(body, "id");
    return reply;
}
/// Read to the end, so that an app learns of its mistakes before there is an engine for its job.
Reply refuse_merge_job(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const Result<MergeJob> job = parse_merge_job(body);
    if (job) return refuse_job(hub, caller, body, out);
    return Reply::refuse(kInvalidParameter, std::string("invalid ") + job.error().what);
}
Reply refuse_relay(HubState&, Caller&, const json::object&, Outputs&) {
    Reply reply = Reply::refuse(kInvalidParameter, "not available yet");
    reply.fields["status"] = json::object();
    return reply;
}
Reply refuse_second_auth(HubState&, Caller&, const json::object&, Outputs&) {
    return Reply::refuse(kInvalidParameter, "authenticated already");
}

struct Entry {
    std::string_view name;
    Handler handler;
};
constexpr std::array<Entry, 24> kHandlers{{
    {"auth", refuse_second_auth},
    {"control", handle_control},
    {"create-forward-job", refuse_job},
    {"create-merge-job", refuse_merge_job},
    {"mute-tracks", handle_mute_tracks},
    {"pub-tracks", handle_pub_tracks},
    {"pubpc", handle_pubpc},
    {"pubpc-restart", handle_pubpc_restart},
    {"send-message", handle_send_message},
    {"send-qos-message", handle_send_qos},
    {"set-privileges", handle_set_privileges},
    {"set-sub-profile", handle_set_sub_profile},
    {"start-media-relay", refuse_relay},
    {"stop-forward", refuse_job},
    {"stop-media-relay", refuse_relay},
    {"stop-merge", refuse_job},
    {"sub-tracks", handle_sub_tracks},
    {"subpc", handle_subpc},
    {"subpc-restart", handle_subpc_restart},
    {"unpub-tracks", handle_unpub_tracks},
    {"unsub-tracks", handle_unsub_tracks},
    {"update-media-relay", refuse_relay},
    {"update-merge-tracks", refuse_job},
    {"update-forward-job", refuse_job},
}};

Handler find_handler(std::string_view name) {
    const auto at = std::find_if(
        kHandlers.begin(), kHandlers.end(), [&](const Entry& entry) { return entry.name == name; });
    return at == kHandlers.end() ? nullptr : at->handler;
}

/// These speak of WebRTC, which mini programs have not (protocol appendix B).
bool needs_peer_connection(Handler handler) {
    constexpr std::array<Handler, 9> kHandlersOfWebRtc{handle_pub_tracks,
                                                       handle_pubpc,
                                                       handle_pubpc_restart,
                                                       handle_set_sub_profile,
                                                       handle_sub_tracks,
                                                       handle_subpc,
                                                       handle_subpc_restart,
                                                       handle_unpub_tracks,
                                                       handle_unsub_tracks};
    return std::find(kHandlersOfWebRtc.begin(), kHandlersOfWebRtc.end(), handler) !=
           kHandlersOfWebRtc.end();
}

void answer(HubState& hub,
            SessionId session,
            std::string_view name,
            std::string_view rpcid,
            Reply reply,
            Outputs& out) {
    // No request, no answer; an empty rpcid cannot be matched by the client (protocol section 2.2).
    if (rpcid.empty()) return;
    json::object body = std::move(reply.fields);
    body["rpcid"] = json::string_view(rpcid.data(), rpcid.size());
    body["code"] = reply.code;
    body["error"] = reply.error;
    hub.send(session, std::string(name) + "-res", body, out);
}

void handle_member_text(HubState& hub, Session& session, const Envelope& message, Outputs& out) {
    Presence* presence = hub.find_presence(session.member);
    PARLEY_CHECK(presence != nullptr);
    RoomEntry* entry = hub.find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    room::Member* member = entry->room.find(session.member);
    PARLEY_CHECK(member != nullptr);

    if (message.name == "pong") {
        session.last_pong = hub.now();
        return;
    }
    if (message.name == "disconnect") {
        const room::MemberId id = session.member;
        hub.end_session(session);
        hub.leave(id, LeaveReason::kLeft, out);
        return;
    }
    const std::string rpcid = text_field(message.body, "rpcid");
    const SessionId id = session.id;
    const Handler handler = find_handler(message.name);
    Reply reply = Reply::refuse(kInvalidParameter, "unknown request");
    if (handler != nullptr && needs_peer_connection(handler) && !presence->rtmptoken.empty()) {
        reply = Reply::refuse_tracks(kInvalidParameter, "mini programs use RTMP");
    } else if (handler != nullptr) {
        Caller caller{session, *presence, *entry, *member};
        reply = handler(hub, caller, message.body, out);
    }
    answer(hub, id, message.name, rpcid, std::move(reply), out);
}

void handle_new_text(HubState& hub, Session& session, const Envelope& message, Outputs& out) {
    if (message.name == "pong") return;
    const std::string rpcid = text_field(message.body, "rpcid");
    if (message.name != "auth") {
        answer(hub,
               session.id,
               message.name,
               rpcid,
               Reply::refuse(kTokenWrong, "authenticate first"),
               out);
        return;
    }
    // A mini program's join hangs for ever without an answer (quirk M2). A web client's would be
    // ended by a refusal (quirk Q9): not a word to it, and it waits until this process ends.
    const Result<AuthRequest> request = parse_auth(message.body);
    const auto refuse_mini_program = [&](int code, std::string_view error) {
        if (request && request->is_mini_program) {
            answer(hub, session.id, "auth", rpcid, Reply::refuse(code, error), out);
            return true;
        }
        return false;
    };
    if (hub.draining) {
        if (refuse_mini_program(kServerUnavailable, "server is going away")) {
            hub.close_session(session.id, kCloseGoingAway, out);
        }
        return;
    }
    if (++session.auth_attempts > kMaxAuthAttempts) {
        refuse_mini_program(kTokenWrong, "too many attempts");
        return hub.close_session(session.id, kClosePolicy, out);
    }
    handle_auth(hub, session, rpcid, message.body, out);
}

void handle_session_timeout(HubState& hub, Session& session, Outputs& out) {
    switch (session.state) {
        case Session::State::kNew:
            ++hub.counters.auth_timeouts;
            return hub.close_session(
                session.id, hub.draining ? kCloseGoingAway : kClosePolicy, out);
        case Session::State::kEnding:
            return hub.close_session(
                session.id, hub.draining ? kCloseGoingAway : kClosePolicy, out);
        case Session::State::kMember:
            break;
    }
    if (hub.draining && hub.now() >= hub.drain_patience_ends) {
        return hub.close_session(session.id, kCloseGoingAway, out);
    }
    if (hub.now() - session.last_pong >= hub.config.pong_timeout) {
        ++hub.counters.pong_timeouts;
        return hub.close_session(session.id, kCloseGoingAway, out);
    }
    if (hub.now() < session.next_ping) return hub.watch_pongs(session);
    hub.send(session.id, "ping", {}, out);
    hub.schedule_ping(session);
}

}  // namespace

Hub::Hub(const HubConfig& config,
         Rng rng,
         SecretSource& secrets,
         const AppLookup& apps,
         std::string access_key,
         std::vector<sfu::WorkerInfo> workers,
         const dtls::Fingerprint& local_fingerprint,
         Instant now,
         WallTime wall)
    : state_(std::make_unique<HubState>(config,
                                        rng,
                                        secrets,
                                        apps,
                                        std::move(access_key),
                                        std::move(workers),
                                        local_fingerprint,
                                        now,
                                        wall)) {}

Hub::~Hub() = default;

void Hub::handle_open(Instant now, SessionId id, const ConnectionInfo& info, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    if (hub.sessions.size() >= hub.config.max_sessions) {
        out.closes.push_back({id, static_cast<std::uint16_t>(kCloseTryAgain)});
        return;
    }
    Session session;
    session.id = id;
    session.info = info;
    if (!hub.sessions.emplace(id, std::move(session)).second) return;
    hub.deadlines.set({DeadlineQueue::Kind::kSession, id.value},
                      hub.now() + hub.config.auth_timeout);
}

void Hub::handle_text(
    Instant now, WallTime wall, SessionId id, std::string_view text, Outputs& out) {
    HubState& hub = *state_;
    hub.set_wall(now, wall);
    Session* session = hub.find_session(id);
    if (session == nullptr) return;
    ++hub.counters.messages_in;
    if (!session->requests.allow(hub.now(), hub.config.max_requests_per_second)) {
        ++hub.counters.rate_limited;
        return hub.close_session(id, kClosePolicy, out);
    }
    if (text.size() > hub.config.max_message_bytes) {
        ++hub.counters.malformed;
        return hub.close_session(id, kClosePolicy, out);
    }
    const Result<Envelope> message = parse_envelope(text, hub.config.max_json_depth);
    if (!message) {
        ++hub.counters.malformed;
        return hub.close_session(id, kClosePolicy, out);
    }
    switch (session->state) {
        case Session::State::kNew:
            return handle_new_text(hub, *session, *message, out);
        case Session::State::kMember:
            return handle_member_text(hub, *session, *message, out);
        case Session::State::kEnding:
            // Even now a request must not hang the application that made it.
            return answer(hub,
                          id,
                          message->name,
                          text_field(message->body, "rpcid"),
                          Reply::refuse(kNoPermission, "the session has ended"),
                          out);
    }
}

void Hub::handle_binary(Instant now, SessionId id, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    if (hub.find_session(id) == nullptr) return;
    ++hub.counters.malformed;
    hub.close_session(id, kClosePolicy, out);
}

void Hub::handle_closed(Instant now, SessionId id, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    hub.forget_session(id, out);
}

void Hub::handle_backlog(Instant now, SessionId id, std::size_t pending, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    if (pending <= hub.config.max_pending_texts || hub.find_session(id) == nullptr) return;
    ++hub.counters.slow_consumers;
    hub.close_session(id, kCloseTryAgain, out);
}

void Hub::handle_media_event(Instant now,
                             WorkerId worker,
                             const sfu::MediaEvent& event,
                             Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    if (const auto* connected = std::get_if<sfu::PeerConnected>(&event)) {
        if (hub.owns(worker, connected->peer)) handle_peer_connected(hub, *connected, out);
    } else if (const auto* disconnected = std::get_if<sfu::PeerDisconnected>(&event)) {
        if (hub.owns(worker, disconnected->peer)) handle_peer_disconnected(hub, *disconnected, out);
    } else if (const auto* layer = std::get_if<sfu::LayerChanged>(&event)) {
        if (hub.owns(worker, layer->peer)) handle_layer_changed(hub, *layer, out);
    }
}

void Hub::handle_timeout(Instant now, WallTime wall, Outputs& out) {
    HubState& hub = *state_;
    hub.set_wall(now, wall);
    while (const std::optional<DeadlineQueue::Key> due = hub.deadlines.take_expired(hub.now())) {
        switch (due->kind) {
            case DeadlineQueue::Kind::kSession:
                if (Session* session = hub.find_session(SessionId(due->id))) {
                    handle_session_timeout(hub, *session, out);
                }
                break;
            case DeadlineQueue::Kind::kMember:
                ++hub.counters.grace_expired;
                hub.leave(room::MemberId(due->id), LeaveReason::kTimeout, out);
                break;
            case DeadlineQueue::Kind::kRoom:
                if (RoomEntry* entry = hub.find_room(RoomId(due->id))) {
                    if (entry->room.empty()) hub.erase_room(*entry, out);
                }
                break;
        }
    }
}

std::optional<Instant> Hub::next_deadline() const { return state_->deadlines.next(); }

void Hub::begin_drain(Instant now, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    if (hub.draining) return;
    hub.draining = true;
    hub.drain_patience_ends = hub.now() + kDrainPatience;
    std::vector<SessionId> mini_programs;
    for (auto& [id, session] : hub.sessions) {
        if (session.state != Session::State::kMember) continue;
        const Presence* presence = hub.find_presence(session.member);
        PARLEY_CHECK(presence != nullptr);
        if (!presence->rtmptoken.empty()) {
            mini_programs.push_back(id);
            continue;
        }
        hub.deadlines.set({DeadlineQueue::Kind::kSession, id.value}, hub.drain_patience_ends);
        hub.send(id,
                 "disconnect",
                 {{"code", int{kServerUnavailable}}, {"error", "server is going away"}},
                 out);
    }
    for (const SessionId id : mini_programs) hub.close_session(id, kCloseGoingAway, out);
}

bool Hub::is_draining() const { return state_->draining; }

bool Hub::is_drained() const {
    return state_->draining &&
           std::none_of(state_->sessions.begin(), state_->sessions.end(), [](const auto& entry) {
               return entry.second.state == Session::State::kMember;
           });
}

void Hub::finish_drain(Instant now, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    while (!hub.sessions.empty()) {
        hub.close_session(hub.sessions.begin()->first, kCloseGoingAway, out);
    }
}

}  // namespace parley::signalling

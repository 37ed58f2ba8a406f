#include "server/stream_port.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "io/client_hello.h"
#include "io/tcp_socket.h"
#include "rtmp/stream_parameters.h"
#include "server/log.h"

namespace parley::server {
namespace {

constexpr int kMaxAccepts = 64;
constexpr Duration kSweep = 100ms;
constexpr std::size_t kMaxWriteViews = 48;

/// A connection that sends 64 KiB of empty messages: what each costs until it has been handled.
constexpr std::size_t kEventBurst = rtmp::kReadBudget / 12 * (sizeof(rtmp::Event) + 96);
/// Objects, names, TLS.
constexpr std::size_t kRest = 96 * 1024;
// Of a publisher: unfinished messages and one that is handled, the cached pictures with that one.
static_assert(rtmp::kMaxAssembly + convert::GopCache::Config{}.max_bytes + kRest <=
              rtmp::kMaxAuthenticatedMemory);
static_assert((rtmp::kMaxAssembly - rtmp::kMaxMessage + rtmp::kReadBudget) + rtmp::kMaxMessage +
                  kEventBurst + convert::GopCache::Config{}.max_bytes + kRest <=
              rtmp::kMaxAuthenticatedMemory);
// Of a player: what waits, here and in the connection, and what it says itself.
static_assert(convert::PlayerQueue::Config{}.max_bytes + rtmp::kMaxPlayerAssembly +
                  rtmp::kReadBudget + kRest <=
              rtmp::kMaxAuthenticatedMemory);

std::string_view refusal_code(bool publishes, Errc why) {
    if (publishes) return why == Errc::kForbidden ? rtmp::kPublishDenied : rtmp::kPublishBadName;
    return why == Errc::kNotFound ? rtmp::kPlayStreamNotFound : rtmp::kPlayFailed;
}

}  // namespace

signalling::StreamAddress to_address(rtmp::StreamParameters parameters) {
    signalling::StreamAddress address;
    address.mix = parameters.other("mix");
    address.rtmptoken = std::move(parameters.rtmp_token);
    address.playerid = std::move(parameters.player_id);
    address.trackids = std::move(parameters.track_ids);
    return address;
}

StreamPort::StreamPort(
    int epoll_fd, WorkerId worker, gateway::Gateway& gateway, Rng rng, Notify notify)
    : epoll_fd_(epoll_fd),
      worker_(worker),
      gateway_(gateway),
      rng_(rng),
      notify_(std::move(notify)) {
    buffer_.resize(rtmp::kReadBudget);
}

StreamPort::~StreamPort() = default;

bool StreamPort::watch_listener(int listener, StreamConnection::Tls tls) {
    const bool plain = tls == StreamConnection::Tls::kNone;
    (plain ? plain_listener_ : tls_listener_) = listener;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    event.data.u64 = kKeyFlag | (plain ? kListenerId : kTlsListenerId);
    return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listener, &event) == 0;
}

void StreamPort::accept_all(Instant now, StreamConnection::Tls tls) {
    const int listener = tls == StreamConnection::Tls::kNone ? plain_listener_ : tls_listener_;
    for (int i = 0; i < kMaxAccepts; ++i) {
        auto accepted = io::accept_tcp(listener);
        if (!accepted) return;
        if (connections_.size() >= kMaxConnections) {
            ++counters_.refused_full;
            continue;
        }
        ++counters_.accepted;
        add(std::make_shared<StreamConnection>(
            std::move(accepted->fd), tls, Rng(rng_.next_u64()), now));
        sweep_soon(now);
    }
}

StreamPort::Id StreamPort::add(std::shared_ptr<StreamConnection> connection) {
    const Id id = ++last_id_;
    epoll_event event{};
    event.events = connection->watched = EPOLLIN;
    event.data.u64 = kKeyFlag | id;
    if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, connection->fd.get(), &event) != 0) return 0;
    connections_.emplace(id, std::move(connection));
    return id;
}

void StreamPort::watch(StreamConnection& connection, Id id) {
    const bool open = !connection.core || connection.core->read_budget() > 0;
    bool reads =
        open && !connection.closing_since && !connection.input_ended && !connection.waits_for_place;
    bool writes = !connection.out.send.empty() && !connection.handshake_due;
    if (connection.reads_after_write) {
        reads = false;
        writes = true;
    }
    const std::uint32_t wanted = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
    if (wanted == connection.watched) return;
    epoll_event event{};
    event.events = connection.watched = wanted;
    event.data.u64 = kKeyFlag | id;
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd.get(), &event);
}

void StreamPort::handle_event(Instant now,
                              std::uint64_t key,
                              std::uint32_t events,
                              sfu::NodeOutputs& out) {
    const Id id = key & ~kKeyFlag;
    if (id == kListenerId) return accept_all(now, StreamConnection::Tls::kNone);
    if (id == kTlsListenerId) return accept_all(now, StreamConnection::Tls::kExpected);
    const auto at = connections_.find(id);
    if (at == connections_.end()) return;
    const std::shared_ptr<StreamConnection> connection = at->second;
    const bool retry = std::exchange(connection->reads_after_write, false);
    if ((events & EPOLLOUT) != 0) {
        feed_player(now, *connection);
        if (!flush(now, id)) return;
    }
    const bool reads = retry && !connection->closing_since;
    if (reads || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(now, id, out);
}

void StreamPort::read(Instant now, Id id, sfu::NodeOutputs& out) {
    const std::shared_ptr<StreamConnection> connection = connections_.at(id);
    // The poller knows nothing of bytes that TLS holds: at most a record, so this ends.
    while (read_once(now, id, out) && connection->has_pending()) {
    }
}

bool StreamPort::begin_tls(Instant now, Id id, StreamConnection& connection) {
    const io::HelloState hello = io::look_for_client_hello(connection.fd.get());
    if (hello == io::HelloState::kWaiting) return false;
    if (hello == io::HelloState::kRefused || !tls_) {
        ++counters_.tls_failed;
        drop(id);
        return false;
    }
    if (tls_places_ >= kMaxTlsPlaces || tls_starts_ >= kMaxTlsStarts) {
        if (!std::exchange(connection.waits_for_place, true)) waiting_for_place_.push_back(id);
        watch(connection, id);
        return false;
    }
    connection.tls = io::TlsSession::accept(*tls_, connection.fd.get());
    if (!connection.tls) {
        drop(id);
        return false;
    }
    connection.waits_for_place = false;
    connection.placed_at = now;
    ++tls_places_;
    ++tls_starts_;
    return true;
}

void StreamPort::leave_tls_place(StreamConnection& connection) {
    if (!connection.placed_at) return;
    connection.placed_at.reset();
    --tls_places_;
}

void StreamPort::give_tls_places(Instant now, sfu::NodeOutputs& out) {
    std::erase_if(waiting_for_place_, [this](Id id) { return !connections_.contains(id); });
    if (waiting_for_place_.empty()) return;
    std::vector<Id> slow;
    for (const auto& [id, connection] : connections_) {
        if (connection->placed_at && now - *connection->placed_at >= kTlsPlaceTime) {
            slow.push_back(id);
        }
    }
    for (const Id id : slow) {
        ++counters_.tls_failed;
        drop(id);
    }
    while (tls_places_ < kMaxTlsPlaces && tls_starts_ < kMaxTlsStarts &&
           !waiting_for_place_.empty()) {
        const Id id = waiting_for_place_.back();
        waiting_for_place_.pop_back();
        connections_.at(id)->waits_for_place = false;
        read(now, id, out);
    }
}

bool StreamPort::shake_hands(Instant now, Id id, StreamConnection& connection) {
    if (!connection.tls && !begin_tls(now, id, connection)) return false;
    const io::IoState state = connection.tls->handshake();
    if (state == io::IoState::kDone) {
        connection.handshake_due = false;
    } else if (state == io::IoState::kBlocked) {
        connection.reads_after_write = connection.tls->waits_for_write();
    } else {
        ++counters_.tls_failed;
        drop(id);
        return false;
    }
    watch(connection, id);
    return state == io::IoState::kDone;
}

bool StreamPort::read_once(Instant now, Id id, sfu::NodeOutputs& out) {
    const std::shared_ptr<StreamConnection> connection = connections_.at(id);
    StreamConnection& c = *connection;
    const std::size_t wanted = c.core ? c.core->read_budget() : buffer_.size();
    const std::size_t budget = std::min(wanted, buffer_.size());
    if (budget == 0 || c.closing_since || c.input_ended || c.waits_for_place) {
        // Nothing is read here, so only the end of the connection can have woken us.
        drop(id);
        return false;
    }
    if (c.handshake_due && !shake_hands(now, id, c)) return false;
    const io::IoResult got = c.read(MutableByteView(buffer_.data(), budget));
    if (got.state == io::IoState::kBlocked) {
        c.reads_after_write = c.tls && c.tls->waits_for_write();
        watch(c, id);
        return false;
    }
    if (got.state == io::IoState::kEnded && !c.core && c.handle_flv_end_of_input()) {
        watch(c, id);
        return false;
    }
    if (got.state != io::IoState::kDone) {
        drop(id);
        return false;
    }
    counters_.bytes_in += got.bytes;
    c.traffic.bytes_in += got.bytes;
    const ByteView bytes(buffer_.data(), got.bytes);
    if (c.core) {
        c.core->handle_bytes(now, bytes, c.out);
        if (!process(now, id, out)) return false;
    } else if (!c.handle_flv_input(bytes)) {
        stop_stream(c, true);
        c.closing_since = now;
    }
    const bool open = !c.closing_since && (!c.core || c.core->read_budget() > 0);
    return flush(now, id) && open;
}

bool StreamPort::process(Instant now, Id id, sfu::NodeOutputs& out) {
    const std::shared_ptr<StreamConnection> connection = connections_.at(id);
    StreamConnection& c = *connection;
    std::vector<rtmp::Event> events;
    // Answers to a request may make more.
    while (!c.out.events.empty()) {
        events.clear();
        std::swap(events, c.out.events);
        for (rtmp::Event& event : events) {
            if (const auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
                if (c.publishes && media->stream == c.wire_stream) {
                    gateway_.handle_message(now, c.stream, media->message, out, outputs_);
                }
            } else if (const auto* publish = std::get_if<rtmp::PublishRequested>(&event)) {
                ask(id,
                    publish->stream,
                    true,
                    publish->app,
                    publish->tc_url,
                    publish->stream_name,
                    now);
            } else if (const auto* play = std::get_if<rtmp::PlayRequested>(&event)) {
                ask(id, play->stream, false, play->app, play->tc_url, play->stream_name, now);
            } else if (const auto* gone = std::get_if<rtmp::Unpublished>(&event)) {
                if (gone->stream == c.wire_stream) stop_stream(c, true);
            } else if (const auto* stopped = std::get_if<rtmp::PlayStopped>(&event)) {
                if (stopped->stream == c.wire_stream) stop_stream(c, true);
            } else if (const auto* paused = std::get_if<rtmp::Paused>(&event)) {
                if (c.plays && !paused->on) gateway_.handle_resume(now, c.stream);
            } else if (const auto* receive = std::get_if<rtmp::ReceiveChanged>(&event)) {
                if (c.plays && receive->video) gateway_.handle_resume(now, c.stream);
            } else if (const auto* closed = std::get_if<rtmp::Closed>(&event)) {
                if (closed->reason == rtmp::CloseReason::kHandshakeTimeout) ++counters_.timed_out;
                if (closed->reason == rtmp::CloseReason::kMalformed ||
                    closed->reason == rtmp::CloseReason::kTooLarge) {
                    ++counters_.malformed;
                }
                stop_stream(c, true);
                c.closing_since = now;
            }
            if (!connections_.contains(id)) return false;
        }
    }
    return true;
}

void StreamPort::ask(Id id,
                     rtmp::MessageStreamId wire_stream,
                     bool publishes,
                     std::string_view app,
                     std::string_view tc_url,
                     std::string_view name,
                     Instant now) {
    const std::shared_ptr<StreamConnection> connection = connections_.at(id);
    rtmp::StreamParameters parameters = rtmp::parse_stream_parameters(app, tc_url, name);
    if (connection->stream.is_valid() || !parameters.has_token()) {
        ++counters_.rejected;
        const bool second = connection->stream.is_valid();
        connection->core->reject(
            now,
            wire_stream,
            refusal_code(publishes, second ? Errc::kForbidden : Errc::kNotFound),
            second ? "one stream for each connection" : "rtmptoken is missing",
            connection->out);
        return;
    }
    // What was said so far goes out first; nothing more is said until control has answered.
    if (!flush(now, id)) return;
    StreamQuestion question;
    question.stream = StreamId(std::uint64_t{worker_.value} << 48 | ++last_stream_);
    question.publishes = publishes;
    question.low = parameters.other("profile") == "low";
    question.address = to_address(std::move(parameters));
    connection->wire_stream = wire_stream;
    connection->stream = question.stream;
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, connection->fd.get(), nullptr);
    connections_.erase(id);
    leave_tls_place(*connection);
    question.connection = connection;
    notify_(std::move(question));
}

void StreamPort::handle_verdict(Instant now,
                                NtpTime ntp,
                                StreamVerdict verdict,
                                sfu::NodeOutputs& out) {
    StreamConnection& c = *verdict.connection;
    const StreamId stream = verdict.stream;
    const bool is_full = !c.core && connections_.size() >= kMaxConnections;
    const Id id = add(verdict.connection);
    if (id == 0) {
        if (verdict.granted) notify_(StreamClosed{stream});
        return;
    }
    sweep_soon(now);
    if (verdict.granted && !verdict.publishes) {
        const Result<void> started =
            is_full ? Result<void>(fail(Errc::kBusy, "too many connections"))
                    : gateway_.start_play(now,
                                          stream,
                                          verdict.tracks,
                                          outputs_,
                                          verdict.room_sound ? &*verdict.room_sound : nullptr);
        if (!started) {
            verdict.granted = false;
            verdict.reason = started.error().what;
            verdict.why = started.error().code;
            notify_(StreamClosed{stream});
        }
    }
    if (is_full) ++counters_.refused_full;
    if (!verdict.granted) {
        ++counters_.rejected;
        c.stream = {};
        log_debug("stream refused", {{"stream", stream.value}, {"reason", verdict.reason}});
        refuse(now, c, verdict);
    } else {
        report_last(c);
        c.stream = stream;
        c.owner = std::move(verdict.owner);
        c.dropped_before = 0;
        by_stream_[stream] = id;
        c.publishes = verdict.publishes;
        c.plays = !verdict.publishes;
        log_info(verdict.publishes ? "stream publishes" : "stream plays",
                 {{"stream", stream.value}, {"room", verdict.room}});
        if (verdict.publishes) {
            gateway_.start_publish(now, ntp, stream);
            c.core->accept_publish(now, c.wire_stream, c.out);
        } else {
            if (c.core) {
                c.core->accept_play(now, c.wire_stream, c.out);
            } else {
                const auto has = [&verdict](sfu::MediaKind kind) {
                    return std::any_of(
                        verdict.tracks.begin(),
                        verdict.tracks.end(),
                        [kind](const gateway::PlayTrack& track) { return track.kind == kind; });
                };
                c.begin_flv(verdict.room_sound || has(sfu::MediaKind::kAudio),
                            has(sfu::MediaKind::kVideo));
            }
            feed_player(now, c);
        }
    }
    const bool there = process(now, id, out) && flush(now, id);
    // What came with the request may wait in TLS.
    if (there && !c.closing_since && c.has_pending()) read(now, id, out);
}

void StreamPort::refuse(Instant now, StreamConnection& connection, const StreamVerdict& verdict) {
    if (connection.core) {
        const std::string_view code = refusal_code(verdict.publishes, verdict.why);
        connection.core->reject(now, connection.wire_stream, code, verdict.reason, connection.out);
        return;
    }
    connection.refuse_flv(verdict.why, verdict.reason);
    connection.closing_since = now;
}

void StreamPort::handle_ended(Instant now, const StreamEnded& ended) {
    const auto at = by_stream_.find(ended.stream);
    if (at == by_stream_.end()) return;
    const Id id = at->second;
    const std::shared_ptr<StreamConnection> connection = connections_.at(id);
    StreamConnection& c = *connection;
    const bool published = c.publishes;
    const rtmp::MessageStreamId wire_stream = c.wire_stream;
    log_info("stream ended", {{"stream", ended.stream.value}, {"reason", ended.reason}});
    stop_stream(c, false);
    if (published) {
        c.core->end_publish(now, wire_stream, rtmp::kPublishBadName, ended.reason, c.out);
    } else if (c.core) {
        c.core->end_play(now, wire_stream, "", ended.reason, c.out);
        c.core->close(now, rtmp::CloseReason::kLocal, c.out);
    } else {
        c.end_flv(ended.reason);
    }
    c.out.events.clear();
    c.closing_since = now;
    (void)flush(now, id);
}

void StreamPort::stop_stream(StreamConnection& connection, bool tell) {
    if (!connection.stream.is_valid()) return;
    const StreamId stream = std::exchange(connection.stream, StreamId{});
    if (connection.publishes) gateway_.stop_publish(stream);
    if (connection.plays) gateway_.stop_play(stream);
    connection.publishes = connection.plays = false;
    by_stream_.erase(stream);
    if (tell) notify_(StreamClosed{stream});
}

void StreamPort::drop(Id id) {
    const auto at = connections_.find(id);
    if (at == connections_.end()) return;
    StreamConnection& connection = *at->second;
    report_last(connection);
    stop_stream(connection, true);
    leave_tls_place(connection);
    connection.close_transport();
    connections_.erase(at);
}

void StreamPort::feed_player(Instant now, StreamConnection& connection) {
    if (!connection.plays) return;
    std::size_t unsent = connection.out.send.memory_bytes();
    while (connection.out.send.size_bytes() < kMaxUnsent) {
        const auto message = gateway_.take(now, connection.stream, unsent);
        if (!message) return;
        unsent += message->message.bytes().size();
        connection.played.handle_message(now, message->message);
        if (message->arrived_at != Instant{}) {
            counters_.player_delay.add(static_cast<std::uint64_t>(
                std::max<std::int64_t>(to_us(now - message->arrived_at), 0)));
        }
        if (connection.core) {
            connection.core->send_media(
                connection.wire_stream, message->message, message->timestamp_ms, connection.out);
        } else {
            connection.write_flv(message->message, message->timestamp_ms);
        }
    }
}

bool StreamPort::flush(Instant now, Id id) {
    const std::shared_ptr<StreamConnection> connection = connections_.at(id);
    StreamConnection& c = *connection;
    while (!c.out.send.empty()) {
        std::array<ByteView, kMaxWriteViews> views;
        const std::size_t count = c.out.send.views(views);
        const io::IoResult sent = c.write(std::span<const ByteView>(views.data(), count));
        if (sent.state == io::IoState::kClosed) {
            drop(id);
            return false;
        }
        if (sent.state == io::IoState::kBlocked) break;
        counters_.bytes_out += sent.bytes;
        c.traffic.bytes_out += sent.bytes;
        c.out.send.consume(sent.bytes);
        if (c.out.send.empty()) feed_player(now, c);
    }
    if (c.closing_since && c.out.send.empty()) {
        drop(id);
        return false;
    }
    watch(c, id);
    return true;
}

void StreamPort::report(StreamConnection& connection, std::vector<sfu::PeerReport>& out) const {
    if (!connection.owner) return;
    sfu::PeerReport one;
    one.owner = connection.owner;
    one.usage.traffic = std::exchange(connection.traffic, {});
    connection.played.move_to(one.usage.subscribed);
    if (connection.plays) {
        if (const auto player = gateway_.view_player(connection.stream)) {
            one.quality.queue = player->waiting;
            one.quality.dropped =
                static_cast<std::uint32_t>(player->dropped_frames - connection.dropped_before);
            connection.dropped_before = player->dropped_frames;
        }
    }
    // A player that takes nothing has nothing to bill, and everything to tell.
    if (!one.usage.is_empty() || one.quality.queue) out.push_back(std::move(one));
}

void StreamPort::report_last(StreamConnection& connection) {
    if (last_reports_.size() < kMaxLastReports) report(connection, last_reports_);
}

void StreamPort::take_reports(std::vector<sfu::PeerReport>& out) {
    std::move(last_reports_.begin(), last_reports_.end(), std::back_inserter(out));
    last_reports_.clear();
    for (const auto& [id, connection] : connections_) report(*connection, out);
}

void StreamPort::handle_gateway(Instant now, gateway::GatewayOutputs& outputs) {
    for (gateway::FoundTracks& found : outputs.found) {
        notify_(StreamTracksFound{found.stream, std::move(found.kinds)});
    }
    outputs.found.clear();
    std::sort(outputs.woken.begin(), outputs.woken.end());
    outputs.woken.erase(std::unique(outputs.woken.begin(), outputs.woken.end()),
                        outputs.woken.end());
    for (const StreamId stream : outputs.woken) {
        const auto at = by_stream_.find(stream);
        if (at == by_stream_.end()) continue;
        const Id id = at->second;
        feed_player(now, *connections_.at(id));
        (void)flush(now, id);
    }
    outputs.woken.clear();
    for (const gateway::StreamWarning& warning : outputs.warnings) {
        const auto at = by_stream_.find(warning.stream);
        if (at == by_stream_.end()) continue;
        log_warn("stream goes on", {{"stream", warning.stream.value}, {"but", warning.text}});
        const Id id = at->second;
        StreamConnection& c = *connections_.at(id);
        if (c.core) c.core->warn(now, c.wire_stream, warning.text, c.out);
        (void)flush(now, id);
    }
    outputs.warnings.clear();
    const std::vector<gateway::StreamFailed> failed = std::move(outputs.failed);
    outputs.failed.clear();
    for (const gateway::StreamFailed& one : failed) {
        handle_ended(now, {one.stream, one.reason});
        notify_(StreamClosed{one.stream});
    }
}

void StreamPort::handle_timeout(Instant now, sfu::NodeOutputs& out) {
    if (!next_sweep_ || now < *next_sweep_) return;
    next_sweep_.reset();
    tls_starts_ = 0;
    std::vector<Id> due;
    for (const auto& [id, connection] : connections_) {
        const auto deadline =
            connection->core ? connection->core->next_deadline() : std::optional<Instant>();
        const bool lingers =
            connection->closing_since && now - *connection->closing_since >= kCloseLinger;
        if (lingers || (deadline && *deadline <= now)) due.push_back(id);
    }
    for (const Id id : due) {
        const std::shared_ptr<StreamConnection> connection = connections_.at(id);
        if (connection->closing_since && now - *connection->closing_since >= kCloseLinger) {
            drop(id);
            continue;
        }
        connection->core->handle_timeout(now, connection->out);
        if (process(now, id, out)) (void)flush(now, id);
    }
    give_tls_places(now, out);
    if (!connections_.empty()) sweep_soon(now);
}

void StreamPort::sweep_soon(Instant now) {
    if (!next_sweep_) next_sweep_ = now + kSweep;
}

StreamPortCounters StreamPort::counters() const {
    StreamPortCounters out = counters_;
    out.connections = connections_.size();
    out.gateway = gateway_.counters();
    return out;
}

}  // namespace parley::server

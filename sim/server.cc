#include "sim/server.h"

#include <algorithm>
#include <utility>

#include "auth/room_token.h"
#include "dtls/fake_endpoint.h"

namespace parley::sim {
namespace {

/// How long a mailbox or a poll may take.
constexpr std::uint64_t kTurnDelayUs = 300;

class OneApp final : public signalling::AppLookup, public auth::KeyLookup {
public:
    [[nodiscard]] const auth::KeyLookup* keys() const override { return this; }
    [[nodiscard]] std::optional<std::string> secret_key(
        std::string_view access_key) const override {
        if (access_key != Server::kAppKey) return std::nullopt;
        return std::string(Server::kAppSecret);
    }
    [[nodiscard]] bool owns_app(std::string_view, std::string_view app_id) const override {
        return app_id == "app";
    }
    [[nodiscard]] std::optional<signalling::AppSettings> find(
        std::string_view app_id) const override {
        if (app_id != "app") return std::nullopt;
        return signalling::AppSettings{};
    }
};

}  // namespace

std::uint8_t* Server::Sink::reserve(std::size_t size) {
    memory_.resize(size);
    return memory_.data();
}

void Server::Sink::commit(const Path& to, std::size_t size, std::size_t segment_size, Instant) {
    for (std::size_t at = 0; at < size; at += segment_size) {
        host_.send_datagram(
            worker_, to, ByteView(memory_.data() + at, std::min(segment_size, size - at)));
    }
}

Server::Server(const Config& config, ServerHost& host, Checker& checker, Instant now)
    : host_(host),
      checker_(checker),
      rng_(config.seed),
      clock_(config.clock),
      wall_start_(config.wall_start),
      secrets_(rng_.next_u64()),
      dtls_(dtls::create_fake_factory(rng_.next_u64())),
      apps_(std::make_unique<OneApp>()),
      streams_(Rng(config.seed ^ 0x57'12ea'5000), stream_control()) {
    std::vector<sfu::WorkerInfo> infos;
    for (std::size_t i = 0; i < config.workers; ++i) {
        workers_.push_back(std::make_unique<Worker>(i, host, *dtls_, rng_.fork()));
        streams_.add_worker(workers_.back()->node, workers_.back()->pool);
        const SocketAddress address{IpAddress::v4(0xcb007101),
                                    static_cast<std::uint16_t>(kFirstPort + i)};
        infos.push_back(
            {WorkerId(static_cast<std::uint16_t>(i + 1)), {{address, false}, {address, true}}});
    }
    hub_ = std::make_unique<signalling::Hub>(config.hub,
                                             rng_.fork(),
                                             secrets_,
                                             *apps_,
                                             std::string(kAccessKey),
                                             std::move(infos),
                                             dtls_->local_fingerprint(),
                                             clock_.local(now),
                                             wall(now));
}

void Server::plan_turn(Worker& worker, Instant now) {
    if (worker.turn_at) return;
    worker.turn_at = now + std::chrono::microseconds(20 + rng_.below(kTurnDelayUs));
    arm(now);
}

void Server::handle_datagram(Instant now, std::size_t worker, const Path& from, ByteView datagram) {
    if (worker >= workers_.size() || datagram.size() > media::Packet::kMaxDatagram) return;
    Worker& w = *workers_[worker];
    w.inbox.push_back({from, clock_.local(now), to_bytes(datagram)});
    plan_turn(w, now);
}

void Server::turn(Instant now, Worker& worker, WorkerId id) {
    worker.turn_at.reset();
    const Instant local = clock_.local(now);
    sfu::NodeOutputs out{worker.sink, worker.events};
    for (const sfu::MediaCommand& command : std::exchange(worker.mailbox, {})) {
        worker.node.handle_command(local, command, out);
        const auto* track = std::get_if<sfu::AddLocalTrack>(&command);
        if (track != nullptr) streams_.handle_track(id.value - 1U, *track);
    }
    for (const Arrived& arrived : std::exchange(worker.inbox, {})) {
        media::PacketRef packet = worker.pool.allocate();
        if (!packet) {
            checker_.fail("the packet pool is exhausted");
            break;
        }
        std::copy(arrived.bytes.begin(), arrived.bytes.end(), packet->data.begin());
        packet->size = static_cast<std::uint32_t>(arrived.bytes.size());
        packet->received_at = arrived.at;
        const sfu::MediaCounters& c = worker.node.counters();
        const std::uint64_t refused =
            c.malformed + c.srtp_refused + c.unknown_ssrc + c.unknown_address;
        worker.node.handle_datagram(local, arrived.from, std::move(packet), out);
        if (c.malformed + c.srtp_refused + c.unknown_ssrc + c.unknown_address != refused) {
            host_.refuse_datagram(arrived.from, arrived.bytes);
        }
    }
    worker.node.flush(local, out);
    local_now_ = local;
    streams_.turn(local, id.value - 1U, NtpTime::from_wall(wall(now)), out);
    worker.node.flush(local, out);
    check_deadline(streams_.next_deadline(id.value - 1U), local);
    const auto due = worker.node.next_deadline();
    if (due && *due <= local) {
        worker.node.handle_timeout(local, out);
        check_deadline(worker.node.next_deadline(), local);
    }
    for (sfu::MediaEvent& event : std::exchange(worker.events, {})) {
        to_hub_.push_back(
            {now + std::chrono::microseconds(20 + rng_.below(kTurnDelayUs)), id, std::move(event)});
    }
}

void Server::check_deadline(std::optional<Instant> next, Instant local) {
    if (sabotaged_deadlines_) next = local;
    if (next && *next <= local) checker_.fail("a deadline fired without progress");
}

void Server::deliver(Instant now) {
    signalling::Outputs out;
    std::swap(out, out_);
    for (signalling::SendText& text : out.texts)
        host_.send_text(text.session, std::move(text.text));
    for (const signalling::CloseSession& close : out.closes)
        host_.close_session(close.session, close.code);
    std::vector<signalling::ToWorker> commands;
    for (signalling::ToWorker& command : out.commands)
        host_.handle_command(std::move(command), commands);
    for (signalling::ToWorker& command : commands) {
        Worker& worker = *workers_.at(command.worker.value - 1U);
        worker.mailbox.push_back(std::move(command.command));
        plan_turn(worker, now);
    }
    for (const signalling::EndStream& end : out.ended_streams) streams_.end(clock_.local(now), end);
    arm(now);
}

void Server::handle_open(Instant now, signalling::SessionId session) {
    hub_->handle_open(clock_.local(now), session, {"sim", "/"}, out_);
    deliver(now);
}

void Server::handle_text(Instant now, signalling::SessionId session, std::string_view text) {
    hub_->handle_text(clock_.local(now), wall(now), session, text, out_);
    deliver(now);
}

void Server::handle_closed(Instant now, signalling::SessionId session) {
    hub_->handle_closed(clock_.local(now), session, out_);
    deliver(now);
}

void Server::handle_backlog(Instant now, signalling::SessionId session, std::size_t pending) {
    hub_->handle_backlog(clock_.local(now), session, pending, out_);
    deliver(now);
}

void Server::begin_drain(Instant now) {
    hub_->begin_drain(clock_.local(now), out_);
    deliver(now);
}

void Server::stop(Instant now) {
    hub_->finish_drain(clock_.local(now), out_);
    deliver(now);
    for (const std::unique_ptr<Worker>& worker : workers_) {
        sfu::NodeOutputs out{worker->sink, worker->events};
        worker->node.close(out);
    }
}

void Server::wake(Instant now) {
    if (!armed_ || now < *armed_) return;  // an earlier plan that was replaced
    armed_.reset();
    const Instant local = clock_.local(now);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        Worker& worker = *workers_[i];
        const auto is_due = [&](const std::optional<Instant>& at) { return at && *at <= local; };
        if ((worker.turn_at && *worker.turn_at <= now) || is_due(worker.node.next_deadline()) ||
            is_due(streams_.next_deadline(i))) {
            turn(now, worker, WorkerId(static_cast<std::uint16_t>(i + 1)));
        }
    }
    std::vector<ToHub> due_events;
    std::erase_if(to_hub_, [&](const ToHub& event) {
        if (event.at > now) return false;
        due_events.push_back(event);
        return true;
    });
    for (const ToHub& event : due_events)
        hub_->handle_media_event(local, event.worker, event.event, out_);
    if (const auto due = hub_->next_deadline(); due && *due <= local) {
        hub_->handle_timeout(local, wall(now), out_);
        check_deadline(hub_->next_deadline(), local);
    }
    deliver(now);
}

void Server::arm(Instant now) {
    std::optional<Instant> next;
    const auto earlier = [&](std::optional<Instant> at) {
        if (at && (!next || *at < *next)) next = at;
    };
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        earlier(workers_[i]->turn_at);
        if (const auto due = workers_[i]->node.next_deadline()) earlier(clock_.world(*due));
        if (const auto due = streams_.next_deadline(i)) earlier(clock_.world(*due));
    }
    for (const ToHub& event : to_hub_) earlier(event.at);
    if (const auto due = hub_->next_deadline()) earlier(clock_.world(*due));
    if (!next) return;
    // The epoll granularity of the shell; also what keeps an early wake-up from repeating at one
    // instant.
    const Instant at = std::max(*next, now + 10us);
    if (armed_ && *armed_ <= at && *armed_ > now) return;
    armed_ = at;
    host_.wake_at(at);
}

// ---- RTMP

StreamSide::Control Server::stream_control() {
    return {[this](StreamId stream, bool publishes, const signalling::StreamAddress& address) {
                return judge(stream, publishes, address);
            },
            [this](StreamId stream, const std::vector<sfu::MediaKind>& kinds) {
                std::vector<signalling::FoundTrack> found;
                for (const sfu::MediaKind kind : kinds) {
                    const bool audio = kind == sfu::MediaKind::kAudio;
                    found.push_back({kind, audio ? sfu::Codec::kOpus : sfu::Codec::kH264});
                }
                hub_->handle_stream_tracks(local_now_, stream, found, out_);
            },
            [this](StreamId stream) {
                if (host_.handle_stream_closed())
                    hub_->handle_stream_closed(local_now_, stream, out_);
            }};
}

StreamSide::Verdict Server::judge(StreamId stream,
                                  bool publishes,
                                  const signalling::StreamAddress& address) {
    StreamSide::Verdict verdict;
    if (publishes) {
        const auto grant = hub_->open_publish(local_now_, stream, address, out_);
        if (grant) {
            verdict.worker = grant->worker.value - 1U;
        } else {
            verdict.reason = grant.error().what;
        }
        return verdict;
    }
    const auto grant = hub_->open_play(local_now_, stream, address, out_);
    if (!grant) {
        verdict.reason = grant.error().what;
        return verdict;
    }
    verdict.worker = grant->worker.value - 1U;
    for (const signalling::PlayTrack& track : grant->tracks) {
        verdict.tracks.push_back(
            {track.track, track.owner.value, track.kind, track.codec, track.simulcast});
    }
    host_.handle_play(verdict.tracks);
    return verdict;
}

void Server::open_stream(Instant now, StreamSide::Id id) {
    streams_.open(clock_.local(now), id);
    arm(now);
}

void Server::cut_stream(Instant now, StreamSide::Id id) {
    local_now_ = clock_.local(now);
    streams_.cut(id);
    deliver(now);
}

void Server::handle_stream(Instant now, StreamSide::Id id, ByteView bytes) {
    local_now_ = clock_.local(now);
    Worker& worker = *workers_[streams_.worker_of(id)];
    sfu::NodeOutputs out{worker.sink, worker.events};
    streams_.input(local_now_, id, bytes, out);
    plan_turn(*workers_[streams_.worker_of(id)], now);
    deliver(now);
}

Bytes Server::take_from_stream(Instant now, StreamSide::Id id, std::size_t size) {
    return streams_.output(clock_.local(now), id, size);
}

sfu::MediaCounters Server::counters() const {
    sfu::MediaCounters sum;
    for (const std::unique_ptr<Worker>& worker : workers_) {
        const sfu::MediaCounters& c = worker->node.counters();
        sum.peers += c.peers;
        sum.tracks += c.tracks;
        sum.subscriptions += c.subscriptions;
        sum.nack_in += c.nack_in;
        sum.nack_out += c.nack_out;
        sum.stun_refused += c.stun_refused;
        sum.srtp_refused += c.srtp_refused;
        sum.malformed += c.malformed;
        sum.unknown_ssrc += c.unknown_ssrc;
        sum.unknown_address += c.unknown_address;
        sum.packets_in += c.packets_in;
        sum.packets_out += c.packets_out;
    }
    return sum;
}

std::size_t Server::packets_in_use() const {
    std::size_t sum = 0;
    for (const std::unique_ptr<Worker>& worker : workers_) sum += worker->pool.in_use();
    return sum;
}

}  // namespace parley::sim

#include "server/media_worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "io/framed_tcp.h"
#include "io/sockaddr.h"
#include "io/udp_port.h"
#include "media/packet.h"
#include "media/packet_sink.h"
#include "server/codec_bridge.h"
#include "server/mailbox.h"
#include "sfu/node.h"

namespace parley::server {
namespace {

constexpr std::uint64_t kMailboxKey = 0xfffe'0000;
constexpr std::uint64_t kStreamMailboxKey = 0xfffe'0001;
constexpr std::size_t kMaxPackets = 131'072;   // 220 MB of slabs, reached only under overload
constexpr int kMaxBatchesPerTurn = 8;          // so that commands and timers are never starved
constexpr Duration kSnapshotEvery = 100ms;

Instant read_clock() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return Instant(std::chrono::seconds(t.tv_sec) + Duration(t.tv_nsec));
}
WallTime read_wall() {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return WallTime(std::chrono::seconds(t.tv_sec) + Duration(t.tv_nsec));
}

/// Gives the node's datagrams to the kernel: UDP in batches, ICE-TCP frame by frame.
class KernelSink final : public media::PacketSink {
public:
    KernelSink(const io::UdpPort& udp, io::FramedTcp* tcp) : udp_(udp), tcp_(tcp) {
        arrivals_.reserve(io::UdpBatch::kMaxMessages);
    }

    std::uint8_t* reserve(std::size_t size) override {
        reserved_ = batch_.reserve(udp_, size);
        return reserved_;
    }
    void commit(const Path& to, std::size_t size, std::size_t segment_size, Instant received_at) override {
        if (to.is_tcp()) {
            for (std::size_t at = 0; at < size && tcp_ != nullptr; at += segment_size) {
                tcp_->send(to.connection, ByteView(reserved_ + at, std::min(segment_size, size - at)));
            }
        } else {
            batch_.commit(udp_, to, size, segment_size);
        }
        if (received_at != Instant{}) {
            arrivals_.push_back({received_at, static_cast<std::uint32_t>((size + segment_size - 1) / segment_size)});
        }
        if (arrivals_.size() >= io::UdpBatch::kMaxMessages) flush();
    }
    void flush() {
        batch_.flush(udp_);
        if (arrivals_.empty()) return;
        const Instant now = read_clock();
        for (const auto& [at, count] : arrivals_) {
            const std::int64_t us = std::max<std::int64_t>(to_us(now - at), 0);
            delay_.add(static_cast<std::uint64_t>(us), count);
        }
        arrivals_.clear();
    }
    [[nodiscard]] const io::UdpBatch::Stats& stats() const { return batch_.stats(); }
    [[nodiscard]] const sfu::DelayHistogram& delay() const { return delay_; }

private:
    const io::UdpPort& udp_;
    io::FramedTcp* tcp_;
    io::UdpBatch batch_;
    std::uint8_t* reserved_ = nullptr;
    std::vector<std::pair<Instant, std::uint32_t>> arrivals_;
    sfu::DelayHistogram delay_;
};

std::vector<IpAddress> addresses_to_bind(const MediaWorkerConfig& config) {
    if (config.listen.empty()) return io::local_addresses();
    std::vector<IpAddress> out;
    for (const IpAddress& ip : config.listen) {
        // A wildcard means every address of the machine: each gets a socket of its own.
        const bool any = ip == IpAddress::v4(0) || ip == IpAddress{};
        if (!any) {
            out.push_back(ip);
            continue;
        }
        for (const IpAddress& local : io::local_addresses()) {
            if (local.is_v4() == ip.is_v4()) out.push_back(local);
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

bool is_loopback(const IpAddress& ip) {
    if (ip.is_v4()) return ip.v4_host_order() >> 24 == 127;
    IpAddress one{};
    one.bytes[15] = 1;
    return ip == one;
}

}  // namespace

struct MediaWorker::Impl {
    Impl(const MediaWorkerConfig& c, io::UdpPort port, dtls::Factory& dtls, MediaEventSink event_sink)
        : config(c),
          udp(std::move(port)),
          epoll(::epoll_create1(EPOLL_CLOEXEC)),
          mailbox(kMaxMailbox),
          on_events(std::move(event_sink)),
          pool(kMaxPackets),
          node(dtls, pool, Rng(seed())) {
        if (config.codecs == nullptr) return;
        stream_mailbox = std::make_shared<Mailbox<StreamCommand>>(kMaxMailbox);
        // Shared, because a conversion may end after the worker.
        conversions = std::make_unique<CodecBridge>(
            *config.codecs, [box = stream_mailbox](gateway::ConversionResult result) {
                box->post(StreamCommand(std::move(result)));
            });
        gateway = std::make_unique<gateway::Gateway>(node, pool, *conversions, Rng(seed()));
        streams = std::make_unique<StreamPort>(
            epoll.get(), config.worker, *gateway, Rng(seed()), [this](StreamNotice notice) {
                config.on_stream(config.worker, std::move(notice));
            });
    }

    static std::uint64_t seed() {
        std::random_device device;
        return static_cast<std::uint64_t>(device()) << 32 | device();
    }

    void run();
    void read_udp(std::uint16_t socket);
    void take_commands();
    void take_stream_commands();
    /// What the node's tracks and timers mean to players, and what players and publishers mean to the node.
    void turn_streams();
    void deliver_events();
    void publish_counters(Instant turn_started);
    /// At the end of each grain what all did in it, and before that what those did who left.
    void report_peers(bool is_end);
    [[nodiscard]] int wait_ms() const;

    MediaWorkerConfig config;
    io::UdpPort udp;
    io::Fd epoll;
    std::optional<io::FramedTcp> tcp;
    Mailbox<sfu::MediaCommand> mailbox;
    MediaEventSink on_events;
    media::PacketPool pool;
    sfu::Node node;
    std::shared_ptr<Mailbox<StreamCommand>> stream_mailbox;
    std::unique_ptr<CodecBridge> conversions;
    std::unique_ptr<gateway::Gateway> gateway;
    std::unique_ptr<StreamPort> streams;
    std::vector<StreamCommand> stream_commands;
    std::vector<sfu::Node::Tapped> tapped;
    std::optional<KernelSink> sink;
    std::vector<sfu::MediaEvent> events;
    std::vector<sfu::MediaCommand> commands;
    std::array<media::PacketRef, io::UdpPort::kMaxBatch> slabs;
    std::atomic<bool> stopping{false};
    std::atomic<std::uint64_t> refused{0};
    Instant now;
    WallTime wall;
    Instant next_snapshot;
    WallTime grain;  ///< begin of the one that is being counted
    std::uint64_t longest_turn_us = 0;
    std::uint64_t turns = 0;
    mutable std::mutex snapshot_mutex;
    sfu::MediaCounters snapshot;
    StreamPortCounters stream_snapshot;
    std::vector<sfu::TrackLevel> levels;  ///< by track
    std::vector<sfu::TrackLevel> levels_before;  ///< only its memory
    std::atomic<bool> levels_asked{false};
    Instant levels_asked_until;
    std::thread thread;
};

void MediaWorker::Impl::run() {
    ::prctl(PR_SET_NAME, "parley-media", 0, 0, 0);
    if (config.pin_cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(static_cast<unsigned>(config.pin_cpu), &set);
        ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
    }
    std::array<epoll_event, 64> ready{};
    sfu::NodeOutputs out{*sink, events};
    while (!stopping.load(std::memory_order_relaxed)) {
        now = read_clock();
        const int count = ::epoll_wait(epoll.get(), ready.data(), static_cast<int>(ready.size()), wait_ms());
        const Instant started = now = read_clock();
        wall = read_wall();
        for (int i = 0; i < count; ++i) {
            const std::uint64_t key = ready[static_cast<std::size_t>(i)].data.u64;
            if (key == kMailboxKey) {
                take_commands();
            } else if (key == kStreamMailboxKey) {
                take_stream_commands();
            } else if ((key & StreamPort::kKeyFlag) != 0) {
                streams->handle_event(now, key,
                                      ready[static_cast<std::size_t>(i)].events, out);
            } else if (key < udp.sockets().size()) {
                read_udp(static_cast<std::uint16_t>(key));
            } else if (tcp) {
                tcp->handle_event(now, key, ready[static_cast<std::size_t>(i)].events,
                                  [&](const Path& from, ByteView frame) {
                                      media::PacketRef packet = pool.allocate();
                                      if (!packet) return;
                                      std::copy(frame.begin(), frame.end(), packet->data.begin());
                                      packet->size = static_cast<std::uint32_t>(frame.size());
                                      packet->received_at = now;
                                      node.handle_datagram(now, from, std::move(packet), out);
                                      if (node.is_proven(from)) tcp->approve(from.connection);
                                  });
                node.flush(now, out);
            }
        }
        node.handle_timeout(now, out);
        if (tcp) tcp->handle_timeout(now);
        if (streams) turn_streams();
        sink->flush();
        deliver_events();
        report_peers(false);
        publish_counters(started);
    }
    node.close(out);
    sink->flush();
    report_peers(true);
}

void MediaWorker::Impl::report_peers(bool is_end) {
    const WallTime begin(wall.time_since_epoch() - wall.time_since_epoch() % sfu::kReportGrain);
    if (grain == WallTime{}) grain = begin;
    const bool all = begin != grain || is_end;
    // A full box leaves everything where it is: the next time is soon.
    if (config.reports == nullptr || !(all || node.has_last_reports()) || !config.reports->has_room()) return;
    ReportBatch batch{config.worker, grain, {}};
    if (all) {
        node.take_reports(batch.reports);
        if (streams) streams->take_reports(batch.reports);
    } else {
        node.take_last_reports(batch.reports);
    }
    grain = begin;
    if (!batch.reports.empty()) config.reports->put(std::move(batch));
}

void MediaWorker::Impl::read_udp(std::uint16_t socket) {
    sfu::NodeOutputs out{*sink, events};
    for (int batch = 0; batch < kMaxBatchesPerTurn; ++batch) {
        std::array<MutableByteView, io::UdpPort::kMaxBatch> buffers;
        std::array<io::UdpPort::Received, io::UdpPort::kMaxBatch> received;
        std::size_t room = 0;
        for (; room < slabs.size(); ++room) {
            if (!slabs[room]) slabs[room] = pool.allocate();
            if (!slabs[room]) break;
            buffers[room] = slabs[room]->memory();
        }
        const std::size_t got = udp.receive(socket, std::span<const MutableByteView>(buffers.data(), room),
                                            received, now, wall);
        for (std::size_t i = 0; i < got; ++i) {
            media::PacketRef packet = std::move(slabs[i]);
            packet->size = static_cast<std::uint32_t>(received[i].size);
            packet->received_at = received[i].at;
            node.handle_datagram(now, Path{.remote = received[i].from, .socket = socket},
                                 std::move(packet), out);
        }
        node.flush(now, out);
        if (got < room || room == 0) return;
    }
}

void MediaWorker::Impl::take_commands() {
    sfu::NodeOutputs out{*sink, events};
    mailbox.take(commands);
    for (const sfu::MediaCommand& command : commands) {
        node.handle_command(now, command, out);
        const auto* local = std::get_if<sfu::AddLocalTrack>(&command);
        if (local != nullptr && gateway) gateway->handle_track(*local);
    }
}

void MediaWorker::Impl::take_stream_commands() {
    sfu::NodeOutputs out{*sink, events};
    stream_mailbox->take(stream_commands);
    for (StreamCommand& command : stream_commands) {
        if (auto* verdict = std::get_if<StreamVerdict>(&command)) {
            streams->handle_verdict(now, NtpTime::from_wall(wall), std::move(*verdict), out);
        } else if (const auto* ended = std::get_if<StreamEnded>(&command)) {
            streams->handle_ended(now, *ended);
        } else if (auto* sound = std::get_if<RoomSoundChanged>(&command)) {
            gateway->set_room_sound(now, sound->room, std::move(sound->inputs));
        } else if (auto* certificate = std::get_if<UseCertificate>(&command)) {
            streams->use_certificate(std::move(certificate->tls));
        } else if (auto* result = std::get_if<gateway::ConversionResult>(&command)) {
            gateway->handle_conversion(now, std::move(*result), out, streams->outputs());
        }
    }
    stream_commands.clear();
}

void MediaWorker::Impl::turn_streams() {
    sfu::NodeOutputs out{*sink, events};
    node.flush(now, out);
    node.take_tapped(tapped);
    gateway->handle_tapped(now, tapped, streams->outputs());
    gateway->handle_timeout(now, out, streams->outputs());
    streams->handle_timeout(now, out);
    streams->handle_gateway(now, streams->outputs());
}

void MediaWorker::Impl::deliver_events() {
    if (events.empty()) return;
    on_events(config.worker, std::move(events));
    events.clear();
}

int MediaWorker::Impl::wait_ms() const {
    std::optional<Instant> next = node.next_deadline();
    if (tcp && tcp->next_deadline() && (!next || *tcp->next_deadline() < *next)) next = tcp->next_deadline();
    const auto sooner = [&next](const std::optional<Instant>& other) {
        if (other && (!next || *other < *next)) next = other;
    };
    if (streams) {
        sooner(gateway->next_deadline());
        sooner(streams->next_deadline());
    }
    if (!next) return static_cast<int>(to_ms(kSnapshotEvery));
    const std::int64_t us = to_us(*next - now);
    if (us <= 0) return 0;
    return static_cast<int>(std::min<std::int64_t>((us + 999) / 1000, to_ms(kSnapshotEvery)));
}

void MediaWorker::Impl::publish_counters(Instant turn_started) {
    ++turns;
    const Instant finished = read_clock();
    longest_turn_us = std::max(longest_turn_us, static_cast<std::uint64_t>(to_us(finished - turn_started)));
    if (finished < next_snapshot) return;
    next_snapshot = finished + kSnapshotEvery;
    sfu::MediaCounters c = node.counters();
    c.send_calls = sink->stats().send_calls;
    c.gso_refused = sink->stats().gso_refused;
    c.send_dropped = sink->stats().dropped;
    c.forwarding_delay = sink->delay();
    c.mailbox_depth = mailbox.depth();
    c.commands_refused = refused.load(std::memory_order_relaxed);
    c.loop_turns = turns;
    c.loop_lag_us_max = longest_turn_us;
    longest_turn_us = 0;
    StreamPortCounters s;
    if (streams) s = streams->counters();
    levels_before.clear();
    if (levels_asked.exchange(false, std::memory_order_relaxed)) levels_asked_until = finished + kLevelsAskedFor;
    if (finished < levels_asked_until) node.append_audio_levels(finished, levels_before);
    const std::lock_guard lock(snapshot_mutex);
    snapshot = c;
    stream_snapshot = s;
    std::swap(levels, levels_before);
}

MediaWorker::MediaWorker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MediaWorker::~MediaWorker() { stop(); }

Result<std::unique_ptr<MediaWorker>> MediaWorker::start(const MediaWorkerConfig& config,
                                                        dtls::Factory& dtls,
                                                        const MediaEventSink& sink,
                                                        std::string& detail) {
    // A free UDP port may be somebody's TCP port: with any port wanted, another one is tried.
    constexpr int kTries = 16;
    for (int tries = config.port == 0 && config.enable_tcp ? kTries : 1;; --tries) {
        auto worker = start_once(config, dtls, sink, detail);
        if (worker || tries == 1) return worker;
        detail.clear();
    }
}

Result<std::unique_ptr<MediaWorker>> MediaWorker::start_once(const MediaWorkerConfig& config,
                                                             dtls::Factory& dtls,
                                                             MediaEventSink sink,
                                                             std::string& detail) {
    const std::vector<IpAddress> addresses = addresses_to_bind(config);
    auto udp = io::UdpPort::bind(addresses, config.port, detail);
    if (!udp) return tl::unexpected(udp.error());
    auto impl = std::make_unique<Impl>(config, std::move(*udp), dtls, std::move(sink));
    if (!impl->epoll.is_open()) return fail(Errc::kSystem, "epoll");
    const auto watch = [&](int fd, std::uint64_t key) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = key;
        return ::epoll_ctl(impl->epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
    };
    bool watched = watch(impl->mailbox.fd(), kMailboxKey);
    if (impl->streams) {
        watched &= watch(impl->stream_mailbox->fd(), kStreamMailboxKey);
        for (const auto& [listener, tls] : {std::pair(config.stream_listener, StreamConnection::Tls::kNone),
                                            std::pair(config.stream_tls_listener, StreamConnection::Tls::kExpected)}) {
            if (listener >= 0) watched &= impl->streams->watch_listener(listener, tls);
        }
    }
    for (std::size_t i = 0; i < impl->udp.sockets().size(); ++i) {
        watched &= watch(impl->udp.sockets()[i].fd.get(), i);
    }
    if (!watched) return fail(Errc::kSystem, "epoll_ctl");
    if (config.enable_tcp) {
        auto tcp = io::FramedTcp::listen(impl->udp, impl->epoll.get(), detail);
        if (!tcp) return tl::unexpected(tcp.error());
        impl->tcp = std::move(*tcp);
    }
    impl->sink.emplace(impl->udp, impl->tcp ? &*impl->tcp : nullptr);
    auto worker = std::unique_ptr<MediaWorker>(new MediaWorker(std::move(impl)));
    worker->impl_->thread = std::thread([p = worker->impl_.get()] { p->run(); });
    return worker;
}

sfu::WorkerInfo MediaWorker::info() const {
    sfu::WorkerInfo out;
    out.worker = impl_->config.worker;
    const auto announce = [&](const std::vector<SocketAddress>& bound, bool tcp) {
        if (bound.empty()) return;
        for (const IpAddress& ip : impl_->config.public_addresses) {
            out.endpoints.push_back({{ip, bound.front().port}, tcp});
        }
        if (impl_->config.announce_only_public) return;
        for (const SocketAddress& address : bound) {
            if (is_loopback(address.ip) && !impl_->config.include_loopback) continue;
            const auto& known = impl_->config.public_addresses;
            if (std::find(known.begin(), known.end(), address.ip) != known.end()) continue;
            out.endpoints.push_back({address, tcp});
        }
    };
    std::vector<SocketAddress> udp;
    for (const auto& s : impl_->udp.sockets()) udp.push_back(s.address);
    announce(udp, false);
    if (impl_->tcp) announce(impl_->tcp->addresses(), true);
    return out;
}

bool MediaWorker::post(sfu::MediaCommand command) {
    if (impl_->mailbox.post(std::move(command))) return true;
    impl_->refused.fetch_add(1, std::memory_order_relaxed);
    return false;
}

sfu::MediaCounters MediaWorker::counters() const {
    const std::lock_guard lock(impl_->snapshot_mutex);
    return impl_->snapshot;
}

void MediaWorker::stop() {
    if (!impl_->thread.joinable()) return;
    impl_->stopping.store(true, std::memory_order_relaxed);
    impl_->mailbox.wake();
    impl_->thread.join();
}

bool MediaWorker::post(StreamCommand command) {
    return impl_->stream_mailbox && impl_->stream_mailbox->post(std::move(command));
}

std::vector<sfu::TrackLevel> MediaWorker::audio_levels() const {
    impl_->levels_asked.store(true, std::memory_order_relaxed);
    const std::lock_guard lock(impl_->snapshot_mutex);
    return impl_->levels;
}

StreamPortCounters MediaWorker::stream_counters() const {
    const std::lock_guard lock(impl_->snapshot_mutex);
    return impl_->stream_snapshot;
}

}  // namespace parley::server

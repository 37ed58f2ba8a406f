// The forwarding core alone: one publisher, N subscribers, real DTLS-SRTP keys, datagrams counted and dropped.
// Prints packets for each CPU second and heap allocations; exits with 1 when forwarding a packet allocates in
// steady state. Usage: forward_bench [subscribers] [packets-in-a-burst] [bursts]
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "dtls/endpoint.h"
#include "ice/stun.h"
#include "rtp/header.h"
#include "sfu/node.h"
#include "srtp/session.h"

namespace {
std::uint64_t allocations = 0;
}
void* operator new(std::size_t size) {
    ++allocations;
    void* p = std::malloc(size == 0 ? 1 : size);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}
void* operator new(std::size_t size, std::align_val_t align) {
    ++allocations;
    const auto a = static_cast<std::size_t>(align);
    void* p = std::aligned_alloc(a, (size + a - 1) / a * a);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace parley::sfu {
namespace {

double cpu_seconds() {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Counts datagrams; keeps the first bytes while `keep` is set, for the handshakes.
class CountingSink final : public media::PacketSink {
public:
    CountingSink() : memory_(256 * 1024) {}
    std::uint8_t* reserve(std::size_t size) override {
        if (used_ + size > memory_.size()) used_ = 0;
        return memory_.data() + used_;
    }
    void commit(const Path& to, std::size_t size, std::size_t segment_size, Instant) override {
        if (keep) {
            for (std::size_t at = 0; at < size; at += segment_size) {
                const std::uint8_t* start = memory_.data() + used_ + at;
                kept.push_back({to, Bytes(start, start + std::min(segment_size, size - at))});
            }
        }
        datagrams += (size + segment_size - 1) / segment_size;
        ++commits;
        bytes += size;
        used_ += size;
    }
    bool keep = true;
    std::vector<std::pair<Path, Bytes>> kept;
    std::uint64_t datagrams = 0;
    std::uint64_t commits = 0;
    std::uint64_t bytes = 0;

private:
    Bytes memory_;
    std::size_t used_ = 0;
};

struct Bench {
    std::unique_ptr<dtls::Factory> server = std::move(*dtls::create_openssl_factory());
    std::unique_ptr<dtls::Factory> client = std::move(*dtls::create_openssl_factory());
    media::PacketPool pool{65'536};
    Node node{*server, pool, Rng(1)};
    CountingSink sink;
    std::vector<MediaEvent> events;
    Instant now{1000s};

    void input(const Path& from, ByteView bytes) {
        NodeOutputs out{sink, events};
        media::PacketRef packet = pool.allocate();
        std::copy(bytes.begin(), bytes.end(), packet->data.begin());
        packet->size = static_cast<std::uint32_t>(bytes.size());
        packet->received_at = now;
        node.handle_datagram(now, from, std::move(packet), out);
    }

    srtp::Sender connect(std::uint32_t n, dtls::Role server_role) {
        NodeOutputs out{sink, events};
        const Path path{.remote = {IpAddress::v4(0x7f000001), static_cast<std::uint16_t>(n)}};
        const ice::Credentials credentials{"ufrag" + std::to_string(n), "passwordpasswordpassword"};
        node.handle_command(now,
                            OpenPeer{.peer = PeerId(n), .local_ice = credentials, .dtls_role = server_role},
                            out);
        ice::StunWriter check(ice::StunType::kBindingRequest, {});
        check.username(credentials.ufrag + ":x");
        check.use_candidate();
        auto peer = client->create({.role = server_role == dtls::Role::kServer ? dtls::Role::kClient
                                                                               : dtls::Role::kServer});
        dtls::Outputs to_node;
        std::optional<srtp::Sender> sender;
        input(path, check.finish(credentials.password));
        peer->start(now, to_node);
        for (int i = 0; i < 50 && (!sender || !to_node.datagrams.empty()); ++i) {
            if (to_node.connected && !sender) {
                sender = std::move(*srtp::Sender::create(to_node.connected->profile, to_node.connected->local));
            }
            for (const Bytes& b : std::exchange(to_node.datagrams, {})) input(path, b);
            for (const auto& [to, b] : std::exchange(sink.kept, {})) {
                if (dtls::is_dtls(b)) peer->handle_datagram(now, b, to_node);
            }
        }
        if (!sender) {
            std::fprintf(stderr, "peer %u did not connect\n", n);
            std::exit(2);
        }
        return std::move(*sender);
    }
};

int run(std::uint32_t subscribers, std::size_t burst, std::size_t bursts) {
    Bench b;
    NodeOutputs out{b.sink, b.events};
    srtp::Sender publisher = b.connect(1, dtls::Role::kClient);
    b.node.handle_command(b.now,
                          AddTrack{.peer = PeerId(1),
                                   .track = TrackId(1),
                                   .kind = MediaKind::kVideo,
                                   .codec = Codec::kH264,
                                   .payload_type = PayloadType(108),
                                   .rtx_payload_type = PayloadType(109),
                                   .mid = "0",
                                   .encodings = {{.rid = {}, .ssrc = Ssrc(5000), .rtx_ssrc = Ssrc(5001)}}},
                          out);
    for (std::uint32_t n = 0; n < subscribers; ++n) {
        (void)b.connect(10 + n, dtls::Role::kServer);
        b.node.handle_command(b.now,
                              Subscribe{.peer = PeerId(10 + n),
                                        .track = TrackId(1),
                                        .ssrc = Ssrc(100'000 + n * 2),
                                        .rtx_ssrc = Ssrc(100'001 + n * 2),
                                        .payload_type = PayloadType(101),
                                        .rtx_payload_type = PayloadType(102),
                                        .cname = "c"},
                              out);
    }
    b.sink.keep = false;
    const Path path{.remote = {IpAddress::v4(0x7f000001), 1}};
    Bytes payload(1'172, 0x55);
    Bytes wire(1'400);
    std::uint64_t index = 0;
    double cpu = 0;
    std::uint64_t steady_allocations = 0;
    std::uint64_t timer_allocations = 0;
    std::uint64_t warm_datagrams = 0;
    for (std::size_t i = 0; i < bursts; ++i) {
        if (i == bursts / 5) {
            steady_allocations = 0;
            timer_allocations = 0;
            cpu = 0;
            warm_datagrams = b.sink.datagrams;
        }
        for (std::size_t p = 0; p < burst; ++p) {
            // Sizes differ by a byte, as an encoder's pieces do.
            const std::size_t size = payload.size() - (p % 2);
            payload[0] = i == 0 && p == 0 ? 0x65 : 0x61;
            ByteWriter writer(wire);
            rtp::write_header(writer, {.marker = p + 1 == burst,
                                       .payload_type = PayloadType(108),
                                       .sequence_number = static_cast<std::uint16_t>(index),
                                       .timestamp = static_cast<std::uint32_t>(i * 3000),
                                       .ssrc = Ssrc(5000)});
            const std::size_t size_on_wire =
                publisher.protect_rtp(wire.data(), 12, ByteView(payload).first(size), index);
            ++index;
            const std::uint64_t before = allocations;
            const double start = cpu_seconds();
            b.input(path, ByteView(wire).first(size_on_wire));
            cpu += cpu_seconds() - start;
            steady_allocations += allocations - before;
        }
        const std::uint64_t before = allocations;
        const double start = cpu_seconds();
        b.node.flush(b.now, out);
        steady_allocations += allocations - before;
        const std::uint64_t before_timers = allocations;
        b.node.handle_timeout(b.now, out);
        cpu += cpu_seconds() - start;
        timer_allocations += allocations - before_timers;
        b.events.clear();
        b.now += 33ms;
    }
    const auto datagrams = static_cast<double>(b.sink.datagrams - warm_datagrams);
    std::printf("subscribers %u, burst %zu: %.0f packets for each CPU second (%.0f ns each), %.2f packets a "
                "send, %llu allocations for packets, %llu for timers\n",
                subscribers, burst, datagrams / cpu, cpu * 1e9 / datagrams,
                static_cast<double>(b.sink.datagrams) / static_cast<double>(b.sink.commits), static_cast<unsigned long long>(steady_allocations),
                static_cast<unsigned long long>(timer_allocations));
    // Timers and reports are not packets: they may allocate now and then, packets may not.
    return steady_allocations > 0 ? 1 : 0;
}

}  // namespace
}  // namespace parley::sfu

int main(int argc, char** argv) {
    const auto argument = [&](int i, unsigned long otherwise) {
        return argc > i ? std::strtoul(argv[i], nullptr, 10) : otherwise;
    };
    return parley::sfu::run(static_cast<std::uint32_t>(argument(1, 100)), argument(2, 5), argument(3, 2000));
}

// Publisher and subscriber over real sockets, with the smallest forwarder that can stand between them.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>

#include "io/clock.h"
#include "io/kernel_random.h"
#include "io/sockaddr.h"
#include "loadgen/publisher.h"
#include "loadgen/subscriber.h"

namespace parley::loadgen {
namespace {

/// Server end of one peer connection: ICE-lite, DTLS, SRTP on a socket of its own.
class ServerPeer final : public Loop::Handler {
public:
    ServerPeer(Loop& loop, dtls::Factory& factory, dtls::Role role)
        : credentials_{"serverufrag", "serverpassword-0123456789"},
          fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
          agent_({.local = credentials_}, io::read_monotonic_clock()),
          dtls_(factory.create({.role = role})) {
        const io::KernelAddress any = io::to_kernel({IpAddress::v4(0x7f000001), 0});
        EXPECT_EQ(bind(fd_.get(), any.get(), any.length), 0);
        loop.add(fd_.get(), *this, false);
    }

    [[nodiscard]] SocketAddress address() const {
        io::KernelAddress bound{};
        bound.length = sizeof(bound.storage);
        getsockname(fd_.get(), bound.get(), &bound.length);
        return io::from_kernel(bound.storage);
    }
    [[nodiscard]] const ice::Credentials& credentials() const { return credentials_; }

    std::function<void(ByteView packet, std::size_t header_size, std::uint64_t index)> on_rtp;
    std::function<void(ByteView compound)> on_rtcp;

    void send_rtp(ByteView packet, std::size_t header_size, std::uint64_t index) {
        if (!sender_) return;
        Bytes out(packet.size() + srtp::kMaxOverhead);
        std::copy_n(packet.begin(), header_size, out.begin());
        out.resize(sender_->protect_rtp(out.data(), header_size, packet.subspan(header_size), index));
        send_datagram(out);
    }
    void send_rtcp(ByteView compound) {
        if (!sender_) return;
        Bytes out = to_bytes(compound);
        out.resize(compound.size() + srtp::kMaxOverhead);
        out.resize(sender_->protect_rtcp(out.data(), compound.size()));
        send_datagram(out);
    }

private:
    void handle_timer(Instant) override {}
    void handle_io(Instant now, bool, bool) override {
        Bytes buffer(2048);
        while (true) {
            io::KernelAddress from{};
            from.length = sizeof(from.storage);
            const ssize_t n = recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, from.get(), &from.length);
            if (n <= 0) return;
            handle(now, io::from_kernel(from.storage), MutableByteView(buffer).first(static_cast<std::size_t>(n)));
        }
    }
    void handle(Instant now, const SocketAddress& from, MutableByteView datagram) {
        if (ice::is_stun(datagram)) {
            ice::Outcome outcome;
            agent_.handle_stun(now, Path{.remote = from}, datagram, outcome);
            peer_ = from;
            if (!outcome.response.empty()) send_datagram(outcome.response);
            if (!started_ && outcome.selected) {
                started_ = true;
                dtls::Outputs out;
                dtls_->start(now, out);
                take(out);
            }
        } else if (dtls::is_dtls(datagram)) {
            dtls::Outputs out;
            dtls_->handle_datagram(now, datagram, out);
            take(out);
        } else if (receiver_ && rtp::is_rtcp(datagram)) {
            const auto size = receiver_->unprotect_rtcp(datagram);
            if (size && on_rtcp) on_rtcp(datagram.first(*size));
        } else if (receiver_ && rtp::is_rtp(datagram)) {
            const auto header = rtp::parse_header(datagram);
            if (!header) return;
            const auto opened = receiver_->unprotect_rtp(datagram, header->header_size);
            if (opened && on_rtp) on_rtp(datagram.first(opened->size), header->header_size, opened->index);
        }
    }
    void take(const dtls::Outputs& out) {
        for (const Bytes& datagram : out.datagrams) send_datagram(datagram);
        if (!out.connected) return;
        sender_ = srtp::Sender::create(out.connected->profile, out.connected->local).value();
        receiver_ = srtp::Receiver::create(out.connected->profile, out.connected->remote).value();
    }
    void send_datagram(ByteView datagram) {
        const io::KernelAddress to = io::to_kernel(peer_);
        sendto(fd_.get(), datagram.data(), datagram.size(), 0, to.get(), to.length);
    }

    ice::Credentials credentials_;
    io::Fd fd_;
    ice::LiteAgent agent_;
    std::unique_ptr<dtls::Endpoint> dtls_;
    SocketAddress peer_;
    bool started_ = false;
    std::optional<srtp::Sender> sender_;
    std::optional<srtp::Receiver> receiver_;
};

constexpr rtp::ExtensionIds kIds{.transport_cc = 3, .mid = 4, .rid = 10, .repaired_rid = 11};

class Loopback : public testing::Test {
protected:
    Loopback()
        : server_dtls_(dtls::create_openssl_factory().value()),
          client_dtls_(dtls::create_openssl_factory().value()),
          publish_server_(loop_, *server_dtls_, dtls::Role::kClient),
          subscribe_server_(loop_, *server_dtls_, dtls::Role::kServer),
          publish_transport_(loop_, buffers_, totals_, Rng(1)),
          subscribe_transport_(loop_, buffers_, totals_, Rng(2)),
          publisher_(publish_transport_, totals_, files_, Rng(3)),
          subscriber_(subscribe_transport_, totals_, Rng(4)) {
        totals_.measuring = true;
        publish_server_.on_rtp = [this](ByteView packet, std::size_t header_size, std::uint64_t index) {
            const Ssrc ssrc{load_u32(packet.data() + 8)};
            if (drop && drop(ssrc, index)) return;
            subscribe_server_.send_rtp(packet, header_size, index);
        };
        publish_server_.on_rtcp = [this](ByteView compound) { subscribe_server_.send_rtcp(compound); };
        subscribe_server_.on_rtcp = [this](ByteView compound) { publish_server_.send_rtcp(compound); };
    }

    void start() {
        publisher_.configure({.audio = SendStream{.ssrc = Ssrc(11), .payload_type = PayloadType(111), .mid = "0"},
                              .video = {SendStream{.ssrc = kVideo,
                                                   .rtx_ssrc = kRtx,
                                                   .payload_type = PayloadType(108),
                                                   .rtx_payload_type = PayloadType(109),
                                                   .mid = "1"}},
                              .extensions = kIds,
                              .video_bitrate = Bitrate::kbps(1400),
                              .audio_bitrate = Bitrate::kbps(48),
                              .cname = "p"});
        const Instant now = io::read_monotonic_clock();
        subscriber_.set_join_start(now);
        subscriber_.set_extensions(kIds);
        subscriber_.add_stream({.ssrc = Ssrc(11), .rtx_ssrc = {}, .is_video = false});
        subscriber_.add_stream({.ssrc = kVideo, .rtx_ssrc = kRtx, .is_video = true});
        const ice::Credentials local{"cufr", "clientpassword-0123456789"};
        const auto fingerprint = server_dtls_->local_fingerprint();
        ASSERT_TRUE(subscribe_transport_.start({.local = local,
                                                .remote = subscribe_server_.credentials(),
                                                .server = subscribe_server_.address(),
                                                .role = dtls::Role::kClient,
                                                .remote_fingerprint = fingerprint},
                                               *client_dtls_, subscriber_, now));
        ASSERT_TRUE(publish_transport_.start({.local = local,
                                              .remote = publish_server_.credentials(),
                                              .server = publish_server_.address(),
                                              .role = dtls::Role::kServer,
                                              .remote_fingerprint = fingerprint},
                                             *client_dtls_, publisher_, now));
    }
    /// False when `done` did not come true for a time that no healthy machine needs.
    bool run_until(const std::function<bool()>& done) {
        for (int i = 0; i < 1500; ++i) {
            if (done()) return true;
            loop_.run_until(io::read_monotonic_clock() + 20ms);
        }
        return false;
    }

    static constexpr Ssrc kVideo{22};
    static constexpr Ssrc kRtx{23};
    Loop loop_;
    ReceiveBuffers buffers_;
    Totals totals_;
    MediaFiles files_;
    std::unique_ptr<dtls::Factory> server_dtls_;
    std::unique_ptr<dtls::Factory> client_dtls_;
    ServerPeer publish_server_;
    ServerPeer subscribe_server_;
    PeerConnection publish_transport_;
    PeerConnection subscribe_transport_;
    Publisher publisher_;
    Subscriber subscriber_;
    std::function<bool(Ssrc, std::uint64_t)> drop;
};

TEST_F(Loopback, PicturesArriveAndAreDecodable) {
    start();
    const Counters& c = totals_.counters;
    ASSERT_TRUE(run_until([&] { return c.decodable_frames >= 40 && c.received_audio >= 40; }));
    EXPECT_EQ(c.vanished_frames, 0u);
    EXPECT_EQ(c.malformed, 0u);
    EXPECT_EQ(c.not_authentic, 0u);
    EXPECT_EQ(c.unknown_ssrc, 0u);
    EXPECT_EQ(c.send_errors, 0u);
    EXPECT_EQ(totals_.first_frame.count(), 1u);
    EXPECT_EQ(totals_.connected.count(), 1u);
    EXPECT_GT(totals_.delay.count(), 100u);
    EXPECT_LT(totals_.delay.percentile(0.5), 1s);  // a stamp on another clock would be hours away
}

TEST_F(Loopback, LostPacketsAreAskedForAndComeByRtx) {
    drop = [](Ssrc ssrc, std::uint64_t index) { return ssrc == kVideo && index % 17 == 3; };
    start();
    const Counters& c = totals_.counters;
    ASSERT_TRUE(run_until([&] { return c.recovered >= 10 && c.decodable_frames >= 30; }));
    EXPECT_GE(c.retransmitted, 10u);
    EXPECT_GE(c.received_rtx, 10u);
    EXPECT_EQ(c.lost_packets, 0u);
    EXPECT_EQ(c.vanished_frames, 0u);
}

TEST_F(Loopback, WithoutRetransmissionAKeyFrameRepairsThePicture) {
    int dropped = 0;
    drop = [&](Ssrc ssrc, std::uint64_t) {
        if (ssrc == kRtx) return true;
        return ssrc == kVideo && totals_.counters.decodable_frames >= 10 && dropped < 3 && ++dropped > 0;
    };
    start();
    const Counters& c = totals_.counters;
    ASSERT_TRUE(run_until([&] { return c.lost_packets >= 1; }));
    const std::uint64_t at_loss = c.decodable_frames;
    ASSERT_TRUE(run_until([&] { return c.decodable_frames >= at_loss + 10; }));
    EXPECT_GE(c.plis_sent, 1u);
    EXPECT_GE(c.key_frame_requests, 1u);
}

TEST_F(Loopback, AFrameThatVanishesWithoutAGapIsNoticed) {
    std::uint64_t shift = 0;
    publish_server_.on_rtp = [&](ByteView packet, std::size_t header_size, std::uint64_t index) {
        if (Ssrc{load_u32(packet.data() + 8)} != kVideo) return;
        const auto stamp = find_stamp(packet.subspan(header_size));
        if (stamp && stamp->frame >= 20 && stamp->frame < 23) {
            ++shift;
            return;
        }
        Bytes renumbered = to_bytes(packet);
        store_u16(renumbered.data() + 2, static_cast<std::uint16_t>(index - shift));
        subscribe_server_.send_rtp(renumbered, header_size, index - shift);
    };
    start();
    ASSERT_TRUE(run_until([&] { return totals_.counters.vanished_frames > 0; }));
    EXPECT_EQ(totals_.counters.vanished_frames, 3u);
    EXPECT_EQ(totals_.counters.lost_packets, 0u);
}

}  // namespace
}  // namespace parley::loadgen

#include "sfu/usage.h"

#include <numeric>

#include "fixture.h"

namespace parley::sfu::test {
namespace {

constexpr PayloadType kAudio{111};
constexpr PayloadType kVideo{96};

/// An RTP payload of VP8 (RFC 7741): a whole key frame of this size, or an inter frame.
Bytes vp8_key(std::uint32_t width, std::uint32_t height) {
    const auto low = [](std::uint32_t v) { return static_cast<std::uint8_t>(v); };
    Bytes out{0x10,
              0x00,
              0x00,
              0x00,
              0x9d,
              0x01,
              0x2a,
              low(width),
              low(width >> 8),
              low(height),
              low(height >> 8)};
    out.resize(300, 0x55);
    return out;
}
Bytes vp8_inter() {
    Bytes out(300, 0x55);
    out[0] = 0x10;
    out[1] = 0x01;
    return out;
}

class UsageFixture : public NodeFixture {
protected:
    /// Peer 1 publishes sound as track 10 and pictures as track 11; peer 2 gets both.
    void call() {
        connect(open(1, dtls::Role::kClient));
        connect(open(2));
        command(AddTrack{.peer = PeerId(1),
                         .track = TrackId(10),
                         .kind = MediaKind::kAudio,
                         .codec = Codec::kOpus,
                         .payload_type = kAudio,
                         .rtx_payload_type = {},
                         .red_payload_type = {},
                         .mid = "0",
                         .encodings = {{.rid = {}, .ssrc = Ssrc(100), .rtx_ssrc = {}}},
                         .max_bitrate = {}});
        command(AddTrack{.peer = PeerId(1),
                         .track = TrackId(11),
                         .kind = MediaKind::kVideo,
                         .codec = Codec::kVp8,
                         .payload_type = kVideo,
                         .rtx_payload_type = {},
                         .red_payload_type = {},
                         .mid = "1",
                         .encodings = {{.rid = {}, .ssrc = Ssrc(200), .rtx_ssrc = {}}},
                         .max_bitrate = {}});
        for (const std::uint32_t track : {10u, 11u}) {
            command(Subscribe{.peer = PeerId(2),
                              .track = TrackId(track),
                              .ssrc = Ssrc(7000 + track),
                              .rtx_ssrc = {},
                              .payload_type = PayloadType(101),
                              .rtx_payload_type = {},
                              .red_payload_type = {},
                              .layer = Layer::kHigh,
                              .cname = "c-user"});
        }
    }
    void send(std::uint32_t ssrc, PayloadType type, const Bytes& payload) {
        const std::uint64_t index = ++index_[ssrc];
        input(clients[0]->path(),
              clients[0]->rtp_packet(Ssrc(ssrc),
                                     index,
                                     static_cast<std::uint32_t>(to_us(now - Instant{})),
                                     type,
                                     payload));
    }
    void send_audio() { send(100, kAudio, Bytes(80, 0x11)); }
    /// Adds what was reported to `totals`, by user.
    void collect() {
        std::vector<PeerReport> reports;
        node.take_reports(reports);
        for (const PeerReport& report : reports) totals[report.owner->user_id] += report.usage;
    }
    static MediaTime audio(Duration time) { return {.audio = time, .video = {}}; }

    std::map<std::string, Usage> totals;

private:
    std::map<std::uint32_t, std::uint64_t> index_;
};

TEST_F(UsageFixture, EveryDatagramIsCountedOnceInEachDirection) {
    call();
    // A long call with all that a transport says: media, reports, requests, consent, goodbye.
    for (int i = 0; i < 500; ++i) {
        send_audio();
        if (i % 2 == 0) send(200, kVideo, i % 50 == 0 ? vp8_key(640, 480) : vp8_inter());
        deliver();
        if (i % 100 == 0) {
            input(clients[0]->path(), clients[0]->check());
            input(clients[1]->path(), clients[1]->check());
        }
        advance(20ms);
        if (i % 77 == 0) collect();
    }
    command(ClosePeer{PeerId(2)});
    deliver();
    collect();
    Usage sum;
    for (const auto& [user, usage] : totals) sum += usage;
    EXPECT_GT(sum.traffic.packets_out, 700U);
    EXPECT_EQ(sum.traffic.packets_out, sink.datagrams);
    EXPECT_EQ(sum.traffic.bytes_out, sink.bytes);
    EXPECT_EQ(sum.traffic.packets_in, received.packets_in);
    EXPECT_EQ(sum.traffic.bytes_in, received.bytes_in);
    EXPECT_GT(totals["user1"].traffic.bytes_in, totals["user1"].traffic.bytes_out);
    EXPECT_GT(totals["user2"].traffic.bytes_out, totals["user2"].traffic.bytes_in);
}

TEST_F(UsageFixture, WhatIsNotAuthenticatedIsNobodysUsage) {
    call();
    collect();
    totals.clear();
    Bytes forged = clients[0]->rtp_packet(Ssrc(100), 1, 1, kAudio, Bytes(500, 0x11));
    forged.back() ^= 1;
    input(clients[0]->path(), forged);
    Bytes check = clients[0]->check();
    check[check.size() - 10] ^= 1;
    input(path_of(9), check);
    flush();
    collect();
    EXPECT_EQ(totals["user1"].traffic.bytes_in, 0U);
}

TEST_F(UsageFixture, TimeIsExactAndByTheSizeOfThePictures) {
    call();
    // 60 s of sound; pictures of 90 s, that grow after 30 s and again after 60 s.
    const auto run = [this](Duration time, bool sound, std::uint32_t width, std::uint32_t height) {
        for (Duration t{}; t < time; t += 20ms) {
            if (sound) send_audio();
            if (t % 40ms == Duration{})
                send(200, kVideo, t == Duration{} ? vp8_key(width, height) : vp8_inter());
            deliver();
            now += 20ms;
            if (to_ms(t) % 10'000 == 0) collect();
        }
    };
    run(30s, true, 480, 640);
    run(30s, true, 1280, 720);
    send_audio();  // the packet that ends the 60th second
    run(30s, false, 1920, 1080);
    send(200, kVideo, vp8_inter());
    deliver();
    collect();
    // The interval between two packets belongs to the pictures that the second one brings.
    MediaTime expected = audio(60s);
    expected.video = {30s - 40ms, 30s, 30s + 40ms, 0s};
    EXPECT_EQ(totals["user1"].published, expected);
    EXPECT_EQ(totals["user2"].subscribed, expected);
    EXPECT_EQ(totals["user1"].subscribed, MediaTime{});
    EXPECT_EQ(totals["user2"].published, MediaTime{});
}

TEST_F(UsageFixture, SilenceAndMutedMediaCostNothing) {
    call();
    const auto run = [this](Duration time) {
        for (Duration t{}; t <= time; t += 20ms) {
            send_audio();
            deliver();
            now += 20ms;
        }
        now -= 20ms;
    };
    run(10s);
    now += ActiveTime::kMaxGap;
    run(10s);
    now += 20ms;
    command(SetMuted{TrackId(10), true});
    run(10s);
    collect();
    EXPECT_EQ(totals["user1"].published.audio, 30s + 20ms) << "the publisher sends on";
    EXPECT_EQ(totals["user2"].subscribed.audio, 20s);
}

TEST_F(UsageFixture, NothingIsLostWhenTracksSubscriptionsAndPeersGo) {
    call();
    for (int i = 0; i <= 50; ++i) {
        send_audio();
        deliver();
        now += 20ms;
    }
    command(Unsubscribe{PeerId(2), TrackId(10)});
    command(RemoveTrack{TrackId(10)});
    command(ClosePeer{PeerId(1)});
    command(ClosePeer{PeerId(2)});
    deliver();
    ASSERT_TRUE(node.has_last_reports());
    std::vector<PeerReport> reports;
    node.take_last_reports(reports);
    ASSERT_EQ(reports.size(), 2U);
    for (const PeerReport& report : reports) {
        EXPECT_TRUE(report.is_last);
        totals[report.owner->user_id] += report.usage;
    }
    EXPECT_EQ(totals["user1"].published, audio(1s));
    EXPECT_EQ(totals["user2"].subscribed, audio(1s));
    EXPECT_EQ(totals["user1"].traffic.bytes_in + totals["user2"].traffic.bytes_in,
              received.bytes_in);
    EXPECT_EQ(totals["user1"].traffic.bytes_out + totals["user2"].traffic.bytes_out, sink.bytes);
    reports.clear();
    node.take_reports(reports);
    EXPECT_TRUE(reports.empty()) << "each is given out once";
}

TEST_F(UsageFixture, LastReportsAreBoundedAndTheRestIsCounted) {
    for (std::uint32_t i = 1; i <= Node::kMaxLastReports + 3; ++i) {
        command(OpenPeer{.peer = PeerId(i),
                         .local_ice = {"ufrag" + std::to_string(i), "passwordpasswordpassword"},
                         .dtls_role = dtls::Role::kServer,
                         .remote_fingerprint = std::nullopt,
                         .receive_extensions = {},
                         .send_extensions = {},
                         .connect_timeout = 30s,
                         .owner = std::make_shared<Owner>()});
        command(ClosePeer{PeerId(i)});
    }
    EXPECT_EQ(node.counters().reports_lost, 3U);
}

TEST_F(UsageFixture, ALocalTrackReportsForItsPublisher) {
    AddLocalTrack sound{TrackId(10), StreamId(1), MediaKind::kAudio, Codec::kOpus, nullptr};
    sound.owner = std::make_shared<Owner>(Owner{"app", "room", "mini"});
    command(sound);
    for (std::uint64_t i = 0; i <= 100; ++i) {
        auto out = outputs();
        media::PacketRef packet = pool.allocate();
        packet->size = 112;
        packet->payload_offset = 12;
        packet->payload_size = 100;
        packet->ext_seq = i;
        packet->received_at = now;
        node.handle_local_packet(now, TrackId(10), std::move(packet), out);
        flush();
        now += 20ms;
        if (i == 50) collect();
    }
    command(RemoveTrack{TrackId(10)});
    collect();
    EXPECT_EQ(totals["mini"].published, audio(2s));
}

TEST(VideoSize, IsReadFromTheFirstPacketOfAKeyFrame) {
    const auto hex = [](std::string_view text) {
        Bytes out;
        for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
            out.push_back(
                static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
        }
        return out;
    };
    const struct {
        Codec codec;
        Bytes payload;
        std::optional<VideoSize> size;
    } cases[] = {
        {Codec::kH264,
         hex("6764001facd9405005bb011000000300100000030320f1831960"),
         VideoSize{1280, 720}},
        // The same in a STAP-A with a PPS behind it, and cut short.
        {Codec::kH264,
         hex("78001a6764001facd9405005bb011000000300100000030320f1831960000268ee"),
         VideoSize{1280, 720}},
        {Codec::kH264, hex("78001a6764001facd9"), std::nullopt},
        {Codec::kH264, hex("65aabbcc"), std::nullopt},
        {Codec::kVp8, vp8_key(1920, 1080), VideoSize{1920, 1080}},
        {Codec::kVp8, vp8_inter(), std::nullopt},
        {Codec::kVp8, hex("1000000000"), std::nullopt},
        // RFC 9628: B and V set; two layers, the larger one last.
        {Codec::kVp9, hex("0a30014000b402800168"), VideoSize{640, 360}},
        {Codec::kVp9, hex("0a3001400168"), std::nullopt},
        {Codec::kVp9, hex("0800"), std::nullopt},
        {Codec::kAv1, hex("18"), std::nullopt},
        {Codec::kH264, {}, std::nullopt},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(video_size(c.codec, c.payload), c.size)
            << static_cast<int>(c.codec) << " " << c.payload.size();
    }
}

TEST(VideoTier, GoesByPixels) {
    EXPECT_EQ(tier_of(0, 0), VideoTier::kSd);
    EXPECT_EQ(tier_of(480, 640), VideoTier::kSd);
    EXPECT_EQ(tier_of(641, 480), VideoTier::kHd);
    EXPECT_EQ(tier_of(720, 1280), VideoTier::kHd);
    EXPECT_EQ(tier_of(1281, 720), VideoTier::kFhd);
    EXPECT_EQ(tier_of(1920, 1080), VideoTier::kFhd);
    EXPECT_EQ(tier_of(1921, 1080), VideoTier::kUhd);
    EXPECT_EQ(tier_of(0xffffffff, 0xffffffff), VideoTier::kUhd);
}

}  // namespace
}  // namespace parley::sfu::test

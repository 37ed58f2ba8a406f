#include <gtest/gtest.h>

#include "fixture.h"

namespace parley::sfu::test {
namespace {

class LocalTracks : public NodeFixture {
protected:
    /// One packet as a publisher without a transport hands it in.
    void hand_in(std::uint32_t track, std::uint64_t index, bool key, std::uint32_t timestamp = 3000) {
        auto out = outputs();
        media::PacketRef packet = pool.allocate();
        ASSERT_TRUE(packet);
        packet->data[0] = 0x80;
        packet->data[12] = key ? 0x65 : 0x61;
        packet->data[13] = static_cast<std::uint8_t>(index);
        packet->size = 112;
        packet->payload_offset = 12;
        packet->payload_size = 100;
        packet->ext_seq = index;
        packet->rtp_timestamp = timestamp;
        packet->received_at = now;
        node.handle_local_packet(now, TrackId(track), std::move(packet), out);
    }
    std::vector<Node::Tapped> tapped() {
        std::vector<Node::Tapped> out;
        node.take_tapped(out);
        return out;
    }
    Client& subscriber(std::uint32_t peer, std::uint32_t track) {
        Client& client = open(peer);
        connect(client);
        command(Subscribe{.peer = PeerId(peer),
                          .track = TrackId(track),
                          .ssrc = Ssrc(7000),
                          .rtx_ssrc = Ssrc(7001),
                          .payload_type = PayloadType(101),
                          .rtx_payload_type = PayloadType(102),
                          .red_payload_type = {},
                          .layer = Layer::kHigh,
                          .cname = "c-user"});
        return client;
    }
    const AddLocalTrack video{TrackId(10), StreamId(1), MediaKind::kVideo, Codec::kH264};
};

TEST_F(LocalTracks, PacketsReachSubscribersFromTheFirstKeyFrame) {
    command(video);
    Client& b = subscriber(2, 10);
    hand_in(10, 1000, false);
    deliver();
    EXPECT_TRUE(b.rtp.empty());
    // Longer than a burst: a key frame of a file comes in one piece.
    constexpr std::uint64_t kPackets = Burst::kMaxPackets + 20;
    for (std::uint64_t i = 0; i < kPackets; ++i) hand_in(10, 1001 + i, i == 0);
    deliver();
    ASSERT_EQ(b.rtp.size(), kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) {
        EXPECT_EQ(b.rtp[i].payload[1], static_cast<std::uint8_t>(1001 + i));
        EXPECT_EQ(b.rtp[i].payload_type, PayloadType(101));
    }
    EXPECT_EQ(take_events<TrackStarted>().size(), 1U);
}

TEST_F(LocalTracks, SenderReportsStateTheGivenClock) {
    command(video);
    Client& b = subscriber(2, 10);
    hand_in(10, 1000, true, 90'000);
    deliver();
    b.rtcp.clear();
    NtpTime stated{};
    stated.value = std::uint64_t{4'000'000'000} << 32;
    node.handle_local_clock(now, TrackId(10), stated, 90'000);
    advance(10ms);
    std::size_t reports = 0;
    for (const Bytes& compound : b.rtcp) {
        rtcp::CompoundReader reader(compound);
        while (const auto view = reader.next()) {
            const auto* sr = std::get_if<rtcp::SenderReportView>(&*view);
            if (sr == nullptr) continue;
            ++reports;
            EXPECT_EQ(sr->sender, Ssrc(7000));
            EXPECT_EQ(sr->info.ntp.value >> 32, 4'000'000'000U);
            EXPECT_EQ(sr->info.rtp_timestamp, b.rtp[0].timestamp);
        }
    }
    EXPECT_EQ(reports, 1U) << "at once: it ties sound to picture";
}

TEST_F(LocalTracks, RemovedTrackTakesItsSubscriptionsAndTapsAlong) {
    command(video);
    subscriber(2, 10);
    EXPECT_TRUE(node.add_tap(now, TrackId(10), Layer::kHigh));
    command(RemoveTrack{TrackId(10)});
    EXPECT_EQ(node.counters().tracks, 0U);
    EXPECT_EQ(node.counters().subscriptions, 0U);
    hand_in(10, 1000, true);
    deliver();
    EXPECT_TRUE(tapped().empty());
    node.remove_tap(TrackId(10), Layer::kHigh);
    EXPECT_EQ(pool.in_use(), 0U) << "nothing holds a packet";
}

TEST_F(LocalTracks, NobodyHandsPacketsToATrackOfAPeer) {
    Client& a = open(1, dtls::Role::kClient);
    connect(a);
    command(AddTrack{.peer = PeerId(1),
                     .track = TrackId(10),
                     .kind = MediaKind::kVideo,
                     .codec = Codec::kH264,
                     .payload_type = PayloadType(108),
                     .rtx_payload_type = {},
                     .red_payload_type = {},
                     .mid = "1",
                     .encodings = {{.rid = {}, .ssrc = Ssrc(5000), .rtx_ssrc = {}}},
                     .max_bitrate = {}});
    EXPECT_TRUE(node.add_tap(now, TrackId(10), Layer::kHigh));
    hand_in(10, 1, true);
    flush();
    EXPECT_TRUE(tapped().empty());
    command(video);  // the id is in use: the first one counts
    EXPECT_EQ(node.counters().tracks, 1U);
}

TEST_F(LocalTracks, TapsGetEveryPacketOfTheirLayerAndAskForKeyFrames) {
    Client& a = open(1, dtls::Role::kClient);
    connect(a);
    command(AddTrack{.peer = PeerId(1),
                     .track = TrackId(10),
                     .kind = MediaKind::kVideo,
                     .codec = Codec::kH264,
                     .payload_type = PayloadType(108),
                     .rtx_payload_type = {},
                     .red_payload_type = {},
                     .mid = "1",
                     .encodings = {{.rid = {}, .ssrc = Ssrc(5000), .rtx_ssrc = {}},
                                   {.rid = {}, .ssrc = Ssrc(6000), .rtx_ssrc = {}}},
                     .max_bitrate = {}});
    const Bytes payload(100, 0x61);
    input(a.path(), a.rtp_packet(Ssrc(5000), 1, 3000, PayloadType(108), payload));
    deliver();
    EXPECT_TRUE(tapped().empty()) << "no tap, no cost";
    advance(1s);
    a.rtcp.clear();

    EXPECT_TRUE(node.add_tap(now, TrackId(10), Layer::kHigh));
    EXPECT_FALSE(node.add_tap(now, TrackId(11), Layer::kHigh));
    advance(600ms);
    bool asked = false;
    for (const Bytes& compound : a.rtcp) {
        rtcp::CompoundReader reader(compound);
        while (const auto view = reader.next()) asked |= std::holds_alternative<rtcp::PliView>(*view);
    }
    EXPECT_TRUE(asked);
    for (std::uint64_t i = 2; i < 5; ++i) {
        input(a.path(), a.rtp_packet(Ssrc(5000), i, 3000, PayloadType(108), payload));
        input(a.path(), a.rtp_packet(Ssrc(6000), i, 3000, PayloadType(108), payload));
    }
    deliver();
    const auto got = tapped();
    ASSERT_EQ(got.size(), 3U);
    for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].layer, Layer::kHigh);
        EXPECT_EQ(got[i].packet->ext_seq & 0xffff, i + 2);
    }
    EXPECT_TRUE(node.is_active(now, TrackId(10), Layer::kLow));
    node.remove_tap(TrackId(10), Layer::kHigh);
    input(a.path(), a.rtp_packet(Ssrc(5000), 9, 3000, PayloadType(108), payload));
    deliver();
    EXPECT_TRUE(tapped().empty());
}

}  // namespace
}  // namespace parley::sfu::test

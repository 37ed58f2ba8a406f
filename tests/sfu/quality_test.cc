#include "sfu/quality.h"

#include "fixture.h"

namespace parley::sfu::test {
namespace {

constexpr PayloadType kVideo{96};
constexpr Ssrc kHigh{200};
constexpr Ssrc kLow{201};
constexpr Ssrc kSent{7011};

Bytes vp8(bool is_key) {
    Bytes out(300, 0x55);
    out[0] = 0x10;
    out[1] = is_key ? 0x00 : 0x01;
    return out;
}

/// Peer 1 publishes a track with two layers, peer 2 gets it.
class QualityFixture : public NodeFixture {
protected:
    void call() {
        connect(open(1, dtls::Role::kClient));
        connect(open(2));
        command(AddTrack{.peer = PeerId(1),
                         .track = TrackId(11),
                         .kind = MediaKind::kVideo,
                         .codec = Codec::kVp8,
                         .payload_type = kVideo,
                         .rtx_payload_type = {},
                         .red_payload_type = {},
                         .mid = "1",
                         .encodings = {{.rid = {}, .ssrc = kHigh, .rtx_ssrc = {}},
                                       {.rid = {}, .ssrc = kLow, .rtx_ssrc = {}}},
                         .max_bitrate = {}});
        command(Subscribe{.peer = PeerId(2),
                          .track = TrackId(11),
                          .ssrc = kSent,
                          .rtx_ssrc = {},
                          .payload_type = PayloadType(101),
                          .rtx_payload_type = {},
                          .red_payload_type = {},
                          .layer = Layer::kHigh,
                          .cname = "c-user"});
    }
    /// `packets` of each layer; every `lose`th (0: none) does not arrive.
    void publish(int packets, int lose = 0) {
        for (int i = 0; i < packets; ++i) {
            for (const Ssrc ssrc : {kHigh, kLow}) {
                ++index_;
                const std::uint64_t index = index_ / 2 + 1;
                if (lose != 0 && i % lose == lose - 1) continue;
                input(clients[0]->path(),
                      clients[0]->rtp_packet(
                          ssrc, index, static_cast<std::uint32_t>(to_us(now - Instant{})), kVideo, vp8(i == 0)));
            }
            deliver();
            advance(10ms);
        }
    }
    /// Peer 2 says how much of its stream it lost.
    void say(std::int32_t lost) {
        std::array<std::uint8_t, 256> memory;
        ByteWriter writer(memory);
        rtcp::ReportBlock block;
        block.ssrc = kSent;
        block.cumulative_lost = lost;
        block.extended_highest = clients[1]->rtp.empty() ? 0 : clients[1]->rtp.back().sequence_number;
        ASSERT_TRUE(rtcp::write_receiver_report(writer, Ssrc(9), std::vector{block}));
        ASSERT_TRUE(rtcp::write_remb(writer, Ssrc(9), Bitrate::kbps(700), std::vector{kSent}));
        input(clients[1]->path(), clients[1]->rtcp_packet(ByteView(memory).first(writer.size())));
    }
    std::map<std::string, QualitySample> take() {
        std::vector<PeerReport> reports;
        node.take_reports(reports);
        std::map<std::string, QualitySample> out;
        for (const PeerReport& report : reports) out[report.owner->user_id] += report.quality;
        return out;
    }

private:
    std::uint64_t index_ = 0;
};

TEST_F(QualityFixture, AReportSaysTheLossOfItsInterval) {
    call();
    publish(100, 10);
    publish(1);  // what was lost last shows by what comes next
    const LossCount up = take()["user1"].up;
    EXPECT_EQ(up.lost, 20U);
    EXPECT_EQ(up.expected, 202U);
    publish(50);
    EXPECT_EQ(take()["user1"].up, (LossCount{100, 0})) << "of its own interval only";
    EXPECT_EQ(take()["user1"].up, LossCount{});
}

TEST_F(QualityFixture, WhatAReceiverSaysIsItsDownlink) {
    call();
    publish(100);
    say(7);
    QualitySample sample = take()["user2"];
    EXPECT_EQ(sample.down, (LossCount{100, 7}));
    EXPECT_EQ(sample.estimate, Bitrate::kbps(700));
    EXPECT_EQ(sample.up, LossCount{});
    publish(50);
    say(7);
    publish(50);
    say(12);
    EXPECT_EQ(take()["user2"].down, (LossCount{100, 5}));
    say(-3);
    say(1'000'000);
    const LossCount odd = take()["user2"].down;
    EXPECT_LE(odd.lost, odd.expected) << "nobody is believed more than everything";
}

TEST_F(QualityFixture, TheLayerIsWhatIsSentNow) {
    call();
    publish(30);
    EXPECT_EQ(take()["user2"].layer, Layer::kHigh);
    command(SetLayer{PeerId(2), TrackId(11), Layer::kLow});
    publish(30);
    EXPECT_EQ(take()["user2"].layer, Layer::kLow);
    EXPECT_EQ(take()["user1"].layer, std::nullopt) << "it gets nothing";
    command(SetMuted{TrackId(11), true});
    publish(3);
    EXPECT_EQ(take()["user2"].layer, std::nullopt);
}

TEST_F(QualityFixture, WhoLeftSaidItAll) {
    call();
    publish(100, 10);
    publish(1);
    say(5);
    command(ClosePeer{PeerId(2)});
    command(RemoveTrack{TrackId(11)});
    command(ClosePeer{PeerId(1)});
    auto samples = take();
    EXPECT_EQ(samples["user1"].up.lost, 20U);
    EXPECT_EQ(samples["user2"].down.lost, 5U);
}

TEST(LossMeter, CountsBetweenReadings) {
    LossMeter meter;
    meter.handle_totals(100, 10);
    EXPECT_EQ(meter.take(), (LossCount{100, 10}));
    meter.handle_totals(150, 12);
    meter.handle_totals(200, 11);  // one came late
    EXPECT_EQ(meter.take(), (LossCount{100, 2}));
    meter.handle_totals(50, 0);  // anew
    meter.handle_totals(60, 60);
    EXPECT_EQ(meter.take(), (LossCount{10, 10}));
    meter.handle_totals(60, -5);
    EXPECT_EQ(meter.take(), LossCount{});
}

}  // namespace
}  // namespace parley::sfu::test

#include "sfu/node.h"

#include <numeric>

#include "fixture.h"

namespace parley::sfu::test {
namespace {

constexpr PayloadType kVideo{108};
constexpr PayloadType kRtx{109};
constexpr PayloadType kOpus{111};

/// An H.264 payload: IDR or plain slice, filled to a size.
Bytes h264(bool key, std::size_t size, std::uint8_t fill = 0x55) {
    Bytes out(size, fill);
    out[0] = key ? 0x65 : 0x61;
    return out;
}

AddTrack video_track(std::uint32_t peer, std::uint32_t track, std::uint32_t ssrc) {
    return {.peer = PeerId(peer),
            .track = TrackId(track),
            .kind = MediaKind::kVideo,
            .codec = Codec::kH264,
            .payload_type = kVideo,
            .rtx_payload_type = kRtx,
            .red_payload_type = {},
            .mid = "1",
            .encodings = {{.rid = {}, .ssrc = Ssrc(ssrc), .rtx_ssrc = Ssrc(ssrc + 1)}},
            .max_bitrate = {}};
}

AddTrack simulcast_track(std::uint32_t peer, std::uint32_t track) {
    AddTrack both = video_track(peer, track, 0);
    both.encodings = {{.rid = "hi", .ssrc = {}, .rtx_ssrc = {}}, {.rid = "lo", .ssrc = {}, .rtx_ssrc = {}}};
    return both;
}

/// The header extensions that name a packet's encoding (RFC 8852).
Bytes named(const rtp::ExtensionIds& ids, const char* rid) {
    Bytes block(32);
    ByteWriter writer(block);
    rtp::ExtensionWriter out(writer);
    out.add_mid(ids, "1");
    out.add_rid(ids, rid);
    out.finish();
    block.resize(writer.size());
    return block;
}

Subscribe subscribe_video(std::uint32_t peer, std::uint32_t track, std::uint32_t ssrc) {
    return {.peer = PeerId(peer),
            .track = TrackId(track),
            .ssrc = Ssrc(ssrc),
            .rtx_ssrc = Ssrc(ssrc + 1),
            .payload_type = PayloadType(101),
            .rtx_payload_type = PayloadType(102),
            .red_payload_type = {},
            .layer = Layer::kHigh,
            .cname = "c-user"};
}

/// Peer 1 publishes two layers as track 10, peer 2 gets it as SSRC 7000.
class SimulcastFixture : public NodeFixture {
protected:
    void SetUp() override {
        connect(open(1, dtls::Role::kClient, ids));
        connect(open(2));
        command(simulcast_track(1, 10));
        command(subscribe_video(2, 10, 7000));
    }
    const rtp::ExtensionIds ids{.mid = 4, .rid = 10, .repaired_rid = 11};
};

std::size_t count_pli(const Client& c, Ssrc media) {
    std::size_t count = 0;
    for (const Bytes& compound : c.rtcp) {
        rtcp::CompoundReader reader(compound);
        while (const auto view = reader.next()) {
            const auto* pli = std::get_if<rtcp::PliView>(&*view);
            if (pli != nullptr && pli->media == media) ++count;
        }
    }
    return count;
}

TEST_F(NodeFixture, ForwardsVideoToEachSubscriberAndNobodyElse) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    Client& c = open(3);
    for (Client* x : {&a, &b, &c}) connect(*x);
    EXPECT_EQ(take_events<PeerConnected>().size(), 3U);
    EXPECT_EQ(b.profile, srtp::Profile::kAeadAes128Gcm) << "as DTLS server the choice is ours";
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    for (std::uint64_t i = 0; i < 5; ++i) {
        input(a.path(), a.rtp_packet(Ssrc(5000), 100 + i, 3000, kVideo, h264(i == 0, 1000 + i), i == 4));
    }
    deliver();
    ASSERT_EQ(b.rtp.size(), 5U);
    EXPECT_TRUE(c.rtp.empty()) << "nothing reaches a non-subscriber";
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(b.rtp[i].payload, h264(i == 0, 1000 + i));
        EXPECT_EQ(b.rtp[i].payload_type, PayloadType(101));
        EXPECT_EQ(b.rtp[i].ssrc, Ssrc(7000));
        EXPECT_EQ(b.rtp[i].timestamp, 3000U);
        EXPECT_EQ(b.rtp[i].marker, i == 4);
        EXPECT_EQ(b.rtp[i].sequence_number, static_cast<std::uint16_t>(b.rtp[0].sequence_number + i));
    }
    EXPECT_EQ(take_events<TrackStarted>().size(), 1U);
    const auto layers = take_events<LayerChanged>();
    ASSERT_EQ(layers.size(), 1U);
    EXPECT_EQ(layers[0].layer, Layer::kHigh);
}

TEST_F(NodeFixture, S73_WaitsForAKeyFrameAndAsksForItOnceIn500Ms) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    deliver();
    advance(1ms);
    a.rtcp.clear();
    command(subscribe_video(2, 10, 7000));
    for (std::uint64_t i = 0; i < 100; ++i) {
        input(a.path(), a.rtp_packet(Ssrc(5000), 100 + i, 3000, kVideo, h264(false, 500)));
        deliver();
        advance(20ms);
    }
    EXPECT_TRUE(b.rtp.empty()) << "a decoder cannot start without a key frame";
    EXPECT_GE(count_pli(a, Ssrc(5000)), 3U);
    EXPECT_LE(count_pli(a, Ssrc(5000)), 5U) << "2 s hold at most five requests";
    input(a.path(), a.rtp_packet(Ssrc(5000), 200, 3000, kVideo, h264(true, 500)));
    deliver();
    EXPECT_EQ(b.rtp.size(), 1U);
    a.rtcp.clear();
    advance(3s);
    EXPECT_EQ(count_pli(a, Ssrc(5000)), 0U) << "satisfied";
}

TEST_F(NodeFixture, RepairsLossBothWays) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    for (std::uint64_t i = 0; i < 10; ++i) {
        if (i == 4) continue;  // lost on the way in
        input(a.path(), a.rtp_packet(Ssrc(5000), 100 + i, 3000, kVideo, h264(i == 0, 600 + i)));
    }
    deliver();
    ASSERT_EQ(b.rtp.size(), 9U);
    EXPECT_EQ(static_cast<std::uint16_t>(b.rtp[4].sequence_number - b.rtp[3].sequence_number), 2)
        << "a loss before us shows as a loss behind us";
    advance(50ms);
    bool asked = false;
    for (const Bytes& compound : a.rtcp) {
        rtcp::CompoundReader reader(compound);
        while (const auto view = reader.next()) {
            if (const auto* nack = std::get_if<rtcp::GenericNackView>(&*view)) {
                nack->for_each([&](std::uint16_t n) { asked |= n == 104; });
            }
        }
    }
    ASSERT_TRUE(asked);
    // The publisher answers by RTX; the subscriber gets the packet in its old place.
    Bytes rtx{0, 104};
    const Bytes original = h264(false, 604);
    rtx.insert(rtx.end(), original.begin(), original.end());
    input(a.path(), a.rtp_packet(Ssrc(5001), 50, 3000, kRtx, rtx));
    deliver();
    ASSERT_EQ(b.rtp.size(), 10U);
    EXPECT_EQ(b.rtp[9].payload, original);
    EXPECT_EQ(b.rtp[9].sequence_number, static_cast<std::uint16_t>(b.rtp[0].sequence_number + 4));

    // And the subscriber asks for one that it missed.
    Bytes compound(64);
    ByteWriter writer(compound);
    const rtp::ExtSeq wanted = b.rtp[2].sequence_number;
    ASSERT_EQ(rtcp::write_nack(writer, Ssrc(1), Ssrc(7000), std::span(&wanted, 1)), 1U);
    input(b.path(), b.rtcp_packet(writer.written()));
    deliver();
    ASSERT_EQ(b.rtp.size(), 11U);
    EXPECT_EQ(b.rtp[10].ssrc, Ssrc(7001));
    EXPECT_EQ(b.rtp[10].payload_type, PayloadType(102));
    EXPECT_EQ(load_u16(b.rtp[10].payload.data()), b.rtp[2].sequence_number);
    EXPECT_EQ(Bytes(b.rtp[10].payload.begin() + 2, b.rtp[10].payload.end()), b.rtp[2].payload);
}

TEST_F(SimulcastFixture, SwitchesLayersAtAKeyFrameWithoutAGap) {
    Client& a = *clients[0];
    Client& b = *clients[1];
    std::uint64_t hi = 1000;
    std::uint64_t lo = 60'000;
    const auto send_both = [&](bool key, std::uint32_t timestamp) {
        input(a.path(), a.rtp_packet(Ssrc(111), hi++, timestamp, kVideo, h264(key, 900, 1), true, named(ids, "hi")));
        input(a.path(), a.rtp_packet(Ssrc(222), lo++, timestamp + 77, kVideo, h264(key, 300, 2), true, named(ids, "lo")));
        deliver();
        advance(33ms);
    };
    send_both(true, 3000);
    send_both(false, 6000);
    ASSERT_EQ(b.rtp.size(), 2U);
    EXPECT_EQ(b.rtp[1].payload.size(), 900U);
    take_events<LayerChanged>();
    command(SetLayer{PeerId(2), TrackId(10), Layer::kLow});
    send_both(false, 9000);
    ASSERT_EQ(b.rtp.size(), 3U);
    EXPECT_EQ(b.rtp[2].payload.size(), 900U) << "until the key frame the old layer goes on";
    EXPECT_TRUE(take_events<LayerChanged>().empty());
    EXPECT_GE(count_pli(a, Ssrc(222)), 1U);
    send_both(true, 12000);
    send_both(false, 15000);
    const auto changes = take_events<LayerChanged>();
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].layer, Layer::kLow);
    EXPECT_EQ(b.rtp.back().payload.size(), 300U);
    for (std::size_t i = 1; i < b.rtp.size(); ++i) {
        EXPECT_EQ(static_cast<std::uint16_t>(b.rtp[i].sequence_number - b.rtp[i - 1].sequence_number), 1);
        EXPECT_GT(static_cast<std::int32_t>(b.rtp[i].timestamp - b.rtp[i - 1].timestamp), 0);
    }
}

TEST_F(NodeFixture, AMutedTrackReachesNobodyAndGoesOnWithoutAGap) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    std::uint64_t number = 100;
    const auto send = [&](bool key) {
        input(a.path(), a.rtp_packet(Ssrc(5000), number, 3000 * static_cast<std::uint32_t>(number), kVideo, h264(key, 500)));
        ++number;
        deliver();
        advance(33ms);
    };
    send(true);
    send(false);
    ASSERT_EQ(b.rtp.size(), 2U);
    command(SetMuted{TrackId(10), true});
    send(false);
    send(true);
    EXPECT_EQ(b.rtp.size(), 2U) << "a key frame is no way out either";
    a.rtcp.clear();
    command(SetMuted{TrackId(10), false});
    advance(600ms);
    EXPECT_GE(count_pli(a, Ssrc(5000)), 1U) << "the picture is wanted back";
    send(false);
    EXPECT_EQ(b.rtp.size(), 2U) << "it begins with a key frame";
    send(true);
    send(false);
    ASSERT_EQ(b.rtp.size(), 4U);
    for (std::size_t i = 1; i < b.rtp.size(); ++i) {
        EXPECT_EQ(static_cast<std::uint16_t>(b.rtp[i].sequence_number - b.rtp[i - 1].sequence_number), 1);
    }
}

// Found by the node fuzz target: the subscriber's replay window had long passed the number.
TEST_F(SimulcastFixture, APacketThatComesAgesAfterASwitchIsNotForwarded) {
    Client& a = *clients[0];
    Client& b = *clients[1];
    const auto send = [&](const char* rid, std::uint64_t index, bool key) {
        const Ssrc ssrc(rid[0] == 'h' ? 111 : 222);
        input(a.path(), a.rtp_packet(ssrc, index, 3000, kVideo, h264(key, 300), true, named(ids, rid)));
        deliver();
    };
    send("hi", 1'000, true);
    send("hi", 1'003, false);  // 1001 and 1002 are late
    command(SetLayer{PeerId(2), TrackId(10), Layer::kLow});
    send("lo", 500, true);
    send("hi", 1'001, false);
    ASSERT_EQ(b.rtp.size(), 4U) << "late, but of use";
    send("lo", 2'000, false);
    send("hi", 1'002, false);
    EXPECT_EQ(b.rtp.size(), 5U);
}

// A number that stayed open would be asked for until the subscriber gives up. Found by the simulator (10307).
TEST_F(SimulcastFixture, APacketThatASwitchOvertookStillFillsItsNumber) {
    Client& a = *clients[0];
    Client& b = *clients[1];
    const auto send = [&](const char* rid, std::uint64_t index, bool key, std::size_t size) {
        const Ssrc ssrc(rid[0] == 'h' ? 111 : 222);
        const auto timestamp = static_cast<std::uint32_t>(index * 3'000);
        input(a.path(), a.rtp_packet(ssrc, index, timestamp, kVideo, h264(key, size), true, named(ids, rid)));
        deliver();
    };
    const auto offset = [&](std::size_t i) {
        return static_cast<std::uint16_t>(b.rtp[i].sequence_number - b.rtp[0].sequence_number);
    };
    send("hi", 1'000, true, 900);
    send("hi", 1'002, false, 902);  // 1001 is late
    command(SetLayer{PeerId(2), TrackId(10), Layer::kLow});
    send("lo", 500, true, 500);
    ASSERT_EQ(b.rtp.size(), 3U);
    EXPECT_EQ(offset(2), 3);
    send("hi", 1'001, false, 901);
    ASSERT_EQ(b.rtp.size(), 4U);
    EXPECT_EQ(b.rtp[3].payload.size(), 901U);
    EXPECT_EQ(offset(3), 1);
    EXPECT_EQ(b.rtp[3].timestamp - b.rtp[0].timestamp, 3'000U);
    send("hi", 1'003, false, 903);
    EXPECT_EQ(b.rtp.size(), 4U) << "what follows in the old layer has no number here";
    send("hi", 999, false, 899);
    EXPECT_EQ(b.rtp.size(), 4U) << "nor has what came before the subscriber began";

    // Back again: the same layer has two ranges now, and what lay between them belongs to nobody.
    send("lo", 502, false, 502);  // 501 is late
    command(SetLayer{PeerId(2), TrackId(10), Layer::kHigh});
    send("hi", 1'006, true, 906);
    ASSERT_EQ(b.rtp.size(), 6U);
    EXPECT_EQ(offset(5), 6);
    send("hi", 1'005, false, 905);
    EXPECT_EQ(b.rtp.size(), 6U);
    send("lo", 501, false, 501);
    ASSERT_EQ(b.rtp.size(), 7U);
    EXPECT_EQ(offset(6), 4);
    send("hi", 1'007, false, 907);
    ASSERT_EQ(b.rtp.size(), 8U);
    EXPECT_EQ(offset(7), 7);
    EXPECT_GT(static_cast<std::int32_t>(b.rtp[7].timestamp - b.rtp[5].timestamp), 0);
}

// An encoder that begins anew may use numbers again; ours must go on, or one SRTP index would protect two
// packets (RFC 7714 section 8.4). Found by the node fuzz target.
TEST_F(NodeFixture, AnEncodingUnderANewSsrcContinuesTheNumbers) {
    rtp::ExtensionIds ids{.mid = 4};
    Client& a = open(1, dtls::Role::kClient, ids);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    Bytes block(16);
    ByteWriter writer(block);
    rtp::ExtensionWriter extensions(writer);
    extensions.add_mid(ids, "1");
    extensions.finish();
    block.resize(writer.size());
    const auto send = [&](std::uint32_t ssrc, std::uint64_t index, bool key) {
        input(a.path(), a.rtp_packet(Ssrc(ssrc), index, 3000, kVideo, h264(key, 300, 7), true, block));
    };
    for (std::uint64_t i = 0; i < 5; ++i) send(5000, 100 + i, i == 0);
    deliver();
    ASSERT_EQ(b.rtp.size(), 5U);
    send(6000, 101, false);
    deliver();
    EXPECT_EQ(b.rtp.size(), 5U) << "it begins at a key frame";
    for (std::uint64_t i = 0; i < 4; ++i) send(6000, 102 + i, i == 0);
    deliver();
    ASSERT_EQ(b.rtp.size(), 9U);
    for (std::size_t i = 1; i < b.rtp.size(); ++i) {
        EXPECT_EQ(b.rtp[i].sequence_number, static_cast<std::uint16_t>(b.rtp[i - 1].sequence_number + 1));
    }
    // What was sent of the old encoding is gone: its numbers would find packets of the new one.
    std::array<std::uint8_t, 64> memory{};
    ByteWriter nack(memory);
    const rtp::ExtSeq lost[] = {b.rtp[2].sequence_number};
    ASSERT_EQ(rtcp::write_nack(nack, Ssrc(1), Ssrc(7000), lost), 1U);
    input(b.path(), b.rtcp_packet(nack.written()));
    deliver();
    EXPECT_EQ(b.rtp.size(), 9U);
}

// A receiver guesses the rollover counter from the distance to what it knows (RFC 3711 section 3.3.1).
TEST_F(NodeFixture, ALeapOfThePublisherIsNoLeapForSubscribers) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    std::uint64_t index = 100;
    for (int leap = 0; leap < 6; ++leap) {
        input(a.path(), a.rtp_packet(Ssrc(5000), index, 3000, kVideo, h264(true, 300)));
        input(a.path(), a.rtp_packet(Ssrc(5000), index + 1, 3000, kVideo, h264(false, 300)));
        // Authentic, but of no known payload type: it moves the publisher's own counter and is not forwarded.
        input(a.path(), a.rtp_packet(Ssrc(5000), index + 30'000, 3000, PayloadType(99), h264(false, 300)));
        index += 60'000;
        deliver();
        ASSERT_EQ(b.rtp.size(), static_cast<std::size_t>(2 * (leap + 1)));
    }
    for (std::size_t i = 1; i < b.rtp.size(); ++i) {
        EXPECT_EQ(b.rtp[i].sequence_number, static_cast<std::uint16_t>(b.rtp[i - 1].sequence_number + 1));
    }
}

// Found by simulator seed 1: a publisher's last track is removed while its packets are still coming. What they
// say of their arrival was due for a report that nobody wrote, and the worker never left its timers.
TEST_F(NodeFixture, ReportsTheArrivalOfPacketsThatBelongToNoTrack) {
    rtp::ExtensionIds ids{.transport_cc = 3};
    Client& a = open(1, dtls::Role::kClient, ids);
    connect(a);
    command(video_track(1, 10, 5000));
    Bytes block(16);
    ByteWriter writer(block);
    rtp::ExtensionWriter extensions(writer);
    extensions.add_transport_sequence(ids, 77);
    extensions.finish();
    block.resize(writer.size());
    command(RemoveTrack{TrackId(10)});
    input(a.path(), a.rtp_packet(Ssrc(5000), 100, 3000, kVideo, h264(true, 300), true, block));
    a.rtcp.clear();
    advance(1s);
    std::size_t feedback = 0;
    for (const Bytes& compound : a.rtcp) {
        rtcp::CompoundReader reader(compound);
        while (const auto view = reader.next()) feedback += std::holds_alternative<rtcp::TransportFeedbackView>(*view);
    }
    EXPECT_EQ(feedback, 1U);
}

// Found by simulator seed 10: a TCP connection that was held up brings more than a burst holds at once.
TEST_F(NodeFixture, ForwardsMoreInOneTurnThanABurstHolds) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    constexpr std::size_t kPackets = 3 * Burst::kMaxPackets + 5;
    for (std::size_t i = 0; i < kPackets; ++i) {
        input(a.path(), a.rtp_packet(Ssrc(5000), 100 + i, 3000, kVideo, h264(i == 0, 300)));
    }
    deliver();
    ASSERT_EQ(b.rtp.size(), kPackets);
    for (std::size_t i = 1; i < kPackets; ++i) {
        EXPECT_EQ(b.rtp[i].sequence_number, static_cast<std::uint16_t>(b.rtp[0].sequence_number + i));
    }
}

// Found by simulator seed 154: the first packet of a key frame comes last.
TEST_F(NodeFixture, AKeyFrameWhoseFirstPacketComesLastIsForwardedWhole) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    for (const std::uint64_t index : {99, 101, 102, 104}) {
        input(a.path(), a.rtp_packet(Ssrc(5000), index, 3000, kVideo, h264(false, 200 + index)));
        deliver();
    }
    EXPECT_TRUE(b.rtp.empty());
    // Two in one burst: what comes with it is not sent twice.
    input(a.path(), a.rtp_packet(Ssrc(5000), 100, 3000, kVideo, h264(true, 300)));
    input(a.path(), a.rtp_packet(Ssrc(5000), 103, 3000, kVideo, h264(false, 303)));
    deliver();
    ASSERT_EQ(b.rtp.size(), 5U) << "but nothing from before the key frame";
    std::vector<std::pair<std::uint16_t, std::size_t>> got;
    for (const ReceivedRtp& packet : b.rtp) {
        got.emplace_back(static_cast<std::uint16_t>(packet.sequence_number - b.rtp[0].sequence_number),
                         packet.payload.size());
    }
    std::sort(got.begin(), got.end());
    const std::vector<std::pair<std::uint16_t, std::size_t>> expected{{0, 300}, {1, 301}, {2, 302}, {3, 303}, {4, 304}};
    EXPECT_EQ(got, expected);
}

TEST_F(NodeFixture, AnswersNothingButStunBeforeThePathIsProven) {
    Client& a = open(1);
    const Path stranger = path_of(99);
    Bytes hello(64, 0);
    hello[0] = 22;
    input(stranger, hello);
    input(a.path(), hello);
    Bytes rtp(64, 0);
    rtp[0] = 0x80;
    input(a.path(), rtp);
    Bytes bad = a.check();
    bad[40] ^= 1;
    input(a.path(), bad);
    deliver();
    EXPECT_EQ(a.stun_answers, 0);
    EXPECT_EQ(node.counters().unknown_address, 3U);
    EXPECT_EQ(node.counters().stun_refused, 1U);
    connect(a);
    EXPECT_EQ(a.stun_answers, 1);
}

TEST_F(NodeFixture, FollowsAPeerToANewAddressOnlyAfterAnAuthenticatedCheck) {
    Client& a = open(1, dtls::Role::kClient);
    Client& b = open(2);
    connect(a);
    connect(b);
    command(video_track(1, 10, 5000));
    command(subscribe_video(2, 10, 7000));
    input(a.path(), a.rtp_packet(Ssrc(5000), 1, 0, kVideo, h264(true, 500)));
    deliver();
    ASSERT_EQ(b.rtp.size(), 1U);
    const Path moved = path_of(50);
    b.move_to(moved);
    input(moved, b.rtcp_packet(Bytes{0x80, 201, 0, 1, 0, 0, 0, 9}));
    input(a.path(), a.rtp_packet(Ssrc(5000), 2, 0, kVideo, h264(false, 500)));
    deliver();
    EXPECT_EQ(b.rtp.size(), 1U) << "media alone moves nothing";
    input(moved, b.check());
    deliver();
    input(a.path(), a.rtp_packet(Ssrc(5000), 3, 0, kVideo, h264(false, 500)));
    deliver();
    EXPECT_EQ(b.rtp.size(), 2U);
}

TEST_F(NodeFixture, TellsWhenAPeerIsGone) {
    Client& a = open(1);
    open(2);
    connect(a);
    take_events<PeerConnected>();
    advance(29s);
    auto gone = take_events<PeerDisconnected>();
    EXPECT_TRUE(gone.empty());
    advance(2s);
    gone = take_events<PeerDisconnected>();
    ASSERT_EQ(gone.size(), 2U);
    EXPECT_EQ(gone[0].reason == DisconnectReason::kIceFailed ? gone[0].peer : gone[1].peer, PeerId(1));
    EXPECT_EQ(node.counters().peers, 0U);
    EXPECT_FALSE(node.next_deadline().has_value() && *node.next_deadline() <= now);
}

TEST_F(NodeFixture, CapsThePublisherAtTheSumOfItsTracks) {
    Client& a = open(1, dtls::Role::kClient);
    connect(a);
    AddTrack video = video_track(1, 10, 5000);
    video.max_bitrate = Bitrate::kbps(200);
    command(video);
    AddTrack audio = video_track(1, 11, 6000);
    audio.kind = MediaKind::kAudio;
    audio.codec = Codec::kOpus;
    audio.payload_type = kOpus;
    audio.mid = "0";
    command(audio);
    advance(1500ms);
    std::optional<Bitrate> remb;
    for (const Bytes& compound : a.rtcp) {
        rtcp::CompoundReader reader(compound);
        while (const auto view = reader.next()) {
            if (const auto* r = std::get_if<rtcp::RembView>(&*view)) remb = r->bitrate;
        }
    }
    ASSERT_TRUE(remb.has_value());
    EXPECT_NEAR(static_cast<double>(remb->bps()), 264'000, 500);
    EXPECT_EQ(node.counters().told_bps, 264'000U);
    command(ClosePeer{PeerId(1)});
    EXPECT_EQ(node.counters().told_bps, 0U);
}

TEST_F(NodeFixture, TellsHowLoudAudioIsWhoseSenderSaysSo) {
    const rtp::ExtensionIds ids{.audio_level = 5};
    Client& a = open(1, dtls::Role::kClient, ids);
    connect(a);
    for (const std::uint32_t track : {11U, 12U}) {
        AddTrack audio = video_track(1, track, 6000 + 10 * track);
        audio.kind = MediaKind::kAudio;
        audio.codec = Codec::kOpus;
        audio.payload_type = kOpus;
        command(audio);
    }
    command(video_track(1, 10, 5000));
    const auto levels = [&] {
        std::vector<TrackLevel> out;
        node.append_audio_levels(now, out);
        return out;
    };
    EXPECT_TRUE(levels().empty());
    Bytes block(16);
    ByteWriter writer(block);
    rtp::ExtensionWriter extensions(writer);
    extensions.add_audio_level(ids, {.level = 21, .voice = true});
    extensions.finish();
    block.resize(writer.size());
    // Of 12 there are packets, but it does not say; a picture has no level whatever its header says.
    input(a.path(), a.rtp_packet(Ssrc(6110), 1, 960, kOpus, Bytes(80), true, block));
    input(a.path(), a.rtp_packet(Ssrc(6120), 1, 960, kOpus, Bytes(80)));
    input(a.path(), a.rtp_packet(Ssrc(5000), 1, 3000, kVideo, h264(true, 500), true, block));
    ASSERT_EQ(levels().size(), 1U);
    EXPECT_EQ(levels()[0].track, TrackId(11));
    EXPECT_EQ(levels()[0].level_dbov, -21);
    command(SetMuted{TrackId(11), true});
    EXPECT_TRUE(levels().empty());
}

TEST_F(NodeFixture, KeepsTheCountsOfItsTablesUnderRandomCommands) {
    Rng rng(7);
    for (std::uint32_t n = 1; n <= 6; ++n) connect(open(n, n % 2 != 0 ? dtls::Role::kClient : dtls::Role::kServer));
    std::uint32_t next_track = 100;
    std::vector<std::uint32_t> tracks;
    for (int i = 0; i < 3000; ++i) {
        const auto peer = static_cast<std::uint32_t>(1 + rng.below(6));
        const std::uint32_t track = tracks.empty() ? 1 : tracks[rng.below(tracks.size())];
        switch (rng.below(5)) {
            case 0:
                if (tracks.size() < 20) {
                    command(video_track(peer, next_track, next_track * 10));
                    tracks.push_back(next_track++);
                }
                break;
            case 1: command(subscribe_video(peer, track, 100'000 + track * 100 + peer * 4)); break;
            case 2: command(Unsubscribe{PeerId(peer), TrackId(track)}); break;
            case 3:
                command(RemoveTrack{TrackId(track)});
                std::erase(tracks, track);
                break;
            default: command(SetLayer{PeerId(peer), TrackId(track), Layer::kLow}); break;
        }
        ASSERT_EQ(node.counters().tracks, tracks.size());
        advance(2ms);
    }
    for (std::uint32_t n = 1; n <= 6; ++n) command(ClosePeer{PeerId(n)});
    EXPECT_EQ(node.counters().tracks, 0U);
    EXPECT_EQ(node.counters().subscriptions, 0U);
    EXPECT_EQ(node.counters().peers, 0U);
    sink.sent.clear();
    EXPECT_EQ(pool.in_use(), 0U) << "every slab came back";
}

}  // namespace
}  // namespace parley::sfu::test

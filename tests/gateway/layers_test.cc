// Players of a simulcast publisher. The publisher is a real peer of the node: which layers it
// sends, the node sees.
#include "../sfu/fixture.h"
#include "flv/video_tag.h"
#include "gateway/gateway.h"

namespace parley::gateway {
namespace {

constexpr StreamId kPlay{2};
constexpr TrackId kTrack{10};
constexpr PayloadType kVideo{108};
constexpr Ssrc kHigh{111};
constexpr Ssrc kLow{222};

/// As many conversions as `left`; nothing comes of them.
class FewConversions final : public Conversions {
public:
    bool open(ConversionId, ConversionKind) override {
        ++asked;
        return left > 0 && left-- > 0;
    }
    void submit(ConversionId, ConversionInput) override {}
    void close(ConversionId) override { ++left; }

    int left = 0;
    int asked = 0;
};

class LayersTest : public sfu::test::NodeFixture {
protected:
    LayersTest() : gateway(node, pool, conversions, Rng(2)) {}

    void SetUp() override {
        publisher = &open(1, dtls::Role::kClient);
        connect(*publisher);
        publish(sfu::Codec::kH264);
    }
    void publish(sfu::Codec codec_of_track) {
        codec = codec_of_track;
        command(sfu::RemoveTrack{kTrack});
        command(sfu::AddTrack{
            .peer = PeerId(1),
            .track = kTrack,
            .kind = sfu::MediaKind::kVideo,
            .codec = codec,
            .payload_type = kVideo,
            .mid = "1",
            .encodings = {{.rid = "hi", .ssrc = kHigh}, {.rid = "lo", .ssrc = kLow}}});
    }
    void play(sfu::Layer layer) {
        const PlayTrack track{.track = kTrack,
                              .publisher = 1,
                              .kind = sfu::MediaKind::kVideo,
                              .codec = codec,
                              .simulcast = true,
                              .layer = layer};
        ASSERT_TRUE(gateway.start_play(now, kPlay, {track}, out));
    }
    void packet(Ssrc layer, ByteView payload, bool last) {
        std::uint64_t& index = layer == kHigh ? high_index : low_index;
        input(publisher->path(),
              publisher->rtp_packet(layer, index++, timestamp, kVideo, payload, last));
    }
    /// One picture; its last byte tells the layer.
    void picture(Ssrc layer, bool key) {
        if (key) {
            packet(layer, Bytes{0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x01, 0x40, 0x16, 0x40}, false);
            packet(layer,
                   Bytes{0x68, 0xCE, 0x3C, static_cast<std::uint8_t>(layer == kHigh ? 0x80 : 0x81)},
                   false);
        }
        Bytes slice(40, 0x33);
        slice[0] = key ? 0x65 : 0x41;
        slice[1] = key ? 0x88 : 0x9B;
        slice.back() = layer == kHigh ? 'H' : 'L';
        packet(layer, slice, true);
    }
    /// 33 ms in which these layers send a picture each.
    void frame(bool high, bool low, bool high_is_key = false, bool low_is_key = false) {
        timestamp += 3'000;
        if (high) picture(kHigh, high_is_key);
        if (low) picture(kLow, low_is_key);
        deliver();
        node.take_tapped(tapped);
        gateway.handle_tapped(now, tapped, out);
        advance(33ms);
        auto node_out = outputs();
        gateway.handle_timeout(now, node_out, out);
        EXPECT_TRUE(out.failed.empty());
        while (const auto message = gateway.take(now, kPlay)) {
            if (message->message.kind != flv::MediaKind::kVideo) continue;
            EXPECT_GE(message->timestamp_ms, last_ms);
            last_ms = message->timestamp_ms;
            const auto tag = flv::parse_video_tag(message->message.bytes());
            ASSERT_TRUE(tag.has_value());
            const bool is_config = tag->packet_type == flv::VideoPacketType::kSequenceHeader;
            shown += is_config ? 'c' : static_cast<char>(tag->data.back());
        }
    }
    std::string take_shown() { return std::exchange(shown, {}); }

    FewConversions conversions;
    Gateway gateway;
    GatewayOutputs out;
    sfu::Codec codec = sfu::Codec::kH264;
    sfu::test::Client* publisher = nullptr;
    std::vector<sfu::Node::Tapped> tapped;
    std::uint64_t high_index = 100;
    std::uint64_t low_index = 9'000;
    std::uint32_t timestamp = 0;
    std::int64_t last_ms = 0;
    std::string shown;
};

TEST_F(LayersTest, APlayerFollowsWhatTheEncoderSends) {
    frame(true, true, true, true);
    play(sfu::Layer::kHigh);
    frame(true, true, true, false);
    frame(true, true);
    EXPECT_EQ(take_shown(), "cHH");

    // The encoder leaves the high layer out: on with the low one, from its next key frame.
    for (int i = 0; i < 100; ++i) frame(false, true);
    EXPECT_EQ(take_shown(), "") << "pictures that nobody could decode";
    frame(false, true, false, true);
    frame(false, true);
    EXPECT_EQ(take_shown(), "cLL");

    // It is back: the wanted one again, also from a key frame, and no picture is missed until then.
    frame(true, true);
    frame(true, true);
    EXPECT_EQ(take_shown(), "LL");
    frame(true, true, true, false);
    frame(true, true);
    EXPECT_EQ(take_shown(), "cHH");

    gateway.stop_play(kPlay);
    frame(true, true, true, true);
    EXPECT_TRUE(tapped.empty());
    EXPECT_FALSE(node.is_wanted(kTrack));
}

TEST_F(LayersTest, APlayerThatLeavesOnItsWayLeavesNothingBehind) {
    frame(true, true, true, true);
    play(sfu::Layer::kHigh);
    for (int i = 0; i < 100; ++i) frame(false, true);
    EXPECT_TRUE(node.is_wanted(kTrack));
    gateway.stop_play(kPlay);
    EXPECT_FALSE(node.is_wanted(kTrack));
}

TEST_F(LayersTest, ALayerThatComesBackBeforeTheSwitchIsKept) {
    frame(true, true, true, true);
    play(sfu::Layer::kHigh);
    frame(true, true, true, false);
    for (int i = 0; i < 100; ++i) frame(false, true);
    frame(true, true);
    take_shown();
    frame(true, true, false, true);
    frame(true, true);
    EXPECT_EQ(take_shown(), "HH") << "the low layer's key frame is nobody's any more";
}

TEST_F(LayersTest, ALayerThatNoCodecIsFreeForIsNotAskedForWithEveryTick) {
    publish(sfu::Codec::kVp8);
    conversions.left = 1;
    frame(true, true);
    play(sfu::Layer::kHigh);
    ASSERT_EQ(conversions.asked, 1);
    for (int i = 0; i < 200; ++i) frame(false, true);
    EXPECT_GE(conversions.asked, 3);
    EXPECT_LE(conversions.asked, 8) << "once a second";
    EXPECT_GT(gateway.counters().no_conversion, 0U);
}

}  // namespace
}  // namespace parley::gateway

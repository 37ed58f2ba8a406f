#include "gateway/gateway.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "dtls/fake_endpoint.h"
#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/avc_config.h"
#include "flv/metadata.h"
#include "flv/video_tag.h"
#include "media/packet_sink.h"

namespace parley::gateway {
namespace {

constexpr StreamId kPush{1};
constexpr StreamId kPlay{2};
constexpr TrackId kAudioTrack{10};
constexpr TrackId kVideoTrack{11};

/// Conversions that are only written down.
class FakeConversions final : public Conversions {
public:
    bool open(ConversionId id, ConversionKind kind) override {
        if (refuse) return false;
        opened[id] = kind;
        return true;
    }
    void submit(ConversionId id, ConversionInput input) override {
        EXPECT_TRUE(opened.contains(id)) << "input for a conversion that is not open";
        inputs.push_back(std::move(input));
    }
    void close(ConversionId id) override { EXPECT_EQ(opened.erase(id), 1u) << "closed twice"; }

    bool refuse = false;
    std::map<ConversionId, ConversionKind> opened;
    std::vector<ConversionInput> inputs;
};

class NoSink final : public media::PacketSink {
public:
    std::uint8_t* reserve(std::size_t size) override {
        memory_.resize(size);
        return memory_.data();
    }
    void commit(const Path&, std::size_t, std::size_t, Instant) override {}

private:
    Bytes memory_;
};

Bytes nal(std::uint8_t header, std::uint8_t first, std::uint8_t seed) {
    Bytes out{0, 0, 0, 40, header, first};
    for (std::size_t i = 2; i < 40; ++i)
        out.push_back(static_cast<std::uint8_t>(1 + (i * 7 + seed) % 250));
    return out;
}

/// A baseline stream of 1280 x 720.
Bytes avc_record() {
    flv::AvcConfig config;
    config.profile_idc = 0x42;
    config.constraint_flags = 0xC0;
    config.level_idc = 0x1F;
    config.sps = {{0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x01, 0x40, 0x16, 0x40}};
    config.pps = {{0x68, 0xCE, 0x3C, 0x80}};
    return flv::write_avc_config(config);
}

Bytes other_record() {
    Bytes record = avc_record();
    record[3] = 0x28;
    return record;
}

class GatewayTest : public ::testing::Test {
protected:
    GatewayTest()
        : dtls(dtls::create_fake_factory(1)),
          pool(8192),
          node(*dtls, pool, Rng(1)),
          gateway(node, pool, conversions, Rng(2)) {}

    sfu::NodeOutputs node_out() { return {sink, events}; }
    void message(flv::MediaKind kind, std::int64_t ms, Bytes payload) {
        auto out_node = node_out();
        gateway.handle_message(
            now, kPush, {kind, ms, flv::make_payload(std::move(payload))}, out_node, out);
    }
    void video_header(std::int64_t ms = 0) {
        message(flv::MediaKind::kVideo, ms, flv::write_avc_sequence_header(avc_record()));
    }
    void audio_header(std::int64_t ms = 0) {
        message(
            flv::MediaKind::kAudio, ms, flv::write_aac_sequence_header(flv::write_aac_config({})));
    }
    void picture(std::int64_t ms, bool key) {
        const Bytes unit = key ? nal(0x65, 0x88, 1) : nal(0x41, 0x9B, 2);
        message(flv::MediaKind::kVideo, ms, flv::write_avc_frame(key, 0, unit));
    }
    void sound(std::int64_t ms) {
        message(flv::MediaKind::kAudio, ms, flv::write_aac_frame(Bytes(30, 0x21)));
    }
    void advance(Duration by) {
        const Instant end = now + by;
        while (now < end) {
            now += Gateway::kTick;
            auto out_node = node_out();
            gateway.handle_timeout(now, out_node, out);
        }
    }
    /// What room control does with found tracks.
    void add_tracks() {
        auto out_node = node_out();
        for (const FoundTracks& found : std::exchange(out.found, {})) {
            for (const sfu::MediaKind kind : found.kinds) {
                const bool audio = kind == sfu::MediaKind::kAudio;
                const sfu::AddLocalTrack track{audio ? kAudioTrack : kVideoTrack,
                                               found.stream,
                                               kind,
                                               audio ? sfu::Codec::kOpus : sfu::Codec::kH264};
                node.handle_command(now, track, out_node);
                gateway.handle_track(track);
            }
        }
    }
    void publish_both() {
        gateway.start_publish(now, {}, kPush);
        video_header();
        audio_header();
        add_tracks();
    }
    std::vector<sfu::Node::Tapped> tapped() {
        auto out_node = node_out();
        node.flush(now, out_node);
        std::vector<sfu::Node::Tapped> packets;
        node.take_tapped(packets);
        return packets;
    }
    std::vector<PlayMessage> taken(StreamId stream = kPlay) {
        std::vector<PlayMessage> all;
        while (auto one = gateway.take(now, stream)) all.push_back(std::move(*one));
        return all;
    }
    static PlayTrack video_track(sfu::Codec codec = sfu::Codec::kH264) {
        return {kVideoTrack, 7, sfu::MediaKind::kVideo, codec, false};
    }
    static PlayTrack audio_track() {
        return {kAudioTrack, 7, sfu::MediaKind::kAudio, sfu::Codec::kOpus, false};
    }

    std::unique_ptr<dtls::Factory> dtls;
    media::PacketPool pool;
    NoSink sink;
    std::vector<sfu::MediaEvent> events;
    sfu::Node node;
    FakeConversions conversions;
    Gateway gateway;
    GatewayOutputs out;
    Instant now{1000s};
};

TEST_F(GatewayTest, BothKindsAreFoundTogetherHoweverTheyCome) {
    gateway.start_publish(now, {}, kPush);
    video_header();
    picture(0, true);
    EXPECT_TRUE(out.found.empty()) << "the sound may follow";
    advance(300ms);
    audio_header(300);
    ASSERT_EQ(out.found.size(), 1u);
    EXPECT_EQ(out.found[0].kinds.size(), 2u);
    advance(5s);
    EXPECT_EQ(out.found.size(), 1u) << "told once";
}

TEST_F(GatewayTest, OneKindAloneIsToldAfterASecondAndTheOtherWhenItComes) {
    gateway.start_publish(now, {}, kPush);
    video_header();
    advance(1100ms);
    ASSERT_EQ(out.found.size(), 1u);
    EXPECT_EQ(out.found[0].kinds, std::vector{sfu::MediaKind::kVideo});
    advance(4s);
    audio_header(5100);
    ASSERT_EQ(out.found.size(), 2u);
    EXPECT_EQ(out.found[1].kinds, std::vector{sfu::MediaKind::kAudio});
}

TEST_F(GatewayTest, PublishWithoutAnythingUsableEndsWithAReason) {
    gateway.start_publish(now, {}, kPush);
    message(flv::MediaKind::kVideo, 0, {0x12, 0, 0, 0, 0});  // H.263
    message(flv::MediaKind::kAudio, 0, {0x22, 1, 2, 3});     // MP3
    message(flv::MediaKind::kVideo, 0, {});
    advance(2s);
    EXPECT_TRUE(out.failed.empty());
    advance(1s);
    ASSERT_EQ(out.failed.size(), 1u);
    EXPECT_EQ(out.failed[0].stream, kPush);
    EXPECT_TRUE(out.found.empty());
    EXPECT_EQ(gateway.counters().publishers, 0u);
}

TEST_F(GatewayTest, PlayerOfAPublisherGetsMetadataConfigurationsAndTheCachedGroup) {
    publish_both();
    picture(0, true);
    sound(0);
    picture(40, false);
    sound(23);
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track(), audio_track()}, out));
    const std::vector<PlayMessage> got = taken();
    ASSERT_GE(got.size(), 5u);
    const auto metadata = flv::parse_metadata(got[0].message.bytes());
    ASSERT_TRUE(metadata);
    EXPECT_EQ(metadata->video_codec_id, 7);
    EXPECT_EQ(metadata->audio_codec_id, 10);
    EXPECT_EQ(metadata->audio_sample_rate_hz, 48'000);
    std::size_t configs = 0;
    bool first_picture = true;
    std::int64_t last = 0;
    for (std::size_t i = 1; i < got.size(); ++i) {
        EXPECT_GE(got[i].timestamp_ms, last) << "from 0, never back";
        last = got[i].timestamp_ms;
        if (got[i].message.kind == flv::MediaKind::kVideo) {
            const auto tag = flv::parse_video_tag(got[i].message.bytes());
            ASSERT_TRUE(tag);
            if (tag->is_sequence_header()) {
                ++configs;
            } else if (std::exchange(first_picture, false)) {
                EXPECT_TRUE(tag->is_key_frame());
            }
        } else {
            configs += flv::parse_audio_tag(got[i].message.bytes())->is_sequence_header() ? 1 : 0;
        }
    }
    EXPECT_EQ(configs, 2u);
    EXPECT_FALSE(first_picture);
    EXPECT_TRUE(conversions.opened.empty()) << "its own frames need no codec";
    out.clear();
    picture(80, false);
    sound(80);
    advance(100ms);
    EXPECT_FALSE(out.woken.empty());
    EXPECT_GE(taken().size(), 2u);
}

TEST_F(GatewayTest, OneKindAloneIsPlayedAlone) {
    publish_both();
    picture(0, true);
    sound(0);
    ASSERT_TRUE(gateway.start_play(now, kPlay, {audio_track()}, out));
    picture(40, false);
    sound(46);
    advance(100ms);
    const std::vector<PlayMessage> got = taken();
    ASSERT_GE(got.size(), 3u);
    const auto metadata = flv::parse_metadata(got[0].message.bytes());
    ASSERT_TRUE(metadata);
    EXPECT_FALSE(metadata->video_codec_id) << "silent players of some phones wait for it";
    for (const PlayMessage& one : got) EXPECT_NE(one.message.kind, flv::MediaKind::kVideo);
}

TEST_F(GatewayTest, SoundIsConvertedOnlyWhileSomebodyListens) {
    publish_both();
    for (std::int64_t ms = 0; ms < 500; ms += 20) sound(ms);
    EXPECT_TRUE(conversions.opened.empty());
    ASSERT_TRUE(node.add_tap(now, kAudioTrack, sfu::Layer::kHigh));
    sound(500);
    ASSERT_EQ(conversions.opened.size(), 1u);
    ASSERT_EQ(conversions.inputs.size(), 2u);
    EXPECT_EQ(conversions.inputs[0].what, ConversionInput::What::kConfig);
    EXPECT_EQ(conversions.inputs[1].timestamp, (500ms + 0ns).count());
    const ConversionId id = conversions.opened.begin()->first;
    auto out_node = node_out();
    gateway.handle_conversion(now, {id, false, {{960, false, Bytes(50, 1), {}}}}, out_node, out);
    const auto packets = tapped();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(packets[0].packet->payload().size(), 50u);
    node.remove_tap(kAudioTrack, sfu::Layer::kHigh);
    for (std::int64_t ms = 520; ms < 7'000; ms += 20) {
        advance(20ms);
        sound(ms);
    }
    EXPECT_TRUE(conversions.opened.empty());
}

TEST_F(GatewayTest, FirstSubscriberGetsTheCachedGroupAtOnce) {
    publish_both();
    picture(0, true);
    for (std::int64_t ms = 40; ms < 1'000; ms += 40) picture(ms, false);
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    picture(1'000, false);
    const auto packets = tapped();
    ASSERT_GE(packets.size(), 26u);
    EXPECT_TRUE(packets[0].packet->is_key_frame);
    const std::uint32_t span =
        packets.back().packet->rtp_timestamp - packets[0].packet->rtp_timestamp;
    EXPECT_LT(span, 90u * 100) << "shown at once, not at its own pace";
    picture(1'040, false);
    EXPECT_EQ(tapped().size(), 1u) << "once only";
}

/// What the room does with a stream whose B pictures are references (design section 6).
class ReorderedTest : public GatewayTest {
protected:
    ReorderedTest() {
        gateway.start_publish(now, {}, kPush);
        video_header();
        advance(1100ms);
        add_tracks();
    }
    /// I P B b b, each with its place in the order of showing.
    void group(std::int64_t ms) {
        picture_at(ms, 80, nal(0x65, 0x88, 1), true);
        picture_at(ms + 40, 200, nal(0x41, 0x9B, 2));
        picture_at(ms + 80, 80, nal(0x41, 0x9E, 3));
        picture_at(ms + 120, 0, nal(0x01, 0x9E, 4));
        picture_at(ms + 160, 40, nal(0x01, 0x9E, 5));
    }
    void picture_at(std::int64_t ms, std::int32_t later, const Bytes& unit, bool key = false) {
        message(flv::MediaKind::kVideo, ms, flv::write_avc_frame(key, later, unit));
    }
    void converted(std::int64_t timestamp, bool key, Bytes config = {}) {
        ASSERT_EQ(conversions.opened.size(), 1u);
        const ConversionId id = conversions.opened.begin()->first;
        auto out_node = node_out();
        const Bytes unit = key ? nal(0x65, 0x88, 1) : nal(0x41, 0x9B, 2);
        gateway.handle_conversion(
            now, {id, false, {{timestamp, key, unit, std::move(config)}}}, out_node, out);
    }
};

TEST_F(ReorderedTest, BrowsersGetItConvertedWhileTheyLookAndPlayersAsItIs) {
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track()}, out));
    group(0);
    EXPECT_TRUE(conversions.opened.empty()) << "a player takes the pictures as they are";
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    picture_at(200, 200, nal(0x41, 0x9B, 6));
    picture_at(240, 80, nal(0x41, 0x9E, 7));
    ASSERT_EQ(conversions.opened.size(), 1u);
    EXPECT_EQ(conversions.opened.begin()->second, ConversionKind::kH264ToH264);
    ASSERT_GE(conversions.inputs.size(), 2u);
    EXPECT_EQ(conversions.inputs[0].what, ConversionInput::What::kConfig);
    EXPECT_EQ(conversions.inputs[0].data, avc_record());
    EXPECT_EQ(conversions.inputs[0].before.size(), 5u) << "the group so far";
    const std::int64_t first = conversions.inputs[1].timestamp;
    const std::int64_t second = conversions.inputs.back().timestamp;
    EXPECT_EQ(first - second, (80ms + 0ns).count()) << "times of showing, in the order of decoding";
    tapped();
    converted(first, false);
    EXPECT_TRUE(tapped().empty())
        << "of an earlier conversion: the first frame has a configuration";
    converted(second, true, other_record());
    converted(first, false);
    const auto started = tapped();
    ASSERT_GE(started.size(), 2u);
    EXPECT_TRUE(started[0].packet->is_key_frame);

    node.remove_tap(kVideoTrack, sfu::Layer::kHigh);
    picture_at(280, 0, nal(0x01, 0x9E, 8));
    EXPECT_TRUE(conversions.opened.empty()) << "nobody looks";
    const std::size_t before = conversions.inputs.size();
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    picture_at(320, 40, nal(0x01, 0x9E, 9));
    ASSERT_EQ(conversions.inputs.size(), before + 2);
    EXPECT_EQ(conversions.inputs[before].before.size(), 8u);
    EXPECT_TRUE(tapped().empty()) << "nothing of it goes out unconverted any more";
    converted((600ms + 0ns).count(), true, other_record());
    converted((680ms + 0ns).count(), false);
    const auto packets = tapped();
    ASSERT_GE(packets.size(), 2u);
    EXPECT_EQ(packets.back().packet->rtp_timestamp - packets[0].packet->rtp_timestamp, 80u * 90);
    advance(100ms);
    std::size_t pictures = 0;
    for (const PlayMessage& one : taken())
        pictures += one.message.kind == flv::MediaKind::kVideo ? 1 : 0;
    EXPECT_EQ(pictures, 10u) << "nine pictures and the configuration";
}

TEST_F(ReorderedTest, WhoComesLaterGetsAKeyFrameOfOurEncoder) {
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    group(0);
    const auto requests = [&] {
        return std::ranges::count(
            conversions.inputs, ConversionInput::What::kKeyFrame, &ConversionInput::what);
    };
    converted((80ms + 0ns).count(), true, other_record());
    advance(1s);
    EXPECT_EQ(requests(), 0) << "it begins with one";
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    picture_at(1'240, 200, nal(0x41, 0x9B, 6));
    picture_at(1'280, 80, nal(0x41, 0x9E, 7));
    EXPECT_EQ(requests(), 1);
    converted((1'440ms + 0ns).count(), true);
    advance(1s);
    picture_at(2'320, 200, nal(0x41, 0x9B, 8));
    EXPECT_EQ(requests(), 1) << "answered";
}

TEST_F(ReorderedTest, AnotherSequenceHeaderIsLookedAtAnew) {
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    group(0);
    ASSERT_EQ(conversions.opened.size(), 1u);
    video_header(200);
    EXPECT_EQ(conversions.opened.size(), 1u) << "the same again changes nothing";
    message(flv::MediaKind::kVideo, 240, flv::write_avc_sequence_header(other_record()));
    EXPECT_TRUE(conversions.opened.empty());
    tapped();
    picture(280, true);
    picture(320, false);
    EXPECT_GE(tapped().size(), 2u) << "it passes as it is";
    EXPECT_TRUE(conversions.opened.empty());
}

TEST_F(ReorderedTest, AFullPoolIsToldOnceAndAskedAgainLater) {
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    conversions.refuse = true;
    group(0);
    group(200);
    ASSERT_EQ(out.warnings.size(), 1u);
    EXPECT_EQ(out.warnings[0].stream, kPush);
    EXPECT_TRUE(out.failed.empty()) << "the stream goes on";
    EXPECT_EQ(gateway.counters().no_conversion, 1u);
    advance(VideoConverter::kRetry);
    group(1'200);
    EXPECT_EQ(out.warnings.size(), 1u);
    conversions.refuse = false;
    advance(VideoConverter::kRetry);
    group(2'400);
    EXPECT_EQ(conversions.opened.size(), 1u);
    EXPECT_EQ(gateway.counters().conversions, 1u);
    gateway.stop_publish(kPush);
    EXPECT_TRUE(conversions.opened.empty());
}

TEST_F(GatewayTest, PlayOfABrowserOpensOneConversionForAllAndDropsItWithTheLast) {
    auto out_node = node_out();
    node.handle_command(
        now,
        sfu::AddLocalTrack{kAudioTrack, {}, sfu::MediaKind::kAudio, sfu::Codec::kOpus},
        out_node);
    constexpr StreamId kOther{3};
    ASSERT_TRUE(gateway.start_play(now, kPlay, {audio_track()}, out));
    ASSERT_TRUE(gateway.start_play(now, kOther, {audio_track()}, out));
    ASSERT_EQ(conversions.opened.size(), 1u);
    const ConversionId id = conversions.opened.begin()->first;
    gateway.handle_conversion(
        now, {id, false, {{1'024, false, Bytes(40, 1), flv::write_aac_config({})}}}, out_node, out);
    for (const StreamId stream : {kPlay, kOther}) EXPECT_EQ(taken(stream).size(), 3u);
    gateway.stop_play(kPlay);
    EXPECT_EQ(conversions.opened.size(), 1u);
    gateway.stop_play(kOther);
    EXPECT_TRUE(conversions.opened.empty());
    EXPECT_FALSE(node.is_wanted(kAudioTrack));
    // A result on its way finds nobody.
    gateway.handle_conversion(now, {id, false, {{2'048, false, Bytes(40, 1), {}}}}, out_node, out);
}

/// Enhanced RTMP: a codec that is named by four characters.
class EnhancedTest : public GatewayTest {
protected:
    void opus(std::int64_t ms, Bytes packet) {
        message(flv::MediaKind::kAudio,
                ms,
                flv::write_enhanced_audio_tag(
                    flv::fourcc("Opus"), flv::AudioPacketType::kFrame, packet));
    }
    void foreign(std::int64_t ms, flv::VideoPacketType type, bool key, const Bytes& data) {
        message(flv::MediaKind::kVideo,
                ms,
                flv::write_enhanced_video_tag(
                    flv::fourcc("hvc1"),
                    type,
                    key ? flv::VideoFrameType::kKey : flv::VideoFrameType::kInter,
                    0,
                    data));
    }
    static constexpr std::uint8_t kTwentyMs = 0xFC;  ///< CELT, full band, stereo, one frame
    const Bytes head{'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 2, 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0};
    const Bytes hvcc = [] {
        Bytes record(23, 0);
        record[0] = 1;
        record[22] = 2;
        for (const std::uint8_t type : Bytes{33, 34}) {
            const Bytes set{type, 0, 1, 0, 1, 7};
            record.insert(record.end(), set.begin(), set.end());
        }
        return record;
    }();
};

TEST_F(EnhancedTest, OpusGoesToBrowsersAsItIsAndToPlayersAsAac) {
    gateway.start_publish(now, {}, kPush);
    message(flv::MediaKind::kAudio,
            0,
            flv::write_enhanced_audio_tag(
                flv::fourcc("Opus"), flv::AudioPacketType::kSequenceHeader, head));
    advance(1100ms);
    ASSERT_EQ(out.found.size(), 1u);
    add_tracks();
    ASSERT_TRUE(node.add_tap(now, kAudioTrack, sfu::Layer::kHigh));
    // Times as an encoder rounds them.
    for (const std::int64_t ms : {1'100, 1'121, 1'140, 1'159})
        opus(ms, {kTwentyMs, static_cast<std::uint8_t>(ms)});
    auto packets = tapped();
    ASSERT_EQ(packets.size(), 4u);
    EXPECT_EQ(packets[1].packet->payload()[1], static_cast<std::uint8_t>(1'121));
    for (std::size_t i = 1; i < packets.size(); ++i) {
        EXPECT_EQ(packets[i].packet->rtp_timestamp - packets[i - 1].packet->rtp_timestamp, 960u)
            << "to the sample";
    }
    opus(1'679, {kTwentyMs, 1});
    packets = tapped();
    ASSERT_EQ(packets.size(), 1u) << "after a hole";
    EXPECT_TRUE(conversions.opened.empty());

    ASSERT_TRUE(gateway.start_play(now, kPlay, {audio_track()}, out));
    ASSERT_EQ(conversions.opened.size(), 1u);
    EXPECT_EQ(conversions.opened.begin()->second, ConversionKind::kOpusToAac);
    opus(1'699, {kTwentyMs, 2});
    auto again = tapped();
    gateway.handle_tapped(now, again, out);
    ASSERT_FALSE(conversions.inputs.empty());
    EXPECT_EQ(conversions.inputs.back().data, (Bytes{kTwentyMs, 2}));
}

// Its pictures are played as they came, the sound that was not yet there by way of the node.
TEST_F(EnhancedTest, OpusThatComesLateIsOnTheClockOfThePictures) {
    constexpr std::int64_t kBehind = 5'000;  // where the encoder's clock begins
    gateway.start_publish(now, {std::uint64_t{3'900'000'000} << 32}, kPush);
    message(flv::MediaKind::kVideo, kBehind, flv::write_avc_sequence_header(avc_record()));
    picture(kBehind, true);
    advance(1100ms);
    add_tracks();
    advance(1900ms);
    message(flv::MediaKind::kAudio,
            kBehind + 3'000,
            flv::write_enhanced_audio_tag(
                flv::fourcc("Opus"), flv::AudioPacketType::kSequenceHeader, head));
    advance(20ms);
    add_tracks();
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track(), audio_track()}, out));
    ASSERT_EQ(conversions.opened.size(), 1u);
    const ConversionId id = conversions.opened.begin()->first;
    const auto first = taken();
    ASSERT_EQ(first.size(), 3u) << "the picture does not wait for an encoder of sound";
    const auto metadata = flv::parse_metadata(first[0].message.bytes());
    ASSERT_TRUE(metadata);
    EXPECT_EQ(metadata->audio_sample_rate_hz, 48'000);
    EXPECT_EQ(metadata->stereo, true);

    std::map<std::int64_t, std::int64_t> shown;  // by the encoder's time
    std::map<std::int64_t, std::int64_t> heard;
    const auto take = [&] {
        for (const PlayMessage& one : taken()) {
            const ByteView bytes = one.message.bytes();
            if (one.message.kind == flv::MediaKind::kAudio) {
                const auto tag = flv::parse_audio_tag(bytes);
                if (tag->is_sequence_header()) continue;
                heard[tag->data[0] * 20] = one.timestamp_ms;
            } else if (one.message.kind == flv::MediaKind::kVideo) {
                const auto tag = flv::parse_video_tag(bytes);
                if (tag->packet_type == flv::VideoPacketType::kFrame && !tag->is_key_frame())
                    shown[(tag->data[6] - 15) * 20] = one.timestamp_ms;  // see nal()
            }
        }
    };
    // The first packets of sound are half a second on their way.
    for (std::int64_t n = 1; n <= 100; ++n) {
        const std::int64_t ms = kBehind + 3'000 + n * 20;
        const auto mark = static_cast<std::uint8_t>(n);
        if (n % 2 == 0) {
            message(
                flv::MediaKind::kVideo, ms, flv::write_avc_frame(false, 0, nal(0x41, 0x9B, mark)));
        }
        if (n == 25) {
            for (std::int64_t late = 1; late < 25; ++late)
                opus(kBehind + 3'000 + late * 20, {kTwentyMs, static_cast<std::uint8_t>(late)});
        }
        if (n >= 25) opus(ms, {kTwentyMs, mark});
        auto packets = tapped();
        gateway.handle_tapped(now, packets, out);
        for (ConversionInput& input : std::exchange(conversions.inputs, {})) {
            if (input.what != ConversionInput::What::kFrame) continue;
            const Bytes config = heard.empty() ? flv::write_aac_config({}) : Bytes{};
            auto out_node = node_out();
            gateway.handle_conversion(
                now,
                {id, false, {{input.timestamp, false, {input.data[1]}, config}}},
                out_node,
                out);
        }
        advance(20ms);
        take();
    }
    advance(300ms);
    take();
    std::size_t compared = 0;
    for (const auto& [moment, at] : heard) {
        if (!shown.contains(moment) || moment < 600) continue;
        EXPECT_NEAR(static_cast<double>(at), static_cast<double>(shown[moment]), 20) << moment;
        ++compared;
    }
    EXPECT_GT(compared, 30u);
}

TEST_F(EnhancedTest, HevcIsConvertedForBrowsersAndPlayersAlike) {
    gateway.start_publish(now, {}, kPush);
    foreign(0, flv::VideoPacketType::kSequenceHeader, true, hvcc);
    advance(1100ms);
    add_tracks();
    foreign(1'100, flv::VideoPacketType::kFrame, true, Bytes(50, 2));
    foreign(1'140, flv::VideoPacketType::kFrame, false, Bytes(50, 3));
    EXPECT_TRUE(conversions.opened.empty()) << "nobody looks";
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track()}, out));
    foreign(1'180, flv::VideoPacketType::kFrame, false, Bytes(50, 4));
    ASSERT_EQ(conversions.opened.size(), 1u);
    EXPECT_EQ(conversions.opened.begin()->second, ConversionKind::kHevcToH264);
    ASSERT_GE(conversions.inputs.size(), 2u);
    EXPECT_EQ(conversions.inputs[0].data, hvcc);
    EXPECT_EQ(conversions.inputs[0].before.size(), 2u);
    EXPECT_EQ(conversions.inputs.back().data, Bytes(50, 4));
    const ConversionId id = conversions.opened.begin()->first;
    auto out_node = node_out();
    gateway.handle_conversion(
        now,
        {id, false, {{(1'180ms + 0ns).count(), true, nal(0x65, 0x88, 1), avc_record()}}},
        out_node,
        out);
    auto packets = tapped();
    ASSERT_GE(packets.size(), 1u);
    gateway.handle_tapped(now, packets, out);
    advance(200ms);
    const auto got = taken();
    ASSERT_EQ(got.size(), 3u) << "metadata, configuration, picture: of H.264";
    EXPECT_TRUE(flv::parse_video_tag(got[2].message.bytes())->is_key_frame());
    EXPECT_EQ(flv::parse_video_tag(got[2].message.bytes())->codec, flv::VideoCodec::kAvc);
    gateway.stop_play(kPlay);
    foreign(1'220, flv::VideoPacketType::kFrame, false, Bytes(50, 5));
    EXPECT_TRUE(conversions.opened.empty());
}

TEST_F(EnhancedTest, WithoutACodecForHevcThePlayerIsRefusedAndTheEncoderTold) {
    gateway.start_publish(now, {}, kPush);
    foreign(0, flv::VideoPacketType::kSequenceHeader, true, hvcc);
    advance(1100ms);
    add_tracks();
    foreign(1'100, flv::VideoPacketType::kFrame, true, Bytes(50, 2));
    conversions.refuse = true;
    const auto refused = gateway.start_play(now, kPlay, {video_track()}, out);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kUnsupported);
    EXPECT_EQ(gateway.counters().players, 0u);
    EXPECT_FALSE(node.is_wanted(kVideoTrack)) << "the tap is gone";
    foreign(1'140, flv::VideoPacketType::kFrame, false, Bytes(50, 3));
    ASSERT_EQ(out.warnings.size(), 1u);
    EXPECT_EQ(out.warnings[0].stream, kPush);

    conversions.refuse = false;
    advance(VideoConverter::kRetry);
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track()}, out));
    EXPECT_EQ(conversions.opened.size(), 1u);
    // Another sequence header begins anew, and the place has gone to somebody else.
    conversions.refuse = true;
    Bytes other = hvcc;
    other.back() ^= 1;
    foreign(2'200, flv::VideoPacketType::kSequenceHeader, true, other);
    foreign(2'200, flv::VideoPacketType::kFrame, true, Bytes(50, 2));
    ASSERT_EQ(out.failed.size(), 1u);
    EXPECT_EQ(out.failed[0].stream, kPlay);
    EXPECT_EQ(out.warnings.size(), 2u);
    EXPECT_EQ(gateway.counters().players, 0u);
    EXPECT_EQ(gateway.counters().publishers, 1u) << "which goes on";
}

TEST_F(GatewayTest, SoundThatNoCodecIsFreeForIsToldOnceAndAskedForAgainLater) {
    publish_both();
    ASSERT_TRUE(node.add_tap(now, kAudioTrack, sfu::Layer::kHigh));
    conversions.refuse = true;
    for (std::int64_t ms = 100; ms < 200; ms += 20) sound(ms);
    ASSERT_EQ(out.warnings.size(), 1u);
    EXPECT_EQ(out.warnings[0].stream, kPush);
    EXPECT_TRUE(conversions.opened.empty());
    conversions.refuse = false;
    sound(200);
    EXPECT_TRUE(conversions.opened.empty()) << "not with each frame";
    advance(VideoConverter::kRetry);
    sound(1'200);
    EXPECT_EQ(conversions.opened.size(), 1u);
    EXPECT_EQ(out.warnings.size(), 1u);
}

TEST_F(EnhancedTest, AStreamOfH264DoesNotBecomeAnother) {
    publish_both();
    picture(0, true);
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track()}, out));
    foreign(40, flv::VideoPacketType::kSequenceHeader, true, hvcc);
    foreign(40, flv::VideoPacketType::kFrame, true, Bytes(50, 2));
    picture(80, false);
    advance(100ms);
    for (const PlayMessage& one : taken()) {
        if (one.message.kind != flv::MediaKind::kVideo) continue;
        EXPECT_EQ(flv::parse_video_tag(one.message.bytes())->codec, flv::VideoCodec::kAvc);
    }
    EXPECT_TRUE(conversions.opened.empty());
}

/// What an encoder puts beside its pictures (user data unregistered) reaches everybody.
TEST_F(GatewayTest, SeiGoesWithThePictureToBrowsersAndPlayers) {
    publish_both();
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track()}, out));
    ASSERT_TRUE(node.add_tap(now, kVideoTrack, sfu::Layer::kHigh));
    Bytes sei{0, 0, 0, 21, 0x06, 5, 18};
    for (std::uint8_t i = 1; i <= 16; ++i) sei.push_back(i);
    for (const char c : {'h', 'i'}) sei.push_back(static_cast<std::uint8_t>(c));
    sei[3] = static_cast<std::uint8_t>(sei.size() - 4);
    Bytes unit = sei;
    const Bytes slice = nal(0x65, 0x88, 1);
    unit.insert(unit.end(), slice.begin(), slice.end());
    message(flv::MediaKind::kVideo, 0, flv::write_avc_frame(true, 0, unit));
    const auto holds_sei = [&](ByteView bytes) {
        return std::search(bytes.begin(), bytes.end(), sei.begin() + 4, sei.end()) != bytes.end();
    };
    const auto packets = tapped();
    EXPECT_TRUE(std::any_of(packets.begin(), packets.end(), [&](const auto& one) {
        return holds_sei(one.packet->payload());
    }));
    advance(100ms);
    const auto got = taken();
    EXPECT_TRUE(std::any_of(got.begin(), got.end(), [&](const PlayMessage& one) {
        return holds_sei(one.message.bytes());
    }));
}

class MixTest : public GatewayTest {
protected:
    static constexpr TrackId kFirst{20};
    static constexpr TrackId kSecond{21};

    void add(TrackId track) {
        auto out_node = node_out();
        node.handle_command(
            now,
            sfu::AddLocalTrack{track, {}, sfu::MediaKind::kAudio, sfu::Codec::kOpus},
            out_node);
    }
    static PlayTrack sound_of(TrackId track) {
        return {track, track.value, sfu::MediaKind::kAudio, sfu::Codec::kOpus, false};
    }
    void say(TrackId track) {
        auto packet = pool.allocate();
        std::fill_n(packet->data.begin(), 52, std::uint8_t{0x80});
        packet->size = 52;
        packet->payload_offset = 12;
        packet->payload_size = 40;
        packet->ext_seq = sequence++;
        packet->rtp_timestamp = static_cast<std::uint32_t>(packet->ext_seq) * 960;
        auto out_node = node_out();
        node.handle_local_packet(now, track, std::move(packet), out_node);
        node.flush(now, out_node);
        std::vector<sfu::Node::Tapped> packets;
        node.take_tapped(packets);
        gateway.handle_tapped(now, packets, out);
    }
    void mixed(std::int64_t timestamp, Bytes config = {}) {
        auto out_node = node_out();
        const ConversionId id = conversions.opened.begin()->first;
        gateway.handle_conversion(
            now, {id, false, {{timestamp, false, Bytes(40, 1), std::move(config)}}}, out_node, out);
    }
    std::uint64_t sequence = 1 << 16;
};

TEST_F(MixTest, SoundOfSeveralIsOneStreamForAllWhoAskForTheSame) {
    add(kFirst);
    add(kSecond);
    constexpr StreamId kOther{3};
    ASSERT_TRUE(gateway.start_play(now, kPlay, {sound_of(kFirst), sound_of(kSecond)}, out));
    ASSERT_TRUE(gateway.start_play(now, kOther, {sound_of(kSecond), sound_of(kFirst)}, out));
    ASSERT_EQ(conversions.opened.size(), 1u);
    EXPECT_EQ(conversions.opened.begin()->second, ConversionKind::kMixToAac);
    say(kFirst);
    say(kSecond);
    conversions.inputs.clear();
    advance(MixSource::kStep);
    ASSERT_GE(conversions.inputs.size(), 1u);
    EXPECT_EQ(conversions.inputs[0].what, ConversionInput::What::kMix);
    ASSERT_EQ(conversions.inputs[0].sounds.size(), 2u);
    EXPECT_EQ(conversions.inputs[0].sounds[0].track, kFirst);
    EXPECT_EQ(conversions.inputs[0].sounds[1].track, kSecond);
    conversions.inputs.clear();
    advance(200ms);
    EXPECT_GE(conversions.inputs.size(), 9u) << "the mixer goes on when nobody says anything";
    EXPECT_TRUE(conversions.inputs[0].sounds.empty());
    mixed(0, flv::write_aac_config({}));
    mixed(1'024);
    for (const StreamId stream : {kPlay, kOther}) {
        const auto got = taken(stream);
        ASSERT_EQ(got.size(), 4u) << "metadata, configuration, sound";
        EXPECT_EQ(got[3].timestamp_ms - got[2].timestamp_ms, 21);
    }
    gateway.stop_play(kPlay);
    EXPECT_EQ(conversions.opened.size(), 1u);
    gateway.stop_play(kOther);
    EXPECT_TRUE(conversions.opened.empty());
    EXPECT_FALSE(node.is_wanted(kFirst));
    EXPECT_FALSE(node.is_wanted(kSecond));
}

TEST_F(MixTest, ItIsBesideThePictureOfThePublisher) {
    publish_both();
    add(kFirst);
    add(kSecond);
    for (std::int64_t ms = 0; ms < 5'000; ms += 40) {
        advance(40ms);
        picture(ms, ms % 2'000 == 0);
    }
    ASSERT_TRUE(
        gateway.start_play(now, kPlay, {video_track(), sound_of(kFirst), sound_of(kSecond)}, out));
    for (std::int64_t i = 0; i < 10; ++i) {
        advance(40ms);
        picture(5'000 + 40 * i, false);
        mixed(1'920 * i, i == 0 ? flv::write_aac_config({}) : Bytes());
    }
    advance(200ms);
    std::int64_t last_picture = 0;
    std::int64_t last_sound = 0;
    for (const PlayMessage& one : taken()) {
        (one.message.kind == flv::MediaKind::kVideo ? last_picture : last_sound) = one.timestamp_ms;
    }
    EXPECT_NEAR(static_cast<double>(last_picture - last_sound),
                static_cast<double>(to_ms(MixSource::kLatency)),
                1)
        << "what was heard when the picture came";
}

TEST_F(MixTest, ARoomsSoundFollowsWhoComesAndGoes) {
    constexpr StreamId kOther{3};
    constexpr std::uint64_t kRoom = 5;
    add(kFirst);
    // Two listeners of one room: the first owns the first sound.
    RoomSound sound{kRoom, 71, {{kFirst, 71}}};
    ASSERT_TRUE(gateway.start_play(now, kPlay, {}, out, &sound));
    sound.listener = 72;
    ASSERT_TRUE(gateway.start_play(now, kOther, {}, out, &sound));
    ASSERT_EQ(conversions.opened.size(), 1u) << "one mixer for the room";
    const auto plan = [&]() -> const MixPlan& {
        conversions.inputs.clear();
        advance(MixSource::kStep);
        return *conversions.inputs.at(0).plan;
    };
    {
        const MixPlan& first = plan();
        EXPECT_EQ(first.inputs, std::vector{kFirst});
        ASSERT_EQ(first.outputs.size(), 2u);
        EXPECT_EQ(first.outputs[0].id, 71u);
        EXPECT_EQ(first.outputs[0].left_out, std::vector{kFirst}) << "never one's own";
        EXPECT_TRUE(first.outputs[1].left_out.empty());
    }
    // The word of a track may be here before the track.
    gateway.set_room_sound(now, kRoom, {{kFirst, 71}, {kSecond, 72}});
    EXPECT_EQ(plan().inputs.size(), 2u);
    EXPECT_FALSE(node.is_wanted(kSecond));
    add(kSecond);
    EXPECT_EQ(plan().outputs[1].left_out, std::vector{kSecond});
    EXPECT_TRUE(node.is_wanted(kSecond));
    say(kSecond);
    conversions.inputs.clear();
    advance(MixSource::kStep);
    ASSERT_EQ(conversions.inputs.at(0).sounds.size(), 1u);
    EXPECT_EQ(conversions.inputs[0].sounds[0].track, kSecond);
    gateway.set_room_sound(now, kRoom, {{kSecond, 72}});
    EXPECT_EQ(plan().inputs, std::vector{kSecond});
    EXPECT_FALSE(node.is_wanted(kFirst));
    gateway.set_room_sound(now, kRoom + 1, {{kFirst, 71}});
    EXPECT_FALSE(node.is_wanted(kFirst)) << "nobody plays that room";

    // Each gets what was mixed for him, with its configuration in front; one who comes later, too.
    const ConversionId id = conversions.opened.begin()->first;
    const auto mixed_for = [&](std::uint64_t listener, std::int64_t time, Bytes config) {
        auto out_node = node_out();
        ConvertedFrame frame{time, false, Bytes(40, 1), std::move(config)};
        frame.output = listener;
        gateway.handle_conversion(now, {id, false, {std::move(frame)}}, out_node, out);
    };
    mixed_for(71, 0, flv::write_aac_config({}));
    mixed_for(71, 1'024, {});
    EXPECT_EQ(taken(kPlay).size(), 4u) << "metadata, configuration, sound";
    EXPECT_TRUE(taken(kOther).empty());
    constexpr StreamId kLater{4};
    sound.listener = 71;
    ASSERT_TRUE(gateway.start_play(now, kLater, {}, out, &sound));
    mixed_for(71, 2'048, {});
    EXPECT_EQ(taken(kLater).size(), 5u) << "with what was heard last";
    EXPECT_EQ(taken(kPlay).size(), 1u) << "and nothing twice";
    gateway.stop_play(kPlay);
    gateway.stop_play(kLater);
    EXPECT_EQ(plan().outputs.size(), 1u);
    gateway.stop_play(kOther);
    EXPECT_TRUE(conversions.opened.empty());
    EXPECT_FALSE(node.is_wanted(kSecond));
    gateway.set_room_sound(now, kRoom, {{kFirst, 71}});
    EXPECT_FALSE(node.is_wanted(kFirst));
}

TEST_F(MixTest, ARoomsSoundGoesWithOnePicture) {
    publish_both();
    add(kFirst);
    const RoomSound sound{5, 71, {{kFirst, 72}}};
    for (std::int64_t ms = 0; ms < 400; ms += 40) {
        advance(40ms);
        picture(ms, ms == 0);
    }
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track()}, out, &sound));
    const ConversionId id = conversions.opened.begin()->first;
    auto out_node = node_out();
    ConvertedFrame frame{0, false, Bytes(40, 1), flv::write_aac_config({})};
    frame.output = 71;
    gateway.handle_conversion(now, {id, false, {std::move(frame)}}, out_node, out);
    advance(200ms);
    std::size_t pictures = 0;
    std::size_t sounds = 0;
    for (const PlayMessage& one : taken()) {
        ++(one.message.kind == flv::MediaKind::kVideo ? pictures : sounds);
    }
    EXPECT_GT(pictures, 5u);
    EXPECT_EQ(sounds, 3u) << "with metadata and configuration";
}

TEST_F(MixTest, ARoomTakesALimitedNumberOfListenersAndSounds) {
    RoomSound sound{5, 0, {}};
    for (std::uint32_t i = 0; i < MixSource::kMaxInputs + 5; ++i) {
        const TrackId track(1'000 + i);
        add(track);
        sound.inputs.push_back({track, 500 + i});
    }
    for (std::uint64_t i = 0; i < MixSource::kMaxOutputs; ++i) {
        sound.listener = 1 + i;
        ASSERT_TRUE(gateway.start_play(now, StreamId(100 + i), {}, out, &sound)) << i;
    }
    sound.listener = 1'000;
    EXPECT_FALSE(gateway.start_play(now, StreamId(999), {}, out, &sound));
    sound.listener = 1;
    EXPECT_TRUE(gateway.start_play(now, StreamId(999), {}, out, &sound)) << "he is there already";
    EXPECT_TRUE(node.is_wanted(sound.inputs[MixSource::kMaxInputs - 1].track));
    EXPECT_FALSE(node.is_wanted(sound.inputs[MixSource::kMaxInputs].track));
}

TEST_F(MixTest, WhatCannotBeMixedIsGivenBack) {
    add(kFirst);
    EXPECT_FALSE(gateway.start_play(now, kPlay, {sound_of(kFirst), sound_of(kSecond)}, out))
        << "the second is not at the node";
    EXPECT_FALSE(node.is_wanted(kFirst));
    add(kSecond);
    conversions.refuse = true;
    EXPECT_FALSE(gateway.start_play(now, kPlay, {sound_of(kFirst), sound_of(kSecond)}, out));
    EXPECT_TRUE(conversions.opened.empty());
    EXPECT_FALSE(node.is_wanted(kSecond));
    EXPECT_EQ(gateway.counters().players, 0u);
}

TEST_F(GatewayTest, PlayIsRefusedWhenNoCodecIsFreeOrTheTrackIsGone) {
    auto out_node = node_out();
    node.handle_command(
        now,
        sfu::AddLocalTrack{kVideoTrack, {}, sfu::MediaKind::kVideo, sfu::Codec::kVp8},
        out_node);
    conversions.refuse = true;
    EXPECT_FALSE(gateway.start_play(now, kPlay, {video_track(sfu::Codec::kVp8)}, out));
    conversions.refuse = false;
    EXPECT_FALSE(gateway.start_play(now, kPlay, {audio_track()}, out))
        << "no such track at the node";
    EXPECT_TRUE(conversions.opened.empty()) << "given back";
    EXPECT_EQ(gateway.counters().players, 0u);
    EXPECT_FALSE(gateway.take(now, kPlay));
}

TEST_F(GatewayTest, SlowPlayerIsBroughtForwardThenClosedAndNobodyElseNotices) {
    publish_both();
    constexpr StreamId kFast{3};
    ASSERT_TRUE(gateway.start_play(now, kPlay, {video_track(), audio_track()}, out));
    ASSERT_TRUE(gateway.start_play(now, kFast, {video_track(), audio_track()}, out));
    std::size_t got = 0;
    bool closed = false;
    for (std::int64_t ms = 0; ms < 60'000 && !closed; ms += 40) {
        advance(40ms);
        picture(ms, ms % 2'000 == 0);
        sound(ms);
        got += taken(kFast).size();
        for (const StreamFailed& failed : out.failed) {
            EXPECT_EQ(failed.stream, kPlay);
            closed = true;
        }
        out.clear();
    }
    EXPECT_TRUE(closed);
    EXPECT_EQ(gateway.counters().slow_players, 1u);
    EXPECT_GT(got, 200u);
    EXPECT_EQ(gateway.counters().players, 1u);
}

}  // namespace
}  // namespace parley::gateway

#include <gtest/gtest.h>

#include <vector>

#include "base/encoding.h"
#include "media/av1.h"
#include "media/opus.h"
#include "media/vp8.h"
#include "media/vp9.h"

namespace parley::media {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

TEST(Vp8, Descriptors) {
    struct Case {
        const char* name;
        std::string_view payload;
        std::uint8_t size;
        std::optional<std::uint16_t> picture_id;
        std::optional<std::uint8_t> tl0;
        std::optional<std::uint8_t> temporal;
        bool frame;
        bool keyframe;
    };
    for (const Case& c : std::vector<Case>{
             {"shortest, key frame", "1000", 1, {}, {}, {}, true, true},
             {"shortest, other frame", "1001", 1, {}, {}, {}, true, false},
             {"second partition", "1100", 1, {}, {}, {}, false, false},
             {"middle of a partition", "0000", 1, {}, {}, {}, false, false},
             {"7-bit picture id", "90801100", 3, 0x11, {}, {}, true, true},
             {"15-bit picture id", "9080923400", 4, 0x1234, {}, {}, true, true},
             {"everything", "90f092340765" "01", 6, 0x1234, 7, 1, true, false},
             {"key index only", "90101f00", 3, {}, {}, {}, true, true},
             {"extension bits without fields", "9000" "00", 2, {}, {}, {}, true, true},
             {"descriptor only", "10", 1, {}, {}, {}, false, false},
         }) {
        const auto d = parse_vp8_descriptor(hex(c.payload));
        ASSERT_TRUE(d) << c.name;
        EXPECT_EQ(d->size, c.size) << c.name;
        EXPECT_EQ(d->picture_id, c.picture_id) << c.name;
        EXPECT_EQ(d->tl0_picture_index, c.tl0) << c.name;
        EXPECT_EQ(d->temporal_layer, c.temporal) << c.name;
        EXPECT_EQ(is_vp8_frame_start(hex(c.payload)), c.frame) << c.name;
        EXPECT_EQ(is_vp8_keyframe_start(hex(c.payload)), c.keyframe) << c.name;
    }
    const auto full = parse_vp8_descriptor(hex("b0f092340765" "01"));
    ASSERT_TRUE(full);
    EXPECT_TRUE(full->non_reference);
    EXPECT_TRUE(full->layer_sync);
    EXPECT_EQ(full->key_index, 5);
}

TEST(Vp8, EveryTruncationOfTheDescriptorFails) {
    const Bytes full = hex("90f092340765");
    for (std::size_t size = 0; size < full.size(); ++size) {
        const Bytes cut(full.begin(), full.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(parse_vp8_descriptor(cut)) << size;
        EXPECT_FALSE(is_vp8_keyframe_start(cut));
    }
}

TEST(Vp8, RewritesInPlace) {
    for (const auto& [before, after] : std::vector<std::pair<std::string_view, std::string_view>>{
             {"90f09234076500", "90f0fffe096500"},
             {"90801100", "90807e00"},        // 7 bits stay 7 bits
             {"90400700", "90400900"},
             {"1000", "1000"}}) {
        Bytes payload = hex(before);
        const auto d = parse_vp8_descriptor(payload);
        ASSERT_TRUE(d);
        rewrite_vp8_descriptor(payload, *d, 0x7FFE, 9);
        EXPECT_EQ(payload, hex(after));
    }
    Bytes shorter = hex("90");  // not the payload that the descriptor came from
    rewrite_vp8_descriptor(shorter, *parse_vp8_descriptor(hex("90f09234076500")), 1, 1);
    EXPECT_EQ(shorter, hex("90"));
}

TEST(Vp9, Descriptors) {
    struct Case {
        const char* name;
        std::string_view payload;
        std::uint8_t size;
        std::optional<std::uint16_t> picture_id;
        std::uint8_t temporal;
        std::uint8_t spatial;
        bool frame;
        bool keyframe;
    };
    for (const Case& c : std::vector<Case>{
             {"key frame", "08", 1, {}, 0, 0, true, true},
             {"predicted", "48", 1, {}, 0, 0, true, false},
             {"middle of a key frame", "00", 1, {}, 0, 0, false, false},
             {"libwebrtc key frame", "8a92341234", 3, 0x1234, 0, 0, true, true},
             {"7-bit picture id", "8811", 2, 0x11, 0, 0, true, true},
             {"layers", "a8" "9234" "32" "07", 5, 0x1234, 1, 1, false, false},
             {"lowest spatial layer", "a8" "9234" "30" "07", 5, 0x1234, 1, 0, true, true},
             {"flexible with two references", "f8" "9234" "10" "0304", 6, 0x1234, 0, 0, true, false},
         }) {
        const auto d = parse_vp9_descriptor(hex(c.payload));
        ASSERT_TRUE(d) << c.name;
        EXPECT_EQ(d->size, c.size) << c.name;
        EXPECT_EQ(d->picture_id, c.picture_id) << c.name;
        EXPECT_EQ(d->temporal_layer, c.temporal) << c.name;
        EXPECT_EQ(d->spatial_layer, c.spatial) << c.name;
        EXPECT_EQ(is_vp9_frame_start(hex(c.payload)), c.frame) << c.name;
        EXPECT_EQ(is_vp9_keyframe_start(hex(c.payload)), c.keyframe) << c.name;
    }
    const Bytes longest = hex("f8" "9234" "10" "030504");
    EXPECT_TRUE(parse_vp9_descriptor(longest));
    for (std::size_t size = 0; size < longest.size(); ++size) {
        const Bytes cut(longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(parse_vp9_descriptor(cut)) << size;
    }
    const auto four = parse_vp9_descriptor(hex("f8" "9234" "10" "03050706"));
    ASSERT_FALSE(four);
    EXPECT_EQ(four.error().code, Errc::kMalformed);
}

TEST(Av1, AggregationHeader) {
    EXPECT_FALSE(parse_av1_aggregation_header({}));
    const auto header = parse_av1_aggregation_header(hex("d8"));
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->continues);
    EXPECT_TRUE(header->continued);
    EXPECT_EQ(header->obu_count, 1);
    EXPECT_TRUE(header->starts_sequence);
    EXPECT_TRUE(is_av1_keyframe_start(hex("180a")));
    EXPECT_FALSE(is_av1_keyframe_start(hex("100a")));
    EXPECT_FALSE(is_av1_keyframe_start(hex("980a")));
    EXPECT_FALSE(is_av1_keyframe_start({}));
}

TEST(Opus, DurationsOfEveryConfiguration) {
    // RFC 6716 table 2, in units of 2.5 ms.
    const std::vector<int> sizes{4, 8, 16, 24, 4, 8, 16, 24, 4, 8, 16, 24, 4, 8, 4, 8,
                                 1, 2, 4,  8,  1, 2, 4,  8,  1, 2, 4,  8,  1, 2, 4, 8};
    for (unsigned config = 0; config < 32; ++config) {
        const Bytes packet{static_cast<std::uint8_t>(config << 3 | 4), 1, 2, 3};
        const auto info = parse_opus_packet(packet);
        ASSERT_TRUE(info);
        EXPECT_EQ(info->duration, sizes[config] * Duration(2500us)) << config;
        EXPECT_TRUE(info->stereo);
        EXPECT_FALSE(info->dtx);
        EXPECT_EQ(info->mode,
                  config < 12   ? OpusMode::kSilk
                  : config < 16 ? OpusMode::kHybrid
                                : OpusMode::kCelt);
    }
}

TEST(Opus, FrameCounts) {
    EXPECT_EQ(parse_opus_packet(hex("7901ff"))->frame_count, 2);
    EXPECT_EQ(parse_opus_packet(hex("7a01ff"))->duration, 40ms);
    EXPECT_EQ(parse_opus_packet(hex("7b06ff"))->duration, 120ms);
    EXPECT_EQ(parse_opus_packet(hex("7bc3ff"))->frame_count, 3);  // VBR and padding bits
    EXPECT_EQ(parse_opus_packet(hex("7b07ff")).error().code, Errc::kMalformed);  // 140 ms
    EXPECT_EQ(parse_opus_packet(hex("7b00ff")).error().code, Errc::kMalformed);
    EXPECT_EQ(parse_opus_packet(hex("7b")).error().code, Errc::kTruncated);
    EXPECT_EQ(parse_opus_packet({}).error().code, Errc::kTruncated);
    EXPECT_TRUE(parse_opus_packet(hex("78"))->dtx);
    EXPECT_TRUE(parse_opus_packet(hex("7800"))->dtx);
    EXPECT_FALSE(parse_opus_packet(hex("780000"))->dtx);
}

}  // namespace
}  // namespace parley::media

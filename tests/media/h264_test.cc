#include "media/h264.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::media {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

TEST(H264, NalUnitsOfPayloads) {
    struct Case {
        const char* name;
        std::string_view payload;
        std::vector<std::string> expected;  ///< header, s and e for first and last piece, data
        bool malformed = false;
    };
    for (const Case& c : std::vector<Case>{
             {"single", "65aabb", {"65 se aabb"}},
             {"STAP-A", "780002aabb000167", {"aa se bb", "67 se "}},
             {"FU-A start", "7c85aabb", {"65 s aabb"}},
             {"FU-A middle", "7c05aa", {"65  aa"}},
             {"FU-A end", "5c41aa", {"41 e aa"}},
             {"FU-A start and end", "7cc5aa", {}, true},
             {"FU-A without data", "7c85", {}, true},
             {"STAP-A unit over the end", "780001670003aabb", {"67 se "}, true},
             {"STAP-A empty unit", "780000", {}, true},
             {"STAP-A half a length", "78000167ff", {"67 se "}, true},
             {"STAP-B", "79000067aabb", {}},
             {"type 0", "60aa", {}},
             {"empty", "", {}, true},
         }) {
        const Bytes payload = hex(c.payload);
        RtpNalReader reader(payload);
        std::vector<std::string> read;
        while (const auto nal = reader.next()) {
            const std::array<std::uint8_t, 1> header{nal->header};
            read.push_back(hex_encode(header) + " " + (nal->starts ? "s" : "") + (nal->ends ? "e" : "") +
                           " " + hex_encode(nal->data));
        }
        EXPECT_EQ(read, c.expected) << c.name;
        EXPECT_EQ(reader.malformed(), c.malformed) << c.name;
    }
}

TEST(H264, KeyframeAndFrameStarts) {
    struct Case {
        const char* name;
        std::string_view payload;
        bool keyframe;
        bool frame;
    };
    for (const Case& c : {Case{"IDR", "6588", true, true},
                          Case{"second slice of an IDR picture", "6508", false, false},
                          Case{"SPS", "6742", true, true},
                          Case{"PPS", "68ce", false, true},
                          Case{"STAP-A of SPS and PPS", "78000267420002" "68ce", true, true},
                          Case{"STAP-A of PPS and IDR", "78000268ce0002" "6588", true, true},
                          Case{"STAP-A of SEI and slice", "78000206050002" "419a", false, true},
                          Case{"FU-A IDR start", "7c8588", true, true},
                          Case{"FU-A IDR middle", "7c0588", false, false},
                          Case{"FU-A IDR end", "7c4588", false, false},
                          Case{"FU-A slice start", "5c819a", false, true},
                          Case{"slice", "419a", false, true},
                          Case{"delimiter", "09f0", false, true},
                          Case{"filler", "0cff", false, false},
                          Case{"empty IDR", "65", false, false},
                          Case{"empty", "", false, false}}) {
        EXPECT_EQ(is_h264_keyframe_start(hex(c.payload)), c.keyframe) << c.name;
        EXPECT_EQ(is_h264_frame_start(hex(c.payload)), c.frame) << c.name;
    }
}

/// Writes an SPS bit by bit after section 7.3.2.1.1.
class SpsWriter {
public:
    void bits(std::uint64_t value, unsigned count) {
        for (unsigned i = count; i > 0; --i) bits_.push_back((value >> (i - 1) & 1) != 0);
    }
    void ue(std::uint32_t value) {
        const std::uint64_t code = std::uint64_t{value} + 1;
        unsigned length = 0;
        while (code >> (length + 1) != 0) ++length;
        bits(0, length);
        bits(code, length + 1);
    }
    void se(std::int32_t value) {
        const std::int64_t wide = value;
        ue(static_cast<std::uint32_t>(wide > 0 ? 2 * wide - 1 : -2 * wide));
    }
    /// With the stop bit, and emulation prevention (section 7.4.1.1).
    [[nodiscard]] Bytes nal(std::uint8_t profile, std::uint8_t flags, std::uint8_t level) const {
        std::vector<bool> all = bits_;
        all.push_back(true);
        while (all.size() % 8 != 0) all.push_back(false);
        Bytes rbsp{profile, flags, level};
        for (std::size_t i = 0; i < all.size(); i += 8) {
            unsigned byte = 0;
            for (std::size_t b = 0; b < 8; ++b) byte = byte << 1 | (all[i + b] ? 1u : 0u);
            rbsp.push_back(static_cast<std::uint8_t>(byte));
        }
        Bytes nal{0x67};
        int zeros = 0;
        for (const std::uint8_t byte : rbsp) {
            if (zeros == 2 && byte <= 3) {
                nal.push_back(3);
                zeros = 0;
            }
            nal.push_back(byte);
            zeros = byte == 0 ? zeros + 1 : 0;
        }
        return nal;
    }

private:
    std::vector<bool> bits_;
};

struct Picture {
    std::uint8_t profile = 66;
    std::uint32_t chroma = 1;
    bool scaling = false;
    std::uint32_t order_type = 0;
    std::uint32_t width_mbs = 80;
    std::uint32_t height_mbs = 45;
    bool frames_only = true;
    std::array<std::uint32_t, 4> crop{};
};

Bytes make_sps(const Picture& p) {
    SpsWriter w;
    w.ue(0);
    if (p.profile >= 100) {
        w.ue(p.chroma);
        if (p.chroma == 3) w.bits(0, 1);
        w.ue(0);
        w.ue(0);
        w.bits(0, 1);
        w.bits(p.scaling ? 1 : 0, 1);
        if (p.scaling) {
            for (unsigned list = 0; list < (p.chroma == 3 ? 12u : 8u); ++list) {
                w.bits(list % 2, 1);
                if (list % 2 == 1) {
                    for (unsigned i = 0; i < (list < 6 ? 16u : 64u); ++i) w.se(i % 2 == 0 ? 5 : -5);
                }
            }
        }
    }
    w.ue(4);
    w.ue(p.order_type);
    if (p.order_type == 0) w.ue(2);
    if (p.order_type == 1) {
        w.bits(0, 1);
        w.se(-3);
        w.se(100'000);
        w.ue(3);
        for (int i = 0; i < 3; ++i) w.se(-i);
    }
    w.ue(1);
    w.bits(0, 1);
    w.ue(p.width_mbs - 1);
    w.ue(p.height_mbs - 1);
    w.bits(p.frames_only ? 1 : 0, 1);
    if (!p.frames_only) w.bits(1, 1);
    w.bits(1, 1);
    const bool cropped = p.crop != std::array<std::uint32_t, 4>{};
    w.bits(cropped ? 1 : 0, 1);
    if (cropped) {
        for (const std::uint32_t side : p.crop) w.ue(side);
    }
    w.bits(0, 1);  // no VUI
    return w.nal(p.profile, 0xC0, 31);
}

TEST(H264Sps, SizesOfGeneratedOnes) {
    struct Case {
        const char* name;
        Picture picture;
        std::uint32_t width;
        std::uint32_t height;
    };
    for (const Case& c : std::vector<Case>{
             {"720p", {}, 1280, 720},
             {"1080p is cropped by 8 lines", {.width_mbs = 120, .height_mbs = 68, .crop = {0, 0, 0, 4}}, 1920, 1080},
             {"field coding", {.width_mbs = 120, .height_mbs = 34, .frames_only = false, .crop = {0, 0, 0, 2}}, 1920, 1080},
             {"order count type 1", {.order_type = 1}, 1280, 720},
             {"order count type 2", {.order_type = 2}, 1280, 720},
             {"high profile", {.profile = 100}, 1280, 720},
             {"scaling lists", {.profile = 100, .scaling = true}, 1280, 720},
             {"4:4:4 with scaling lists", {.profile = 244, .chroma = 3, .scaling = true, .crop = {1, 2, 3, 4}}, 1277, 713},
             {"4:2:2", {.profile = 122, .chroma = 2, .crop = {1, 0, 1, 0}}, 1278, 719},
             {"monochrome", {.profile = 100, .chroma = 0, .crop = {0, 1, 0, 1}}, 1279, 719},
             {"one macroblock", {.width_mbs = 1, .height_mbs = 1}, 16, 16},
             {"the largest", {.width_mbs = 1024, .height_mbs = 1024}, 16'384, 16'384},
         }) {
        const auto sps = parse_h264_sps(make_sps(c.picture));
        ASSERT_TRUE(sps) << c.name << ": " << sps.error().what;
        EXPECT_EQ(sps->profile_idc, c.picture.profile) << c.name;
        EXPECT_EQ(sps->constraint_flags, 0xC0) << c.name;
        EXPECT_EQ(sps->level_idc, 31) << c.name;
        EXPECT_EQ(sps->width, c.width) << c.name;
        EXPECT_EQ(sps->height, c.height) << c.name;
    }
}

TEST(H264Sps, AsEncodersWriteThem) {
    // High profile, level 3.1, 1280x720, with a VUI that has emulation prevention bytes.
    const auto x264 = parse_h264_sps(hex("6764001facd9405005bb011000000300100000030320f1831960"));
    ASSERT_TRUE(x264);
    EXPECT_EQ(x264->profile_idc, 100);
    EXPECT_EQ(x264->level_idc, 31);
    EXPECT_EQ(x264->width, 1280u);
    EXPECT_EQ(x264->height, 720u);
    // Constrained baseline, level 3.1, 640x480, with a VUI.
    const auto openh264 = parse_h264_sps(hex("6742c01f8c8d40501e900f08846a"));
    ASSERT_TRUE(openh264);
    EXPECT_EQ(openh264->profile_idc, 66);
    EXPECT_EQ(openh264->width, 640u);
    EXPECT_EQ(openh264->height, 480u);
}

TEST(H264Sps, EveryTruncationFailsOrKeepsTheSize) {
    for (const Picture& p : {Picture{}, Picture{.profile = 100, .scaling = true}, Picture{.order_type = 1}}) {
        const Bytes sps = make_sps(p);
        for (std::size_t size = 0; size < sps.size(); ++size) {
            const Bytes cut(sps.begin(), sps.begin() + static_cast<std::ptrdiff_t>(size));
            const auto parsed = parse_h264_sps(cut);
            if (parsed) {  // only the stop bit is missing
                EXPECT_EQ(parsed->width, 1280u);
                EXPECT_GE(size + 1, sps.size());
            }
        }
    }
}

TEST(H264Sps, ScalingDeltasOfAnySizeWrap) {
    // Found by fuzzing: last_scale plus 2^31 - 4.
    SpsWriter w;
    w.ue(0);
    w.ue(1);
    w.ue(0);
    w.ue(0);
    w.bits(0, 1);
    w.bits(1, 1);
    w.bits(1, 1);
    w.se(3);
    for (int i = 0; i < 15; ++i) w.se(i % 2 == 0 ? INT32_MAX - 3 : -INT32_MAX);
    EXPECT_EQ(parse_h264_sps(w.nal(100, 0, 31)).error().code, Errc::kTruncated);
}

TEST(H264Sps, Malformed) {
    const auto error = [](const Bytes& nal) {
        const auto sps = parse_h264_sps(nal);
        return sps ? std::optional<Errc>{} : sps.error().code;
    };
    EXPECT_EQ(error(hex("6842c01f8c8d40501e900f08846a")), Errc::kMalformed);  // a PPS
    EXPECT_EQ(error(make_sps({.width_mbs = 1025})), Errc::kTooLarge);
    EXPECT_EQ(error(make_sps({.height_mbs = 1025})), Errc::kTooLarge);
    EXPECT_EQ(error(make_sps({.height_mbs = 600, .frames_only = false})), Errc::kTooLarge);
    EXPECT_EQ(error(make_sps({.width_mbs = 0xFFFFFFFE})), Errc::kTooLarge);
    EXPECT_EQ(error(make_sps({.crop = {320, 320, 0, 0}})), Errc::kMalformed);
    EXPECT_EQ(error(make_sps({.crop = {0xFFFFFFFE, 0xFFFFFFFE, 0, 0}})), Errc::kMalformed);
    EXPECT_EQ(error(make_sps({.profile = 100, .chroma = 4})), Errc::kMalformed);
    EXPECT_EQ(error(hex("6742c01f" "00000000000000000000")), Errc::kTruncated);  // no code has 32 zeros
    EXPECT_EQ(error(hex("6742c0")), Errc::kTruncated);
    EXPECT_EQ(error({}), Errc::kTruncated);
}

std::vector<std::string> annex_b_units(std::string_view stream) {
    const Bytes bytes = hex(stream);
    std::vector<std::string> units;
    AnnexBReader reader(bytes);
    while (const auto unit = reader.next()) units.push_back(hex_encode(*unit));
    return units;
}

TEST(AnnexB, Units) {
    using Units = std::vector<std::string>;
    EXPECT_EQ(annex_b_units("00000001" "6742" "000001" "68ce" "0000000001" "6588"),
              (Units{"6742", "68ce", "6588"}));
    EXPECT_EQ(annex_b_units("ffff000001" "65" "0000"), Units{"65"});   // before and behind
    EXPECT_EQ(annex_b_units("000001" "000001" "65"), Units{"65"});     // an empty unit
    EXPECT_EQ(annex_b_units("000001" "6500000301"), Units{"6500000301"});
    EXPECT_EQ(annex_b_units("6742"), Units{});
    EXPECT_EQ(annex_b_units("000001"), Units{});
    EXPECT_EQ(annex_b_units(""), Units{});
}

TEST(Avcc, Units) {
    for (std::size_t length_size = 1; length_size <= 4; ++length_size) {
        Bytes stream;
        for (const Bytes& unit : {hex("6742"), hex(""), hex("65aabb")}) {
            stream.insert(stream.end(), length_size - 1, 0);
            stream.push_back(static_cast<std::uint8_t>(unit.size()));
            stream.insert(stream.end(), unit.begin(), unit.end());
        }
        AvccReader reader(stream, length_size);
        EXPECT_EQ(hex_encode(*reader.next()), "6742");
        EXPECT_EQ(hex_encode(*reader.next()), "65aabb");
        EXPECT_FALSE(reader.next());
        EXPECT_FALSE(reader.malformed());
        for (std::size_t size = 1; size < stream.size(); ++size) {
            AvccReader cut(ByteView(stream).first(size), length_size);
            std::size_t units = 0;
            while (cut.next()) ++units;
            EXPECT_LE(units, 1u);
            EXPECT_EQ(cut.malformed(), size != length_size + 2 && size != 2 * length_size + 2);
        }
    }
    const Bytes bytes = hex("0165");
    AvccReader none(bytes, 0);
    EXPECT_FALSE(none.next());
    EXPECT_TRUE(none.malformed());
}

}  // namespace
}  // namespace parley::media

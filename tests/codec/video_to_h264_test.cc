#include "codec/video_to_h264.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/libav.h"
#include "convert/h264_to_rtp.h"
#include "flv/avc_config.h"
#include "media/h264.h"
#include "pictures.h"

namespace parley::codec {
namespace {

using testing::annex_b_to_avcc;
using testing::PictureSource;

/// Decodes the outcome and tells the luma of each picture by its timestamp.
class Screen {
public:
    void show(const std::vector<H264Frame>& frames) {
        for (const H264Frame& f : frames) {
            if (!f.config.empty()) {
                const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_H264);
                decoder_ = make_context(codec, f.config);
                ASSERT_EQ(avcodec_open2(decoder_.get(), codec, nullptr), 0);
                EXPECT_TRUE(f.is_key_frame);
                ++configs;
            }
            ASSERT_TRUE(decoder_);
            const AvPacket packet(av_packet_alloc());
            ASSERT_TRUE(fill_packet(*packet, f.avcc));
            packet->pts = f.timestamp;
            ASSERT_EQ(avcodec_send_packet(decoder_.get(), packet.get()), 0);
            const AvFrame frame(av_frame_alloc());
            ASSERT_EQ(avcodec_receive_frame(decoder_.get(), frame.get()), 0)
                << "no picture waits for a later one";
            lumas.emplace_back(
                frame->pts,
                frame->data[0][frame->linesize[0] * (frame->height / 2) + frame->width / 2]);
            width = frame->width;
            height = frame->height;
            keys += f.is_key_frame ? 1 : 0;
        }
    }
    int configs = 0;
    int keys = 0;
    int width = 0;
    int height = 0;
    std::vector<std::pair<std::int64_t, int>> lumas;

private:
    AvContext decoder_;
};

struct CodecCase {
    const char* name;
    VideoCodec codec;
    const char* encoder;
    std::vector<std::pair<const char*, const char*>> options;
};
class VideoToH264Codecs : public ::testing::TestWithParam<CodecCase> {};

TEST_P(VideoToH264Codecs, ShowsTheSamePicturesAtTheSameTimes) {
    const CodecCase& c = GetParam();
    PictureSource source(c.encoder, 320, 180, c.options);
    ASSERT_TRUE(source.ok());
    auto transcoder = VideoToH264::create({.input = c.codec});
    ASSERT_TRUE(transcoder) << transcoder.error().what;
    Screen screen;
    auto coded = source.encode(25);
    for (auto& more : source.finish()) coded.push_back(std::move(more));
    ASSERT_EQ(coded.size(), 25U);
    for (std::size_t i = 0; i < coded.size(); ++i) {
        if (i == 12) (*transcoder)->request_key_frame();
        std::vector<H264Frame> out;
        ASSERT_TRUE((*transcoder)->handle_frame(coded[i].pts * 3'000, coded[i].data, out)) << i;
        for (const H264Frame& f : out) {
            if (f.config.empty()) continue;
            const auto config = flv::parse_avc_config(f.config);
            ASSERT_TRUE(config);
            EXPECT_EQ(config->profile_idc, 66);
            EXPECT_NE(config->constraint_flags & 0x40, 0) << "constrained baseline";
            const auto sps = media::parse_h264_sps(config->sps[0]);
            ASSERT_TRUE(sps);
            EXPECT_EQ(sps->width, 320U);
            EXPECT_EQ(sps->height, 180U);
        }
        screen.show(out);
        if (i == 12) {
            EXPECT_EQ(screen.keys, 2) << "at once";
        }
    }
    ASSERT_EQ(screen.lumas.size(), 25U);
    for (std::size_t i = 0; i < screen.lumas.size(); ++i) {
        EXPECT_EQ(screen.lumas[i].first, static_cast<std::int64_t>(i) * 3'000);
        EXPECT_NEAR(screen.lumas[i].second, PictureSource::luma(static_cast<std::int64_t>(i)), 4)
            << i;
    }
    EXPECT_EQ(screen.configs, 1);
    std::vector<H264Frame> out;
    EXPECT_FALSE((*transcoder)->handle_frame(0, {}, out));
}

INSTANTIATE_TEST_SUITE_P(
    Codecs,
    VideoToH264Codecs,
    ::testing::Values(
        CodecCase{"vp8",
                  VideoCodec::kVp8,
                  "libvpx",
                  {{"deadline", "realtime"}, {"lag-in-frames", "0"}, {"cpu-used", "8"}}},
        CodecCase{"vp9",
                  VideoCodec::kVp9,
                  "libvpx-vp9",
                  {{"deadline", "realtime"}, {"lag-in-frames", "0"}, {"cpu-used", "8"}}},
        CodecCase{"av1",
                  VideoCodec::kAv1,
                  "libaom-av1",
                  {{"usage", "realtime"}, {"cpu-used", "10"}, {"lag-in-frames", "0"}}}),
    [](const auto& tested) { return std::string(tested.param.name); });

/// HEVC as enhanced RTMP has it: parameter sets in the header (ISO/IEC 14496-15, hvcC), NAL units
/// behind lengths.
TEST(VideoToH264, HevcWithItsSequenceHeader) {
    PictureSource source(
        "libx265",
        320,
        180,
        {{"preset", "ultrafast"}, {"tune", "zerolatency"}, {"x265-params", "log-level=none"}});
    ASSERT_TRUE(source.ok());
    auto transcoder =
        VideoToH264::create({.input = VideoCodec::kHevc, .config = source.hevc_config()});
    ASSERT_TRUE(transcoder);
    auto coded = source.encode(20);
    for (auto& more : source.finish()) coded.push_back(std::move(more));
    Screen screen;
    for (const auto& c : coded) {
        std::vector<H264Frame> out;
        ASSERT_TRUE((*transcoder)->handle_frame(c.pts, annex_b_to_avcc(c.data), out));
        screen.show(out);
    }
    ASSERT_GE(screen.lumas.size(), 18U);
    for (const auto& [pts, luma] : screen.lumas) EXPECT_NEAR(luma, PictureSource::luma(pts), 5);
    EXPECT_EQ(screen.width, 320);
}

/// AV1 as enhanced RTMP may have it: the sequence header in av1C only (AV1 in ISOBMFF section 2.3).
TEST(VideoToH264, Av1WithItsSequenceHeaderApart) {
    PictureSource source("libaom-av1",
                         320,
                         180,
                         {{"usage", "realtime"}, {"cpu-used", "10"}, {"lag-in-frames", "0"}});
    ASSERT_TRUE(source.ok());
    auto coded = source.encode(10);
    for (auto& more : source.finish()) coded.push_back(std::move(more));
    Bytes config{0x81, 0, 0, 0};
    for (auto& c : coded) {
        Bytes rest;
        for (std::size_t at = 0; at < c.data.size();) {
            const std::size_t begin = at;
            const int type = c.data[at++] >> 3 & 15;
            std::size_t size = 0;
            for (int shift = 0;; shift += 7) {
                size |= std::size_t{c.data[at] & 0x7FU} << shift;
                if ((c.data[at++] & 0x80) == 0) break;
            }
            at += size;
            Bytes& place = type == 1 ? config : rest;
            if (type == 1) config.resize(4);
            const auto first = c.data.begin();
            place.insert(place.end(),
                         first + static_cast<std::ptrdiff_t>(begin),
                         first + static_cast<std::ptrdiff_t>(at));
        }
        c.data = std::move(rest);
    }
    ASSERT_GT(config.size(), 8U);
    for (const bool is_told : {true, false}) {
        auto transcoder =
            VideoToH264::create({.input = VideoCodec::kAv1, .config = is_told ? config : Bytes()});
        ASSERT_TRUE(transcoder);
        Screen screen;
        for (const auto& c : coded) {
            std::vector<H264Frame> out;
            (void)(*transcoder)->handle_frame(c.pts, c.data, out);
            screen.show(out);
        }
        EXPECT_EQ(screen.lumas.empty(), !is_told);
        for (const auto& [pts, luma] : screen.lumas) EXPECT_NEAR(luma, PictureSource::luma(pts), 5);
    }
}

/// The streams that `convert::H264ToRtp` refuses: B pictures as references.
TEST(VideoToH264, MakesBPicturesPlayable) {
    PictureSource source("libx264",
                         320,
                         180,
                         {{"preset", "veryfast"},
                          {"bf", "3"},
                          {"x264-params", "b-pyramid=normal:bframes=3:b-adapt=0:scenecut=0"}});
    ASSERT_TRUE(source.ok());
    const Bytes record = source.avc_config();
    auto coded = source.encode(40);
    for (auto& more : source.finish()) coded.push_back(std::move(more));

    media::PacketPool pool(1'024);
    convert::H264ToRtp refuses({.payload_type = PayloadType(96), .ssrc = Ssrc(1)}, pool);
    ASSERT_TRUE(refuses.set_config(record));
    auto transcoder = VideoToH264::create({.input = VideoCodec::kH264, .config = record});
    ASSERT_TRUE(transcoder);
    convert::H264ToRtp accepts({.payload_type = PayloadType(96), .ssrc = Ssrc(1)}, pool);
    Screen screen;
    for (const auto& c : coded) {
        const Bytes avcc = annex_b_to_avcc(c.data);
        std::vector<media::PacketRef> packets;
        (void)refuses.handle_access_unit(
            Instant{}, {.pts = Duration(c.pts * 33'000'000), .data = avcc}, packets);
        std::vector<H264Frame> out;
        ASSERT_TRUE((*transcoder)->handle_frame(c.pts, avcc, out));
        screen.show(out);
        for (const H264Frame& f : out) {
            if (!f.config.empty()) {
                ASSERT_TRUE(accepts.set_config(f.config));
            }
            ASSERT_TRUE(accepts.handle_access_unit(
                Instant{}, {.pts = Duration(f.timestamp * 33'000'000), .data = f.avcc}, packets));
        }
    }
    EXPECT_TRUE(refuses.needs_transcode());
    EXPECT_FALSE(accepts.needs_transcode());
    ASSERT_GE(screen.lumas.size(), 36U) << "the last pictures wait in the decoder";
    for (std::size_t i = 0; i < screen.lumas.size(); ++i) {
        EXPECT_EQ(screen.lumas[i].first, static_cast<std::int64_t>(i))
            << "in the order of presentation";
        EXPECT_NEAR(screen.lumas[i].second, PictureSource::luma(static_cast<std::int64_t>(i)), 5)
            << i;
    }
}

/// User data with the number of its picture, which a start code would be part of.
Bytes user_data(std::int64_t number) {
    Bytes data(16, 0xAB);
    const auto n = static_cast<std::uint8_t>(number);
    data.insert(data.end(), {0, 0, 0, 1, n, 0, 0, 0, 0, 3});
    data.resize(data.size() + static_cast<std::size_t>(number) * 13, n);  // to above 255
    return data;
}
/// In front of a picture, as `header` says (one byte of H.264, two of HEVC).
Bytes with_user_data(const Bytes& header, std::int64_t number, const Bytes& avcc) {
    const Bytes sei = media::write_h264_user_data(user_data(number));
    Bytes out{0, 0, 0, 0};
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), sei.begin() + 1, sei.end());
    store_u32(out.data(), static_cast<std::uint32_t>(out.size() - 4));
    out.insert(out.end(), avcc.begin(), avcc.end());
    return out;
}

class UserData : public ::testing::TestWithParam<VideoCodec> {};
INSTANTIATE_TEST_SUITE_P(Codecs, UserData, ::testing::Values(VideoCodec::kH264, VideoCodec::kHevc));

TEST_P(UserData, StaysWithItsPicture) {
    const bool is_avc = GetParam() == VideoCodec::kH264;
    PictureSource source =
        is_avc ? PictureSource("libx264",
                               320,
                               180,
                               {{"preset", "veryfast"},
                                {"x264-params", "b-pyramid=normal:bframes=3:b-adapt=0:scenecut=0"}})
               : PictureSource("libx265",
                               320,
                               180,
                               {{"preset", "ultrafast"}, {"x265-params", "log-level=none"}});
    ASSERT_TRUE(source.ok());
    auto coded = source.encode(40);
    for (auto& more : source.finish()) coded.push_back(std::move(more));
    auto transcoder = VideoToH264::create(
        {.input = GetParam(), .config = is_avc ? source.avc_config() : source.hevc_config()});
    ASSERT_TRUE(transcoder);
    const Bytes header = is_avc ? Bytes{0x06} : Bytes{39 << 1, 1};
    std::size_t with = 0;
    std::size_t shown = 0;
    for (const auto& c : coded) {
        // Not every picture has some.
        const bool has = c.pts % 3 != 1;
        const Bytes avcc = annex_b_to_avcc(c.data);
        std::vector<H264Frame> out;
        ASSERT_TRUE(
            (*transcoder)
                ->handle_frame(c.pts, has ? with_user_data(header, c.pts, avcc) : avcc, out));
        for (const H264Frame& f : out) {
            std::vector<Bytes> got;
            bool slice_seen = false;
            media::AvccReader reader(f.avcc, 4);
            while (const auto nal = reader.next()) {
                const bool is_sei = media::nal_type((*nal)[0]) == media::NalType::kSei;
                if (is_sei) got.push_back(to_bytes(*nal));
                EXPECT_FALSE(is_sei && slice_seen) << "before the slices";
                slice_seen = slice_seen || !is_sei;
            }
            ++shown;
            const Bytes expected = media::write_h264_user_data(user_data(f.timestamp));
            const bool is_there = std::find(got.begin(), got.end(), expected) != got.end();
            EXPECT_EQ(is_there, f.timestamp % 3 != 1) << f.timestamp;
            // The encoder's own advertisement is with the first picture.
            const std::size_t own = f.timestamp == 0 ? got.size() - (is_there ? 1U : 0U) : 0U;
            EXPECT_EQ(got.size(), own + (is_there ? 1U : 0U)) << f.timestamp;
            with += is_there ? 1 : 0;
        }
    }
    EXPECT_GE(shown, 30U);
    EXPECT_GE(with, 20U);
}

/// A viewer who comes in the middle of a group of pictures is shown what follows, and nothing that
/// was over before.
TEST(VideoToH264, UnseenPicturesAreDecodedOnly) {
    PictureSource source("libx264", 320, 180, {{"preset", "veryfast"}, {"bf", "2"}});
    ASSERT_TRUE(source.ok());
    auto transcoder =
        VideoToH264::create({.input = VideoCodec::kH264, .config = source.avc_config()});
    ASSERT_TRUE(transcoder);
    auto coded = source.encode(40);
    for (auto& more : source.finish()) coded.push_back(std::move(more));
    constexpr std::size_t kUnseen = 20;
    Screen screen;
    for (std::size_t i = 0; i < coded.size(); ++i) {
        const Bytes avcc = annex_b_to_avcc(coded[i].data);
        if (i < kUnseen) {
            (*transcoder)->handle_unseen(coded[i].pts, avcc);
            continue;
        }
        std::vector<H264Frame> out;
        ASSERT_TRUE((*transcoder)->handle_frame(coded[i].pts, avcc, out)) << i;
        screen.show(out);
    }
    ASSERT_GE(screen.lumas.size(), 15U);
    EXPECT_GE(screen.lumas.front().first, static_cast<std::int64_t>(kUnseen) - 4);
    for (const auto& [pts, luma] : screen.lumas) EXPECT_NEAR(luma, PictureSource::luma(pts), 5);
}

TEST(VideoToH264, SizeChangesAndOddSizes) {
    auto transcoder = VideoToH264::create({.input = VideoCodec::kVp8});
    ASSERT_TRUE(transcoder);
    Screen screen;
    for (const auto& [width, height] :
         {std::pair{160, 120}, std::pair{121, 161}, std::pair{160, 120}}) {
        PictureSource source("libvpx",
                             width,
                             height,
                             {{"deadline", "realtime"}, {"lag-in-frames", "0"}, {"cpu-used", "8"}});
        for (const auto& c : source.encode(3)) {
            std::vector<H264Frame> out;
            ASSERT_TRUE((*transcoder)->handle_frame(c.pts, c.data, out));
            ASSERT_EQ(out.size(), 1U);
            screen.show(out);
        }
        EXPECT_EQ(screen.width, width & ~1);
        EXPECT_EQ(screen.height, height & ~1);
    }
    EXPECT_EQ(screen.configs, 3);
    EXPECT_EQ(screen.keys, 3);
}

TEST(VideoToH264, BrokenPicturesAreToldAndItGoesOn) {
    auto transcoder = VideoToH264::create({.input = VideoCodec::kVp8});
    ASSERT_TRUE(transcoder);
    std::vector<H264Frame> out;
    EXPECT_FALSE((*transcoder)->handle_frame(0, Bytes{1, 2, 3}, out));
    EXPECT_FALSE((*transcoder)->handle_frame(0, Bytes(100, 0xFF), out));
    EXPECT_TRUE(out.empty());
    PictureSource source("libvpx", 160, 120, {{"deadline", "realtime"}, {"lag-in-frames", "0"}});
    for (const auto& c : source.encode(2))
        ASSERT_TRUE((*transcoder)->handle_frame(c.pts, c.data, out));
    EXPECT_EQ(out.size(), 2U);
    EXPECT_EQ((*transcoder)->stats().undecodable, 2U);
    EXPECT_FALSE((*transcoder)->set_h264_config({}));
}

}  // namespace
}  // namespace parley::codec

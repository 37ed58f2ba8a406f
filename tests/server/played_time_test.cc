#include "server/played_time.h"

#include <gtest/gtest.h>

#include "flv/avc_config.h"
#include "flv/video_tag.h"

namespace parley::server {
namespace {

/// A baseline SPS of 1280 x 720.
const Bytes kSps720{0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0x40};
const Bytes kPps{0x68, 0xce, 0x3c, 0x80};

flv::Message message(flv::MediaKind kind, Bytes bytes) {
    return {kind, 0, flv::make_payload(std::move(bytes))};
}

TEST(PlayedTime, SoundAndPicturesCountBySizeAndPausesDoNot) {
    const auto config = flv::make_avc_config(kSps720, kPps);
    ASSERT_TRUE(config.has_value());
    const flv::Message header = message(flv::MediaKind::kVideo,
                                        flv::write_avc_sequence_header(flv::write_avc_config(*config)));
    const flv::Message frame =
        message(flv::MediaKind::kVideo, flv::write_avc_frame(false, 0, Bytes{0, 0, 0, 2, 0x41, 0x9a}));
    const flv::Message sound = message(flv::MediaKind::kAudio, {0xaf, 0x01, 0x21});
    PlayedTime played;
    Instant now{};
    for (int i = 0; i <= 100; ++i, now += 40ms) played.handle_message(now, frame);
    played.handle_message(now, header);
    for (int i = 0; i <= 100; ++i, now += 40ms) played.handle_message(now, frame);
    now += 1h;
    for (int i = 0; i <= 50; ++i, now += 20ms) played.handle_message(now, sound);
    played.handle_message(now, message(flv::MediaKind::kData, {2}));
    sfu::MediaTime time;
    played.move_to(time);
    EXPECT_EQ(time.audio, 1s);
    EXPECT_EQ(time.video[static_cast<std::size_t>(sfu::VideoTier::kSd)], 4s) << "size not yet known";
    EXPECT_EQ(time.video[static_cast<std::size_t>(sfu::VideoTier::kHd)], 4s + 40ms);
    sfu::MediaTime again;
    played.move_to(again);
    EXPECT_EQ(again, sfu::MediaTime{}) << "told once";
}

}  // namespace
}  // namespace parley::server

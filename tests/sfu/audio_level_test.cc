#include "sfu/audio_level.h"

#include <gtest/gtest.h>

namespace parley::sfu {
namespace {

constexpr Instant kStart{1000s};

TEST(AudioLevelMeter, RisesAtOnceAndFallsSlowly) {
    AudioLevelMeter meter;
    EXPECT_EQ(meter.read(kStart), std::nullopt);
    meter.handle_packet(kStart, 60);
    EXPECT_EQ(meter.read(kStart), -60);
    meter.handle_packet(kStart + 20ms, 10);
    EXPECT_EQ(meter.read(kStart + 20ms), -10);
    // One loud packet among quiet ones is seen half a second later.
    for (Duration t = 40ms; t <= 520ms; t += 20ms) meter.handle_packet(kStart + t, 90);
    EXPECT_EQ(meter.read(kStart + 520ms), -25);
    for (Duration t = 540ms; t <= 2'020ms; t += 20ms) meter.handle_packet(kStart + t, 90);
    EXPECT_EQ(meter.read(kStart + 2'020ms), -70);
    for (Duration t = 2'040ms; t <= 4s; t += 20ms) meter.handle_packet(kStart + t, 90);
    EXPECT_EQ(meter.read(kStart + 4s), -90) << "not below what it is";
}

TEST(AudioLevelMeter, FollowsAVoice) {
    AudioLevelMeter meter;
    // Louder than the fallen peak, quieter than the peak: the new one counts from then on.
    meter.handle_packet(kStart, 10);
    meter.handle_packet(kStart + 1s, 30);
    EXPECT_EQ(meter.read(kStart + 1s), -30);
    EXPECT_EQ(meter.read(kStart + 1'100ms), -30) << "the last packet still says so";
    meter.handle_packet(kStart + 1'200ms, 127);
    EXPECT_EQ(meter.read(kStart + 1'500ms), -45);
}

TEST(AudioLevelMeter, SilenceIsKnownAndNothingIsNot) {
    AudioLevelMeter meter;
    // DTX: a packet in 400 ms.
    for (Duration t{}; t <= 8s; t += 400ms) meter.handle_packet(kStart + t, 0xFF);
    EXPECT_EQ(meter.read(kStart + 8'399ms), AudioLevelMeter::kSilence);
    EXPECT_EQ(meter.read(kStart + 8s + AudioLevelMeter::kForgetAfter), std::nullopt);
    meter.handle_packet(kStart + 60s, 0x80 | 5);
    EXPECT_EQ(meter.read(kStart + 60s), -5) << "the V bit is none of the level";
}

TEST(AudioLevelMeter, ATimeThatGoesBackDoesNoHarm) {
    AudioLevelMeter meter;
    meter.handle_packet(kStart, 20);
    meter.handle_packet(kStart - 5s, 40);
    EXPECT_EQ(meter.read(kStart - 5s), -20);
    EXPECT_EQ(meter.read(kStart), -20);
}

}  // namespace
}  // namespace parley::sfu

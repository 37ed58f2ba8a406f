#include "rtcp/clock_mapping.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace parley::rtcp {
namespace {

Instant at(Duration d) { return Instant(1000s + d); }

NtpTime ntp_seconds(double seconds) {
    return {static_cast<std::uint64_t>(3'900'000'000.0) * (std::uint64_t{1} << 32) +
            static_cast<std::uint64_t>(seconds * 4294967296.0)};
}

TEST(ClockMapping, KnowsNothingBeforeAReport) {
    ClockMapping clock(90'000);
    EXPECT_FALSE(clock.is_known());
    EXPECT_EQ(clock.ntp_at(0), std::nullopt);
    EXPECT_EQ(clock.rtp_at({}), std::nullopt);
    EXPECT_EQ(clock.extrapolate(at(0ms)), std::nullopt);
    clock.handle_sender_report(at(0ms), NtpTime{0}, 5);  // a sender without a wall clock
    EXPECT_FALSE(clock.is_known());
}

TEST(ClockMapping, MapsBothWaysAroundTheWrap) {
    ClockMapping clock(90'000);
    clock.handle_sender_report(at(0ms), ntp_seconds(10), 0xFFFFFFFF);
    EXPECT_EQ(clock.ntp_at(0xFFFFFFFF), ntp_seconds(10));
    EXPECT_EQ(clock.ntp_at(89'999), ntp_seconds(11));
    EXPECT_EQ(clock.ntp_at(0xFFFFFFFF - 45'000), ntp_seconds(9.5));
    EXPECT_EQ(clock.rtp_at(ntp_seconds(11)), 89'999u);
    EXPECT_EQ(clock.rtp_at(ntp_seconds(9.5)), 0xFFFFFFFFu - 45'000);
}

TEST(ClockMapping, ThereAndBackIsTheSame) {
    Rng rng(1);
    for (const std::uint32_t rate : {8'000u, 16'000u, 44'100u, 48'000u, 90'000u}) {
        for (int i = 0; i < 2'000; ++i) {
            ClockMapping clock(rate);
            clock.handle_sender_report(at(0ms), NtpTime{rng.next_u64() | 1}, rng.next_u32());
            const std::uint32_t timestamp = rng.next_u32();
            ASSERT_EQ(clock.rtp_at(*clock.ntp_at(timestamp)), timestamp);
        }
    }
}

TEST(ClockMapping, CarriesBothClocksForward) {
    ClockMapping clock(48'000);
    clock.handle_sender_report(at(0ms), ntp_seconds(5), 0xFFFFFF00);
    const auto point = clock.extrapolate(at(2500ms));
    ASSERT_TRUE(point);
    EXPECT_EQ(point->ntp, ntp_seconds(7.5));
    EXPECT_EQ(point->rtp_timestamp, 0xFFFFFF00u + 120'000u);
    EXPECT_EQ(clock.extrapolate(at(-5s))->ntp, ntp_seconds(5));  // an earlier `now` counts as the report's
    EXPECT_EQ(clock.extrapolate(at(3600s))->rtp_timestamp, 0xFFFFFF00u + 48'000u * 3600);
}

TEST(ClockMapping, AudioAndVideoStayTogetherWhateverTheDelayOfTheirReports) {
    // One publisher, one NTP clock; the video's report spends 180 ms more on the way than the audio's, and
    // ours are written at different moments.
    ClockMapping audio(48'000);
    ClockMapping video(90'000);
    audio.handle_sender_report(at(20ms), ntp_seconds(100), 1'000);
    video.handle_sender_report(at(2200ms), ntp_seconds(102), 700'000);
    const auto a = audio.extrapolate(at(3s));
    const auto v = video.extrapolate(at(3340ms));
    ASSERT_TRUE(a && v);
    // What a subscriber computes from our reports: when, on the common clock, was this sample taken?
    const auto taken = [](const ClockPoint& p, std::uint32_t timestamp, double rate) {
        return static_cast<double>(p.ntp.value - ntp_seconds(0).value) / 4294967296.0 +
               static_cast<double>(static_cast<std::int32_t>(timestamp - p.rtp_timestamp)) / rate;
    };
    EXPECT_NEAR(taken(*a, 1'000 + 48'000 * 5, 48'000), 105.0, 0.0001);
    EXPECT_NEAR(taken(*v, 700'000 + 90'000 * 3, 90'000), 105.0, 0.0001);
}

}  // namespace
}  // namespace parley::rtcp

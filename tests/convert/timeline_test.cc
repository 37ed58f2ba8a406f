#include "convert/timeline.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "support.h"

namespace parley::convert {
namespace {

using namespace testing;

std::int64_t ms(MediaTime time) { return to_ms(time); }
constexpr auto kAudio = FrameKind::kAudio;
constexpr auto kVideo = FrameKind::kVideo;

TEST(RtmpTimeline, PassesTimesAndTheWrapThrough) {
    RtmpTimeline timeline;
    const std::int64_t base = 0xFFFF'FFFF - 50;
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(ms(timeline.map(at_ms(i * 20), kAudio, base + i * 20)), base + i * 20);
        EXPECT_EQ(ms(timeline.map(at_ms(i * 20), kVideo, base + i * 20 + 7)), base + i * 20 + 7);
    }
    EXPECT_EQ(timeline.jumps(), 0U);
}

TEST(RtmpTimeline, SmallStepsBackStandStill) {
    RtmpTimeline timeline;
    EXPECT_EQ(ms(timeline.map(at_ms(0), kVideo, 100)), 100);
    EXPECT_EQ(ms(timeline.map(at_ms(40), kVideo, 60)), 100);
    EXPECT_EQ(ms(timeline.map(at_ms(80), kVideo, 140)), 140);
}

TEST(RtmpTimeline, AJumpMovesBothKindsAlike) {
    for (const std::int64_t jump : {-1'000'000LL, 3'000'000LL}) {
        RtmpTimeline timeline;
        std::int64_t t = 2'000'000;
        for (int i = 0; i < 50; ++i, t += 20) {
            (void)timeline.map(at_ms(t), kAudio, t);
            (void)timeline.map(at_ms(t), kVideo, t + 3);
        }
        // Audio jumps first; two more pictures come with the old clock.
        EXPECT_LE(std::abs(ms(timeline.map(at_ms(t), kAudio, t + jump)) - t), 4);
        EXPECT_EQ(ms(timeline.map(at_ms(t), kVideo, t + 3)), t + 3);
        t += 20;
        (void)timeline.map(at_ms(t), kAudio, t + jump);
        EXPECT_EQ(ms(timeline.map(at_ms(t), kVideo, t + 3)), t + 3);
        t += 20;
        const std::int64_t audio = ms(timeline.map(at_ms(t), kAudio, t + jump));
        const std::int64_t video = ms(timeline.map(at_ms(t), kVideo, t + jump + 3));
        EXPECT_EQ(video - audio, 3) << "in sync";
        EXPECT_EQ(timeline.jumps(), 1U);
    }
}

TEST(RtmpTimeline, APauseIsNoJump) {
    RtmpTimeline timeline;
    (void)timeline.map(at_ms(0), kVideo, 0);
    EXPECT_EQ(ms(timeline.map(at_ms(36'000), kVideo, 36'000)), 36'000);
    EXPECT_EQ(timeline.jumps(), 0U);
    // The encoder's clock stood still meanwhile: the pause counts all the same.
    EXPECT_EQ(ms(timeline.map(at_ms(72'000), kVideo, 36'040)), 36'040);
}

TEST(RtmpTimeline, NtpTimesOfReports) {
    RtmpTimeline timeline;
    (void)timeline.map(at_ms(0), kVideo, 500);
    const NtpTime start{std::uint64_t{3'900'000'000} << 32};
    EXPECT_EQ(timeline.ntp_at(500ms, start), start);
    EXPECT_EQ(timeline.ntp_at(1'750ms, start).value - start.value, 0x1'4000'0000U);
    EXPECT_EQ(start.value - timeline.ntp_at(250ms, start).value, 0x4000'0000U);
}

/// A browser: system clock, RTP clocks that drift against it, jittery arrival.
struct Browser {
    Rng rng{7};
    double audio_ppm = 0;
    double video_ppm = 0;
    double ntp_step_s = 0;

    static NtpTime ntp(double seconds) {
        const double whole = std::floor(seconds);
        return {static_cast<std::uint64_t>(3'900'000'000.0 + whole) << 32 |
                static_cast<std::uint64_t>((seconds - whole) * 4294967296.0)};
    }
    [[nodiscard]] static std::uint64_t ticks(double seconds, double rate, double ppm) {
        return (std::uint64_t{1} << 32) +
               static_cast<std::uint64_t>(std::llround(seconds * rate * (1 + ppm * 1e-6)));
    }
    Instant arrival(double seconds, double delay_ms) {
        return Instant(Duration(
            static_cast<std::int64_t>((seconds + (delay_ms + rng.unit() * 20) * 1e-3) * 1e9)));
    }
};

struct DayCase {
    const char* name;
    double audio_ppm;
    double video_ppm;
    double step_s;  ///< of the system clock, after six hours
};

class Day : public ::testing::TestWithParam<DayCase> {};

/// 24 hours: sound and picture of one moment keep the same MediaTime within 20 ms, but for the time
/// before the first reports.
TEST_P(Day, SoundAndPictureStayTogether) {
    const DayCase& c = GetParam();
    Browser browser;
    SenderClock sender;
    RtpTimeline audio(48'000, sender);
    RtpTimeline video(90'000, sender);
    double worst = 0;
    double previous = -1;
    double worst_step = 0;
    constexpr double kDay = 24 * 3'600;
    for (double t = 0; t < kDay; t += 0.25) {
        const double clock = t + (t > kDay / 4 ? c.step_s : 0);
        const auto audio_ts = Browser::ticks(t, 48'000, c.audio_ppm);
        const auto video_ts = Browser::ticks(t, 90'000, c.video_ppm);
        const double heard = to_seconds(audio.map(browser.arrival(t, 45), audio_ts));
        const double seen = to_seconds(video.map(browser.arrival(t, 30), video_ts));
        const auto i = static_cast<std::int64_t>(t * 4);
        // Reports every 5 s and every 1 s, as Chromium's audio and video.
        if (i % 20 == 1) {
            audio.handle_sender_report(
                browser.arrival(t, 45), Browser::ntp(clock), static_cast<std::uint32_t>(audio_ts));
        }
        if (i % 4 == 2) {
            video.handle_sender_report(
                browser.arrival(t, 30), Browser::ntp(clock), static_cast<std::uint32_t>(video_ts));
        }
        if (t > 2) {
            worst = std::max(worst, std::abs(heard - seen));
            worst_step = std::max(worst_step, std::abs(heard - previous - 0.25));
        }
        previous = heard;
    }
    EXPECT_LT(worst, 0.020);
    EXPECT_LT(worst_step, 0.006) << "sound never jumps";
}

INSTANTIATE_TEST_SUITE_P(Clocks,
                         Day,
                         ::testing::Values(DayCase{"ideal", 0, 0, 0},
                                           DayCase{"drift", 120, -60, 0},
                                           DayCase{"hour_forward", 50, 0, 3'600},
                                           DayCase{"minute_back", -50, 20, -60}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(RtpTimeline, RestartedEncoderGoesOn) {
    SenderClock sender;
    RtpTimeline video(90'000, sender);
    EXPECT_EQ(ms(video.map(at_ms(0), 1'000'000)), 0);
    EXPECT_EQ(ms(video.map(at_ms(40), 1'003'600)), 40);
    EXPECT_NEAR(static_cast<double>(ms(video.map(at_ms(80), 900'000'000))), 80, 1);
    EXPECT_NEAR(static_cast<double>(ms(video.map(at_ms(120), 900'003'600))), 120, 1);
    EXPECT_EQ(video.jumps(), 1U);
}

TEST(RtpTimeline, ReportBeforeTheFirstPacket) {
    SenderClock sender;
    RtpTimeline audio(48'000, sender);
    RtpTimeline video(90'000, sender);
    // Both reports name the same moment; the picture arrives 300 ms after the sound of that moment.
    audio.handle_sender_report(at_ms(0), Browser::ntp(10), 48'000);
    video.handle_sender_report(at_ms(1), Browser::ntp(10), 90'000);
    const MediaTime heard = audio.map(at_ms(100), (std::uint64_t{1} << 32) + 48'000);
    const MediaTime seen = video.map(at_ms(400), (std::uint64_t{1} << 32) + 90'000);
    EXPECT_NEAR(to_seconds(heard), to_seconds(seen), 0.0005);
}

Frame frame(FrameKind kind, std::int64_t dts, std::int64_t composition = 0) {
    Frame f;
    f.kind = kind;
    f.dts = Duration(dts * 1'000'000);
    f.pts = f.dts + Duration(composition * 1'000'000);
    return f;
}

TEST(PlayerClock, BeginsAtZeroAndNeverGoesBack) {
    PlayerClock clock;
    Frame config = frame(kVideo, 5);
    config.is_config = true;
    EXPECT_EQ(clock.map(config).dts_ms, 0U);
    EXPECT_EQ(clock.map(frame(kVideo, 90'000, 80)).dts_ms, 0U);
    EXPECT_EQ(clock.map(frame(kVideo, 90'040, 40)).composition_ms, 40);
    EXPECT_EQ(clock.map(frame(kAudio, 89'990)).dts_ms, 40U) << "lifted";
    EXPECT_EQ(clock.max_lift(), 50ms);
    EXPECT_EQ(clock.map(frame(kAudio, 90'050)).dts_ms, 50U);
    EXPECT_EQ(clock.map(config).dts_ms, 50U);
    PlayerClock apart({.monotonic_across_kinds = false});
    (void)apart.map(frame(kVideo, 1'000));
    (void)apart.map(frame(kVideo, 1'040));
    EXPECT_EQ(apart.map(frame(kAudio, 1'010)).dts_ms, 10U);
    EXPECT_EQ(apart.map(frame(kAudio, 1'005)).dts_ms, 11U) << "a kind grows";
}

TEST(PlayerClock, AnotherPublishersClockFollowsOn) {
    PlayerClock clock;
    (void)clock.map(frame(kVideo, 0));
    (void)clock.map(frame(kAudio, 10));
    (void)clock.map(frame(kVideo, 1'000));
    EXPECT_EQ(clock.map(frame(kVideo, 50'000'000)).dts_ms, 1'001U);
    EXPECT_EQ(clock.map(frame(kAudio, 50'000'020)).dts_ms, 1'020U)
        << "joins the picture's new clock";
    EXPECT_EQ(clock.map(frame(kVideo, 50'000'040)).dts_ms, 1'040U);
    EXPECT_EQ(clock.jumps(), 2U);
    // Sound and picture of two publishers that share no clock: both advance.
    PlayerClock two;
    EXPECT_EQ(two.map(frame(kVideo, 1'000)).dts_ms, 0U);
    EXPECT_EQ(two.map(frame(kAudio, 77'000'000)).dts_ms, 0U);
    EXPECT_EQ(two.map(frame(kVideo, 1'040)).dts_ms, 40U);
    EXPECT_EQ(two.map(frame(kAudio, 77'000'060)).dts_ms, 60U);
}

TEST(PlayerClock, WrapsLikeTheProtocol) {
    PlayerClock clock;
    (void)clock.map(frame(kAudio, 0));
    std::int64_t t = 0;
    for (; t < 0x1'0000'0010; t += 9'000) (void)clock.map(frame(kAudio, t));
    const auto times = clock.map(frame(kAudio, t));
    EXPECT_EQ(times.ext_dts_ms, t);
    EXPECT_EQ(times.dts_ms, static_cast<std::uint32_t>(t));
    EXPECT_LT(times.dts_ms, 20'000U);
}

}  // namespace
}  // namespace parley::convert

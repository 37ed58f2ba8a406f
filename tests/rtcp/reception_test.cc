#include "rtcp/reception.h"

#include <gtest/gtest.h>

namespace parley::rtcp {
namespace {

Instant at(Duration d) { return Instant(1000s + d); }

TEST(ReceptionStats, CountsLossAsRfc3550DoesInSection643) {
    for (const rtp::ExtSeq start :
         {rtp::ExtSeq{0}, rtp::ExtSeq{1}, rtp::ExtSeq{32767}, rtp::ExtSeq{65535}, rtp::ExtSeq{131071}}) {
        ReceptionStats stats(90'000);
        EXPECT_EQ(stats.take_report(at(0ms), Ssrc(1)), std::nullopt);
        for (rtp::ExtSeq i = 0; i < 10; ++i) {
            if (i != 3 && i != 4) stats.handle_packet(at(0ms), start + i, 0);
        }
        auto block = stats.take_report(at(0ms), Ssrc(7));
        ASSERT_TRUE(block);
        EXPECT_EQ(block->ssrc, Ssrc(7));
        EXPECT_EQ(block->fraction_lost, 2 * 256 / 10);
        EXPECT_EQ(block->cumulative_lost, 2);
        EXPECT_EQ(block->extended_highest, start + 9);
        EXPECT_EQ(block->last_sr, 0u);

        // Nothing new, then only late ones: the fraction never goes below zero, the sum shrinks.
        EXPECT_EQ(stats.take_report(at(0ms), Ssrc(7))->fraction_lost, 0);
        stats.handle_packet(at(0ms), start + 3, 0);
        block = stats.take_report(at(0ms), Ssrc(7));
        EXPECT_EQ(block->fraction_lost, 0);
        EXPECT_EQ(block->cumulative_lost, 1);

        // All but the last lost.
        stats.handle_packet(at(0ms), start + 1009, 0);
        block = stats.take_report(at(0ms), Ssrc(7));
        EXPECT_EQ(block->fraction_lost, 999 * 256 / 1000);
        EXPECT_EQ(block->cumulative_lost, 1000);
    }
}

TEST(ReceptionStats, DuplicatesMakeTheSumNegative) {
    ReceptionStats stats(48'000);
    for (int i = 0; i < 5; ++i) stats.handle_packet(at(0ms), 100, 0);
    EXPECT_EQ(stats.take_report(at(0ms), Ssrc(1))->cumulative_lost, -4);
    EXPECT_EQ(stats.received(), 5u);
}

TEST(ReceptionStats, AnEarlierFirstPacketIsNotALoss) {
    ReceptionStats stats(48'000);
    stats.handle_packet(at(0ms), 101, 960);
    stats.handle_packet(at(0ms), 100, 0);
    EXPECT_EQ(stats.take_report(at(0ms), Ssrc(1))->cumulative_lost, 0);
}

TEST(ReceptionStats, JitterFollowsRfc3550A8) {
    ReceptionStats stats(48'000);
    // The RFC's own integer code, written out again.
    std::int64_t model = 0;
    std::int64_t last_transit = 0;
    std::uint32_t timestamp = 0xFFFFF000;  // wraps on the way
    for (int i = 0; i < 300; ++i) {
        const Duration arrival = 20ms * i + (i % 3) * 5ms;
        stats.handle_packet(at(arrival), static_cast<rtp::ExtSeq>(i), timestamp);
        const std::int64_t transit = arrival.count() * 48 / 1'000'000 - 960 * i;
        if (i > 0) {
            const std::int64_t d = std::abs(transit - last_transit);
            model += d - ((model + 8) >> 4);
        }
        last_transit = transit;
        timestamp += 960;
        ASSERT_EQ(stats.take_report(at(arrival), Ssrc(1))->jitter, static_cast<std::uint32_t>(model >> 4));
    }
    // Differences of 240, 240, 480 samples: the mean is 320, that is 6.7 ms.
    EXPECT_NEAR(to_seconds(stats.jitter()), 0.0067, 0.0008);
}

TEST(ReceptionStats, AnEvenStreamHasNoJitter) {
    ReceptionStats stats(90'000);
    for (int i = 0; i < 100; ++i) {
        stats.handle_packet(at(20ms * i), static_cast<rtp::ExtSeq>(i), static_cast<std::uint32_t>(1800 * i));
    }
    EXPECT_EQ(stats.jitter(), 0ns);
}

TEST(ReceptionStats, ARestartedTimestampIsNotJitter) {
    ReceptionStats stats(90'000);
    stats.handle_packet(at(0ms), 0, 0);
    stats.handle_packet(at(20ms), 1, 0x40000000);
    EXPECT_EQ(stats.jitter(), 0ns);
}

TEST(ReceptionStats, NamesTheLastSenderReport) {
    ReceptionStats stats(90'000);
    stats.handle_packet(at(0ms), 0, 0);
    stats.handle_sender_report(at(0ms), NtpTime{0x1234'5678'9ABC'DEF0});
    auto block = stats.take_report(at(1500ms), Ssrc(1));
    EXPECT_EQ(block->last_sr, 0x5678'9ABCu);
    EXPECT_EQ(block->delay_since_last_sr, 0x18000u);
    block = stats.take_report(at(-1s), Ssrc(1));  // a clock that went back
    EXPECT_EQ(block->delay_since_last_sr, 0u);
    block = stats.take_report(at(3601s), Ssrc(1));
    EXPECT_EQ(block->last_sr, 0u);
    EXPECT_EQ(block->delay_since_last_sr, 0u);
}

TEST(RoundTripEstimator, TakesTheDelayOffTheTimeSinceItsReport) {
    RoundTripEstimator rtt;
    const NtpTime ntp{0xE000'0000'8000'0000};
    rtt.handle_report_sent(at(0ms), ntp);
    const ReportBlock block{.last_sr = ntp.middle(), .delay_since_last_sr = 0x8000};
    const auto measured = rtt.handle_report_block(at(580ms), block);
    EXPECT_EQ(measured, 80ms);
    EXPECT_EQ(rtt.round_trip(), 80ms);
    EXPECT_EQ(rtt.handle_report_block(at(660ms), block), 160ms);
    EXPECT_EQ(rtt.round_trip(), 90ms);  // a gain of 1/8
}

TEST(RoundTripEstimator, RefusesWhatMakesNoSense) {
    RoundTripEstimator rtt;
    rtt.handle_report_sent(at(0ms), NtpTime{0x0000'0001'0000'0000});
    EXPECT_EQ(rtt.handle_report_block(at(10ms), {.last_sr = 0}), std::nullopt);
    EXPECT_EQ(rtt.handle_report_block(at(10ms), {.last_sr = 5}), std::nullopt);
    const auto block = [](std::uint32_t delay) {
        return ReportBlock{.last_sr = 0x0001'0000, .delay_since_last_sr = delay};
    };
    EXPECT_EQ(rtt.handle_report_block(at(10ms), block(0x10000)), std::nullopt);     // minus 990 ms
    EXPECT_EQ(rtt.handle_report_block(at(10ms), block(0xFFFFFFFF)), std::nullopt);
    EXPECT_EQ(rtt.handle_report_block(at(31s), block(0)), std::nullopt);
    EXPECT_EQ(rtt.round_trip(), std::nullopt);
    EXPECT_EQ(rtt.handle_report_block(at(10ms), block(0x10000 * 15 / 1000)), 0ms);  // within the tolerance
}

TEST(RoundTripEstimator, RemembersTheLastReportsOnly) {
    RoundTripEstimator rtt;
    const auto ntp = [](std::uint64_t i) { return NtpTime{(i + 1) << 32}; };
    for (std::uint64_t i = 0; i <= RoundTripEstimator::kMaxSenderReports; ++i) {
        rtt.handle_report_sent(at(0ms), ntp(i));
    }
    EXPECT_EQ(rtt.handle_report_block(at(10ms), {.last_sr = ntp(0).middle()}), std::nullopt);
    EXPECT_EQ(rtt.handle_report_block(at(10ms), {.last_sr = ntp(1).middle()}), 10ms);
}

}  // namespace
}  // namespace parley::rtcp

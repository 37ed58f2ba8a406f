#include "rtcp/reception.h"

#include <algorithm>
#include <cstdlib>

namespace parley::rtcp {

namespace {

/// Longest time for which the difference of two packets says anything of jitter.
constexpr Duration kMaxJitterInterval = 10s;
/// DLSR has room for 65,536 s; a sender that is silent for this long has not "last" reported.
constexpr Duration kMaxSenderReportAge = 3600s;
/// The other end's clock ticks at 1/65536 s, and its timer may be coarse.
constexpr Duration kRoundTripTolerance = 10ms;
constexpr Duration kMaxRoundTrip = 30s;

}  // namespace

void ReceptionStats::handle_packet(Instant arrival, rtp::ExtSeq sequence, std::uint32_t rtp_timestamp) {
    if (received_ == 0) {
        first_ = sequence;
        highest_ = sequence;
    } else {
        first_ = std::min(first_, sequence);
        highest_ = std::max(highest_, sequence);
        const Duration elapsed = arrival - last_arrival_;
        if (elapsed >= Duration::zero() && elapsed <= kMaxJitterInterval) {
            const std::int64_t arrived =
                elapsed.count() * static_cast<std::int64_t>(clock_rate_) / 1'000'000'000;
            const std::int64_t sent = static_cast<std::int32_t>(rtp_timestamp - last_timestamp_);
            const std::int64_t difference = std::abs(arrived - sent);
            // A sender may restart its timestamps; that is not jitter.
            if (difference <= static_cast<std::int64_t>(clock_rate_) * 10) {
                jitter_q4_ += difference - ((jitter_q4_ + 8) >> 4);
            }
        }
    }
    ++received_;
    last_arrival_ = arrival;
    last_timestamp_ = rtp_timestamp;
}

void ReceptionStats::handle_sender_report(Instant now, NtpTime ntp) {
    last_sr_arrival_ = now;
    last_sr_ = ntp.middle();
}

std::uint64_t ReceptionStats::expected() const { return received_ == 0 ? 0 : highest_ - first_ + 1; }

std::int64_t ReceptionStats::cumulative_lost() const {
    return static_cast<std::int64_t>(expected()) - static_cast<std::int64_t>(received_);
}

Duration ReceptionStats::jitter() const {
    return Duration((jitter_q4_ >> 4) * 1'000'000'000 / static_cast<std::int64_t>(clock_rate_));
}

std::optional<ReportBlock> ReceptionStats::take_report(Instant now, Ssrc ssrc) {
    if (received_ == 0) return std::nullopt;
    const auto expected_now = static_cast<std::int64_t>(expected() - expected_at_report_);
    const auto received_now = static_cast<std::int64_t>(received_ - received_at_report_);
    const std::int64_t lost_now = expected_now - received_now;
    expected_at_report_ = expected();
    received_at_report_ = received_;

    ReportBlock block;
    block.ssrc = ssrc;
    if (expected_now > 0 && lost_now > 0) {
        block.fraction_lost =
            static_cast<std::uint8_t>(std::min<std::int64_t>(lost_now * 256 / expected_now, 255));
    }
    block.cumulative_lost =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(cumulative_lost(), -0x800000, 0x7FFFFF));
    block.extended_highest = static_cast<std::uint32_t>(highest_);
    block.jitter = static_cast<std::uint32_t>(std::min<std::int64_t>(jitter_q4_ >> 4, UINT32_MAX));
    if (last_sr_arrival_) {
        const Duration age = std::max(now - *last_sr_arrival_, Duration::zero());
        if (age <= kMaxSenderReportAge) {
            block.last_sr = last_sr_;
            block.delay_since_last_sr = to_ntp_middle(age);
        }
    }
    return block;
}

void RoundTripEstimator::handle_report_sent(Instant now, NtpTime ntp) {
    sent_[count_++ % kMaxSenderReports] = {.middle = ntp.middle(), .at = now};
}

std::optional<Duration> RoundTripEstimator::handle_report_block(Instant now, const ReportBlock& block) {
    if (block.last_sr == 0) return std::nullopt;
    const std::size_t known = std::min(count_, kMaxSenderReports);
    for (std::size_t back = 1; back <= known; ++back) {
        const Sent& sent = sent_[(count_ - back) % kMaxSenderReports];
        if (sent.middle != block.last_sr) continue;
        Duration round_trip = now - sent.at - from_ntp_middle(block.delay_since_last_sr);
        if (round_trip < -kRoundTripTolerance || round_trip > kMaxRoundTrip) return std::nullopt;
        round_trip = std::max(round_trip, Duration::zero());
        smoothed_ = smoothed_ ? *smoothed_ + (round_trip - *smoothed_) / 8 : round_trip;
        return round_trip;
    }
    return std::nullopt;
}

}  // namespace parley::rtcp

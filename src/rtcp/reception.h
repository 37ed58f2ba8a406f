#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "rtcp/packets.h"
#include "rtp/sequence.h"

namespace parley::rtcp {

/// What a receiver reports of one stream (RFC 3550 sections 6.4.1, A.3 and A.8).
///
/// Feed packets of the stream itself, not those recovered by RTX (RFC 4588 section 6.3: the retransmission
/// stream has reports of its own).
class ReceptionStats {
public:
    /// `clock_rate` in Hz, at least 1.
    explicit ReceptionStats(std::uint32_t clock_rate) : clock_rate_(clock_rate) {}

    void handle_packet(Instant arrival, rtp::ExtSeq sequence, std::uint32_t rtp_timestamp);
    void handle_sender_report(Instant now, NtpTime ntp);

    /// The block for the next report; the fraction lost counts from the block before. nullopt: no packet yet.
    [[nodiscard]] std::optional<ReportBlock> take_report(Instant now, Ssrc ssrc);

    [[nodiscard]] std::uint64_t received() const { return received_; }
    [[nodiscard]] std::uint64_t expected() const;
    [[nodiscard]] std::int64_t cumulative_lost() const;
    /// Interarrival jitter.
    [[nodiscard]] Duration jitter() const;

private:
    std::uint32_t clock_rate_;
    std::uint64_t received_ = 0;
    rtp::ExtSeq first_ = 0;
    rtp::ExtSeq highest_ = 0;
    std::uint64_t expected_at_report_ = 0;
    std::uint64_t received_at_report_ = 0;
    std::int64_t jitter_q4_ = 0;  ///< scaled by 16 (RFC 3550 section A.8)
    Instant last_arrival_;
    std::uint32_t last_timestamp_ = 0;
    std::optional<Instant> last_sr_arrival_;
    std::uint32_t last_sr_ = 0;
};

/// Round-trip time to a receiver from its report blocks (RFC 3550 section 6.4.1).
///
/// Remembers when each of the last sender reports left instead of subtracting NTP times, because the reports
/// we send carry the publisher's clock, not ours.
class RoundTripEstimator {
public:
    static constexpr std::size_t kMaxSenderReports = 8;

    void handle_report_sent(Instant now, NtpTime ntp);
    /// nullopt: no SR of ours is named, or the numbers make no sense.
    std::optional<Duration> handle_report_block(Instant now, const ReportBlock& block);
    /// Smoothed with a gain of 1/8; nullopt before the first measurement.
    [[nodiscard]] std::optional<Duration> round_trip() const { return smoothed_; }

private:
    struct Sent {
        std::uint32_t middle = 0;
        Instant at;
    };
    std::array<Sent, kMaxSenderReports> sent_{};
    std::size_t count_ = 0;
    std::optional<Duration> smoothed_;
};

}  // namespace parley::rtcp

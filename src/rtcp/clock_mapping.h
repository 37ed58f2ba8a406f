#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace parley::rtcp {

/// A moment on both of a stream's clocks, as a sender report states it.
struct ClockPoint {
    NtpTime ntp;
    std::uint32_t rtp_timestamp = 0;
};

/// Maps the RTP timestamps of one received stream to its sender's NTP clock by its sender reports.
///
/// The reports that we write for subscribers keep the publisher's NTP clock: its audio and its video share
/// that clock, so whatever it shows, they stay in sync at the subscriber. The network delay of a report moves
/// NTP and RTP time alike and leaves their relation untouched.
class ClockMapping {
public:
    /// `clock_rate` in Hz, at least 1.
    explicit ClockMapping(std::uint32_t clock_rate) : clock_rate_(clock_rate) {}

    void handle_sender_report(Instant now, NtpTime ntp, std::uint32_t rtp_timestamp);
    [[nodiscard]] bool is_known() const { return known_; }
    [[nodiscard]] std::uint32_t clock_rate() const { return clock_rate_; }

    /// nullopt before the first report. `rtp_timestamp` is within 2^31 ticks of the last report.
    [[nodiscard]] std::optional<NtpTime> ntp_at(std::uint32_t rtp_timestamp) const;
    [[nodiscard]] std::optional<std::uint32_t> rtp_at(NtpTime ntp) const;

    /// Both clocks at `now`, carried forward from the last report. Add the subscriber's timestamp offset to
    /// `rtp_timestamp` and write it into the SR.
    [[nodiscard]] std::optional<ClockPoint> extrapolate(Instant now) const;

private:
    std::uint32_t clock_rate_;
    bool known_ = false;
    NtpTime ntp_;
    std::uint32_t rtp_timestamp_ = 0;
    Instant arrival_;
};

}  // namespace parley::rtcp

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "convert/frame.h"
#include "rtp/sequence.h"

/// Clocks. Each track of a publisher is mapped to one `MediaTime` that all tracks of this publisher
/// share: RTMP by `RtmpTimeline`, WebRTC by `RtpTimeline`. A player's connection maps it on to
/// milliseconds from 0 by `PlayerClock`.
namespace parley::convert {

/// The clock of one RTMP publisher. Audio and video share one mapping, so that a jump of the
/// encoder's clock moves both alike and they stay in sync.
///
/// A jump is a step of more than `kMaxStep` from the newest frame of either kind, backwards or
/// forwards, that the time between their arrivals does not explain. The mapping is then shifted so
/// that the frame follows the newest one by that time. When the other kind jumps within
/// `kJumpWindow`, the same shift serves it; until then it goes on with the old one.
class RtmpTimeline {
public:
    static constexpr Duration kMaxStep = 5s;
    static constexpr Duration kJumpWindow = 10s;

    /// `timestamp_ms`: DTS as unwrapped by the RTMP reader (beyond 2^32 without a step). Frames of
    /// one kind never go back: a small step back gives the last time again.
    [[nodiscard]] MediaTime map(Instant now, FrameKind kind, std::int64_t timestamp_ms);
    /// The NTP time to state in sender reports for a MediaTime: counted from the first frame's
    /// arrival, so audio and video share it.
    [[nodiscard]] NtpTime ntp_at(MediaTime time, NtpTime at_first_frame) const;
    /// When MediaTime zero was, by the arrival of the newest frame.
    [[nodiscard]] Instant zero_at() const { return newest_at_ - newest_ms_ * 1ms; }
    [[nodiscard]] std::uint64_t jumps() const { return jumps_; }

private:
    struct Kind {
        bool seen = false;
        std::int64_t last_ms = 0;
        std::int64_t shift_ms = 0;
    };
    Kind kinds_[2];
    std::optional<std::int64_t> first_ms_;
    std::int64_t newest_ms_ = 0;  ///< of either kind
    Instant newest_at_{};
    std::int64_t shift_ms_ = 0;  ///< the newest one
    Instant shift_at_{};
    std::uint64_t jumps_ = 0;
};

/// The NTP clock of one WebRTC sender. Its tracks report it at different times; when it steps (the
/// machine's clock is set), the first track to notice records the step here and the others take the
/// same, so that the error of measuring it does not come between sound and picture.
class SenderClock {
public:
    static constexpr std::size_t kMaxSteps =
        8;  ///< remembered; a track that is further behind measures anew

    SenderClock() = default;
    /// For a sender whose MediaTime is known already: zero was then on its clock, and here.
    SenderClock(NtpTime zero, Instant zero_at);

private:
    friend class RtpTimeline;
    std::vector<std::int64_t> steps_ns_;     ///< the newest
    std::size_t step_count_ = 0;             ///< ever
    std::int64_t step_sum_ns_ = 0;           ///< of all
    std::optional<std::int64_t> origin_ns_;  ///< MediaTime zero, on the sender's clock
    std::optional<Instant> origin_at_;  ///< the same by arrival, for tracks without a report yet
};

/// Maps one track's RTP clock to the sender's clock.
///
/// Before the first sender report the time of arrival serves. The first report sets the mapping,
/// later ones pull it by small amounts, so that the drift of a sound card against its system's
/// clock (100 ppm are 8.6 s a day) never shows as a jump. What is absorbed: steps of the NTP clock,
/// and RTP time that leaves the time of arrival by more than `kMaxJump` (a restarted encoder); the
/// next report then sets the mapping again.
class RtpTimeline {
public:
    static constexpr Duration kMaxJump = 2s;
    static constexpr Duration kMaxSlew = 5ms;    ///< for each report
    static constexpr Duration kMaxSkew = 500ms;  ///< of a report; beyond it something has jumped

    /// `clock_rate` in Hz; `sender` is shared by the tracks of one sender and outlives this.
    RtpTimeline(std::uint32_t clock_rate, SenderClock& sender)
        : clock_rate_(clock_rate), sender_(sender) {}

    void handle_sender_report(Instant now, NtpTime ntp, std::uint32_t rtp_timestamp);
    [[nodiscard]] MediaTime map(Instant now, rtp::ExtTimestamp timestamp);
    [[nodiscard]] bool has_report() const { return has_report_; }
    [[nodiscard]] std::uint64_t jumps() const { return jumps_; }

private:
    struct Report {
        Instant at;
        std::int64_t ntp_ns = 0;
        std::uint32_t rtp_timestamp = 0;
    };
    [[nodiscard]] std::int64_t to_ns(rtp::ExtTimestamp timestamp) const;
    void apply(const Report& report);
    void absorb_step(std::int64_t measured_ns);

    std::uint32_t clock_rate_;
    SenderClock& sender_;
    std::optional<rtp::ExtTimestamp> first_;  ///< RTP time counts from here
    rtp::ExtTimestamp last_ = 0;
    Instant last_at_{};
    std::int64_t offset_ns_ = 0;  ///< MediaTime minus RTP time
    bool has_report_ = false;
    std::optional<Report> report_;  ///< the last, or one that waits for the first packet
    std::size_t steps_taken_ = 0;
    std::int64_t step_sum_ns_ = 0;
    std::uint64_t jumps_ = 0;
};

/// Milliseconds for one player: from 0, growing within a kind, audio and video on one clock.
///
/// Audio and video begin on one clock if their times are within `kMaxStep` of each other. A kind
/// that steps further (another publisher's track took its place) joins the other kind's clock if it
/// is near that, or follows the newest frame directly.
class PlayerClock {
public:
    static constexpr Duration kMaxStep = 10s;

    struct Times {
        std::uint32_t dts_ms = 0;         ///< wraps at 2^32 like the field of the protocol
        std::int32_t composition_ms = 0;  ///< PTS - DTS
        std::int64_t ext_dts_ms = 0;      ///< without wrap
    };
    struct Config {
        /// No frame gets an earlier time than the one before it, whatever its kind (protocol
        /// section 5.5). Feed it from a `PlayerQueue` that interleaves, or audio takes the time of
        /// earlier video.
        bool monotonic_across_kinds = true;
    };

    explicit PlayerClock(const Config& config) : config_(config) {}
    PlayerClock() : PlayerClock(Config{}) {}

    /// A configuration gets the time of the newest frame, whatever its own.
    [[nodiscard]] Times map(const Frame& frame);
    [[nodiscard]] std::uint64_t jumps() const { return jumps_; }
    /// How far a frame had to be moved to keep the order, at most, since the start.
    [[nodiscard]] Duration max_lift() const { return max_lift_; }

private:
    Config config_;
    struct Kind {
        bool seen = false;
        MediaTime origin{};
        MediaTime newest{};
        std::int64_t last_ms = 0;
    };
    Kind kinds_[2];
    std::uint64_t jumps_ = 0;
    Duration max_lift_{};
};

}  // namespace parley::convert

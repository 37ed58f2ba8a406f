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
/// forwards: the mapping is then shifted so that the frame follows the newest one by the time that
/// passed since that one arrived, at most `kMaxStep`. When the other kind jumps by the same amount
/// within `kJumpWindow` the same shift serves it; until then it goes on with the old one.
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
    [[nodiscard]] std::uint64_t jumps() const { return jumps_; }

private:
    struct Kind {
        bool seen = false;
        std::int64_t last_raw_ms = 0;
        std::int64_t last_ms = 0;
        std::int64_t shift_ms = 0;
        Instant last_at{};
    };
    Kind kinds_[2];
    std::optional<std::int64_t> first_ms_;
    std::int64_t newest_shift_ms_ = 0;
    Instant newest_shift_at_{};
    std::uint64_t jumps_ = 0;
};

/// The NTP clock of one WebRTC sender. Its tracks report it at different times; when it steps (the
/// machine's clock is set), the first track to notice records the step here and the others use the
/// same.
class SenderClock {
public:
    static constexpr std::size_t kMaxSteps = 8;  ///< remembered; a track further behind starts anew

private:
    friend class RtpTimeline;
    std::vector<std::int64_t> steps_ns_;
    std::size_t forgotten_ = 0;
    std::optional<std::int64_t> origin_ns_;  ///< MediaTime zero, on the sender's clock
    std::optional<Instant> origin_at_;
};

/// Maps one track's RTP clock to the sender's clock.
///
/// Before the first sender report the time of arrival serves. The first report sets the mapping,
/// later ones pull it by small amounts, so that the clock drift of a sound card against the
/// sender's system clock (100 ppm are 8.6 s a day) never shows as a jump. RTP time that leaves the
/// arrival time by more than `kMaxJump` (a restarted encoder) and NTP steps are absorbed: MediaTime
/// goes on.
class RtpTimeline {
public:
    static constexpr Duration kMaxJump = 2s;
    static constexpr Duration kMaxSlew = 5ms;  ///< for each report

    /// `clock_rate` in Hz; `sender` is shared by the tracks of one sender and outlives this.
    RtpTimeline(std::uint32_t clock_rate, SenderClock& sender)
        : clock_rate_(clock_rate), sender_(sender) {}

    void handle_sender_report(Instant now, NtpTime ntp, std::uint32_t rtp_timestamp);
    [[nodiscard]] MediaTime map(Instant now, rtp::ExtTimestamp timestamp);
    [[nodiscard]] bool has_report() const { return has_report_; }
    [[nodiscard]] std::uint64_t jumps() const { return jumps_; }

private:
    [[nodiscard]] std::int64_t to_ns(rtp::ExtTimestamp timestamp) const;

    std::uint32_t clock_rate_;
    SenderClock& sender_;
    rtp::TimestampUnwrapper report_timestamps_;
    std::optional<rtp::ExtTimestamp> first_;  ///< nanoseconds count from here
    rtp::ExtTimestamp last_ = 0;
    Instant last_at_{};
    std::int64_t offset_ns_ = 0;  ///< MediaTime minus RTP time
    bool has_offset_ = false;
    bool has_report_ = false;
    std::size_t steps_used_ = 0;
    std::uint64_t jumps_ = 0;
};

/// Milliseconds for one player: from 0, never back within a kind, audio and video on one clock.
///
/// A gap or a step back of more than `kMaxStep` between two frames of a connection (another
/// publisher's clock after a track was replaced) re-maps: the frame follows the newest one
/// directly.
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

    [[nodiscard]] Times map(const Frame& frame);
    [[nodiscard]] std::uint64_t jumps() const { return jumps_; }
    /// How far a frame had to be moved to keep the order, at most, since the start.
    [[nodiscard]] Duration max_lift() const { return max_lift_; }

private:
    Config config_;
    std::optional<MediaTime> origin_;
    MediaTime newest_{};
    std::int64_t last_ms_[2] = {-1, -1};
    std::uint64_t jumps_ = 0;
    Duration max_lift_{};
};

}  // namespace parley::convert

#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "base/units.h"
#include "sfu/layer.h"

/// How the media of one peer fares, for operators: counted where packets pass, judged elsewhere.
namespace parley::sfu {

/// Packets that should have come, and those that did not. What was repaired afterwards stays lost:
/// it is the network that is asked about.
struct LossCount {
    std::uint64_t expected = 0;
    std::uint64_t lost = 0;

    LossCount& operator+=(const LossCount& other) {
        expected += other.expected;
        lost += other.lost;
        return *this;
    }
    friend bool operator==(const LossCount&, const LossCount&) = default;
};

/// Turns running totals, which late packets and receivers' whims let fall, into what was lost
/// between two readings.
class LossMeter {
public:
    /// `lost` may shrink (a late packet) and may be nonsense (a receiver says it); more than
    /// `expected` is not believed.
    void handle_totals(std::uint64_t expected, std::int64_t lost) {
        if (!known_ || expected < expected_) {
            // The first word, or numbers that begin anew: nothing to compare with.
            if (!known_) count_ += {expected, to_count(lost, expected)};
        } else {
            const std::uint64_t more = expected - expected_;
            count_ += {more, to_count(lost - lost_, more)};
        }
        known_ = true;
        expected_ = expected;
        lost_ = lost;
    }
    /// Moves what was counted out.
    LossCount take() {
        const LossCount out = count_;
        count_ = {};
        return out;
    }

private:
    static std::uint64_t to_count(std::int64_t lost, std::uint64_t expected) {
        return lost <= 0 ? 0 : std::min(static_cast<std::uint64_t>(lost), expected);
    }
    bool known_ = false;
    std::uint64_t expected_ = 0;
    std::int64_t lost_ = 0;
    LossCount count_;
};

/// Since the last report. An absent figure is not known.
struct QualitySample {
    LossCount up;                        ///< of what the peer publishes
    LossCount down;                      ///< of what it receives, as its receiver reports say
    std::optional<Duration> round_trip;  ///< the longest measured
    std::optional<Bitrate> estimate;     ///< what it says it can take (REMB)
    std::optional<Layer> layer;  ///< the lowest that it is sent now, of tracks that have several

    std::optional<Duration> queue;         ///< RTMP and FLV: media that waits for the player
    std::optional<std::uint32_t> dropped;  ///< the same: frames left out for it to catch up

    QualitySample& operator+=(const QualitySample& other) {
        up += other.up;
        down += other.down;
        const auto take = [](auto& mine, const auto& theirs, auto better) {
            if (theirs && (!mine || better(*theirs, *mine))) mine = theirs;
        };
        take(round_trip, other.round_trip, [](Duration a, Duration b) { return a > b; });
        take(estimate, other.estimate, [](Bitrate a, Bitrate b) { return a.bps() < b.bps(); });
        take(queue, other.queue, [](Duration a, Duration b) { return a > b; });
        if (other.dropped) dropped = dropped.value_or(0) + *other.dropped;
        take(layer, other.layer, [](Layer a, Layer b) { return a > b; });
        return *this;
    }
    friend bool operator==(const QualitySample&, const QualitySample&) = default;
};

}  // namespace parley::sfu

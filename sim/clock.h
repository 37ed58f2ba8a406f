#pragma once

#include <cstdint>

#include "base/time.h"

namespace parley::sim {

/// The monotonic clock of one node: it runs a little fast or slow against the world's, starts
/// anywhere, and may leap ahead (a machine that was suspended).
class NodeClock {
public:
    NodeClock() = default;
    /// `drift_ppm`: parts per million that it runs fast.
    NodeClock(Duration offset, std::int64_t drift_ppm) : offset_(offset), drift_ppm_(drift_ppm) {}

    [[nodiscard]] Instant local(Instant world) const {
        const std::int64_t t = world.time_since_epoch().count();
        return Instant(Duration(t + t / 1'000'000 * drift_ppm_) + offset_);
    }
    /// A world time at which the local clock shows `local` or up to some microseconds more.
    [[nodiscard]] Instant world(Instant local) const {
        const std::int64_t t = (local.time_since_epoch() - offset_).count();
        // One step of the inverse is enough: the square of a drift is below the granularity.
        return Instant(Duration(t - t / 1'000'000 * drift_ppm_ + 2'000));
    }
    void leap(Duration by) { offset_ += by; }

private:
    Duration offset_{};
    std::int64_t drift_ppm_ = 0;
};

}  // namespace parley::sim

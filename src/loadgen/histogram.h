#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/time.h"

namespace parley::loadgen {

/// Distribution of durations from 1 ns to 2^40 ns (18 minutes) in buckets of about 1.6 % width, so that
/// millions of values cost a fixed 20 KB and no sorting.
class Histogram {
public:
    void add(Duration value) {
        const auto ns = static_cast<std::uint64_t>(std::clamp<std::int64_t>(value.count(), 0, kLimit - 1));
        ++buckets_[bucket_of(ns)];
        ++count_;
        max_ = std::max(max_, value);
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] Duration max() const { return max_; }

    /// Lower edge of the bucket that holds the value at `fraction` (0 to 1) of all; zero without values.
    [[nodiscard]] Duration percentile(double fraction) const {
        if (count_ == 0) return {};
        auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(count_ - 1));
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            if (rank < buckets_[i]) return Duration(static_cast<std::int64_t>(lower_edge(i)));
            rank -= buckets_[i];
        }
        return max_;
    }

private:
    static constexpr unsigned kFineBits = 6;  // 64 buckets for each power of two
    static constexpr std::int64_t kLimit = std::int64_t{1} << 40;

    static std::size_t bucket_of(std::uint64_t ns) {
        if (ns < (1u << kFineBits)) return ns;
        const auto power = static_cast<unsigned>(std::bit_width(ns)) - 1 - kFineBits;
        return (std::size_t{power} << kFineBits) + (ns >> power);
    }
    static std::uint64_t lower_edge(std::size_t bucket) {
        if (bucket < (2u << kFineBits)) return bucket;
        const std::size_t power = (bucket >> kFineBits) - 1;
        return (bucket - (power << kFineBits)) << power;
    }

    std::array<std::uint64_t, (40 - kFineBits + 1) << kFineBits> buckets_{};
    std::uint64_t count_ = 0;
    Duration max_{};
};

}  // namespace parley::loadgen

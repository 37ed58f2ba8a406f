#pragma once

#include <compare>
#include <cstdint>

#include "base/time.h"

namespace parley {

class DataSize {
public:
    constexpr DataSize() = default;
    static constexpr DataSize bytes(std::int64_t n) { return DataSize(n); }
    [[nodiscard]] constexpr std::int64_t bytes() const { return bytes_; }
    friend constexpr auto operator<=>(const DataSize&, const DataSize&) = default;
    friend constexpr DataSize operator+(DataSize a, DataSize b) { return DataSize(a.bytes_ + b.bytes_); }

private:
    constexpr explicit DataSize(std::int64_t n) : bytes_(n) {}
    std::int64_t bytes_ = 0;
};

class Bitrate {
public:
    constexpr Bitrate() = default;
    static constexpr Bitrate bps(std::int64_t n) { return Bitrate(n); }
    static constexpr Bitrate kbps(std::int64_t n) { return Bitrate(n * 1000); }
    [[nodiscard]] constexpr std::int64_t bps() const { return bps_; }
    [[nodiscard]] constexpr std::int64_t kbps() const { return bps_ / 1000; }
    friend constexpr auto operator<=>(const Bitrate&, const Bitrate&) = default;
    friend constexpr Bitrate operator+(Bitrate a, Bitrate b) { return Bitrate(a.bps_ + b.bps_); }

private:
    constexpr explicit Bitrate(std::int64_t n) : bps_(n) {}
    std::int64_t bps_ = 0;
};

}  // namespace parley

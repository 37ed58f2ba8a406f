#pragma once

#include <chrono>
#include <cstdint>

namespace parley {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;  // NOLINT(google-global-names-in-headers): units read as in prose

/// Monotonic time without a `now()`: reading the clock inside a pure core does not compile.
struct MonotonicClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = Duration;
    using time_point = std::chrono::time_point<MonotonicClock>;
    static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

/// Wall-clock time since the Unix epoch, for NTP timestamps and token expiry. It may jump.
struct WallClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = Duration;
    using time_point = std::chrono::time_point<WallClock>;
    static constexpr bool is_steady = false;
};
using WallTime = WallClock::time_point;

inline std::int64_t to_ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}
inline std::int64_t to_us(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}
inline double to_seconds(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
inline std::int64_t unix_ms(WallTime t) { return to_ms(t.time_since_epoch()); }
inline std::int64_t unix_seconds(WallTime t) {
    return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count();
}

/// 64-bit NTP timestamp, 32.32 fixed point seconds since 1900 (RFC 5905 section 6).
struct NtpTime {
    std::uint64_t value = 0;

    static NtpTime from_wall(WallTime t) {
        constexpr std::uint64_t kSecondsFrom1900To1970 = 2'208'988'800;
        const std::int64_t ns = t.time_since_epoch().count();
        const std::uint64_t seconds = static_cast<std::uint64_t>(ns / 1'000'000'000);
        const std::uint64_t fraction =
            (static_cast<std::uint64_t>(ns % 1'000'000'000) << 32) / 1'000'000'000;
        return {((seconds + kSecondsFrom1900To1970) << 32) | fraction};
    }
    /// Middle 32 bits, as in the LSR and DLSR fields of reports (RFC 3550 section 6.4.1).
    [[nodiscard]] std::uint32_t middle() const { return static_cast<std::uint32_t>(value >> 16); }
    friend auto operator<=>(const NtpTime&, const NtpTime&) = default;
};

/// Length of a 16.16 fixed point interval, such as DLSR or a round-trip time computed from it.
inline Duration from_ntp_middle(std::uint32_t interval) {
    return Duration((static_cast<std::int64_t>(interval) * 1'000'000'000) >> 16);
}
inline std::uint32_t to_ntp_middle(Duration d) {
    return static_cast<std::uint32_t>((d.count() << 16) / 1'000'000'000);
}

}  // namespace parley

#pragma once

#include <chrono>

#include "base/time.h"

namespace parley::io {

/// The only place where monotonic time is read; pure code gets it as an argument.
inline Instant read_monotonic_clock() {
    return Instant(std::chrono::duration_cast<Duration>(
        std::chrono::steady_clock::now().time_since_epoch()));
}

inline WallTime read_wall_clock() {
    return WallTime(std::chrono::duration_cast<Duration>(
        std::chrono::system_clock::now().time_since_epoch()));
}

}  // namespace parley::io

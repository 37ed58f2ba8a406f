#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "rest/http.h"

namespace parley::rest {

/// Unix seconds, or RFC 3339 with or without a fraction; years 1970 to 2200.
[[nodiscard]] std::optional<WallTime> parse_time(std::string_view text);

struct TimeRange {
    WallTime from;
    WallTime to = WallTime::max();  ///< not included
};
/// The parameters `from` and `to`. nullopt, and `wrong` says which: not a time, or `to` before
/// `from`.
[[nodiscard]] std::optional<TimeRange> read_time_range(const Target& target, std::string& wrong);

}  // namespace parley::rest

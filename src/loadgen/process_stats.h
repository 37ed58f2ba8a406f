#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace parley::loadgen {

/// What /proc says of a process.
struct ProcessSample {
    Duration cpu{};             ///< user and system time of all its threads
    std::uint64_t rss_bytes = 0;
    std::uint64_t pss_bytes = 0;  ///< 0 where smaps_rollup cannot be read
    std::uint64_t threads = 0;
};

/// nullopt when there is no such process or it may not be looked at.
std::optional<ProcessSample> sample_process(int pid);

/// The CPU ticks and thread count in the text of /proc/<pid>/stat. The name in it may hold spaces and
/// parentheses.
struct ParsedStat {
    std::uint64_t cpu_ticks = 0;
    std::uint64_t threads = 0;
};
std::optional<ParsedStat> parse_proc_stat(std::string_view text);

}  // namespace parley::loadgen

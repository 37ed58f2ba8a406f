#pragma once

#include <optional>
#include <string>

#include "loadgen/options.h"
#include "loadgen/process_stats.h"
#include "loadgen/totals.h"

namespace parley::loadgen {

/// Everything a run has measured.
struct Measurement {
    std::uint64_t clients = 0;
    std::uint64_t ready = 0;
    std::uint64_t failed = 0;
    std::string first_failure;
    Duration wall{};
    Counters counters;             ///< during the measurement only
    std::int64_t audio_lost = 0;   ///< over the whole life of the subscribers
    Duration own_cpu{};            ///< of this process during the measurement
    std::optional<ProcessSample> server_idle;    ///< before the subscribers came
    std::optional<ProcessSample> server_before;  ///< when the measurement began
    std::optional<ProcessSample> server_after;   ///< when it ended
};

std::string to_json(const Options& options, const Totals& totals, const Measurement& m);
std::string to_text(const Options& options, const Totals& totals, const Measurement& m);

}  // namespace parley::loadgen

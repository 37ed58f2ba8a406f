// parley-sim: runs worlds by their seeds and says which broke.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "sim/world.h"

namespace {

using namespace parley;

struct Options {
    std::uint64_t first = 1;
    std::uint64_t seeds = 500;
    std::uint64_t jobs = 1;
    bool trace = false;
    bool ok = true;
};

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--trace") {
            options.trace = true;
            continue;
        }
        const std::string_view text = i + 1 < argc ? argv[++i] : "";
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) options.ok = false;
        if (name == "--seeds") {
            options.seeds = value;
        } else if (name == "--first") {
            options.first = value;
        } else if (name == "--seed") {
            options.first = value;
            options.seeds = 1;
        } else if (name == "--jobs") {
            options.jobs = std::max<std::uint64_t>(value, 1);
        } else {
            options.ok = false;
        }
    }
    return options;
}

void print(std::uint64_t seed, const sim::Outcome& outcome) {
    for (const std::string& failure : outcome.failures) {
        std::printf("seed %" PRIu64 ": %s\n", seed, failure.c_str());
        break;  // the first one is the cause more often than not
    }
    for (std::size_t i = 1; i < outcome.failures.size(); ++i)
        std::printf("  %s\n", outcome.failures[i].c_str());
    std::printf("  %s\n  replay: parley-sim --seed %" PRIu64 " --trace\n",
                sim::Plan::from_seed(seed).describe().c_str(),
                seed);
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    if (!options.ok) {
        std::fprintf(stderr,
                     "usage: parley-sim [--seeds N] [--first S] [--seed S [--trace]] [--jobs N]\n");
        return 2;
    }
    std::atomic<std::uint64_t> next{0};
    std::mutex mutex;
    std::map<std::uint64_t, sim::Outcome> failed;
    std::uint64_t passed = 0;
    std::uint64_t events = 0;
    Duration slowest{};
    std::uint64_t slowest_seed = 0;
    const auto work = [&] {
        for (std::uint64_t i = next++; i < options.seeds; i = next++) {
            const std::uint64_t seed = options.first + i;
            sim::Outcome outcome = sim::run_seed(seed, sim::Sabotage::kNone, options.trace);
            const std::lock_guard lock(mutex);
            events += outcome.events;
            if (options.seeds == 1) std::printf("trace hash %016" PRIx64 "\n", outcome.trace_hash);
            if (outcome.failures.empty()) {
                ++passed;
                if (outcome.recovered_after > slowest) {
                    slowest = outcome.recovered_after;
                    slowest_seed = seed;
                }
            } else {
                failed[seed] = std::move(outcome);
            }
        }
    };
    // A world shares nothing with another one, so that the order in which they run does not matter.
    std::vector<std::thread> others;
    for (std::uint64_t i = 1; i < options.jobs; ++i) others.emplace_back(work);
    work();
    for (std::thread& thread : others) thread.join();
    for (const auto& [seed, outcome] : failed) print(seed, outcome);
    std::printf("%" PRIu64 " events; slowest recovery %lld ms (seed %" PRIu64 ")\n",
                events,
                static_cast<long long>(to_ms(slowest)),
                slowest_seed);
    std::printf("%" PRIu64 " passed, %zu failed\n", passed, failed.size());
    return failed.empty() ? 0 : 1;
}

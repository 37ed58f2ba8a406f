#include "loadgen/process_stats.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace parley::loadgen {
namespace {

std::string read_proc_file(int pid, const char* name) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data()) return std::nullopt;
    return value;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = text.find_first_not_of(" \t\n");
        if (begin == std::string_view::npos) return words;
        text.remove_prefix(begin);
        const std::size_t end = std::min(text.find_first_of(" \t\n"), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

/// The kilobytes behind `key` in a file of "Key:   123 kB" lines.
std::uint64_t kilobytes_of(std::string_view text, std::string_view key) {
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos) return 0;
    const auto words = words_of(text.substr(at + key.size(), 40));
    return words.empty() ? 0 : number(words[0]).value_or(0);
}

Duration from_ticks(std::uint64_t ticks) {
    constexpr std::uint64_t kTicksPerSecond = 100;  // USER_HZ, the same on every Linux
    return Duration(static_cast<std::int64_t>(ticks * 1'000'000'000 / kTicksPerSecond));
}

/// In nanoseconds, where /proc counts hundredths: a lightly loaded server uses a few of those in a second.
std::optional<Duration> cpu_time(int pid) {
    clockid_t clock{};
    timespec t{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return std::nullopt;
    return Duration(t.tv_sec * 1'000'000'000 + t.tv_nsec);
}

}  // namespace

std::optional<ParsedStat> parse_proc_stat(std::string_view text) {
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    const auto fields = words_of(text.substr(name_end + 1));
    // proc(5): the state behind the name is field 3; utime and stime are 14 and 15, num_threads is 20.
    if (fields.size() < 18) return std::nullopt;
    const auto user = number(fields[11]);
    const auto system = number(fields[12]);
    const auto threads = number(fields[17]);
    if (!user || !system || !threads) return std::nullopt;
    return ParsedStat{.cpu_ticks = *user + *system, .threads = *threads};
}

std::optional<ProcessSample> sample_process(int pid) {
    const auto stat = parse_proc_stat(read_proc_file(pid, "stat"));
    if (!stat) return std::nullopt;
    ProcessSample sample;
    sample.cpu = cpu_time(pid).value_or(from_ticks(stat->cpu_ticks));
    sample.threads = stat->threads;
    sample.rss_bytes = kilobytes_of(read_proc_file(pid, "status"), "VmRSS:") * 1024;
    sample.pss_bytes = kilobytes_of(read_proc_file(pid, "smaps_rollup"), "\nPss:") * 1024;
    return sample;
}

}  // namespace parley::loadgen

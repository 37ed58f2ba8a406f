#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace parley::sim {

/// Collects what broke in a world, each thing once, with the time it was seen first.
class Checker {
public:
    static constexpr std::size_t kMaxFailures = 20;

    void fail(std::string_view what) {
        for (const std::string& known : seen_) {
            if (known == what) return;
        }
        if (seen_.size() >= kMaxFailures) return;
        seen_.emplace_back(what);
        failures_.push_back(std::to_string(to_ms(now_.time_since_epoch())) +
                            " ms: " + seen_.back());
    }
    void expect(bool condition, std::string_view what) {
        if (!condition) fail(what);
    }
    void set_time(Instant now) { now_ = now; }
    [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

private:
    Instant now_;
    std::vector<std::string> seen_;
    std::vector<std::string> failures_;
};

/// A hash over everything that happened, in order: the same seed must give the same one. Optionally
/// prints.
class Trace {
public:
    explicit Trace(bool print = false) : print_(print) {}

    void add(Instant now, std::string_view kind, ByteView bytes) {
        mix(static_cast<std::uint64_t>(now.time_since_epoch().count()));
        mix_bytes(as_bytes_view(kind));
        mix_bytes(bytes);
        ++events_;
        if (print_) print(now, kind, bytes);
    }
    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] std::uint64_t events() const { return events_; }

private:
    static constexpr std::uint64_t kPrime = 1099511628211ULL;  // FNV-1a

    void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * kPrime; }
    void mix_bytes(ByteView bytes) {
        mix(bytes.size());
        std::size_t i = 0;
        for (; i + 4 <= bytes.size(); i += 4) mix(load_u32(bytes.data() + i));
        for (; i < bytes.size(); ++i) mix(bytes[i]);
    }
    static void print(Instant now, std::string_view kind, ByteView bytes);

    bool print_;
    std::uint64_t hash_ = 14695981039346656037ULL;
    std::uint64_t events_ = 0;
};

}  // namespace parley::sim

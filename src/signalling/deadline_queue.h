#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/time.h"

namespace parley::signalling {

/// One deadline for each of many things.
class DeadlineQueue {
public:
    enum class Kind : std::uint8_t { kSession, kMember, kRoom };
    struct Key {
        Kind kind{};
        std::uint64_t id = 0;
        friend auto operator<=>(const Key&, const Key&) = default;
    };

    /// Replaces the deadline this thing had.
    void set(const Key& key, Instant at) {
        clear(key);
        by_key_.emplace(key, at);
        by_time_.emplace(at, key);
    }
    void clear(const Key& key) {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return;
        by_time_.erase({found->second, key});
        by_key_.erase(found);
    }
    [[nodiscard]] std::optional<Instant> next() const {
        if (by_time_.empty()) return std::nullopt;
        return by_time_.begin()->first;
    }
    /// The first thing whose time has come, taken out.
    std::optional<Key> take_expired(Instant now) {
        if (by_time_.empty() || by_time_.begin()->first > now) return std::nullopt;
        const Key key = by_time_.begin()->second;
        clear(key);
        return key;
    }

private:
    std::map<Key, Instant> by_key_;
    std::set<std::pair<Instant, Key>> by_time_;
};

/// At most `per_second` times in any second, and as many at once.
class RateLimit {
public:
    [[nodiscard]] bool allow(Instant now, std::uint32_t per_second) {
        if (per_second == 0) return false;
        const Duration refill = now - last_;
        credit_ = refill >= 1s ? Duration(1s) : std::min<Duration>(1s, credit_ + refill);
        last_ = now;
        const Duration cost = Duration(1s) / per_second;
        if (credit_ < cost) return false;
        credit_ -= cost;
        return true;
    }

private:
    Instant last_{};
    Duration credit_ = 1s;
};

}  // namespace parley::signalling

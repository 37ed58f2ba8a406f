#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/time.h"

namespace parley::rest {

/// Nonces of signed calls that were taken already. Each is kept until the date it came with is too
/// old to be accepted anyway; only who has a key can add one.
class ReplayGuard {
public:
    static constexpr std::size_t kMaxNonces = 200'000;
    enum class Verdict { kFresh, kSeen, kFull };

    Verdict take(WallTime now,
                 std::string_view access_key,
                 std::string_view nonce,
                 WallTime expires) {
        while (!queue_.empty() && queue_.front().first <= now) {
            seen_.erase(queue_.front().second);
            queue_.pop_front();
        }
        std::string key = std::string(access_key) + ' ' + std::string(nonce);
        if (seen_.contains(key)) return Verdict::kSeen;
        if (seen_.size() >= kMaxNonces) return Verdict::kFull;
        // In the order of arrival: a later expiry in front of an earlier one only delays that.
        seen_.insert(key);
        queue_.emplace_back(expires, std::move(key));
        return Verdict::kFresh;
    }
    [[nodiscard]] std::size_t size() const { return seen_.size(); }

private:
    std::deque<std::pair<WallTime, std::string>> queue_;
    std::unordered_set<std::string> seen_;
};

}  // namespace parley::rest

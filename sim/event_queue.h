#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"

namespace parley::sim {

/// What happens next, by (time, order of scheduling): one seed, one order.
class EventQueue {
public:
    using Action = std::function<void()>;

    void at(Instant when, Action action) {
        heap_.push_back({when, next_++, std::move(action)});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    [[nodiscard]] std::optional<Instant> next() const {
        return heap_.empty() ? std::nullopt : std::optional(heap_.front().when);
    }
    [[nodiscard]] std::pair<Instant, Action> pop() {
        std::pop_heap(heap_.begin(), heap_.end(), later);
        Entry entry = std::move(heap_.back());
        heap_.pop_back();
        return {entry.when, std::move(entry.action)};
    }

private:
    struct Entry {
        Instant when;
        std::uint64_t order = 0;
        Action action;
    };
    static bool later(const Entry& a, const Entry& b) {
        return a.when != b.when ? a.when > b.when : a.order > b.order;
    }
    std::vector<Entry> heap_;
    std::uint64_t next_ = 0;
};

}  // namespace parley::sim

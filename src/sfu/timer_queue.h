#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace parley::sfu {

/// Deadlines of many peers. An entry may be stale: the owner compares it with what the peer says now and puts
/// it back. Each peer has at most one entry that counts, so the queue stays near the number of peers.
class TimerQueue {
public:
    void push(Instant at, PeerId peer) {
        heap_.push_back({at, peer});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    [[nodiscard]] std::optional<Instant> next() const {
        return heap_.empty() ? std::nullopt : std::optional(heap_.front().at);
    }
    struct Entry {
        Instant at;
        PeerId peer;
    };
    [[nodiscard]] std::optional<Entry> pop_due(Instant now) {
        if (heap_.empty() || heap_.front().at > now) return std::nullopt;
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const Entry entry = heap_.back();
        heap_.pop_back();
        return entry;
    }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }

private:
    // Equal times go by peer, so that one seed gives one order.
    static bool later(const Entry& a, const Entry& b) {
        return a.at != b.at ? a.at > b.at : a.peer > b.peer;
    }
    std::vector<Entry> heap_;
};

}  // namespace parley::sfu

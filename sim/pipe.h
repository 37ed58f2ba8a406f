#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/bytes.h"
#include "base/time.h"

namespace parley::sim {

/// One direction of a TCP connection: bytes arrive in order, after a while, and no more are taken
/// than the two sockets' buffers hold. A receiver that does not read makes the sender wait.
class Pipe {
public:
    static constexpr std::size_t kBuffers = 64 * 1'024;

    explicit Pipe(Duration delay) : delay_(delay) {}

    void slow_down(std::int64_t bits_per_second) { rate_bps_ = bits_per_second; }
    /// What waits for the slow line goes at once.
    void speed_up(Instant now) {
        rate_bps_ = 0;
        free_at_ = now;
        for (Chunk& chunk : chunks_) chunk.at = std::min(chunk.at, now + delay_);
    }
    [[nodiscard]] std::size_t room() const { return kBuffers - std::min(held_, kBuffers); }

    void push(Instant now, Bytes bytes) {
        if (bytes.empty()) return;
        Instant leaves = std::max(now, free_at_);
        if (rate_bps_ > 0) {
            leaves +=
                Duration(static_cast<std::int64_t>(bytes.size()) * 8 * 1'000'000'000 / rate_bps_);
        }
        free_at_ = leaves;
        held_ += bytes.size();
        chunks_.push_back({leaves + delay_, std::move(bytes)});
    }
    /// What has arrived, at most `size` bytes.
    Bytes pop(Instant now, std::size_t size) {
        Bytes out;
        while (!chunks_.empty() && chunks_.front().at <= now && out.size() < size) {
            Bytes& first = chunks_.front().bytes;
            const std::size_t taken = std::min(first.size(), size - out.size());
            out.insert(
                out.end(), first.begin(), first.begin() + static_cast<std::ptrdiff_t>(taken));
            first.erase(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(taken));
            if (first.empty()) chunks_.pop_front();
        }
        held_ -= out.size();
        return out;
    }
    [[nodiscard]] bool empty() const { return chunks_.empty(); }

private:
    struct Chunk {
        Instant at;
        Bytes bytes;
    };
    Duration delay_;
    std::int64_t rate_bps_ = 0;  ///< 0: no limit
    Instant free_at_{};
    std::size_t held_ = 0;
    std::deque<Chunk> chunks_;
};

}  // namespace parley::sim

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace parley::srtp {

/// Remembers which of the newest `kSize` packet indexes arrived (RFC 3711 section 3.3.2). A ring of words
/// that is cleared as the newest index moves on, so nothing is ever shifted (RFC 6479).
template <std::size_t kWords>
class ReplayWindow {
public:
    /// One word less than the ring holds: the newest word is only partly ahead of the oldest.
    static constexpr std::uint64_t kSize = (kWords - 1) * 64;

    /// False for an index that came before and for one too old to tell.
    [[nodiscard]] bool is_fresh(std::uint64_t index) const {
        if (empty_ || index > highest_) return true;
        if (highest_ - index >= kSize) return false;
        return (words_[(index / 64) % kWords] >> (index % 64) & 1) == 0;
    }

    /// Only for an index that is fresh and whose packet is authentic.
    void mark(std::uint64_t index) {
        if (empty_ || index > highest_) {
            const std::uint64_t steps = empty_ ? kWords : std::min<std::uint64_t>(index / 64 - highest_ / 64, kWords);
            for (std::uint64_t i = 0; i < steps; ++i) words_[(index / 64 - i) % kWords] = 0;
            highest_ = index;
            empty_ = false;
        }
        words_[(index / 64) % kWords] |= std::uint64_t{1} << (index % 64);
    }

    [[nodiscard]] bool is_empty() const { return empty_; }
    [[nodiscard]] std::uint64_t highest() const { return highest_; }

private:
    std::array<std::uint64_t, kWords> words_{};
    std::uint64_t highest_ = 0;
    bool empty_ = true;
};

/// RFC 3711 section 3.3.1: the 48-bit index that a 16-bit sequence number most likely has, given the highest
/// authenticated one.
inline std::uint64_t estimate_index(std::uint64_t highest, std::uint16_t sequence_number) {
    constexpr std::uint32_t kHalf = 0x8000;
    const std::uint64_t rollover_counter = highest >> 16;
    const std::uint32_t newest = static_cast<std::uint16_t>(highest);
    const std::uint32_t received = sequence_number;
    std::uint64_t guess = rollover_counter;
    if (newest < kHalf) {
        // RFC 3711 appendix A would step back to 2^32 - 1 here; no packet before the first round exists, so
        // in round 0 it can only be one far ahead.
        if (received > newest + kHalf && rollover_counter > 0) guess = rollover_counter - 1;
    } else if (received < newest - kHalf) {
        guess = (rollover_counter + 1) & 0xffff'ffff;
    }
    return guess << 16 | received;
}

}  // namespace parley::srtp

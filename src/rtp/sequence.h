#pragma once

#include <cstdint>
#include <optional>

namespace parley::rtp {

/// RTP sequence number that never wraps: cycles << 16 | sequence number. Under SRTP it equals the packet
/// index (RFC 3711 section 3.3.1) as long as both start in cycle 0.
using ExtSeq = std::uint64_t;
/// RTP timestamp that never wraps.
using ExtTimestamp = std::uint64_t;

[[nodiscard]] constexpr std::uint16_t to_wire(ExtSeq sequence) {
    return static_cast<std::uint16_t>(sequence);
}

/// Turns 16-bit numbers into 64-bit ones, each taken as the nearest to the highest so far: up to 2^15 - 1
/// ahead of it, up to 2^15 behind.
class SequenceUnwrapper {
public:
    /// The first number is unwrapped into this cycle.
    explicit SequenceUnwrapper(std::uint64_t first_cycle = 0) : first_cycle_(first_cycle) {}

    /// nullopt: from before cycle 0, such as 65535 after a first 0. With `first_cycle` of 1 or more there is
    /// always a value.
    [[nodiscard]] std::optional<ExtSeq> unwrap(std::uint16_t sequence_number) {
        const std::optional<ExtSeq> extended = peek(sequence_number);
        if (extended && (!highest_ || *extended > *highest_)) highest_ = extended;
        return extended;
    }
    /// As `unwrap`, without moving on.
    [[nodiscard]] std::optional<ExtSeq> peek(std::uint16_t sequence_number) const {
        if (!highest_) return first_cycle_ << 16 | sequence_number;
        const auto difference =
            static_cast<std::int16_t>(static_cast<std::uint16_t>(sequence_number - to_wire(*highest_)));
        if (difference < 0 && *highest_ < static_cast<std::uint64_t>(-static_cast<int>(difference))) {
            return std::nullopt;
        }
        return *highest_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(difference));
    }
    [[nodiscard]] std::optional<ExtSeq> highest() const { return highest_; }
    void reset() { highest_.reset(); }

private:
    std::optional<ExtSeq> highest_;
    std::uint64_t first_cycle_;
};

/// Turns 32-bit RTP timestamps into 64-bit ones. Starts in cycle 1, so that earlier ones have room.
class TimestampUnwrapper {
public:
    [[nodiscard]] ExtTimestamp unwrap(std::uint32_t timestamp) {
        const ExtTimestamp extended = peek(timestamp);
        if (extended > highest_) highest_ = extended;
        return extended;
    }
    [[nodiscard]] ExtTimestamp peek(std::uint32_t timestamp) const {
        if (highest_ == 0) return std::uint64_t{1} << 32 | timestamp;
        const auto difference =
            static_cast<std::int32_t>(timestamp - static_cast<std::uint32_t>(highest_));
        return highest_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(difference));
    }
    void reset() { highest_ = 0; }

private:
    ExtTimestamp highest_ = 0;  ///< 0: nothing yet, because real values start at 2^32
};

}  // namespace parley::rtp

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "flv/message.h"

namespace parley::flv {

/// Bytes on their way out of one connection, in order, as pieces: a few own bytes (a header), a
/// slice of a shared payload, a few own bytes again (a trailer). The shell hands `views` to writev
/// and tells what went by `consume`; no payload is copied, however many connections it goes to. In
/// steady state nothing is allocated either.
class GatherList {
public:
    /// Own bytes for each piece, head and tail together.
    static constexpr std::size_t kMaxHead = 16;
    static constexpr std::size_t kMaxTail = 4;

    /// Copies. Up to kMaxHead bytes go without an allocation.
    void append_copy(ByteView bytes);
    /// `head` (at most kMaxHead bytes), then `size` bytes of `payload` from `offset`, then `tail`
    /// (at most kMaxTail bytes).
    void append(ByteView head,
                const SharedPayload& payload,
                std::size_t offset,
                std::size_t size,
                ByteView tail = {});
    /// Moves everything of `other` behind what is here.
    void append(GatherList&& other);

    [[nodiscard]] bool empty() const { return size_bytes_ == 0; }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
    /// What it keeps in memory: a payload stays whole until its last byte is out.
    [[nodiscard]] std::size_t memory_bytes() const;
    [[nodiscard]] std::size_t pieces() const { return pieces_.size() - first_; }

    /// Fills `out` with the first bytes to send; returns how many views. They are valid until the
    /// list changes. Each piece takes up to three.
    [[nodiscard]] std::size_t views(std::span<ByteView> out) const;
    /// `bytes` went out; at most `size_bytes()`.
    void consume(std::size_t bytes);
    void clear();

    /// Everything in one buffer, for tests and for shells without writev.
    [[nodiscard]] Bytes flatten() const;

private:
    struct Piece {
        SharedPayload payload;
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
        std::uint8_t head_size = 0;
        std::uint8_t tail_size = 0;
        std::array<std::uint8_t, kMaxHead + kMaxTail> own{};

        [[nodiscard]] std::size_t total() const {
            return std::size_t{head_size} + size + tail_size;
        }
    };

    std::vector<Piece> pieces_;
    std::size_t first_ = 0;           ///< pieces before it are gone
    std::size_t first_consumed_ = 0;  ///< bytes of piece `first_` that are gone
    std::size_t size_bytes_ = 0;
};

}  // namespace parley::flv

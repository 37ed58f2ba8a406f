#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "media/packet.h"
#include "rtp/sequence.h"

namespace parley::sfu {

/// The last packets of one received stream, kept once for all its subscribers. Serves retransmissions
/// (RFC 4588) and tells duplicates from new packets.
///
/// Bounded by number (`capacity`) and by age (`max_age`): a slow stream does not pin old packets, a fast one
/// does not pin many.
class PacketHistory {
public:
    enum class Verdict : std::uint8_t { kNew, kDuplicate, kTooOld };

    /// `capacity` is a power of two, at most 2^15.
    PacketHistory(std::size_t capacity, Duration max_age);

    /// Files the packet under its `ext_seq`. Anything but kNew leaves the history as it was.
    Verdict insert(const media::PacketRef& packet);
    /// Empty when the packet never came, or is forgotten already.
    [[nodiscard]] media::PacketRef find(rtp::ExtSeq sequence) const;
    [[nodiscard]] std::optional<rtp::ExtSeq> highest() const { return highest_; }
    /// The 64-bit number nearest to the highest one with these low 16 bits.
    [[nodiscard]] std::optional<rtp::ExtSeq> unwrap(std::uint16_t sequence_number) const;
    [[nodiscard]] std::size_t size() const { return count_; }

private:
    [[nodiscard]] std::size_t slot(rtp::ExtSeq sequence) const { return sequence & (slots_.size() - 1); }
    void drop_oldest();

    std::vector<media::PacketRef> slots_;
    Duration max_age_;
    std::optional<rtp::ExtSeq> highest_;
    rtp::ExtSeq oldest_ = 0;  // nothing below it is kept
    std::size_t count_ = 0;
};

}  // namespace parley::sfu

#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "base/inline_vector.h"
#include "media/packet.h"

namespace parley::sfu {

/// Packets of one stream that arrived in one turn of the worker, and how they go out: runs of equal size can
/// leave in one UDP_SEGMENT send. Encoders cut a frame into pieces that differ by a byte; up to
/// `kMaxPadding` bytes of RTP padding (RFC 3550 section 5.1) make them equal, where that is under 1 % of the
/// packet. Planned once for all subscribers.
class Burst {
public:
    static constexpr std::size_t kMaxPackets = 64;
    static constexpr std::size_t kMaxPadding = 2;
    /// Smaller packets are never padded: two bytes would be more than 1 %.
    static constexpr std::size_t kMinPaddedSize = 200;
    static constexpr std::size_t kMaxRun = 40;

    struct Run {
        std::uint8_t first = 0;
        std::uint8_t count = 0;
        std::uint16_t payload_size = 0;  ///< of every packet but perhaps the last, padding included
    };

    /// False when full: flush first.
    bool add(media::PacketRef packet) {
        if (count_ == kMaxPackets) return false;
        packets_[count_++] = std::move(packet);
        return true;
    }
    /// Cuts the packets into runs and writes the padding bytes behind their payloads (into tailroom that
    /// nobody reads otherwise). Returns the padding bytes for one subscriber.
    std::size_t plan();
    void clear();

    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool full() const { return count_ == kMaxPackets; }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] const media::Packet& packet(std::size_t i) const { return *packets_[i]; }
    [[nodiscard]] const media::PacketRef& reference(std::size_t i) const { return packets_[i]; }
    [[nodiscard]] std::uint8_t padding(std::size_t i) const { return padding_[i]; }
    [[nodiscard]] const InlineVector<Run, kMaxPackets>& runs() const { return runs_; }

private:
    std::size_t pad(std::size_t i, std::size_t payload_size);

    std::array<media::PacketRef, kMaxPackets> packets_;
    std::array<std::uint8_t, kMaxPackets> padding_{};
    std::size_t count_ = 0;
    InlineVector<Run, kMaxPackets> runs_;
};

}  // namespace parley::sfu

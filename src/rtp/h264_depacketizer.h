#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "rtp/sequence.h"

namespace parley::rtp {

/// One whole access unit, as NAL units behind four-byte start codes (H.264 Annex B).
struct H264AccessUnit {
    Bytes annex_b;
    std::uint32_t timestamp = 0;
    bool has_idr = false;
    bool has_sps = false;
};

/// Puts access units together again from RTP payloads in sequence order (RFC 6184). Not for the forwarding
/// path: it copies and allocates.
///
/// An access unit with a missing, malformed or too large part is dropped as a whole; the next begins where
/// the timestamp changes or after a marker bit. Packets that come late are dropped: reorder before.
class H264Depacketizer {
public:
    static constexpr std::size_t kMaxAccessUnitSize = 4 * 1024 * 1024;

    struct Stats {
        std::uint64_t access_units = 0;
        std::uint64_t damaged = 0;    ///< dropped for a loss within
        std::uint64_t malformed = 0;  ///< payloads that break their format
        std::uint64_t too_large = 0;
        std::uint64_t late = 0;       ///< payloads not ahead of the last one
    };

    struct Input {
        ExtSeq sequence = 0;
        std::uint32_t timestamp = 0;
        bool marker = false;
        ByteView payload;
    };

    /// The access unit that this payload ends, if it is whole. A sender that sets no marker bits gets nothing
    /// through: WebRTC senders set them (RFC 6184 section 5.1).
    std::optional<H264AccessUnit> handle_payload(const Input& in);
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    enum class State : std::uint8_t {
        kEmpty,      ///< waits for the first payload of an access unit
        kCollects,
        kDamaged,    ///< drops until the access unit is over
    };

    void damage(std::uint64_t& counter);
    void collect(ByteView payload);
    [[nodiscard]] bool append(ByteView start, std::uint8_t header, ByteView data);

    State state_ = State::kEmpty;
    H264AccessUnit unit_;
    bool in_fragment_ = false;
    std::uint8_t fragment_header_ = 0;
    std::optional<ExtSeq> last_;
    Stats stats_;
};

}  // namespace parley::rtp

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"

/// H.264 access units to RTP payloads, packetization mode 1 (RFC 6184 section 5.4).
namespace parley::rtp {

/// Cuts one access unit into payloads, in order and without copying ahead: small units that follow each
/// other go together into a STAP-A, a unit beyond the limit becomes FU-As of about equal size. Borrows the
/// list and the units until the last payload is taken.
class H264PacketizerView {
public:
    static constexpr std::size_t kMinPayloadSize = 16;

    struct Payload {
        std::size_t size = 0;
        bool last = false;  ///< of the access unit: set the marker bit (RFC 6184 section 5.1)
    };

    /// `nals` with their headers, without start codes; empty ones are left out. `max_payload_size` counts
    /// as at least `kMinPayloadSize`.
    H264PacketizerView(std::span<const ByteView> nals, std::size_t max_payload_size);

    /// Writes the next payload; nullopt when the access unit is at its end. `out` has room for
    /// `max_payload_size`.
    std::optional<Payload> next(ByteWriter& out);

private:
    [[nodiscard]] std::size_t count_for_stap_a() const;
    std::size_t write_fragment(ByteWriter& out);
    void drop_empty();

    std::span<const ByteView> nals_;
    std::size_t max_size_;
    std::size_t fragment_offset_ = 0;  ///< in the first of `nals_`; 0 = not fragmented yet
};

}  // namespace parley::rtp

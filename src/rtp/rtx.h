#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

/// Retransmission payload format (RFC 4588 section 4): the original sequence number (OSN), then the original
/// payload.
namespace parley::rtp {

inline constexpr std::size_t kRtxHeaderSize = 2;

struct RtxPayloadView {
    std::uint16_t original_sequence_number = 0;
    ByteView payload;
};

/// nullopt: shorter than the OSN. An empty original payload is what browsers send as a bandwidth probe.
[[nodiscard]] inline std::optional<RtxPayloadView> parse_rtx(ByteView payload) {
    if (payload.size() < kRtxHeaderSize) return std::nullopt;
    return RtxPayloadView{.original_sequence_number = load_u16(payload.data()),
                          .payload = payload.subspan(kRtxHeaderSize)};
}

inline void write_rtx_header(ByteWriter& out, std::uint16_t original_sequence_number) {
    out.u16(original_sequence_number);
}

}  // namespace parley::rtp

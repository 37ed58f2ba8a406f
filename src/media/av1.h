#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

/// Aggregation header of the AV1 RTP payload format (AOM, section 4.4).
namespace parley::media {

struct Av1AggregationHeader {
    bool continues = false;        ///< Z: the first OBU element continues one of the packet before
    bool continued = false;        ///< Y: the last OBU element goes on in the next packet
    std::uint8_t obu_count = 0;    ///< W: 0 = every element has a length
    bool starts_sequence = false;  ///< N: first packet of a coded video sequence, a key frame
};

/// nullopt: empty payload.
[[nodiscard]] inline std::optional<Av1AggregationHeader> parse_av1_aggregation_header(
    ByteView rtp_payload) {
    if (rtp_payload.empty()) return std::nullopt;
    const std::uint8_t first = rtp_payload[0];
    return Av1AggregationHeader{.continues = (first & 0x80) != 0,
                                .continued = (first & 0x40) != 0,
                                .obu_count = static_cast<std::uint8_t>(first >> 4 & 0x03),
                                .starts_sequence = (first & 0x08) != 0};
}

/// N and Z never stand together (section 4.4); a payload that has both starts nothing.
[[nodiscard]] inline bool is_av1_keyframe_start(ByteView rtp_payload) {
    const auto header = parse_av1_aggregation_header(rtp_payload);
    return header && header->starts_sequence && !header->continues;
}

}  // namespace parley::media

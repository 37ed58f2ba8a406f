#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/inline_vector.h"
#include "base/result.h"

/// Redundant audio data (RFC 2198 section 3).
namespace parley::rtp {

/// Chromium sends at most nine redundant blocks.
inline constexpr std::size_t kMaxRedundantBlocks = 16;

struct RedBlockView {
    PayloadType payload_type;
    std::uint16_t timestamp_offset = 0;  ///< how much earlier than the packet's timestamp, 14 bits
    ByteView data;
};

struct RedView {
    InlineVector<RedBlockView, kMaxRedundantBlocks> redundant;  ///< oldest first, as in the packet
    PayloadType primary_payload_type;
    std::size_t primary_offset = 0;  ///< in the payload
    ByteView primary;
};

/// Errors: kTruncated, kTooLarge (more than `kMaxRedundantBlocks`), kMalformed (no byte of primary data).
[[nodiscard]] Result<RedView> parse_red(ByteView rtp_payload);

}  // namespace parley::rtp

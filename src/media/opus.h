#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

/// Opus packet header (RFC 6716 section 3).
namespace parley::media {

inline constexpr std::uint32_t kOpusClockRate = 48'000;  ///< RFC 7587 section 4.1, whatever is coded
inline constexpr Duration kMaxOpusPacketDuration = 120ms;

enum class OpusMode : std::uint8_t { kSilk, kHybrid, kCelt };

struct OpusPacketInfo {
    OpusMode mode = OpusMode::kSilk;
    bool stereo = false;
    std::uint8_t frame_count = 0;
    Duration frame_duration{};
    Duration duration{};  ///< of all frames
    /// At most one byte of data: nothing but comfort noise until more comes (RFC 6716 section 2.1.9).
    bool dtx = false;
};

/// Errors: kTruncated, kMalformed (no frame, or more than 120 ms: requirement R5 of section 3.4).
[[nodiscard]] Result<OpusPacketInfo> parse_opus_packet(ByteView rtp_payload);

}  // namespace parley::media

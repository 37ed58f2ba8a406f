#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace parley::flv {

/// ModEx packets of enhanced RTMP v2: modifiers (nanoseconds of the timestamp, so far) before the
/// packet type proper. All are passed over; the packet type follows each. The modifier's number is
/// the same for audio and video.
inline constexpr std::uint8_t kModExPacketType = 7;
inline constexpr int kMaxModExPackets = 8;

inline Result<std::uint8_t> skip_mod_ex(ByteReader& in, std::uint8_t packet_type) {
    for (int i = 0; packet_type == kModExPacketType; ++i) {
        if (i == kMaxModExPackets) return fail(Errc::kTooLarge, "ModEx packets", in.offset());
        std::size_t size = in.u8() + std::size_t{1};
        if (size == 256) size = in.u16() + std::size_t{1};
        in.skip(size);
        packet_type = in.u8() & 0x0F;
    }
    if (!in.ok()) return fail(Errc::kTruncated, "ModEx packet");
    return packet_type;
}

}  // namespace parley::flv

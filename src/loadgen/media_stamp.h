#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace parley::loadgen {

/// When a frame was sent, and which one it is. Made media repeats it in every packet, so that a receiver on
/// the same machine measures one-way delay exactly and sees frames that vanished without a sequence gap.
struct MediaStamp {
    std::uint64_t sent_ns = 0;  ///< wall clock, lower 48 bits of the nanoseconds (wraps after 78 hours)
    std::uint16_t frame = 0;

    friend bool operator==(const MediaStamp&, const MediaStamp&) = default;
};

inline constexpr std::uint64_t kStampMask = (std::uint64_t{1} << 48) - 1;
inline MediaStamp make_stamp(WallTime now, std::uint16_t frame) {
    return {static_cast<std::uint64_t>(now.time_since_epoch().count()) & kStampMask, frame};
}
/// How long ago the stamp was made; negative when the clock was set back.
inline Duration age_of(const MediaStamp& stamp, WallTime now) {
    const auto now_ns = static_cast<std::uint64_t>(now.time_since_epoch().count()) & kStampMask;
    auto difference = static_cast<std::int64_t>((now_ns - stamp.sent_ns) & kStampMask);
    if (difference >= std::int64_t{1} << 47) difference -= std::int64_t{1} << 48;
    return Duration(difference);
}

/// 0xFF, then 64 bits in eleven bytes of six bits each between 0x40 and 0x7F: never a start code, never an
/// emulation byte, and its beginning cannot be mistaken.
inline constexpr std::size_t kStampSize = 12;
inline constexpr std::uint8_t kStampMark = 0xFF;
using StampBytes = std::array<std::uint8_t, kStampSize>;

StampBytes write_stamp(const MediaStamp& stamp);
/// The first stamp in `bytes`; nullopt when there is none.
std::optional<MediaStamp> find_stamp(ByteView bytes);

}  // namespace parley::loadgen

#include "loadgen/media_stamp.h"

#include <algorithm>

namespace parley::loadgen {

StampBytes write_stamp(const MediaStamp& stamp) {
    StampBytes out{};
    out[0] = kStampMark;
    std::uint64_t value = stamp.sent_ns << 16 | stamp.frame;
    for (std::size_t i = 1; i < kStampSize; ++i) {
        out[i] = static_cast<std::uint8_t>(0x40 | (value & 0x3F));
        value >>= 6;
    }
    return out;
}

std::optional<MediaStamp> find_stamp(ByteView bytes) {
    auto at = bytes.begin();
    while (true) {
        at = std::find(at, bytes.end(), kStampMark);
        if (bytes.end() - at < static_cast<std::ptrdiff_t>(kStampSize)) return std::nullopt;
        std::uint64_t value = 0;
        std::size_t i = kStampSize - 1;
        for (; i > 0 && (at[static_cast<std::ptrdiff_t>(i)] & 0xC0) == 0x40; --i) {
            value = value << 6 | (at[static_cast<std::ptrdiff_t>(i)] & 0x3Fu);
        }
        if (i == 0) return MediaStamp{value >> 16, static_cast<std::uint16_t>(value)};
        ++at;
    }
}

}  // namespace parley::loadgen

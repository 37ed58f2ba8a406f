#include "flv/codec_config.h"

#include <algorithm>
#include <string_view>

namespace parley::flv {
namespace {

constexpr std::size_t kMaxRecord = 64 * 1024;

}  // namespace

bool is_hevc_config(ByteView record) {
    constexpr std::uint8_t kSps = 33;
    constexpr std::uint8_t kPps = 34;
    constexpr std::size_t kGeneral = 20;  // profile, tier, level, formats: the decoder's matter
    if (record.size() > kMaxRecord) return false;
    ByteReader in(record);
    if (in.u8() != 1) return false;
    in.skip(kGeneral);
    in.u8();  // lengths of NAL units, among others
    bool has_sps = false;
    bool has_pps = false;
    // Each unit takes bytes of the record, so that its size bounds both loops.
    for (std::uint8_t arrays = in.u8(); arrays > 0 && in.ok(); --arrays) {
        const std::uint8_t type = in.u8() & 0x3F;
        for (std::uint16_t units = in.u16(); units > 0 && in.ok(); --units) {
            const std::uint16_t size = in.u16();
            in.skip(size);
            has_sps = has_sps || (type == kSps && size > 0);
            has_pps = has_pps || (type == kPps && size > 0);
        }
    }
    return in.ok() && has_sps && has_pps;
}

bool is_av1_config(ByteView record) {
    constexpr std::uint8_t kMarkerAndVersion = 0x81;
    constexpr std::size_t kFixed = 4;
    return record.size() >= kFixed && record.size() <= kMaxRecord && record[0] == kMarkerAndVersion;
}

bool is_opus_config(ByteView head) {
    constexpr std::string_view kMagic = "OpusHead";
    constexpr std::size_t kFixed = 19;
    if (head.size() < kFixed) return false;
    if (!std::equal(kMagic.begin(), kMagic.end(), head.begin(), [](char a, std::uint8_t b) {
            return static_cast<std::uint8_t>(a) == b;
        })) {
        return false;
    }
    const std::uint8_t version = head[8];
    const std::uint8_t channels = head[9];
    return version >> 4 == 0 && (channels == 1 || channels == 2);
}

}  // namespace parley::flv

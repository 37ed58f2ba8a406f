#include "media/opus.h"

#include <array>

namespace parley::media {

namespace {

/// Frame sizes by the configuration number of the TOC byte (RFC 6716 table 2).
Duration frame_duration_of(unsigned config) {
    constexpr std::array<Duration, 4> kSilkSizes{10ms, 20ms, 40ms, 60ms};
    constexpr std::array<Duration, 2> kHybridSizes{10ms, 20ms};
    constexpr std::array<Duration, 4> kCeltSizes{2500us, 5ms, 10ms, 20ms};
    if (config < 12) return kSilkSizes[config % 4];
    if (config < 16) return kHybridSizes[config % 2];
    return kCeltSizes[config % 4];
}

}  // namespace

Result<OpusPacketInfo> parse_opus_packet(ByteView rtp_payload) {
    if (rtp_payload.empty()) return fail(Errc::kTruncated, "Opus TOC");
    const unsigned toc = rtp_payload[0];
    const unsigned config = toc >> 3;
    OpusPacketInfo info;
    info.mode = config < 12 ? OpusMode::kSilk : config < 16 ? OpusMode::kHybrid : OpusMode::kCelt;
    info.stereo = (toc & 0x04) != 0;
    info.frame_duration = frame_duration_of(config);
    switch (toc & 0x03) {
        case 0: info.frame_count = 1; break;
        case 1:
        case 2: info.frame_count = 2; break;
        default:
            if (rtp_payload.size() < 2) return fail(Errc::kTruncated, "Opus frame count", 1);
            info.frame_count = rtp_payload[1] & 0x3F;
    }
    info.duration = info.frame_duration * info.frame_count;
    if (info.frame_count == 0 || info.duration > kMaxOpusPacketDuration) {
        return fail(Errc::kMalformed, "Opus frame count", 1);
    }
    info.dtx = rtp_payload.size() <= 2;
    return info;
}

}  // namespace parley::media

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

/// AAC configuration as FLV and RTMP carry it (ISO/IEC 14496-3 section 1.6.2.1), and ADTS frames
/// (section 1.A.2).
namespace parley::media {

inline constexpr std::uint32_t kAacFrameSamples = 1'024;

/// AudioSpecificConfig. `sample_rate` and `channels` are those of the AAC core; with SBR the
/// decoder may put out twice the rate, with parametric stereo two channels.
struct AacConfig {
    std::uint8_t object_type = 2;  ///< of the core: 2 = LC
    std::uint32_t sample_rate = 0;
    std::uint8_t channels =
        0;             ///< 1 to 8; 0: in a program config element, which only the decoder reads
    bool sbr = false;  ///< signalled explicitly (HE-AAC)
    bool parametric_stereo = false;
    std::uint32_t output_rate = 0;  ///< of SBR when signalled, else `sample_rate`
};

/// Errors: kTruncated; kMalformed (reserved rate or channels); kUnsupported (a core other than
/// Main, LC, SSR, LTP, or 960-sample frames).
[[nodiscard]] Result<AacConfig> parse_aac_config(ByteView audio_specific_config);

/// Two bytes for LC; errors: kUnsupported for rates without an index or channels beyond 7.
[[nodiscard]] Result<Bytes> write_aac_config(std::uint32_t sample_rate, std::uint8_t channels);

struct AdtsHeader {
    std::uint8_t object_type = 2;
    std::uint32_t sample_rate = 0;
    std::uint8_t channels = 0;
    std::uint8_t header_size = 7;  ///< 9 with a checksum
    std::uint16_t frame_size = 0;  ///< with the header
    std::uint8_t raw_blocks = 1;   ///< frames of 1,024 samples in it
};

/// nullopt: `bytes` do not begin with a plausible ADTS header.
[[nodiscard]] std::optional<AdtsHeader> parse_adts_header(ByteView bytes);

}  // namespace parley::media

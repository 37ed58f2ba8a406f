#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// H.264 decoder configuration record, `avcC` (ISO/IEC 14496-15 section 5.2.4.1): what FLV and RTMP
/// call the AVC sequence header.
namespace parley::media {

inline constexpr std::size_t kMaxParameterSets = 32;  ///< of each kind; the SPS field has 5 bits
inline constexpr std::size_t kMaxParameterSetSize = 4'096;

struct AvcConfig {
    std::uint8_t profile_idc = 0;
    std::uint8_t constraint_flags = 0;
    std::uint8_t level_idc = 0;
    std::uint8_t nal_length_size = 4;  ///< bytes of each NAL length in the samples, 1 to 4
    std::vector<Bytes> sps;            ///< NAL units with their headers
    std::vector<Bytes> pps;
    friend bool operator==(const AvcConfig&, const AvcConfig&) = default;
};

/// The chroma fields that high profiles append are skipped. Errors: kTruncated, kMalformed
/// (version, no SPS or no PPS, a unit of another type), kTooLarge.
[[nodiscard]] Result<AvcConfig> parse_avc_config(ByteView record);

/// The record for samples with NAL lengths of four bytes. `sps` and `pps` are NAL units with their
/// headers; profile and level come from the first SPS. Empty when there is no SPS of at least four
/// bytes or no PPS.
[[nodiscard]] Bytes write_avc_config(std::span<const Bytes> sps, std::span<const Bytes> pps);

}  // namespace parley::media

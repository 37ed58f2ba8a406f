#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace parley::flv {

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1): the body of an AVC sequence
/// header.
struct AvcConfig {
    static constexpr std::size_t kMaxParameterSets =
        32;  ///< of each kind: 31 fit the SPS field, 255 the PPS field

    std::uint8_t profile_idc = 0;
    std::uint8_t constraint_flags = 0;
    std::uint8_t level_idc = 0;
    std::uint8_t nal_length_size = 4;  ///< 1, 2 or 4: length field before each NAL unit of a frame
    std::vector<Bytes> sps;            ///< with their NAL header
    std::vector<Bytes> pps;

    friend bool operator==(const AvcConfig&, const AvcConfig&) = default;
};

/// Extensions of the high profiles after the PPS are passed over. Errors: kTruncated, kMalformed
/// (version, length field of 3 bytes, a parameter set that is empty or of another NAL type, no
/// SPS), kTooLarge.
[[nodiscard]] Result<AvcConfig> parse_avc_config(ByteView bytes);
/// Profile and level are taken from `config`; high profiles get their extension (chroma 4:2:0, 8
/// bit).
[[nodiscard]] Bytes write_avc_config(const AvcConfig& config);
/// From parameter sets as RTP brings them. kMalformed when `sps` is shorter than four bytes or not
/// an SPS.
[[nodiscard]] Result<AvcConfig> make_avc_config(ByteView sps, ByteView pps);

}  // namespace parley::flv

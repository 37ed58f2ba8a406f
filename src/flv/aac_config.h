#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace parley::flv {

/// MPEG-4 audio object types that matter here (ISO/IEC 14496-3 table 1.17).
enum class AacObjectType : std::uint8_t {
    kMain = 1,
    kLc = 2,
    kSsr = 3,
    kLtp = 4,
    kSbr = 5,
    kEr = 17,
    kLd = 23,
    kPs = 29,
    kEld = 39
};

/// AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1): the body of an AAC sequence header.
struct AacConfig {
    AacObjectType object_type =
        AacObjectType::kLc;  ///< of the core; SBR and PS are told by the flags below
    std::uint32_t sample_rate_hz =
        48'000;  ///< of the core; half of what comes out where SBR doubles it
    /// 1 to 7 (7 = eight channels), 11, 12, 14; 0 = a program config element says it.
    std::uint8_t channel_config = 2;
    bool frame_length_960 = false;               ///< frames of 960 instead of 1,024 samples
    bool sbr = false;                            ///< HE-AAC, signalled in either way
    bool ps = false;                             ///< HE-AAC v2: mono core, stereo out
    std::uint32_t extension_sample_rate_hz = 0;  ///< with `sbr`: what comes out; 0 without
    /// Backward compatible signalling (sync extension 0x2B7 at the end) instead of object type 5 or
    /// 29 first.
    bool backward_compatible = false;
    std::uint8_t pce_channels =
        0;  ///< with channel_config 0: channels of the program config element

    /// Channels that a decoder gives; 0 when the configuration does not tell.
    [[nodiscard]] std::uint8_t output_channels() const;
    [[nodiscard]] std::uint32_t output_sample_rate_hz() const;
    /// Samples of the output in one access unit.
    [[nodiscard]] std::uint32_t samples_per_frame() const;
    friend bool operator==(const AacConfig&, const AacConfig&) = default;
};

/// Errors: kTruncated, kMalformed (reserved rate or channel configuration, rate 0), kUnsupported
/// (an object type that no AAC decoder here knows).
[[nodiscard]] Result<AacConfig> parse_aac_config(ByteView bytes);
/// `channel_config` 0 (a program config element) cannot be written: empty.
[[nodiscard]] Bytes write_aac_config(const AacConfig& config);

}  // namespace parley::flv

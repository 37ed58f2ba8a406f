#pragma once

#include "base/bytes.h"

/// Sequence headers of enhanced RTMP whose contents are left to a decoder: only whether they are
/// what they claim to be.
namespace parley::flv {

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3) with an SPS and a PPS.
[[nodiscard]] bool is_hevc_config(ByteView record);
/// AV1CodecConfigurationRecord (AV1 in ISOBMFF section 2.3).
[[nodiscard]] bool is_av1_config(ByteView record);
/// OpusHead (RFC 7845 section 5.1) of one or two channels.
[[nodiscard]] bool is_opus_config(ByteView head);

}  // namespace parley::flv

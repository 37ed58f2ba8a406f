#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

/// VP9 RTP payload descriptor (RFC 9628 section 4.2), as far as a forwarder looks.
namespace parley::media {

inline constexpr std::size_t kMaxVp9References = 3;  ///< P_DIFF fields of one frame

struct Vp9Descriptor {
    bool inter_predicted = false;  ///< P
    bool flexible = false;         ///< F
    bool starts_frame = false;     ///< B: of one layer frame
    bool ends_frame = false;       ///< E
    bool has_scalability_structure = false;
    std::optional<std::uint16_t> picture_id;
    std::uint8_t temporal_layer = 0;
    std::uint8_t spatial_layer = 0;
    bool switching_up = false;
    bool inter_layer_predicted = false;
    std::optional<std::uint8_t> tl0_picture_index;
    std::uint8_t size = 0;  ///< up to, not including, the scalability structure
};

/// Errors: kTruncated; kMalformed for more than `kMaxVp9References` references.
[[nodiscard]] Result<Vp9Descriptor> parse_vp9_descriptor(ByteView rtp_payload);

/// The first packet of the lowest spatial layer of a picture.
[[nodiscard]] bool is_vp9_frame_start(ByteView rtp_payload);
/// That, of a picture without inter prediction.
[[nodiscard]] bool is_vp9_keyframe_start(ByteView rtp_payload);

}  // namespace parley::media

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

/// VP8 RTP payload descriptor (RFC 7741 section 4.2) and keyframe bit (section 4.3).
namespace parley::media {

/// Offsets count from the start of the payload and are 0 where the field is absent.
struct Vp8Descriptor {
    bool non_reference = false;
    bool starts_partition = false;
    std::uint8_t partition = 0;
    std::optional<std::uint16_t> picture_id;  ///< 7 or 15 bits
    std::uint8_t picture_id_offset = 0;
    std::uint8_t picture_id_size = 0;         ///< 1 or 2 bytes
    std::optional<std::uint8_t> tl0_picture_index;
    std::uint8_t tl0_picture_index_offset = 0;
    std::optional<std::uint8_t> temporal_layer;
    bool layer_sync = false;
    std::optional<std::uint8_t> key_index;    ///< 5 bits
    std::uint8_t size = 0;                    ///< bytes of the descriptor; the VP8 data follows
};

[[nodiscard]] Result<Vp8Descriptor> parse_vp8_descriptor(ByteView rtp_payload);

/// The payload begins a frame: first packet of partition 0.
[[nodiscard]] bool is_vp8_frame_start(ByteView rtp_payload);
[[nodiscard]] bool is_vp8_keyframe_start(ByteView rtp_payload);

/// Stores a picture id and a TL0PICIDX over the ones in a copy of the payload, so that a subscriber sees no
/// gap after a layer switch. Fields that the descriptor lacks are left out; the sizes stay as they are.
void rewrite_vp8_descriptor(MutableByteView payload,
                            const Vp8Descriptor& descriptor,
                            std::uint16_t picture_id,
                            std::uint8_t tl0_picture_index);

}  // namespace parley::media

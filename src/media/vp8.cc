#include "media/vp8.h"

namespace parley::media {

Result<Vp8Descriptor> parse_vp8_descriptor(ByteView rtp_payload) {
    ByteReader in(rtp_payload);
    Vp8Descriptor d;
    const std::uint8_t first = in.u8();
    d.non_reference = (first & 0x20) != 0;
    d.starts_partition = (first & 0x10) != 0;
    d.partition = first & 0x07;
    if ((first & 0x80) != 0) {
        const std::uint8_t extension = in.u8();
        if ((extension & 0x80) != 0) {
            d.picture_id_offset = static_cast<std::uint8_t>(in.offset());
            const std::uint8_t high = in.u8();
            if ((high & 0x80) != 0) {
                d.picture_id = static_cast<std::uint16_t>((high & 0x7F) << 8 | in.u8());
                d.picture_id_size = 2;
            } else {
                d.picture_id = high;
                d.picture_id_size = 1;
            }
        }
        if ((extension & 0x40) != 0) {
            d.tl0_picture_index_offset = static_cast<std::uint8_t>(in.offset());
            d.tl0_picture_index = in.u8();
        }
        if ((extension & 0x30) != 0) {
            const std::uint8_t layer = in.u8();
            if ((extension & 0x20) != 0) {
                d.temporal_layer = static_cast<std::uint8_t>(layer >> 6);
                d.layer_sync = (layer & 0x20) != 0;
            }
            if ((extension & 0x10) != 0) d.key_index = static_cast<std::uint8_t>(layer & 0x1F);
        }
    }
    if (!in.ok()) return fail(Errc::kTruncated, "VP8 payload descriptor");
    d.size = static_cast<std::uint8_t>(in.offset());
    return d;
}

bool is_vp8_frame_start(ByteView rtp_payload) {
    const Result<Vp8Descriptor> d = parse_vp8_descriptor(rtp_payload);
    return d && d->starts_partition && d->partition == 0 && rtp_payload.size() > d->size;
}

bool is_vp8_keyframe_start(ByteView rtp_payload) {
    const Result<Vp8Descriptor> d = parse_vp8_descriptor(rtp_payload);
    return d && d->starts_partition && d->partition == 0 && rtp_payload.size() > d->size &&
           (rtp_payload[d->size] & 0x01) == 0;
}

void rewrite_vp8_descriptor(MutableByteView payload,
                            const Vp8Descriptor& descriptor,
                            std::uint16_t picture_id,
                            std::uint8_t tl0_picture_index) {
    if (payload.size() < descriptor.size) return;
    if (descriptor.picture_id_size == 2) {
        store_u16(payload.data() + descriptor.picture_id_offset,
                  static_cast<std::uint16_t>(0x8000 | picture_id));
    } else if (descriptor.picture_id_size == 1) {
        payload[descriptor.picture_id_offset] = static_cast<std::uint8_t>(picture_id & 0x7F);
    }
    if (descriptor.tl0_picture_index) payload[descriptor.tl0_picture_index_offset] = tl0_picture_index;
}

}  // namespace parley::media

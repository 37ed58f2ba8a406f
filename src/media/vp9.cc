#include "media/vp9.h"

namespace parley::media {

Result<Vp9Descriptor> parse_vp9_descriptor(ByteView rtp_payload) {
    ByteReader in(rtp_payload);
    Vp9Descriptor d;
    const std::uint8_t first = in.u8();
    d.inter_predicted = (first & 0x40) != 0;
    const bool has_layers = (first & 0x20) != 0;
    d.flexible = (first & 0x10) != 0;
    d.starts_frame = (first & 0x08) != 0;
    d.ends_frame = (first & 0x04) != 0;
    d.has_scalability_structure = (first & 0x02) != 0;
    if ((first & 0x80) != 0) {
        const std::uint8_t high = in.u8();
        d.picture_id = (high & 0x80) != 0 ? static_cast<std::uint16_t>((high & 0x7F) << 8 | in.u8())
                                          : static_cast<std::uint16_t>(high);
    }
    if (has_layers) {
        const std::uint8_t layer = in.u8();
        d.temporal_layer = static_cast<std::uint8_t>(layer >> 5);
        d.switching_up = (layer & 0x10) != 0;
        d.spatial_layer = static_cast<std::uint8_t>(layer >> 1 & 0x07);
        d.inter_layer_predicted = (layer & 0x01) != 0;
        if (!d.flexible) d.tl0_picture_index = in.u8();
    }
    if (d.flexible && d.inter_predicted) {
        std::size_t references = 0;
        while (in.ok()) {
            if (++references > kMaxVp9References) return fail(Errc::kMalformed, "VP9 references");
            if ((in.u8() & 0x01) == 0) break;
        }
    }
    if (!in.ok()) return fail(Errc::kTruncated, "VP9 payload descriptor");
    d.size = static_cast<std::uint8_t>(in.offset());
    return d;
}

bool is_vp9_frame_start(ByteView rtp_payload) {
    const Result<Vp9Descriptor> d = parse_vp9_descriptor(rtp_payload);
    return d && d->starts_frame && d->spatial_layer == 0;
}

bool is_vp9_keyframe_start(ByteView rtp_payload) {
    const Result<Vp9Descriptor> d = parse_vp9_descriptor(rtp_payload);
    return d && d->starts_frame && d->spatial_layer == 0 && !d->inter_predicted;
}

}  // namespace parley::media

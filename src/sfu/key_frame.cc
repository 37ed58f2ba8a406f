#include "sfu/key_frame.h"

#include "media/h264.h"
#include "media/vp8.h"
#include "media/vp9.h"

namespace parley::sfu {
namespace {

constexpr std::uint8_t kIdr = 5;
constexpr std::uint8_t kSps = 7;
constexpr std::uint8_t kStapA = 24;
constexpr std::uint8_t kFuA = 28;

/// RFC 6184 section 5: an SPS or the first fragment of an IDR slice begins a decodable picture.
bool is_h264_key_frame(ByteView payload) {
    const std::uint8_t type = payload[0] & 0x1f;
    if (type == kIdr || type == kSps) return true;
    if (type == kFuA) {
        return payload.size() >= 2 && (payload[1] & 0x80) != 0 && (payload[1] & 0x1f) == kIdr;
    }
    if (type != kStapA) return false;
    ByteReader in(payload.subspan(1));
    while (in.remaining() > 2) {
        const ByteView nal = in.view(in.u16());
        if (nal.empty()) return false;
        if ((nal[0] & 0x1f) == kIdr || (nal[0] & 0x1f) == kSps) return true;
    }
    return false;
}

/// RFC 7741 sections 4.2 and 4.3: the first partition of a frame whose P bit is 0.
bool is_vp8_key_frame(ByteView payload) {
    ByteReader in(payload);
    const std::uint8_t required = in.u8();
    if ((required & 0x10) == 0 || (required & 0x0f) != 0) return false;  // S, PID
    if ((required & 0x80) != 0) {
        const std::uint8_t present = in.u8();
        if ((present & 0x80) != 0 && (in.u8() & 0x80) != 0) in.skip(1);  // picture id, 7 or 15 bits
        if ((present & 0x40) != 0) in.skip(1);                           // TL0PICIDX
        if ((present & 0x30) != 0) in.skip(1);                           // TID, KEYIDX
    }
    const std::uint8_t frame = in.u8();
    return in.ok() && (frame & 1) == 0;
}

std::optional<VideoSize> h264_size(ByteView payload) {
    media::RtpNalReader reader(payload);
    while (const auto nal = reader.next()) {
        if (nal->type() != media::NalType::kSps || !nal->starts || !nal->ends) continue;
        // The reader gives a unit without its header, which lies in front of it.
        const auto sps =
            media::parse_h264_sps(ByteView(nal->data.data() - 1, nal->data.size() + 1));
        if (sps) return VideoSize{sps->width, sps->height};
    }
    return std::nullopt;
}

/// RFC 6386 section 9.1: frame tag, start code, and 14 bits each, little-endian, above them the
/// scaling.
std::optional<VideoSize> vp8_size(ByteView payload) {
    const auto descriptor = media::parse_vp8_descriptor(payload);
    constexpr std::size_t kSizeAt = 6;
    constexpr std::uint32_t kBits = 0x3fff;
    if (!descriptor || payload.size() < descriptor->size + kSizeAt + 4u) return std::nullopt;
    const ByteView frame = payload.subspan(descriptor->size);
    if (frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) return std::nullopt;
    const auto u16 = [&](std::size_t at) {
        return (std::uint32_t{frame[at]} | frame[at + 1] << 8) & kBits;
    };
    return VideoSize{u16(kSizeAt), u16(kSizeAt + 2)};
}

/// RFC 9628 section 4.2.1: N_S, Y, G, and if Y a width and a height for each of N_S + 1 layers.
std::optional<VideoSize> vp9_size(ByteView payload) {
    const auto descriptor = media::parse_vp9_descriptor(payload);
    if (!descriptor || !descriptor->has_scalability_structure) return std::nullopt;
    ByteReader in(payload.subspan(descriptor->size));
    const std::uint8_t first = in.u8();
    if ((first & 0x10) == 0) return std::nullopt;
    VideoSize size;
    for (int layer = first >> 5; layer >= 0; --layer) {
        size.width = in.u16();
        size.height = in.u16();
    }
    return in.ok() ? std::optional(size) : std::nullopt;
}

}  // namespace

std::optional<VideoSize> video_size(Codec codec, ByteView payload) {
    if (payload.empty()) return std::nullopt;
    switch (codec) {
        case Codec::kH264:
            return h264_size(payload);
        case Codec::kVp8:
            return vp8_size(payload);
        case Codec::kVp9:
            return vp9_size(payload);
        case Codec::kOpus:
        case Codec::kAv1:
            return std::nullopt;
    }
    return std::nullopt;
}

bool is_key_frame(Codec codec, ByteView payload) {
    if (payload.empty()) return false;
    switch (codec) {
        case Codec::kOpus:
            return true;
        case Codec::kH264:
            return is_h264_key_frame(payload);
        case Codec::kVp8:
            return is_vp8_key_frame(payload);
        case Codec::kVp9:
            return (payload[0] & 0x48) == 0x08;  // RFC 9628 section 4.2: B set, P not
        case Codec::kAv1:
            return (payload[0] & 0x08) != 0;  // N: a new coded video sequence
    }
    return false;
}

std::optional<std::size_t> red_primary_offset(ByteView payload) {
    ByteReader in(payload);
    std::size_t redundant = 0;
    for (;;) {
        const std::uint8_t first = in.u8();
        if (!in.ok()) return std::nullopt;
        if ((first & 0x80) == 0) break;  // the last header is one byte long
        redundant += in.u24() & 0x3ff;
    }
    const std::size_t offset = in.offset() + redundant;
    if (offset >= payload.size()) return std::nullopt;
    return offset;
}

}  // namespace parley::sfu

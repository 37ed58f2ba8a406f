#include "flv/video_tag.h"

#include <optional>

#include "flv/enhanced.h"

namespace parley::flv {
namespace {

constexpr std::uint8_t kEnhancedVideo = 0x80;
constexpr std::uint8_t kCodecIdAvc = 7;
constexpr std::uint8_t kCodecIdHevc = 12;  // not in any specification, but common in China

enum class WireVideoPacket : std::uint8_t {
    kSequenceStart = 0,
    kCodedFrames = 1,
    kSequenceEnd = 2,
    kCodedFramesX = 3,
    kMetadata = 4,
    kMpeg2TsSequenceStart = 5,
    kMultitrack = 6,
};

VideoCodec codec_of(std::uint32_t four_cc) {
    switch (four_cc) {
        case fourcc("avc1"):
            return VideoCodec::kAvc;
        case fourcc("hvc1"):
            return VideoCodec::kHevc;
        case fourcc("vvc1"):
            return VideoCodec::kVvc;
        case fourcc("av01"):
            return VideoCodec::kAv1;
        case fourcc("vp08"):
            return VideoCodec::kVp8;
        case fourcc("vp09"):
            return VideoCodec::kVp9;
        default:
            return VideoCodec::kOther;
    }
}

bool has_composition_time(VideoCodec codec) {
    return codec == VideoCodec::kAvc || codec == VideoCodec::kHevc || codec == VideoCodec::kVvc;
}

std::int32_t signed_24(std::uint32_t value) { return static_cast<std::int32_t>(value << 8) >> 8; }

std::optional<VideoFrameType> frame_type_of(std::uint8_t value) {
    if (value < 1 || value > 5) return std::nullopt;
    return static_cast<VideoFrameType>(value);
}

Result<VideoTag> parse_enhanced(ByteReader& in, VideoTag tag, std::uint8_t first) {
    tag.is_enhanced = true;
    const Result<std::uint8_t> type = skip_mod_ex(in, first & 0x0F);
    if (!type) return tl::unexpected(type.error());
    const auto packet = static_cast<WireVideoPacket>(*type);
    if (tag.frame_type == VideoFrameType::kCommand && packet != WireVideoPacket::kMetadata) {
        tag.packet_type = VideoPacketType::kCommand;
        tag.data = in.rest();
        return tag;
    }
    if (packet == WireVideoPacket::kMultitrack) return fail(Errc::kUnsupported, "multitrack video");
    tag.four_cc = in.u32();
    tag.codec = codec_of(tag.four_cc);
    switch (packet) {
        case WireVideoPacket::kSequenceStart:
            tag.packet_type = VideoPacketType::kSequenceHeader;
            break;
        case WireVideoPacket::kCodedFrames:
            if (has_composition_time(tag.codec)) tag.composition_time_ms = signed_24(in.u24());
            break;
        case WireVideoPacket::kCodedFramesX:
            break;
        case WireVideoPacket::kSequenceEnd:
            tag.packet_type = VideoPacketType::kSequenceEnd;
            break;
        case WireVideoPacket::kMetadata:
            tag.packet_type = VideoPacketType::kMetadata;
            break;
        case WireVideoPacket::kMpeg2TsSequenceStart:
            return fail(Errc::kUnsupported, "MPEG-2 TS sequence start");
        case WireVideoPacket::kMultitrack:
        default:
            return fail(Errc::kMalformed, "video packet type");
    }
    tag.data = in.rest();
    if (!in.ok()) return fail(Errc::kTruncated, "video tag");
    return tag;
}

Bytes put_avc(std::uint8_t frame_type,
              std::uint8_t packet_type,
              std::int32_t composition_time_ms,
              ByteView data) {
    Bytes out;
    out.reserve(5 + data.size());
    const auto time = static_cast<std::uint32_t>(composition_time_ms);
    for (const std::uint32_t byte : {std::uint32_t{frame_type} << 4 | kCodecIdAvc,
                                     std::uint32_t{packet_type},
                                     time >> 16 & 0xFF,
                                     time >> 8 & 0xFF,
                                     time & 0xFF}) {
        out.push_back(static_cast<std::uint8_t>(byte));
    }
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

}  // namespace

Result<VideoTag> parse_video_tag(ByteView payload) {
    ByteReader in(payload);
    const std::uint8_t first = in.u8();
    if (!in.ok()) return fail(Errc::kTruncated, "video tag");
    const bool enhanced = (first & kEnhancedVideo) != 0;
    const auto frame_type = frame_type_of(first >> 4 & (enhanced ? 0x07 : 0x0F));
    // Metadata packets of enhanced RTMP leave the frame type at 0 here and there.
    if (!frame_type &&
        !(enhanced && static_cast<WireVideoPacket>(first & 0x0F) == WireVideoPacket::kMetadata)) {
        return fail(Errc::kMalformed, "video frame type");
    }
    VideoTag tag;
    if (frame_type) tag.frame_type = *frame_type;
    if (enhanced) return parse_enhanced(in, tag, first);

    tag.legacy_codec_id = first & 0x0F;
    if (tag.frame_type == VideoFrameType::kCommand) {
        tag.packet_type = VideoPacketType::kCommand;
    } else if (tag.legacy_codec_id == kCodecIdAvc || tag.legacy_codec_id == kCodecIdHevc) {
        tag.codec = tag.legacy_codec_id == kCodecIdAvc ? VideoCodec::kAvc : VideoCodec::kHevc;
        const std::uint8_t packet = in.u8();
        tag.composition_time_ms = signed_24(in.u24());
        if (!in.ok()) return fail(Errc::kTruncated, "AVC video tag");
        switch (packet) {
            case 0:
                tag.packet_type = VideoPacketType::kSequenceHeader;
                break;
            case 1:
                break;
            case 2:
                tag.packet_type = VideoPacketType::kSequenceEnd;
                break;
            default:
                return fail(Errc::kMalformed, "AVC packet type", 1);
        }
        if (tag.packet_type != VideoPacketType::kFrame) tag.composition_time_ms = 0;
    }
    tag.data = in.rest();
    return tag;
}

Bytes write_avc_sequence_header(ByteView avc_config_record) {
    return put_avc(1, 0, 0, avc_config_record);
}

Bytes write_avc_frame(bool key_frame, std::int32_t composition_time_ms, ByteView nal_units) {
    return put_avc(key_frame ? 1 : 2, 1, composition_time_ms, nal_units);
}

Bytes write_avc_sequence_end() { return put_avc(1, 2, 0, {}); }

Bytes write_enhanced_video_tag(std::uint32_t four_cc,
                               VideoPacketType packet_type,
                               VideoFrameType frame_type,
                               std::int32_t composition_time_ms,
                               ByteView data) {
    WireVideoPacket packet = WireVideoPacket::kCodedFramesX;
    const bool with_time = packet_type == VideoPacketType::kFrame && composition_time_ms != 0 &&
                           has_composition_time(codec_of(four_cc));
    switch (packet_type) {
        case VideoPacketType::kSequenceHeader:
            packet = WireVideoPacket::kSequenceStart;
            break;
        case VideoPacketType::kFrame:
            // Codecs without a composition time know only the first of the two kinds.
            if (with_time || !has_composition_time(codec_of(four_cc)))
                packet = WireVideoPacket::kCodedFrames;
            break;
        case VideoPacketType::kSequenceEnd:
            packet = WireVideoPacket::kSequenceEnd;
            break;
        case VideoPacketType::kMetadata:
            packet = WireVideoPacket::kMetadata;
            break;
        case VideoPacketType::kCommand:
            frame_type = VideoFrameType::kCommand;
            break;
    }
    Bytes out;
    out.push_back(static_cast<std::uint8_t>(kEnhancedVideo | static_cast<int>(frame_type) << 4 |
                                            static_cast<int>(packet)));
    if (packet_type != VideoPacketType::kCommand) {
        for (const int shift : {24, 16, 8, 0})
            out.push_back(static_cast<std::uint8_t>(four_cc >> shift));
    }
    if (with_time) {
        const auto time = static_cast<std::uint32_t>(composition_time_ms);
        for (const int shift : {16, 8, 0}) out.push_back(static_cast<std::uint8_t>(time >> shift));
    }
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

}  // namespace parley::flv

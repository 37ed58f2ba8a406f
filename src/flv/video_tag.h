#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace parley::flv {

/// Four characters as a big-endian number.
constexpr std::uint32_t fourcc(const char (&name)[5]) {
    return static_cast<std::uint32_t>(static_cast<std::uint8_t>(name[0])) << 24 |
           static_cast<std::uint32_t>(static_cast<std::uint8_t>(name[1])) << 16 |
           static_cast<std::uint32_t>(static_cast<std::uint8_t>(name[2])) << 8 |
           static_cast<std::uint8_t>(name[3]);
}

enum class VideoCodec : std::uint8_t { kAvc, kHevc, kVvc, kAv1, kVp8, kVp9, kOther };

enum class VideoPacketType : std::uint8_t {
    kSequenceHeader,  ///< `data` is the decoder configuration record
    kFrame,           ///< `data` is one coded frame; AVC and HEVC: length-prefixed NAL units
    kSequenceEnd,
    kMetadata,  ///< enhanced RTMP: AMF0, such as colour information
    kCommand,   ///< frame type 5: a seek mark for players, no picture
};

enum class VideoFrameType : std::uint8_t {
    kKey = 1,
    kInter = 2,
    kDisposable = 3,
    kGeneratedKey = 4,
    kCommand = 5
};

/// The body of a video tag: classic (E.4.3) or enhanced RTMP (v1, v2) with a FourCC.
struct VideoTag {
    VideoCodec codec = VideoCodec::kOther;
    VideoPacketType packet_type = VideoPacketType::kFrame;
    VideoFrameType frame_type = VideoFrameType::kInter;
    std::int32_t composition_time_ms =
        0;  ///< presentation minus decoding time; not 0 means B-frames
    bool is_enhanced = false;
    std::uint8_t legacy_codec_id =
        0;                      ///< classic tags: 7 = AVC, 12 = HEVC (de facto), 2 = H.263 ...
    std::uint32_t four_cc = 0;  ///< enhanced tags
    ByteView data;              ///< borrowed from the payload

    [[nodiscard]] bool is_key_frame() const {
        return packet_type == VideoPacketType::kFrame && frame_type == VideoFrameType::kKey;
    }
    [[nodiscard]] bool is_sequence_header() const {
        return packet_type == VideoPacketType::kSequenceHeader;
    }
};

/// Errors: kTruncated, kMalformed (reserved frame or packet type), kUnsupported (multitrack).
[[nodiscard]] Result<VideoTag> parse_video_tag(ByteView payload);

/// The five bytes before AVC data in a classic tag.
[[nodiscard]] Bytes write_avc_sequence_header(ByteView avc_config_record);
/// `nal_units`: length-prefixed as the sequence header says.
[[nodiscard]] Bytes write_avc_frame(bool key_frame,
                                    std::int32_t composition_time_ms,
                                    ByteView nal_units);
[[nodiscard]] Bytes write_avc_sequence_end();
/// Enhanced tag of any codec; the composition time is written where its codec has one (avc1, hvc1,
/// vvc1).
[[nodiscard]] Bytes write_enhanced_video_tag(std::uint32_t four_cc,
                                             VideoPacketType packet_type,
                                             VideoFrameType frame_type,
                                             std::int32_t composition_time_ms,
                                             ByteView data);

}  // namespace parley::flv

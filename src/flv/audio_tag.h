#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace parley::flv {

enum class AudioCodec : std::uint8_t {
    kAac,
    kMp3,
    kOpus,
    kFlac,
    kAc3,
    kEac3,
    kG711ALaw,
    kG711MuLaw,
    kSpeex,
    kLinearPcm,
    kOther
};

enum class AudioPacketType : std::uint8_t {
    kSequenceHeader,  ///< `data` is the configuration: AudioSpecificConfig, OpusHead ...
    kFrame,
    kSequenceEnd,
    kMultichannelConfig,  ///< enhanced RTMP v2
};

/// The body of an audio tag: classic (E.4.2) or enhanced RTMP (v2) with a FourCC.
struct AudioTag {
    AudioCodec codec = AudioCodec::kOther;
    AudioPacketType packet_type = AudioPacketType::kFrame;
    bool is_enhanced = false;
    std::uint8_t legacy_format = 0;  ///< classic tags: SoundFormat, 10 = AAC
    std::uint32_t four_cc = 0;       ///< enhanced tags
    /// Of the classic header; without meaning for AAC (always 44,100 and stereo there).
    std::uint32_t sample_rate_hz = 0;
    bool stereo = false;
    ByteView data;  ///< borrowed from the payload

    [[nodiscard]] bool is_sequence_header() const {
        return packet_type == AudioPacketType::kSequenceHeader;
    }
};

/// Errors: kTruncated, kMalformed (reserved packet type), kUnsupported (multitrack).
[[nodiscard]] Result<AudioTag> parse_audio_tag(ByteView payload);

[[nodiscard]] Bytes write_aac_sequence_header(ByteView audio_specific_config);
[[nodiscard]] Bytes write_aac_frame(ByteView access_unit);
/// Enhanced tag, such as Opus.
[[nodiscard]] Bytes write_enhanced_audio_tag(std::uint32_t four_cc,
                                             AudioPacketType packet_type,
                                             ByteView data);

}  // namespace parley::flv

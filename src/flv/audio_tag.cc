#include "flv/audio_tag.h"

#include <array>

#include "flv/enhanced.h"
#include "flv/video_tag.h"

namespace parley::flv {
namespace {

constexpr std::uint8_t kFormatEnhanced = 9;
constexpr std::uint8_t kFormatAac = 10;
constexpr std::uint8_t kAacFlags = 0xAF;  // AAC, 44 kHz, 16 bit, stereo: always these (E.4.2.1)

enum class WireAudioPacket : std::uint8_t {
    kSequenceStart = 0,
    kCodedFrames = 1,
    kSequenceEnd = 2,
    kMultichannelConfig = 4,
    kMultitrack = 5,
};

AudioCodec codec_of_format(std::uint8_t format) {
    switch (format) {
        case 0:
        case 3:
            return AudioCodec::kLinearPcm;
        case 2:
        case 14:
            return AudioCodec::kMp3;
        case 7:
            return AudioCodec::kG711ALaw;
        case 8:
            return AudioCodec::kG711MuLaw;
        case kFormatAac:
            return AudioCodec::kAac;
        case 11:
            return AudioCodec::kSpeex;
        default:
            return AudioCodec::kOther;
    }
}

AudioCodec codec_of_audio_fourcc(std::uint32_t four_cc) {
    switch (four_cc) {
        case fourcc("mp4a"):
            return AudioCodec::kAac;
        case fourcc("Opus"):
            return AudioCodec::kOpus;
        case fourcc(".mp3"):
            return AudioCodec::kMp3;
        case fourcc("fLaC"):
            return AudioCodec::kFlac;
        case fourcc("ac-3"):
            return AudioCodec::kAc3;
        case fourcc("ec-3"):
            return AudioCodec::kEac3;
        default:
            return AudioCodec::kOther;
    }
}

Result<AudioTag> parse_enhanced_audio(ByteReader& in, std::uint8_t first) {
    AudioTag tag;
    tag.is_enhanced = true;
    const Result<std::uint8_t> type = skip_mod_ex(in, first & 0x0F);
    if (!type) return tl::unexpected(type.error());
    const auto packet = static_cast<WireAudioPacket>(*type);
    if (packet == WireAudioPacket::kMultitrack) return fail(Errc::kUnsupported, "multitrack audio");
    tag.four_cc = in.u32();
    if (!in.ok()) return fail(Errc::kTruncated, "audio tag");
    tag.codec = codec_of_audio_fourcc(tag.four_cc);
    switch (packet) {
        case WireAudioPacket::kSequenceStart:
            tag.packet_type = AudioPacketType::kSequenceHeader;
            break;
        case WireAudioPacket::kCodedFrames:
            break;
        case WireAudioPacket::kSequenceEnd:
            tag.packet_type = AudioPacketType::kSequenceEnd;
            break;
        case WireAudioPacket::kMultichannelConfig:
            tag.packet_type = AudioPacketType::kMultichannelConfig;
            break;
        case WireAudioPacket::kMultitrack:
        default:
            return fail(Errc::kMalformed, "audio packet type");
    }
    tag.data = in.rest();
    return tag;
}

Bytes put_aac(std::uint8_t packet_type, ByteView data) {
    Bytes out;
    out.reserve(2 + data.size());
    out.push_back(kAacFlags);
    out.push_back(packet_type);
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

}  // namespace

Result<AudioTag> parse_audio_tag(ByteView payload) {
    ByteReader in(payload);
    const std::uint8_t first = in.u8();
    if (!in.ok()) return fail(Errc::kTruncated, "audio tag");
    const std::uint8_t format = first >> 4;
    if (format == kFormatEnhanced) return parse_enhanced_audio(in, first);
    constexpr std::array<std::uint32_t, 4> kRates = {5'512, 11'025, 22'050, 44'100};
    AudioTag tag;
    tag.legacy_format = format;
    tag.codec = codec_of_format(format);
    tag.sample_rate_hz = kRates[first >> 2 & 3];
    tag.stereo = (first & 1) != 0;
    if (format == kFormatAac) {
        const std::uint8_t packet = in.u8();
        if (!in.ok()) return fail(Errc::kTruncated, "AAC audio tag");
        if (packet > 1) return fail(Errc::kMalformed, "AAC packet type", 1);
        if (packet == 0) tag.packet_type = AudioPacketType::kSequenceHeader;
    }
    tag.data = in.rest();
    return tag;
}

Bytes write_aac_sequence_header(ByteView audio_specific_config) {
    return put_aac(0, audio_specific_config);
}
Bytes write_aac_frame(ByteView access_unit) { return put_aac(1, access_unit); }

Bytes write_enhanced_audio_tag(std::uint32_t four_cc, AudioPacketType packet_type, ByteView data) {
    WireAudioPacket packet = WireAudioPacket::kCodedFrames;
    switch (packet_type) {
        case AudioPacketType::kSequenceHeader:
            packet = WireAudioPacket::kSequenceStart;
            break;
        case AudioPacketType::kFrame:
            break;
        case AudioPacketType::kSequenceEnd:
            packet = WireAudioPacket::kSequenceEnd;
            break;
        case AudioPacketType::kMultichannelConfig:
            packet = WireAudioPacket::kMultichannelConfig;
            break;
    }
    Bytes out;
    out.push_back(static_cast<std::uint8_t>(kFormatEnhanced << 4 | static_cast<int>(packet)));
    for (const int shift : {24, 16, 8, 0})
        out.push_back(static_cast<std::uint8_t>(four_cc >> shift));
    out.insert(out.end(), data.begin(), data.end());
    return out;
}

}  // namespace parley::flv

#include "sdp/capabilities.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sdp/text.h"

namespace parley::sdp {
namespace {

/// One-byte header extensions end at 14 (RFC 8285 section 4.2), and browsers stay below it.
constexpr std::uint8_t kMaxExtensionId = 14;

struct NamedExtension {
    std::string_view uri;
    std::uint8_t rtp::ExtensionIds::*id;
    bool audio;
    bool video;
};
constexpr std::array kExtensions = {
    NamedExtension{rtp::kUriAudioLevel, &rtp::ExtensionIds::audio_level, true, false},
    NamedExtension{rtp::kUriAbsSendTime, &rtp::ExtensionIds::abs_send_time, true, true},
    NamedExtension{rtp::kUriTransportCc, &rtp::ExtensionIds::transport_cc, true, true},
    NamedExtension{rtp::kUriMid, &rtp::ExtensionIds::mid, true, true},
    NamedExtension{rtp::kUriRid, &rtp::ExtensionIds::rid, false, true},
    NamedExtension{rtp::kUriRepairedRid, &rtp::ExtensionIds::repaired_rid, false, true},
    NamedExtension{rtp::kUriToffset, &rtp::ExtensionIds::toffset, false, true},
};

void read_extensions(const Section& section, rtp::ExtensionIds& ids) {
    for (const Extmap& extmap : section.extmaps) {
        if (extmap.id > kMaxExtensionId) continue;
        for (const NamedExtension& known : kExtensions) {
            const bool applies = section.kind == Kind::kAudio ? known.audio : known.video;
            if (!applies || known.uri != extmap.uri || ids.*known.id != 0) continue;
            ids.*known.id = extmap.id;
        }
    }
}

std::optional<VideoCodec> video_codec(const Codec& codec) {
    if (codec.clock_rate != 90'000) return std::nullopt;
    if (codec.is("H264")) return VideoCodec::kH264;
    if (codec.is("VP8")) return VideoCodec::kVp8;
    if (codec.is("VP9")) return VideoCodec::kVp9;
    if (codec.is("AV1")) return VideoCodec::kAv1;
    return std::nullopt;
}

/// RFC 6184 section 8.1: six hexadecimal digits; absent means baseline 1.
std::uint32_t profile_level_id(const Codec& codec) {
    constexpr std::uint32_t kAbsent = 0x42000a;
    const std::optional<std::string_view> text = codec.parameter("profile-level-id");
    if (!text) return kAbsent;
    std::uint32_t value = 0;
    const char* const end = text->data() + text->size();
    const auto [at, error] = std::from_chars(text->data(), text->data() + text->size(), value, 16);
    return error == std::errc() && at == end && text->size() == 6 ? value : 0;
}

void read_section(const Section& section, Capabilities& out) {
    if (section.kind == Kind::kAudio) {
        read_extensions(section, out.audio_extensions);
        for (const Codec& codec : section.codecs) {
            if (codec.clock_rate != 48'000) continue;
            if (codec.is("opus") && !out.opus) {
                out.opus = Format{codec.payload_type, {}, codec.parameters};
            }
        }
        for (const Codec& codec : section.codecs) {
            if (codec.is("red") && codec.clock_rate == 48'000 && !out.red_payload_type.is_valid()) {
                out.red_payload_type = codec.payload_type;
            }
        }
        return;
    }
    if (section.kind != Kind::kVideo) return;
    read_extensions(section, out.video_extensions);
    for (const Codec& codec : section.codecs) {
        const std::optional<VideoCodec> name = video_codec(codec);
        const bool known = std::any_of(out.video.begin(), out.video.end(), [&](const auto& v) {
            return v.format.payload_type == codec.payload_type;
        });
        if (!name || known) continue;
        VideoFormat format;
        format.codec = *name;
        format.format = {codec.payload_type, section.rtx_of(codec.payload_type), codec.parameters};
        if (*name == VideoCodec::kH264) {
            format.packetization_mode = codec.number("packetization-mode").value_or(0);
            format.profile_level_id = profile_level_id(codec);
        }
        out.video.push_back(std::move(format));
    }
}

/// Smaller is better; what mini programs and old decoders can play comes first.
int rank(const VideoFormat& format) {
    if (format.codec != VideoCodec::kH264) {
        // VP9 profile 0 and AV1 main are what decoders share; others carry 10 bit or 4:4:4.
        for (const Parameter& p : format.format.parameters) {
            const bool profile = p.name == "profile-id" || p.name == "profile";
            if (profile && p.value != "0") return 1;
        }
        return 0;
    }
    constexpr std::uint32_t kConstraintSet1 = 0x4000;
    const std::uint32_t profile = format.profile_level_id >> 16;
    const bool baseline = profile == 0x42;
    const bool constrained = baseline && (format.profile_level_id & kConstraintSet1) != 0;
    if (format.profile_level_id == 0x42e01f) return 0;
    if (constrained) return 1;
    if (format.profile_level_id == 0x42001f) return 2;
    return baseline ? 3 : 4;
}

/// An id is used for one URI only in a bundle; where the kinds disagree, audio's is taken, because
/// every client has audio.
rtp::ExtensionIds merge(const rtp::ExtensionIds& audio, const rtp::ExtensionIds& video) {
    rtp::ExtensionIds ids = audio;
    for (const NamedExtension& known : kExtensions) {
        if (ids.*known.id == 0) ids.*known.id = video.*known.id;
    }
    return ids;
}

}  // namespace

Capabilities read_capabilities(const Session& offer) {
    Capabilities capabilities;
    for (const Section& section : offer.sections) read_section(section, capabilities);
    return capabilities;
}

Capabilities read_capabilities(const Section& section) {
    Capabilities capabilities;
    read_section(section, capabilities);
    return capabilities;
}

const VideoFormat* choose_video(const Capabilities& capabilities, VideoCodec codec) {
    const VideoFormat* best = nullptr;
    for (const VideoFormat& format : capabilities.video) {
        if (format.codec != codec) continue;
        if (codec == VideoCodec::kH264 && format.packetization_mode != 1) continue;
        if (best == nullptr || rank(format) < rank(*best)) best = &format;
    }
    return best;
}

Result<Negotiated> negotiate(const Capabilities& capabilities, const CodecPolicy& policy) {
    if (!capabilities.opus) return fail(Errc::kUnsupported, "no opus");
    const VideoFormat* video = nullptr;
    for (const VideoCodec codec : {policy.preferred_video, VideoCodec::kH264, VideoCodec::kVp8}) {
        if (video == nullptr) video = choose_video(capabilities, codec);
    }
    if (video == nullptr) return fail(Errc::kUnsupported, "no common video codec");

    Negotiated out;
    out.opus.send_payload_type = capabilities.opus->payload_type;
    out.opus.recv_payload_type = kRecvOpus;
    // Fixed, because the browser's own list is what it likes to receive ("stereo=1" of Firefox
    // would make every publisher send stereo), and the answer states what we like.
    out.opus.parameters = {{"minptime", "10"}, {"useinbandfec", "1"}};
    const bool red_can_be_forwarded = capabilities.opus->payload_type == kRecvOpus;
    if (policy.allow_red && capabilities.red_payload_type.is_valid() && red_can_be_forwarded) {
        out.red_send_payload_type = capabilities.red_payload_type;
        out.red_recv_payload_type = kRecvRed;
    }
    out.video_codec = video->codec;
    out.video.send_payload_type = video->format.payload_type;
    out.video.send_rtx_payload_type = video->format.rtx_payload_type;
    out.video.recv_payload_type = kRecvVideo;
    // A browser that shows no RTX would not understand ours.
    if (video->format.rtx_payload_type.is_valid()) out.video.recv_rtx_payload_type = kRecvVideoRtx;
    out.video.parameters = video->format.parameters;
    out.audio_extensions = capabilities.audio_extensions;
    out.video_extensions = capabilities.video_extensions;
    out.receive_extensions = merge(out.audio_extensions, out.video_extensions);
    out.send_extensions = out.receive_extensions;
    // Layers are named by the publisher; towards a viewer every stream has its own announced SSRC.
    out.send_extensions.rid = 0;
    out.send_extensions.repaired_rid = 0;
    return out;
}

}  // namespace parley::sdp

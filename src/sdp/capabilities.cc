#include "sdp/capabilities.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>

namespace parley::sdp {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kMaxOneByteId = 14;
constexpr std::uint32_t kOpusClock = 48'000;
constexpr std::uint32_t kVideoClock = 90'000;

const char* name_of(VideoCodec codec) {
    switch (codec) {
        case VideoCodec::kH264: return "H264";
        case VideoCodec::kVp8: return "VP8";
        case VideoCodec::kVp9: return "VP9";
        case VideoCodec::kAv1: return "AV1";
    }
    return "";
}

bool starts_with_hex(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), text.begin(), [](char p, char t) {
               return p == (t >= 'A' && t <= 'F' ? static_cast<char>(t - 'A' + 'a') : t);
           });
}

/// Lower is better; negative: not usable.
int h264_rank(const Codec& codec) {
    if (codec.parameter("packetization-mode").value_or("0") != "1") return -1;
    const std::string_view profile = codec.parameter("profile-level-id").value_or("42e01f");
    if (starts_with_hex(profile, "42e0")) return 0;  // constrained baseline
    if (starts_with_hex(profile, "42")) return 1;    // baseline
    if (starts_with_hex(profile, "4d")) return 2;    // main
    return 3;
}

rtp::ExtensionIds merge(rtp::ExtensionIds a, const rtp::ExtensionIds& b) {
    const auto take = [](std::uint8_t& into, std::uint8_t from) {
        if (into == 0) into = from;
    };
    take(a.audio_level, b.audio_level);
    take(a.abs_send_time, b.abs_send_time);
    take(a.transport_cc, b.transport_cc);
    take(a.mid, b.mid);
    take(a.rid, b.rid);
    take(a.repaired_rid, b.repaired_rid);
    take(a.toffset, b.toffset);
    return a;
}

NegotiatedCodec both_ways(const MediaSection& section, const Codec& codec) {
    NegotiatedCodec out;
    out.codec = codec;
    out.send = out.receive = codec.payload_type;
    if (const Codec* rtx = section.rtx_of(codec.payload_type)) {
        out.send_rtx = out.receive_rtx = rtx->payload_type;
    }
    return out;
}

/// Numbers stay numbers: the client writes the object back into `a=fmtp`.
json::object parameters_of(const Codec& codec) {
    json::object out;
    std::string_view rest = codec.fmtp;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        std::string_view item = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        const std::string_view key = item.substr(0, equals);
        const std::string_view value = item.substr(equals + 1);
        std::int64_t number = 0;
        const auto [at, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        const bool is_number = error == std::errc{} && at == value.data() + value.size() &&
                               key != "profile-level-id" && (value == "0" || value.front() != '0');
        if (is_number) {
            out[key] = number;
        } else {
            out[key] = value;
        }
    }
    return out;
}

json::object feedback(std::string_view type, std::string_view parameter = {}) {
    json::object out{{"type", type}};
    if (!parameter.empty()) out["parameter"] = parameter;
    return out;
}

void add_extension(json::array& out, const char* kind, std::string_view uri, std::uint8_t id) {
    if (id == 0) return;
    out.push_back(json::object{{"kind", kind}, {"uri", uri}, {"sendId", id}, {"recvId", id}});
}

}  // namespace

rtp::ExtensionIds extension_ids(const MediaSection& section) {
    rtp::ExtensionIds out;
    for (const Extension& e : section.extensions) {
        if (e.id == 0 || e.id > kMaxOneByteId) continue;
        const auto id = static_cast<std::uint8_t>(e.id);
        if (e.uri == rtp::kUriAudioLevel) out.audio_level = id;
        if (e.uri == rtp::kUriAbsSendTime) out.abs_send_time = id;
        if (e.uri == rtp::kUriTransportCc) out.transport_cc = id;
        if (e.uri == rtp::kUriMid) out.mid = id;
        if (e.uri == rtp::kUriRid) out.rid = id;
        if (e.uri == rtp::kUriRepairedRid) out.repaired_rid = id;
        if (e.uri == rtp::kUriToffset) out.toffset = id;
    }
    return out;
}

const Codec* choose_audio(const MediaSection& section) {
    for (const Codec& c : section.codecs) {
        if (c.is("opus") && c.clock_rate == kOpusClock) return &c;
    }
    return nullptr;
}

const Codec* choose_video(const MediaSection& section, const CodecPolicy& policy, VideoCodec& chosen) {
    for (const VideoCodec wanted : policy.video) {
        const Codec* best = nullptr;
        int best_rank = 0;
        for (const Codec& c : section.codecs) {
            if (!c.is(name_of(wanted)) || c.clock_rate != kVideoClock) continue;
            const int rank = wanted == VideoCodec::kH264 ? h264_rank(c) : 0;
            if (rank < 0 || (best != nullptr && rank >= best_rank)) continue;
            best = &c;
            best_rank = rank;
        }
        if (best != nullptr) {
            chosen = wanted;
            return best;
        }
    }
    return nullptr;
}

Result<Negotiated> negotiate(const Session& capabilities, const CodecPolicy& policy) {
    const MediaSection* audio = nullptr;
    const MediaSection* video = nullptr;
    for (const MediaSection& s : capabilities.sections) {
        if (s.kind == "audio" && audio == nullptr && !s.codecs.empty()) audio = &s;
        if (s.kind == "video" && video == nullptr && !s.codecs.empty()) video = &s;
    }
    if (audio == nullptr || video == nullptr) {
        return fail(Errc::kUnsupported, "capabilities without audio and video");
    }
    Negotiated out;
    const Codec* opus = choose_audio(*audio);
    const Codec* picture = choose_video(*video, policy, out.video_codec);
    if (opus == nullptr) return fail(Errc::kUnsupported, "no Opus");
    if (picture == nullptr) return fail(Errc::kUnsupported, "no common video codec");
    out.audio = both_ways(*audio, *opus);
    out.video = both_ways(*video, *picture);
    if (policy.red) {
        for (const Codec& c : audio->codecs) {
            if (c.is("red") && c.clock_rate == kOpusClock) out.red = both_ways(*audio, c);
        }
    }
    out.audio_extensions = extension_ids(*audio);
    out.video_extensions = extension_ids(*video);
    out.extensions = merge(out.video_extensions, out.audio_extensions);
    return out;
}

boost::json::object to_rtpcaps(const Negotiated& n) {
    json::array codecs;
    json::object audio{{"name", "opus"},
                       {"mimeType", "audio/opus"},
                       {"kind", "audio"},
                       {"clockRate", kOpusClock},
                       {"channels", 2},
                       {"sendPayloadType", n.audio.send.value},
                       {"recvPayloadType", n.audio.receive.value},
                       {"rtcpFeedback", json::array{feedback("transport-cc")}},
                       {"parameters", parameters_of(n.audio.codec)}};
    codecs.push_back(std::move(audio));
    json::object video{
        {"name", name_of(n.video_codec)},
        {"mimeType", std::string("video/") + name_of(n.video_codec)},
        {"kind", "video"},
        {"clockRate", kVideoClock},
        {"sendPayloadType", n.video.send.value},
        {"recvPayloadType", n.video.receive.value},
        {"rtcpFeedback", json::array{feedback("goog-remb"), feedback("transport-cc"), feedback("ccm", "fir"),
                                     feedback("nack"), feedback("nack", "pli")}},
        {"parameters", parameters_of(n.video.codec)}};
    if (n.video.send_rtx.is_valid()) {
        video["sendRtxPayloadType"] = n.video.send_rtx.value;
        video["recvRtxPayloadType"] = n.video.receive_rtx.value;
    }
    codecs.push_back(std::move(video));
    if (n.red) {
        codecs.push_back(json::object{{"name", "red"},
                                      {"mimeType", "audio/red"},
                                      {"kind", "audio"},
                                      {"clockRate", kOpusClock},
                                      {"channels", 2},
                                      {"sendPayloadType", n.red->send.value},
                                      {"recvPayloadType", n.red->receive.value},
                                      {"rtcpFeedback", json::array{}},
                                      {"parameters", json::object{}}});
    }
    json::array extensions;
    for (const auto& [kind, ids] : {std::pair("audio", n.audio_extensions), std::pair("video", n.video_extensions)}) {
        add_extension(extensions, kind, rtp::kUriAudioLevel, ids.audio_level);
        add_extension(extensions, kind, rtp::kUriAbsSendTime, ids.abs_send_time);
        add_extension(extensions, kind, rtp::kUriTransportCc, ids.transport_cc);
        add_extension(extensions, kind, rtp::kUriMid, ids.mid);
        add_extension(extensions, kind, rtp::kUriToffset, ids.toffset);
        add_extension(extensions, kind, rtp::kUriRid, ids.rid);
        add_extension(extensions, kind, rtp::kUriRepairedRid, ids.repaired_rid);
    }
    return {{"codecs", std::move(codecs)},
            {"headerExtensions", std::move(extensions)},
            {"fecMechanisms", json::array{}}};
}

}  // namespace parley::sdp

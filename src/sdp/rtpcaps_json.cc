#include "sdp/rtpcaps_json.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "sdp/text.h"

namespace parley::sdp {
namespace {

namespace json = boost::json;

json::object feedback(std::string_view type, std::string_view parameter = {}) {
    json::object entry{{"type", type}};
    if (!parameter.empty()) entry["parameter"] = parameter;
    return entry;
}

/// Numbers where the clients' own examples have numbers. A profile-level-id is hexadecimal, also
/// when it happens to have no letter.
json::object parameters(const std::vector<Parameter>& list) {
    json::object out;
    for (const Parameter& p : list) {
        const auto number = parse_number<std::uint32_t>(p.value);
        const bool hexadecimal = equal_ignoring_case(p.name, "profile-level-id");
        if (number && !hexadecimal) {
            out[p.name] = *number;
        } else {
            out[p.name] = p.value;
        }
    }
    return out;
}

std::string_view name_of(VideoCodec codec) {
    switch (codec) {
        case VideoCodec::kH264:
            return "H264";
        case VideoCodec::kVp8:
            return "VP8";
        case VideoCodec::kVp9:
            return "VP9";
        case VideoCodec::kAv1:
            return "AV1";
    }
    return {};
}

json::object opus_json(const Negotiated& n) {
    json::array list;
    if (n.audio_extensions.transport_cc != 0) list.push_back(feedback("transport-cc"));
    return {{"name", "opus"},
            {"mimeType", "audio/opus"},
            {"kind", "audio"},
            {"clockRate", 48'000},
            {"channels", 2},
            {"sendPayloadType", n.opus.send_payload_type.value},
            {"recvPayloadType", n.opus.recv_payload_type.value},
            {"rtcpFeedback", std::move(list)},
            {"parameters", parameters(n.opus.parameters)}};
}

json::object video_json(const Negotiated& n) {
    json::array list;
    if (n.video_extensions.transport_cc != 0) list.push_back(feedback("transport-cc"));
    list.push_back(feedback("goog-remb"));
    list.push_back(feedback("ccm", "fir"));
    list.push_back(feedback("nack"));
    list.push_back(feedback("nack", "pli"));
    const std::string_view name = name_of(n.video_codec);
    json::object out{{"name", name},
                     {"mimeType", "video/" + std::string(name)},
                     {"kind", "video"},
                     {"clockRate", 90'000},
                     {"sendPayloadType", n.video.send_payload_type.value},
                     {"recvPayloadType", n.video.recv_payload_type.value},
                     {"rtcpFeedback", std::move(list)},
                     {"parameters", parameters(n.video.parameters)}};
    if (n.video.send_rtx_payload_type.is_valid()) {
        out["sendRtxPayloadType"] = n.video.send_rtx_payload_type.value;
        out["recvRtxPayloadType"] = n.video.recv_rtx_payload_type.value;
    }
    return out;
}

json::object red_json(const Negotiated& n) {
    return {{"name", "red"},
            {"mimeType", "audio/red"},
            {"kind", "audio"},
            {"clockRate", 48'000},
            {"channels", 2},
            {"sendPayloadType", n.red_send_payload_type.value},
            {"recvPayloadType", n.red_recv_payload_type.value},
            {"rtcpFeedback", json::array()},
            {"parameters", json::object()}};
}

void add_extension(json::array& list, std::string_view kind, std::string_view uri, unsigned id) {
    if (id == 0) return;
    list.push_back(json::object{{"kind", kind}, {"uri", uri}, {"sendId", id}, {"recvId", id}});
}

}  // namespace

json::object to_rtpcaps(const Negotiated& n) {
    json::array codecs{opus_json(n), video_json(n)};
    if (n.red_send_payload_type.is_valid()) codecs.push_back(red_json(n));

    json::array extensions;
    const rtp::ExtensionIds& audio = n.audio_extensions;
    add_extension(extensions, "audio", rtp::kUriAudioLevel, audio.audio_level);
    add_extension(extensions, "audio", rtp::kUriAbsSendTime, audio.abs_send_time);
    add_extension(extensions, "audio", rtp::kUriTransportCc, audio.transport_cc);
    add_extension(extensions, "audio", rtp::kUriMid, audio.mid);
    const rtp::ExtensionIds& video = n.video_extensions;
    add_extension(extensions, "video", rtp::kUriToffset, video.toffset);
    add_extension(extensions, "video", rtp::kUriAbsSendTime, video.abs_send_time);
    add_extension(extensions, "video", rtp::kUriTransportCc, video.transport_cc);
    add_extension(extensions, "video", rtp::kUriMid, video.mid);
    add_extension(extensions, "video", rtp::kUriRid, video.rid);
    add_extension(extensions, "video", rtp::kUriRepairedRid, video.repaired_rid);
    return {{"codecs", std::move(codecs)},
            {"headerExtensions", std::move(extensions)},
            {"fecMechanisms", json::array()}};
}

}  // namespace parley::sdp

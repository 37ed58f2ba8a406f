#include "loadgen/offer_sdp.h"

namespace parley::loadgen {
namespace {

std::string extmap(unsigned id, std::string_view uri) {
    return "a=extmap:" + std::to_string(id) + " " + std::string(uri) + "\r\n";
}

constexpr const char* kAudioCodecs =
    "a=rtpmap:111 opus/48000/2\r\n"
    "a=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\n";
constexpr const char* kVideoCodecs =
    "a=rtpmap:108 H264/90000\r\n"
    "a=rtcp-fb:108 goog-remb\r\n"
    "a=rtcp-fb:108 transport-cc\r\n"
    "a=rtcp-fb:108 ccm fir\r\n"
    "a=rtcp-fb:108 nack\r\n"
    "a=rtcp-fb:108 nack pli\r\n"
    "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
    "a=rtpmap:109 rtx/90000\r\n"
    "a=fmtp:109 apt=108\r\n";

std::string source_lines(const OfferSection& section, std::string_view cname) {
    if (section.ssrc.value == 0 || !section.rids.empty()) return {};
    const std::string media = std::to_string(section.ssrc.value);
    const std::string name = " cname:" + std::string(cname) + "\r\n";
    if (section.rtx_ssrc.value == 0) return "a=ssrc:" + media + name;
    const std::string rtx = std::to_string(section.rtx_ssrc.value);
    return "a=ssrc-group:FID " + media + " " + rtx + "\r\na=ssrc:" + media + name + "a=ssrc:" + rtx + name;
}

std::string simulcast_lines(const OfferSection& section) {
    std::string lines;
    std::string list;
    for (const std::string& rid : section.rids) {
        lines += "a=rid:" + rid + " send\r\n";
        list += (list.empty() ? "" : ";") + rid;
    }
    return list.empty() ? lines : lines + "a=simulcast:send " + list + "\r\n";
}

}  // namespace

std::string make_offer(const std::vector<OfferSection>& sections,
                       const ice::Credentials& credentials,
                       std::string_view fingerprint,
                       std::string_view cname) {
    std::string sdp = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE";
    for (const OfferSection& section : sections) sdp += " " + section.mid;
    sdp += "\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n";
    for (const OfferSection& section : sections) {
        sdp += section.is_video ? "m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\n" : "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
        sdp += "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n";
        sdp += "a=ice-ufrag:" + credentials.ufrag + "\r\na=ice-pwd:" + credentials.password + "\r\n";
        sdp += "a=ice-options:trickle\r\na=fingerprint:sha-256 " + std::string(fingerprint) + "\r\n";
        sdp += "a=setup:actpass\r\na=mid:" + section.mid + "\r\n";
        if (section.is_video) {
            sdp += extmap(kOfferExtensions.toffset, rtp::kUriToffset);
        } else {
            sdp += extmap(kOfferExtensions.audio_level, rtp::kUriAudioLevel);
        }
        sdp += extmap(kOfferExtensions.abs_send_time, rtp::kUriAbsSendTime);
        sdp += extmap(kOfferExtensions.transport_cc, rtp::kUriTransportCc);
        sdp += extmap(kOfferExtensions.mid, rtp::kUriMid);
        if (section.is_video) {
            sdp += extmap(kOfferExtensions.rid, rtp::kUriRid);
            sdp += extmap(kOfferExtensions.repaired_rid, rtp::kUriRepairedRid);
        }
        sdp += "a=" + section.direction + "\r\n";
        if (section.direction == "sendonly") sdp += "a=msid:bench " + section.track_id + "\r\n";
        sdp += "a=rtcp-mux\r\na=rtcp-rsize\r\n";
        sdp += section.is_video ? kVideoCodecs : kAudioCodecs;
        if (section.direction == "sendonly") {
            sdp += simulcast_lines(section);
            sdp += source_lines(section, cname);
        }
    }
    return sdp;
}

}  // namespace parley::loadgen

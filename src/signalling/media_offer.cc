#include "signalling/media_offer.h"

#include <algorithm>
#include <utility>

#include "sdp/rtpcaps_json.h"
#include "sdp/session.h"

namespace parley::signalling {
namespace {

/// The streams of a section, best layer first.
std::vector<sfu::EncodingConfig> encodings_of(const sdp::Section& section) {
    std::vector<sfu::EncodingConfig> out;
    if (!section.simulcast_send.empty()) {
        for (const std::string& rid : section.simulcast_send) {
            if (out.size() == sfu::kMaxLayers) break;
            out.push_back({rid, Ssrc{}, Ssrc{}});
        }
        return out;
    }
    sfu::EncodingConfig encoding;
    for (const sdp::SsrcGroup& group : section.ssrc_groups) {
        if (group.semantics == "SIM" && !group.ssrcs.empty()) encoding.ssrc = group.ssrcs.front();
    }
    for (const sdp::SsrcGroup& group : section.ssrc_groups) {
        if (encoding.ssrc.is_valid()) break;
        if (group.semantics == "FID" && !group.ssrcs.empty()) encoding.ssrc = group.ssrcs.front();
    }
    if (!encoding.ssrc.is_valid() && !section.sources.empty()) {
        encoding.ssrc = section.sources.front().ssrc;
    }
    // Without any SSRC the worker finds the stream by its mid.
    if (encoding.ssrc.is_valid()) encoding.rtx_ssrc = section.rtx_of(encoding.ssrc);
    out.push_back(std::move(encoding));
    return out;
}

std::string local_id_of(const sdp::Section& section) {
    for (const sdp::Msid& msid : section.msids) {
        if (!msid.track.empty()) return msid.track;
    }
    for (const sdp::SourceInfo& source : section.sources) {
        if (source.msid && !source.msid->track.empty()) return source.msid->track;
    }
    return {};
}

}  // namespace

sfu::Codec to_sfu(sdp::VideoCodec codec) {
    switch (codec) {
        case sdp::VideoCodec::kH264:
            return sfu::Codec::kH264;
        case sdp::VideoCodec::kVp8:
            return sfu::Codec::kVp8;
        case sdp::VideoCodec::kVp9:
            return sfu::Codec::kVp9;
        case sdp::VideoCodec::kAv1:
            return sfu::Codec::kAv1;
    }
    return sfu::Codec::kH264;
}

std::optional<sdp::VideoCodec> to_sdp(sfu::Codec codec) {
    switch (codec) {
        case sfu::Codec::kH264:
            return sdp::VideoCodec::kH264;
        case sfu::Codec::kVp8:
            return sdp::VideoCodec::kVp8;
        case sfu::Codec::kVp9:
            return sdp::VideoCodec::kVp9;
        case sfu::Codec::kAv1:
            return sdp::VideoCodec::kAv1;
        case sfu::Codec::kOpus:
            break;
    }
    return std::nullopt;
}

Result<ClientCaps> negotiate_caps(std::string_view capsdp, sfu::Codec preferred_video) {
    const Result<sdp::Session> session = sdp::parse(capsdp);
    if (!session) return tl::unexpected(session.error());
    sdp::CodecPolicy policy;
    policy.preferred_video = to_sdp(preferred_video).value_or(sdp::VideoCodec::kH264);
    const Result<sdp::Negotiated> agreed = sdp::negotiate(sdp::read_capabilities(*session), policy);
    if (!agreed) return tl::unexpected(agreed.error());

    ClientCaps caps;
    caps.audio.codec = sfu::Codec::kOpus;
    caps.audio.publish = agreed->opus.send_payload_type;
    caps.audio.publish_rtx = agreed->opus.send_rtx_payload_type;
    caps.audio.publish_red = agreed->red_send_payload_type;
    caps.audio.receive = agreed->opus.recv_payload_type;
    caps.audio.receive_rtx = agreed->opus.recv_rtx_payload_type;
    caps.audio.receive_red = agreed->red_recv_payload_type;
    caps.video.codec = to_sfu(agreed->video_codec);
    caps.video.publish = agreed->video.send_payload_type;
    caps.video.publish_rtx = agreed->video.send_rtx_payload_type;
    caps.video.receive = agreed->video.recv_payload_type;
    caps.video.receive_rtx = agreed->video.recv_rtx_payload_type;
    caps.worker_receives = agreed->receive_extensions;
    caps.worker_sends = agreed->send_extensions;
    caps.rtpcaps = sdp::to_rtpcaps(*agreed);
    return caps;
}

Result<std::vector<OfferedSection>> parse_publish_offer(std::string_view text) {
    const Result<sdp::Session> session = sdp::parse(text);
    if (!session) return tl::unexpected(session.error());
    std::vector<OfferedSection> out;
    for (const sdp::Section& section : session->sections) {
        const bool media = section.kind == sdp::Kind::kAudio || section.kind == sdp::Kind::kVideo;
        if (!media || section.is_rejected() || !sdp::sends(section.direction)) continue;
        OfferedSection offered;
        offered.mid = section.mid;
        offered.kind =
            section.kind == sdp::Kind::kAudio ? sfu::MediaKind::kAudio : sfu::MediaKind::kVideo;
        offered.local_id = local_id_of(section);
        offered.encodings = encodings_of(section);
        if (section.fingerprint) {
            const Result<dtls::Fingerprint> fingerprint = dtls::Fingerprint::parse(
                section.fingerprint->algorithm, section.fingerprint->value);
            if (fingerprint) offered.fingerprint = *fingerprint;
        }
        out.push_back(std::move(offered));
    }
    return out;
}

}  // namespace parley::signalling

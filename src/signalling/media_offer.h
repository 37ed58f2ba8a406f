#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dtls/endpoint.h"
#include "rtp/extensions.h"
#include "sdp/capabilities.h"
#include "sfu/media_api.h"

/// The little that room control reads out of a client's SDP.
namespace parley::signalling {

/// The same codec to SDP and to the workers. Opus has no name among video codecs: nullopt.
sfu::Codec to_sfu(sdp::VideoCodec codec);
std::optional<sdp::VideoCodec> to_sdp(sfu::Codec codec);

/// One codec in both directions of one client. "Publish" is what the client sends, "receive" what
/// it is sent.
struct CodecChoice {
    sfu::Codec codec = sfu::Codec::kOpus;
    PayloadType publish;
    PayloadType publish_rtx;  ///< 0: none
    PayloadType publish_red;
    PayloadType receive;
    PayloadType receive_rtx;
    PayloadType receive_red;
};

/// What was agreed with one client from its `capsdp` (protocol section 4.2).
struct ClientCaps {
    CodecChoice audio;
    CodecChoice video;
    rtp::ExtensionIds worker_receives;  ///< ids that the client writes, on either connection
    rtp::ExtensionIds worker_sends;     ///< ids that we write
    boost::json::object rtpcaps;

    [[nodiscard]] const CodecChoice& codec(sfu::MediaKind kind) const {
        return kind == sfu::MediaKind::kAudio ? audio : video;
    }
};
/// kUnsupported: no common audio or video codec; kMalformed: not SDP.
Result<ClientCaps> negotiate_caps(std::string_view capsdp, sfu::Codec preferred_video);

/// A section of a publisher's offer that sends.
struct OfferedSection {
    std::string mid;
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    std::string local_id;                        ///< second word of `a=msid`
    std::vector<sfu::EncodingConfig> encodings;  ///< [0] high, [1] low; at least one
    std::optional<dtls::Fingerprint> fingerprint;

    [[nodiscard]] bool is_simulcast() const { return encodings.size() > 1; }
};
/// Sections that send, in the order of the offer. An SSRC group SIM counts as its first stream
/// (quirk Q18).
Result<std::vector<OfferedSection>> parse_publish_offer(std::string_view sdp);

}  // namespace parley::signalling

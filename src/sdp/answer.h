#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "rtp/extensions.h"
#include "sdp/capabilities.h"
#include "sdp/session.h"

/// Answers to offers of WHIP (RFC 9725) and WHEP clients. Pure functions in two steps: plan what to
/// take of the offer, let room control open the transport, then write the answer.
namespace parley::sdp {

/// One encoding that a publisher offers.
struct PlannedEncoding {
    std::string rid;  ///< empty when the SSRC is known
    Ssrc ssrc;        ///< 0: to be learnt
    Ssrc rtx_ssrc;    ///< 0: none, or to be learnt
};
/// One accepted section of the offer.
struct PlannedSection {
    std::size_t index = 0;  ///< in Session::sections
    Kind kind = Kind::kAudio;
    std::string mid;
    PayloadType payload_type;
    PayloadType rtx_payload_type;  ///< 0: none
    PayloadType red_payload_type;  ///< 0: none
    VideoCodec video_codec = VideoCodec::kH264;
    std::vector<PlannedEncoding> encodings;  ///< publishers: [0] high, [1] low
};
struct AnswerPlan {
    std::vector<PlannedSection> sections;  ///< the others are rejected
    rtp::ExtensionIds receive_extensions;
    rtp::ExtensionIds send_extensions;
};

/// A publisher's offer: at most one audio and one video section are taken, the first that send and
/// have a codec of ours. kMalformed: an offer that JSEP forbids (no credentials, fingerprint or
/// mid, not bundled); kUnsupported: nothing that we can receive.
Result<AnswerPlan> plan_publish(const Session& offer, const CodecPolicy& policy);

/// What a viewer is to be sent.
struct Wanted {
    bool audio = false;
    bool video = false;
    VideoCodec video_codec = VideoCodec::kH264;
};
/// The section whose ICE credentials, fingerprint and setup hold for the whole bundle; nullptr when
/// no section has credentials.
const Section* transport_section(const Session& offer);

/// A viewer's offer: the first section of each wanted kind that receives and has the codec. Errors
/// as above; kUnsupported when nothing wanted can be received.
Result<AnswerPlan> plan_view(const Session& offer, const Wanted& wanted);

/// What we send in one section of a viewer's answer.
struct SentSource {
    Ssrc ssrc;
    Ssrc rtx_ssrc;      ///< 0: none
    std::string msid;   ///< one for each publisher, so that the player keeps lips in step
    std::string track;  ///< second word of `a=msid`
    std::string cname;
};
/// Our side of the transport.
struct LocalTransport {
    std::string ice_ufrag;
    std::string ice_pwd;
    Fingerprint fingerprint;
    std::vector<Candidate> candidates;
};

/// recvonly answer; two RIDs of a simulcast offer at most, as the plan has them.
Session answer_publish(const Session& offer, const AnswerPlan& plan, const LocalTransport& local);
/// sendonly answer. `sources` is parallel to `plan.sections`; one without an SSRC makes its section
/// inactive.
Session answer_view(const Session& offer,
                    const AnswerPlan& plan,
                    const LocalTransport& local,
                    const std::vector<SentSource>& sources);

/// Trickle ICE fragments (RFC 8840, RFC 9725 section 4.3).
struct IceFragment {
    std::string ice_ufrag;
    std::string ice_pwd;
    std::vector<Candidate> candidates;
    bool end_of_candidates = false;
};
Result<IceFragment> parse_fragment(std::string_view text);
/// Our new credentials after a restart, for the section that carries the transport.
std::string write_fragment(const LocalTransport& local, Kind kind, std::string_view mid);

}  // namespace parley::sdp

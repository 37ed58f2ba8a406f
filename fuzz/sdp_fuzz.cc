// Offers as clients send them: read, judged, answered, written and read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "sdp/answer.h"
#include "sdp/capabilities.h"
#include "sdp/rtpcaps_json.h"
#include "sdp/session.h"

using namespace parley;

namespace {

/// What we wrote is read back, and writing that again changes nothing more. (The first time,
/// payload types of RFC 3551 get their names.)
void check_written(const std::string& text) {
    const auto once = sdp::parse(text);
    PARLEY_CHECK(once.has_value());
    const auto twice = sdp::parse(sdp::write(*once));
    PARLEY_CHECK(twice && *twice == *once);
}

sdp::LocalTransport our_side() {
    sdp::LocalTransport local;
    local.ice_ufrag = "ufrag123";
    local.ice_pwd = "password-of-22-letters";
    local.fingerprint = {"sha-256", "AB:CD"};
    sdp::Candidate candidate;
    candidate.foundation = "1";
    candidate.transport = "udp";
    candidate.priority = 1;
    candidate.address = "192.0.2.1";
    candidate.port = 7700;
    candidate.type = "host";
    local.candidates.push_back(candidate);
    return local;
}

void check_plan(const sdp::Session& offer, const sdp::AnswerPlan& plan) {
    PARLEY_CHECK(!plan.sections.empty() && plan.sections.size() <= offer.sections.size());
    for (const sdp::PlannedSection& section : plan.sections) {
        PARLEY_CHECK(section.index < offer.sections.size());
        PARLEY_CHECK(section.payload_type.value < 128);
        PARLEY_CHECK(section.encodings.size() <= 2);
    }
}

void negotiate(const sdp::Session& offer) {
    const sdp::Capabilities capabilities = sdp::read_capabilities(offer);
    for (const auto codec : {sdp::VideoCodec::kH264, sdp::VideoCodec::kVp8}) {
        const auto agreed = sdp::negotiate(capabilities, {.preferred_video = codec});
        if (!agreed) continue;
        PARLEY_CHECK(agreed->opus.recv_payload_type.is_valid());
        PARLEY_CHECK(agreed->video.recv_payload_type.is_valid());
        (void)sdp::to_rtpcaps(*agreed);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 100'000) return 0;
    const std::string_view text = as_text_view({data, size});
    if (const auto candidate = sdp::parse_candidate(text)) {
        const auto again = sdp::parse_candidate(sdp::write_candidate(*candidate));
        PARLEY_CHECK(again && *again == *candidate);
    }
    (void)sdp::parse_fragment(text);
    const auto offer = sdp::parse(text);
    if (!offer) return 0;
    check_written(sdp::write(*offer));
    negotiate(*offer);
    (void)sdp::transport_section(*offer);
    if (const auto plan = sdp::plan_publish(*offer, {})) {
        check_plan(*offer, *plan);
        check_written(sdp::write(sdp::answer_publish(*offer, *plan, our_side())));
    }
    if (const auto plan = sdp::plan_view(*offer, {.audio = true, .video = true})) {
        check_plan(*offer, *plan);
        std::vector<sdp::SentSource> sources(plan->sections.size());
        for (std::size_t i = 0; i < sources.size(); ++i) {
            sources[i] = {Ssrc(static_cast<std::uint32_t>(10 + i)),
                          Ssrc(static_cast<std::uint32_t>(100 + i)),
                          "s",
                          "t",
                          "c"};
        }
        check_written(sdp::write(sdp::answer_view(*offer, *plan, our_side(), sources)));
    }
    return 0;
}

#include "sdp/answer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sdp/text.h"

namespace parley::sdp {
namespace {

/// Header extensions that make sense in one direction of one kind.
struct AnsweredExtension {
    std::string_view uri;
    std::uint8_t rtp::ExtensionIds::*id;
};
constexpr std::array kPublished = {
    AnsweredExtension{rtp::kUriAudioLevel, &rtp::ExtensionIds::audio_level},
    AnsweredExtension{rtp::kUriAbsSendTime, &rtp::ExtensionIds::abs_send_time},
    AnsweredExtension{rtp::kUriTransportCc, &rtp::ExtensionIds::transport_cc},
    AnsweredExtension{rtp::kUriMid, &rtp::ExtensionIds::mid},
    AnsweredExtension{rtp::kUriRid, &rtp::ExtensionIds::rid},
    AnsweredExtension{rtp::kUriRepairedRid, &rtp::ExtensionIds::repaired_rid},
    AnsweredExtension{rtp::kUriToffset, &rtp::ExtensionIds::toffset},
};

bool is_sha256(const std::optional<Fingerprint>& fingerprint) {
    return fingerprint && equal_ignoring_case(fingerprint->algorithm, "sha-256");
}

/// What RFC 9725 section 4.4 and JSEP demand of every offer: one bundled DTLS transport whose
/// server we can be.
Result<void> check_transport(const Session& offer) {
    const Section* transport = transport_section(offer);
    if (transport == nullptr || transport->ice_pwd.empty()) {
        return fail(Errc::kMalformed, "offer without ICE credentials");
    }
    if (!is_sha256(transport->fingerprint)) {
        return fail(Errc::kMalformed, "offer without a sha-256 fingerprint");
    }
    if (transport->setup == Setup::kPassive || transport->setup == Setup::kHoldConn) {
        return fail(Errc::kMalformed, "offer with a setup that excludes a passive answer");
    }
    return {};
}

bool is_bundled(const Session& offer, const Section& section) {
    return std::find(offer.bundle.begin(), offer.bundle.end(), section.mid) != offer.bundle.end();
}

/// More than one section needs one transport for all, and mids to tell them apart.
Result<void> check_bundle(const Session& offer, const AnswerPlan& plan) {
    for (const PlannedSection& planned : plan.sections) {
        const Section& section = offer.sections[planned.index];
        if (section.mid.empty()) return fail(Errc::kMalformed, "section without a mid");
        if (plan.sections.size() > 1 && !is_bundled(offer, section)) {
            return fail(Errc::kMalformed, "offer is not bundled");
        }
    }
    return {};
}

/// Quality order of a list of RIDs, best first. The order in the offer is the sender's preference
/// (RFC 8853 section 5.2), but browsers' applications commonly list small layers first, by these
/// names.
std::vector<std::string> by_quality(std::vector<std::string> rids) {
    const auto rank = [&](const std::string& rid) {
        if (rid == "f" || rid.starts_with("hi")) return 0;
        if (rid == "h") return rids.end() != std::find(rids.begin(), rids.end(), "f") ? 1 : 0;
        if (rid == "q" || rid == "l" || rid.starts_with("lo")) return 2;
        return 1;
    };
    std::vector<std::pair<int, std::string>> ranked;
    ranked.reserve(rids.size());
    for (const std::string& rid : rids) ranked.emplace_back(rank(rid), rid);
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    for (std::size_t i = 0; i < rids.size(); ++i) rids[i] = ranked[i].second;
    return rids;
}

std::vector<PlannedEncoding> plan_encodings(const Section& section) {
    if (section.kind == Kind::kVideo && !section.simulcast_send.empty()) {
        const std::vector<std::string> rids = by_quality(section.simulcast_send);
        std::vector<PlannedEncoding> encodings{{rids.front(), {}, {}}};
        if (rids.size() > 1) encodings.push_back({rids.back(), {}, {}});
        return encodings;
    }
    const auto is_repair = [&](Ssrc ssrc) {
        return std::any_of(
            section.ssrc_groups.begin(), section.ssrc_groups.end(), [&](const SsrcGroup& group) {
                return group.semantics.starts_with("FID") && group.ssrcs.size() > 1 &&
                       group.ssrcs[1] == ssrc;
            });
    };
    for (const SourceInfo& source : section.sources) {
        if (!is_repair(source.ssrc)) return {{"", source.ssrc, section.rtx_of(source.ssrc)}};
    }
    return {PlannedEncoding{}};  // learnt from the MID extension of the first packet
}

/// The codec of ours that the section has, or nothing.
std::optional<PlannedSection> plan_section(const Session& offer,
                                           std::size_t index,
                                           const std::vector<VideoCodec>& video_codecs) {
    const Section& section = offer.sections[index];
    const Capabilities capabilities = read_capabilities(section);
    PlannedSection planned;
    planned.index = index;
    planned.kind = section.kind;
    planned.mid = section.mid;
    if (section.kind == Kind::kAudio) {
        if (!capabilities.opus) return std::nullopt;
        planned.payload_type = capabilities.opus->payload_type;
        // The blocks of a RED packet name Opus by its number, and are forwarded as they are: both
        // ends must call it the same.
        if (planned.payload_type == kRecvOpus)
            planned.red_payload_type = capabilities.red_payload_type;
        return planned;
    }
    for (const VideoCodec codec : video_codecs) {
        const VideoFormat* format = choose_video(capabilities, codec);
        if (format == nullptr) continue;
        planned.payload_type = format->format.payload_type;
        planned.rtx_payload_type = format->format.rtx_payload_type;
        planned.video_codec = codec;
        return planned;
    }
    return std::nullopt;
}

rtp::ExtensionIds offered_extensions(const Session& offer, const AnswerPlan& plan) {
    rtp::ExtensionIds ids;
    for (const PlannedSection& planned : plan.sections) {
        const Section& section = offer.sections[planned.index];
        const Capabilities capabilities = read_capabilities(section);
        const rtp::ExtensionIds& own = section.kind == Kind::kAudio ? capabilities.audio_extensions
                                                                    : capabilities.video_extensions;
        for (const AnsweredExtension& known : kPublished) {
            if (ids.*known.id == 0) ids.*known.id = own.*known.id;
        }
    }
    return ids;
}

/// Takes the first usable section of each wanted kind.
template <class IsUsable>
Result<AnswerPlan> plan_sections(const Session& offer,
                                 const std::vector<VideoCodec>& video_codecs,
                                 bool wants_audio,
                                 bool wants_video,
                                 IsUsable is_usable) {
    if (const Result<void> ok = check_transport(offer); !ok) return tl::unexpected(ok.error());
    AnswerPlan plan;
    bool has_audio = !wants_audio;
    bool has_video = !wants_video;
    for (std::size_t i = 0; i < offer.sections.size(); ++i) {
        const Section& section = offer.sections[i];
        const bool audio = section.kind == Kind::kAudio;
        if ((!audio && section.kind != Kind::kVideo) || section.is_rejected()) continue;
        bool& has = audio ? has_audio : has_video;
        if (has || !is_usable(section)) continue;
        std::optional<PlannedSection> planned = plan_section(offer, i, video_codecs);
        if (!planned) continue;
        has = true;
        plan.sections.push_back(*std::move(planned));
    }
    if (plan.sections.empty()) return fail(Errc::kUnsupported, "no section with a codec of ours");
    if (const Result<void> ok = check_bundle(offer, plan); !ok) return tl::unexpected(ok.error());
    const rtp::ExtensionIds ids = offered_extensions(offer, plan);
    plan.receive_extensions = ids;
    plan.send_extensions = ids;
    plan.send_extensions.rid = 0;
    plan.send_extensions.repaired_rid = 0;
    return plan;
}

bool is_answered(const Feedback& feedback, bool has_transport_cc) {
    if (feedback.type == "transport-cc") return has_transport_cc;
    if (feedback.type == "goog-remb") return feedback.parameter.empty();
    if (feedback.type == "ccm") return feedback.parameter == "fir";
    return feedback.type == "nack" && (feedback.parameter.empty() || feedback.parameter == "pli");
}

Codec answer_codec(const Section& offered, PayloadType payload_type, bool has_transport_cc) {
    const Codec* source = offered.find_codec(payload_type);
    if (source == nullptr) return {};
    Codec codec = *source;
    std::erase_if(codec.feedback,
                  [&](const Feedback& f) { return !is_answered(f, has_transport_cc); });
    // Only video is asked for again; Opus repairs itself.
    if (offered.kind == Kind::kAudio && !codec.is("red")) {
        std::erase_if(codec.feedback, [](const Feedback& f) { return f.type == "nack"; });
        codec.parameters = {{"minptime", "10"}, {"useinbandfec", "1"}};
        if (source->parameter("stereo") == "1") codec.parameters.push_back({"stereo", "1"});
    }
    return codec;
}

Section rejected(const Section& offered) {
    Section section;
    section.kind = offered.kind;
    section.media = offered.media;
    section.mid = offered.mid;
    section.port = 0;
    section.protocol = offered.protocol;
    section.direction = Direction::kInactive;
    // An m-line has at least one format (RFC 8866 section 5.14).
    if (!offered.codecs.empty()) section.codecs.push_back({offered.codecs[0].payload_type});
    if (!offered.formats.empty()) section.formats.push_back(offered.formats[0]);
    return section;
}

Section accepted(const Section& offered,
                 const PlannedSection& planned,
                 const rtp::ExtensionIds& extensions,
                 const LocalTransport& local) {
    Section section;
    section.kind = offered.kind;
    section.mid = offered.mid;
    section.protocol = offered.protocol;
    section.ice_ufrag = local.ice_ufrag;
    section.ice_pwd = local.ice_pwd;
    section.fingerprint = local.fingerprint;
    section.setup = Setup::kPassive;
    section.rtcp_mux = true;
    section.rtcp_rsize = offered.rtcp_rsize;
    section.candidates = local.candidates;
    section.end_of_candidates = true;
    for (const Extmap& extmap : offered.extmaps) {
        for (const AnsweredExtension& known : kPublished) {
            if (known.uri != extmap.uri || extensions.*known.id != extmap.id) continue;
            section.extmaps.push_back({extmap.id, Direction::kSendRecv, extmap.uri});
        }
    }
    const bool has_transport_cc =
        std::any_of(section.extmaps.begin(), section.extmaps.end(), [](const Extmap& extmap) {
            return extmap.uri == rtp::kUriTransportCc;
        });
    section.codecs.push_back(answer_codec(offered, planned.payload_type, has_transport_cc));
    if (planned.red_payload_type.is_valid()) {
        // Its place says whether the client wants to send it (first) or only could.
        const auto place = [&](PayloadType wanted) {
            return std::find_if(offered.codecs.begin(),
                                offered.codecs.end(),
                                [&](const Codec& codec) { return codec.payload_type == wanted; });
        };
        const bool first = place(planned.red_payload_type) < place(planned.payload_type);
        section.codecs.insert(first ? section.codecs.begin() : section.codecs.end(),
                              answer_codec(offered, planned.red_payload_type, has_transport_cc));
    }
    if (planned.rtx_payload_type.is_valid()) {
        section.codecs.push_back(answer_codec(offered, planned.rtx_payload_type, has_transport_cc));
    }
    return section;
}

/// Everything but what the planned sections say of their streams.
template <class Fill>
Session answer(const Session& offer,
               const AnswerPlan& plan,
               const rtp::ExtensionIds& extensions,
               const LocalTransport& local,
               Fill fill) {
    Session out;
    out.id = offer.id;
    out.version = 1;
    out.ice_lite = true;
    for (const Section& section : offer.sections) out.sections.push_back(rejected(section));
    for (std::size_t i = 0; i < plan.sections.size(); ++i) {
        const PlannedSection& planned = plan.sections[i];
        const Section& offered = offer.sections[planned.index];
        Section section = accepted(offered, planned, extensions, local);
        fill(section, offered, planned, i);
        out.sections[planned.index] = std::move(section);
    }
    for (const Section& section : out.sections) {
        if (!section.is_rejected() && is_bundled(offer, section)) out.bundle.push_back(section.mid);
    }
    return out;
}

}  // namespace

const Section* transport_section(const Session& offer) {
    for (const Section& section : offer.sections) {
        if (!section.ice_ufrag.empty() && !section.is_rejected()) return &section;
    }
    return nullptr;
}

Result<AnswerPlan> plan_publish(const Session& offer, const CodecPolicy& policy) {
    const std::vector<VideoCodec> codecs = {policy.preferred_video,
                                            VideoCodec::kH264,
                                            VideoCodec::kVp8,
                                            VideoCodec::kVp9,
                                            VideoCodec::kAv1};
    Result<AnswerPlan> plan = plan_sections(
        offer, codecs, true, true, [](const Section& s) { return sends(s.direction); });
    if (!plan) return plan;
    for (PlannedSection& planned : plan->sections) {
        planned.encodings = plan_encodings(offer.sections[planned.index]);
    }
    return plan;
}

Result<AnswerPlan> plan_view(const Session& offer, const Wanted& wanted) {
    return plan_sections(
        offer, {wanted.video_codec}, wanted.audio, wanted.video, [](const Section& s) {
            return receives(s.direction);
        });
}

Session answer_publish(const Session& offer, const AnswerPlan& plan, const LocalTransport& local) {
    return answer(
        offer,
        plan,
        plan.receive_extensions,
        local,
        [](Section& section, const Section& offered, const PlannedSection& planned, std::size_t) {
            section.direction = Direction::kRecvOnly;
            if (offered.simulcast_send.empty()) return;
            for (const std::string& rid : offered.simulcast_send) {
                const bool taken = std::any_of(
                    planned.encodings.begin(),
                    planned.encodings.end(),
                    [&](const PlannedEncoding& encoding) { return encoding.rid == rid; });
                if (!taken) continue;
                section.rids.push_back({rid, false, ""});
                section.simulcast_recv.push_back(rid);
            }
        });
}

Session answer_view(const Session& offer,
                    const AnswerPlan& plan,
                    const LocalTransport& local,
                    const std::vector<SentSource>& sources) {
    return answer(offer,
                  plan,
                  plan.send_extensions,
                  local,
                  [&](Section& section, const Section&, const PlannedSection&, std::size_t index) {
                      section.direction = Direction::kInactive;
                      if (index >= sources.size() || !sources[index].ssrc.is_valid()) return;
                      const SentSource& source = sources[index];
                      section.direction = Direction::kSendOnly;
                      section.msids.push_back({source.msid, source.track});
                      section.sources.push_back({source.ssrc, source.cname, {}});
                      if (!source.rtx_ssrc.is_valid()) return;
                      section.sources.push_back({source.rtx_ssrc, source.cname, {}});
                      section.ssrc_groups.push_back({"FID", {source.ssrc, source.rtx_ssrc}});
                  });
}

Result<IceFragment> parse_fragment(std::string_view text) {
    if (text.size() > kMaxBytes) return fail(Errc::kTooLarge, "ICE fragment");
    IceFragment fragment;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        if (line.size() > kMaxLineBytes) return fail(Errc::kTooLarge, "ICE fragment line");
        if (has_control_character(line)) return fail(Errc::kMalformed, "ICE fragment");
        if (!line.starts_with("a=")) {
            if (line.empty() || line.starts_with("m=")) continue;
            return fail(Errc::kMalformed, "ICE fragment");
        }
        line.remove_prefix(2);
        const std::string_view name = take_until(line, ':');
        if (name == "ice-ufrag" && fragment.ice_ufrag.empty()) fragment.ice_ufrag = trim(line);
        if (name == "ice-pwd" && fragment.ice_pwd.empty()) fragment.ice_pwd = trim(line);
        if (name == "end-of-candidates") fragment.end_of_candidates = true;
        if (name != "candidate") continue;
        Result<Candidate> candidate = parse_candidate(line);
        if (!candidate) return tl::unexpected(candidate.error());
        if (fragment.candidates.size() == kMaxCandidates) {
            return fail(Errc::kTooLarge, "ICE fragment candidates");
        }
        fragment.candidates.push_back(*std::move(candidate));
    }
    if (fragment.ice_ufrag.empty() || fragment.ice_pwd.empty()) {
        return fail(Errc::kMalformed, "ICE fragment without credentials");
    }
    return fragment;
}

std::string write_fragment(const LocalTransport& local, Kind kind, std::string_view mid) {
    std::string out = "a=ice-lite\r\na=ice-ufrag:" + local.ice_ufrag +
                      "\r\na=ice-pwd:" + local.ice_pwd +
                      "\r\nm=" + (kind == Kind::kVideo ? "video" : "audio") +
                      " 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:" + std::string(mid) + "\r\n";
    for (const Candidate& candidate : local.candidates) {
        out += "a=candidate:" + write_candidate(candidate) + "\r\n";
    }
    return out + "a=end-of-candidates\r\n";
}

}  // namespace parley::sdp

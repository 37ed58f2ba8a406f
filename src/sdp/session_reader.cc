#include <algorithm>
#include <utility>

#include "sdp/session.h"
#include "sdp/text.h"

namespace parley::sdp {
namespace {

std::optional<Direction> parse_direction(std::string_view text) {
    if (text == "sendrecv") return Direction::kSendRecv;
    if (text == "sendonly") return Direction::kSendOnly;
    if (text == "recvonly") return Direction::kRecvOnly;
    if (text == "inactive") return Direction::kInactive;
    return std::nullopt;
}

std::optional<Setup> parse_setup(std::string_view text) {
    if (text == "actpass") return Setup::kActPass;
    if (text == "active") return Setup::kActive;
    if (text == "passive") return Setup::kPassive;
    if (text == "holdconn") return Setup::kHoldConn;
    return std::nullopt;
}

Kind parse_kind(std::string_view media) {
    if (media == "audio") return Kind::kAudio;
    if (media == "video") return Kind::kVideo;
    if (media == "application") return Kind::kApplication;
    return Kind::kOther;
}

/// RFC 3551 section 6: types that need no rtpmap, of those a browser still shows.
void name_static_type(Codec& codec) {
    switch (codec.payload_type.value) {
        case 0:
            codec.name = "PCMU";
            break;
        case 8:
            codec.name = "PCMA";
            break;
        case 9:
            codec.name = "G722";
            break;
        case 13:
            codec.name = "CN";
            break;
        default:
            return;
    }
    codec.clock_rate = 8000;
}

Msid parse_msid(std::string_view text) {
    Msid msid;
    msid.stream = take_word(text);
    msid.track = take_word(text);
    return msid;
}

/// Reads line by line. What it cannot use costs a warning; a bound that is passed stops everything.
class Reader {
public:
    Result<Session> read(std::string_view text) {
        if (text.size() > kMaxBytes) return fail(Errc::kTooLarge, "SDP size");
        bool seen_version = false;
        while (!text.empty()) {
            const std::string_view line = take_line(text);
            if (line.empty()) continue;
            if (line.size() > kMaxLineBytes) return fail(Errc::kTooLarge, "SDP line");
            if (!seen_version) {
                if (line != "v=0") return fail(Errc::kMalformed, "SDP version line");
                seen_version = true;
                continue;
            }
            if (line.size() < 2 || line[1] != '=' || has_control_character(line)) {
                warn("line is no SDP line");
                continue;
            }
            if (const Result<void> ok = read_line(line[0], line.substr(2)); !ok) {
                return tl::unexpected(ok.error());
            }
        }
        if (!seen_version) return fail(Errc::kMalformed, "SDP version line");
        if (const Result<void> ok = finish_section(); !ok) return tl::unexpected(ok.error());
        fill_from_session_level();
        return std::move(session_);
    }

private:
    Result<void> read_line(char type, std::string_view value) {
        switch (type) {
            case 'o':
                read_origin(value);
                return {};
            case 'm':
                return read_media(value);
            case 'a':
                return read_attribute(value);
            default:
                return {};
        }
    }

    void read_origin(std::string_view value) {
        take_word(value);
        session_.id = parse_number<std::uint64_t>(take_word(value)).value_or(0);
        session_.version = parse_number<std::uint64_t>(take_word(value)).value_or(0);
    }

    Result<void> read_media(std::string_view value) {
        if (const Result<void> ok = finish_section(); !ok) return ok;
        if (session_.sections.size() == kMaxSections) return fail(Errc::kTooLarge, "SDP sections");
        Section section;
        const std::string_view media = take_word(value);
        std::string_view port = take_word(value);
        const std::string_view protocol = take_word(value);
        const auto number = parse_number<std::uint16_t>(take_until(port, '/'));
        if (media.empty() || protocol.empty() || !number) {
            return fail(Errc::kMalformed, "SDP m-line");
        }
        section.kind = parse_kind(media);
        if (section.kind == Kind::kOther) section.media = media;
        section.port = *number;
        section.protocol = protocol;
        const bool rtp = protocol.find("RTP/") != std::string_view::npos;
        for (std::string_view word = take_word(value); !word.empty(); word = take_word(value)) {
            if (!rtp) {
                if (section.formats.size() == kMaxFormats) {
                    return fail(Errc::kTooLarge, "SDP formats");
                }
                section.formats.emplace_back(word);
                continue;
            }
            const auto type = parse_number<std::uint8_t>(word);
            if (!type || *type > 127 || section.find_codec(PayloadType(*type)) != nullptr) {
                warn("payload type in m-line");
                continue;
            }
            // 128 distinct types are all there are, so kMaxCodecs cannot be passed.
            Codec codec;
            codec.payload_type = PayloadType(*type);
            section.codecs.push_back(std::move(codec));
        }
        session_.sections.push_back(std::move(section));
        has_direction_ = false;
        wildcard_feedback_.clear();
        return {};
    }

    /// Applies what may only be applied when all lines of the section are known.
    Result<void> finish_section() {
        if (session_.sections.empty()) return {};
        Section& section = session_.sections.back();
        for (Codec& codec : section.codecs) {
            if (codec.name.empty()) name_static_type(codec);
            for (const Feedback& feedback : wildcard_feedback_) {
                if (codec.has_feedback(feedback.type, feedback.parameter)) continue;
                if (codec.feedback.size() == kMaxFeedback) {
                    return fail(Errc::kTooLarge, "SDP rtcp-fb");
                }
                codec.feedback.push_back(feedback);
            }
        }
        if (!has_direction_) undirected_.push_back(session_.sections.size() - 1);
        return {};
    }

    void fill_from_session_level() {
        for (Section& section : session_.sections) {
            if (section.ice_ufrag.empty() && section.ice_pwd.empty()) {
                section.ice_ufrag = common_.ice_ufrag;
                section.ice_pwd = common_.ice_pwd;
            }
            if (!section.fingerprint) section.fingerprint = common_.fingerprint;
            if (!section.setup) section.setup = common_.setup;
            if (section.extmaps.empty()) section.extmaps = common_.extmaps;
        }
        for (const std::size_t index : undirected_) {
            session_.sections[index].direction = common_.direction;
        }
    }

    Result<void> read_attribute(std::string_view line) {
        const std::string_view name = take_until(line, ':');
        // Kept at session level, also when a re-serialised text has them elsewhere.
        if (name == "group") return read_group(line);
        if (name == "ice-lite") {
            session_.ice_lite = true;
            return {};
        }
        if (name == "extmap-allow-mixed") {
            session_.extmap_allow_mixed = true;
            return {};
        }
        if (name == "ice-options") {
            for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
                if (word == "trickle") session_.trickle = true;
            }
            return {};
        }
        const bool in_section = !session_.sections.empty();
        Section& section = in_section ? session_.sections.back() : common_;
        if (const std::optional<Direction> direction = parse_direction(name)) {
            section.direction = *direction;
            if (in_section) has_direction_ = true;
            return {};
        }
        if (read_transport_attribute(section, name, line)) return {};
        if (name == "extmap") return read_extmap(section, line);
        if (!in_section) return {};
        if (name == "mid") {
            if (session_.find_mid(trim(line)) != nullptr) warn("mid is not unique");
            section.mid = trim(line);
            return {};
        }
        if (name == "rtpmap") return read_rtpmap(section, line);
        if (name == "fmtp") return read_fmtp(section, line);
        if (name == "rtcp-fb") return read_feedback(section, line);
        if (name == "rtcp-mux") section.rtcp_mux = true;
        if (name == "rtcp-rsize") section.rtcp_rsize = true;
        if (name == "bundle-only") section.bundle_only = true;
        if (name == "end-of-candidates") section.end_of_candidates = true;
        if (name == "msid") return read_msid(section, line);
        if (name == "ssrc") return read_ssrc(section, line);
        if (name == "ssrc-group") return read_ssrc_group(section, line);
        if (name == "rid") return read_rid(section, line);
        if (name == "simulcast") return read_simulcast(section, line);
        if (name == "candidate") return read_candidate(section, line);
        return {};
    }

    /// Attributes of the transport, legal in a section and at session level.
    bool read_transport_attribute(Section& section, std::string_view name, std::string_view value) {
        if (name == "ice-ufrag") {
            section.ice_ufrag = trim(value);
        } else if (name == "ice-pwd") {
            section.ice_pwd = trim(value);
        } else if (name == "fingerprint") {
            Fingerprint fingerprint;
            fingerprint.algorithm = take_word(value);
            fingerprint.value = take_word(value);
            if (fingerprint.value.empty()) {
                warn("fingerprint");
            } else if (!section.fingerprint ||
                       (!equal_ignoring_case(section.fingerprint->algorithm, "sha-256") &&
                        equal_ignoring_case(fingerprint.algorithm, "sha-256"))) {
                section.fingerprint = std::move(fingerprint);
            }
        } else if (name == "setup") {
            section.setup = parse_setup(trim(value));
            if (!section.setup) warn("setup");
        } else {
            return false;
        }
        return true;
    }

    Result<void> read_group(std::string_view value) {
        if (take_word(value) != "BUNDLE" || !session_.bundle.empty()) return {};
        for (auto mid = take_word(value); !mid.empty(); mid = take_word(value)) {
            if (session_.bundle.size() == kMaxSections) return fail(Errc::kTooLarge, "SDP group");
            session_.bundle.emplace_back(mid);
        }
        return {};
    }

    Codec* find_codec(Section& section, std::string_view payload_type) {
        const auto number = parse_number<std::uint8_t>(payload_type);
        for (Codec& codec : section.codecs) {
            if (number && codec.payload_type.value == *number) return &codec;
        }
        warn("attribute of a payload type that is not in the m-line");
        return nullptr;
    }

    Result<void> read_rtpmap(Section& section, std::string_view value) {
        Codec* codec = find_codec(section, take_word(value));
        if (codec == nullptr) return {};
        std::string_view encoding = trim(value);
        const std::string_view name = take_until(encoding, '/');
        const auto rate = parse_number<std::uint32_t>(take_until(encoding, '/'));
        if (name.empty() || !rate) {
            warn("rtpmap");
            return {};
        }
        codec->name = name;
        codec->clock_rate = *rate;
        codec->channels = parse_number<std::uint32_t>(encoding).value_or(0);
        return {};
    }

    Result<void> read_fmtp(Section& section, std::string_view value) {
        Codec* codec = find_codec(section, take_word(value));
        if (codec == nullptr) return {};
        while (!value.empty()) {
            std::string_view entry = trim(take_until(value, ';'));
            if (entry.empty()) continue;
            if (codec->parameters.size() == kMaxParameters) {
                return fail(Errc::kTooLarge, "SDP fmtp");
            }
            Parameter parameter;
            parameter.name = trim(take_until(entry, '='));
            parameter.value = trim(entry);
            if (!parameter.name.empty()) codec->parameters.push_back(std::move(parameter));
        }
        return {};
    }

    Result<void> read_feedback(Section& section, std::string_view value) {
        const std::string_view target = take_word(value);
        Feedback feedback;
        feedback.type = take_word(value);
        feedback.parameter = trim(value);
        if (feedback.type.empty()) {
            warn("rtcp-fb");
            return {};
        }
        std::vector<Feedback>* list = &wildcard_feedback_;
        if (target != "*") {
            Codec* codec = find_codec(section, target);
            if (codec == nullptr) return {};
            list = &codec->feedback;
        }
        if (std::find(list->begin(), list->end(), feedback) != list->end()) return {};
        if (list->size() == kMaxFeedback) return fail(Errc::kTooLarge, "SDP rtcp-fb");
        list->push_back(std::move(feedback));
        return {};
    }

    Result<void> read_extmap(Section& section, std::string_view value) {
        std::string_view target = take_word(value);
        const auto id = parse_number<std::uint8_t>(take_until(target, '/'));
        const std::optional<Direction> direction =
            target.empty() ? Direction::kSendRecv : parse_direction(target);
        const std::string_view uri = take_word(value);
        if (!id || *id == 0 || !direction || uri.empty()) {
            warn("extmap");
            return {};
        }
        if (section.extmaps.size() == kMaxExtmaps) return fail(Errc::kTooLarge, "SDP extmap");
        section.extmaps.push_back({*id, *direction, std::string(uri)});
        return {};
    }

    Result<void> read_msid(Section& section, std::string_view value) {
        Msid msid = parse_msid(value);
        if (msid.stream.empty()) {
            warn("msid");
            return {};
        }
        if (section.msids.size() == kMaxMsids) return fail(Errc::kTooLarge, "SDP msid");
        section.msids.push_back(std::move(msid));
        return {};
    }

    Result<void> read_ssrc(Section& section, std::string_view value) {
        const auto number = parse_number<std::uint32_t>(take_word(value));
        if (!number) {
            warn("ssrc");
            return {};
        }
        auto at = std::find_if(section.sources.begin(),
                               section.sources.end(),
                               [&](const SourceInfo& s) { return s.ssrc.value == *number; });
        if (at == section.sources.end()) {
            if (section.sources.size() == kMaxSsrcs) return fail(Errc::kTooLarge, "SDP ssrc");
            at = section.sources.insert(at, {Ssrc(*number), {}, {}});
        }
        value = trim(value);
        const std::string_view name = take_until(value, ':');
        if (name == "cname") at->cname = trim(value);
        if (name == "msid" && !trim(value).empty()) at->msid = parse_msid(value);
        return {};
    }

    Result<void> read_ssrc_group(Section& section, std::string_view value) {
        SsrcGroup group;
        group.semantics = take_word(value);
        for (auto word = take_word(value); !word.empty(); word = take_word(value)) {
            const auto ssrc = parse_number<std::uint32_t>(word);
            if (!ssrc) {
                warn("ssrc-group");
                return {};
            }
            if (group.ssrcs.size() == kMaxSsrcsPerGroup) {
                return fail(Errc::kTooLarge, "SDP ssrc-group");
            }
            group.ssrcs.emplace_back(*ssrc);
        }
        if (group.semantics.empty() || group.ssrcs.empty()) {
            warn("ssrc-group");
            return {};
        }
        if (section.ssrc_groups.size() == kMaxSsrcGroups) {
            return fail(Errc::kTooLarge, "SDP ssrc-group");
        }
        section.ssrc_groups.push_back(std::move(group));
        return {};
    }

    Result<void> read_rid(Section& section, std::string_view value) {
        Rid rid;
        rid.id = take_word(value);
        const std::string_view direction = take_word(value);
        if (!is_rid_id(rid.id) || (direction != "send" && direction != "recv")) {
            warn("rid");
            return {};
        }
        rid.is_send = direction == "send";
        rid.restrictions = trim(value);
        if (section.rids.size() == 2 * kMaxRids) return fail(Errc::kTooLarge, "SDP rid");
        section.rids.push_back(std::move(rid));
        return {};
    }

    Result<void> read_simulcast(Section& section, std::string_view value) {
        while (true) {
            const std::string_view direction = take_word(value);
            std::string_view streams = take_word(value);
            if (direction.empty()) return {};
            if (direction != "send" && direction != "recv") {
                warn("simulcast");
                return {};
            }
            // Drafts before RFC 8853 wrote "rid=" before the list.
            if (streams.starts_with("rid=")) streams.remove_prefix(4);
            std::vector<std::string>& list =
                direction == "send" ? section.simulcast_send : section.simulcast_recv;
            while (!streams.empty()) {
                std::string_view alternatives = take_until(streams, ';');
                std::string_view rid = take_until(alternatives, ',');
                if (rid.starts_with('~')) rid.remove_prefix(1);
                if (!alternatives.empty()) warn("simulcast alternatives");
                if (!is_rid_id(rid)) {
                    warn("simulcast");
                    continue;
                }
                if (list.size() == kMaxRids) return fail(Errc::kTooLarge, "SDP simulcast");
                list.emplace_back(rid);
            }
        }
    }

    Result<void> read_candidate(Section& section, std::string_view value) {
        Result<Candidate> candidate = parse_candidate(value);
        if (!candidate) {
            warn("candidate");
            return {};
        }
        if (section.candidates.size() == kMaxCandidates) {
            return fail(Errc::kTooLarge, "SDP candidates");
        }
        section.candidates.push_back(*std::move(candidate));
        return {};
    }

    void warn(std::string_view text) {
        std::vector<std::string_view>& list = session_.warnings;
        if (list.size() == kMaxWarnings) return;
        if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
    }

    Session session_;
    Section common_;  ///< what stands before the first m-line
    bool has_direction_ = false;
    std::vector<std::size_t> undirected_;
    std::vector<Feedback> wildcard_feedback_;
};

}  // namespace

Result<Session> parse(std::string_view text) { return Reader().read(text); }

Result<Candidate> parse_candidate(std::string_view text) {
    if (text.size() > kMaxLineBytes) return fail(Errc::kTooLarge, "candidate");
    if (has_control_character(text)) return fail(Errc::kMalformed, "candidate");
    if (text.starts_with("a=")) text.remove_prefix(2);
    if (text.starts_with("candidate:")) text.remove_prefix(10);
    Candidate candidate;
    candidate.foundation = take_word(text);
    const auto component = parse_number<std::uint16_t>(take_word(text));
    candidate.transport = take_word(text);
    std::transform(candidate.transport.begin(),
                   candidate.transport.end(),
                   candidate.transport.begin(),
                   to_lower);
    const auto priority = parse_number<std::uint32_t>(take_word(text));
    candidate.address = take_word(text);
    const auto port = parse_number<std::uint16_t>(take_word(text));
    const std::string_view typ = take_word(text);
    candidate.type = take_word(text);
    if (!component || !priority || !port || typ != "typ" || candidate.type.empty()) {
        return fail(Errc::kMalformed, "candidate");
    }
    candidate.component = *component;
    candidate.priority = *priority;
    candidate.port = *port;
    for (auto name = take_word(text); !name.empty(); name = take_word(text)) {
        const std::string_view value = take_word(text);
        if (name == "tcptype") candidate.tcp_type = value;
    }
    return candidate;
}

}  // namespace parley::sdp

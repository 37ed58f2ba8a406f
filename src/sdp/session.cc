#include "sdp/session.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace parley::sdp {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return std::tolower(static_cast<unsigned char>(x)) ==
                      std::tolower(static_cast<unsigned char>(y));
           });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Takes the next word off `text`; empty at the end.
std::string_view next_word(std::string_view& text, char separator = ' ') {
    while (!text.empty() && text.front() == separator) text.remove_prefix(1);
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

template <class T>
std::optional<T> to_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<PayloadType> to_payload_type(std::string_view text) {
    const auto number = to_number<unsigned>(text);
    if (!number || *number > 127) return std::nullopt;
    return PayloadType(static_cast<std::uint8_t>(*number));
}

class Parser {
public:
    Result<Session> parse(std::string_view text) {
        if (text.size() > kMaxSize) return fail(Errc::kTooLarge, "SDP");
        bool has_version = false;
        std::size_t offset = 0;
        while (offset < text.size()) {
            const std::size_t end = std::min(text.find('\n', offset), text.size());
            std::string_view line = text.substr(offset, end - offset);
            const std::size_t at = offset;
            offset = end + 1;
            while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
            if (line.empty()) continue;
            if (line.size() < 2 || line[1] != '=') {
                warn("line without type");
                continue;
            }
            const std::string_view value = line.substr(2);
            switch (line[0]) {
                case 'v': has_version = true; break;
                case 'o': origin(value); break;
                case 'm':
                    if (const auto media = media_line(value); !media) return fail(media.error().code, media.error().what, at);
                    break;
                case 'a': attribute(value); break;
                default: break;
            }
            if (error_) return tl::unexpected(*error_);
        }
        if (!has_version) return fail(Errc::kMalformed, "SDP without v=");
        for (MediaSection& s : session_.sections) {
            if (s.ice_ufrag.empty()) s.ice_ufrag = session_level_.ice_ufrag;
            if (s.ice_pwd.empty()) s.ice_pwd = session_level_.ice_pwd;
            if (!s.fingerprint) s.fingerprint = session_level_.fingerprint;
            if (s.setup.empty()) s.setup = session_level_.setup;
        }
        return std::move(session_);
    }

private:
    void warn(const char* what) {
        if (session_.warnings.size() < kMaxWarnings) session_.warnings.push_back(what);
    }
    template <class T>
    bool room(const std::vector<T>& values, std::size_t bound, const char* what) {
        if (values.size() < bound) return true;
        error_ = Error{Errc::kTooLarge, what};
        return false;
    }

    void origin(std::string_view value) {
        next_word(value);
        session_.origin_id = next_word(value);
        session_.origin_version = next_word(value);
    }

    Result<void> media_line(std::string_view value) {
        if (session_.sections.size() >= kMaxSections) return fail(Errc::kTooLarge, "m-sections");
        MediaSection section;
        section.kind = next_word(value);
        const std::string_view port = next_word(value);
        section.protocol = next_word(value);
        const auto number = to_number<std::uint16_t>(port.substr(0, port.find('/')));
        if (section.kind.empty() || !number || section.protocol.empty()) {
            return fail(Errc::kMalformed, "m-line");
        }
        section.port = *number;
        while (!trim(value).empty()) {
            const std::string_view word = next_word(value);
            const auto payload_type = to_payload_type(word);
            if (!payload_type) {
                if (section.kind != "application") warn("payload type");
                continue;
            }
            if (section.codecs.size() >= kMaxCodecs) return fail(Errc::kTooLarge, "payload types");
            Codec codec;
            codec.payload_type = *payload_type;
            section.codecs.push_back(std::move(codec));
        }
        session_.sections.push_back(std::move(section));
        return {};
    }

    MediaSection& current() {
        return session_.sections.empty() ? session_level_ : session_.sections.back();
    }
    Codec* find_codec(std::string_view payload_type) {
        const auto wanted = to_payload_type(payload_type);
        if (!wanted) return nullptr;
        for (Codec& c : current().codecs) {
            if (c.payload_type == *wanted) return &c;
        }
        return nullptr;
    }

    void attribute(std::string_view value) {
        const std::size_t colon = value.find(':');
        const std::string_view name = trim(value.substr(0, colon));
        std::string_view rest = colon == std::string_view::npos ? std::string_view{} : value.substr(colon + 1);
        MediaSection& s = current();
        if (name == "mid") {
            s.mid = trim(rest);
        } else if (name == "sendrecv") {
            s.direction = Direction::kSendRecv;
        } else if (name == "sendonly") {
            s.direction = Direction::kSendOnly;
        } else if (name == "recvonly") {
            s.direction = Direction::kRecvOnly;
        } else if (name == "inactive") {
            s.direction = Direction::kInactive;
        } else if (name == "ice-ufrag") {
            s.ice_ufrag = trim(rest);
        } else if (name == "ice-pwd") {
            s.ice_pwd = trim(rest);
        } else if (name == "setup") {
            s.setup = trim(rest);
        } else if (name == "fingerprint") {
            FingerprintLine line;
            line.algorithm = next_word(rest);
            line.value = next_word(rest);
            s.fingerprint = std::move(line);
        } else if (name == "rtcp-mux") {
            s.rtcp_mux = true;
        } else if (name == "rtcp-rsize") {
            s.rtcp_rsize = true;
        } else if (name == "end-of-candidates") {
            s.end_of_candidates = true;
        } else if (name == "ice-lite") {
            session_.ice_lite = true;
        } else if (name == "extmap-allow-mixed") {
            session_.extmap_allow_mixed = true;
        } else if (name == "group") {
            if (next_word(rest) == "BUNDLE") {
                session_.bundle.clear();
                while (!trim(rest).empty() && session_.bundle.size() < kMaxSections) {
                    session_.bundle.emplace_back(next_word(rest));
                }
            }
        } else if (name == "rtpmap") {
            rtpmap(rest);
        } else if (name == "fmtp") {
            if (Codec* codec = find_codec(next_word(rest))) codec->fmtp = trim(rest);
        } else if (name == "rtcp-fb") {
            feedback(s, rest);
        } else if (name == "extmap") {
            extmap(s, rest);
        } else if (name == "msid") {
            s.msid_stream = next_word(rest);
            s.msid_track = next_word(rest);
        } else if (name == "ssrc") {
            ssrc(s, rest);
        } else if (name == "ssrc-group") {
            ssrc_group(s, rest);
        } else if (name == "rid") {
            if (!room(s.rids, kMaxSsrcs, "RIDs")) return;
            Rid rid;
            rid.id = next_word(rest);
            rid.is_send = next_word(rest) == "send";
            s.rids.push_back(std::move(rid));
        } else if (name == "simulcast") {
            simulcast(s, rest);
        } else if (name == "candidate") {
            candidate(s, rest);
        }
    }

    void rtpmap(std::string_view rest) {
        Codec* codec = find_codec(next_word(rest));
        if (codec == nullptr) {
            warn("rtpmap of an unlisted payload type");
            return;
        }
        std::string_view encoding = trim(rest);
        codec->name = next_word(encoding, '/');
        codec->clock_rate = to_number<std::uint32_t>(next_word(encoding, '/')).value_or(0);
        codec->channels = to_number<std::uint32_t>(next_word(encoding, '/')).value_or(0);
    }

    void feedback(MediaSection& s, std::string_view rest) {
        const std::string_view which = next_word(rest);
        RtcpFeedback line;
        line.type = next_word(rest);
        line.parameter = trim(rest);
        for (Codec& codec : s.codecs) {
            const bool all = which == "*";
            if (!all && to_payload_type(which) != codec.payload_type) continue;
            if (codec.feedback.size() < kMaxExtensions) codec.feedback.push_back(line);
        }
    }

    void extmap(MediaSection& s, std::string_view rest) {
        if (!room(s.extensions, kMaxExtensions, "extmaps")) return;
        std::string_view id = next_word(rest);
        Extension extension;
        if (const std::size_t slash = id.find('/'); slash != std::string_view::npos) {
            extension.direction = id.substr(slash + 1);
            id = id.substr(0, slash);
        }
        const auto number = to_number<std::uint32_t>(id);
        extension.uri = next_word(rest);
        if (!number || extension.uri.empty()) {
            warn("extmap");
            return;
        }
        extension.id = *number;
        s.extensions.push_back(std::move(extension));
    }

    void ssrc(MediaSection& s, std::string_view rest) {
        const auto number = to_number<std::uint32_t>(next_word(rest));
        if (!number) {
            warn("ssrc");
            return;
        }
        const std::string_view attribute = trim(rest);
        auto found = std::find_if(s.ssrcs.begin(), s.ssrcs.end(),
                                  [&](const SsrcLine& l) { return l.ssrc.value == *number; });
        if (found == s.ssrcs.end()) {
            if (!room(s.ssrcs, kMaxSsrcs, "ssrcs")) return;
            s.ssrcs.push_back({Ssrc(*number), {}});
            found = s.ssrcs.end() - 1;
        }
        constexpr std::string_view kCname = "cname:";
        if (attribute.starts_with(kCname)) found->cname = attribute.substr(kCname.size());
    }

    void ssrc_group(MediaSection& s, std::string_view rest) {
        if (!room(s.ssrc_groups, kMaxSsrcs, "ssrc-groups")) return;
        SsrcGroup group;
        group.semantics = next_word(rest);
        while (!trim(rest).empty() && group.ssrcs.size() < kMaxSsrcs) {
            const auto number = to_number<std::uint32_t>(next_word(rest));
            if (number) group.ssrcs.emplace_back(*number);
        }
        s.ssrc_groups.push_back(std::move(group));
    }

    void simulcast(MediaSection& s, std::string_view rest) {
        while (!trim(rest).empty()) {
            const std::string_view direction = next_word(rest);
            std::string_view list = next_word(rest);
            auto& into = direction == "send" ? s.simulcast_send : s.simulcast_recv;
            while (!list.empty() && into.size() < kMaxSsrcs) {
                std::string_view alternatives = next_word(list, ';');
                std::string_view first = next_word(alternatives, ',');
                if (!first.empty() && first.front() == '~') first.remove_prefix(1);  // paused
                if (!first.empty()) into.emplace_back(first);
            }
        }
    }

    void candidate(MediaSection& s, std::string_view rest) {
        if (!room(s.candidates, kMaxCandidates, "candidates")) return;
        Candidate c;
        c.foundation = next_word(rest);
        const auto component = to_number<std::uint32_t>(next_word(rest));
        c.transport = next_word(rest);
        std::transform(c.transport.begin(), c.transport.end(), c.transport.begin(),
                       [](unsigned char x) { return static_cast<char>(std::tolower(x)); });
        const auto priority = to_number<std::uint32_t>(next_word(rest));
        c.address = next_word(rest);
        const auto port = to_number<std::uint16_t>(next_word(rest));
        const bool typed = next_word(rest) == "typ";
        c.type = next_word(rest);
        if (!component || !priority || !port || !typed || c.address.empty()) {
            warn("candidate");
            return;
        }
        c.component = *component;
        c.priority = *priority;
        c.port = *port;
        while (!trim(rest).empty()) {
            const std::string_view key = next_word(rest);
            const std::string_view value = next_word(rest);
            if (key == "tcptype") c.tcp_type = value;
        }
        s.candidates.push_back(std::move(c));
    }

    Session session_;
    MediaSection session_level_;
    std::optional<Error> error_;
};

const char* to_text(Direction direction) {
    switch (direction) {
        case Direction::kSendRecv: return "sendrecv";
        case Direction::kSendOnly: return "sendonly";
        case Direction::kRecvOnly: return "recvonly";
        case Direction::kInactive: return "inactive";
    }
    return "inactive";
}

class Writer {
public:
    template <class... Parts>
    void line(const Parts&... parts) {
        (append(parts), ...);
        text_ += "\r\n";
    }
    std::string take() { return std::move(text_); }

private:
    void append(std::string_view part) { text_ += part; }
    void append(std::uint32_t number) { text_ += std::to_string(number); }
    std::string text_;
};

std::uint32_t number(PayloadType payload_type) { return payload_type.value; }

void write_codec(Writer& out, const Codec& c) {
    if (!c.name.empty()) {
        if (c.channels != 0) {
            out.line("a=rtpmap:", number(c.payload_type), " ", c.name, "/", c.clock_rate, "/", c.channels);
        } else {
            out.line("a=rtpmap:", number(c.payload_type), " ", c.name, "/", c.clock_rate);
        }
    }
    for (const RtcpFeedback& f : c.feedback) {
        out.line("a=rtcp-fb:", number(c.payload_type), " ", f.type, f.parameter.empty() ? "" : " ", f.parameter);
    }
    if (!c.fmtp.empty()) out.line("a=fmtp:", number(c.payload_type), " ", c.fmtp);
}

void write_section(Writer& out, const MediaSection& s) {
    std::string payload_types;
    for (const Codec& c : s.codecs) payload_types += " " + std::to_string(c.payload_type.value);
    if (payload_types.empty()) payload_types = s.kind == "application" ? " webrtc-datachannel" : " 0";
    out.line("m=", s.kind, " ", std::uint32_t{s.port}, " ", s.protocol, payload_types);
    out.line("c=IN IP4 0.0.0.0");
    if (!s.ice_ufrag.empty()) out.line("a=ice-ufrag:", s.ice_ufrag);
    if (!s.ice_pwd.empty()) out.line("a=ice-pwd:", s.ice_pwd);
    if (s.fingerprint) out.line("a=fingerprint:", s.fingerprint->algorithm, " ", s.fingerprint->value);
    if (!s.setup.empty()) out.line("a=setup:", s.setup);
    if (!s.mid.empty()) out.line("a=mid:", s.mid);
    for (const Extension& e : s.extensions) {
        out.line("a=extmap:", e.id, e.direction.empty() ? "" : "/", e.direction, " ", e.uri);
    }
    out.line("a=", to_text(s.direction));
    if (!s.msid_stream.empty()) out.line("a=msid:", s.msid_stream, s.msid_track.empty() ? "" : " ", s.msid_track);
    if (s.rtcp_mux) out.line("a=rtcp-mux");
    if (s.rtcp_rsize) out.line("a=rtcp-rsize");
    for (const Codec& c : s.codecs) write_codec(out, c);
    for (const SsrcGroup& g : s.ssrc_groups) {
        std::string ssrcs;
        for (const Ssrc ssrc : g.ssrcs) ssrcs += " " + std::to_string(ssrc.value);
        out.line("a=ssrc-group:", g.semantics, ssrcs);
    }
    for (const SsrcLine& l : s.ssrcs) {
        if (l.cname.empty()) {
            out.line("a=ssrc:", l.ssrc.value);
        } else {
            out.line("a=ssrc:", l.ssrc.value, " cname:", l.cname);
        }
    }
    for (const Rid& r : s.rids) out.line("a=rid:", r.id, r.is_send ? " send" : " recv");
    std::string simulcast;
    const auto add_list = [&](const char* direction, const std::vector<std::string>& rids) {
        if (rids.empty()) return;
        if (!simulcast.empty()) simulcast += ' ';
        simulcast += direction;
        for (std::size_t i = 0; i < rids.size(); ++i) simulcast += (i == 0 ? " " : ";") + rids[i];
    };
    add_list("send", s.simulcast_send);
    add_list("recv", s.simulcast_recv);
    if (!simulcast.empty()) out.line("a=simulcast:", simulcast);
    for (const Candidate& c : s.candidates) {
        out.line("a=candidate:", c.foundation, " ", c.component, " ", c.transport, " ", c.priority, " ",
                 c.address, " ", std::uint32_t{c.port}, " typ ", c.type, c.tcp_type.empty() ? "" : " tcptype ",
                 c.tcp_type);
    }
    if (s.end_of_candidates) out.line("a=end-of-candidates");
}

}  // namespace

bool Codec::is(std::string_view codec_name) const { return equal_ignoring_case(name, codec_name); }

std::optional<std::string_view> Codec::parameter(std::string_view key) const {
    std::string_view rest = fmtp;
    while (!rest.empty()) {
        std::string_view item = trim(next_word(rest, ';'));
        const std::size_t equals = item.find('=');
        if (equal_ignoring_case(trim(item.substr(0, equals)), key)) {
            return equals == std::string_view::npos ? std::string_view{} : trim(item.substr(equals + 1));
        }
    }
    return std::nullopt;
}

const Codec* MediaSection::codec(PayloadType payload_type) const {
    for (const Codec& c : codecs) {
        if (c.payload_type == payload_type) return &c;
    }
    return nullptr;
}

const Codec* MediaSection::rtx_of(PayloadType payload_type) const {
    for (const Codec& c : codecs) {
        if (!c.is("rtx")) continue;
        const auto apt = c.parameter("apt");
        if (apt && to_payload_type(*apt) == payload_type) return &c;
    }
    return nullptr;
}

const MediaSection* Session::find(std::string_view mid) const {
    for (const MediaSection& s : sections) {
        if (s.mid == mid) return &s;
    }
    return nullptr;
}

Result<Session> parse(std::string_view text) { return Parser().parse(text); }

std::string write(const Session& session) {
    Writer out;
    out.line("v=0");
    out.line("o=parley ", session.origin_id, " ", session.origin_version, " IN IP4 0.0.0.0");
    out.line("s=-");
    out.line("t=0 0");
    if (session.ice_lite) out.line("a=ice-lite");
    if (session.extmap_allow_mixed) out.line("a=extmap-allow-mixed");
    if (!session.bundle.empty()) {
        std::string mids;
        for (const std::string& mid : session.bundle) mids += " " + mid;
        out.line("a=group:BUNDLE", mids);
    }
    for (const MediaSection& s : session.sections) write_section(out, s);
    return out.take();
}

}  // namespace parley::sdp

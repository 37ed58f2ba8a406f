#include <fmt/format.h>

#include <iterator>

#include "sdp/session.h"
#include "sdp/text.h"

namespace parley::sdp {
namespace {

std::string_view to_text(Direction direction) {
    switch (direction) {
        case Direction::kSendRecv:
            return "sendrecv";
        case Direction::kSendOnly:
            return "sendonly";
        case Direction::kRecvOnly:
            return "recvonly";
        case Direction::kInactive:
            return "inactive";
    }
    return {};
}

std::string_view to_text(Setup setup) {
    switch (setup) {
        case Setup::kActPass:
            return "actpass";
        case Setup::kActive:
            return "active";
        case Setup::kPassive:
            return "passive";
        case Setup::kHoldConn:
            return "holdconn";
    }
    return {};
}

std::string_view media_name(const Section& section) {
    switch (section.kind) {
        case Kind::kAudio:
            return "audio";
        case Kind::kVideo:
            return "video";
        case Kind::kApplication:
            return "application";
        case Kind::kOther:
            return section.media;
    }
    return {};
}

class Writer {
public:
    /// One line; none at all if a text in it could start another line.
    template <class... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        const std::size_t start = out_.size();
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        if (has_control_character(std::string_view(out_).substr(start))) {
            out_.resize(start);
            return;
        }
        out_ += "\r\n";
    }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

void write_msid(Writer& out, std::string_view prefix, const Msid& msid) {
    if (msid.track.empty()) {
        out.line("a={}msid:{}", prefix, msid.stream);
    } else {
        out.line("a={}msid:{} {}", prefix, msid.stream, msid.track);
    }
}

void write_codec(Writer& out, const Codec& codec) {
    const unsigned type = codec.payload_type.value;
    if (!codec.name.empty()) {
        if (codec.channels == 0) {
            out.line("a=rtpmap:{} {}/{}", type, codec.name, codec.clock_rate);
        } else {
            out.line("a=rtpmap:{} {}/{}/{}", type, codec.name, codec.clock_rate, codec.channels);
        }
    }
    for (const Feedback& feedback : codec.feedback) {
        if (feedback.parameter.empty()) {
            out.line("a=rtcp-fb:{} {}", type, feedback.type);
        } else {
            out.line("a=rtcp-fb:{} {} {}", type, feedback.type, feedback.parameter);
        }
    }
    if (codec.parameters.empty()) return;
    std::string parameters;
    for (const Parameter& parameter : codec.parameters) {
        if (!parameters.empty()) parameters += ';';
        parameters += parameter.name;
        if (!parameter.value.empty()) parameters += '=' + parameter.value;
    }
    out.line("a=fmtp:{} {}", type, parameters);
}

void write_simulcast(Writer& out, const Section& section) {
    const auto list = [](std::string_view direction, const std::vector<std::string>& rids) {
        if (rids.empty()) return std::string();
        return fmt::format("{} {}", direction, fmt::join(rids, ";"));
    };
    const std::string send = list("send", section.simulcast_send);
    const std::string recv = list("recv", section.simulcast_recv);
    if (send.empty() && recv.empty()) return;
    out.line("a=simulcast:{}{}{}", send, send.empty() || recv.empty() ? "" : " ", recv);
}

void write_transport(Writer& out, const Section& section) {
    for (const Candidate& candidate : section.candidates) {
        out.line("a=candidate:{}", write_candidate(candidate));
    }
    if (section.end_of_candidates) out.line("a=end-of-candidates");
    if (!section.ice_ufrag.empty()) out.line("a=ice-ufrag:{}", section.ice_ufrag);
    if (!section.ice_pwd.empty()) out.line("a=ice-pwd:{}", section.ice_pwd);
    if (section.fingerprint) {
        out.line("a=fingerprint:{} {}", section.fingerprint->algorithm, section.fingerprint->value);
    }
    if (section.setup) out.line("a=setup:{}", to_text(*section.setup));
}

void write_section(Writer& out, const Section& section) {
    std::string formats;
    for (const Codec& codec : section.codecs) {
        formats += fmt::format(" {}", codec.payload_type.value);
    }
    for (const std::string& format : section.formats) formats += ' ' + format;
    out.line("m={} {} {}{}", media_name(section), section.port, section.protocol, formats);
    out.line("c=IN IP4 0.0.0.0");
    write_transport(out, section);
    if (!section.mid.empty()) out.line("a=mid:{}", section.mid);
    for (const Extmap& extmap : section.extmaps) {
        if (extmap.direction == Direction::kSendRecv) {
            out.line("a=extmap:{} {}", extmap.id, extmap.uri);
        } else {
            out.line("a=extmap:{}/{} {}", extmap.id, to_text(extmap.direction), extmap.uri);
        }
    }
    out.line("a={}", to_text(section.direction));
    for (const Msid& msid : section.msids) write_msid(out, "", msid);
    if (section.rtcp_mux) out.line("a=rtcp-mux");
    if (section.rtcp_rsize) out.line("a=rtcp-rsize");
    if (section.bundle_only) out.line("a=bundle-only");
    for (const Codec& codec : section.codecs) write_codec(out, codec);
    for (const Rid& rid : section.rids) {
        out.line("a=rid:{} {}{}{}",
                 rid.id,
                 rid.is_send ? "send" : "recv",
                 rid.restrictions.empty() ? "" : " ",
                 rid.restrictions);
    }
    write_simulcast(out, section);
    for (const SsrcGroup& group : section.ssrc_groups) {
        std::string ssrcs;
        for (const Ssrc ssrc : group.ssrcs) ssrcs += fmt::format(" {}", ssrc.value);
        out.line("a=ssrc-group:{}{}", group.semantics, ssrcs);
    }
    for (const SourceInfo& source : section.sources) {
        out.line("a=ssrc:{} cname:{}", source.ssrc.value, source.cname);
        if (source.msid) {
            write_msid(out, fmt::format("ssrc:{} ", source.ssrc.value), *source.msid);
        }
    }
}

}  // namespace

std::string write(const Session& session) {
    Writer out;
    out.line("v=0");
    out.line("o=- {} {} IN IP4 127.0.0.1", session.id, session.version);
    out.line("s=-");
    out.line("t=0 0");
    if (!session.bundle.empty()) out.line("a=group:BUNDLE {}", fmt::join(session.bundle, " "));
    if (session.ice_lite) out.line("a=ice-lite");
    if (session.trickle) out.line("a=ice-options:trickle");
    if (session.extmap_allow_mixed) out.line("a=extmap-allow-mixed");
    for (const Section& section : session.sections) write_section(out, section);
    return out.take();
}

std::string write_candidate(const Candidate& candidate) {
    std::string text = fmt::format("{} {} {} {} {} {} typ {}",
                                   candidate.foundation,
                                   candidate.component,
                                   candidate.transport,
                                   candidate.priority,
                                   candidate.address,
                                   candidate.port,
                                   candidate.type);
    if (!candidate.tcp_type.empty()) text += " tcptype " + candidate.tcp_type;
    return text;
}

}  // namespace parley::sdp

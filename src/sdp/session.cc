#include "sdp/session.h"

#include <algorithm>
#include <utility>

#include "sdp/text.h"

namespace parley::sdp {

Direction reversed(Direction d) {
    if (d == Direction::kSendOnly) return Direction::kRecvOnly;
    if (d == Direction::kRecvOnly) return Direction::kSendOnly;
    return d;
}

bool Codec::is(std::string_view encoding_name) const {
    return equal_ignoring_case(name, encoding_name);
}

std::optional<std::string_view> Codec::parameter(std::string_view parameter_name) const {
    for (const Parameter& p : parameters) {
        if (equal_ignoring_case(p.name, parameter_name)) return p.value;
    }
    return std::nullopt;
}

std::optional<std::uint32_t> Codec::number(std::string_view parameter_name) const {
    const std::optional<std::string_view> value = parameter(parameter_name);
    return value ? parse_number<std::uint32_t>(*value) : std::nullopt;
}

bool Codec::has_feedback(std::string_view type, std::string_view value) const {
    return std::any_of(feedback.begin(), feedback.end(), [&](const Feedback& f) {
        return f.type == type && f.parameter == value;
    });
}

const Codec* Section::find_codec(PayloadType payload_type) const {
    for (const Codec& codec : codecs) {
        if (codec.payload_type == payload_type) return &codec;
    }
    return nullptr;
}

const SourceInfo* Section::find_source(Ssrc ssrc) const {
    for (const SourceInfo& source : sources) {
        if (source.ssrc == ssrc) return &source;
    }
    return nullptr;
}

Ssrc Section::rtx_of(Ssrc ssrc) const {
    for (const SsrcGroup& group : ssrc_groups) {
        if (group.semantics == "FID" && group.ssrcs.size() == 2 && group.ssrcs[0] == ssrc) {
            return group.ssrcs[1];
        }
    }
    return {};
}

PayloadType Section::rtx_of(PayloadType payload_type) const {
    for (const Codec& codec : codecs) {
        if (codec.is("rtx") && codec.number("apt") == payload_type.value) return codec.payload_type;
    }
    return {};
}

const Section* Session::find_mid(std::string_view mid) const {
    for (const Section& section : sections) {
        if (section.mid == mid) return &section;
    }
    return nullptr;
}

}  // namespace parley::sdp

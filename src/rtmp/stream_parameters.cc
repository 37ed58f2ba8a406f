#include "rtmp/stream_parameters.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/encoding.h"

namespace parley::rtmp {
namespace {

constexpr std::string_view kTokenName = "rtmptoken=";

/// Values come both raw and escaped (protocol section 5.1: unescaped): an escape that is none stays
/// as it is.
std::string decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            if (const auto byte = hex_decode(text.substr(i + 1, 2))) {
                out.push_back(static_cast<char>(byte->front()));
                i += 2;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

std::string_view trim_slashes(std::string_view text) {
    while (!text.empty() && text.front() == '/') text.remove_prefix(1);
    while (!text.empty() && text.back() == '/') text.remove_suffix(1);
    return text;
}

/// Where `rtmptoken=` begins a parameter; npos when it does not.
std::size_t find_token(std::string_view text) {
    for (std::size_t at = text.find(kTokenName); at != std::string_view::npos;
         at = text.find(kTokenName, at + 1)) {
        if (at == 0 || std::string_view("?&/").find(text[at - 1]) != std::string_view::npos)
            return at;
    }
    return std::string_view::npos;
}

struct Source {
    std::string_view path;
    std::string_view query;
};

/// A source in path and query. Without a `?` a token, or what looks like a list of parameters, is a
/// query too: some libraries take the `?` away.
Source split(std::string_view text) {
    const std::size_t scheme = text.find("://");
    const std::size_t from = scheme == std::string_view::npos ? 0 : scheme + 3;
    if (const std::size_t mark = text.find('?', from); mark != std::string_view::npos) {
        return {text.substr(0, mark), text.substr(mark + 1)};
    }
    if (const std::size_t token = find_token(text); token != std::string_view::npos) {
        const std::size_t slash = text.rfind('/', token);
        const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
        return {text.substr(0, begin), text.substr(begin)};
    }
    return {text, {}};
}

void add_parameters(std::string_view query, StreamParameters& out) {
    std::size_t count = 0;
    while (!query.empty() && count < StreamParameters::kMaxParameters) {
        const std::size_t end = query.find('&');
        std::string_view part = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        while (!part.empty() && (part.front() == '?' || part.front() == '/')) part.remove_prefix(1);
        if (part.empty()) continue;
        ++count;
        const std::size_t equals = part.find('=');
        std::string name = decode(part.substr(0, equals));
        std::string value =
            equals == std::string_view::npos ? std::string() : decode(part.substr(equals + 1));
        if (name == "rtmptoken") {
            if (out.rtmp_token.empty()) out.rtmp_token = std::move(value);
        } else if (name == "playerid") {
            if (out.player_id.empty()) out.player_id = std::move(value);
        } else if (name == "trackid") {
            if (out.track_ids.size() < StreamParameters::kMaxTrackIds)
                out.track_ids.push_back(std::move(value));
        } else if (out.others.size() < StreamParameters::kMaxParameters) {
            out.others.emplace_back(std::move(name), std::move(value));
        }
    }
}

}  // namespace

std::string_view StreamParameters::other(std::string_view name) const {
    const auto at =
        std::find_if(others.begin(), others.end(), [&](const auto& p) { return p.first == name; });
    return at == others.end() ? std::string_view() : std::string_view(at->second);
}

StreamParameters parse_stream_parameters(std::string_view app,
                                         std::string_view tc_url,
                                         std::string_view stream_name) {
    app = app.substr(0, StreamParameters::kMaxTextBytes);
    tc_url = tc_url.substr(0, StreamParameters::kMaxTextBytes);
    stream_name = stream_name.substr(0, StreamParameters::kMaxTextBytes);
    const std::array<std::string_view, 3> texts = {stream_name, app, tc_url};
    std::array<Source, 3> sources;
    std::transform(texts.begin(), texts.end(), sources.begin(), split);

    StreamParameters out;
    out.stream_name = decode(trim_slashes(sources[0].path));
    out.app = decode(trim_slashes(sources[1].path));
    const auto holder = std::find_if(texts.begin(), texts.end(), [](std::string_view t) {
        return find_token(t) != std::string_view::npos;
    });
    const auto index = static_cast<std::size_t>(holder - texts.begin());
    // A library that cuts a URL at its slashes leaves what follows a slash within a value in the
    // stream name.
    const bool looks_like_rest =
        sources[0].query.empty() && stream_name.find_first_of("=&") != std::string_view::npos;
    const bool is_room_url =
        index != 0 && holder != texts.end() && trim_slashes(sources[1].path).empty();
    const bool has_cut_query = !sources[1].query.empty() && index != 0 && !stream_name.empty() &&
                               (looks_like_rest || is_room_url);
    std::string whole_query(sources[1].query);
    if (has_cut_query) {
        whole_query.append("/").append(stream_name);
        sources[1].query = whole_query;
        const std::string_view path = trim_slashes(sources[1].path);
        const std::size_t slash = path.rfind('/');
        out.app =
            decode(slash == std::string_view::npos ? std::string_view() : path.substr(0, slash));
        out.stream_name = decode(slash == std::string_view::npos ? path : path.substr(slash + 1));
    }
    if (holder != texts.end()) {
        add_parameters(sources[index].query, out);
    } else {
        for (const Source& source : sources) add_parameters(source.query, out);
    }
    return out;
}

StreamParameters parse_stream_parameters(std::string_view target) {
    target = target.substr(0, StreamParameters::kMaxTextBytes);
    const Source source = split(target);
    StreamParameters out;
    add_parameters(source.query, out);
    std::string_view path = trim_slashes(source.path);
    if (path.ends_with(".flv")) path.remove_suffix(4);
    const std::size_t slash = path.rfind('/');
    if (slash != std::string_view::npos) out.app = decode(path.substr(0, slash));
    out.stream_name = decode(slash == std::string_view::npos ? path : path.substr(slash + 1));
    return out;
}

}  // namespace parley::rtmp

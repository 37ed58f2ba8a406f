#include "rest/http.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/encoding.h"
#include "sdp/text.h"

namespace parley::rest {
namespace {

using sdp::equal_ignoring_case;

std::string_view find_header(const std::vector<Header>& headers, std::string_view name) {
    for (const Header& header : headers) {
        if (equal_ignoring_case(header.first, name)) return header.second;
    }
    return {};
}

/// RFC 9112 section 3.2: visible ASCII only. UTF-8 is let through, as some clients send it raw.
bool has_forbidden_byte(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte == 0x7f;
    });
}

/// After decoding a path segment may hold anything but what would change the path's meaning for
/// whoever decodes it again or joins it with others.
bool is_safe_segment(std::string_view segment) {
    if (segment.empty() || segment == "." || segment == "..") return false;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const auto byte = static_cast<unsigned char>(segment[i]);
        if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\') return false;
        // A whole escape that is left was encoded twice.
        if (byte == '%' && segment.size() - i > 2 && percent_decode(segment.substr(i, 3))) {
            return false;
        }
    }
    return true;
}

/// `https://host/path` to `/path` (absolute form, as proxies send it).
std::string_view drop_origin(std::string_view target) {
    const std::size_t scheme = target.find("://");
    if (target.starts_with('/') || scheme == std::string_view::npos) return target;
    const std::size_t path = target.find_first_of("/?", scheme + 3);
    return path == std::string_view::npos ? "/" : target.substr(path);
}

Result<std::vector<std::string>> parse_path(std::string_view path) {
    std::vector<std::string> segments;
    path.remove_prefix(1);
    if (path.empty()) return segments;
    if (path.ends_with('/')) path.remove_suffix(1);  // "/rooms/" is "/rooms"; "//" is nothing
    while (true) {
        const std::size_t slash = path.find('/');
        Result<std::string> segment = percent_decode(path.substr(0, slash));
        if (!segment || !is_safe_segment(*segment)) return fail(Errc::kMalformed, "path");
        if (segments.size() == kMaxPathSegments) return fail(Errc::kTooLarge, "path");
        segments.push_back(*std::move(segment));
        if (slash == std::string_view::npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

Result<std::vector<QueryParameter>> parse_query(std::string_view query) {
    std::vector<QueryParameter> parameters;
    while (!query.empty()) {
        const std::size_t ampersand = query.find('&');
        const std::string_view pair = query.substr(0, ampersand);
        query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        Result<std::string> name = percent_decode(pair.substr(0, equals));
        Result<std::string> value = percent_decode(
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
        if (!name || !value) return fail(Errc::kMalformed, "query");
        if (parameters.size() == kMaxQueryParameters) return fail(Errc::kTooLarge, "query");
        parameters.push_back({*std::move(name), *std::move(value)});
    }
    return parameters;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
    return find_header(headers, name);
}

std::string_view HttpResponse::header(std::string_view name) const {
    return find_header(headers, name);
}

void HttpResponse::set_header(std::string_view name, std::string value) {
    for (Header& header : headers) {
        if (!equal_ignoring_case(header.first, name)) continue;
        header.second = std::move(value);
        return;
    }
    headers.emplace_back(name, std::move(value));
}

std::string_view Target::parameter(std::string_view name) const {
    for (const QueryParameter& parameter : query) {
        if (parameter.name == name) return parameter.value;
    }
    return {};
}

Result<Target> parse_target(std::string_view target) {
    if (target.size() > kMaxTargetBytes) return fail(Errc::kTooLarge, "request target");
    if (target.empty() || has_forbidden_byte(target)) return fail(Errc::kMalformed, "request target");
    target = drop_origin(target);
    target = target.substr(0, target.find('#'));
    Target out;
    const std::size_t mark = target.find('?');
    out.raw_path = target.substr(0, mark);
    if (mark != std::string_view::npos) out.raw_query = target.substr(mark + 1);
    if (out.raw_path.empty()) out.raw_path = "/";
    if (!out.raw_path.starts_with('/')) return fail(Errc::kMalformed, "request target");
    Result<std::vector<std::string>> path = parse_path(out.raw_path);
    if (!path) return tl::unexpected(path.error());
    Result<std::vector<QueryParameter>> query = parse_query(out.raw_query);
    if (!query) return tl::unexpected(query.error());
    out.path = *std::move(path);
    out.query = *std::move(query);
    return out;
}

HttpResponse json_response(unsigned status, std::string body) {
    return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

HttpResponse error_response(unsigned status, std::string_view text) {
    return json_response(status, boost::json::serialize(boost::json::object{{"error", text}}));
}

void add_cors(HttpResponse& response) { response.set_header("Access-Control-Allow-Origin", "*"); }

void add_request_id(HttpResponse& response, Rng& rng) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string id;
    for (int i = 0; i < 16; ++i) id += kAlphabet[rng.below(kAlphabet.size())];
    response.set_header("X-Reqid", std::move(id));
}

std::optional<std::string_view> bearer_token(const HttpRequest& request) {
    constexpr std::string_view kScheme = "bearer ";
    std::string_view value = request.header("Authorization");
    if (value.size() <= kScheme.size() ||
        !equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) {
        return std::nullopt;
    }
    value.remove_prefix(kScheme.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    return value.empty() ? std::nullopt : std::optional(value);
}

std::string media_type(std::string_view content_type) {
    std::string type(content_type.substr(0, content_type.find(';')));
    while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
    while (type.starts_with(' ')) type.erase(0, 1);
    std::transform(type.begin(), type.end(), type.begin(), sdp::to_lower);
    return type;
}

}  // namespace parley::rest

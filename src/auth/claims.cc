#include "auth/claims.h"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <utility>

#include "auth/access_token.h"
#include "auth/hmac.h"
#include "base/encoding.h"

namespace parley::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 8;

/// {"alg":"HS256","typ":"JWT"} with unpadded Base64.
constexpr std::string_view kHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

std::string unpadded(std::string text) {
    while (!text.empty() && text.back() == '=') text.pop_back();
    return text;
}

/// Base64 makes one of the four awkward characters only of `>`, `?`, `~`, DEL and of bytes above
/// 127. In JSON text all of them can stand in strings only, where they may be written as escapes.
std::string escape_for_base64(std::string_view text) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 0x7f) continue;  // claims are ASCII by contract
        if (c == '>' || c == '?' || c == '~' || byte == 0x7f) {
            out += "\\u00";
            out += kDigits[byte >> 4];
            out += kDigits[byte & 15];
        } else {
            out += c;
        }
    }
    return out;
}

std::string claims_signature(std::string_view key, std::string_view signed_part) {
    const auto mac = hmac_sha256(as_bytes_view(key), as_bytes_view(signed_part));
    return unpadded(base64_encode(mac, Base64Alphabet::kUrlSafe));
}

}  // namespace

Result<json::object> parse_object(std::string_view text) {
    json::parse_options options;
    options.max_depth = kMaxDepth;
    boost::system::error_code error;
    json::value value = json::parse(text, error, {}, options);
    if (error || !value.is_object()) return fail(Errc::kMalformed, "JSON object");
    return std::move(value.get_object());
}

std::string text_claim(const json::object& claims, std::string_view name) {
    const json::value* value = claims.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::optional<std::int64_t> number_claim(const json::object& claims, std::string_view name) {
    const json::value* value = claims.if_contains(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_int64()) return value->get_int64();
    if (value->is_uint64()) return INT64_MAX;
    if (value->is_double()) {
        constexpr double kMax = 9.2e18;
        const double number = value->get_double();
        if (!(std::abs(number) < kMax) || number != std::trunc(number)) return std::nullopt;
        return static_cast<std::int64_t>(number);
    }
    return std::nullopt;
}

WallTime wall_from_seconds(std::int64_t seconds) {
    constexpr std::int64_t kMax = INT64_MAX / 1'000'000'000;
    if (seconds > kMax) return WallTime::max();
    if (seconds < 0) return WallTime{};
    return WallTime(std::chrono::seconds(seconds));
}

std::string sign_claims(std::string_view key, const json::object& claims) {
    const std::string payload = escape_for_base64(json::serialize(claims));
    std::string token(kHeader);
    token += '.';
    token += unpadded(base64_encode(as_bytes_view(payload), Base64Alphabet::kStandard));
    const std::string mac = claims_signature(key, token);
    return token + '.' + mac;
}

Result<json::object> open_claims(std::string_view key, std::string_view token) {
    if (token.size() > kMaxAccessTokenBytes) return fail(Errc::kTooLarge, "token");
    const std::size_t last = token.rfind('.');
    const std::size_t first = token.find('.');
    if (last == std::string_view::npos || first == last) return fail(Errc::kMalformed, "token");
    if (token.substr(0, first) != kHeader) return fail(Errc::kMalformed, "token header");
    if (!constant_time_equal(as_bytes_view(token.substr(last + 1)),
                             as_bytes_view(claims_signature(key, token.substr(0, last))))) {
        return fail(Errc::kBadIntegrity, "token signature");
    }
    const Result<Bytes> payload = base64_decode(token.substr(first + 1, last - first - 1));
    if (!payload) return fail(Errc::kMalformed, "token payload");
    return parse_object(as_text_view(*payload));
}

}  // namespace parley::auth

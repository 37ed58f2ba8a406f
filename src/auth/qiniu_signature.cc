#include "auth/qiniu_signature.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "auth/hmac.h"
#include "base/encoding.h"

namespace parley::auth {
namespace {

constexpr std::string_view kScheme = "Qiniu ";
constexpr std::string_view kHeaderPrefix = "X-Qiniu-";

/// Each word of a header name with a capital first letter, the rest in lower case.
std::string canonical(std::string_view name) {
    std::string out(name);
    bool start = true;
    for (char& c : out) {
        if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        if (!start && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        start = c == '-';
    }
    return out;
}

bool is_signed_header(std::string_view canonical_name) {
    return canonical_name.size() > kHeaderPrefix.size() &&
           canonical_name.starts_with(kHeaderPrefix);
}

std::string sign(std::string_view secret_key, std::string_view text) {
    return base64_encode(hmac_sha1(as_bytes_view(secret_key), as_bytes_view(text)),
                         Base64Alphabet::kUrlSafe);
}

/// Days since 1970 of a date in the proleptic Gregorian calendar.
std::chrono::sys_days days(int year, unsigned month, unsigned day) {
    return std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day};
}

}  // namespace

std::optional<WallTime> parse_signature_date(std::string_view text) {
    if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
    int digits[14];
    int* next = digits;
    for (const char c : text) {
        if (c == 'T' || c == 'Z') continue;
        if (c < '0' || c > '9' || next == digits + 14) return std::nullopt;
        *next++ = c - '0';
    }
    if (next != digits + 14) return std::nullopt;
    const auto two = [&](int at) { return digits[at] * 10 + digits[at + 1]; };
    const int year = two(0) * 100 + two(2);
    const auto month = static_cast<unsigned>(two(4));
    const auto day = static_cast<unsigned>(two(6));
    constexpr int kFirstYear = 1970;
    constexpr int kLastYear = 2200;  // nanoseconds in 64 bits end in 2262
    if (year < kFirstYear || year > kLastYear || month < 1 || month > 12 || day < 1 || day > 31 ||
        two(8) > 23 || two(10) > 59 || two(12) > 60) {
        return std::nullopt;
    }
    return WallTime(days(year, month, day).time_since_epoch()) + std::chrono::hours(two(8)) +
           std::chrono::minutes(two(10)) + std::chrono::seconds(two(12));
}

std::string string_to_sign(const SignedRequestView& request) {
    std::string out(request.method);
    out += ' ';
    out += request.path;
    if (!request.query.empty()) {
        out += '?';
        out += request.query;
    }
    out += "\nHost: ";
    out += request.host;
    if (!request.content_type.empty()) {
        out += "\nContent-Type: ";
        out += request.content_type;
    }
    std::multimap<std::string, std::string_view> picked;
    for (const auto& [name, value] : request.headers) {
        std::string key = canonical(name);
        if (is_signed_header(key)) picked.emplace(std::move(key), value);
    }
    for (const auto& [name, value] : picked) {
        out += '\n' + name + ": ";
        out += value;
    }
    out += "\n\n";
    if (!request.content_type.empty() && request.content_type != "application/octet-stream") {
        out += request.body;
    }
    return out;
}

std::string sign_request(const AccountKey& key, const SignedRequestView& request) {
    return std::string(kScheme) + key.access_key + ':' +
           sign(key.secret_key, string_to_sign(request));
}

Result<std::string> verify_request(const SignedRequestView& request,
                                   std::string_view authorization,
                                   const KeyLookup& keys,
                                   WallTime now,
                                   const SignatureRules& rules) {
    if (!authorization.starts_with(kScheme)) return fail(Errc::kMalformed, "authorization scheme");
    authorization.remove_prefix(kScheme.size());
    const std::size_t colon = authorization.find(':');
    if (colon == std::string_view::npos) return fail(Errc::kMalformed, "authorization");
    const std::string_view access_key = authorization.substr(0, colon);
    const std::string_view given = authorization.substr(colon + 1);
    const std::optional<std::string> secret = keys.secret_key(access_key);
    const std::string_view hmac_key = secret ? std::string_view(*secret) : std::string_view();

    const auto matches = [&](const SignedRequestView& variant) {
        return constant_time_equal(as_bytes_view(given),
                                   as_bytes_view(sign(hmac_key, string_to_sign(variant))));
    };
    bool ok = matches(request);
    // Some SDKs sign the decoded path, and one leaves the body out when Content-Type has parameters
    // (REST sections 2.2 and 2.3).
    if (!ok && request.path.find('%') != std::string_view::npos) {
        if (const Result<std::string> decoded = percent_decode(request.path)) {
            SignedRequestView variant = request;
            variant.path = *decoded;
            ok = matches(variant);
        }
    }
    if (!ok && request.content_type.find(';') != std::string_view::npos) {
        SignedRequestView variant = request;
        variant.body = {};
        ok = matches(variant);
    }
    if (!secret) return fail(Errc::kNotFound, "access key");
    if (!ok) return fail(Errc::kBadIntegrity, "request signature");

    bool dated = false;
    for (const auto& [name, value] : request.headers) {
        if (canonical(name) != "X-Qiniu-Date") continue;
        const std::optional<WallTime> date = parse_signature_date(value);
        if (!date) return fail(Errc::kMalformed, "X-Qiniu-Date");
        const Duration off = *date > now ? *date - now : now - *date;
        if (off > rules.max_age) return fail(Errc::kExpired, "X-Qiniu-Date");
        dated = true;
    }
    if (rules.needs_date && !dated) return fail(Errc::kExpired, "X-Qiniu-Date is missing");
    return std::string(access_key);
}

}  // namespace parley::auth

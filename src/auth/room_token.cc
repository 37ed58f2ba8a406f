#include "auth/room_token.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>

#include "auth/claims.h"
#include "auth/hmac.h"
#include "base/encoding.h"

namespace parley::auth {
namespace {

namespace json = boost::json;

bool is_name(std::string_view text, std::size_t max_bytes) {
    return !text.empty() && text.size() <= max_bytes &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
           });
}

struct Parts {
    std::string_view access_key;
    std::string_view sign;
    std::string_view encoded;
};

Result<Parts> split(std::string_view token) {
    if (token.size() > kMaxRoomTokenBytes) return fail(Errc::kTooLarge, "room token");
    const std::size_t first = token.find(':');
    if (first == std::string_view::npos) return fail(Errc::kMalformed, "room token");
    const std::size_t second = token.find(':', first + 1);
    if (second == std::string_view::npos || token.find(':', second + 1) != std::string_view::npos) {
        return fail(Errc::kMalformed, "room token");
    }
    return Parts{token.substr(0, first),
                 token.substr(first + 1, second - first - 1),
                 token.substr(second + 1)};
}

std::string room_signature(std::string_view secret_key, std::string_view encoded) {
    return base64_encode(hmac_sha1(as_bytes_view(secret_key), as_bytes_view(encoded)),
                         Base64Alphabet::kUrlSafe);
}

/// Absolute Unix seconds; above 10^11 it can only be milliseconds (REST section 3.3).
WallTime expiry(std::int64_t value) {
    constexpr std::int64_t kMilliseconds = 100'000'000'000;
    if (value > kMilliseconds) value /= 1000;
    return wall_from_seconds(value);
}

/// What the fields of a payload are called.
struct TokenFields {
    std::string_view room;
    std::string_view user;
    std::string_view permission;
    std::string_view expiry;
    friend bool operator==(const TokenFields&, const TokenFields&) = default;
};
constexpr TokenFields kV3Fields{"roomName", "userId", "permission", "expireAt"};
constexpr TokenFields kV2Fields{"room_name", "user_id", "perm", "expire_at"};

/// One of the old SDKs writes its time as a text.
std::optional<std::int64_t> digits_claim(const json::object& access, std::string_view name) {
    const std::string text = text_claim(access, name);
    std::int64_t value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
    return value;
}

/// A payload that names a room the old way and no app is of v1, which says no version, or of v2.
std::optional<TokenFields> fields_of(const json::object& access) {
    if (access.contains("appId") || !access.contains("room_name")) return kV3Fields;
    const json::value* version = access.if_contains("version");
    if (version != nullptr && text_claim(access, "version") != "2.0") return std::nullopt;
    return kV2Fields;
}

}  // namespace

bool is_room_name(std::string_view text) { return is_name(text, kMaxRoomNameBytes); }
bool is_user_id(std::string_view text) { return is_name(text, kMaxUserIdBytes); }

std::string mint_room_token(const AccountKey& key, const RoomClaims& claims) {
    const json::object access{
        {"appId", claims.app_id},
        {"roomName", claims.room_name},
        {"userId", claims.user_id},
        {"expireAt", unix_seconds(claims.expire_at)},
        {"permission", claims.permission == Permission::kAdmin ? "admin" : "user"}};
    const std::string encoded =
        base64_encode(as_bytes_view(json::serialize(access)), Base64Alphabet::kUrlSafe);
    return key.access_key + ':' + room_signature(key.secret_key, encoded) + ':' + encoded;
}

Result<RoomClaims> verify_room_token(std::string_view token, const KeyLookup& keys, WallTime now) {
    const Result<Parts> parts = split(token);
    if (!parts) return tl::unexpected(parts.error());
    const std::optional<std::string> secret = keys.secret_key(parts->access_key);
    if (!secret) return fail(Errc::kNotFound, "access key of room token");
    // Texts are compared, not decoded bytes: Base64 has several spellings of the same bytes.
    std::string expected = room_signature(*secret, parts->encoded);
    if (parts->sign.size() + 1 == expected.size()) expected.pop_back();  // padding left out
    if (!constant_time_equal(as_bytes_view(parts->sign), as_bytes_view(expected))) {
        return fail(Errc::kBadIntegrity, "signature of room token");
    }

    const Result<Bytes> decoded = base64_decode(parts->encoded);
    if (!decoded) return fail(Errc::kMalformed, "payload of room token");
    const Result<json::object> access = parse_object(as_text_view(*decoded));
    if (!access) return tl::unexpected(access.error());
    const std::optional<TokenFields> fields = fields_of(*access);
    if (!fields) return fail(Errc::kUnsupported, "version of room token");
    RoomClaims claims;
    if (fields == kV3Fields) {
        claims.app_id = text_claim(*access, "appId");
    } else {
        std::optional<std::string> app = keys.v2_app(parts->access_key);
        if (!app) return fail(Errc::kNotFound, "app of room token");
        claims.app_id = *std::move(app);
    }
    claims.room_name = text_claim(*access, fields->room);
    claims.user_id = text_claim(*access, fields->user);
    if (text_claim(*access, fields->permission) == "admin") claims.permission = Permission::kAdmin;
    std::optional<std::int64_t> expire_at = number_claim(*access, fields->expiry);
    if (!expire_at && fields != kV3Fields) {
        expire_at = digits_claim(*access, fields->expiry);
    }
    if (!expire_at) return fail(Errc::kMalformed, "expireAt of room token");
    claims.expire_at = expiry(*expire_at);

    if (!keys.owns_app(parts->access_key, claims.app_id)) {
        return fail(Errc::kNotFound, "app of room token");
    }
    if (!is_room_name(claims.room_name) || !is_user_id(claims.user_id)) {
        return fail(Errc::kMalformed, "names in room token");
    }
    if (claims.expire_at <= now) return fail(Errc::kExpired, "room token");
    return claims;
}

int wire_code(const Error& error) {
    return error.code == Errc::kExpired ? kCodeTokenExpired : kCodeTokenWrong;
}

}  // namespace parley::auth

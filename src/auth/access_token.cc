#include "auth/access_token.h"

#include <boost/json/object.hpp>

#include "auth/claims.h"

namespace parley::auth {

std::string mint_access_token(std::string_view key,
                              const AccessClaims& claims,
                              std::string_view signalling_url) {
    boost::json::object payload{{"use", "access"},
                                {"signalingurl2", signalling_url},
                                {"signalingurl", signalling_url},
                                {"roomid", claims.app_id + ':' + claims.room_name},
                                {"playerid", claims.user_id},
                                {"exp", unix_seconds(claims.expire_at)}};
    if (claims.permission == Permission::kAdmin) payload["admin"] = true;
    if (claims.refusal != 0) payload["refusal"] = claims.refusal;
    return sign_claims(key, payload);
}

Result<AccessClaims> verify_access_token(std::string_view key,
                                         std::string_view token,
                                         WallTime now) {
    const Result<boost::json::object> payload = open_claims(key, token);
    if (!payload) return tl::unexpected(payload.error());
    const std::optional<std::int64_t> expire_at = number_claim(*payload, "exp");
    if (text_claim(*payload, "use") != "access" || !expire_at) {
        return fail(Errc::kMalformed, "no access token");
    }
    AccessClaims claims;
    const std::string room = text_claim(*payload, "roomid");
    const std::size_t colon = room.find(':');
    claims.app_id = room.substr(0, colon);
    if (colon != std::string::npos) claims.room_name = room.substr(colon + 1);
    claims.user_id = text_claim(*payload, "playerid");
    if (payload->contains("admin")) claims.permission = Permission::kAdmin;
    claims.refusal = static_cast<int>(number_claim(*payload, "refusal").value_or(0));
    claims.expire_at = wall_from_seconds(*expire_at);
    if (claims.expire_at <= now) return fail(Errc::kExpired, "access token");
    return claims;
}

}  // namespace parley::auth

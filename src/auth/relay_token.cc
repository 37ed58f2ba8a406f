#include "auth/relay_token.h"

#include <boost/json/object.hpp>

#include "auth/claims.h"

namespace parley::auth {

std::string mint_relay_token(std::string_view key, const RoomClaims& destination) {
    return sign_claims(key,
                       {{"use", "relay"},
                        {"appId", destination.app_id},
                        {"roomName", destination.room_name},
                        {"userId", destination.user_id},
                        {"admin", destination.permission == Permission::kAdmin},
                        {"exp", unix_seconds(destination.expire_at)}});
}

Result<RoomClaims> verify_relay_token(std::string_view key, std::string_view token, WallTime now) {
    const Result<boost::json::object> payload = open_claims(key, token);
    if (!payload) return tl::unexpected(payload.error());
    const std::optional<std::int64_t> expire_at = number_claim(*payload, "exp");
    if (text_claim(*payload, "use") != "relay" || !expire_at) {
        return fail(Errc::kMalformed, "no relay token");
    }
    RoomClaims claims;
    claims.app_id = text_claim(*payload, "appId");
    claims.room_name = text_claim(*payload, "roomName");
    claims.user_id = text_claim(*payload, "userId");
    const boost::json::value* admin = payload->if_contains("admin");
    if (admin != nullptr && admin->is_bool() && admin->get_bool()) {
        claims.permission = Permission::kAdmin;
    }
    claims.expire_at = wall_from_seconds(*expire_at);
    if (claims.expire_at <= now) return fail(Errc::kExpired, "relay token");
    return claims;
}

}  // namespace parley::auth

#pragma once

#include "auth/access_token.h"
#include "world.h"

namespace parley::signalling {

inline constexpr char kAccessKey[] = "key of the access tokens";

inline std::string make_access_token(const std::string& user,
                                     const TokenOptions& options,
                                     WallTime now) {
    auth::AccessClaims claims;
    claims.app_id = options.app;
    claims.room_name = options.room;
    claims.user_id = user;
    claims.permission = options.admin ? auth::Permission::kAdmin : auth::Permission::kUser;
    claims.expire_at = now + std::chrono::seconds(options.expires_in_s);
    claims.refusal = options.refusal;
    return auth::mint_access_token(kAccessKey, claims, "ws://127.0.0.1:8080/signalling");
}

}  // namespace parley::signalling

#include "signalling/access.h"

#include "auth/access_token.h"

namespace parley::signalling {

tl::expected<AccessGrant, AccessRefusal> check_access(std::string_view access_key,
                                                      std::string_view token,
                                                      WallTime now) {
    // Expiry is judged here and not by the verifier, because a member that comes back is not cut
    // off by it: web clients never fetch a new access token when they reconnect (protocol
    // section 8.4).
    Result<auth::AccessClaims> claims = auth::verify_access_token(access_key, token, WallTime{});
    if (!claims) return tl::unexpected(AccessRefusal{kTokenWrong, claims.error().what});
    if (claims->refusal != 0) {
        return tl::unexpected(AccessRefusal{claims->refusal, "room token was refused"});
    }
    AccessGrant grant;
    grant.room = {std::move(claims->app_id), std::move(claims->room_name)};
    grant.user_id = std::move(claims->user_id);
    grant.permission = claims->permission == auth::Permission::kAdmin ? room::Permission::kAdmin
                                                                      : room::Permission::kUser;
    grant.expired = claims->expire_at <= now;
    return grant;
}

}  // namespace parley::signalling

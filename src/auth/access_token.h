#pragma once

#include <string>
#include <string_view>

#include "auth/room_token.h"
#include "base/result.h"
#include "base/time.h"

/// The token that the HTTP auth call gives to web clients and that their `auth` brings back
/// (protocol section 1.4). It looks like a JWT whose payload is safe for `atob`.
namespace parley::auth {

inline constexpr std::size_t kMaxAccessTokenBytes = 8192;
/// The clients never renew it, also not for a reconnect (protocol section 8.4).
inline constexpr Duration kAccessTokenLifetime = 48h;

struct AccessClaims {
    std::string app_id;
    std::string room_name;
    std::string user_id;
    Permission permission = Permission::kUser;
    /// Not 0: the room token was refused with this wire code, and `auth` is to be answered with it.
    /// Clients show no HTTP error (quirk Q1), so a refusal travels inside.
    int refusal = 0;
    WallTime expire_at;
    friend bool operator==(const AccessClaims&, const AccessClaims&) = default;
};

/// `key` is this server's own and survives restarts. `signalling_url` is ASCII ("wss://host/path").
std::string mint_access_token(std::string_view key,
                              const AccessClaims& claims,
                              std::string_view signalling_url);
/// kMalformed, kBadIntegrity: not ours (10001); kExpired (10002). A token that carries a refusal
/// is returned as it is: look at `refusal`.
Result<AccessClaims> verify_access_token(std::string_view key,
                                         std::string_view token,
                                         WallTime now);

}  // namespace parley::auth

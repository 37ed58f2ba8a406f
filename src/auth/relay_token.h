#pragma once

#include <string>
#include <string_view>

#include "auth/room_token.h"

/// What the relay call gives for one destination room of a media relay (protocol section 1.2.4).
namespace parley::auth {

inline constexpr Duration kRelayTokenLifetime = 24h;

/// The destination room and the user to appear as there.
std::string mint_relay_token(std::string_view key, const RoomClaims& destination);
/// Errors as for access tokens. An access token is no relay token, and the other way round.
Result<RoomClaims> verify_relay_token(std::string_view key, std::string_view token, WallTime now);

}  // namespace parley::auth

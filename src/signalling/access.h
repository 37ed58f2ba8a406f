#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/time.h"
#include "room/types.h"
#include "signalling/codes.h"

namespace parley::signalling {

/// Who an access token speaks for.
struct AccessGrant {
    room::RoomKey room;
    std::string user_id;
    room::Permission permission = room::Permission::kUser;
    bool expired = false;  ///< good for coming back only
};
struct AccessRefusal {
    int code = kTokenWrong;
    const char* error = "";
};

/// The token of the web clients' `auth`: minted by the HTTP call before it, which puts its own
/// refusals inside, since the clients can only be told here (quirk Q1).
tl::expected<AccessGrant, AccessRefusal> check_access(std::string_view access_key,
                                                      std::string_view token,
                                                      WallTime now);

}  // namespace parley::signalling

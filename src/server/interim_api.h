#pragma once

#include "auth/room_token.h"
#include "base/time.h"
#include "io/http_server.h"

namespace parley::server {

/// The few calls that browsers need to join, until the REST router takes them over.
io::HttpReply answer_interim_api(const io::HttpRequestView& request,
                                 const auth::KeyLookup& keys,
                                 const auth::AccountKey& account,
                                 std::string_view signing_key,
                                 bool dev,
                                 WallTime wall);

}  // namespace parley::server

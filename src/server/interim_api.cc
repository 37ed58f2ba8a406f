#include "server/interim_api.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "auth/access_token.h"
#include "rest/http.h"

namespace parley::server {
namespace {

io::HttpReply reply_with(unsigned status, std::string_view type, std::string body) {
    io::HttpReply reply;
    reply.status = status;
    reply.headers.emplace_back("Content-Type", type);
    reply.headers.emplace_back("Access-Control-Allow-Origin", "*");
    reply.body = std::move(body);
    return reply;
}

}  // namespace

io::HttpReply answer_interim_api(const io::HttpRequestView& request,
                                 const auth::KeyLookup& keys,
                                 const auth::AccountKey& account,
                                 std::string_view signing_key,
                                 bool dev,
                                 WallTime wall) {
    constexpr std::string_view kJson = "application/json";
    const auto target = rest::parse_target(request.target);
    if (!target) return reply_with(400, kJson, R"({"error":"invalid args"})");
    const std::vector<std::string>& path = target->path;
    if (path.size() == 6 && path[0] == "v3" && path[1] == "apps" && path[3] == "rooms" && path[5] == "auth") {
        auth::AccessClaims claims;
        const auto room = auth::verify_room_token(target->parameter("token"), keys, wall);
        claims.app_id = path[2];
        claims.room_name = path[4];
        claims.user_id = target->parameter("user");
        claims.expire_at = wall + auth::kAccessTokenLifetime;
        if (!room) {
            claims.refusal = auth::wire_code(room.error());
        } else {
            claims.permission = room->permission;
        }
        const std::string url = std::string(request.tls ? "wss://" : "ws://") + std::string(request.header("Host")) +
                                "/v1/signal";
        const boost::json::object body{{"accessToken", auth::mint_access_token(signing_key, claims, url)},
                                       {"sessionId", "s"}};
        return reply_with(200, kJson, boost::json::serialize(body));
    }
    if (path.size() == 3 && path[0] == "v4" && path[1] == "sdk" && path[2] == "config") {
        return reply_with(200, kJson, R"({"content":""})");
    }
    // /v1/rtc/token[/admin]/app/<A>/room/<R>/user/<U>
    const std::size_t at = path.size() > 3 && path[3] == "admin" ? 4 : 3;
    if (dev && path.size() == at + 6 && path[0] == "v1" && path[1] == "rtc" && path[2] == "token") {
        auth::RoomClaims claims;
        claims.app_id = path[at + 1];
        claims.room_name = path[at + 3];
        claims.user_id = path[at + 5];
        claims.permission = at == 4 ? auth::Permission::kAdmin : auth::Permission::kUser;
        claims.expire_at = wall + 1h;
        return reply_with(200, "text/plain", auth::mint_room_token(account, claims));
    }
    return reply_with(404, kJson, R"({"error":"not found"})");
}

}  // namespace parley::server

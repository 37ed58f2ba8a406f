#include "rest/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "auth/access_token.h"
#include "auth/relay_token.h"
#include "base/encoding.h"
#include "support.h"

namespace parley::rest {
namespace {

using ::testing::HasSubstr;

struct RouterTest : ::testing::Test, RoutedFakes {
    RouterTest() : RoutedFakes(config()) {}

    static RouterConfig config() {
        RouterConfig c;
        c.signing_key = "signing-key";
        c.dev = true;
        return c;
    }
    HttpResponse send(const std::string& method,
                      const std::string& target,
                      HttpRequest request = {}) {
        request.method = method;
        request.target = target;
        if (request.host.empty()) request.host = "rtc.example.org:8080";
        HttpResponse response = router.handle(Instant{}, kNow, request);
        EXPECT_EQ(response.header("X-Reqid").size(), 16U);
        EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
        return response;
    }
    HttpResponse get(const std::string& target) { return send("GET", target); }
    static boost::json::value json(const HttpResponse& response) {
        EXPECT_EQ(response.header("Content-Type"), "application/json");
        return boost::json::parse(response.body);
    }
    Result<auth::AccessClaims> access(const HttpResponse& response) {
        EXPECT_EQ(response.status, 200U);
        const boost::json::value body = json(response);
        EXPECT_FALSE(body.at("sessionId").as_string().empty());
        return auth::verify_access_token("signing-key", body.at("accessToken").as_string(), kNow);
    }
    /// The URL that a web client would open.
    std::string url_of(const HttpResponse& response) {
        const std::string token(json(response).at("accessToken").as_string());
        const std::size_t first = token.find('.') + 1;
        const auto payload = base64_decode(token.substr(first, token.rfind('.') - first));
        return std::string(
            boost::json::parse(as_text_view(*payload)).at("signalingurl2").as_string());
    }
};

std::string auth_target(const std::string& token, const std::string& user = "u1") {
    return "/v3/apps/demo/rooms/room/auth?user=" + user + "&token=" + token;
}

TEST_F(RouterTest, AuthGivesAnAccessToken) {
    const Result<auth::AccessClaims> claims = access(get(auth_target(room_token("u1"))));
    ASSERT_TRUE(claims.has_value());
    EXPECT_EQ(claims->app_id, "demo");
    EXPECT_EQ(claims->room_name, "room");
    EXPECT_EQ(claims->user_id, "u1");
    EXPECT_EQ(claims->refusal, 0);
    EXPECT_EQ(claims->permission, auth::Permission::kUser);
    EXPECT_GE(claims->expire_at, kNow + 24h);
    const std::string admin =
        auth::mint_room_token(kKey, {"demo", "room", "u1", kNow + 60s, auth::Permission::kAdmin});
    EXPECT_EQ(access(get(auth_target(admin)))->permission, auth::Permission::kAdmin);
}

TEST_F(RouterTest, RefusalsTravelInsideTheAccessToken) {
    const struct {
        std::string target;
        int code;
    } cases[] = {
        {auth_target(room_token("u1", "room", kNowSeconds - 1)), 10002},
        {auth_target(room_token("u1") + "x"), 10001},
        {auth_target("nonsense"), 10001},
        {auth_target(room_token("u1"), "u2"), 10001},
        {auth_target(room_token("u1", "other")), 10001},
        {auth_target(room_token("u1", "room", kNowSeconds + 60, "second")), 10001},
        {auth_target(room_token("u1", "room", kNowSeconds + 60, "unknown")), 10001},
    };
    for (const auto& c : cases) {
        const Result<auth::AccessClaims> claims = access(get(c.target));
        ASSERT_TRUE(claims.has_value()) << c.target;
        EXPECT_EQ(claims->refusal, c.code) << c.target;
        EXPECT_EQ(claims->user_id, "");
    }
    EXPECT_EQ(get("/v3/apps/demo/rooms/room/auth").status, 401U) << "nothing to refuse";
}

TEST_F(RouterTest, TokenArrivesRawOrEscaped) {
    const std::string token = room_token("u1");
    EXPECT_EQ(access(get(auth_target(percent_encode(token))))->refusal, 0);
    EXPECT_EQ(access(get("/v3/apps/demo/rooms/room/auth?token=" + token))->refusal, 0)
        << "the user may be left out";
}

TEST_F(RouterTest, SignallingUrlComesFromTheRequest) {
    HttpRequest request;
    EXPECT_EQ(url_of(send("GET", auth_target("x"), request)), "ws://rtc.example.org:8080/");
    request.tls = true;
    EXPECT_EQ(url_of(send("GET", auth_target("x"), request)), "wss://rtc.example.org:8080/");
    request.host = "[2001:db8::1]:443";
    EXPECT_EQ(url_of(send("GET", auth_target("x"), request)), "wss://[2001:db8::1]:443/");
    for (const char* host : {"a/b", "a?b", "a\"b", "a b", "user@host"}) {
        request.host = host;
        EXPECT_EQ(send("GET", auth_target("x"), request).status, 400U) << host;
    }
}

TEST_F(RouterTest, ProxyHeadersCountOnlyWhenTrusted) {
    HttpRequest request;
    request.headers = {{"X-Forwarded-Proto", "https, http"},
                       {"x-forwarded-host", "public.example"}};
    EXPECT_EQ(url_of(send("GET", auth_target("x"), request)), "ws://rtc.example.org:8080/");
    RouterConfig trusting = config();
    trusting.trust_proxy = true;
    Router behind(trusting, Rng(1), secrets, directory, sessions, estate, rooms, history);
    request.method = "GET";
    request.target = auth_target("x");
    request.host = "internal";
    EXPECT_EQ(url_of(behind.handle(Instant{}, kNow, request)), "wss://public.example/");
    RouterConfig fixed = config();
    fixed.signalling_url = "wss://fixed.example/ws";
    Router configured(fixed, Rng(1), secrets, directory, sessions, estate, rooms, history);
    EXPECT_EQ(url_of(configured.handle(Instant{}, kNow, request)), "wss://fixed.example/ws");
}

TEST_F(RouterTest, RelayToken) {
    const std::string base = "/v3/apps/demo/rooms/room/relay/token?user=u1&token=";
    const HttpResponse response = get(base + room_token("u1"));
    EXPECT_EQ(response.status, 200U);
    const Result<auth::RoomClaims> claims =
        auth::verify_relay_token("signing-key", json(response).at("relayToken").as_string(), kNow);
    ASSERT_TRUE(claims.has_value());
    EXPECT_EQ(claims->room_name, "room");
    for (const std::string& token : {std::string(),
                                     std::string("x"),
                                     room_token("u1", "room", kNowSeconds),
                                     room_token("u2")}) {
        const HttpResponse refused = get(base + token);
        EXPECT_EQ(refused.status, 401U);
        EXPECT_EQ(refused.body, R"({"error":"bad token"})");
    }
}

TEST_F(RouterTest, SdkConfig) {
    const HttpResponse response = get("/v4/sdk/config?platform=Web&appid=demo&user_id=u");
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, R"({"content":""})");
    EXPECT_EQ(get("/v4/sdk/log/upload/token").status, 404U);
}

TEST_F(RouterTest, EventReports) {
    const HttpResponse preflight = send("OPTIONS", "/v1/rtcevent");
    EXPECT_EQ(preflight.status, 204U);
    EXPECT_THAT(std::string(preflight.header("Access-Control-Allow-Methods")), HasSubstr("POST"));
    EXPECT_THAT(std::string(preflight.header("Access-Control-Allow-Headers")),
                HasSubstr("content-type"));
    HttpRequest request;
    request.body = R"({"items":[{"event_name":"Join"}]})";
    EXPECT_EQ(send("POST", "/v1/rtcevent", request).status, 204U);
    EXPECT_EQ(router.event_reports().counts().at("Join"), 1U);
    request.body = "broken";
    EXPECT_EQ(send("POST", "/v1/rtcevent", request).status, 204U)
        << "else clients ask again and again";
    EXPECT_EQ(router.event_reports().stats().dropped_reports, 1U);
}

TEST_F(RouterTest, OwnIp) {
    HttpRequest request;
    request.host = "203.0.113.7:8080";
    EXPECT_EQ(send("GET", "/ip", request).body, R"({"ip":"203.0.113.7"})");
    request.host = "[2001:db8::7]:8080";
    EXPECT_EQ(send("GET", "/ip", request).body, R"({"ip":"2001:db8::7"})");
    EXPECT_EQ(get("/ip").status, 404U);
}

TEST_F(RouterTest, DemoTokens) {
    for (const char* prefix : {"", "/v1/rtc"}) {
        const HttpResponse user =
            get(std::string(prefix) + "/token/app/demo/room/r-1/user/u_1?bundleId=x");
        EXPECT_EQ(user.status, 200U);
        EXPECT_EQ(user.header("Content-Type"), "text/plain");
        const Result<auth::RoomClaims> claims =
            auth::verify_room_token(user.body, directory.keys(), kNow);
        ASSERT_TRUE(claims.has_value());
        EXPECT_EQ(claims->room_name, "r-1");
        EXPECT_EQ(claims->user_id, "u_1");
        EXPECT_EQ(claims->permission, auth::Permission::kUser);
        const HttpResponse admin = get(std::string(prefix) + "/token/admin/app/demo/room/r/user/u");
        EXPECT_EQ(auth::verify_room_token(admin.body, directory.keys(), kNow)->permission,
                  auth::Permission::kAdmin);
        EXPECT_EQ(get(std::string(prefix) + "/rooms/app/demo").body,
                  R"({"end":true,"offset":3,"rooms":["a","b","c"]})");
        EXPECT_EQ(get(std::string(prefix) + "/rooms/app/demo?limit=2&offset=0").body,
                  R"({"end":false,"offset":2,"rooms":["a","b"]})");
        EXPECT_EQ(get(std::string(prefix) + "/users/app/demo/room/a").body,
                  R"({"users":[{"userId":"u1"},{"userId":"u2"}]})");
        EXPECT_EQ(get(std::string(prefix) + "/users/app/demo/room/none").body, R"({"users":[]})");
        EXPECT_EQ(json(get(std::string(prefix) + "/app/demo")).at("appId").as_string(), "demo");
        for (const char* path : {"/token/app/none/room/r/user/u",
                                 "/rooms/app/none",
                                 "/users/app/none/room/r",
                                 "/app/none"}) {
            EXPECT_EQ(get(std::string(prefix) + path).status, 612U) << path;
        }
    }
    EXPECT_EQ(get("/token/app/demo/room/a%20b/user/u").status, 400U);
    EXPECT_EQ(get("/token/app/demo/room/r/user/u%3A").status, 400U);
}

TEST_F(RouterTest, DemoServiceIsForDevelopmentOnly) {
    RouterConfig c = config();
    c.dev = false;
    Router production(c, Rng(1), secrets, directory, sessions, estate, rooms, history);
    for (const char* path : {"/token/app/demo/room/r/user/u",
                             "/v1/rtc/token/admin/app/demo/room/r/user/u",
                             "/v1/rtc/rooms/app/demo",
                             "/users/app/demo/room/a",
                             "/app/demo"}) {
        HttpRequest request;
        request.method = "GET";
        request.target = path;
        EXPECT_EQ(production.handle(Instant{}, kNow, request).status, 404U) << path;
    }
}

TEST_F(RouterTest, TheContractIsThere) {
    const HttpResponse response = get("/x1/openapi.json");
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(json(response).at("info").at("title").as_string(), "Parley management API");
    for (const char* page : {"/x1", "/x1/", "/x1/reference.js", "/x1/reference.css"}) {
        const HttpResponse shown = get(page);
        EXPECT_EQ(shown.status, 200U) << page;
        EXPECT_THAT(std::string(shown.header("Content-Security-Policy")),
                    HasSubstr("default-src 'none'; script-src 'self'"));
    }
    EXPECT_EQ(get("/x1/reference.html").status, 404U);
}

TEST_F(RouterTest, UnknownPathsMethodsAndTargets) {
    const HttpResponse missing = get("/v3/nothing");
    EXPECT_EQ(missing.status, 404U);
    EXPECT_EQ(missing.body, R"({"error":"not found"})");
    EXPECT_EQ(get("/v3/apps/demo/rooms/room/auth/more").status, 404U);
    EXPECT_EQ(get("/v1/rtc/rtcevent").status, 404U);
    EXPECT_EQ(send("OPTIONS", "/v3/nothing").status, 404U);
    const HttpResponse wrong = send("DELETE", "/v4/sdk/config");
    EXPECT_EQ(wrong.status, 405U);
    EXPECT_EQ(wrong.header("Allow"), "GET, OPTIONS");
    EXPECT_EQ(json(wrong).at("error").as_string(), "method not allowed");
    EXPECT_EQ(get("/a%").status, 400U);
    EXPECT_EQ(get("/" + std::string(kMaxTargetBytes, 'a')).status, 414U);
}

}  // namespace
}  // namespace parley::rest

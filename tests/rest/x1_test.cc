#include "rest/x1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "rest/contract.h"
#include "rest/router.h"
#include "support.h"

namespace parley::rest {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;

const std::string kRoom = "/x1/apps/demo/rooms/a";
const std::string kEmptyRoom = "/x1/apps/demo/rooms/nobody";

struct X1Test : ::testing::Test {
    HttpResponse call(const std::string& method,
                      const std::string& target,
                      const std::string& body = "",
                      const auth::AccountKey& key = kKey) {
        return router.handle(
            Instant{}, kNow, signed_request(method, target, body, "application/json", key));
    }
    json::object answer(const std::string& method,
                        const std::string& target,
                        const std::string& body = "") {
        const HttpResponse response = call(method, target, body);
        EXPECT_EQ(response.status, 200U) << method << ' ' << target << ' ' << response.body;
        return json::parse(response.body).as_object();
    }
    void expect_wrong(const std::string& field,
                      const std::string& method,
                      const std::string& target,
                      const std::string& body = "") {
        const HttpResponse response = call(method, target, body);
        EXPECT_EQ(response.status, 400U) << method << ' ' << target << ' ' << body;
        EXPECT_EQ(response.body, R"({"error":"invalid args","detail":")" + field + "\"}");
    }

    SeededSecretSource secrets{1};
    FakeDirectory directory;
    FakeSessions sessions;
    FakeEstate estate{directory};
    FakeRooms rooms;
    Router router{
        {.signing_key = "signing-key"}, Rng(7), secrets, directory, sessions, estate, rooms};
};

TEST_F(X1Test, RoomsComeInPages) {
    const json::object first = answer("GET", "/x1/apps/demo/rooms?limit=3");
    EXPECT_EQ(first.at("rooms").as_array().size(), 3U);
    EXPECT_EQ(first.at("next").as_string(), "c");
    const json::object last = answer("GET", "/x1/apps/demo/rooms?limit=3&cursor=c");
    EXPECT_EQ(last.at("rooms").as_array().size(), 1U);
    EXPECT_FALSE(last.contains("next"));
    for (const char* limit : {"0", "-1", "1.5", "x", "1e3", "%20"}) {
        expect_wrong("limit", "GET", std::string("/x1/apps/demo/rooms?limit=") + limit);
    }
    answer("GET", "/x1/apps/demo/rooms?limit=99999999999999999999999");
    expect_wrong("empty", "GET", "/x1/apps/demo/rooms?empty=maybe");
}

TEST_F(X1Test, StateOfARoom) {
    const json::object room = answer("GET", kRoom);
    EXPECT_EQ(room.at("members").as_array().size(), 2U);
    EXPECT_EQ(room.at("tracks").at(0).at("trackId").as_string(), "t1");
    EXPECT_EQ(call("GET", kEmptyRoom).status, 612U);
    EXPECT_EQ(answer("GET", kRoom + "/members").at("members").as_array().size(), 2U);
    EXPECT_EQ(answer("GET", kRoom + "/members/u2").at("userId").as_string(), "u2");
    EXPECT_EQ(call("GET", kRoom + "/members/u3").status, 612U);
}

TEST_F(X1Test, OrdersReachTheRoom) {
    answer("POST", kRoom + "/members/u1/mute", R"({"muted":true,"locked":true,"kind":"audio"})");
    answer("POST", kRoom + "/mute", R"({"muted":false,"except":["u2"]})");
    ASSERT_EQ(rooms.mutes.size(), 2U);
    EXPECT_TRUE(rooms.mutes[0].muted && rooms.mutes[0].locked);
    EXPECT_EQ(rooms.mutes[0].kinds, (room::Kinds{true, false}));
    EXPECT_FALSE(rooms.mutes[1].muted);
    EXPECT_EQ(rooms.mutes[1].kinds, (room::Kinds{true, true}));
    EXPECT_THAT(rooms.mutes[1].spared, ElementsAre("u2"));

    answer("PATCH", kRoom + "/members/u1", R"({"permission":"admin","publish":false})");
    ASSERT_EQ(rooms.changes.size(), 1U);
    EXPECT_EQ(rooms.changes[0].permission, room::Permission::kAdmin);
    EXPECT_EQ(rooms.changes[0].publish, false);
    EXPECT_EQ(rooms.changes[0].subscribe, std::nullopt);

    EXPECT_EQ(answer("POST", kRoom + "/messages", R"({"text":"hi"})").at("told").as_int64(), 2);
    EXPECT_EQ(rooms.messages.at(0).sender, "server");
    answer("PATCH", kRoom, R"({"open":false})");
    EXPECT_FALSE(rooms.open.at("a"));
    answer("PATCH", kEmptyRoom, R"({"open":false})");
    EXPECT_FALSE(rooms.open.at("nobody"));

    const json::object ban = answer("PUT", kRoom + "/bans/u2", R"({"durationS":60})");
    EXPECT_EQ(ban.at("until").as_string(), rfc3339(kNow + 60s));
    EXPECT_EQ(estate.users.at("a").size(), 1U) << "put out, too";
    EXPECT_EQ(answer("GET", kRoom + "/bans").at("bans").as_array().size(), 1U);
    answer("DELETE", kRoom + "/bans/u2");
    EXPECT_EQ(call("DELETE", kRoom + "/bans/u2").status, 612U);
    answer("DELETE", kRoom + "/members/u1");
    answer("DELETE", kRoom);
    EXPECT_THAT(estate.closed, ElementsAre("a"));
}

TEST_F(X1Test, WhatIsNotThere) {
    for (const char* path : {"/mute", "/members/u1/mute"}) {
        EXPECT_EQ(call("POST", kEmptyRoom + path, R"({"muted":true})").status, 615U);
    }
    EXPECT_EQ(call("POST", kEmptyRoom + "/messages", R"({"text":"x"})").status, 615U);
    EXPECT_EQ(call("PATCH", kEmptyRoom + "/members/u1", "{}").status, 615U);
    EXPECT_EQ(call("POST", kRoom + "/members/u9/mute", R"({"muted":true})").status, 612U);
    EXPECT_EQ(call("DELETE", kEmptyRoom).status, 612U);
    rooms.store_is_full = true;
    EXPECT_EQ(call("PATCH", kRoom, R"({"open":true})").status, 503U);
    EXPECT_EQ(call("PUT", kRoom + "/bans/u1").status, 503U);
}

TEST_F(X1Test, WrongFieldsAreNamed) {
    expect_wrong("muted", "POST", kRoom + "/mute", "{}");
    expect_wrong("muted", "POST", kRoom + "/mute", R"({"muted":"maybe"})");
    expect_wrong("kind", "POST", kRoom + "/mute", R"({"muted":true,"kind":"smell"})");
    expect_wrong("except", "POST", kRoom + "/mute", R"({"muted":true,"except":["a b"]})");
    expect_wrong("except", "POST", kRoom + "/mute", R"({"muted":true,"except":"u1"})");
    expect_wrong("text", "POST", kRoom + "/messages", "{}");
    expect_wrong("text", "POST", kRoom + "/messages", "{\"text\":\"" + std::string(4097, 'x') + "\"}");
    expect_wrong("sender", "POST", kRoom + "/messages", R"({"text":"x","sender":"<b>"})");
    expect_wrong("permission", "PATCH", kRoom + "/members/u1", R"({"permission":"king"})");
    expect_wrong("durationS", "PUT", kRoom + "/bans/u1", R"({"durationS":-1})");
    expect_wrong("userId", "POST", kRoom + "/token", "{}");
    expect_wrong("expiresS", "POST", kRoom + "/token", R"({"userId":"u","expiresS":0})");
    expect_wrong("room", "GET", "/x1/apps/demo/rooms/a%20b");
    expect_wrong("user", "DELETE", kRoom + "/members/a.b");
    expect_wrong("body", "POST", kRoom + "/mute", "[]");
    expect_wrong("roomName", "POST", "/x1/apps/demo/rooms", R"({"roomName":"a b"})");
}

TEST_F(X1Test, TokensAreThoseOfTheAccount) {
    const json::object made =
        answer("POST", kRoom + "/token", R"({"userId":"u9","permission":"admin","expiresS":60})");
    const auto claims =
        auth::verify_room_token(std::string(made.at("token").as_string()), estate, kNow);
    ASSERT_TRUE(claims.has_value());
    EXPECT_EQ(claims->user_id, "u9");
    EXPECT_EQ(claims->room_name, "a");
    EXPECT_EQ(claims->permission, auth::Permission::kAdmin);
    EXPECT_EQ(claims->expire_at, kNow + 60s);
}

}  // namespace
}  // namespace parley::rest

#include "rest/v2_rooms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "rest/router.h"
#include "support.h"

namespace parley::rest {
namespace {

using ::testing::MatchesRegex;

struct V2RoomsTest : ::testing::Test, RoutedFakes {
    V2RoomsTest() : RoutedFakes({.signing_key = "k", .v2_rooms = true}) {}

    HttpResponse call(const std::string& method,
                      const std::string& target,
                      const std::string& body = "",
                      const auth::AccountKey& key = kKey) {
        return router.handle(
            {}, kNow, signed_request(method, target, body, "application/json", key));
    }
    static std::string told(const HttpResponse& response) {
        return std::to_string(response.status) + ' ' + response.body;
    }
};

TEST_F(V2RoomsTest, S15_LifeOfARoom) {
    for (const std::string version : {"/v1", "/v2"}) {
        estate.v2_rooms.clear();
        estate.users = {{"a", {"u1", "u2"}}};
        const std::string room = version + "/rooms/a";
        EXPECT_EQ(told(call("GET", room)), R"(612 {"error":"room not found"})");
        EXPECT_EQ(told(call("POST",
                            version + "/rooms",
                            R"({"owner_id":"boss","room_name":"b","user_max":"3"})")),
                  R"(200 {"room_name":"b"})");
        EXPECT_EQ(told(call("POST", version + "/rooms", R"({"owner_id":"boss","room_name":"a"})")),
                  R"(200 {"room_name":"a"})");
        EXPECT_EQ(told(call("POST", version + "/rooms", R"({"owner_id":"x","room_name":"a"})")),
                  R"(614 {"error":"room already exists"})");
        EXPECT_EQ(told(call("GET", version + "/rooms/b")),
                  R"(200 {"room_name":"b","owner_id":"boss","user_max":3,"room_status":0})");
        EXPECT_EQ(told(call("GET", room)),
                  R"(200 {"room_name":"a","owner_id":"boss","user_max":20,"room_status":1})");
        EXPECT_EQ(told(call("GET", room + "/users")),
                  R"(200 {"active_users":[{"user_id":"u1"},{"user_id":"u2"}]})");
        EXPECT_EQ(told(call("DELETE", room + "/users/u1")), "200 {}");
        EXPECT_EQ(told(call("DELETE", room + "/users/u1")), R"(612 {"error":"user not found"})");
        EXPECT_EQ(told(call("DELETE", room + "/users/u2")), "200 {}");
        estate.v2_rooms.at({"v2-1", "a"}).was_used = true;
        EXPECT_EQ(told(call("GET", room)),
                  R"(200 {"room_name":"a","owner_id":"boss","user_max":20,"room_status":2})");
        EXPECT_EQ(told(call("GET", room + "/users")), R"(200 {"active_users":[]})");
        EXPECT_EQ(told(call("DELETE", room)), "200 {}");
        for (const auto& [method, target] : {std::pair{"GET", room},
                                             {"DELETE", room},
                                             {"GET", room + "/users"},
                                             {"DELETE", room + "/users/u1"}}) {
            EXPECT_EQ(told(call(method, target)), R"(612 {"error":"room not found"})") << target;
        }
    }
}

TEST_F(V2RoomsTest, S15_TheAppIsMadeWithTheFirstRoom) {
    ASSERT_EQ(estate.find_app("v2-1"), nullptr);
    ASSERT_EQ(call("POST", "/v2/rooms", R"({"owner_id":"u","room_name":"r"})").status, 200U);
    ASSERT_NE(estate.find_app("v2-1"), nullptr);
    EXPECT_EQ(estate.find_app("v2-1")->uid, 1);
    // The app's own setting counts for rooms without a bound of their own.
    ASSERT_EQ(call("POST", "/v3/apps/v2-1", R"({"maxUsers":5})").status, 200U);
    EXPECT_THAT(call("GET", "/v2/rooms/r").body, ::testing::HasSubstr(R"("user_max":5)"));
}

TEST_F(V2RoomsTest, S15_ANameIsMadeWhereNoneIsGiven) {
    std::set<std::string> names;
    for (const char* body : {R"({"owner_id":"u"})",
                             R"({"owner_id":"u","room_name":null,"user_max":null})",
                             R"({"owner_id":"u","room_name":"","user_max":0})"}) {
        const HttpResponse made = call("POST", "/v2/rooms", body);
        ASSERT_EQ(made.status, 200U) << made.body;
        const std::string name(
            boost::json::parse(made.body).as_object().at("room_name").as_string());
        EXPECT_THAT(name, MatchesRegex("[a-z0-9]{12}"));
        EXPECT_TRUE(names.insert(name).second);
        EXPECT_EQ(call("GET", "/v2/rooms/" + name).status, 200U);
    }
}

TEST_F(V2RoomsTest, S15_BadInput) {
    for (const char* body : {"",
                             "{}",
                             "[]",
                             R"({"owner_id":""})",
                             R"({"owner_id":7})",
                             R"({"owner_id":"a b"})",
                             R"({"owner_id":"u","room_name":"a b"})",
                             R"({"owner_id":"u","room_name":["r"]})",
                             R"({"owner_id":"u","user_max":-1})",
                             R"({"owner_id":"u","user_max":"many"})",
                             R"({"owner_id":"u","user_max":100001})"}) {
        EXPECT_EQ(told(call("POST", "/v2/rooms", body)), R"(400 {"error":"invalid args"})") << body;
    }
    EXPECT_TRUE(estate.v2_rooms.empty());
    EXPECT_EQ(estate.find_app("v2-1"), nullptr);
    EXPECT_EQ(call("PUT", "/v2/rooms").status, 405U);
    const HttpResponse preflight = call("OPTIONS", "/v2/rooms/r");
    EXPECT_EQ(preflight.status, 204U);
    EXPECT_EQ(preflight.header("X-Reqid").size(), 16U);
    EXPECT_EQ(told(call("GET", "/v2/rooms/r", "", {"AK-test", "SK-wrong"})),
              R"(401 {"error":"bad token"})");
}

TEST_F(V2RoomsTest, S15_BoundsAreTold) {
    estate.most_v2_rooms = 1;
    EXPECT_EQ(call("POST", "/v2/rooms", R"({"owner_id":"u"})").status, 200U);
    EXPECT_EQ(told(call("POST", "/v2/rooms", R"({"owner_id":"u"})")),
              R"(503 {"error":"too many rooms"})");
    estate.store_is_full = true;
    const std::string name = estate.v2_rooms.begin()->first.name;
    EXPECT_EQ(call("POST", "/v2/rooms", R"({"owner_id":"u"})").status, 503U);
    EXPECT_EQ(call("DELETE", "/v2/rooms/" + name).status, 503U);
    EXPECT_EQ(call("GET", "/v2/rooms/" + name).status, 200U);
}

TEST_F(V2RoomsTest, S15_EachAccountHasItsOwnNames) {
    ASSERT_EQ(call("POST", "/v2/rooms", R"({"owner_id":"mine","room_name":"a"})").status, 200U);
    for (const auto& [method, target] : {std::pair{"GET", "/v2/rooms/a"},
                                         {"DELETE", "/v2/rooms/a"},
                                         {"GET", "/v2/rooms/a/users"},
                                         {"DELETE", "/v2/rooms/a/users/u1"}}) {
        EXPECT_EQ(told(call(method, target, "", kOtherKey)), R"(612 {"error":"room not found"})");
    }
    EXPECT_EQ(call("POST", "/v2/rooms", R"({"owner_id":"his","room_name":"a"})", kOtherKey).status,
              200U);
    EXPECT_THAT(call("GET", "/v2/rooms/a").body, ::testing::HasSubstr("mine"));
    EXPECT_THAT(call("GET", "/v2/rooms/a", "", kOtherKey).body, ::testing::HasSubstr("his"));
}

TEST_F(V2RoomsTest, S15_OffByDefault) {
    Router plain{
        {.signing_key = "k"}, Rng(7), secrets, directory, sessions, estate, rooms, history};
    for (const auto& [method, target] :
         {std::pair{"POST", "/v2/rooms"}, {"GET", "/v1/rooms/a"}, {"OPTIONS", "/v2/rooms"}}) {
        EXPECT_EQ(told(plain.handle({}, kNow, signed_request(method, target))),
                  R"(404 {"error":"not found"})");
    }
}

}  // namespace
}  // namespace parley::rest

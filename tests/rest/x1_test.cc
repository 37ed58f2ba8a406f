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

struct X1Test : ::testing::Test, RoutedFakes {
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
    EXPECT_EQ(room.at("tracks").at(0).at("audioLevelDbov").to_number<int>(), -23);
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
    expect_wrong(
        "text", "POST", kRoom + "/messages", "{\"text\":\"" + std::string(4097, 'x') + "\"}");
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

TEST_F(X1Test, KeysAreExchangedWithoutAGap) {
    EXPECT_EQ(call("PATCH", "/x1/keys/AK-test", R"({"disabled":true})").status, 409U)
        << "the last that works";
    const json::object made = answer("POST", "/x1/keys");
    const auth::AccountKey fresh{std::string(made.at("accessKey").as_string()),
                                 std::string(made.at("secretKey").as_string())};
    EXPECT_EQ(fresh.secret_key.size(), 40U);
    EXPECT_EQ(call("GET", "/x1/apps/demo", "", fresh).status, 200U);
    EXPECT_EQ(call("GET", "/x1/apps/demo").status, 200U) << "both work";
    EXPECT_EQ(call("GET", "/x1/account").body.find(fresh.secret_key), std::string::npos);
    EXPECT_EQ(call("PATCH", "/x1/keys/AK-test", R"({"disabled":true})", fresh).status, 200U);
    EXPECT_EQ(call("GET", "/x1/apps/demo").status, 401U);
    EXPECT_EQ(call("DELETE", "/x1/keys/AK-test", "", fresh).status, 409U) << "configured";
    EXPECT_EQ(call("PATCH", "/x1/keys/AK-test", R"({"disabled":false})", fresh).status, 200U);
    const std::string path = "/x1/keys/" + fresh.access_key;
    EXPECT_EQ(call("DELETE", path).status, 409U) << "still enabled";
    EXPECT_EQ(call("PATCH", path, R"({"disabled":true})").status, 200U);
    EXPECT_EQ(call("DELETE", path).status, 200U);
    EXPECT_EQ(call("DELETE", path).status, 612U);
    EXPECT_EQ(call("PATCH", "/x1/keys/AK-other", R"({"disabled":true})").body,
              call("PATCH", "/x1/keys/never", R"({"disabled":true})").body)
        << "another account's key is as unknown as none";
    for (int i = 0; i < 15; ++i) answer("POST", "/x1/keys");
    EXPECT_EQ(call("POST", "/x1/keys").status, 409U);
    expect_wrong("disabled", "PATCH", "/x1/keys/AK-test", "{}");
}

TEST_F(X1Test, JobsAndRecordingsNewestFirst) {
    for (int i = 0; i < 5; ++i) {
        JobRecord job;
        job.room = {"demo", i < 3 ? "a" : "b"};
        job.id = "j" + std::to_string(i);
        job.state = i == 0 ? JobState::kRunning : JobState::kFailed;
        job.created_at = job.updated_at = kNow + std::chrono::seconds(i / 2);
        if (i % 2 == 0) {
            job.spec = json::parse(R"({"outputs":[{"type":"file","url":"talk"}]})").as_object();
        }
        ASSERT_TRUE(estate.put_job(job).has_value());
    }
    std::vector<std::string> seen;
    std::string cursor;
    do {
        const json::object page = answer("GET", "/x1/apps/demo/jobs?limit=2&cursor=" + cursor);
        for (const json::value& job : page.at("jobs").as_array()) {
            seen.emplace_back(job.at("id").as_string());
        }
        cursor = page.contains("next") ? std::string(page.at("next").as_string()) : "";
    } while (!cursor.empty());
    EXPECT_THAT(seen, ElementsAre("j4", "j2", "j3", "j0", "j1"));
    EXPECT_EQ(answer("GET", "/x1/apps/demo/jobs?state=running").at("jobs").as_array().size(), 1U);
    EXPECT_EQ(answer("GET", "/x1/apps/demo/jobs?room=b").at("jobs").as_array().size(), 2U);
    const json::object recordings = answer("GET", "/x1/apps/demo/recordings");
    EXPECT_EQ(recordings.at("recordings").as_array().size(), 3U);
    EXPECT_EQ(recordings.at("recordings").at(0).at("name").as_string(), "talk");
    expect_wrong("state", "GET", "/x1/apps/demo/jobs?state=odd");
    expect_wrong("cursor", "GET", "/x1/apps/demo/jobs?cursor=x");
    expect_wrong("cursor", "GET", "/x1/apps/demo/jobs?cursor=-1/a/b");
    expect_wrong("room", "GET", "/x1/apps/demo/jobs?room=a%20b");
}

TEST_F(X1Test, TheNodeIsTheOperators) {
    EXPECT_EQ(answer("GET", "/x1/node").at("store").at("kind").as_string(), "sqlite");
    EXPECT_EQ(call("GET", "/x1/node", "", kOtherKey).status, 403U);
    EXPECT_EQ(answer("GET", "/x1/account").at("operator").as_bool(), true);
}

TEST_F(X1Test, ABanBeyondTheBoundIsToldAndKicksNobody) {
    rooms.most_bans = 1;
    answer("PUT", kRoom + "/bans/u9");
    EXPECT_EQ(call("PUT", kRoom + "/bans/u1").status, 409U);
    EXPECT_EQ(estate.list_users({"demo", "a"}), (std::vector<std::string>{"u1", "u2"}));
    EXPECT_EQ(answer("GET", kRoom + "/bans").at("bans").as_array().size(), 1U);
}

/// The published calls as well as our own.
TEST_F(X1Test, AnotherAccountsIdsAreAsUnknownAsNone) {
    const auto users = estate.users;
    std::set<std::string_view> versions;
    for (const SignedRoute& route : router.signed_calls().routes()) {
        if (route.scope == Scope::kAccount) continue;
        versions.insert(route.route.path[0]);
        std::string path;
        std::size_t stars = 0;
        for (const std::string_view segment : route.route.path) {
            path += '/';
            path += segment != "*" ? segment : stars++ == 0 ? "demo" : "a";
        }
        std::string missing = path;
        missing.replace(missing.find("/demo"), 5, "/gone");
        const std::string method(route.route.method);
        HttpResponse theirs = call(method, path, "{}", kOtherKey);
        HttpResponse none = call(method, missing, "{}", kOtherKey);
        EXPECT_EQ(theirs.status, 612U) << method << ' ' << path;
        EXPECT_EQ(theirs.body, none.body);
        theirs.set_header("X-Reqid", "");
        none.set_header("X-Reqid", "");
        EXPECT_EQ(theirs.headers, none.headers);
    }
    EXPECT_EQ(versions, (std::set<std::string_view>{"v3", "v4", "x1"}));
    EXPECT_EQ(estate.users, users);
    EXPECT_TRUE(estate.jobs.empty());
    EXPECT_NE(estate.find_app("demo"), nullptr);
}

/// Every signed route of /x1/ is in the contract.
TEST_F(X1Test, TheContractHasEveryRoute) {
    const json::value document = json::parse(contract());
    std::set<std::string> described;
    for (const auto& path : document.at("paths").as_object()) {
        std::string shape(path.key());
        for (std::size_t at = shape.find('{'); at != std::string::npos; at = shape.find('{')) {
            shape.replace(at, shape.find('}') - at + 1, "*");
        }
        for (const auto& operation : path.value().as_object()) {
            described.insert(std::string(operation.key()) + ' ' + shape);
        }
    }
    for (const SignedRoute& route : router.signed_calls().routes()) {
        if (route.route.path[0] != "x1") continue;
        std::string shape(route.route.method);
        std::transform(shape.begin(), shape.end(), shape.begin(), [](char c) {
            return static_cast<char>(c | 0x20);
        });
        shape += ' ';
        for (const std::string_view segment : route.route.path) shape += '/' + std::string(segment);
        EXPECT_TRUE(described.contains(shape)) << shape;
    }
}

}  // namespace
}  // namespace parley::rest

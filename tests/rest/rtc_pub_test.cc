#include "rest/rtc_pub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "rest/router.h"
#include "support.h"

namespace parley::rest {
namespace {

namespace json = boost::json;
using ::testing::MatchesRegex;

constexpr std::string_view kRefusal =
    R"(503 {"error":"media jobs are not available in this version"})";

struct RtcPubTest : ::testing::Test, RoutedFakes {
    RtcPubTest() : RoutedFakes({.signing_key = "k"}) {}

    static std::string token(auth::Permission permission,
                             std::string room = "room",
                             std::int64_t expire_at = kNowSeconds + 60) {
        return auth::mint_room_token(
            kKey, {"demo", std::move(room), "admin1", at_seconds(expire_at), permission});
    }
    /// `path` follows `pub` of the room.
    HttpResponse call(const std::string& method,
                      const std::string& path = "",
                      const std::string& body = "",
                      const std::string& with = token(auth::Permission::kAdmin)) {
        HttpRequest request;
        request.method = method;
        request.target = "/v3/apps/demo/rooms/room/pub" + path + "?token=" + with;
        request.host = "rtc.example.org";
        request.body = body;
        // As the published samples send it, without any signature.
        request.headers = {{"Content-Type", "application/json;charset=utf-8"}};
        HttpResponse response = router.handle({}, kNow, request);
        EXPECT_EQ(response.header("X-Reqid").size(), 16U);
        EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
        return response;
    }
    static std::string told(const HttpResponse& response) {
        return std::to_string(response.status) + ' ' + response.body;
    }
    std::string create(
        const std::string& body = R"({"sourceUrls":["https://example.com/1.mp4"]})") {
        const HttpResponse made = call("POST", "", body);
        EXPECT_EQ(made.status, 200U) << made.body;
        return std::string(json::parse(made.body).as_object().at("taskID").as_string());
    }
    json::array tasks() { return json::parse(call("GET").body).as_object().at("tasks").as_array(); }
};

TEST_F(RtcPubTest, S10_ATaskIsKeptAndSaysThatItFailed) {
    EXPECT_TRUE(tasks().empty());
    const std::string id = create(
        R"({"sourceUrls":["https://example.com/1.mp4","http://example.com/2.flv"],"name":"intro"})");
    EXPECT_THAT(id, MatchesRegex("1700000000_rtc[a-z0-9]{22}"));
    EXPECT_TRUE(auth::is_user_id(id)) << "it joins under this name";
    ASSERT_EQ(tasks().size(), 1U);
    const json::object task = tasks()[0].as_object();
    EXPECT_EQ(task.at("taskID"), id.c_str());
    EXPECT_EQ(task.at("name"), "intro");
    EXPECT_EQ(task.at("appID"), "demo");
    EXPECT_EQ(task.at("uid"), 1);
    EXPECT_EQ(task.at("roomID"), "demo:room");
    EXPECT_EQ(task.at("sourceUrls").as_array().size(), 2U);
    EXPECT_EQ(task.at("status"), "failed");
    EXPECT_EQ(task.at("reason"), "media jobs are not available in this version");
    EXPECT_EQ(task.at("createTime"), "2023-11-14T22:13:20");
    EXPECT_EQ(task.at("stopTime"), "2023-11-14T22:13:20");
    EXPECT_FALSE(task.contains("startTime"));
    // It is a job of the room like others.
    const JobRecord* job = estate.find_job({"demo", "room"}, id);
    ASSERT_NE(job, nullptr);
    EXPECT_EQ(job->state, JobState::kFailed);
    EXPECT_EQ(job_json(*job).at("kind"), "pub");
    const auto stored = job_from_json(stored_job_json(*job));
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(stored->kind, JobKind::kPub);
}

TEST_F(RtcPubTest, S10_StartAndSeekAreNoFalseSuccess) {
    const std::string task = "/" + create();
    EXPECT_EQ(told(call("POST", task + "/start", "{}")), kRefusal);
    EXPECT_EQ(told(call("POST", task + "/seek", R"({"index":0,"seek":1500})")), kRefusal);
    EXPECT_EQ(told(call("POST", task + "/stop", "{}")), "200 {}") << "it does not run";
    EXPECT_EQ(told(call("DELETE", task)), "200 {}");
    EXPECT_TRUE(tasks().empty());
    for (const auto& [method, path] : {std::pair{"POST", task + "/start"},
                                       {"POST", task + "/stop"},
                                       {"POST", task + "/seek"},
                                       {"DELETE", task}}) {
        EXPECT_EQ(told(call(method, path, R"({"seek":0})")), R"(612 {"error":"job not found"})");
    }
}

TEST_F(RtcPubTest, S10_OnlyAnAdminsTokenOfThisRoom) {
    const std::string task = "/" + create();
    const std::string body = R"({"sourceUrls":["https://example.com/1.mp4"]})";
    for (const auto& [method, path] : {std::pair{"POST", std::string()},
                                       {"GET", std::string()},
                                       {"POST", task + "/start"},
                                       {"POST", task + "/stop"},
                                       {"POST", task + "/seek"},
                                       {"DELETE", task}}) {
        EXPECT_EQ(told(call(method, path, body, token(auth::Permission::kUser))),
                  R"(403 {"error":"no permission"})");
        for (const std::string& bad :
             {std::string(),
              std::string("nonsense"),
              token(auth::Permission::kAdmin, "other"),
              token(auth::Permission::kAdmin, "room", kNowSeconds),
              auth::mint_room_token(
                  {kKey.access_key, "SK-wrong"},
                  {"demo", "room", "a", at_seconds(kNowSeconds + 60), auth::Permission::kAdmin})}) {
            EXPECT_EQ(told(call(method, path, body, bad)), R"(401 {"error":"bad token"})");
        }
    }
    EXPECT_EQ(tasks().size(), 1U);
}

TEST_F(RtcPubTest, S10_SourcesPassTheUrlGate) {
    for (const char* url : {"",
                            "file:///etc/passwd",
                            "rtmp://example.com/a",
                            "https://",
                            "http://127.0.0.1/a.mp4",
                            "http://10.1.2.3/a.mp4",
                            "http://169.254.169.254/latest",
                            "http://[::1]/a.mp4",
                            "http://localhost/a.mp4",
                            "https://user:pw@example.com/a.mp4"}) {
        const std::string body = json::serialize(json::object{{"sourceUrls", json::array{url}}});
        EXPECT_EQ(told(call("POST", "", body)), R"(400 {"error":"invalid args"})") << url;
    }
    json::array many;
    for (std::size_t i = 0; i <= RtcPub::kMaxSources; ++i)
        many.emplace_back("https://example.com/a");
    for (const std::string& body :
         {std::string(),
          std::string("["),
          std::string("{}"),
          std::string(R"({"sourceUrls":"https://example.com/a"})"),
          std::string(R"({"sourceUrls":[]})"),
          std::string(R"({"sourceUrls":[7]})"),
          std::string(R"({"sourceUrls":["https://example.com/a"],"name":7})"),
          json::serialize(json::object{{"sourceUrls", many}})}) {
        EXPECT_EQ(told(call("POST", "", body)), R"(400 {"error":"invalid args"})") << body;
    }
    EXPECT_TRUE(tasks().empty());
    // What the operator allows, it allows here, too.
    gate::UrlGate::Policy policy;
    policy.networks = {*gate::Network::parse("10.0.0.0/8")};
    Router open{{.signing_key = "k", .sources = policy},
                Rng(7),
                secrets,
                directory,
                sessions,
                estate,
                rooms,
                history};
    HttpRequest request;
    request.method = "POST";
    request.target = "/v3/apps/demo/rooms/room/pub?token=" + token(auth::Permission::kAdmin);
    request.body = R"({"sourceUrls":["http://10.1.2.3/a.mp4"]})";
    EXPECT_EQ(open.handle({}, kNow, request).status, 200U);
}

TEST_F(RtcPubTest, S10_SeekNamesAPlaceInTheList) {
    const std::string path = "/" + create() + "/seek";
    for (const char* body : {"",
                             "{}",
                             R"({"index":0})",
                             R"({"index":1,"seek":0})",
                             R"({"index":-1,"seek":0})",
                             R"({"index":0,"seek":-1})",
                             R"({"index":0,"seek":"soon"})",
                             R"({"index":0,"seek":99999999999999})"}) {
        EXPECT_EQ(told(call("POST", path, body)), R"(400 {"error":"invalid args"})") << body;
    }
}

TEST_F(RtcPubTest, S10_OtherJobsAreNotItsTasks) {
    JobRecord merge;
    merge.room = {"demo", "room"};
    merge.id = "m1";
    merge.kind = JobKind::kMerge;
    ASSERT_TRUE(estate.put_job(merge));
    EXPECT_TRUE(tasks().empty());
    EXPECT_EQ(told(call("DELETE", "/m1")), R"(612 {"error":"job not found"})");
    EXPECT_NE(estate.find_job({"demo", "room"}, "m1"), nullptr);
}

TEST_F(RtcPubTest, S10_PreflightBoundsAndAFullStore) {
    EXPECT_EQ(call("OPTIONS").status, 204U);
    EXPECT_EQ(call("OPTIONS").header("Access-Control-Allow-Methods"), "POST, GET, OPTIONS");
    EXPECT_EQ(call("PUT").status, 405U);
    const std::string task = "/" + create();
    estate.store_is_full = true;
    EXPECT_EQ(call("POST", "", R"({"sourceUrls":["https://example.com/a"]})").status, 503U);
    EXPECT_EQ(call("DELETE", task).status, 503U);
}

}  // namespace
}  // namespace parley::rest

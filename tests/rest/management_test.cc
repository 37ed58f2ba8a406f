#include "rest/management.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "auth/qiniu_signature.h"
#include "rest/router.h"
#include "support.h"

namespace parley::rest {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

namespace json = boost::json;

struct ManagementTest : ::testing::Test, RoutedFakes {
    HttpResponse send(const HttpRequest& r) {
        HttpResponse response = router.handle(now, kNow, r);
        EXPECT_EQ(response.header("X-Reqid").size(), 16U);
        if (!response.body.empty()) {
            EXPECT_EQ(response.header("Content-Type"), "application/json") << response.body;
        }
        return response;
    }
    HttpResponse call(const std::string& method,
                      const std::string& target,
                      const std::string& body = "",
                      const std::string& type = "application/json",
                      const auth::AccountKey& key = kKey) {
        return send(signed_request(method, target, body, type, key));
    }
    json::object answer(const std::string& method,
                        const std::string& target,
                        const std::string& body = "") {
        const HttpResponse response = call(method, target, body);
        EXPECT_EQ(response.status, 200U) << method << ' ' << target << ' ' << response.body;
        json::value value = json::parse(response.body);
        return value.as_object();
    }
    void expect(unsigned status, const std::string& text, const HttpResponse& response) {
        EXPECT_EQ(response.status, status) << response.body;
        EXPECT_EQ(response.body, R"({"error":")" + text + R"("})");
    }

    Instant now{};
};

TEST_F(ManagementTest, CreateGetUpdateListDelete) {
    const json::object made =
        answer("POST",
               "/v3/apps",
               R"({"hub":"myhub","title":"demo","maxUsers":10,"noAutoKickUser":true})");
    const std::string id(made.at("appId").as_string());
    EXPECT_THAT(id, SizeIs(9));
    EXPECT_TRUE(id[0] >= 'a' && id[0] <= 'z') << id;
    EXPECT_EQ(made.at("maxUsers"), 10);
    EXPECT_EQ(made.at("noAutoKickUser"), true);
    EXPECT_EQ(made.at("videoCodec"), "H264");
    EXPECT_EQ(made.at("autoCloseTtl"), 10);
    EXPECT_EQ(made.at("uid"), 1);
    EXPECT_EQ(made.at("createdAt"), "2023-11-14T22:13:20.000000000+00:00");
    EXPECT_EQ(answer("GET", "/v3/apps/" + id), made);

    const json::object changed = answer("POST", "/v3/apps/" + id, R"({"title":"new"})");
    EXPECT_EQ(changed.at("title"), "new");
    EXPECT_EQ(changed.at("hub"), "myhub");
    EXPECT_EQ(changed.at("maxUsers"), 10);
    EXPECT_THAT(answer("GET", "/v3/apps").at("apps").as_array(), SizeIs(2));
    EXPECT_THAT(answer("DELETE", "/v3/apps/" + id), IsEmpty());
    expect(612, "app not found", call("GET", "/v3/apps/" + id));
}

TEST_F(ManagementTest, WhatTheSdksSend) {
    // Current Java: explicit nulls, zeros, the app's id inside (REST section 16.2).
    answer("POST", "/v3/apps/demo", R"({"hub":"h","title":"t","maxUsers":7})");
    const json::object java =
        answer("POST",
               "/v3/apps/demo",
               R"({"appId":"x","hub":null,"title":null,"maxUsers":0,"noAutoKickUser":true})");
    EXPECT_EQ(java.at("appId"), "demo");
    EXPECT_EQ(java.at("hub"), "h");
    EXPECT_EQ(java.at("maxUsers"), 7);
    EXPECT_EQ(java.at("noAutoKickUser"), true);
    // Python: a dict becomes a form, nested values are lost.
    const HttpResponse python =
        call("POST",
             "/v3/apps/demo",
             "hub=a%20b&title=x%2By+z&maxUsers=10&noAutoKickUser=False&mergePublishRtmp=enable",
             "application/x-www-form-urlencoded");
    const json::object form = json::parse(python.body).as_object();
    EXPECT_EQ(form.at("hub"), "a b");
    EXPECT_EQ(form.at("title"), "x+y z");
    EXPECT_EQ(form.at("maxUsers"), 10);
    EXPECT_EQ(form.at("noAutoKickUser"), false);
    EXPECT_FALSE(form.contains("mergePublishRtmp"));
    // Python given a JSON text keeps the form's type.
    const HttpResponse text =
        call("POST", "/v3/apps/demo", R"( {"title":"json"})", "application/x-www-form-urlencoded");
    EXPECT_EQ(json::parse(text.body).at("title"), "json");
    // PHP: an empty text clears.
    EXPECT_EQ(answer("POST", "/v3/apps/demo", R"({"hub":""})").at("hub"), "");
    // Node and Go sign a Content-Type on calls without a body.
    EXPECT_EQ(call("GET", "/v3/apps/demo", "", "application/x-www-form-urlencoded").status, 200U);
    EXPECT_EQ(call("GET", "/v3/apps/demo", "", "").status, 200U);
    // Go: one field at a time inside the merge settings.
    answer("POST", "/v3/apps/demo", R"({"mergePublishRtmp":{"enable":true,"width":640}})");
    const json::object go = answer("POST", "/v3/apps/demo", R"({"mergePublishRtmp":{"fps":30}})");
    EXPECT_EQ(go.at("mergePublishRtmp").at("width"), 640);
    EXPECT_EQ(go.at("mergePublishRtmp").at("fps"), 30);
}

TEST_F(ManagementTest, ACallBackSecretIsNeverShown) {
    const HttpResponse response =
        call("POST",
             "/v3/apps/demo",
             R"({"eventCbUrl":"http://h/cb","eventCbSecret":"planted","eventCbVersion":1})");
    EXPECT_EQ(response.status, 200U);
    EXPECT_THAT(response.body, Not(HasSubstr("planted")));
    EXPECT_THAT(response.body, HasSubstr("http://h/cb"));
    EXPECT_EQ(estate.find_app("demo")->event_secret, "planted");
}

TEST_F(ManagementTest, BadValuesChangeNothing) {
    const AppRecord before = *estate.find_app("demo");
    for (const char* body : {R"({"title":1})",
                             R"({"maxUsers":-1})",
                             R"({"maxUsers":1e99})",
                             R"({"maxUsers":"x"})",
                             R"({"title":"good","noAutoKickUser":"perhaps"})",
                             R"({"videoCodec":"H265"})",
                             R"({"eventCbUrl":"ftp://x"})",
                             R"({"mergePublishRtmp":{"fps":-1}})",
                             R"([1])",
                             R"("x")",
                             R"({"title":"a\u0000b"})",
                             R"({"title":)",
                             "title=a"}) {
        expect(400, "invalid args", call("POST", "/v3/apps/demo", body));
    }
    std::string deep = "1";
    for (int i = 0; i < 40; ++i) deep = R"({"a":)" + deep + "}";
    std::string wide = "{\"k\":0";
    for (int i = 0; i < 2'000; ++i) wide += ",\"k" + std::to_string(i) + "\":0";
    expect(400, "invalid args", call("POST", "/v3/apps/demo", deep));
    expect(400, "invalid args", call("POST", "/v3/apps/demo", wide + "}"));
    expect(400,
           "invalid args",
           call("POST", "/v3/apps/demo", "title=%ff", "application/x-www-form-urlencoded"));
    EXPECT_EQ(*estate.find_app("demo"), before);
}

TEST_F(ManagementTest, AnotherAccountsAppIsAsUnknownAsAMissingOne) {
    for (const auto& [method, path] :
         {std::pair{"GET", "/v3/apps/"}, {"POST", "/v3/apps/"}, {"DELETE", "/v3/apps/"}}) {
        const HttpResponse foreign =
            call(method, std::string(path) + "demo", "", "application/json", kOtherKey);
        const HttpResponse missing =
            call(method, std::string(path) + "nosuchapp", "", "application/json", kOtherKey);
        EXPECT_EQ(foreign.status, missing.status);
        EXPECT_EQ(foreign.body, missing.body);
    }
    for (const auto& [method, path] : {std::pair{"GET", "/v3/apps/demo/rooms"},
                                       {"GET", "/v3/apps/demo/rooms/a/users"},
                                       {"DELETE", "/v3/apps/demo/rooms/a/users/u1"},
                                       {"DELETE", "/v3/apps/demo/rooms/a"},
                                       {"POST", "/v3/apps/demo/createroom"},
                                       {"POST", "/v4/apps/demo/rooms/a/jobs"}}) {
        expect(612, "app not found", call(method, path, "{}", "application/json", kOtherKey));
    }
    EXPECT_THAT(estate.users["a"], SizeIs(2));
}

TEST_F(ManagementTest, Authentication) {
    HttpRequest good = signed_request("GET", "/v3/apps/demo");
    EXPECT_EQ(send(good).status, 200U);
    const std::string authorization(good.header("Authorization"));
    for (std::size_t i = 0; i < authorization.size(); ++i) {
        HttpRequest changed = good;
        changed.headers.back().second[i] ^= 1;
        expect(401, "bad token", send(changed));
    }
    HttpRequest none = good;
    none.headers.pop_back();
    expect(401, "bad token", send(none));
    HttpRequest other_host = good;
    other_host.host = "other.example.org";
    expect(401, "bad token", send(other_host));
    HttpRequest other_path = good;
    other_path.target = "/v3/apps/demo?x=1";
    expect(401, "bad token", send(other_path));
    expect(401,
           "bad token",
           call("GET", "/v3/apps/demo", "", "application/json", {"AK-test", "wrong"}));
}

TEST_F(ManagementTest, AFloodOfFailuresIsCutOffAndForgiven) {
    HttpRequest bad = signed_request("GET", "/v3/apps/demo");
    bad.headers.back().second += "x";
    unsigned status = 0;
    for (int i = 0; i < 2'000 && status != 429; ++i) status = send(bad).status;
    EXPECT_EQ(status, 429U);
    EXPECT_EQ(call("GET", "/v3/apps/demo").status, 429U) << "from the same address";
    HttpRequest elsewhere = signed_request("GET", "/v3/apps/demo");
    elsewhere.peer = "192.0.2.2";
    EXPECT_EQ(send(elsewhere).status, 200U);
    now += 10s;
    EXPECT_EQ(call("GET", "/v3/apps/demo").status, 200U);
}

TEST_F(ManagementTest, RoomsAreListedByPage) {
    json::object page = answer("GET", "/v3/apps/demo/rooms?prefix=&offset=0&limit=2");
    EXPECT_EQ(json::serialize(page), R"({"end":false,"offset":2,"rooms":["a","b"]})");
    page = answer("GET", "/v3/apps/demo/rooms?prefix=&offset=2&limit=2");
    EXPECT_EQ(json::serialize(page), R"({"end":true,"offset":3,"rooms":["c"]})");
    EXPECT_EQ(answer("GET", "/v3/apps/demo/rooms").at("rooms").as_array().size(), 3U);
    EXPECT_EQ(answer("GET", "/v3/apps/demo/rooms?prefix=zzz").at("rooms").as_array().size(), 0U);
    EXPECT_EQ(answer("GET", "/v3/apps/demo/rooms?offset=undefined&limit=undefined").at("end"),
              true);
    EXPECT_EQ(answer("GET", "/v3/apps/demo/rooms?limit=99999999").at("rooms").as_array().size(),
              3U);
    for (const char* query :
         {"?limit=-1", "?offset=-1", "?limit=x", "?offset=99999999999999999999999"}) {
        expect(400, "invalid args", call("GET", std::string("/v3/apps/demo/rooms") + query));
    }
}

TEST_F(ManagementTest, UsersAndKick) {
    EXPECT_EQ(json::serialize(answer("GET", "/v3/apps/demo/rooms/a/users")),
              R"({"users":[{"userId":"u1"},{"userId":"u2"}]})");
    EXPECT_EQ(json::serialize(answer("GET", "/v3/apps/demo/rooms/nobody/users")),
              R"({"users":[]})");
    EXPECT_THAT(answer("DELETE", "/v3/apps/demo/rooms/a/users/u1"), IsEmpty());
    expect(612, "user not found", call("DELETE", "/v3/apps/demo/rooms/a/users/u1"));
    expect(615, "room not active", call("DELETE", "/v3/apps/demo/rooms/nobody/users/u1"));
    expect(612, "app not found", call("DELETE", "/v3/apps/none/rooms/a/users/u1"));
}

TEST_F(ManagementTest, RoomsAreMadeAndClosed) {
    const json::object made = answer(
        "POST",
        "/v3/apps/demo/createroom",
        R"({"roomName":"new","maxUsers":3,"autoCloseTtlS":30,"noEntreTtlS":3600,"openRoom":true})");
    EXPECT_EQ(json::serialize(made), R"({"roomId":"demo:new","status":"OK"})");
    ASSERT_THAT(estate.created, SizeIs(1));
    EXPECT_EQ(estate.created[0].second.max_users, 3U);
    EXPECT_EQ(estate.created[0].second.auto_close_ttl, 30s);
    EXPECT_EQ(estate.created[0].second.enter_ttl, 3600s);
    answer(
        "POST", "/v3/apps/demo/createroom", R"({"roomName":"shut","maxUsers":0,"openRoom":false})");
    EXPECT_FALSE(estate.created[1].second.open);
    for (const char* body : {"{}", R"({"roomName":"a b"})", R"({"roomName":"x","maxUsers":-1})"}) {
        expect(400, "invalid args", call("POST", "/v3/apps/demo/createroom", body));
    }
    EXPECT_EQ(json::serialize(answer("DELETE", "/v3/apps/demo/rooms/a")), R"({"status":"OK"})");
    expect(612, "room not found", call("DELETE", "/v3/apps/demo/rooms/a"));
}

constexpr const char* kBasic = R"({"type":"basic",
 "inputs":[{"userId":"user-a","position":{"x":0,"y":0,"w":1081,"h":720,"z":1}},
           {"kind":"image","url":"http://e/b.png","position":{"x":0,"y":0,"w":601,"h":720,"z":0}}],
 "config":{"width":1080,"height":720,"fps":25,"kbps":2000},
 "outputs":[{"type":"rtmp","url":"rtmp://example.com/stream"}]})";

TEST_F(ManagementTest, V4JobsAreCheckedKeptAndNeverFalselyRunning) {
    const json::object made = answer("POST", "/v4/apps/demo/rooms/room/jobs", kBasic);
    const std::string id(made.at("id").as_string());
    EXPECT_EQ(made.at("status"), "OK");
    EXPECT_THAT(id, ::testing::MatchesRegex("basic-[a-z0-9]{10}"));
    const JobRecord* job = estate.find_job({"demo", "room"}, id);
    ASSERT_NE(job, nullptr);
    EXPECT_EQ(job->state, JobState::kFailed);
    EXPECT_NE(job->reason, "");
    EXPECT_EQ(job->spec.at("inputs").at(0).at("position").at("w"), 1080) << "rounded down to even";
    EXPECT_EQ(job->spec.at("inputs").at(0).at("kind"), "media");

    std::string update(kBasic);
    update.insert(1, R"("id":")" + id + R"(",)");
    EXPECT_EQ(answer("POST", "/v4/apps/demo/rooms/room/jobs/update", update).at("id"),
              json::string(id));
    EXPECT_EQ(
        answer("POST", "/v4/apps/demo/rooms/room/jobs/stop", R"({"id":")" + id + R"("})").at("id"),
        json::string(id));
    expect(612,
           "job not found",
           call("POST", "/v4/apps/demo/rooms/room/jobs/stop", R"({"id":"none"})"));
    expect(612,
           "job not found",
           call("POST", "/v4/apps/demo/rooms/other/jobs/stop", R"({"id":")" + id + R"("})"));
    EXPECT_EQ(
        answer(
            "POST",
            "/v4/apps/demo/rooms/room/jobs",
            R"({"type":"simple","inputs":[{"userId":"u"}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})")
            .at("status"),
        "OK");
}

TEST_F(ManagementTest, V4JobsThatAreRefused) {
    for (
        const char* body :
        {"{}",
         "{",
         "[]",
         R"({"type":"other","inputs":[{"userId":"u"}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})",
         R"({"type":"simple","inputs":[],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})",
         R"({"type":"simple","inputs":[{"userId":"u"}],"outputs":[]})",
         R"({"type":"simple","inputs":[{"userId":"u"}]})",
         R"({"type":"simple","inputs":[{}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})",
         R"({"type":"basic","inputs":[{"kind":"image"}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})",
         R"({"type":"basic","inputs":[{"userId":"u"},{"userId":"v"}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})",
         R"({"type":"basic","inputs":[{"userId":"u","position":{"z":65536}}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"}]})",
         R"({"type":"simple","inputs":[{"userId":"u"}],"outputs":[{"type":"rtmp","url":"file:///etc/passwd"}]})",
         R"({"type":"simple","inputs":[{"userId":"u"}],"outputs":[{"type":"file","url":"../x"}]})",
         R"({"type":"simple","inputs":[{"userId":"u"}],"outputs":[{"type":"rtmp","url":"rtmp://e/s"},{"type":"rtmp","url":"rtmp://e/t"}]})"}) {
        expect(400, "invalid input", call("POST", "/v4/apps/demo/rooms/room/jobs", body));
    }
    EXPECT_THAT(estate.jobs, IsEmpty());
}

TEST_F(ManagementTest, V3MergeAndForwardJobs) {
    const std::string base = "/v3/apps/demo/rooms/room/";
    EXPECT_EQ(
        answer("POST",
               base + "merge_job",
               R"({"id":"m1","width":640,"height":480,"publishUrl":"rtmp://e/s","background":null,
                         "waterMarks":[{"url":"http://e/w.png","x":0,"y":0,"w":10,"h":10}]})")
            .at("id"),
        "m1");
    answer("POST",
           base + "merge_job/m1/tracks",
           R"({"mode":0,"add":[{"trackID":"t1","x":0},{"trackID":"t2"}]})");
    answer(
        "POST", base + "merge_job/m1/tracks", R"({"mode":0,"add":[],"remove":[{"trackID":"t1"}]})");
    const JobRecord* job = estate.find_job({"demo", "room"}, "m1");
    ASSERT_EQ(job->spec.at("tracks").as_array().size(), 1U);
    EXPECT_EQ(job->spec.at("tracks").at(0).at("trackID"), "t2");
    EXPECT_EQ(job->spec.at("watermarks").as_array().size(), 1U);
    answer("POST", base + "merge_job/m1/tracks", R"({"mode":1,"all":[{"trackID":"t3"}]})");
    EXPECT_EQ(estate.find_job({"demo", "room"}, "m1")->spec.at("tracks").at(0).at("trackID"), "t3");
    answer("POST", base + "merge_job/m1/watermarks", R"({"watermarks":[]})");
    EXPECT_EQ(answer("DELETE", base + "merge_job/m1").at("id"), "m1");
    expect(612, "job not found", call("DELETE", base + "merge_job/none"));
    expect(612, "job not found", call("POST", base + "merge_job/none/tracks", R"({"mode":0})"));
    EXPECT_EQ(
        answer("POST", base + "merge", R"({"RoomId":"r9","publishUrl":"rtmp://e/s"})").at("id"),
        "r9");
    EXPECT_EQ(call("DELETE", base + "merge").status, 200U) << "also with none there";
    EXPECT_EQ(
        answer(
            "POST",
            base + "forward_job",
            R"({"id":"111","publishUrl":"rtmp://e/s","playerId":"admin","tracks":[{"trackId":"t1"}]})")
            .at("id"),
        "111");
    EXPECT_EQ(answer("POST",
                     base + "forward_job/delete",
                     R"({"id":"111","publishUrl":null,"playerId":"admin","tracks":null})")
                  .at("id"),
              "111");
    expect(400, "invalid input", call("POST", base + "forward_job", R"({"id":"1"})"));
}

TEST_F(ManagementTest, ScanJobsAreCheckedAndKept) {
    const std::string path = "/v3/apps/demo/rooms/room/scan_job";
    const auto body = [](const std::string& tracks, const std::string& params) {
        return R"({"id":"s1","playerId":"u","callBack":"http://203.0.113.9/cb","tracks":)" + tracks +
               R"(,"params":)" + params + "}";
    };
    const std::string image =
        R"({"image":{"is_on":true,"scenes":["pulp","ads"],"interval_msecs":5000,"saver":{"bucket":"b"}}})";
    for (const char* tracks : {R"("t1")", R"(["t1"])", R"([{"trackId":"t1"}])"}) {
        EXPECT_EQ(json::serialize(answer("POST", path, body(tracks, image))),
                  R"({"id":"s1","status":"OK"})");
        const JobRecord* job = estate.find_job({"demo", "room"}, "s1");
        EXPECT_EQ(job->kind, JobKind::kScan);
        EXPECT_EQ(job->state, JobState::kFailed) << "nothing scans yet";
        EXPECT_EQ(json::serialize(job->spec.at("tracks")), R"([{"trackId":"t1"}])");
        EXPECT_EQ(job->spec.at("params").at("image").at("hook_rule"), 0);
    }
    answer("POST", path, body(R"("t1")", R"({"audio":{"is_on":true,"scenes":["antispam"],"hook_rule":1}})"));
    EXPECT_EQ(answer("POST", path + "/delete", R"({"id":"s1","playerId":"u"})").at("id"), "s1");
    expect(612, "job not found", call("POST", path + "/delete", R"({"id":"s2","playerId":"u"})"));
    for (const std::string& bad :
         {body("[]", image), body("7", image), body(R"([{"id":"t"}])", image), body(R"("t1")", "{}"),
          body(R"("t1")", R"({"image":{"is_on":false}})"),
          body(R"("t1")", R"({"image":{"is_on":true,"scenes":["pulp"],"interval_msecs":5000}})"),
          body(R"("t1")",
               R"({"image":{"is_on":true,"scenes":["pulp"],"interval_msecs":999,"saver":{"bucket":"b"}}})"),
          body(R"("t1")",
               R"({"image":{"is_on":true,"scenes":["antispam"],"interval_msecs":5000,"saver":{"bucket":"b"}}})"),
          body(R"("t1")", R"({"audio":{"is_on":true,"scenes":[]}})"),
          body(R"("t1")", R"({"audio":{"is_on":true,"scenes":["antispam"],"hook_rule":2}})"),
          std::string(R"({"id":"s1"})")}) {
        expect(400, "invalid input", call("POST", path, bad));
    }
}

TEST_F(ManagementTest, SaveAsOfWhatWasNeverRecorded) {
    const std::string path = "/v4/apps/demo/saveas";
    expect(612, "stream not found",
           call("POST", path, R"({"streamName":"s","fname":"f.m3u8","expireDays":0})"));
    expect(612, "stream not found",
           call("POST", path, R"({"streamName":"s","fname":"f.m3u8","start":1,"end":2,"expireDays":7})"));
    for (const char* bad : {R"({"fname":"f.m3u8","expireDays":0})",
                            R"({"streamName":"s","fname":"f.m3u8"})",
                            R"({"streamName":"s","fname":"../f.m3u8","expireDays":0})",
                            R"({"streamName":"s","fname":"f.m3u8","start":1,"expireDays":0})",
                            R"({"streamName":"s","fname":"f.m3u8","start":2,"end":1,"expireDays":0})",
                            R"({"streamName":"s","fname":"f.m3u8","expireDays":-1})"}) {
        expect(400, "invalid args", call("POST", path, bad));
    }
    expect(612, "app not found", call("POST", "/v4/apps/none/saveas", "{}"));
}

TEST_F(ManagementTest, AFullStoreIsSaidSo) {
    estate.store_is_full = true;
    EXPECT_EQ(call("POST", "/v3/apps", R"({"title":"x"})").status, 503U);
    EXPECT_EQ(call("POST", "/v3/apps/demo", R"({"title":"x"})").status, 503U);
    EXPECT_EQ(call("DELETE", "/v3/apps/demo").status, 503U);
    EXPECT_EQ(call("POST", "/v4/apps/demo/rooms/room/jobs", kBasic).status, 503U);
    EXPECT_EQ(estate.find_app("demo")->title, "Demo");
}

TEST_F(ManagementTest, MethodsAndPreflight) {
    const HttpResponse wrong = call("PUT", "/v3/apps/demo");
    EXPECT_EQ(wrong.status, 405U);
    EXPECT_THAT(std::string(wrong.header("Allow")), HasSubstr("POST"));
    const HttpResponse options = call("OPTIONS", "/v3/apps/demo");
    EXPECT_EQ(options.status, 204U);
    EXPECT_THAT(std::string(options.header("Access-Control-Allow-Headers")),
                HasSubstr("authorization"));
}

TEST(AppRecord, StoredFormReadsBack) {
    AppRecord app;
    app.app_id = "abc";
    app.uid = 7;
    app.title = "名";
    app.max_users = 12;
    app.event_url = "https://h/x";
    app.event_secret = "s";
    app.merge_publish_rtmp = json::object{{"enable", true}};
    app.created_at = kNow + 837'760'266ns;
    app.updated_at = kNow;
    const Result<AppRecord> back = app_from_json(stored_app_json(app));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, app);
    EXPECT_EQ(rfc3339(app.created_at), "2023-11-14T22:13:20.837760266+00:00");
    EXPECT_FALSE(app_from_json({}).has_value());
}

}  // namespace
}  // namespace parley::rest

// The requests of the official server SDKs that cannot run here, as REST sections 2.2 and 16
// describe them byte by byte, against a whole server; each answer is judged as that SDK judges it
// (section 16.3).
#include "sdk_requests.h"

namespace parley::server {
namespace {

TEST_F(SdkRequests, R4_JavaFlowOfItsOwnTest) {
    play(
        kJava,
        {
            {"createApp",
             "POST",
             "/v3/apps",
             R"({"appId":null,"hub":null,"title":"demo","maxUsers":20,"noAutoKickUser":false})",
             200,
             R"("maxUsers":20)"},
            {"getApp", "GET", "/v3/apps/$app", "", 200, R"("title":"demo")"},
            {"updateApp",
             "POST",
             "/v3/apps/$app",
             R"({"appId":"other","hub":null,"title":null,"maxUsers":0,"noAutoKickUser":true})",
             200,
             R"("maxUsers":20)"},
            {"createRoom",
             "POST",
             "/v3/apps/$app/createroom",
             R"({"roomName":"room01","maxUsers":0,"autoCloseTtlS":30,"noEntreTtlS":3600,"openRoom":true})",
             200,
             R"("status":"OK")"},
            {"createRoom again",
             "POST",
             "/v3/apps/$app/createroom",
             R"({"roomName":"room01","maxUsers":5,"autoCloseTtlS":30,"noEntreTtlS":3600,"openRoom":true})",
             200,
             ":room01"},
            {"listUser", "GET", "/v3/apps/$app/rooms/room01/users", "", 200, R"("users":[])"},
            {"listActiveRoom",
             "GET",
             "/v3/apps/$app/rooms?prefix=room&offset=0&limit=10",
             "",
             200,
             R"("end":true)"},
            {"kickUser",
             "DELETE",
             "/v3/apps/$app/rooms/room01/users/user1",
             "",
             615,
             "room not active"},
            {"deleteRoom", "DELETE", "/v3/apps/$app/rooms/room01", "", 200, R"("status":"OK")"},
            {"createForwardJob",
             "POST",
             "/v3/apps/$app/rooms/room01/forward_job",
             R"({"id":"111","playerId":"admin","publishUrl":"rtmp://e.example/s","tracks":[{"trackId":"t1"}]})",
             200,
             R"("id":"111")"},
            {"stopForwardJob",
             "POST",
             "/v3/apps/$app/rooms/room01/forward_job/delete",
             R"({"id":"111","playerId":"admin","publishUrl":null,"tracks":null})",
             200,
             R"("status":"OK")"},
            {"createMergeJob",
             "POST",
             "/v3/apps/$app/rooms/room01/merge_job",
             R"({"id":"m1","audioOnly":false,"width":1280,"height":720,"fps":25,"kbps":1000,"minRate":null,"maxRate":null,)"
             R"("stretchMode":"aspectFill","publishUrl":"rtmp://e.example/m","background":null,"waterMarks":null,)"
             R"("holdLastFrame":false,"template":"horizontal","userInfos":[{"userId":"u","backgroundUrl":null,)"
             R"("stretchMode":null,"sequence":1}]})",
             200,
             R"("id":"m1")"},
            {"updateTracks",
             "POST",
             "/v3/apps/$app/rooms/room01/merge_job/m1/tracks",
             R"({"mode":0,"add":[{"trackID":"t","x":0,"y":0,"z":0,"w":601,"h":720,"stretchMode":null,"supportSei":false}],)"
             R"("remove":null,"all":null})",
             200,
             R"("status":"OK")"},
            {"updateWatermarks",
             "POST",
             "/v3/apps/$app/rooms/room01/merge_job/m1/watermarks",
             R"({"watermarks":[{"url":"http://e/w.png","x":0,"y":0,"w":10,"h":10,"stretchMode":null}]})",
             200,
             "OK"},
            {"stopMergeJob",
             "DELETE",
             "/v3/apps/$app/rooms/room01/merge_job/m1",
             "",
             200,
             R"("status":"OK")"},
            {"v4 create",
             "POST",
             "/v4/apps/$app/rooms/room01/jobs",
             R"({"id":null,"type":"basic","inputs":[{"kind":null,"userId":"u","tag":null,"url":null,"position":)"
             R"({"x":0,"y":0,"w":601,"h":720,"z":0},"stretchMode":null}],"config":{"fps":25,"kbps":1000,"width":1280,)"
             R"("height":720,"audioOnly":null,"holdLastFrame":false,"stretchMode":null},)"
             R"("outputs":[{"type":"rtmp","url":"rtmp://e.example/v4"}]})",
             200,
             R"("id":"basic-)"},
            {"v4 create, bad",
             "POST",
             "/v4/apps/$app/rooms/room01/jobs",
             R"({"id":null,"type":null,"inputs":null})",
             400,
             R"({"error":"invalid input"})"},
            {"v4 stop, unknown",
             "POST",
             "/v4/apps/$app/rooms/room01/jobs/stop",
             R"({"id":"basic-ulwelrjl12"})",
             612,
             "job not found"},
            {"setEventCallback",
             "POST",
             "/v3/apps/$app",
             R"({"eventCbUrl":"http://203.0.113.9/cb","eventCbSecret":"s","eventCbVersion":1})",
             200,
             "203.0.113.9"},
            {"path with an escape",
             "GET",
             "/v3/apps/$app/rooms/room%30%31/users",
             "",
             200,
             R"("users":[])"},
            {"deleteApp", "DELETE", "/v3/apps/$app", "", 200, "{}"},
            {"getApp, gone", "GET", "/v3/apps/$app", "", 612, "app not found"},
        });
}

TEST_F(SdkRequests, R5_PythonFlow) {
    play(kPython,
         {
             {"create_app(dict)",
              "POST",
              "/v3/apps",
              "hub=a&title=b+c&maxUsers=10&noAutoKickUser=True",
              200,
              R"("noAutoKickUser":true)"},
             {"get_app(id)", "GET", "/v3/apps/$app", "", 200, R"("title":"b c")"},
             {"get_app()", "GET", "/v3/apps", "", 200, R"("apps":[)"},
             {"update_app(dict), nested",
              "POST",
              "/v3/apps/$app",
              "title=new&mergePublishRtmp=enable&mergePublishRtmp=fps",
              200,
              R"("title":"new")"},
             {"update_app(str)",
              "POST",
              "/v3/apps/$app",
              R"({"maxUsers": 7})",
              200,
              R"("maxUsers":7)"},
             {"list_user", "GET", "/v3/apps/$app/rooms/nobody/users", "", 200, R"("users":[])"},
             {"kick_user",
              "DELETE",
              "/v3/apps/$app/rooms/nobody/users/u",
              "",
              615,
              "room not active"},
             {"list_active_rooms", "GET", "/v3/apps/$app/rooms", "", 200, R"("rooms":[])"},
             {"list_active_rooms(prefix)",
              "GET",
              "/v3/apps/$app/rooms?prefix=meet",
              "",
              200,
              R"("rooms":[])"},
             {"delete_app", "DELETE", "/v3/apps/$app", "", 200, "{}"},
             {"create_app(str)",
              "POST",
              "/v3/apps",
              R"({"title":"text","noAutoKickUser":1})",
              200,
              R"("title":"text")"},
             {"delete_app", "DELETE", "/v3/apps/$app", "", 200, "{}"},
             {"delete_app, gone", "DELETE", "/v3/apps/$app", "", 612, "app not found"},
         });
}

TEST_F(SdkRequests, R6_PhpTheTenMethods) {
    const std::string long_title = R"({"hub":null,"title":")" + std::string(1'200, 't') + R"("})";
    play(
        kPhp,
        {
            {"createApp",
             "POST",
             "/v3/apps",
             R"({"hub":"h","title":"t","maxUsers":10,"noAutoKickUser":true})",
             200,
             R"("hub":"h")"},
            {"updateApp",
             "POST",
             "/v3/apps/$app",
             R"({"hub":null,"title":""})",
             200,
             R"("hub":"h")"},
            {"updateApp, long", "POST", "/v3/apps/$app", long_title.c_str(), 200, "tttt"},
            {"updateApp with merge",
             "POST",
             "/v3/apps/$app",
             R"({"hub":"","title":null,"mergePublishRtmp":{"enable":true,"audioOnly":false,"height":720,"width":1280,)"
             R"("fps":25,"kbps":1000,"url":"rtmp://e.example/s","streamTitle":null}})",
             200,
             R"("enable":true)"},
            {"getApp", "GET", "/v3/apps/$app", "", 200, R"("hub":"")"},
            {"listUser", "GET", "/v3/apps/$app/rooms/nobody/users", "", 200, R"("users":[])"},
            {"kickUser",
             "DELETE",
             "/v3/apps/$app/rooms/nobody/users/u",
             "",
             615,
             "room not active"},
            {"stopMerge without a merge",
             "DELETE",
             "/v3/apps/$app/rooms/nobody/merge",
             "",
             200,
             "{}"},
            {"listActiveRooms", "GET", "/v3/apps/$app/rooms", "", 200, R"("rooms":[])"},
            {"listActiveRooms, some",
             "GET",
             "/v3/apps/$app/rooms?limit=2",
             "",
             200,
             R"("end":true)"},
            {"deleteApp", "DELETE", "/v3/apps/$app", "", 200, "{}"},
            {"getApp, gone", "GET", "/v3/apps/$app", "", 612, R"("error":"app not found")"},
        });
}

TEST_F(SdkRequests, R7_GoFlowOneFieldAtATime) {
    play(kGo,
         {
             {"CreateApp",
              "POST",
              "/v3/apps",
              R"({"hub":"h","title":"t","maxUsers":10,"noAutoKickUser":true})",
              200,
              R"("createdAt":)"},
             {"UpdateApp",
              "POST",
              "/v3/apps/$app",
              R"({"mergePublishRtmp":{"enable":true}})",
              200,
              R"("enable":true)"},
             {"UpdateApp",
              "POST",
              "/v3/apps/$app",
              R"({"mergePublishRtmp":{"audioOnly":true}})",
              200,
              R"("enable":true)"},
             {"UpdateApp",
              "POST",
              "/v3/apps/$app",
              R"({"mergePublishRtmp":{"height":1080}})",
              200,
              R"("audioOnly":true)"},
             {"UpdateApp",
              "POST",
              "/v3/apps/$app",
              R"({"noAutoKickUser":false})",
              200,
              R"("height":1080)"},
             {"GetApp", "GET", "/v3/apps/$app", "", 200, R"("maxUsers":10)"},
             {"ListUser", "GET", "/v3/apps/$app/rooms/nobody/users", "", 200, R"("users":[])"},
             {"KickUser",
              "DELETE",
              "/v3/apps/$app/rooms/nobody/users/u",
              "",
              615,
              "room not active"},
             {"ListActiveRooms",
              "GET",
              "/v3/apps/$app/rooms?offset=0&limit=100",
              "",
              200,
              R"("rooms":[])"},
             {"DeleteApp", "DELETE", "/v3/apps/$app", "", 200, "{}"},
         });
}

TEST_F(SdkRequests, R7_GoListsAllOf250Rooms) {
    constexpr int kRooms = 250;
    // Rooms that are active have somebody in them: mini programs without media.
    std::vector<std::unique_ptr<Wire>> members;
    for (int i = 0; i < kRooms; ++i) {
        auth::RoomClaims claims;
        claims.app_id = "demo";
        claims.room_name = fmt::format("room-{:03}", i);
        claims.user_id = "u";
        claims.expire_at = io::read_wall_clock() + 1h;
        members.push_back(join(auth::mint_room_token(kSdkKey, claims)));
    }
    // ListAllActiveRooms: 100 at a time, until `end` or an empty page.
    Wire wire(server_.port());
    std::vector<std::string> names;
    std::int64_t offset = 0;
    int pages = 0;
    for (bool end = false; !end && pages < 10; ++pages) {
        const std::string target = fmt::format("/v3/apps/demo/rooms?offset={}&limit=100", offset);
        const HttpResponse answer =
            send(wire, kGo, {"ListActiveRooms", "GET", target.c_str(), "", 200, ""});
        ASSERT_EQ(complaint(kGo, answer, false), "");
        const json::object page = json::parse(answer.body).as_object();
        for (const json::value& name : page.at("rooms").as_array())
            names.emplace_back(name.as_string());
        offset = page.at("offset").as_int64();
        end = page.at("end").as_bool() || page.at("rooms").as_array().empty();
    }
    EXPECT_EQ(pages, 3);
    ASSERT_EQ(names.size(), static_cast<std::size_t>(kRooms));
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
    EXPECT_EQ(names.front(), "room-000");
    EXPECT_EQ(names.back(), "room-249");
}

TEST_F(SdkRequests, WhatNoneOfThemSendsIsRefused) {
    Wire wire(server_.port());
    Dialect other_date = kJava;
    other_date.dates = false;
    other_date.headers = "X-Qiniu-Date: 20240102T030405Z\r\n";  // not signed
    Dialect wrong_type = kGo;
    wrong_type.headers =
        "Content-Type: text/plain\r\n";  // twice, and the first is not what was signed
    for (const Dialect& sdk : {other_date, wrong_type}) {
        const HttpResponse answer =
            send(wire, sdk, {"getApp", "GET", "/v3/apps/demo", "", 401, ""});
        EXPECT_EQ(answer.status, 401) << sdk.name;
        EXPECT_EQ(complaint(sdk, answer, true), "") << sdk.name;
    }
}

}  // namespace
}  // namespace parley::server

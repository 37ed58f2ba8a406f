// The requests of the official server SDKs that cannot run here, as REST sections 2.2 and 16
// describe them byte by byte, against a whole server; each answer is judged as that SDK judges it
// (section 16.3).
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "auth/qiniu_signature.h"
#include "loadgen/http_client.h"
#include "running_server.h"

namespace parley::server {
namespace {

namespace json = boost::json;
using loadgen::HttpResponse;

constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kHost = "rtc.qiniuapi.com";
const auth::AccountKey kSdkKey{"AK-test-0123456789", "SK-test-abcdefghij"};

/// A connection as HTTP libraries keep it: one for all requests.
class Wire {
public:
    explicit Wire(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const io::KernelAddress to = io::to_kernel({IpAddress::v4(0x7f000001), port});
        EXPECT_EQ(::connect(socket_.get(), to.get(), to.length), 0);
    }
    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ASSERT_GT(sent, 0);
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Everything up to and with `mark`; less when the server closes first.
    std::string read_until(std::string_view mark) {
        while (buffer_.find(mark) == std::string::npos && receive()) {
        }
        const std::size_t end = std::min(buffer_.size(), buffer_.find(mark) + mark.size());
        std::string out = buffer_.substr(0, end);
        buffer_.erase(0, end);
        return out;
    }
    HttpResponse read_response() {
        for (;;) {
            if (auto response = loadgen::take_http_response(buffer_)) return *std::move(response);
            if (!receive()) return {};
        }
    }

private:
    bool receive() {
        char chunk[16 * 1024];
        const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, 0);
        if (got > 0) buffer_.append(chunk, static_cast<std::size_t>(got));
        return got > 0;
    }
    io::Fd socket_;
    std::string buffer_;
};

/// How an SDK writes a request.
struct Dialect {
    const char* name;
    std::string_view get_type;     ///< Content-Type that it signs without a body; empty: none
    std::string_view delete_type;  ///< the same of DELETE
    std::string_view post_type;
    bool dates;           ///< X-Qiniu-Date
    bool signs_decoded;   ///< the path without its percent-escapes
    const char* headers;  ///< that its HTTP library adds
};

const Dialect kGo{
    "Go",
    kForm,
    kForm,
    kJson,
    false,
    true,
    "User-Agent: QiniuGo/7.25.0 (linux; amd64; ) go1.22\r\nAccept-Encoding: gzip\r\n"};
const Dialect kJava{"Java",
                    "",
                    "",
                    kJson,
                    true,
                    true,
                    "Connection: Keep-Alive\r\nAccept-Encoding: gzip\r\nUser-Agent: "
                    "QiniuJava/7.17.0 (Linux amd64 5) "
                    "Java/17\r\n"};
const Dialect kPython{
    "Python",
    kForm,
    kForm,
    kForm,
    true,
    false,
    "User-Agent: QiniuPython/7.15.0 (Linux; ) Python/3.11\r\nAccept-Encoding: gzip, deflate\r\n"
    "Accept: */*\r\nConnection: keep-alive\r\n"};
const Dialect kPhp{"PHP",
                   "",
                   kJson,
                   kJson,
                   true,
                   false,
                   "User-Agent: QiniuPHP/7.14.0 (Linux/x86_64) PHP/8.2\r\nAccept: */*\r\n"};

std::string percent_decoded(std::string_view path) {
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '%') {
            out += static_cast<char>(std::stoi(std::string(path.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else {
            out += path[i];
        }
    }
    return out;
}

/// What the SDK's own code makes of an answer; empty when it is content. `is_error`: the call is to
/// fail.
std::string complaint(const Dialect& sdk, const HttpResponse& answer, bool is_error) {
    const std::string_view name(sdk.name);
    if (answer.header("x-reqid").empty()) return "no X-Reqid";
    if (answer.header("content-type") != kJson) return "not application/json";
    boost::system::error_code error;
    const json::value value = json::parse(answer.body, error);
    if (error || !value.is_object()) return "no JSON object: " + answer.body;
    if (!is_error && answer.status != 200)
        return fmt::format("status {}: {}", answer.status, answer.body);
    if (is_error && answer.status < 300) return "no error";
    if (is_error && !value.get_object().contains("error")) return "no error text";
    if (name == "Go") {
        if (answer.body.size() > 2 * 1024 * 1024) return "longer than 2 MiB";
        // encoding/json: an absent or null slice differs from an empty one; time.Time takes RFC
        // 3339 only.
        for (const char* list : {"rooms", "users"}) {
            const json::value* found = value.get_object().if_contains(list);
            if (found != nullptr && !found->is_array()) return std::string(list) + " is no array";
        }
        if (const json::value* at = value.get_object().if_contains("createdAt")) {
            const std::string text(at->as_string());
            if (!::testing::Matches(
                    ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                                            "\\.[0-9]+[+-][0-9]{2}:[0-9]{2}"))(text)) {
                return "createdAt is not RFC 3339: " + text;
            }
        }
    }
    return {};
}

/// One call of an SDK. `$app` stands for the app that the first call made.
struct Step {
    const char* call;  ///< as the SDK names it
    const char* method;
    const char* target;
    const char* body;  ///< empty: none
    int status;
    const char* holds;           ///< in the answer
    std::string_view type = {};  ///< other than the dialect's
};

class SdkRequests : public ::testing::Test {
protected:
    HttpResponse send(Wire& wire, const Dialect& sdk, const Step& step) const {
        std::string target(step.target);
        if (const auto at = target.find("$app"); at != std::string::npos)
            target.replace(at, 4, app_);
        const std::string_view method(step.method);
        const std::string_view body(step.body);
        std::string_view type = method == "GET"      ? sdk.get_type
                                : method == "DELETE" ? sdk.delete_type
                                                     : sdk.post_type;
        if (!step.type.empty()) type = step.type;
        const std::size_t mark = target.find('?');
        std::string path = target.substr(0, mark);
        const std::string date = fmt::format(
            "{:%Y%m%dT%H%M%SZ}",
            fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
        if (sdk.signs_decoded) path = percent_decoded(path);
        auth::SignedRequestView view;
        view.method = method;
        view.path = path;
        if (mark != std::string::npos) view.query = std::string_view(target).substr(mark + 1);
        view.host = kHost;
        view.content_type = type;
        view.body = body;
        if (sdk.dates) view.headers.emplace_back("X-Qiniu-Date", date);
        std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}Authorization: {}\r\n",
                                       method,
                                       target,
                                       kHost,
                                       sdk.headers,
                                       auth::sign_request(kSdkKey, view));
        if (!type.empty()) head += fmt::format("Content-Type: {}\r\n", type);
        if (sdk.dates) head += fmt::format("X-Qiniu-Date: {}\r\n", date);
        if (method != "GET") head += fmt::format("Content-Length: {}\r\n", body.size());
        // curl asks first when the body is longer than this.
        const bool asks = std::string_view(sdk.name) == "PHP" && body.size() > 1024;
        if (asks) head += "Expect: 100-continue\r\n";
        wire.send(head + "\r\n");
        if (asks) {
            EXPECT_THAT(wire.read_until("\r\n\r\n"), ::testing::StartsWith("HTTP/1.1 100"));
        }
        wire.send(body);
        return wire.read_response();
    }
    void play(const Dialect& sdk, const std::vector<Step>& steps) {
        Wire wire(server_.port());
        app_ = "demo";
        for (const Step& step : steps) {
            const HttpResponse answer = send(wire, sdk, step);
            const std::string where = fmt::format("{} {}: {}", sdk.name, step.call, answer.body);
            EXPECT_EQ(answer.status, step.status) << where;
            EXPECT_EQ(complaint(sdk, answer, step.status != 200), "") << where;
            EXPECT_THAT(answer.body, ::testing::HasSubstr(step.holds)) << where;
            if (std::string_view(step.target) == "/v3/apps" &&
                std::string_view(step.method) == "POST") {
                app_ = std::string(json::parse(answer.body).as_object().at("appId").as_string());
            }
        }
    }

    RunningServer server_{R"([account]
access_key = "AK-test-0123456789"
secret_key = "SK-test-abcdefghij"
)"};
    std::string app_ = "demo";
};

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
        const std::string auth = fmt::format(
            R"(auth={{"roomtoken":"{}","rpcid":"a1","agent":"wechat miniprogram","sdkversion":"4.0.6","playerdata":""}})",
            auth::mint_room_token(kSdkKey, claims));
        ASSERT_GT(auth.size(), 125U);
        ASSERT_LT(auth.size(), 65'536U);
        members.push_back(std::make_unique<Wire>(server_.port()));
        Wire& wire = *members.back();
        wire.send(
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        ASSERT_THAT(wire.read_until("\r\n\r\n"), ::testing::StartsWith("HTTP/1.1 101"));
        // A text frame with the mask 0 (RFC 6455 section 5.2): what is masked is what it was.
        const std::string frame{'\x81',
                                '\xfe',
                                static_cast<char>(auth.size() >> 8),
                                static_cast<char>(auth.size() & 0xff),
                                '\0',
                                '\0',
                                '\0',
                                '\0'};
        wire.send(frame + auth);
        ASSERT_THAT(wire.read_until("auth-res="), ::testing::HasSubstr("auth-res="));
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

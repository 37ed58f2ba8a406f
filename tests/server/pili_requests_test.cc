// The room calls of the old live SDKs, as they write them (REST sections 15 and 16.1), and members
// who join with the tokens these SDKs make, against a whole server with the module on.
#include "auth/hmac.h"
#include "base/encoding.h"
#include "sdk_requests.h"

namespace parley::server {
namespace {

using ::testing::HasSubstr;

const Dialect kPiliJava{"Pili Java",
                        "",
                        "",
                        kJson,
                        false,
                        true,
                        "User-Agent: pili-sdk-java/2.1.0 Java/1.8 (Linux amd64)\r\n"
                        "Connection: Keep-Alive\r\nAccept-Encoding: gzip\r\n"};
const Dialect kPiliPhp{"Pili PHP",
                       "",
                       kJson,
                       kJson,
                       false,
                       false,
                       "User-Agent: pili-sdk-php/2.0.0 PHP/7.4\r\nAccept: */*\r\n"
                       "Accept-Encoding: deflate, gzip\r\n"};
const Dialect kPiliPython{"Pili Python",
                          "",
                          "",
                          kJson,
                          false,
                          false,
                          "User-Agent: Python-urllib/2.7\r\nAccept-Encoding: identity\r\n"};
const Dialect kPiliNode{"Pili Node", "", "", kJson, false, false, ""};

/// As these SDKs sign whatever their caller's payload is.
std::string signed_token(std::string_view payload) {
    const std::string encoded = base64_encode(as_bytes_view(payload), Base64Alphabet::kUrlSafe);
    const auto mac = auth::hmac_sha1(as_bytes_view(kSdkKey.secret_key), as_bytes_view(encoded));
    return kSdkKey.access_key + ":" + base64_encode(mac, Base64Alphabet::kUrlSafe) + ":" + encoded;
}

class PiliRequests : public SdkRequests {
protected:
    PiliRequests() : SdkRequests("[rest]\nv2_rooms = true\n") {}

    std::string body_of(const Dialect& sdk, const char* method, const char* target) const {
        Wire wire(server_.port());
        return send(wire, sdk, {"", method, target, "", 0, ""}).body;
    }
};

TEST_F(PiliRequests, S15_JavaWritesZeroForNoBound) {
    play(kPiliJava,
         {
             {"createRoom(owner, name, 12)",
              "POST",
              "/v2/rooms",
              R"({"owner_id":"123","room_name":"test12Room","user_max":12})",
              200,
              R"({"room_name":"test12Room"})"},
             {"getRoom", "GET", "/v2/rooms/test12Room", "", 200, R"("room_status":0)"},
             {"getRoom", "GET", "/v2/rooms/test12Room", "", 200, R"("user_max":12)"},
             {"createRoom(owner)",
              "POST",
              "/v2/rooms",
              R"({"owner_id":"123","user_max":0})",
              200,
              R"("room_name":")"},
             {"createRoom again",
              "POST",
              "/v2/rooms",
              R"({"owner_id":"123","room_name":"test12Room","user_max":12})",
              614,
              "room already exists"},
             {"deleteRoom", "DELETE", "/v2/rooms/test12Room", "", 200, "{}"},
             {"deleteRoom, gone", "DELETE", "/v2/rooms/test12Room", "", 612, "room not found"},
         });
}

TEST_F(PiliRequests, S15_PhpAsksForUsersAndKicks) {
    play(kPiliPhp,
         {
             {"createRoom",
              "POST",
              "/v2/rooms",
              R"({"owner_id":"boss","room_name":"php"})",
              200,
              "php"},
             {"getRoomUserNum", "GET", "/v2/rooms/php/users", "", 200, R"({"active_users":[]})"},
             {"kickingPlayer", "DELETE", "/v2/rooms/php/users/u", "", 612, "user not found"},
             {"getRoom(v1)", "GET", "/v1/rooms/php", "", 200, R"("owner_id":"boss")"},
             {"deleteRoom", "DELETE", "/v2/rooms/php", "", 200, "{}"},
         });
}

TEST_F(PiliRequests, S15_PythonAndNode) {
    for (const Dialect& sdk : {kPiliPython, kPiliNode}) {
        play(sdk,
             {
                 {"createRoom(v1)",
                  "POST",
                  "/v1/rooms",
                  R"({"owner_id": "boss"})",
                  200,
                  "room_name"},
                 {"createRoom(v2)",
                  "POST",
                  "/v2/rooms",
                  R"({"owner_id": "boss", "room_name": "r", "user_max": "2"})",
                  200,
                  R"({"room_name":"r"})"},
                 {"getRoom", "GET", "/v2/rooms/r", "", 200, R"("user_max":2)"},
                 {"deleteRoom", "DELETE", "/v2/rooms/r", "", 200, "{}"},
                 {"getRoom, gone", "GET", "/v2/rooms/r", "", 612, R"("error":"room not found")"},
             });
    }
}

TEST_F(PiliRequests, S15_MembersComeInWithTheTokensOfEachSdk) {
    const auto late = unix_seconds(io::read_wall_clock() + 1h);
    const std::string java = fmt::format(
        R"({{"room_name":"meeting-001","user_id":"java","perm":"admin","expire_at":{},"version":"2.0"}})",
        late);
    const std::string python = fmt::format(
        R"({{"perm": "user", "expire_at": "{}", "room_name": "meeting-001", "user_id": "python", "version": "2.0"}})",
        late);
    const std::string php = fmt::format(
        R"({{"room_name":"meeting-001","user_id":"php","perm":"user","expire_at":{}}})", late);
    std::string told;
    join(signed_token(java), &told);
    EXPECT_THAT(told, HasSubstr("10001")) << "no v2 room was ever made";

    Wire wire(server_.port());
    const auto make = [&](const char* body) {
        return send(wire, kPiliPhp, {"createRoom", "POST", "/v2/rooms", body, 200, ""}).status;
    };
    ASSERT_EQ(make(R"({"owner_id":"boss","room_name":"other"})"), 200);
    join(signed_token(java), &told);
    EXPECT_THAT(told, HasSubstr("10012")) << "joining makes no v2 room";

    ASSERT_EQ(make(R"({"owner_id":"boss","room_name":"meeting-001","user_max":2})"), 200);
    auto first = join(signed_token(java), &told);
    EXPECT_THAT(told, HasSubstr(R"("code":0)")) << told;
    auto second = join(signed_token(python), &told);
    EXPECT_THAT(told, HasSubstr(R"("code":0)")) << told;
    join(signed_token(php), &told);
    EXPECT_THAT(told, HasSubstr("10011")) << "user_max is 2: " << told;
    EXPECT_THAT(body_of(kPiliPhp, "GET", "/v2/rooms/meeting-001"), HasSubstr(R"("room_status":1)"));
    EXPECT_THAT(
        body_of(kPiliPhp, "GET", "/v2/rooms/meeting-001/users"),
        ::testing::AllOf(HasSubstr(R"({"user_id":"java"})"), HasSubstr(R"({"user_id":"python"})")));
    // A web client finds the room under the account's app of v2 rooms.
    EXPECT_THAT(body_of(kJava, "GET", "/v3/apps/v2-1/rooms"), HasSubstr("meeting-001"));

    EXPECT_EQ(body_of(kPiliPhp, "DELETE", "/v2/rooms/meeting-001/users/python"), "{}");
    EXPECT_THAT(second->read_until("10006"), HasSubstr("disconnect"));
    EXPECT_EQ(body_of(kPiliPhp, "DELETE", "/v2/rooms/meeting-001"), "{}");
    EXPECT_THAT(first->read_until("10005"), HasSubstr("disconnect"));
    join(signed_token(java), &told);
    EXPECT_THAT(told, HasSubstr("10012")) << "deleted";
}

TEST_F(SdkRequests, S15_OffByDefault) {
    play(kPiliJava,
         {{"createRoom", "POST", "/v2/rooms", R"({"owner_id":"u"})", 404, "not found"},
          {"getRoom", "GET", "/v1/rooms/r", "", 404, "not found"}});
}

}  // namespace
}  // namespace parley::server

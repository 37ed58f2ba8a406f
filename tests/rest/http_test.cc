#include "rest/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Target target_of(std::string_view text) {
    Result<Target> target = parse_target(text);
    EXPECT_TRUE(target.has_value()) << text;
    return target.value_or(Target{});
}

TEST(ParseTarget, PathAndQuery) {
    const Target t =
        target_of("/v3/apps/a/rooms/r/auth?user=u1&token=ak:si%3Dgn==:e+c/&flag&user=u2");
    EXPECT_THAT(t.path, ElementsAre("v3", "apps", "a", "rooms", "r", "auth"));
    EXPECT_EQ(t.raw_path, "/v3/apps/a/rooms/r/auth");
    EXPECT_EQ(t.parameter("user"), "u1") << "the first one counts";
    EXPECT_EQ(t.parameter("token"), "ak:si=gn==:e+c/") << "raw Base64 stays as it is";
    EXPECT_EQ(t.parameter("flag"), "");
    EXPECT_EQ(t.query.size(), 4U);
    EXPECT_EQ(t.query[3], (QueryParameter{"user", "u2"}));
}

TEST(ParseTarget, Forms) {
    EXPECT_THAT(target_of("/").path, IsEmpty());
    EXPECT_THAT(target_of("/?a=b").path, IsEmpty());
    EXPECT_THAT(target_of("/a/").path, ElementsAre("a"));
    EXPECT_THAT(target_of("/a%20b/%E6%88%BF").path, ElementsAre("a b", "\xE6\x88\xBF"));
    EXPECT_THAT(target_of("/100%25").path, ElementsAre("100%"));
    EXPECT_THAT(target_of("/50%25x").path, ElementsAre("50%x"));
    EXPECT_THAT(target_of("http://host:80/a?b=c").path, ElementsAre("a"));
    EXPECT_THAT(target_of("http://host").path, IsEmpty());
    EXPECT_THAT(target_of("/a#fragment").path, ElementsAre("a"));
    EXPECT_EQ(target_of("/a?b=c?d").parameter("b"), "c?d");
    EXPECT_THAT(target_of("/a?&&b=1&").query, ElementsAre(QueryParameter{"b", "1"}));
}

TEST(ParseTarget, WhatIsRefused) {
    for (const char* text :
         {"",          "a",      "*",      "//",    "//a",      "/a//b",  "/.",  "/a/../b",
          "/%2e%2e/b", "/a%2Fb", "/a%5Cb", "/a%00", "/a%0Ab",   "/%2541", "/a%", "/a%4",
          "/a%zz",     "/a?b=%", "/a b",   "/a\nb", "/a?%zz=1", "/a%7f"}) {
        const Result<Target> target = parse_target(text);
        ASSERT_FALSE(target.has_value()) << text;
        EXPECT_EQ(target.error().code, Errc::kMalformed) << text;
    }
}

TEST(ParseTarget, Bounds) {
    const auto repeat = [](std::string_view piece, std::size_t n) {
        std::string out;
        for (std::size_t i = 0; i < n; ++i) out += piece;
        return out;
    };
    EXPECT_TRUE(parse_target(repeat("/a", kMaxPathSegments)).has_value());
    EXPECT_EQ(parse_target(repeat("/a", kMaxPathSegments + 1)).error().code, Errc::kTooLarge);
    EXPECT_TRUE(parse_target("/?" + repeat("a&", kMaxQueryParameters)).has_value());
    EXPECT_EQ(parse_target("/?" + repeat("a&", kMaxQueryParameters + 1)).error().code,
              Errc::kTooLarge);
    EXPECT_TRUE(parse_target("/" + repeat("a", kMaxTargetBytes - 1)).has_value());
    EXPECT_EQ(parse_target("/" + repeat("a", kMaxTargetBytes)).error().code, Errc::kTooLarge);
}

TEST(Headers, NamesHaveNoCase) {
    HttpRequest request;
    request.headers = {{"Content-TYPE", "a"}, {"content-type", "b"}};
    EXPECT_EQ(request.header("content-type"), "a");
    EXPECT_EQ(request.header("content"), "");
    HttpResponse response = json_response(200, "{}");
    response.set_header("content-type", "text/plain");
    EXPECT_EQ(response.headers.size(), 1U);
    EXPECT_EQ(response.header("Content-Type"), "text/plain");
}

TEST(Headers, BearerToken) {
    const auto token = [](const char* value) {
        HttpRequest request;
        request.headers = {{"Authorization", value}};
        const auto found = bearer_token(request);
        return found ? std::string(*found) : std::string("none");
    };
    EXPECT_EQ(token("Bearer ak:sign=:enc"), "ak:sign=:enc");
    EXPECT_EQ(token("bearer  x "), "x");
    for (const char* value : {"", "Bearer", "Bearer ", "Bearer   ", "Basic x", "Bearerx"}) {
        EXPECT_EQ(token(value), "none") << value;
    }
}

TEST(Headers, MediaType) {
    EXPECT_EQ(media_type("Application/SDP; charset=utf-8"), "application/sdp");
    EXPECT_EQ(media_type("application/sdp ;x"), "application/sdp");
    EXPECT_EQ(media_type(""), "");
}

TEST(Responses, ErrorsAreJson) {
    const HttpResponse response = error_response(612, "app \"x\" not found");
    EXPECT_EQ(response.status, 612U);
    EXPECT_EQ(response.body, R"({"error":"app \"x\" not found"})");
    EXPECT_EQ(response.header("Content-Type"), "application/json");
}

TEST(Responses, RequestIdsDiffer) {
    Rng rng(1);
    HttpResponse a, b;
    add_request_id(a, rng);
    add_request_id(b, rng);
    EXPECT_EQ(a.header("X-Reqid").size(), 16U);
    EXPECT_NE(a.header("X-Reqid"), b.header("X-Reqid"));
}

}  // namespace
}  // namespace parley::rest

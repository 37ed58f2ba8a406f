#include "webhook/event.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace parley::webhook {
namespace {

TEST(Event, R12_CallbackVector) {
    const auto url = gate::parse_url("http://app.example.com/rtc/callback");
    ASSERT_TRUE(url.has_value());
    const std::string body =
        R"({"id":"evt-1","event":"user_joined","ts":1700000000000,"appId":"desls83s2","roomName":"meeting-001","userId":"user1"})";
    EXPECT_EQ(sign_delivery("desls83s2", "cb-secret-1", *url, body),
              "Qiniu desls83s2:0jqSeKLXdKkpr8cRI67ndGbwZMw=");
    EXPECT_NE(sign_delivery("desls83s2", "cb-secret-2", *url, body),
              sign_delivery("desls83s2", "cb-secret-1", *url, body));
    EXPECT_NE(sign_delivery("desls83s2", "cb-secret-1", *url, body + " "),
              sign_delivery("desls83s2", "cb-secret-1", *url, body));
}

TEST(Event, QueryAndPortAreSigned) {
    const auto sign = [](const char* text) {
        return sign_delivery("a", "s", *gate::parse_url(text), "{}");
    };
    EXPECT_NE(sign("http://h/p"), sign("http://h/p?q=1"));
    EXPECT_NE(sign("http://h/p"), sign("http://h:81/p"));
    EXPECT_EQ(sign("http://h/p"), sign("http://h:80/p"));
    EXPECT_EQ(host_header(*gate::parse_url("https://h:443/")), "h");
    EXPECT_EQ(host_header(*gate::parse_url("https://h:80/")), "h:80");
    EXPECT_EQ(host_header(*gate::parse_url("http://[2606:4700::1]:81/")), "[2606:4700::1]:81");
}

TEST(Event, BodyHasTheFieldsOfRest12) {
    Event event{7,
                "evt-7",
                "user_left",
                WallTime(1'700'000'000'123ms),
                "app",
                "room",
                "u",
                R"({"reason":"leave"})"};
    EXPECT_EQ(
        boost::json::serialize(event_json(event)),
        R"({"id":"evt-7","event":"user_left","ts":1700000000123,"appId":"app","roomName":"room","roomId":"app:room","userId":"u","data":{"reason":"leave"}})");
    event.user_id.clear();
    event.data = "not json";
    EXPECT_EQ(
        boost::json::serialize(event_json(event)),
        R"({"id":"evt-7","event":"user_left","ts":1700000000123,"appId":"app","roomName":"room","roomId":"app:room","data":{}})");
}

TEST(Event, IdsDifferByNumberAndTime) {
    EXPECT_NE(event_id(1, WallTime(1s)), event_id(2, WallTime(1s)));
    EXPECT_NE(event_id(1, WallTime(1s)), event_id(1, WallTime(2s)));
    EXPECT_EQ(event_id(255, WallTime(1s)), "evt-3e8-ff");
}

}  // namespace
}  // namespace parley::webhook

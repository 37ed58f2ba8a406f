#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "router_fixture.h"

namespace parley::rest {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;

struct X1QualityTest : RouterFixture {
    static quality::Point point() {
        quality::Figures f;
        f.up_kbps = 812;
        f.down_loss_permille = 73;
        f.layer = 1;
        f.freezes = 2;
        f.freeze_ms = 1'500;
        return {kNow, f};
    }
};

const std::string kQuality = "/x1/apps/demo/rooms/r/quality";

TEST_F(X1QualityTest, PointsAndEventsAreOnOneTimeLine) {
    history.quality = {{"ada", {point()}}, {"bob", {{kNow, {}}}}};
    history.events = {{41, "evt-a", "user_joined", kNow, "demo", "r", "ada", "{}"}};
    const json::object answer = ok(kQuality + "?from=1699990000&to=1700000000&user=ada");
    EXPECT_EQ(answer.at("grainS"), 30);
    EXPECT_EQ(
        json::serialize(answer.at("members")),
        R"([{"userId":"ada","points":[{"at":"2023-11-14T22:13:20.000000000+00:00","upKbps":812,)"
        R"("downLossPercent":7.3E0,"layer":"low","freezes":2,"freezeMs":1500}]},)"
        R"({"userId":"bob","points":[{"at":"2023-11-14T22:13:20.000000000+00:00"}]}])");
    EXPECT_EQ(answer.at("events").as_array().at(0).at("id").as_string(), "evt-a");
    EXPECT_EQ(answer.at("eventsComplete"), true);
    const quality::HistoryQuery& asked = history.quality_queries.back();
    EXPECT_EQ(asked.room, (room::RoomKey{"demo", "r"}));
    EXPECT_EQ(asked.user_id, "ada");
    EXPECT_EQ(asked.from, at_seconds(1'699'990'000));
    EXPECT_EQ(asked.to, kNow);
    const webhook::EventQuery& events = history.event_queries.back();
    EXPECT_EQ(events.app_id, "demo");
    EXPECT_EQ(events.room, "r");
    EXPECT_EQ(events.from, asked.from);
    EXPECT_EQ(events.to, asked.to);
}

TEST_F(X1QualityTest, WithoutTimesItIsTheLastHour) {
    EXPECT_EQ(ok(kQuality).at("grainS"), 10);
    EXPECT_EQ(history.quality_queries.back().from, kNow - 1h);
    EXPECT_EQ(history.quality_queries.back().to, kNow);
    ok(kQuality + "?to=100");
    EXPECT_EQ(history.quality_queries.back().from, WallTime());
    EXPECT_EQ(ok(kQuality + "?grain=60").at("grainS"), 60);
    EXPECT_EQ(history.quality_queries.back().grain, 60s);
}

TEST_F(X1QualityTest, WhatIsOutOfBoundsIsSaid) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"?from=x", "from"},
        {"?from=1700000001", "from"},
        {"?from=1690000000", "31 days"},
        {"?from=0", "31 days"},
        {"?from=5&to=4", "to"},
        {"?user=a%20b", "user"},
        {"?grain=0", "grain"},
        {"?grain=15", "grain"},
        {"?grain=86410", "grain"},
        {"?grain=99999999999999999999", "grain"},
        {"?grain=10s", "grain"}};
    for (const auto& [query, reason] : cases) {
        const HttpResponse response = get(kQuality + query);
        EXPECT_EQ(response.status, 400U) << query;
        EXPECT_THAT(response.body, HasSubstr(reason)) << query;
    }
    EXPECT_THAT(history.quality_queries, SizeIs(0));
    history.refusal = Error{Errc::kTooLarge, "too many points: ask for less"};
    const HttpResponse response = get(kQuality);
    EXPECT_EQ(response.status, 400U);
    EXPECT_THAT(response.body, HasSubstr("too many points"));
    history.refusal = Error{Errc::kBusy, "the store is busy"};
    EXPECT_EQ(get(kQuality).status, 503U);
    history.refusal = Error{Errc::kSystem, "store"};
    EXPECT_EQ(get(kQuality).status, 599U);
}

TEST_F(X1QualityTest, AnotherAccountsAppIsAsAMissingOne) {
    const HttpResponse theirs = get(kQuality, kOtherKey);
    EXPECT_EQ(theirs.status, 612U);
    EXPECT_EQ(theirs.body, get("/x1/apps/never/rooms/r/quality", kOtherKey).body);
    EXPECT_EQ(get("/x1/apps/demo/rooms/a%20b/quality").status, 400U);
}

TEST_F(X1QualityTest, ALiveMemberHasItsNewestPoint) {
    rooms.quality["u1"] = point();
    for (const std::string path : {"", "/members"}) {
        const json::array members = ok("/x1/apps/demo/rooms/a" + path).at("members").as_array();
        EXPECT_EQ(members.at(0).at("quality").at("upKbps"), 812) << path;
        EXPECT_FALSE(members.at(1).as_object().contains("quality")) << "not known is not said";
    }
    EXPECT_EQ(ok("/x1/apps/demo/rooms/a/members/u1").at("quality").at("layer").as_string(), "low");
}

TEST_F(X1QualityTest, FreezesOfAnEventUploadAreHandedOn) {
    HttpRequest upload;
    upload.method = "POST";
    upload.target = "/v1/rtcevent";
    upload.body = R"({"user_base":{"app_id":"demo","room_name":"r","user_id":"ada"},"items":[)"
                  R"({"timestamp":5000,"event_name":"VideoPlayQuality","freeze_duration":800,)"
                  R"("total_duration":10000,"freeze_count":2}]})";
    EXPECT_EQ(router.handle(Instant{}, kNow, upload).status, 204U);
    ASSERT_THAT(rooms.freezes, SizeIs(1));
    EXPECT_EQ(rooms.freezes[0].member, (quality::MemberKey{{"demo", "r"}, "ada"}));
    EXPECT_EQ(rooms.freezes[0].frozen, 800ms);
}

}  // namespace
}  // namespace parley::rest

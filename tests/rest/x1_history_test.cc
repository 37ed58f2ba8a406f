#include "rest/x1_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "rest/router.h"
#include "support.h"

namespace parley::rest {
namespace {

namespace json = boost::json;
using ::testing::SizeIs;

struct X1HistoryTest : ::testing::Test, RoutedFakes {
    HttpResponse call(const std::string& method,
                      const std::string& target,
                      const std::string& body = "") {
        HttpResponse response = router.handle(
            Instant{}, kNow, signed_request(method, target, body, "application/json", kKey));
        if (!response.later) return response;
        HttpResponse answer;
        int answers = 0;
        response.later([&](HttpResponse late) {
            answer = std::move(late);
            ++answers;
        });
        EXPECT_EQ(answers, 1) << target;
        EXPECT_THAT(answer.header("X-Reqid"), SizeIs(16)) << target;
        EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*") << target;
        return answer;
    }
    json::object ok(const std::string& method,
                    const std::string& target,
                    const std::string& body = "") {
        const HttpResponse response = call(method, target, body);
        EXPECT_EQ(response.status, 200U) << target << ' ' << response.body;
        return json::parse(response.body).as_object();
    }
};

const std::string kEvents = "/x1/apps/demo/events";
const std::string kDeliveries = "/x1/apps/demo/deliveries";
const std::string kPastRooms = "/x1/apps/demo/history/rooms";
const std::string kReplay = "/x1/apps/demo/replay";

TEST_F(X1HistoryTest, EventsComeByCursor) {
    history.events = {{41, "evt-a", "user_joined", kNow, "demo", "r", "u", "{}"},
                      {42, "evt-b", "user_left", kNow, "demo", "r", "u", "{}"}};
    const json::object page = ok("GET", kEvents + "?room=r&cursor=40&limit=2");
    EXPECT_EQ(page.at("events").as_array().at(1).at("id").as_string(), "evt-b");
    EXPECT_EQ(page.at("next").as_string(), "42");
    const webhook::EventQuery& asked = history.event_queries.back();
    EXPECT_EQ(asked.app_id, "demo");
    EXPECT_EQ(asked.room, "r");
    EXPECT_EQ(asked.after, 40U);
    EXPECT_EQ(asked.limit, 2U);
    history.events.clear();
    EXPECT_EQ(ok("GET", kEvents + "?cursor=42").at("next").as_string(), "42")
        << "asked for again later";
    EXPECT_EQ(ok("GET", kEvents).at("next").as_string(), "0");
}

TEST_F(X1HistoryTest, PastRoomsComeByTime) {
    history.past_rooms = {{9, "evt-9", "r", kNow, kNow + 90s, 3, 2},
                          {5, "evt-5", "r", kNow, {}, 1, 1}};
    const json::object page = ok(
        "GET",
        kPastRooms + "?room=r&cursor=10&limit=2&from=1700000000&to=2026-11-25T18:00:00.5%2B08:00");
    const json::object& first = page.at("rooms").as_array().at(0).as_object();
    EXPECT_EQ(first.at("sessionId").as_string(), "evt-9");
    EXPECT_EQ(first.at("joins"), 3);
    EXPECT_EQ(first.at("peakUsers"), 2);
    EXPECT_TRUE(first.contains("closedAt"));
    EXPECT_FALSE(page.at("rooms").as_array().at(1).as_object().contains("closedAt"));
    EXPECT_EQ(page.at("next").as_string(), "5");
    const webhook::PastRoomQuery& asked = history.past_room_queries.back();
    EXPECT_EQ(asked.app_id, "demo");
    EXPECT_EQ(asked.room, "r");
    EXPECT_EQ(asked.before, 10U);
    EXPECT_EQ(asked.limit, 2U);
    EXPECT_EQ(asked.from, WallTime(1'700'000'000s));
    EXPECT_EQ(asked.to, WallTime(1'795'600'800s + 500ms));
    history.past_rooms.clear();
    EXPECT_FALSE(ok("GET", kPastRooms).contains("next"));
    EXPECT_EQ(history.past_room_queries.back().to, WallTime::max());
}

TEST_F(X1HistoryTest, DeliveriesComeByState) {
    webhook::DeliveryRecord dead;
    dead.number = 9;
    dead.id = 3;
    dead.state = webhook::DeliveryState::kDead;
    dead.tries = 5;
    dead.status = 500;
    dead.error = "answered 500";
    dead.url = "http://h/";
    history.deliveries = {dead};
    const json::object page = ok("GET", kDeliveries + "?state=dead&limit=1&cursor=10");
    const json::object& first = page.at("deliveries").as_array().at(0).as_object();
    EXPECT_EQ(first.at("id").as_string(), "3");
    EXPECT_EQ(first.at("state").as_string(), "dead");
    EXPECT_EQ(first.at("attempts"), 5);
    EXPECT_FALSE(first.contains("nextTryAt"));
    EXPECT_EQ(page.at("next").as_string(), "9");
    EXPECT_EQ(history.delivery_queries.back().before, 10U);
    EXPECT_EQ(history.delivery_queries.back().state, 2);
    EXPECT_FALSE(ok("GET", kDeliveries).contains("next"));
    EXPECT_EQ(history.delivery_queries.back().state, -1);

    EXPECT_EQ(ok("POST", kDeliveries + "/3/replay").at("id").as_string(), "3");
    EXPECT_EQ(history.delivery_queries.back().id, 3U);
    history.deliveries.clear();
    EXPECT_EQ(call("POST", kDeliveries + "/4/replay").status, 612U);
    EXPECT_EQ(call("POST", kDeliveries + "/x/replay").status, 612U);
}

TEST_F(X1HistoryTest, ARangeOrTheDeadAreReplayed) {
    history.events.resize(3);
    EXPECT_EQ(ok("POST", kReplay, R"({"cursor":"7","until":"10"})").at("queued"), 3);
    EXPECT_EQ(history.event_queries.back().after, 7U);
    EXPECT_EQ(history.event_queries.back().until, 10U);
    history.deliveries.resize(2);
    EXPECT_EQ(ok("POST", kReplay, R"({"dead":true})").at("queued"), 2);
    EXPECT_EQ(history.delivery_queries.back().state, 2);
}

TEST_F(X1HistoryTest, BadInputIsNamed) {
    struct Row {
        const char* method;
        std::string target;
        const char* body;
        const char* field;
    };
    for (const Row& row : std::vector<Row>{
             {"GET", kEvents + "?cursor=x", "", "cursor"},
             {"GET", kEvents + "?cursor=-1", "", "cursor"},
             {"GET", kEvents + "?cursor=99999999999999999999", "", "cursor"},
             {"GET", kEvents + "?limit=0", "", "limit"},
             {"GET", kEvents + "?room=a%20b", "", "room"},
             {"GET", kPastRooms + "?from=yesterday", "", "from"},
             {"GET", kPastRooms + "?from=-1", "", "from"},
             {"GET", kPastRooms + "?to=99999999999999", "", "to"},
             {"GET", kPastRooms + "?from=2026-02-31x00:00:00Z", "", "from"},
             {"GET", kPastRooms + "?from=2026-02-03T00:00:00", "", "from"},
             {"GET", kPastRooms + "?from=2026-02-03T00:00:00.Z", "", "from"},
             {"GET", kPastRooms + "?from=2026-02-03T00:00:00%2B8:00", "", "from"},
             {"GET", kPastRooms + "?from=20&to=10", "", "to"},
             {"GET", kPastRooms + "?cursor=x", "", "cursor"},
             {"GET", kDeliveries + "?state=lost", "", "state"},
             {"GET", kDeliveries + "?cursor=1.5", "", "cursor"},
             {"POST", kReplay, "{}", "cursor"},
             {"POST", kReplay, R"({"cursor":5})", "cursor"},
             {"POST", kReplay, R"({"cursor":"5","until":"y"})", "until"},
             {"POST", kReplay, R"({"dead":"yes please"})", "dead"},
         }) {
        const HttpResponse response = call(row.method, row.target, row.body);
        EXPECT_EQ(response.status, 400U) << row.target << row.body;
        EXPECT_EQ(response.body,
                  std::string(R"({"error":"invalid args","detail":")") + row.field + "\"}");
    }
}

TEST_F(X1HistoryTest, WhatTheStoreCannotDoIsTold) {
    for (const auto& [code, status] :
         {std::pair{Errc::kBusy, 503U}, {Errc::kConflict, 409U}, {Errc::kSystem, 599U}}) {
        history.refusal = Error{code, "why"};
        EXPECT_EQ(call("POST", kReplay, R"({"cursor":"0"})").status, status);
        EXPECT_EQ(call("POST", kDeliveries + "/3/replay").status, status);
    }
    EXPECT_EQ(call("GET", kEvents).status, 599U);
}

}  // namespace
}  // namespace parley::rest

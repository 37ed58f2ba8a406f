// The event log and its outbox, on both databases.
#include "store/event_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "both_databases.h"
#include "store/tables.h"

namespace parley::store {
namespace {

class EventTablesTest : public StoreTest {
protected:
    void SetUp() override {
        StoreTest::SetUp();
        if (HasFatalFailure()) return;
        connection = connect();
        ASSERT_TRUE(migrate(*connection).has_value());
    }
    void run(const Statement& statement) {
        const auto done = connection->run(statement);
        ASSERT_TRUE(done.has_value()) << done.error();
    }
    static webhook::Event event(std::uint64_t number,
                                const std::string& room = "r",
                                const std::string& app = "a") {
        const WallTime at{std::chrono::hours(number)};
        return {
            number, webhook::event_id(number, at), "user_joined", at, app, room, "u", R"({"n":1})"};
    }
    static DeliveryRecord delivery(std::uint64_t number,
                                   std::uint64_t of_event,
                                   const std::string& app = "a") {
        DeliveryRecord out;
        out.number = out.id = number;
        out.event = of_event;
        out.app_id = app;
        out.url = "http://h/";
        out.created_at = out.updated_at = WallTime{std::chrono::hours(of_event)};
        return out;
    }
    std::vector<std::uint64_t> pending(std::uint64_t after = 0, std::size_t limit = 100) {
        std::vector<std::uint64_t> out;
        const auto rows = read_pending(*connection, "a", after, limit);
        for (const auto& found : *rows) out.push_back(found.number);
        return out;
    }
    std::vector<std::uint64_t> log(EventQuery query) {
        query.app_id = "a";
        std::vector<std::uint64_t> out;
        const auto rows = read_events(*connection, query);
        for (const auto& found : *rows) out.push_back(found.number);
        return out;
    }
    std::unique_ptr<Connection> connection;
};
using Numbers = std::vector<std::uint64_t>;

TEST_P(EventTablesTest, TheLogIsReadByCursorRoomAndTime) {
    for (std::uint64_t i = 1; i <= 6; ++i) run(put_event(event(i, i % 2 == 0 ? "even" : "odd")));
    run(put_event(event(7, "odd", "other")));
    EXPECT_EQ(log({}), (Numbers{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(log({.after = 2, .limit = 2}), (Numbers{3, 4}));
    EXPECT_EQ(log({.room = "even", .after = 2}), (Numbers{4, 6}));
    EXPECT_EQ(log({.after = 1, .until = 3}), (Numbers{2, 3}));
    EXPECT_EQ(log({.from = WallTime(2h), .to = WallTime(4h)}), (Numbers{2, 3}));
    const auto found = read_events(*connection, {.app_id = "a", .limit = 1});
    EXPECT_EQ(found->front().id, event(1).id);
    EXPECT_EQ(found->front().at, event(1).at);
    EXPECT_EQ(found->front().data, event(1).data);
    EXPECT_EQ(load_events(*connection)->last_event, 7U);
}

TEST_P(EventTablesTest, LivesOfRoomsComeFromTheirEvents) {
    std::uint64_t number = 0;
    const auto add =
        [&](const std::string& name, const std::string& room, const std::string& app = "a") {
            webhook::Event one = event(++number, room, app);
            one.name = name;
            run(put_event(one));
        };
    add("room_created", "r");                             // 1
    for (int i = 0; i < 3; ++i) add("user_joined", "r");  // 2 to 4
    add("room_created", "s");                             // 5
    add("user_left", "r");                                // 6
    add("user_joined", "r");                              // 7
    add("user_joined", "s");                              // 8
    for (int i = 0; i < 3; ++i) add("user_left", "r");    // 9 to 11
    add("room_closed", "r");                              // 12
    add("room_created", "r");                             // 13, lives
    add("room_created", "r", "other");                    // 14
    const auto rooms = [&](PastRoomQuery query) {
        query.app_id = "a";
        const auto found = read_past_rooms(*connection, query);
        EXPECT_TRUE(found.has_value());
        return *found;
    };
    const std::vector<PastRoom> all = rooms({});
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].number, 13U);
    EXPECT_EQ(all[0].joins, 0U);
    EXPECT_EQ(all[0].peak_users, 0U);
    EXPECT_FALSE(all[0].closed_at);
    EXPECT_EQ(all[1].room, "s");
    EXPECT_EQ(all[1].joins, 1U);
    EXPECT_FALSE(all[1].closed_at);
    EXPECT_EQ(all[2].id, event(1).id);
    EXPECT_EQ(all[2].created_at, event(1).at);
    EXPECT_EQ(all[2].closed_at, event(12).at);
    EXPECT_EQ(all[2].joins, 4U);
    EXPECT_EQ(all[2].peak_users, 3U);
    EXPECT_EQ(rooms({.room = "r"}).size(), 2U);
    EXPECT_EQ(rooms({.before = 13, .limit = 1}).front().number, 5U);
    EXPECT_EQ(rooms({.from = WallTime(2h), .to = WallTime(13h)}).front().number, 5U);
}

TEST_P(EventTablesTest, ADeliveryWaitsUntilItEnded) {
    run(put_event(event(1)));
    run(put_event(event(2)));
    run(put_delivery(delivery(10, 1)));
    run(put_delivery(delivery(11, 2)));
    run(put_delivery(delivery(12, 1, "other")));
    EXPECT_EQ(pending(), (Numbers{10, 11}));
    EXPECT_EQ(pending(10), (Numbers{11}));
    EXPECT_EQ(pending(0, 1), (Numbers{10}));
    EXPECT_THAT(read_pending(*connection, "a", 0, 1)->front().body,
                ::testing::HasSubstr(event(1).id));

    DeliveryRecord tried = delivery(10, 1);
    tried.tries = 3;
    tried.status = 500;
    tried.error = "answered 500";
    run(put_try(tried));
    EXPECT_EQ(read_pending(*connection, "a", 0, 1)->front().tries, 3U) << "goes on where it was";
    tried.state = DeliveryState::kDead;
    run(put_try(tried));
    EXPECT_EQ(pending(), (Numbers{11}));
    const auto dead = read_deliveries(*connection, {.app_id = "a", .state = 2});
    ASSERT_EQ(dead->size(), 1U);
    EXPECT_EQ(dead->front().status, 500);
    EXPECT_EQ(dead->front().error, "answered 500");
    EXPECT_EQ(dead->front().event_id, event(1).id);
    EXPECT_EQ(dead->front().room, "r");

    tried.state = DeliveryState::kDelivered;
    run(put_try(tried));
    EXPECT_EQ(read_deliveries(*connection, {.app_id = "a", .state = 2})->size(), 1U)
        << "what ended stays so";
    const EventContent content = *load_events(*connection);
    EXPECT_EQ(content.last_delivery, 12U);
    ASSERT_EQ(content.waiting.size(), 2U);
    EXPECT_EQ(content.waiting[0].pending + content.waiting[1].pending, 2U);
}

TEST_P(EventTablesTest, AReplayKeepsItsNameAndGoesToTheEnd) {
    run(put_event(event(1)));
    DeliveryRecord dead = delivery(10, 1);
    dead.state = DeliveryState::kDead;
    dead.tries = 5;
    run(put_delivery(dead));
    run(put_delivery(delivery(11, 1)));
    run(requeue_delivery("other", 10, 20, WallTime(1h)));
    EXPECT_EQ(pending(), (Numbers{11})) << "of another app";
    run(requeue_delivery("a", 11, 20, WallTime(1h)));
    EXPECT_EQ(pending(), (Numbers{11})) << "it waits already";
    run(requeue_delivery("a", 10, 20, WallTime(1h)));
    EXPECT_EQ(pending(), (Numbers{11, 20}));
    EXPECT_EQ(read_pending(*connection, "a", 11, 1)->front().tries, 0U);
    const auto found = read_deliveries(*connection, {.app_id = "a", .id = 10});
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front().number, 20U);
    EXPECT_EQ(load_events(*connection)->last_delivery, 20U);
}

TEST_P(EventTablesTest, WhoIsThereOutlivesTheProcess) {
    run(put_live({"a", "r"}, ""));
    run(put_live({"a", "r"}, "u1"));
    run(put_live({"a", "r"}, "u1"));
    run(put_live({"a", "r"}, "u2"));
    run(erase_live({"a", "r"}, "u2"));
    const EventContent content = *load_events(*connection);
    ASSERT_EQ(content.live.size(), 2U);
    EXPECT_EQ(content.live[0].user_id, "u1");
    EXPECT_EQ(content.live[1].user_id, "");
}

TEST_P(EventTablesTest, OldEventsAreForgottenButTheNewestNumberIsNot) {
    for (std::uint64_t i = 1; i <= 5; ++i) {
        run(put_event(event(i)));
        run(put_delivery(delivery(i, i)));
    }
    for (const Statement& statement : prune_events(WallTime(4h))) run(statement);
    EXPECT_EQ(log({}), (Numbers{4, 5}));
    EXPECT_EQ(read_deliveries(*connection, {.app_id = "a"})->size(), 2U);
    for (const Statement& statement : prune_events(WallTime(100h))) run(statement);
    EXPECT_EQ(log({}), (Numbers{5}));
    EXPECT_EQ(load_events(*connection)->last_event, 5U);
    EXPECT_EQ(load_events(*connection)->last_delivery, 5U);
}

INSTANTIATE_TEST_SUITE_P(Both,
                         EventTablesTest,
                         ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         name_of_kind);

}  // namespace
}  // namespace parley::store

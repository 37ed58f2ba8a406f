// Usage by the hour, on both databases.
#include "store/usage_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "both_databases.h"
#include "store/event_tables.h"

namespace parley::store {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using By = rest::UsageQuery::By;

const WallTime kDayBegin = WallTime(1'699'920'000s);
WallTime hour(std::int64_t n) { return kDayBegin + n * 1h; }

rest::UsageRow row_of(WallTime at, std::string room, std::string user, std::uint64_t bytes) {
    rest::UsageRow out;
    out.at = at;
    out.app_id = "a";
    out.room = std::move(room);
    out.user_id = std::move(user);
    out.usage.traffic = {1, bytes, 2, 3 * bytes};
    out.usage.subscribed.audio = 90s;
    out.usage.subscribed.video[static_cast<std::size_t>(sfu::VideoTier::kHd)] = 60s;
    out.usage.published.video[static_cast<std::size_t>(sfu::VideoTier::kUhd)] = 1us;
    return out;
}
rest::UsageRow peak_of(WallTime at, std::string room, std::uint64_t users) {
    rest::UsageRow out;
    out.at = at;
    out.app_id = "a";
    out.room = std::move(room);
    out.peak_users = users;
    return out;
}

class UsageTablesTest : public MigratedStoreTest {
protected:
    void add(const std::vector<rest::UsageRow>& rows) { run(add_usage(++batch, rows)); }
    std::vector<rest::UsageRow> read(const rest::UsageQuery& query) {
        auto found = read_usage(*connection, query);
        EXPECT_TRUE(found.has_value()) << found.error();
        return found.value_or(std::vector<rest::UsageRow>{});
    }
    static rest::UsageQuery query(By by = By::kApp, bool by_day = false) {
        rest::UsageQuery out;
        out.app_id = "a";
        out.by = by;
        out.by_day = by_day;
        out.from = hour(0);
        out.to = hour(72);
        out.limit = 100;
        return out;
    }
    std::int64_t batch = 0;
};

TEST_P(UsageTablesTest, WhatIsAddedAddsUp) {
    add({row_of(hour(1), "r", "ada", 1'000)});
    add({row_of(hour(1), "r", "ada", 500), row_of(hour(2), "r", "ada", 7)});
    const auto rows = read(query());
    ASSERT_THAT(rows, SizeIs(2));
    EXPECT_EQ(rows[0].at, hour(1));
    EXPECT_EQ(rows[0].usage.traffic, (sfu::Traffic{2, 1'500, 4, 4'500}));
    EXPECT_EQ(rows[0].usage.subscribed.audio, 180s);
    EXPECT_EQ(rows[0].usage.subscribed.video[1], 120s);
    EXPECT_EQ(rows[0].usage.published.video[3], 2us);
    EXPECT_EQ(rows[1].usage.traffic.bytes_in, 7U);
}

TEST_P(UsageTablesTest, AChangeThatIsTriedAgainAddsNothingTwice) {
    add({row_of(hour(1), "r", "ada", 1'000)});
    run(add_usage(batch, {row_of(hour(1), "r", "ada", 1'000)}));
    run(add_usage(batch - 1, {row_of(hour(1), "r", "ada", 1'000)}));
    EXPECT_EQ(read(query()).at(0).usage.traffic.bytes_in, 1'000U);
    EXPECT_EQ(load_usage_batch(*connection).value(), batch);
}

TEST_P(UsageTablesTest, RowsAreOfAppsRoomsAndUsers) {
    const std::string odd = "z'\"%\\ \u5b57";
    add({row_of(hour(1), "r", "ada", 1), row_of(hour(1), "r", odd, 10), row_of(hour(1), "s", "ada", 100),
         peak_of(hour(1), "", 3), peak_of(hour(1), "r", 2), peak_of(hour(1), "s", 1)});
    add({peak_of(hour(1), "", 2), peak_of(hour(1), "r", 1)});

    const auto of_app = read(query());
    ASSERT_THAT(of_app, SizeIs(1));
    EXPECT_EQ(of_app[0].usage.traffic.bytes_in, 111U);
    EXPECT_EQ(of_app[0].peak_users, 3U) << "the greatest, and of the app";

    const auto of_rooms = read(query(By::kRoom));
    ASSERT_THAT(of_rooms, SizeIs(2));
    EXPECT_EQ(of_rooms[0].room, "r");
    EXPECT_EQ(of_rooms[0].usage.traffic.bytes_in, 11U);
    EXPECT_EQ(of_rooms[0].peak_users, 2U);
    EXPECT_EQ(of_rooms[1].peak_users, 1U);

    const auto of_users = read(query(By::kUser));
    ASSERT_THAT(of_users, SizeIs(2));
    EXPECT_EQ(of_users[0].user_id, "ada");
    EXPECT_EQ(of_users[0].usage.traffic.bytes_in, 101U) << "of both rooms";
    EXPECT_EQ(of_users[1].user_id, odd);

    rest::UsageQuery one = query();
    one.room = "r";
    ASSERT_THAT(read(one), SizeIs(1));
    EXPECT_EQ(read(one)[0].usage.traffic.bytes_in, 11U);
    EXPECT_EQ(read(one)[0].peak_users, 2U) << "of the room that is asked for";
    one.user_id = "ada";
    EXPECT_EQ(read(one).at(0).usage.traffic.bytes_in, 1U);
    one.app_id = "other";
    EXPECT_THAT(read(one), IsEmpty());
}

TEST_P(UsageTablesTest, JobsAreOfTheirRoom) {
    rest::UsageRow job = peak_of(hour(1), "r", 0);
    job.jobs[static_cast<std::size_t>(rest::BilledJob::kRecord)] = 61s;
    add({job, row_of(hour(1), "r", "ada", 1)});
    EXPECT_EQ(read(query()).at(0).jobs[2], 61s);
    EXPECT_EQ(read(query(By::kRoom)).at(0).jobs[2], 61s);
    EXPECT_EQ(read(query(By::kUser)).at(0).jobs[2], 0s);
}

TEST_P(UsageTablesTest, DaysAreSumsOfTheirHoursAndEndsAreNotIncluded) {
    for (std::int64_t n = 0; n < 50; ++n) add({row_of(hour(n), "r", "ada", 1), peak_of(hour(n), "", n)});
    rest::UsageQuery days = query(By::kApp, true);
    days.to = hour(48);
    const auto rows = read(days);
    ASSERT_THAT(rows, SizeIs(2));
    EXPECT_EQ(rows[0].at, hour(0));
    EXPECT_EQ(rows[0].usage.traffic.bytes_in, 24U);
    EXPECT_EQ(rows[0].peak_users, 23U);
    EXPECT_EQ(rows[1].at, hour(24));
    days.by_day = false;
    days.from = hour(3);
    days.to = hour(5);
    EXPECT_THAT(read(days), SizeIs(2));
    days.to = hour(48);
    days.limit = 7;
    EXPECT_THAT(read(days), SizeIs(7));
}

TEST_P(UsageTablesTest, OldHoursAreForgottenInParts) {
    constexpr std::int64_t kOld = kPruneAtOnce + 100;
    constexpr std::int64_t kYoung = 100;
    std::vector<rest::UsageRow> all;
    for (std::int64_t n = 0; n < kOld + kYoung; ++n) all.push_back(peak_of(hour(n), "", 1));
    add(all);
    const auto count = [&] { return number_at(connection->run({"SELECT COUNT(*) FROM usage_hours", {}})->front(), 0); };
    run(prune_usage(hour(kOld)));
    EXPECT_EQ(count(), kOld + kYoung - kPruneAtOnce);
    run(prune_usage(hour(kOld)));
    run(prune_usage(hour(kOld)));
    EXPECT_EQ(count(), kYoung) << "what is young enough stays";
    rest::UsageQuery left = query();
    left.to = hour(kOld + kYoung);
    EXPECT_EQ(read(left).at(0).at, hour(kOld));
}

INSTANTIATE_TEST_SUITE_P(Both, UsageTablesTest, ::testing::Values(Kind::kSqlite, Kind::kPostgres), name_of_kind);

}  // namespace
}  // namespace parley::store

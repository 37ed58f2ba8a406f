// Points of quality, on both databases.
#include "store/quality_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "both_databases.h"

namespace parley::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const room::RoomKey kRoom{"a", "r"};
WallTime at(std::int64_t n) { return WallTime(1'700'000'000s) + n * quality::kGrain; }
quality::MemberFigures member(const std::string& user, std::uint32_t loss) {
    quality::MemberFigures out{user, {}};
    out.figures.down_loss_permille = loss;
    return out;
}

class QualityTablesTest : public MigratedStoreTest {
protected:
    void put(const quality::RoomPoints& points) { run({put_points(points)}); }
    QualityRead read(const quality::HistoryQuery& query) {
        auto found = read_quality(*connection, query);
        EXPECT_TRUE(found.has_value()) << found.error();
        return found.value_or(QualityRead{});
    }
    std::int64_t rows() {
        return number_at(connection->run({"SELECT COUNT(*) FROM quality", {}})->front(), 0);
    }
};

TEST_P(QualityTablesTest, PointsAreReadByRoomTimeAndUser) {
    const std::string odd = "z'\"<\\ \u5b57";
    for (std::int64_t n = 1; n <= 4; ++n) {
        const auto loss = static_cast<std::uint32_t>(n);
        put({kRoom, at(n), {member("ada", loss), member(odd, 10 * loss)}});
    }
    put({{"a", "other"}, at(2), {member("ada", 900)}});
    put({{"b", "r"}, at(2), {member("ada", 900)}});
    const QualityRead all = read({kRoom, {}, at(1), at(3), quality::kGrain});
    ASSERT_THAT(all.members, SizeIs(2));
    EXPECT_EQ(all.members[1].user_id, odd);
    EXPECT_THAT(all.members[0].points,
                ElementsAre(quality::Point{at(2), member("", 2).figures},
                            quality::Point{at(3), member("", 3).figures}))
        << "the end of the first is where the question begins";
    EXPECT_THAT(read({kRoom, odd, at(0), at(9), quality::kGrain}).members, SizeIs(1));
    EXPECT_THAT(read({kRoom, "nobody", at(0), at(9), quality::kGrain}).members, IsEmpty());
    EXPECT_EQ(read({kRoom, "ada", at(0), at(4), 60s}).members.at(0).points.back().figures,
              member("", 4).figures);
}

TEST_P(QualityTablesTest, LateFiguresJoinTheirPoint) {
    put({kRoom, at(1), {member("ada", 7)}});
    quality::MemberFigures late{"ada", {}};
    late.figures.freezes = 1;
    late.figures.freeze_ms = 800;
    put({kRoom, at(1), {late}});
    put({kRoom, at(1), {late}});
    const auto points = read({kRoom, {}, at(0), at(1), quality::kGrain}).members.at(0).points;
    ASSERT_THAT(points, SizeIs(1));
    EXPECT_EQ(points[0].figures.down_loss_permille, 7U);
    EXPECT_EQ(points[0].figures.freezes, 2U);
    EXPECT_EQ(points[0].figures.freeze_ms, 1'600U);
}

TEST_P(QualityTablesTest, LongTimesAreReadInPartsAndNothingTwice) {
    std::vector<Statement> all;
    constexpr std::int64_t kMany = 1'300;
    for (std::int64_t n = 1; n <= kMany; ++n) {
        quality::MemberFigures late{"ada", {}};
        late.figures.freezes = 1;
        // Several rows of one time, across the ends of the parts too.
        for (int i = 0; i < 3; ++i) all.push_back(put_points({kRoom, at(n), {late}}));
    }
    // More rows of one time than a part has.
    for (int i = 0; i < 1'100; ++i)
        all.push_back(put_points({kRoom, at(kMany + 1), {member("ada", 5)}}));
    run(all);
    const auto points =
        read({kRoom, {}, at(0), at(kMany + 1), quality::kGrain}).members.at(0).points;
    ASSERT_THAT(points, SizeIs(kMany + 1));
    for (std::size_t i = 0; i < kMany; ++i) ASSERT_EQ(points[i].figures.freezes, 3U) << i;
    EXPECT_EQ(points.back().figures.down_loss_permille, 5U);
}

TEST_P(QualityTablesTest, ABoundIsToldAndADamagedRowToo) {
    std::vector<quality::MemberFigures> crowd;
    for (int i = 0; i < 600; ++i) crowd.push_back(member(std::to_string(i), 1));
    std::vector<Statement> all;
    for (std::int64_t n = 1; n <= 100; ++n) all.push_back(put_points({kRoom, at(n), crowd}));
    run(all);
    EXPECT_TRUE(read({kRoom, {}, at(0), at(100), quality::kGrain}).too_much);
    EXPECT_THAT(read({kRoom, {}, at(0), at(100), 120s}).members, SizeIs(600)) << "coarser fits";
    EXPECT_THAT(read({kRoom, "7", at(0), at(100), quality::kGrain}).members.at(0).points,
                SizeIs(100));
    run({{"INSERT INTO quality (app_id, room, at_s, points) VALUES ($1, $2, $3, $4)",
          {"a", "r", unix_seconds(at(50)), "[["}}});
    EXPECT_FALSE(
        read_quality(*connection, {kRoom, {}, at(0), at(100), quality::kGrain}).has_value());
}

TEST_P(QualityTablesTest, OldPointsAreForgottenInParts) {
    std::vector<Statement> all;
    const std::int64_t part = kPruneSpan / quality::kGrain;
    for (std::int64_t n = 0; n < 3 * part; ++n)
        all.push_back(put_points({kRoom, at(n), {member("ada", 1)}}));
    run(all);
    const WallTime before = at(2 * part);
    run({prune_points(before)});
    EXPECT_EQ(rows(), 2 * part);
    run({prune_points(before)});
    EXPECT_EQ(rows(), part);
    run({prune_points(before)});
    EXPECT_EQ(rows(), part) << "what is young enough stays";
    EXPECT_EQ(read({kRoom, {}, at(0) - 1s, at(3 * part), quality::kGrain})
                  .members.at(0)
                  .points.front()
                  .at,
              before);
    run({prune_points(at(4 * part))});
    EXPECT_EQ(rows(), 0);
    run({prune_points(at(4 * part))});
}

INSTANTIATE_TEST_SUITE_P(Both,
                         QualityTablesTest,
                         ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         name_of_kind);

}  // namespace
}  // namespace parley::store

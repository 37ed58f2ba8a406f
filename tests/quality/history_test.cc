#include "quality/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::quality {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
Figures figures(std::uint32_t kbps, std::uint32_t loss) {
    Figures out;
    out.up_kbps = kbps;
    out.down_loss_permille = loss;
    return out;
}

TEST(Points, AreReadBackAndCompact) {
    Figures all;
    std::uint32_t n = 0;
    for (auto figure : {&Figures::up_kbps,
                        &Figures::down_kbps,
                        &Figures::up_loss_permille,
                        &Figures::down_loss_permille,
                        &Figures::rtt_ms,
                        &Figures::estimate_kbps,
                        &Figures::layer,
                        &Figures::freezes,
                        &Figures::freeze_ms,
                        &Figures::queue_ms,
                        &Figures::dropped}) {
        all.*figure = ++n;
    }
    const std::vector<MemberFigures> points{{"ada", all}, {"<\"\\>", figures(7, 0)}, {"c", {}}};
    const std::string text = write_points(points);
    EXPECT_EQ(text, R"([["ada",1,2,3,4,5,6,7,8,9,10,11],["<\"\\>",7,null,null,0],["c"]])");
    EXPECT_EQ(read_points(text).value(), points);
    EXPECT_TRUE(read_points(R"([["later",1,2,3,4,5,6,7,8,9,10,11,"new"]])").has_value());
}

TEST(Points, DamagedOnesAreTold) {
    for (const char* text :
         {"", "{}", "[3]", "[[]]", "[[3]]", R"([["a","b"]])", R"([["a",-1]])", "[[\"a\""}) {
        EXPECT_FALSE(read_points(text).has_value()) << text;
    }
}

TEST(Summary, FoldsEachFigureAsItMeans) {
    Summary sum;
    Figures a;
    a.up_kbps = 100;
    a.up_loss_permille = 3;
    a.estimate_kbps = 900;
    a.layer = 0;
    a.freezes = 1;
    a.freeze_ms = 200;
    Figures b = a;
    b.up_kbps = 301;
    b.up_loss_permille = 80;
    b.estimate_kbps = 400;
    b.layer = 1;
    for (const Figures& each : {a, b, Figures{}}) sum.add(each);
    const Figures f = sum.figures();
    EXPECT_EQ(f.up_kbps, 201U);
    EXPECT_EQ(f.up_loss_permille, 80U);
    EXPECT_EQ(f.estimate_kbps, 400U);
    EXPECT_EQ(f.layer, 1U);
    EXPECT_EQ(f.freezes, 2U);
    EXPECT_EQ(f.freeze_ms, 400U);
    EXPECT_EQ(f.rtt_ms, std::nullopt);
    EXPECT_EQ(Summary().figures(), Figures{});
}

TEST(HistoryBuilder, PutsPointsInTheGrainTogether) {
    HistoryBuilder fine(kGrain);
    EXPECT_TRUE(fine.add(at(20), {"bob", figures(10, 1)}));
    EXPECT_TRUE(fine.add(at(10), {"ada", figures(20, 2)}));
    EXPECT_TRUE(fine.add(at(20), {"ada", figures(40, 4)}));
    const auto members = fine.take();
    ASSERT_THAT(members, SizeIs(2));
    EXPECT_EQ(members[0].user_id, "ada");
    EXPECT_THAT(members[0].points,
                ElementsAre(Point{at(10), figures(20, 2)}, Point{at(20), figures(40, 4)}));
    HistoryBuilder coarse(30s);
    for (const std::int64_t second : {10, 20, 30, 40}) {
        EXPECT_TRUE(
            coarse.add(at(second), {"ada", figures(30, static_cast<std::uint32_t>(second))}));
    }
    EXPECT_THAT(coarse.take().at(0).points,
                ElementsAre(Point{at(30), figures(30, 30)}, Point{at(60), figures(30, 40)}));
}

TEST(HistoryBuilder, IsBounded) {
    HistoryBuilder builder(kGrain);
    std::int64_t second = 0;
    for (std::size_t i = 0; i < HistoryBuilder::kMaxPoints; ++i) {
        ASSERT_TRUE(builder.add(at(second += 10), {"ada", figures(1, 1)}));
    }
    EXPECT_TRUE(builder.add(at(second), {"ada", figures(1, 1)})) << "into one that is there";
    EXPECT_FALSE(builder.add(at(second + 10), {"ada", figures(1, 1)}));
}

TEST(UsualGrain, GivesAtMostTheColumnsOfAChart) {
    EXPECT_EQ(usual_grain(1h), 10s);
    EXPECT_EQ(usual_grain(2h), 10s);
    EXPECT_EQ(usual_grain(2h + 1s), 30s);
    EXPECT_EQ(usual_grain(24h), 120s);
    EXPECT_EQ(usual_grain(24h * 7), 30min);
    for (const Duration span :
         {Duration(0), Duration(1h), Duration(24h), Duration(24h * 400), Duration(24h * 3'650)}) {
        const Duration grain = usual_grain(span);
        EXPECT_LE(span, grain * kMaxColumns);
        EXPECT_EQ(grain % kGrain, Duration(0));
    }
}

}  // namespace
}  // namespace parley::quality

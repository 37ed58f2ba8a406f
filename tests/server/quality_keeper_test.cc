#include "server/quality_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "store/quality_tables.h"
#include "temporary_folder.h"

namespace parley::server {
namespace {

using ::testing::SizeIs;

const WallTime kStart = WallTime(1'700'000'000s);
const room::RoomKey kRoom{"demo", "lesson"};

/// A keeper over a real store, whose content is read when all of it is written.
struct QualityKeeperTest : ::testing::Test {
    QualityKeeperTest() {
        ConfigSources sources;
        sources.flags["data_dir"] = folder.file("data");
        config = load_config_text("", "", sources).config;
        apps.emplace(*AppStore::open(config, secrets, kStart));
        courier = *Courier::start(store_url(config), *apps->store(), {});
        journal.emplace(*apps, *courier, Journal::Options{}, apps->take_events());
        keeper.emplace(*apps, *journal, QualityKeeper::Options{{150, 400}, 1h});
        apps->store()->start([](store::Store::Ticket, const std::string&) {});
    }
    ~QualityKeeperTest() override { courier->stop(); }

    void report(std::uint64_t lost) {
        sfu::PeerReport one{
            .peer = PeerId(1),
            .owner = std::make_shared<sfu::Owner>(sfu::Owner{"demo", "lesson", "ada"}),
            .usage = {},
            .quality = {},
            .is_last = false};
        one.usage.traffic.bytes_in = 100'000;
        one.quality.up = {1'000, lost};
        keeper->handle_reports({one, sfu::PeerReport{}});
    }
    std::unique_ptr<store::Connection> written() {
        apps->store()->stop();
        return *store::open_database(store_url(config));
    }
    std::vector<quality::MemberHistory> points(store::Connection& connection) {
        return store::read_quality(connection,
                                   {kRoom, {}, kStart - 24h, kStart + 24h, quality::kGrain})
            ->members;
    }

    TemporaryFolder folder;
    SeededSecretSource secrets{7};
    Config config;
    std::optional<AppStore> apps;
    std::unique_ptr<Courier> courier;
    std::optional<Journal> journal;
    std::optional<QualityKeeper> keeper;
};

TEST_F(QualityKeeperTest, WritesAPointAndTellsOfAnAlarm) {
    WallTime now = kStart;
    for (const std::uint64_t lost : {10, 200, 230}) {
        report(lost);
        now = QualityKeeper::next_close(now);
        keeper->handle_time(now - 1ns);  // too early
        keeper->handle_time(now);
        keeper->handle_time(now + 5s);  // once is enough
    }
    EXPECT_EQ(keeper->board().newest(kRoom, "ada")->figures.up_loss_permille, 230U);
    const auto connection = written();
    const auto members = points(*connection);
    ASSERT_THAT(members, SizeIs(1));
    ASSERT_THAT(members[0].points, SizeIs(3));
    EXPECT_EQ(members[0].points[1].figures.up_loss_permille, 200U);
    EXPECT_EQ(members[0].points[1].figures.up_kbps, 80U);
    EXPECT_EQ(members[0].points[2].at - members[0].points[1].at, quality::kGrain);
    EXPECT_EQ(now - members[0].points[2].at, QualityKeeper::kCloseAfter);

    webhook::EventQuery query;
    query.app_id = "demo";
    query.room = "lesson";
    const auto events = *store::read_events(*connection, query);
    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].name, "quality_alarm");
    EXPECT_EQ(events[0].user_id, "ada");
    EXPECT_TRUE(webhook::is_delivered(events[0].name));
    const auto data = boost::json::parse(events[0].data).as_object();
    EXPECT_EQ(data.at("state").as_string(), "bad");
    EXPECT_EQ(data.at("upLossPercent").as_double(), 23.0);
}

TEST_F(QualityKeeperTest, PrunesWhatIsOlderThanItIsKept) {
    report(0);
    keeper->handle_time(kStart + 12s);
    report(0);
    keeper->handle_time(kStart + 1h);
    keeper->prune(kStart + 1h + 30s);
    const auto connection = written();
    const auto members = points(*connection);
    ASSERT_THAT(members, SizeIs(1));
    EXPECT_THAT(members[0].points, SizeIs(1));
}

TEST_F(QualityKeeperTest, AClockThatIsSetBackLosesLittle) {
    report(0);
    keeper->handle_time(kStart + 22s);
    report(0);
    keeper->handle_time(kStart + 12s);
    EXPECT_EQ(keeper->board().newest(kRoom, "ada")->at, kStart + 20s)
        << "a step back makes the stretch longer";
    keeper->handle_time(kStart - 2h);
    EXPECT_LT(keeper->board().newest(kRoom, "ada")->at, kStart) << "an hour back begins there anew";
}

}  // namespace
}  // namespace parley::server

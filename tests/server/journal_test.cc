// The event log and its outbox on a real store, and a courier that may connect nowhere.
#include "server/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/event_tables.h"
#include "temporary_folder.h"

namespace parley::server {
namespace {

using signalling::RoomEventKind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const WallTime kNow = WallTime(std::chrono::seconds(1'700'000'000));
/// The gate refuses it, so that deliveries end without a connection.
constexpr const char* kRefusedUrl = "http://10.0.0.1/hook";

class JournalTest : public ::testing::Test {
protected:
    void SetUp() override { open(100); }
    void TearDown() override { close(); }

    /// As a process that starts; the one before has ended, or was killed.
    void open(std::size_t max_waiting) {
        ConfigSources sources;
        sources.flags["data_dir"] = folder_.file("data");
        config_ = load_config_text("", "", sources).config;
        auto opened = AppStore::open(config_, secrets_, kNow);
        ASSERT_TRUE(opened.has_value()) << opened.error();
        apps_.emplace(*std::move(opened));
        apps_->store()->start([](store::Store::Ticket, const std::string&) {});
        Courier::Options options;
        options.max_waiting = max_waiting;
        courier_ = Courier::start(store_url(config_), *apps_->store(), options).value();
        journal_.emplace(*apps_, *courier_, Journal::Options{}, apps_->take_events());
    }
    void close() {
        journal_.reset();
        courier_.reset();
        apps_.reset();
    }
    /// What is on disk once everything is written.
    std::unique_ptr<store::Connection> on_disk() {
        close();
        return store::open_database(store_url(config_)).value();
    }
    static std::vector<std::string> names(store::Connection& connection) {
        std::vector<std::string> out;
        webhook::EventQuery query;
        query.app_id = "demo";
        const auto events = store::read_events(connection, query);
        EXPECT_TRUE(events.has_value());
        std::uint64_t last = 0;
        for (const webhook::Event& event : *events) {
            EXPECT_GT(event.number, last);
            last = event.number;
            out.push_back(event.name + (event.user_id.empty() ? "" : " " + event.user_id));
        }
        return out;
    }
    static std::vector<webhook::DeliveryRecord> deliveries(store::Connection& connection) {
        webhook::DeliveryQuery query;
        query.app_id = "demo";
        return store::read_deliveries(connection, query).value();
    }
    void record(RoomEventKind kind, const std::string& user = "", const std::string& app = "demo") {
        journal_->record({kind, kNow, app, "room", user, "{}"});
    }
    void set_url(const std::string& url) {
        rest::AppRecord app = *apps_->find_app("demo");
        app.event_url = url;
        ASSERT_TRUE(apps_->put_app(app));
        journal_->handle_app("demo");
    }

    TemporaryFolder folder_;
    SeededSecretSource secrets_{7};
    Config config_;
    std::optional<AppStore> apps_;
    std::unique_ptr<Courier> courier_;
    std::optional<Journal> journal_;
};

TEST_F(JournalTest, S12_WhatHappenedIsWrittenInItsOrder) {
    record(RoomEventKind::kRoomCreated);
    record(RoomEventKind::kUserJoined, "u1");
    record(RoomEventKind::kUserLeft, "u1");
    record(RoomEventKind::kRoomClosed);
    EXPECT_EQ(journal_->written(), 4U);
    EXPECT_EQ(journal_->lost(), 0U);
    const auto connection = on_disk();
    EXPECT_THAT(names(*connection),
                ElementsAre("room_created", "user_joined u1", "user_left u1", "room_closed"));
    EXPECT_THAT(deliveries(*connection), IsEmpty()) << "the app has no address";
    EXPECT_THAT(store::load_content(*connection)->events.live, IsEmpty());
}

TEST_F(JournalTest, S12_AKilledProcessesRoomsEndAtTheNextStart) {
    record(RoomEventKind::kRoomCreated);
    record(RoomEventKind::kUserJoined, "u1");
    record(RoomEventKind::kUserJoined, "u2");
    close();
    open(100);
    journal_->end_everything(kNow + 1h);
    journal_->end_everything(kNow + 2h);  // nothing is left to end
    const auto connection = on_disk();
    EXPECT_THAT(names(*connection),
                ElementsAre("room_created",
                            "user_joined u1",
                            "user_joined u2",
                            "user_left u2",
                            "user_left u1",
                            "room_closed"));
    webhook::EventQuery query;
    query.app_id = "demo";
    const auto events = store::read_events(*connection, query);
    EXPECT_EQ(events->at(3).data, R"({"reason":"error"})");
    EXPECT_EQ(events->at(3).at, kNow + 1h);
    EXPECT_THAT(store::load_content(*connection)->events.live, IsEmpty());
}

TEST_F(JournalTest, S12_TheChangeAndItsEventAreOneWrite) {
    rest::JobRecord job;
    job.room = {"demo", "room"};
    job.id = "j1";
    job.kind = rest::JobKind::kPub;
    job.state = rest::JobState::kFailed;
    job.reason = "no";
    job.updated_at = kNow;
    ASSERT_TRUE(apps_->put_job(job, journal_->job_event(nullptr, job)));
    journal_->handle_written();
    const auto connection = on_disk();
    EXPECT_THAT(names(*connection), ElementsAre("job_failed"));
    webhook::EventQuery query;
    query.app_id = "demo";
    EXPECT_EQ(store::read_events(*connection, query)->at(0).data,
              R"({"id":"j1","kind":"pub","reason":"no"})");
    EXPECT_EQ(store::load_content(*connection)->jobs.size(), 1U);
}

TEST_F(JournalTest, S12_MoreThanTheBoundIsDeadAtOnceAndSaysWhy) {
    close();
    open(1);
    set_url(kRefusedUrl);
    record(RoomEventKind::kRoomCreated);  // waits: nobody has told the courier yet
    record(RoomEventKind::kUserJoined, "u1");
    EXPECT_EQ(
        journal_->replay(kNow, "demo", {{1, "evt", "room_created", kNow, "demo", "room", "", "{}"}})
            .error()
            .code,
        Errc::kBusy);
    const auto connection = on_disk();
    const auto found = deliveries(*connection);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].state, webhook::DeliveryState::kDead) << "newest first";
    EXPECT_EQ(found[0].error, "too many deliveries wait");
    EXPECT_EQ(found[1].state, webhook::DeliveryState::kPending);
    EXPECT_EQ(found[1].url, kRefusedUrl);
}

TEST_F(JournalTest, S12_ReplayNeedsAnAddressAndSendsOnlyWhatIsSent) {
    const std::vector<webhook::Event> events{
        {1, "evt-1", "user_joined", kNow, "demo", "room", "u1", "{}"},
        {2, "evt-2", "user_away", kNow, "demo", "room", "u1", "{}"}};
    EXPECT_EQ(journal_->replay(kNow, "demo", events).error().code, Errc::kConflict);
    EXPECT_EQ(journal_->replay_deliveries(kNow, "demo", {1}).error().code, Errc::kConflict);
    EXPECT_EQ(journal_->replay(kNow, "never", events).error().code, Errc::kConflict);
    set_url(kRefusedUrl);
    EXPECT_EQ(journal_->replay(kNow, "demo", events).value(), 1U)
        << "user_away is for the log only";
    EXPECT_EQ(journal_->replay(kNow, "demo", {}).value(), 0U);
    EXPECT_EQ(journal_->replay_deliveries(kNow, "demo", {}).value(), 0U);
    const auto connection = on_disk();
    ASSERT_EQ(deliveries(*connection).size(), 1U);
    EXPECT_EQ(deliveries(*connection)[0].event, 1U);
}

TEST_F(JournalTest, S12_TheCourierConnectsNowhereThatTheGateRefuses) {
    set_url(kRefusedUrl);
    record(RoomEventKind::kRoomCreated);
    const store::Store::Ticket ticket = apps_->store()->last_ticket();
    const auto wait = [](const auto& reached) {
        const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!reached() && std::chrono::steady_clock::now() < last) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return reached();
    };
    ASSERT_TRUE(wait([&] { return apps_->store()->pending() == 0; }));
    EXPECT_EQ(courier_->counters().dead, 0U) << "not before its event is on disk";
    journal_->handle_flushed(ticket);
    EXPECT_TRUE(wait([&] { return courier_->counters().dead == 1; }));
    EXPECT_EQ(courier_->counters().delivered, 0U);
    const auto connection = on_disk();
    const auto found = deliveries(*connection);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].state, webhook::DeliveryState::kDead);
    EXPECT_THAT(found[0].error, ::testing::HasSubstr("not allowed"));
}

}  // namespace
}  // namespace parley::server

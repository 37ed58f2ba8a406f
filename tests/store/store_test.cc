// The same tests on both databases.
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>

#include "base/rng.h"
#include "both_databases.h"

namespace parley::store {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_P(StoreTest, ValuesComeBackAsTheyWere) {
    const auto connection = connect();
    ASSERT_TRUE(connection->run({"CREATE TABLE t (id BIGINT PRIMARY KEY, a TEXT, n BIGINT)", {}}));
    const std::vector<std::string> texts{
        "", "plain", "it's \"quoted\"; DROP TABLE t; --", "名字 😀", "a\nb\tc\\"};
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto id = static_cast<std::int64_t>(i);
        ASSERT_TRUE(connection->run(
            {"INSERT INTO t (id, a, n) VALUES ($1, $2, $3)", {id, texts[i], INT64_MIN + id}}));
    }
    ASSERT_TRUE(connection->run(
        {"INSERT INTO t (id, a, n) VALUES ($1, $2, $3)", {std::int64_t{99}, {}, {}}}));
    const auto rows = connection->run({"SELECT id, a, n FROM t ORDER BY id", {}});
    ASSERT_TRUE(rows.has_value()) << rows.error();
    ASSERT_EQ(rows->size(), texts.size() + 1);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(text_at((*rows)[i], 1), texts[i]);
        EXPECT_EQ(number_at((*rows)[i], 2), INT64_MIN + static_cast<std::int64_t>(i));
    }
    EXPECT_TRUE(std::holds_alternative<std::monostate>(rows->back()[1]));
    EXPECT_TRUE(std::holds_alternative<std::monostate>(rows->back()[2]));
}

TEST_P(StoreTest, ParametersAreByNumber) {
    const auto connection = connect();
    const auto rows =
        connection->run({"SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT)",
                         {std::string("one"), std::string("two")}});
    ASSERT_TRUE(rows.has_value()) << rows.error();
    EXPECT_EQ(text_at(rows->front(), 0), "two");
    EXPECT_EQ(text_at(rows->front(), 1), "one");
    EXPECT_EQ(text_at(rows->front(), 2), "two");
}

TEST_P(StoreTest, TogetherMeansAllOrNone) {
    const auto connection = connect();
    ASSERT_TRUE(connection->run({"CREATE TABLE t (id BIGINT PRIMARY KEY)", {}}));
    const std::vector<Statement> statements{{"INSERT INTO t (id) VALUES (1)", {}},
                                            {"INSERT INTO t (id) VALUES (1)", {}}};
    EXPECT_FALSE(connection->run_together(statements).has_value());
    EXPECT_EQ(connection->run({"SELECT id FROM t", {}})->size(), 0U);
    EXPECT_TRUE(connection->run_together({statements.data(), 1}).has_value())
        << "usable after a failure";
}

TEST_P(StoreTest, MigratesOnceAndRefusesWhatIsNewer) {
    {
        const auto connection = connect();
        ASSERT_TRUE(migrate(*connection).has_value());
        ASSERT_TRUE(migrate(*connection).has_value());
        ASSERT_TRUE(connection->run({"UPDATE schema_version SET version = 999", {}}));
    }
    const auto opened = Store::open(url);
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error(), HasSubstr("newer"));
}

TEST_P(StoreTest, WritesAreFlushedInOrder) {
    constexpr int kWrites = 500;
    auto store = Store::open(url);
    ASSERT_TRUE(store.has_value()) << store.error();
    std::promise<void> done;
    std::mutex mutex;
    std::vector<Store::Ticket> seen;
    (*store)->start([&](Store::Ticket flushed, const std::string& problem) {
        EXPECT_EQ(problem, "");
        const std::lock_guard lock(mutex);
        seen.push_back(flushed);
        if (flushed == kWrites) done.set_value();
    });
    for (int i = 0; i < kWrites; ++i) {
        ASSERT_TRUE((*store)->write(put_app(app("same", std::to_string(i)))));
    }
    EXPECT_EQ((*store)->last_ticket(), static_cast<Store::Ticket>(kWrites));
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    (*store)->stop();
    const auto again = Store::open(url);
    const Content content = (*again)->take_content();
    ASSERT_EQ(content.apps.size(), 1U);
    EXPECT_EQ(content.apps[0].title, std::to_string(kWrites - 1));
}

TEST_P(StoreTest, KeysComeBackAsTheyWere) {
    const WallTime made(std::chrono::nanoseconds(1'700'000'000'123'456'789));
    const KeyRecord first{"AK-1", "SK-1 '; --", 1, false, made};
    KeyRecord second{"AK-2", "SK-2", 7, true, {}};
    {
        const auto store = Store::open(url);
        ASSERT_TRUE(store.has_value()) << store.error();
        for (const KeyRecord& key : {first, second}) {
            ASSERT_TRUE((*store)->write_now(put_key(key)).has_value());
        }
    }
    const auto same = [](const KeyRecord& a, const KeyRecord& b) {
        return a.access_key == b.access_key && a.secret_key == b.secret_key &&
               a.account == b.account && a.disabled == b.disabled && a.created_at == b.created_at;
    };
    {
        const auto store = Store::open(url);
        const Content content = (*store)->take_content();
        ASSERT_EQ(content.keys.size(), 2U);
        EXPECT_TRUE(same(content.keys[0], first));
        EXPECT_TRUE(same(content.keys[1], second));
        second.disabled = false;
        second.secret_key = "SK-3";
        ASSERT_TRUE((*store)->write_now(put_key(second)).has_value());
        ASSERT_TRUE((*store)->write_now(erase_key("AK-1")).has_value());
        ASSERT_TRUE((*store)->write_now(erase_key("never")).has_value());
    }
    const Content content = (*Store::open(url))->take_content();
    ASSERT_EQ(content.keys.size(), 1U);
    EXPECT_TRUE(same(content.keys[0], second));
}

TEST_P(StoreTest, BansClosedRoomsAndV2RoomsComeBackAndGoWithTheirApp) {
    const room::RoomKey here{"app", "r"};
    const room::RoomKey elsewhere{"other", "r"};
    const WallTime made(std::chrono::nanoseconds(1'700'000'000'123'456'789));
    const rest::Ban for_good{"u1", "名 \"x\"", made, {}};
    rest::Ban for_a_while{"u2", "", made, made + 1h};
    {
        const auto store = Store::open(url);
        ASSERT_TRUE(store.has_value()) << store.error();
        const std::vector<Statement> all{put_ban(here, for_good),
                                         put_ban(here, for_a_while),
                                         put_ban(elsewhere, for_good),
                                         put_closed_room(here),
                                         put_closed_room(here),
                                         put_closed_room(elsewhere),
                                         put_v2_room({here, "owner", 7, true, made}),
                                         put_v2_room({elsewhere, "else", 0, false, made})};
        for (const Statement& statement : all) {
            ASSERT_TRUE((*store)->write_now(statement).has_value());
        }
    }
    {
        const auto store = Store::open(url);
        const Content content = (*store)->take_content();
        ASSERT_EQ(content.bans.size(), 3U);
        for (const BanRecord& record : content.bans) {
            if (record.room == elsewhere) continue;
            EXPECT_EQ(record.room, here);
            const rest::Ban& expected = record.ban.user_id == "u1" ? for_good : for_a_while;
            EXPECT_EQ(record.ban.user_id, expected.user_id);
            EXPECT_EQ(record.ban.reason, expected.reason);
            EXPECT_EQ(record.ban.created_at, made);
            EXPECT_EQ(record.ban.until, expected.until);
        }
        EXPECT_EQ(content.closed_rooms.size(), 2U);
        ASSERT_EQ(content.v2_rooms.size(), 2U);
        for (const rest::V2Room& room : content.v2_rooms) {
            const bool mine = room.key == here;
            EXPECT_EQ(room.owner_id, mine ? "owner" : "else");
            EXPECT_EQ(room.user_max, mine ? 7U : 0U);
            EXPECT_EQ(room.was_used, mine);
            EXPECT_EQ(room.created_at, made);
        }
        // The same user again: the new ban replaces the old one.
        for_a_while.until.reset();
        for_a_while.reason = "longer";
        ASSERT_TRUE((*store)->write_now(put_ban(here, for_a_while)).has_value());
        ASSERT_TRUE((*store)->write_now(erase_ban(here, "u1")).has_value());
        ASSERT_TRUE((*store)->write_now(erase_closed_room(here)).has_value());
        ASSERT_TRUE((*store)->write_now(erase_v2_room(here)).has_value());
        for (const Statement& statement : erase_rooms_of_app("other")) {
            ASSERT_TRUE((*store)->write_now(statement).has_value());
        }
    }
    const Content content = (*Store::open(url))->take_content();
    ASSERT_EQ(content.bans.size(), 1U);
    EXPECT_EQ(content.bans[0].ban.reason, "longer");
    EXPECT_EQ(content.bans[0].ban.until, std::nullopt);
    EXPECT_TRUE(content.closed_rooms.empty());
    EXPECT_TRUE(content.v2_rooms.empty());
}

TEST_P(StoreTest, StopFlushesWhatWaits) {
    {
        const auto store = Store::open(url);
        (*store)->start([](Store::Ticket, const std::string&) {});
        for (int i = 0; i < 100; ++i)
            ASSERT_TRUE((*store)->write(put_app(app("app" + std::to_string(i)))));
    }
    EXPECT_EQ((*Store::open(url))->take_content().apps.size(), 100U);
}

TEST_P(StoreTest, AKilledProcessLosesNothingThatWasFlushed) {
    Rng rng(20'261'125);
    // On each database; `make soak` asks for more.
    const char* const wanted = std::getenv("PARLEY_STORE_KILLS");
    const int kills = wanted != nullptr ? std::atoi(wanted) : 25;
    ASSERT_GT(kills, 0);
    std::int64_t promised = -1;
    for (int round = 0; round < kills; ++round) {
        int pipe_ends[2];
        ASSERT_EQ(::pipe(pipe_ends), 0);
        const std::int64_t first = promised + 1;
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            const auto store = Store::open(url);
            if (!store) ::_exit(1);
            // Every flush is told to the parent before anything else happens.
            (*store)->start([&](Store::Ticket flushed, const std::string&) {
                const std::int64_t number = first + static_cast<std::int64_t>(flushed) - 1;
                if (::write(pipe_ends[1], &number, sizeof number) < 0) ::_exit(1);
            });
            for (std::int64_t i = first;; ++i) {
                while (!(*store)->write(put_app(app("counter", std::to_string(i))))) ::usleep(100);
                ::usleep(50);
            }
        }
        ::close(pipe_ends[1]);
        // Killed somewhere within the writes that follow so many flushes.
        const auto flushes = 1 + rng.below(20);
        std::int64_t number = 0;
        for (std::uint64_t i = 0; i<flushes&& ::read(pipe_ends[0], &number, sizeof number)> 0; ++i)
            promised = number;
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        while (::read(pipe_ends[0], &number, sizeof number) > 0) promised = number;
        ::close(pipe_ends[0]);
        const auto store = Store::open(url);
        ASSERT_TRUE(store.has_value()) << store.error();
        const Content content = (*store)->take_content();
        ASSERT_EQ(content.apps.size(), 1U);
        const std::int64_t kept = std::stoll(content.apps[0].title);
        ASSERT_GE(kept, promised) << "round " << round;
        promised = kept;
    }
}

INSTANTIATE_TEST_SUITE_P(Both,
                         StoreTest,
                         ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         name_of_kind);

TEST(Sqlite, FileIsTheOwnersOnly) {
    std::string name = (std::filesystem::temp_directory_path() / "parley-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    {
        const auto store = Store::open(name + "/a.db");
        ASSERT_TRUE(store.has_value());
        struct stat info {};
        ASSERT_EQ(::stat((name + "/a.db").c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600U);
    }
    std::ofstream(name + "/bad.db") << std::string(8192, 'x');
    EXPECT_FALSE(Store::open(name + "/bad.db").has_value());
    EXPECT_FALSE(Store::open(name + "/none/a.db").has_value());
    std::filesystem::remove_all(name);
}

TEST(Postgres, AFailedConnectionNamesNoPassword) {
    const auto opened =
        open_database("postgresql://user:planted-secret@127.0.0.1:1/db?connect_timeout=2");
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error(), HasSubstr("PostgreSQL"));
    EXPECT_THAT(opened.error(), Not(HasSubstr("planted")));
}

TEST(Postgres, SurvivesARestartOfTheDatabase) {
    std::string why_not;
    PostgresServer* server = PostgresServer::instance(why_not);
    ASSERT_NE(server, nullptr) << why_not;
    const std::string url = server->new_database();
    rest::AppRecord record;
    record.app_id = "a";
    const auto store = Store::open(url);
    ASSERT_TRUE(store.has_value()) << store.error();
    std::promise<void> first;
    std::promise<void> second;
    (*store)->start([&](Store::Ticket flushed, const std::string& problem) {
        if (!problem.empty()) return;  // the database is away; it is tried again
        if (flushed == 1) first.set_value();
        if (flushed == 2) second.set_value();
    });
    ASSERT_TRUE((*store)->write(put_app(record)));
    ASSERT_EQ(first.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
    server->kill_and_restart();
    record.title = "after";
    ASSERT_TRUE((*store)->write(put_app(record)));
    ASSERT_EQ(second.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
    (*store)->stop();
    EXPECT_EQ((*Store::open(url))->take_content().apps.at(0).title, "after");
}

}  // namespace
}  // namespace parley::store

#include "store/maintenance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "both_databases.h"

namespace parley::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MaintenanceTest : public StoreTest {
protected:
    static CheckReport check(Connection& connection) {
        auto report = check_store(connection, {});
        EXPECT_TRUE(report.has_value()) << report.error();
        return *std::move(report);
    }
    /// Enough for several steps of a backup.
    void fill(Connection& connection) const {
        ASSERT_TRUE(migrate(connection).has_value());
        std::vector<Statement> statements;
        for (int i = 0; i < 8'000; ++i) {
            statements.push_back(put_app(app("app" + std::to_string(i), std::string(800, 't'))));
        }
        ASSERT_TRUE(connection.run_together(statements).has_value());
    }
};

TEST_P(MaintenanceTest, AWholeStoreHasNoProblems) {
    const auto connection = connect();
    ASSERT_TRUE(migrate(*connection).has_value());
    ASSERT_TRUE(connection->run(put_app(app("one"))).has_value());
    EXPECT_THAT(check(*connection).problems, IsEmpty());
}

TEST_P(MaintenanceTest, WhatTheServerCannotReadIsAProblem) {
    struct Case {
        const char* sql;
        const char* problem;
    };
    for (const Case& c : {Case{"UPDATE apps SET content = '{\"title\":'", "apps"},
                          Case{"UPDATE apps SET content = '[]'", "apps"},
                          Case{"UPDATE schema_version SET version = 999", "newer parley"},
                          Case{"DELETE FROM schema_version", "no version"},
                          Case{"DROP TABLE schema_version", "no version"}}) {
        const auto connection = connect();
        ASSERT_TRUE(migrate(*connection).has_value());
        ASSERT_TRUE(connection->run(put_app(app("one"))).has_value());
        ASSERT_TRUE(connection->run({c.sql, {}}).has_value()) << c.sql;
        EXPECT_THAT(check(*connection).problems, ElementsAre(HasSubstr(c.problem))) << c.sql;
        TearDown();
        SetUp();  // the next one's own database
    }
}

TEST_P(MaintenanceTest, AnOlderVersionIsANote) {
    const auto connection = connect();
    ASSERT_TRUE(migrate(*connection).has_value());
    ASSERT_TRUE(connection->run({"UPDATE schema_version SET version = version - 1", {}}));
    const CheckReport report = check(*connection);
    EXPECT_THAT(report.problems, IsEmpty());
    EXPECT_THAT(report.notes, ::testing::Contains(HasSubstr("at the next start")));
}

TEST_P(MaintenanceTest, BackupIsACopyOfOneMoment) {
    const auto connection = connect();
    fill(*connection);
    const std::string copy = folder + "/copy.db";
    const auto other = connect();
    bool wrote = false;
    std::int64_t last = -1;
    const auto done = connection->backup_to(copy, [&](std::int64_t part, std::int64_t total) {
        EXPECT_GT(part, last);
        EXPECT_LE(part, total);
        last = part;
        EXPECT_FALSE(std::filesystem::exists(copy)) << "no half of a backup has its name";
        if (wrote) return;
        wrote = true;
        EXPECT_TRUE(other->run(put_app(app("later"))).has_value()) << "writers go on";
    });
    if (GetParam() == Kind::kPostgres) {
        ASSERT_FALSE(done.has_value());
        EXPECT_THAT(done.error(),
                    HasSubstr("pg_dump --format=custom --file=" + copy + " --host=/"));
        EXPECT_THAT(done.error(), HasSubstr("--username=postgres t"));
        return;
    }
    ASSERT_TRUE(done.has_value()) << done.error();
    EXPECT_TRUE(wrote);
    struct stat info {};
    ASSERT_EQ(::stat(copy.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << "secret keys are in it";
    EXPECT_FALSE(std::filesystem::exists(copy + ".partial"));
    EXPECT_EQ((*Store::open(copy))->take_content().apps.size(), 8'000U) << "without the later one";
    EXPECT_THAT(check(*other).problems, IsEmpty());

    const auto again = connection->backup_to(copy, {});
    ASSERT_FALSE(again.has_value()) << "never over a file";
    EXPECT_THAT(again.error(), HasSubstr("exists already"));
}

INSTANTIATE_TEST_SUITE_P(Both,
                         MaintenanceTest,
                         ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         name_of_kind);

class SqliteFiles : public MaintenanceTest {};

TEST_P(SqliteFiles, BackupThatCannotBeWrittenLeavesNothing) {
    const auto connection = connect();
    ASSERT_TRUE(migrate(*connection).has_value());
    const auto nowhere = connection->backup_to(folder + "/none/copy.db", {});
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_THAT(nowhere.error(), HasSubstr("/none/copy.db"));
    std::ofstream(folder + "/copy.db.partial") << "another one's";
    const auto busy = connection->backup_to(folder + "/copy.db", {});
    ASSERT_FALSE(busy.has_value());
    EXPECT_THAT(busy.error(), HasSubstr("interrupted"));
    EXPECT_EQ(std::filesystem::file_size(folder + "/copy.db.partial"), 13U);
    EXPECT_FALSE(std::filesystem::exists(folder + "/copy.db"));
    EXPECT_TRUE(connection->run(put_app(app("one"))).has_value()) << "no transaction is left open";
}

TEST_P(SqliteFiles, DamageIsFoundAndNotCopied) {
    {
        const auto connection = connect();
        fill(*connection);
    }
    {
        // Closed, so all of it is in the one file. Each page but the first is a page of rows or of
        // an index.
        std::fstream file(url, std::ios::in | std::ios::out | std::ios::binary);
        for (int page = 400; page < 420; ++page) {
            file.seekp(page * 4096);
            file << std::string(200, '\x7f');
        }
    }
    const auto connection = connect();
    EXPECT_THAT(check(*connection).problems, Not(IsEmpty()));
    const std::string copy = folder + "/copy.db";
    const auto done = connection->backup_to(copy, {});
    ASSERT_FALSE(done.has_value());
    EXPECT_THAT(done.error(), HasSubstr("damaged"));
    EXPECT_FALSE(std::filesystem::exists(copy));
    EXPECT_FALSE(std::filesystem::exists(copy + ".partial"));
}

INSTANTIATE_TEST_SUITE_P(Only, SqliteFiles, ::testing::Values(Kind::kSqlite), name_of_kind);

}  // namespace
}  // namespace parley::store

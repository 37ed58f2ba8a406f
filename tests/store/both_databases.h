#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "postgres_server.h"
#include "store/store.h"
#include "store/tables.h"

namespace parley::store {

enum class Kind { kSqlite, kPostgres };

/// A new, empty database of either kind.
class StoreTest : public ::testing::TestWithParam<Kind> {
protected:
    void SetUp() override {
        std::string name =
            (std::filesystem::temp_directory_path() / "parley-store-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
        url = folder + "/parley.db";
        if (GetParam() == Kind::kSqlite) return;
        std::string why_not;
        PostgresServer* server = PostgresServer::instance(why_not);
        ASSERT_NE(server, nullptr) << why_not;
        url = server->new_database();
    }
    void TearDown() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    std::unique_ptr<Connection> connect() const {
        auto connection = open_database(url);
        EXPECT_TRUE(connection.has_value()) << connection.error();
        return *std::move(connection);
    }
    static rest::AppRecord app(const std::string& id, const std::string& title = "t") {
        rest::AppRecord out;
        out.app_id = id;
        out.uid = 1;
        out.title = title;
        return out;
    }
    std::string folder;
    std::string url;
};

/// The same with all tables, and a connection to it.
class MigratedStoreTest : public StoreTest {
protected:
    void SetUp() override {
        StoreTest::SetUp();
        if (HasFatalFailure()) return;
        connection = connect();
        ASSERT_TRUE(migrate(*connection).has_value());
    }
    void run(const std::vector<Statement>& statements) {
        const auto done = connection->run_together(statements);
        ASSERT_TRUE(done.has_value()) << done.error();
    }
    std::unique_ptr<Connection> connection;
};

inline std::string name_of_kind(const ::testing::TestParamInfo<Kind>& each) {
    return each.param == Kind::kSqlite ? "Sqlite" : "Postgres";
}

}  // namespace parley::store

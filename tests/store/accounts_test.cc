// The same tests on both databases.
#include "store/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "both_databases.h"

namespace parley::store {
namespace {

using ::testing::HasSubstr;

class AccountsTest : public StoreTest {};

const WallTime kMade(std::chrono::nanoseconds(1'700'000'000'123'456'789));

TEST_P(AccountsTest, AnAccountComesWithItsKeyAndStays) {
    const auto connection = connect();
    ASSERT_TRUE(migrate(*connection).has_value());
    EXPECT_TRUE(load_accounts(*connection)->accounts.empty());
    KeyRecord key{"AK-1", "SK-1", 0, false, kMade};
    const auto first = add_account(*connection, "名 \"x\"; --", key);
    ASSERT_TRUE(first.has_value()) << first.error();
    EXPECT_EQ(first->id, kFirstAccount + 1) << "the first account is there without a record";
    EXPECT_EQ(key.account, first->id);
    KeyRecord other{"AK-2", "SK-2", 0, false, kMade};
    EXPECT_EQ(add_account(*connection, "other", other)->id, kFirstAccount + 2);

    AccountRecord changed = *first;
    changed.disabled = true;
    ASSERT_TRUE(connection->run(put_account(changed)).has_value());
    const auto content = load_accounts(*connection);
    ASSERT_TRUE(content.has_value()) << content.error();
    ASSERT_EQ(content->accounts.size(), 2U);
    EXPECT_EQ(content->accounts[0], changed);
    EXPECT_EQ(content->accounts[0].created_at, kMade);
    EXPECT_EQ(content->keys, (std::vector<KeyRecord>{key, other}));
    EXPECT_EQ((*Store::open(url))->take_content().accounts, content->accounts);
}

TEST_P(AccountsTest, NumbersAreNotUsedAgain) {
    const auto connection = connect();
    ASSERT_TRUE(migrate(*connection).has_value());
    ASSERT_TRUE(connection->run(put_key({"AK-7", "SK", 7})).has_value());
    rest::AppRecord left = app("left");
    left.uid = 9;
    ASSERT_TRUE(connection->run(put_app(left)).has_value());
    KeyRecord key{"AK-1", "SK-1", 0, false, kMade};
    EXPECT_EQ(add_account(*connection, "new", key)->id, 10);
}

TEST_P(AccountsTest, AnAccountWithoutItsKeyIsNotMade) {
    const auto connection = connect();
    ASSERT_TRUE(migrate(*connection).has_value());
    ASSERT_TRUE(connection->run({"DROP TABLE access_keys", {}}).has_value());
    ASSERT_TRUE(
        connection
            ->run({"CREATE TABLE access_keys (access_key TEXT PRIMARY KEY, account BIGINT)", {}})
            .has_value());
    KeyRecord key{"AK-1", "SK-1", 0, false, kMade};
    EXPECT_FALSE(add_account(*connection, "new", key).has_value());
    EXPECT_TRUE(connection->run({"SELECT id FROM accounts", {}})->empty());
}

TEST_P(AccountsTest, OnlyAStoreOfJustThisVersionIsTouched) {
    const auto connection = connect();
    EXPECT_THAT(check_version(*connection).error(), HasSubstr("never started"));
    ASSERT_TRUE(migrate(*connection).has_value());
    EXPECT_TRUE(check_version(*connection).has_value());
    for (const auto& [version, text] : {std::pair{"1", "serve"}, {"999", "newer"}}) {
        ASSERT_TRUE(
            connection->run({"UPDATE schema_version SET version = " + std::string(version), {}})
                .has_value());
        EXPECT_THAT(check_version(*connection).error(), HasSubstr(text));
    }
}

INSTANTIATE_TEST_SUITE_P(Both,
                         AccountsTest,
                         ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         name_of_kind);

}  // namespace
}  // namespace parley::store

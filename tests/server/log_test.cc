#include "server/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Log, FieldsAreKeyValue) {
    EXPECT_EQ(format_log_fields("room made", {{"room", "r1"}, {"members", 3}, {"empty", ""}}),
              "event=\"room made\" room=r1 members=3 empty=\"\"");
}

TEST(Log, NobodyForgesALine) {
    const std::string line = format_log_fields("x", {{"name", "a\nlevel=error \"b\"\x1b[31m\x7f"}});
    EXPECT_THAT(line, Not(HasSubstr("\n")));
    EXPECT_THAT(line, Not(HasSubstr("\x1b")));
    EXPECT_EQ(line, "event=x name=\"a\\x0alevel=error \\\"b\\\"\\x1b[31m\\x7f\"");
}

TEST(Log, LongValuesAreCut) {
    EXPECT_LT(format_log_fields("x", {{"name", std::string(100'000, 'a')}}).size(), 1'000U);
}

TEST(Log, PrivateValuesCanBeFollowedButNotRead) {
    const std::string user = "alice-the-planted";
    const std::string line = format_log_fields("x", {{"user", Private(user)}});
    EXPECT_THAT(line, Not(HasSubstr("alice")));
    EXPECT_EQ(line, format_log_fields("x", {{"user", Private(user)}}));
    EXPECT_NE(hash_for_log(user), hash_for_log("bob"));
    EXPECT_EQ(hash_for_log(""), "-");
}

}  // namespace
}  // namespace parley::server

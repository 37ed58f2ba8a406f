#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "rest/usage.h"
#include "router_fixture.h"

namespace parley::rest {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::string kUsage = "/x1/apps/demo/usage";

struct X1UsageTest : RouterFixture {
    static UsageRow row() {
        UsageRow out;
        out.at = at_seconds(1'699'920'000);
        out.app_id = "demo";
        out.usage.traffic = {10, 1'200, 20, 5'000'000'000};
        out.usage.subscribed.audio = 90s;
        out.usage.subscribed.video[2] = 45s;
        out.usage.published.video[0] = 100ms;
        out.jobs[2] = 61s;
        out.peak_users = 12;
        return out;
    }
};

TEST_F(X1UsageTest, ARowSaysMinutesTrafficJobsAndThePeak) {
    history.usage = {row()};
    const json::object answer = ok(kUsage);
    EXPECT_EQ(answer.at("g").as_string(), "day");
    EXPECT_EQ(json::serialize(answer.at("rows")),
              R"([{"at":"2023-11-14T00:00:00.000000000+00:00","audioMinutes":1.5E0,)"
              R"("videoMinutes":{"sd":0E0,"hd":0E0,"fhd":7.5E-1,"uhd":0E0},)"
              R"("published":{"audioMinutes":0E0,"videoMinutes":{"sd":2E-3,"hd":0E0,"fhd":0E0,"uhd":0E0}},)"
              R"("bytesIn":1200,"bytesOut":5000000000,"packetsIn":10,"packetsOut":20,)"
              R"("jobMinutes":{"merge":0E0,"forward":0E0,"record":1.017E0},"peakUsers":12}])");
}

TEST_F(X1UsageTest, WhatIsBegunIsAnsweredWhole) {
    ok(kUsage + "?g=hour&from=1699996000&to=1699999300&by=room&room=r");
    const UsageQuery& asked = history.usage_queries.back();
    EXPECT_EQ(asked.from, at_seconds(1'699'995'600));
    EXPECT_EQ(asked.to, at_seconds(1'700'002'800));
    EXPECT_EQ(asked.by, UsageQuery::By::kRoom);
    EXPECT_EQ(asked.room, "r");
    EXPECT_FALSE(asked.by_day);
    ok(kUsage + "?to=1699996000&user=ada");
    EXPECT_EQ(history.usage_queries.back().to, at_seconds(1'700'006'400));
    EXPECT_EQ(history.usage_queries.back().to - history.usage_queries.back().from, 400 * 24h);
    EXPECT_EQ(history.usage_queries.back().user_id, "ada");
}

TEST_F(X1UsageTest, RowsOfUsersHaveNoPeak) {
    history.usage = {row()};
    history.usage[0].user_id = "ada";
    const json::object mine = ok(kUsage + "?by=user").at("rows").as_array().at(0).as_object();
    EXPECT_EQ(mine.at("userId").as_string(), "ada");
    EXPECT_FALSE(mine.contains("peakUsers"));
    EXPECT_FALSE(ok(kUsage + "?user=ada").at("rows").as_array().at(0).as_object().contains("peakUsers"));
}

TEST_F(X1UsageTest, WhatIsOutOfBoundsIsSaid) {
    const std::vector<std::pair<std::string, std::string>> cases{{"?from=x", "from"},
                                                                 {"?from=5&to=4", "to"},
                                                                 {"?from=1800000000", "from"},
                                                                 {"?g=week", "g"},
                                                                 {"?by=track", "by"},
                                                                 {"?user=a%20b", "user"},
                                                                 {"?room=a%20b", "room"},
                                                                 {"?format=xml", "format"},
                                                                 {"?g=hour&from=1690000000", "31 days"},
                                                                 {"?from=0", "400"}};
    for (const auto& [query, reason] : cases) {
        const HttpResponse response = get(kUsage + query);
        EXPECT_EQ(response.status, 400U) << query;
        EXPECT_THAT(response.body, HasSubstr(reason)) << query;
    }
    EXPECT_THAT(history.usage_queries, SizeIs(0));
    history.usage.resize(20'001);
    EXPECT_EQ(get(kUsage).status, 400U);
    EXPECT_THAT(get(kUsage).body, HasSubstr("too many rows"));
    history.refusal = Error{Errc::kBusy, "the store is busy"};
    EXPECT_EQ(get(kUsage).status, 503U);
}

TEST_F(X1UsageTest, AnotherAccountsAppIsAsAMissingOne) {
    const HttpResponse theirs = get(kUsage, kOtherKey);
    EXPECT_EQ(theirs.status, 612U);
    EXPECT_EQ(theirs.body, get("/x1/apps/never/usage", kOtherKey).body);
}

TEST_F(X1UsageTest, CsvHasALineForEachRow) {
    history.usage = {row(), row()};
    const HttpResponse response = get(kUsage + "?format=csv");
    EXPECT_EQ(response.status, 200U);
    EXPECT_THAT(response.header("Content-Type"), StartsWith("text/csv"));
    EXPECT_THAT(response.header("Content-Disposition"), HasSubstr("attachment"));
    const std::string line =
        "2023-11-14T00:00:00.000000000+00:00,1.5,0,0,0.75,0,0,0.002,0,0,0,1200,5000000000,10,20,0,0,1.017,12\r\n";
    EXPECT_EQ(response.body,
              "at,audioMinutes,videoMinutes.sd,videoMinutes.hd,videoMinutes.fhd,videoMinutes.uhd,"
              "published.audioMinutes,published.videoMinutes.sd,published.videoMinutes.hd,"
              "published.videoMinutes.fhd,published.videoMinutes.uhd,bytesIn,bytesOut,packetsIn,packetsOut,"
              "jobMinutes.merge,jobMinutes.forward,jobMinutes.record,peakUsers\r\n" + line + line);
}

/// Names cannot be like this; a name in a file of an old server may.
TEST(UsageCsv, ATextThatIsAFormulaIsDefused) {
    UsageQuery query;
    query.by = UsageQuery::By::kUser;
    const std::vector<std::pair<std::string, std::string>> cases{{"ada", ",ada,"},
                                                                 {"a,b", R"(,"a,b",)"},
                                                                 {"a\"b", R"(,"a""b",)"},
                                                                 {"=1+1", R"(,"'=1+1",)"},
                                                                 {"+1", R"(,"'+1",)"},
                                                                 {"-1", R"(,"'-1",)"},
                                                                 {"@x", R"(,"'@x",)"},
                                                                 {" =1", R"(,"' =1",)"},
                                                                 {"\t=1", ",\"'\t=1\","}};
    for (const auto& [name, expected] : cases) {
        UsageRow row;
        row.user_id = name;
        EXPECT_THAT(usage_csv(query, {row}), HasSubstr(expected)) << name;
    }
}

}  // namespace
}  // namespace parley::rest

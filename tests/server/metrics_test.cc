#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace parley::server {
namespace {

using ::testing::HasSubstr;

/// Samples by name with labels, as a scraper reads them.
std::map<std::string, double> read(const std::string& text) {
    std::map<std::string, double> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') continue;
        const std::size_t cut = line.rfind(' ');
        EXPECT_TRUE(out.emplace(line.substr(0, cut), std::stod(line.substr(cut + 1))).second)
            << line;
    }
    return out;
}

TEST(Metrics, CountsArriveUnderTheirNames) {
    MetricsSnapshot snapshot;
    snapshot.version = "1.2.3";
    snapshot.hub.rooms = 3;
    snapshot.hub.members = 5;
    snapshot.hub.joins = 7;
    snapshot.hub.joins_refused = 2;
    snapshot.workers.push_back({WorkerId(1), {}, {}});
    snapshot.workers.push_back({WorkerId(2), {}, {}});
    snapshot.workers[1].streams.gateway.players = 4;
    const std::map<std::string, double> samples = read(write_metrics(snapshot));
    EXPECT_EQ(samples.at("parley_rooms"), 3);
    EXPECT_EQ(samples.at("parley_members"), 5);
    EXPECT_EQ(samples.at("parley_rtmp_players{worker=\"2\"}"), 4);
    EXPECT_EQ(samples.at("parley_joins_total{result=\"ok\"}"), 7);
    EXPECT_EQ(samples.at("parley_joins_total{result=\"refused\"}"), 2);
}

TEST(Metrics, HistogramsAreCumulative) {
    MetricsSnapshot snapshot;
    for (const double seconds : {0.01, 0.07, 0.07, 3.0, 99.0}) snapshot.join_time.add(seconds);
    const std::string text = write_metrics(snapshot);
    EXPECT_THAT(text, HasSubstr("# TYPE parley_join_time_seconds histogram"));
    const std::map<std::string, double> samples = read(text);
    const std::string name = "parley_join_time_seconds";
    for (const auto& [bound, count] :
         {std::pair{"0.05", 1}, {"0.1", 3}, {"2", 3}, {"5", 4}, {"10", 4}, {"+Inf", 5}}) {
        EXPECT_EQ(samples.at(name + "_bucket{le=\"" + bound + "\"}"), count) << bound;
    }
    EXPECT_EQ(samples.at(name + "_count"), 5);
    EXPECT_NEAR(samples.at(name + "_sum"), 102.15, 1e-9);
}

}  // namespace
}  // namespace parley::server

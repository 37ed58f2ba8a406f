// What reports, comings and goings, and jobs add up to.
#include "server/meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::server {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const WallTime kHour = WallTime(1'699'999'200s);
const room::RoomKey kRoom{"demo", "lesson"};

struct MeterTest : ::testing::Test {
    void report(WallTime grain, const std::string& user, std::uint64_t bytes) {
        ReportBatch batch;
        batch.begin = grain;
        sfu::PeerReport one;
        one.owner = std::make_shared<sfu::Owner>(sfu::Owner{"demo", "lesson", user});
        one.usage.traffic.add_in(bytes);
        batch.reports.push_back(std::move(one));
        meter.handle_reports(batch);
    }
    void event(signalling::RoomEventKind kind, WallTime at, const std::string& room, const std::string& user) {
        meter.handle_event({kind, at, "demo", room, user, "{}"});
    }
    void joined(WallTime at, const std::string& room, const std::string& user) {
        event(signalling::RoomEventKind::kUserJoined, at, room, user);
    }
    void left(WallTime at, const std::string& room, const std::string& user) {
        event(signalling::RoomEventKind::kUserLeft, at, room, user);
    }
    /// The job of one of the rows that were written; of all hours together.
    Duration minutes_of(rest::BilledJob kind, WallTime hour) {
        Duration out{};
        for (const rest::UsageRow& row : written) {
            if (row.at == hour) out += row.jobs[static_cast<std::size_t>(kind)];
        }
        return out;
    }
    std::uint64_t peak(WallTime hour, const std::string& room) {
        std::uint64_t out = 0;
        for (const rest::UsageRow& row : written) {
            if (row.at == hour && row.room == room && row.user_id.empty()) out = std::max(out, row.peak_users);
        }
        return out;
    }
    static rest::JobRecord job(rest::JobState state, WallTime created, WallTime updated) {
        rest::JobRecord out;
        out.room = kRoom;
        out.id = "j";
        out.kind = rest::JobKind::kForward;
        out.state = state;
        out.created_at = created;
        out.updated_at = updated;
        return out;
    }

    bool takes = true;
    std::vector<rest::UsageRow> written;
    Meter meter{kHour, [this](const std::vector<rest::UsageRow>& rows) {
                    if (takes) written.insert(written.end(), rows.begin(), rows.end());
                    return takes;
                }};
};

TEST_F(MeterTest, ReportsOfOneHourAndMemberAreOneRow) {
    report(kHour + 10s, "ada", 100);
    report(kHour + 3590s, "ada", 11);
    report(kHour + 3600s, "ada", 5);
    report(kHour + 10s, "bob", 7);
    meter.flush(kHour + 3611s);
    ASSERT_THAT(written, SizeIs(3));
    EXPECT_EQ(written[0].at, kHour);
    EXPECT_EQ(written[0].user_id, "ada");
    EXPECT_EQ(written[0].usage.traffic.bytes_in, 111U);
    EXPECT_EQ(written[0].usage.traffic.packets_in, 2U);
    EXPECT_EQ(written[2].at, kHour + 1h);
    written.clear();
    meter.flush(kHour + 3620s);
    EXPECT_THAT(written, IsEmpty()) << "told once";
}

TEST_F(MeterTest, AStoreThatIsFullGetsItLater) {
    takes = false;
    report(kHour, "ada", 100);
    meter.flush(kHour + 10s);
    report(kHour + 10s, "ada", 1);
    takes = true;
    meter.flush(kHour + 20s);
    ASSERT_THAT(written, SizeIs(1));
    EXPECT_EQ(written[0].usage.traffic.bytes_in, 101U);
    EXPECT_EQ(meter.lost(), 0U);
}

TEST_F(MeterTest, RowsThatWaitAreBoundedAndTheLossIsCounted) {
    takes = false;
    for (std::size_t i = 0; i < Meter::kMaxRows; ++i) report(kHour, std::to_string(i), 1);
    EXPECT_EQ(meter.lost(), 0U);
    report(kHour, "one more", 1);
    EXPECT_EQ(meter.lost(), 1U);
    report(kHour, "0", 1);
    EXPECT_EQ(meter.lost(), 1U) << "what has a row goes on";
}

TEST_F(MeterTest, PeaksAreOfRoomsAndOfTheApp) {
    joined(kHour, "a", "ada");
    joined(kHour, "a", "ada");
    joined(kHour + 1s, "b", "ada");
    joined(kHour + 2s, "b", "bob");
    left(kHour + 3s, "b", "bob");
    left(kHour + 3s, "b", "nobody");
    joined(kHour + 4s, "a", "cyd");
    meter.flush(kHour + 10s);
    EXPECT_EQ(peak(kHour, ""), 3U);
    EXPECT_EQ(peak(kHour, "a"), 2U);
    EXPECT_EQ(peak(kHour, "b"), 2U);
    left(kHour + 11s, "b", "ada");
    left(kHour + 11s, "a", "cyd");
    meter.flush(kHour + 3600s);
    EXPECT_EQ(peak(kHour + 1h, ""), 1U) << "who stays is there in the next hour too";
    EXPECT_EQ(peak(kHour + 1h, "a"), 1U);
    EXPECT_EQ(peak(kHour + 1h, "b"), 0U);
}

TEST_F(MeterTest, JobsCountWhileTheyRunAndAreCutAtHours) {
    meter.handle_job(job(rest::JobState::kRunning, kHour + 3000s, kHour + 3000s));
    meter.flush(kHour + 3010s);
    meter.flush(kHour + 3020s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour), 20s);
    meter.handle_job(job(rest::JobState::kStopped, kHour + 3000s, kHour + 3650s));
    meter.flush(kHour + 3700s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour), 600s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour + 1h), 50s);
    meter.flush(kHour + 3710s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour + 1h), 50s) << "it has ended";
}

TEST_F(MeterTest, JobsThatFailAtOnceCostNothingAndOldOnesCountFromTheStart) {
    meter.handle_job(job(rest::JobState::kFailed, kHour, kHour + 100s));
    meter.flush(kHour + 200s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour), 0s);
    meter.handle_job(job(rest::JobState::kRunning, kHour - 24h, kHour - 24h));
    meter.flush(kHour + 300s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour), 300s) << "from the start of this process";
    meter.forget_app("demo");
    meter.flush(kHour + 400s);
    EXPECT_EQ(minutes_of(rest::BilledJob::kForward, kHour), 300s);
}

}  // namespace
}  // namespace parley::server

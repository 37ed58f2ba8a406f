#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "rest/usage.h"
#include "room/types.h"
#include "server/report_box.h"
#include "signalling/outputs.h"

namespace parley::server {

/// Adds up what workers report, who is in which room and how long jobs run, by hour, app, room and
/// user, and hands the sums on to be written. Belongs to the control loop; reads no clock.
class Meter {
public:
    /// Rows that wait for the store; what belongs into further ones is lost, and counted.
    static constexpr std::size_t kMaxRows = 200'000;
    /// Rows of one change, so that others' writes do not wait long.
    static constexpr std::size_t kMaxRowsAtOnce = 500;

    /// False: not now; the rows are given again.
    using Write = std::function<bool(const std::vector<rest::UsageRow>&)>;

    Meter(WallTime now, Write write)
        : write_(std::move(write)), started_at_(now), flushed_at_(now) {}

    void handle_reports(const ReportBatch& batch);
    void handle_event(const signalling::RoomEvent& event);
    /// A job is new or changed, or was running when the process began.
    void handle_job(const rest::JobRecord& job);
    /// Its jobs went with it.
    void forget_app(const std::string& app_id);
    /// Hands on everything up to now. Call it every `sfu::kReportGrain`, and at the end.
    void flush(WallTime now);

    [[nodiscard]] std::uint64_t lost() const { return lost_; }

private:
    /// Hour (Unix), app, room, user.
    using Key = std::tuple<std::int64_t, std::string, std::string, std::string>;
    struct Running {
        rest::BilledJob kind{};
        WallTime since;  ///< not counted yet
    };

    /// Null at the bound.
    rest::UsageRow* row(WallTime at,
                        const std::string& app,
                        const std::string& room,
                        const std::string& user);
    void add_job(const room::RoomKey& room, rest::BilledJob kind, WallTime from, WallTime to);
    void note_peak(WallTime at, const std::string& app, const std::string& room, std::size_t users);

    const Write write_;
    std::map<Key, rest::UsageRow> rows_;
    std::map<room::RoomKey, std::set<std::string>> members_;
    std::map<std::string, std::size_t> users_of_app_;
    std::map<std::pair<room::RoomKey, std::string>, Running> jobs_;
    const WallTime started_at_;  ///< what a job did before was another process's
    WallTime flushed_at_;
    std::uint64_t lost_ = 0;
};

}  // namespace parley::server

#include "server/quality_keeper.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>
#include <vector>

#include "rest/x1_quality.h"
#include "server/log.h"
#include "signalling/outputs.h"
#include "store/quality_tables.h"

namespace parley::server {
namespace {

/// The last end of a stretch at `now` or before.
WallTime last_end(WallTime now) {
    return WallTime(now.time_since_epoch() / quality::kGrain * quality::kGrain);
}

}  // namespace

WallTime QualityKeeper::next_close(WallTime now) {
    return last_end(now - kCloseAfter) + quality::kGrain + kCloseAfter;
}

void QualityKeeper::handle_reports(const std::vector<sfu::PeerReport>& reports) {
    for (const sfu::PeerReport& report : reports) {
        if (!report.owner) continue;
        const sfu::Traffic& traffic = report.usage.traffic;
        board_.handle_server_view(
            {{report.owner->app_id, report.owner->room}, report.owner->user_id},
            {traffic.bytes_in, traffic.bytes_out, report.quality});
    }
}

void QualityKeeper::handle_time(WallTime now) {
    const WallTime at = last_end(now - kCloseAfter);
    // A clock that was set back makes a stretch longer, not two.
    if (at <= closed_at_ && closed_at_ - at < quality::kGrain * 6) return;
    closed_at_ = at;
    quality::Board::Closed closed = board_.close(at);
    std::vector<store::Statement> change;
    change.reserve(closed.rooms.size());
    for (const quality::RoomPoints& room : closed.rooms) change.push_back(store::put_points(room));
    if (!change.empty()) {
        store::Store& store = *apps_.store();
        if (store.pending() >= kMaxPending || !store.write_together(std::move(change))) {
            if (lost_ == 0)
                log_error("points of quality lost: the store is full",
                          {{"rooms", closed.rooms.size()}});
            lost_ += closed.rooms.size();
        }
    }
    for (const quality::Alarm& alarm : closed.alarms) raise(alarm);
}

void QualityKeeper::raise(const quality::Alarm& alarm) {
    boost::json::object data = rest::quality_json({alarm.at, alarm.figures});
    data["state"] = alarm.is_bad ? "bad" : "good";
    const auto& [room, user] = alarm.member;
    log_info(alarm.is_bad ? "quality is bad" : "quality is good again",
             {{"app", room.app_id}, {"room", room.name}, {"user", Private(user)}});
    journal_.record({signalling::RoomEventKind::kQualityAlarm,
                     alarm.at,
                     room.app_id,
                     room.name,
                     user,
                     boost::json::serialize(data)});
}

void QualityKeeper::prune(WallTime now) {
    static_cast<void>(apps_.store()->write(store::prune_points(now - options_.retention)));
}

}  // namespace parley::server

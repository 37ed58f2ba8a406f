#include "server/meter.h"

#include <algorithm>
#include <utility>

namespace parley::server {
namespace {

WallTime hour_of(WallTime at) {
    return WallTime(at.time_since_epoch() - at.time_since_epoch() % 1h);
}

}  // namespace

rest::UsageRow* Meter::row(WallTime at,
                           const std::string& app,
                           const std::string& room,
                           const std::string& user) {
    const WallTime hour = hour_of(at);
    const Key key{unix_seconds(hour), app, room, user};
    const auto found = rows_.find(key);
    if (found != rows_.end()) return &found->second;
    if (rows_.size() >= kMaxRows) {
        ++lost_;
        return nullptr;
    }
    rest::UsageRow fresh;
    fresh.at = hour;
    fresh.app_id = app;
    fresh.room = room;
    fresh.user_id = user;
    return &rows_.emplace(key, std::move(fresh)).first->second;
}

void Meter::handle_reports(const ReportBatch& batch) {
    for (const sfu::PeerReport& report : batch.reports) {
        if (report.usage.is_empty()) continue;
        const sfu::Owner& owner = *report.owner;
        if (rest::UsageRow* to = row(batch.begin, owner.app_id, owner.room, owner.user_id))
            to->usage += report.usage;
    }
}

void Meter::note_peak(WallTime at,
                      const std::string& app,
                      const std::string& room,
                      std::size_t users) {
    if (users == 0) return;
    if (rest::UsageRow* to = row(at, app, room, {}))
        to->peak_users = std::max<std::uint64_t>(to->peak_users, users);
}

void Meter::handle_event(const signalling::RoomEvent& event) {
    using Kind = signalling::RoomEventKind;
    if (event.kind != Kind::kUserJoined && event.kind != Kind::kUserLeft) return;
    const room::RoomKey room{event.app_id, event.room_name};
    std::set<std::string>& users = members_[room];
    std::size_t& of_app = users_of_app_[room.app_id];
    of_app -= users.size();
    if (event.kind == Kind::kUserJoined) {
        users.insert(event.user_id);
    } else {
        users.erase(event.user_id);
    }
    of_app += users.size();
    note_peak(event.at, room.app_id, {}, of_app);
    note_peak(event.at, room.app_id, room.name, users.size());
    if (of_app == 0) users_of_app_.erase(room.app_id);
    if (users.empty()) members_.erase(room);
}

void Meter::add_job(const room::RoomKey& room, rest::BilledJob kind, WallTime from, WallTime to) {
    while (from < to) {
        const WallTime end = std::min(to, hour_of(from) + 1h);
        if (rest::UsageRow* row_of_room = row(from, room.app_id, room.name, {})) {
            row_of_room->jobs[static_cast<std::size_t>(kind)] += end - from;
        }
        from = end;
    }
}

void Meter::handle_job(const rest::JobRecord& job) {
    const rest::BilledJob kind = rest::billed_as(job);
    if (kind == rest::BilledJob::kNone) return;
    const std::pair key{job.room, job.id};
    const auto found = jobs_.find(key);
    if (job.state == rest::JobState::kRunning) {
        // One that is changed may be billed otherwise from then on.
        if (found != jobs_.end()) {
            add_job(job.room, found->second.kind, found->second.since, job.updated_at);
            found->second = {kind, std::max(found->second.since, job.updated_at)};
        } else {
            jobs_.emplace(key, Running{kind, std::max(job.created_at, started_at_)});
        }
        return;
    }
    if (found == jobs_.end()) return;
    add_job(job.room, found->second.kind, found->second.since, job.updated_at);
    jobs_.erase(found);
}

void Meter::forget_app(const std::string& app_id) {
    std::erase_if(jobs_, [&](const auto& job) { return job.first.first.app_id == app_id; });
}

void Meter::flush(WallTime now) {
    for (auto& [key, running] : jobs_) {
        add_job(key.first, running.kind, running.since, now);
        running.since = std::max(running.since, now);
    }
    // Whoever is there in a new hour is part of its peak, also if nobody comes or goes.
    if (hour_of(now) != hour_of(flushed_at_)) {
        for (const auto& [app, users] : users_of_app_) note_peak(now, app, {}, users);
        for (const auto& [room, users] : members_)
            note_peak(now, room.app_id, room.name, users.size());
    }
    flushed_at_ = now;
    std::vector<rest::UsageRow> some;
    while (!rows_.empty()) {
        some.clear();
        auto end = rows_.begin();
        for (; end != rows_.end() && some.size() < kMaxRowsAtOnce; ++end)
            some.push_back(end->second);
        if (!write_(some)) return;
        rows_.erase(rows_.begin(), end);
    }
}

}  // namespace parley::server

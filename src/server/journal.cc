#include "server/journal.h"

#include <boost/json/serialize.hpp>
#include <utility>

#include "server/log.h"

namespace parley::server {
namespace {

namespace json = boost::json;

/// As REST section 12 names the kinds of jobs.
std::string_view public_kind(rest::JobKind kind) {
    switch (kind) {
        case rest::JobKind::kBasic:
        case rest::JobKind::kMerge:
            return "merge";
        case rest::JobKind::kSimple:
        case rest::JobKind::kForward:
            return "forward";
        case rest::JobKind::kScan:
            return "scan";
        case rest::JobKind::kPub:
            return "pub";
    }
    return "";
}

std::string_view job_event_name(const rest::JobRecord* old, const rest::JobRecord& job) {
    const bool ran = old != nullptr && old->state == rest::JobState::kRunning;
    switch (job.state) {
        case rest::JobState::kRunning:
            return ran ? "job_updated" : "job_started";
        case rest::JobState::kStopped:
            return "job_stopped";
        case rest::JobState::kFailed:
            return "job_failed";
    }
    return "";
}

}  // namespace

Journal::Journal(AppStore& apps, Courier& courier, Options options, store::EventContent content)
    : apps_(apps),
      courier_(courier),
      options_(std::move(options)),
      last_event_(content.last_event),
      last_delivery_(content.last_delivery) {
    for (store::LiveRecord& live : content.live) live_[live.room].insert(std::move(live.user_id));
    for (const std::string& app : apps_.app_ids()) handle_app(app);
    std::set<std::string> waiting;
    for (const store::WaitingCount& app : content.waiting) {
        static_cast<void>(courier_.admit(app.app_id, app.pending));
        waiting.insert(app.app_id);
    }
    courier_.notify(waiting);
}

std::optional<webhook::Target> Journal::target_of(const std::string& app_id) const {
    const rest::AppRecord* app = apps_.find_app(app_id);
    if (app == nullptr) return std::nullopt;
    if (!app->event_url.empty()) return webhook::Target{app->event_url, app->event_secret};
    if (!options_.fallback.url.empty()) return options_.fallback;
    return std::nullopt;
}

void Journal::handle_app(const std::string& app_id) {
    courier_.set_target(app_id, target_of(app_id));
}

store::DeliveryRecord Journal::make_delivery(const webhook::Target& target,
                                             const std::string& app_id,
                                             std::uint64_t event,
                                             WallTime now) {
    store::DeliveryRecord out;
    out.number = out.id = ++last_delivery_;
    out.event = event;
    out.app_id = app_id;
    out.url = target.url;
    out.created_at = out.updated_at = out.next_at = now;
    return out;
}

void Journal::add(Change& change, webhook::Event event) {
    event.number = ++last_event_;
    event.id = webhook::event_id(event.number, event.at);
    change.push_back(store::put_event(event));
    if (!webhook::is_delivered(event.name)) return;
    const auto target = target_of(event.app_id);
    if (!target) return;
    store::DeliveryRecord delivery = make_delivery(*target, event.app_id, event.number, event.at);
    if (courier_.admit(event.app_id)) {
        touched_.insert(event.app_id);
    } else {
        delivery.state = store::DeliveryState::kDead;
        delivery.error = "too many deliveries wait";
    }
    change.push_back(store::put_delivery(delivery));
}

void Journal::write(Change change) {
    const std::size_t statements = change.size();
    if (!apps_.store()->write_together(std::move(change))) {
        ++lost_;
        if (lost_ == 1 || lost_ % 1'000 == 0)
            log_error("events lost: the store is full",
                      {{"lost", lost_}, {"statements", statements}});
        touched_.clear();
        return;
    }
    handle_written();
}

void Journal::handle_written() {
    ++written_;
    const store::Store::Ticket ticket = apps_.store()->last_ticket();
    for (const std::string& app : std::exchange(touched_, {})) unflushed_.push_back({ticket, app});
}

void Journal::record(const signalling::RoomEvent& event) {
    using Kind = signalling::RoomEventKind;
    Change change;
    const room::RoomKey room{event.app_id, event.room_name};
    if (event.kind == Kind::kRoomCreated || event.kind == Kind::kUserJoined) {
        live_[room].insert(event.user_id);
        change.push_back(store::put_live(room, event.user_id));
        if (event.kind == Kind::kUserJoined) {
            if (auto use = apps_.note_use(room)) change.push_back(*std::move(use));
        }
    } else if (event.kind == Kind::kRoomClosed || event.kind == Kind::kUserLeft) {
        change.push_back(store::erase_live(room, event.user_id));
        if (const auto found = live_.find(room); found != live_.end()) {
            found->second.erase(event.user_id);
            if (found->second.empty()) live_.erase(found);
        }
    }
    add(change,
        {0,
         {},
         std::string(signalling::to_string(event.kind)),
         event.at,
         event.app_id,
         event.room_name,
         event.user_id,
         event.data});
    write(std::move(change));
}

std::vector<store::Statement> Journal::job_event(const rest::JobRecord* old,
                                                 const rest::JobRecord& job) {
    json::object data{{"id", job.id}};
    const std::string_view kind = public_kind(job.kind);
    data["kind"] = json::string_view(kind.data(), kind.size());
    if (!job.reason.empty()) data["reason"] = job.reason;
    Change change;
    add(change,
        {0,
         {},
         std::string(job_event_name(old, job)),
         job.updated_at,
         job.room.app_id,
         job.room.name,
         {},
         json::serialize(data)});
    return change;
}

void Journal::end_everything(WallTime now) {
    for (const auto& [room, users] : std::exchange(live_, {})) {
        Change change;
        // The room, whose user is empty, sorts first and goes last.
        for (auto user = users.rbegin(); user != users.rend(); ++user) {
            change.push_back(store::erase_live(room, *user));
            const bool is_room = user->empty();
            add(change,
                {0,
                 {},
                 is_room ? "room_closed" : "user_left",
                 now,
                 room.app_id,
                 room.name,
                 *user,
                 is_room ? "{}" : R"({"reason":"error"})"});
        }
        write(std::move(change));
    }
}

Result<std::size_t> Journal::replay(WallTime now,
                                    const std::string& app_id,
                                    const std::vector<webhook::Event>& events) {
    const auto target = target_of(app_id);
    if (!target) return fail(Errc::kConflict, "the app has no eventCbUrl");
    Change change;
    for (const webhook::Event& event : events) {
        if (!webhook::is_delivered(event.name)) continue;
        change.push_back(store::put_delivery(make_delivery(*target, app_id, event.number, now)));
    }
    const std::size_t queued = change.size();
    if (queued == 0) return queued;
    if (!courier_.admit(app_id, queued)) return fail(Errc::kBusy, "too many deliveries wait");
    touched_.insert(app_id);
    write(std::move(change));
    return queued;
}

Result<std::size_t> Journal::replay_deliveries(WallTime now,
                                               const std::string& app_id,
                                               const std::vector<std::uint64_t>& ids) {
    if (!target_of(app_id)) return fail(Errc::kConflict, "the app has no eventCbUrl");
    if (ids.empty()) return std::size_t{0};
    if (!courier_.admit(app_id, ids.size())) return fail(Errc::kBusy, "too many deliveries wait");
    Change change;
    for (const std::uint64_t id : ids)
        change.push_back(store::requeue_delivery(app_id, id, ++last_delivery_, now));
    touched_.insert(app_id);
    write(std::move(change));
    return ids.size();
}

void Journal::handle_flushed(store::Store::Ticket flushed) {
    std::set<std::string> apps;
    while (!unflushed_.empty() && unflushed_.front().ticket <= flushed) {
        apps.insert(std::move(unflushed_.front().app_id));
        unflushed_.pop_front();
    }
    if (!apps.empty()) courier_.notify(apps);
}

void Journal::prune(WallTime now) {
    static_cast<void>(apps_.store()->write_together(store::prune_events(now - options_.retention)));
}

}  // namespace parley::server

#include "server/rest_bridge.h"

#include "server/control.h"

#include <algorithm>
#include <utility>

namespace parley::server {

std::optional<rest::AppInfo> RestBridge::app_info(std::string_view app_id) const {
    const rest::AppRecord* app = store_.find_app(app_id);
    if (app == nullptr) return std::nullopt;
    const std::optional<auth::AccountKey> owner = store_.key_of(app->uid);
    if (!owner) return std::nullopt;
    const signalling::AppSettings settings = rest::room_settings(*app, store_.defaults());
    return rest::AppInfo{app->app_id, app->title, settings.max_users, settings.no_auto_kick_user, *owner};
}

Result<void> RestBridge::put_app(const rest::AppRecord& app) {
    if (auto put = store_.put_app(app); !put) return put;
    journal_.handle_app(app.app_id);
    return {};
}

Result<void> RestBridge::put_job(const rest::JobRecord& job) {
    if (auto put = store_.put_job(job, journal_.job_event(store_.find_job(job.room, job.id), job)); !put) return put;
    journal_.handle_written();
    meter_.handle_job(job);
    return {};
}

Result<void> RestBridge::erase_app(Instant now, const std::string& app_id) {
    if (auto erased = store_.erase_app(app_id); !erased) return erased;
    journal_.handle_app(app_id);
    meter_.forget_app(app_id);
    for (const std::string& room : hub_.all_rooms(app_id)) {
        // A room that is closing already is no failure.
        static_cast<void>(hub_.close_room(now, {app_id, room}, outputs_));
    }
    return {};
}

Result<void> RestBridge::erase_v2_room(Instant now, const room::RoomKey& room) {
    if (auto erased = store_.erase_v2_room(room); !erased) return erased;
    // It may not live just now.
    static_cast<void>(hub_.close_room(now, room, outputs_));
    return {};
}

Result<void> RestBridge::create_room(Instant now,
                                     const room::RoomKey& room,
                                     const signalling::RoomOptions& options) {
    // The setting first: a server that stops in between has a room that is closed too early, not too late.
    if (auto set = store_.set_room_open(room, options.open); !set) return set;
    return hub_.create_room(now, room, options, outputs_);
}

Result<void> RestBridge::set_open(Instant now, const room::RoomKey& room, bool open) {
    if (auto set = store_.set_room_open(room, open); !set) return set;
    // A room that does not live takes the setting when it is made.
    static_cast<void>(hub_.set_room_open(now, room, open));
    return {};
}

std::optional<signalling::RoomView> RestBridge::room_view(const room::RoomKey& room) const {
    auto view = hub_.room_view(room);
    if (!view) return view;
    const std::size_t home = view->worker.value - 1;
    if (home >= workers_.size()) return view;
    const std::vector<sfu::TrackLevel> levels = workers_[home]->audio_levels();
    for (signalling::TrackView& track : view->tracks) {
        const auto found = std::ranges::lower_bound(levels, track.media, {}, &sfu::TrackLevel::track);
        if (found != levels.end() && found->track == track.media) track.audio_level_dbov = found->level_dbov;
    }
    return view;
}

rest::NodeHealth RestBridge::health() const {
    rest::NodeHealth out;
    out.version = kVersion;
    out.started_at = started_at_;
    out.draining = hub_.is_draining();
    out.hub = hub_.stats();
    out.postgresql = store_.is_postgresql();
    out.pending_writes = store_.store() == nullptr ? 0 : store_.store()->pending();
    for (const signalling::WorkerLoad& worker : hub_.worker_loads()) {
        out.workers.push_back({worker.worker.value, worker.rooms, worker.members});
    }
    return out;
}

rest::HttpRequest to_rest_request(const io::HttpRequestView& view) {
    rest::HttpRequest out;
    out.method = view.method;
    out.target = view.target;
    out.headers.reserve(view.headers.size());
    for (const io::HttpHeaderView& header : view.headers) out.headers.emplace_back(header.name, header.value);
    out.body = view.body;
    out.peer = view.remote.ip.to_string();
    out.tls = view.tls;
    out.host = view.header("Host");
    return out;
}

io::HttpReply to_http_reply(rest::HttpResponse response) {
    io::HttpReply out;
    out.status = response.status;
    out.headers = std::move(response.headers);
    out.body = std::move(response.body);
    return out;
}

}  // namespace parley::server

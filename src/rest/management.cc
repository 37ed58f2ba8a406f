#include "rest/management.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <utility>

#include "rest/answers.h"
#include "rest/body.h"
#include "rest/scan_job.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kDefaultPage = 100;
constexpr std::size_t kMaxPage = 1'000;
constexpr std::size_t kMaxJobIdBytes = 128;
constexpr std::string_view kAppIdLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kAppIdLength = 9;
constexpr std::size_t kJobIdLength = 10;

HttpResponse invalid_input() { return error_response(400, "invalid input"); }
HttpResponse no_job() { return error_response(612, "job not found"); }
HttpResponse job_ok(std::string_view id) {
    return json_answer({{"id", json::string_view(id.data(), id.size())}, {"status", "OK"}});
}

/// A page's bound. SDKs write `undefined` where an argument is missing; that means the default.
std::optional<std::size_t> page_number(const Target& target,
                                       std::string_view name,
                                       std::size_t fallback) {
    const std::string_view text = target.parameter(name);
    if (text.empty() || text == "undefined" || text == "null") return fallback;
    std::size_t value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || at != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string random_name(Rng& rng, std::size_t length, std::string_view first) {
    std::string out(1, first[rng.below(first.size())]);
    while (out.size() < length) out += kAppIdLetters[rng.below(kAppIdLetters.size())];
    return out;
}

bool is_job_id(std::string_view id) {
    return !id.empty() && id.size() <= kMaxJobIdBytes &&
           std::all_of(id.begin(), id.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte > 0x20 && byte != 0x7f && c != '/' && c != '"' && c != '\\';
           });
}

}  // namespace

std::vector<SignedRoute> Management::routes() {
    using M = Management;
    const auto to = [this](HttpResponse (M::*answer)(Call&)) {
        return [this, answer](Call& call) { return (this->*answer)(call); };
    };
    return {
        {{"POST", {"v3", "apps"}}, Scope::kAccount, to(&M::create_app)},
        {{"GET", {"v3", "apps"}}, Scope::kAccount, to(&M::list_apps)},
        {{"GET", {"v3", "apps", "*"}}, Scope::kApp, to(&M::get_app)},
        {{"POST", {"v3", "apps", "*"}}, Scope::kApp, to(&M::update_app)},
        {{"DELETE", {"v3", "apps", "*"}}, Scope::kApp, to(&M::delete_app)},
        {{"POST", {"x1", "apps"}}, Scope::kAccount, to(&M::create_app)},
        {{"GET", {"x1", "apps", "*"}}, Scope::kApp, to(&M::get_app)},
        {{"PATCH", {"x1", "apps", "*"}}, Scope::kApp, to(&M::update_app)},
        {{"DELETE", {"x1", "apps", "*"}}, Scope::kApp, to(&M::delete_app)},
        {{"GET", {"v3", "apps", "*", "rooms"}}, Scope::kApp, to(&M::list_rooms)},
        {{"POST", {"v3", "apps", "*", "createroom"}}, Scope::kApp, to(&M::create_room)},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*"}}, Scope::kRoom, to(&M::delete_room)},
        {{"GET", {"v3", "apps", "*", "rooms", "*", "users"}}, Scope::kRoom, to(&M::list_users)},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "users", "*"}},
         Scope::kRoom,
         to(&M::kick_user)},
        {{"POST", {"v4", "apps", "*", "rooms", "*", "jobs"}}, Scope::kJob, to(&M::create_job)},
        {{"POST", {"v4", "apps", "*", "rooms", "*", "jobs", "update"}},
         Scope::kJob,
         to(&M::update_job)},
        {{"POST", {"v4", "apps", "*", "rooms", "*", "jobs", "stop"}},
         Scope::kJob,
         to(&M::stop_job)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge_job"}},
         Scope::kJob,
         to(&M::create_merge_job)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge_job", "*", "tracks"}},
         Scope::kJob,
         to(&M::update_merge_tracks)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge_job", "*", "watermarks"}},
         Scope::kJob,
         to(&M::update_merge_watermarks)},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "merge_job", "*"}},
         Scope::kJob,
         to(&M::stop_merge_job)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge"}},
         Scope::kJob,
         to(&M::create_merge_job)},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "merge"}}, Scope::kJob, to(&M::stop_merge)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "forward_job"}},
         Scope::kJob,
         to(&M::create_forward_job)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "forward_job", "delete"}},
         Scope::kJob,
         to(&M::stop_forward_job)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "scan_job"}},
         Scope::kJob,
         to(&M::create_scan_job)},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "scan_job", "delete"}},
         Scope::kJob,
         to(&M::stop_forward_job)},
        {{"POST", {"v4", "apps", "*", "saveas"}}, Scope::kApp, to(&M::save_as)},
    };
}

// ---- Apps

HttpResponse Management::create_app(Call& call) {
    AppRecord app;
    app.uid = call.account;
    app.no_auto_kick_user = estate_.app_defaults().no_auto_kick_user;
    if (!apply_patch(app, call.body)) return invalid_args();
    do {
        app.app_id = random_name(rng_, kAppIdLength, kAppIdLetters.substr(0, 26));
    } while (estate_.find_app(app.app_id) != nullptr);
    app.created_at = app.updated_at = call.wall;
    if (!estate_.put_app(app)) return store_busy();
    return json_answer(app_json(app, estate_.app_defaults()));
}

HttpResponse Management::list_apps(Call& call) {
    json::array apps;
    for (const AppRecord* app : estate_.apps_of(call.account)) {
        apps.push_back(app_json(*app, estate_.app_defaults()));
    }
    return json_answer({{"apps", std::move(apps)}});
}

HttpResponse Management::get_app(Call& call) {
    return json_answer(app_json(*call.app, estate_.app_defaults()));
}

HttpResponse Management::update_app(Call& call) {
    AppRecord app = *call.app;
    if (!apply_patch(app, call.body)) return invalid_args();
    if (!(app == *call.app)) {
        app.updated_at = call.wall;
        if (!estate_.put_app(app)) return store_busy();
    }
    return json_answer(app_json(app, estate_.app_defaults()));
}

HttpResponse Management::delete_app(Call& call) {
    if (!estate_.erase_app(call.now, std::string(call.app->app_id))) return store_busy();
    return json_answer({});
}

// ---- Rooms

HttpResponse Management::list_rooms(Call& call) {
    const auto offset = page_number(call.target, "offset", 0);
    const auto limit = page_number(call.target, "limit", kDefaultPage);
    if (!offset || !limit) return invalid_args();
    const std::size_t size = *limit == 0 ? kDefaultPage : std::min(*limit, kMaxPage);
    const signalling::RoomList list =
        estate_.list_rooms(call.app->app_id, call.target.parameter("prefix"), *offset, size);
    return json_answer({{"end", list.end},
                        {"offset", list.offset},
                        {"rooms", json::array(list.rooms.begin(), list.rooms.end())}});
}

HttpResponse Management::create_room(Call& call) {
    const std::string name = text_or_empty(call.body, "roomName");
    if (!auth::is_room_name(name)) return invalid_args();
    signalling::RoomOptions options;
    const auto max_users = number_field(call.body, "maxUsers");
    const auto close_ttl = number_field(call.body, "autoCloseTtlS");
    const auto enter_ttl = number_field(call.body, "noEntreTtlS");
    const auto open = flag_field(call.body, "openRoom");
    constexpr std::int64_t kMaxSeconds = 365LL * 86'400;
    constexpr std::int64_t kMostUsers = 100'000;
    const auto in_range = [](const auto& field, std::int64_t most) {
        return field && field->value_or(0) >= 0 && field->value_or(0) <= most;
    };
    if (!in_range(max_users, kMostUsers) || !in_range(close_ttl, kMaxSeconds) ||
        !in_range(enter_ttl, kMaxSeconds) || !open) {
        return invalid_args();
    }
    options.max_users = static_cast<std::uint32_t>(max_users->value_or(0));
    options.auto_close_ttl = std::chrono::seconds(close_ttl->value_or(0));
    options.enter_ttl = std::chrono::seconds(enter_ttl->value_or(0));
    options.open = open->value_or(true);
    const room::RoomKey key{call.app->app_id, name};
    if (!estate_.create_room(call.now, key, options)) return error_response(503, "too many rooms");
    return json_answer({{"roomId", key.app_id + ":" + key.name}, {"status", "OK"}});
}

HttpResponse Management::delete_room(Call& call) {
    if (!estate_.close_room(call.now, call.room())) return error_response(612, "room not found");
    return json_answer({{"status", "OK"}});
}

HttpResponse Management::list_users(Call& call) {
    json::array users;
    for (const std::string& user : estate_.list_users(call.room())) {
        users.push_back(json::object{{"userId", user}});
    }
    return json_answer({{"users", std::move(users)}});
}

HttpResponse Management::kick_user(Call& call) {
    if (!auth::is_user_id(call.arguments[2])) return invalid_args();
    if (estate_.list_users(call.room()).empty()) return error_response(615, "room not active");
    if (!estate_.kick_user(call.now, call.room(), call.arguments[2])) {
        return error_response(612, "user not found");
    }
    return json_answer({});
}

// ---- Jobs

HttpResponse Management::start_job(Call& call, const std::string& id, JobKind kind, json::object spec) {
    if (!is_job_id(id)) return invalid_input();
    const JobRecord* old = estate_.find_job(call.room(), id);
    if (old != nullptr && old->state == JobState::kRunning && old->spec != spec) {
        return error_response(614, "job already exists");
    }
    JobRecord job;
    job.room = call.room();
    job.id = id;
    job.kind = kind;
    job.state = JobState::kFailed;
    job.reason = kNoMediaEngine;
    job.spec = std::move(spec);
    job.created_at = job.updated_at = call.wall;
    if (!estate_.put_job(job)) return store_busy();
    return job_ok(id);
}

HttpResponse Management::change_job(Call& call,
                                    std::string_view id,
                                    json::object spec,
                                    bool merge_fields) {
    const JobRecord* old = estate_.find_job(call.room(), id);
    if (old == nullptr) return no_job();
    JobRecord job = *old;
    if (merge_fields) {
        for (const auto& member : spec) job.spec[member.key()] = member.value();
    } else {
        job.spec = std::move(spec);
    }
    if (job.spec != old->spec) {
        job.updated_at = call.wall;
        if (!estate_.put_job(job)) return store_busy();
    }
    return job_ok(id);
}

HttpResponse Management::end_job(Call& call, std::string_view id) {
    const JobRecord* old = estate_.find_job(call.room(), id);
    if (old == nullptr) return no_job();
    if (old->state == JobState::kRunning) {
        JobRecord job = *old;
        job.state = JobState::kStopped;
        job.updated_at = call.wall;
        if (!estate_.put_job(job)) return store_busy();
    }
    return job_ok(id);
}

HttpResponse Management::create_job(Call& call) {
    Result<json::object> spec = check_v4_job(call.body);
    if (!spec) return invalid_input();
    const std::string type = text_or_empty(*spec, "type");
    spec->erase("id");
    std::string id = text_or_empty(call.body, "id");
    if (id.empty()) id = type + '-' + random_name(rng_, kJobIdLength, kAppIdLetters);
    return start_job(call,
                     id,
                     type == "basic" ? JobKind::kBasic : JobKind::kSimple,
                     *std::move(spec));
}

HttpResponse Management::update_job(Call& call) {
    const std::string id = text_or_empty(call.body, "id");
    Result<json::object> spec = check_v4_job(call.body);
    if (!spec || id.empty()) return invalid_input();
    spec->erase("id");
    return change_job(call, id, *std::move(spec), false);
}

HttpResponse Management::stop_job(Call& call) {
    const std::string id = text_or_empty(call.body, "id");
    if (id.empty()) return invalid_input();
    return end_job(call, id);
}

HttpResponse Management::create_merge_job(Call& call) {
    Result<json::object> spec = check_merge_job(call.body);
    if (!spec) return invalid_input();
    std::string id = text_or_empty(*spec, "id");
    // One sample sends the id under this key (REST section 7.3).
    if (id.empty()) id = text_or_empty(*spec, "RoomId");
    if (id.empty()) id = "merge-" + random_name(rng_, kJobIdLength, kAppIdLetters);
    return start_job(call, id, JobKind::kMerge, *std::move(spec));
}

HttpResponse Management::update_merge_tracks(Call& call) {
    Result<json::object> spec = check_merge_job(call.body);
    const auto mode = number_field(call.body, "mode");
    if (!spec || !mode || mode->value_or(0) < 0 || mode->value_or(0) > 1) return invalid_input();
    const JobRecord* old = estate_.find_job(call.room(), call.arguments[2]);
    if (old == nullptr) return no_job();
    const auto list = [](const json::object& object, const char* name) {
        const json::value* value = object.if_contains(name);
        return value != nullptr && value->is_array() ? value->get_array() : json::array();
    };
    json::array tracks = mode->value_or(0) == 1 ? list(*spec, "all") : list(old->spec, "tracks");
    if (mode->value_or(0) == 0) {
        const auto drop = [&](const json::array& named) {
            for (const json::value& item : named) {
                const std::string id = text_or_empty(item.get_object(), "trackID");
                const auto same = [&](const json::value& t) {
                    return text_or_empty(t.get_object(), "trackID") == id;
                };
                tracks.erase(std::remove_if(tracks.begin(), tracks.end(), same), tracks.end());
            }
        };
        const json::array added = list(*spec, "add");
        drop(list(*spec, "remove"));
        drop(added);
        for (const json::value& item : added) tracks.push_back(item);
    }
    return change_job(call, call.arguments[2], {{"tracks", std::move(tracks)}}, true);
}

HttpResponse Management::update_merge_watermarks(Call& call) {
    Result<json::object> spec = check_merge_job(call.body);
    if (!spec || !spec->contains("watermarks")) return invalid_input();
    return change_job(call, call.arguments[2], {{"watermarks", (*spec)["watermarks"]}}, true);
}

HttpResponse Management::stop_merge_job(Call& call) { return end_job(call, call.arguments[2]); }

/// The room's default merge; there may be none (REST section 18 item 6).
HttpResponse Management::stop_merge(Call& call) {
    for (const JobRecord* job : estate_.jobs_of(call.room())) {
        if (job->kind != JobKind::kMerge || job->state != JobState::kRunning) continue;
        end_job(call, std::string(job->id));
    }
    return json_answer({});
}

HttpResponse Management::create_forward_job(Call& call) {
    Result<json::object> spec = check_forward_job(call.body);
    if (!spec) return invalid_input();
    std::string id = text_or_empty(*spec, "id");
    return start_job(call, id, JobKind::kForward, *std::move(spec));
}

/// forward_job and scan_job alike: `{"id","playerId"}`.
HttpResponse Management::stop_forward_job(Call& call) {
    const std::string id = text_or_empty(call.body, "id");
    if (id.empty()) return invalid_input();
    return end_job(call, id);
}

HttpResponse Management::create_scan_job(Call& call) {
    Result<json::object> spec = check_scan_job(call.body);
    if (!spec) return invalid_input();
    std::string id = text_or_empty(*spec, "id");
    return start_job(call, id, JobKind::kScan, *std::move(spec));
}

/// Nothing records yet, so no stream has anything to make a list of (REST section 9).
HttpResponse Management::save_as(Call& call) {
    if (!check_save_as(call.body)) return invalid_args();
    return error_response(612, "stream not found");
}

}  // namespace parley::rest

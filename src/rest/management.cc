#include "rest/management.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <utility>

#include "auth/qiniu_signature.h"
#include "rest/body.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kDefaultPage = 100;
constexpr std::size_t kMaxPage = 1'000;
constexpr std::size_t kMaxJobIdBytes = 128;
constexpr std::string_view kAppIdLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kAppIdLength = 9;
constexpr std::size_t kJobIdLength = 10;
/// What a job of this build is told at once, instead of a success that nobody sees.
constexpr std::string_view kNoEngine = "media jobs are not available in this version";

HttpResponse answer_json(const json::object& object) {
    return json_response(200, json::serialize(object));
}
HttpResponse invalid_args() { return error_response(400, "invalid args"); }
HttpResponse invalid_input() { return error_response(400, "invalid input"); }
HttpResponse store_busy() { return error_response(503, "the store is busy"); }
HttpResponse no_job() { return error_response(612, "job not found"); }
HttpResponse job_ok(std::string_view id) {
    return answer_json({{"id", json::string_view(id.data(), id.size())}, {"status", "OK"}});
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

// ---- Failed authentications

double FailureLimit::left(const Bucket& bucket, Instant now) {
    return std::max(0.0, bucket.failures - to_seconds(now - bucket.at) * kPerSecond);
}

bool FailureLimit::is_blocked(Instant now, const std::string& address) const {
    const auto found = buckets_.find(address);
    return found != buckets_.end() && left(found->second, now) >= kBurst;
}

void FailureLimit::count_failure(Instant now, const std::string& address) {
    if (buckets_.size() >= kMaxAddresses && !buckets_.contains(address)) {
        std::erase_if(buckets_, [&](const auto& entry) { return left(entry.second, now) == 0; });
        if (buckets_.size() >= kMaxAddresses) buckets_.clear();
    }
    Bucket& bucket = buckets_[address];
    bucket = {std::min(left(bucket, now) + 1, kBurst + 1), now};
}

// ---- Routing

room::RoomKey Management::Call::room() const {
    return {std::string(arguments[0]), std::string(arguments[1])};
}

const std::vector<Management::Entry>& Management::entries() {
    using M = Management;
    static const std::vector<Entry> table = {
        {{"POST", {"v3", "apps"}}, &M::create_app, Scope::kAccount},
        {{"GET", {"v3", "apps"}}, &M::list_apps, Scope::kAccount},
        {{"GET", {"v3", "apps", "*"}}, &M::get_app, Scope::kApp},
        {{"POST", {"v3", "apps", "*"}}, &M::update_app, Scope::kApp},
        {{"DELETE", {"v3", "apps", "*"}}, &M::delete_app, Scope::kApp},
        {{"GET", {"v3", "apps", "*", "rooms"}}, &M::list_rooms, Scope::kApp},
        {{"POST", {"v3", "apps", "*", "createroom"}}, &M::create_room, Scope::kApp},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*"}}, &M::delete_room, Scope::kRoom},
        {{"GET", {"v3", "apps", "*", "rooms", "*", "users"}}, &M::list_users, Scope::kRoom},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "users", "*"}}, &M::kick_user, Scope::kRoom},
        {{"POST", {"v4", "apps", "*", "rooms", "*", "jobs"}}, &M::create_job, Scope::kJob},
        {{"POST", {"v4", "apps", "*", "rooms", "*", "jobs", "update"}},
         &M::update_job,
         Scope::kJob},
        {{"POST", {"v4", "apps", "*", "rooms", "*", "jobs", "stop"}}, &M::stop_job, Scope::kJob},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge_job"}},
         &M::create_merge_job,
         Scope::kJob},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge_job", "*", "tracks"}},
         &M::update_merge_tracks,
         Scope::kJob},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge_job", "*", "watermarks"}},
         &M::update_merge_watermarks,
         Scope::kJob},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "merge_job", "*"}},
         &M::stop_merge_job,
         Scope::kJob},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "merge"}}, &M::create_merge_job, Scope::kJob},
        {{"DELETE", {"v3", "apps", "*", "rooms", "*", "merge"}}, &M::stop_merge, Scope::kJob},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "forward_job"}},
         &M::create_forward_job,
         Scope::kJob},
        {{"POST", {"v3", "apps", "*", "rooms", "*", "forward_job", "delete"}},
         &M::stop_forward_job,
         Scope::kJob},
    };
    return table;
}

std::optional<HttpResponse> Management::handle(Instant now,
                                               WallTime wall,
                                               const HttpRequest& request,
                                               const Target& target) {
    std::string allowed;
    for (const Entry& entry : entries()) {
        auto arguments = entry.route.match(target.path);
        if (!arguments) continue;
        if (entry.route.method == request.method) {
            return answer(entry, now, wall, request, target, *std::move(arguments));
        }
        allowed += std::string(entry.route.method) + ", ";
    }
    if (allowed.empty()) return std::nullopt;
    allowed += "OPTIONS";
    if (request.method == "OPTIONS") {
        HttpResponse response{204, {}, {}};
        response.set_header("Access-Control-Allow-Methods", allowed);
        response.set_header("Access-Control-Allow-Headers",
                            "content-type, authorization, x-qiniu-date");
        response.set_header("Access-Control-Max-Age", "86400");
        return response;
    }
    HttpResponse response = error_response(405, "method not allowed");
    response.set_header("Allow", allowed);
    return response;
}

HttpResponse Management::answer(const Entry& entry,
                                Instant now,
                                WallTime wall,
                                const HttpRequest& request,
                                const Target& target,
                                std::vector<std::string_view> arguments) {
    ++stats_.calls;
    if (failures_.is_blocked(now, request.peer)) {
        ++stats_.blocked;
        return error_response(429, "too many failed requests");
    }
    auth::SignedRequestView view;
    view.method = request.method;
    view.path = target.raw_path;
    view.query = target.raw_query;
    view.host = request.host;
    view.content_type = request.header("Content-Type");
    for (const Header& header : request.headers)
        view.headers.emplace_back(header.first, header.second);
    view.body = request.body;
    const Result<std::string> access_key =
        auth::verify_request(view, request.header("Authorization"), estate_.keys(), wall);
    if (!access_key) {
        ++stats_.refused;
        failures_.count_failure(now, request.peer);
        return error_response(401, "bad token");
    }
    Call call{
        now, wall, target, std::move(arguments), estate_.account_of(*access_key), {}, nullptr};
    const bool is_job = entry.scope == Scope::kJob;
    if (entry.scope != Scope::kAccount) {
        call.app = estate_.find_app(call.arguments[0]);
        // Another account's app is as unknown as one that never was.
        if (call.app == nullptr || call.app->uid != call.account) {
            return error_response(612, "app not found");
        }
        if ((is_job || entry.scope == Scope::kRoom) && !auth::is_room_name(call.arguments[1])) {
            return invalid_args();
        }
    }
    Result<json::object> body = parse_body(request);
    if (!body) return is_job ? invalid_input() : invalid_args();
    call.body = *std::move(body);
    return (this->*entry.answer)(call);
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
    return answer_json(app_json(app, estate_.app_defaults()));
}

HttpResponse Management::list_apps(Call& call) {
    json::array apps;
    for (const AppRecord* app : estate_.apps_of(call.account)) {
        apps.push_back(app_json(*app, estate_.app_defaults()));
    }
    return answer_json({{"apps", std::move(apps)}});
}

HttpResponse Management::get_app(Call& call) {
    return answer_json(app_json(*call.app, estate_.app_defaults()));
}

HttpResponse Management::update_app(Call& call) {
    AppRecord app = *call.app;
    if (!apply_patch(app, call.body)) return invalid_args();
    if (!(app == *call.app)) {
        app.updated_at = call.wall;
        if (!estate_.put_app(app)) return store_busy();
    }
    return answer_json(app_json(app, estate_.app_defaults()));
}

HttpResponse Management::delete_app(Call& call) {
    if (!estate_.erase_app(call.now, std::string(call.app->app_id))) return store_busy();
    return answer_json({});
}

// ---- Rooms

HttpResponse Management::list_rooms(Call& call) {
    const auto offset = page_number(call.target, "offset", 0);
    const auto limit = page_number(call.target, "limit", kDefaultPage);
    if (!offset || !limit) return invalid_args();
    const std::size_t size = *limit == 0 ? kDefaultPage : std::min(*limit, kMaxPage);
    const signalling::RoomList list =
        estate_.list_rooms(call.app->app_id, call.target.parameter("prefix"), *offset, size);
    return answer_json({{"end", list.end},
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
    return answer_json({{"roomId", key.app_id + ":" + key.name}, {"status", "OK"}});
}

HttpResponse Management::delete_room(Call& call) {
    if (!estate_.close_room(call.now, call.room())) return error_response(612, "room not found");
    return answer_json({{"status", "OK"}});
}

HttpResponse Management::list_users(Call& call) {
    json::array users;
    for (const std::string& user : estate_.list_users(call.room())) {
        users.push_back(json::object{{"userId", user}});
    }
    return answer_json({{"users", std::move(users)}});
}

HttpResponse Management::kick_user(Call& call) {
    if (!auth::is_user_id(call.arguments[2])) return invalid_args();
    if (estate_.list_users(call.room()).empty()) return error_response(615, "room not active");
    if (!estate_.kick_user(call.now, call.room(), call.arguments[2])) {
        return error_response(612, "user not found");
    }
    return answer_json({});
}

// ---- Jobs

HttpResponse Management::start_job(Call& call, std::string id, JobKind kind, json::object spec) {
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
    job.reason = kNoEngine;
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
                     std::move(id),
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
    return start_job(call, std::move(id), JobKind::kMerge, *std::move(spec));
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
    return answer_json({});
}

HttpResponse Management::create_forward_job(Call& call) {
    Result<json::object> spec = check_forward_job(call.body);
    if (!spec) return invalid_input();
    std::string id = text_or_empty(*spec, "id");
    return start_job(call, std::move(id), JobKind::kForward, *std::move(spec));
}

HttpResponse Management::stop_forward_job(Call& call) {
    const std::string id = text_or_empty(call.body, "id");
    if (id.empty()) return invalid_input();
    return end_job(call, id);
}

}  // namespace parley::rest

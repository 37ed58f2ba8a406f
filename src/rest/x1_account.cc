#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <iterator>
#include <tuple>
#include <utility>

#include "rest/answers.h"
#include "rest/body.h"
#include "rest/fields.h"
#include "rest/x1.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostKeys = 16;
constexpr std::size_t kNewKeyLength = 40;

HttpResponse conflict() { return error_response(409, "conflict"); }
HttpResponse key_not_found() { return error_response(612, "key not found"); }

json::object key_json(const KeyInfo& key, std::string_view current) {
    json::object out{{"accessKey", key.access_key},
                     {"disabled", key.disabled},
                     {"current", key.access_key == current},
                     {"configured", key.configured}};
    if (key.created_at != WallTime{}) out["createdAt"] = rfc3339(key.created_at);
    return out;
}

/// Where a job stands in a list: newest first, then by room and id, so that each has one place.
using JobPlace = std::tuple<std::int64_t, std::string_view, std::string_view>;
JobPlace place_of(const JobRecord& job) {
    return {-job.created_at.time_since_epoch().count(), job.room.name, job.id};
}
std::string cursor_of(const JobRecord& job) {
    return std::to_string(job.created_at.time_since_epoch().count()) + '/' + job.room.name + '/' +
           job.id;
}
std::optional<JobPlace> parse_cursor(std::string_view cursor) {
    const std::size_t first = cursor.find('/');
    const std::size_t second = first == cursor.npos ? first : cursor.find('/', first + 1);
    if (second == cursor.npos) return std::nullopt;
    std::int64_t created = 0;
    const std::string_view number = cursor.substr(0, first);
    const auto [at, error] =
        std::from_chars(number.data(), number.data() + number.size(), created);
    if (error != std::errc() || at != number.data() + number.size() || created < 0) return std::nullopt;
    return JobPlace{
        -created, cursor.substr(first + 1, second - first - 1), cursor.substr(second + 1)};
}

/// One page of the app's jobs that `wanted` picks; `wrong` names a bad parameter.
struct JobPage {
    std::vector<const JobRecord*> jobs;
    std::string next;
};
template <class Wanted>
JobPage page_of_jobs(std::vector<const JobRecord*> jobs,
                     const Target& target,
                     std::string& wrong,
                     const Wanted& wanted) {
    JobPage out;
    const auto page = read_page(target, wrong);
    if (!page) return out;
    std::optional<JobPlace> after;
    if (!page->cursor.empty()) {
        after = parse_cursor(page->cursor);
        if (!after) wrong = "cursor";
    }
    const std::string_view room = target.parameter("room");
    if (!room.empty() && !auth::is_room_name(room)) wrong = "room";
    if (!wrong.empty()) return out;
    std::erase_if(jobs, [&](const JobRecord* job) {
        return (!room.empty() && job->room.name != room) || !wanted(*job) ||
               (after && place_of(*job) <= *after);
    });
    const std::size_t size = std::min(page->limit + 1, jobs.size());
    std::partial_sort(
        jobs.begin(),
        jobs.begin() + static_cast<std::ptrdiff_t>(size),
        jobs.end(),
        [](const JobRecord* a, const JobRecord* b) { return place_of(*a) < place_of(*b); });
    jobs.resize(std::min(size, page->limit));
    if (size > page->limit) out.next = cursor_of(*jobs.back());
    out.jobs = std::move(jobs);
    return out;
}

}  // namespace

std::vector<SignedRoute> X1::routes() {
    const auto to = [this](HttpResponse (X1::*answer)(Call&)) {
        return [this, answer](Call& call) { return (this->*answer)(call); };
    };
    std::vector<SignedRoute> all = room_routes();
    std::vector<SignedRoute> mine{
        {{"GET", {"x1", "account"}}, Scope::kAccount, to(&X1::get_account)},
        {{"POST", {"x1", "keys"}}, Scope::kAccount, to(&X1::create_key)},
        {{"PATCH", {"x1", "keys", "*"}}, Scope::kAccount, to(&X1::update_key)},
        {{"DELETE", {"x1", "keys", "*"}}, Scope::kAccount, to(&X1::delete_key)},
        {{"GET", {"x1", "apps"}}, Scope::kAccount, to(&X1::list_apps)},
        {{"GET", {"x1", "apps", "*", "jobs"}}, Scope::kApp, to(&X1::list_jobs)},
        {{"GET", {"x1", "apps", "*", "recordings"}}, Scope::kApp, to(&X1::list_recordings)},
        {{"GET", {"x1", "node"}}, Scope::kAccount, to(&X1::get_node)},
    };
    std::move(mine.begin(), mine.end(), std::back_inserter(all));
    return all;
}

// ---- The account and its keys

HttpResponse X1::get_account(Call& call) {
    json::array keys;
    for (const KeyInfo& key : estate_.keys_of(call.account)) {
        keys.push_back(key_json(key, call.access_key));
    }
    return json_answer({{"uid", call.account},
                        {"operator", estate_.is_operator(call.account)},
                        {"keys", std::move(keys)}});
}

HttpResponse X1::create_key(Call& call) {
    if (estate_.keys_of(call.account).size() >= kMostKeys) return conflict();
    const auth::AccountKey key{secrets_.alphanumeric(kNewKeyLength),
                               secrets_.alphanumeric(kNewKeyLength)};
    if (!estate_.add_key(call.account, key, call.wall)) return store_busy();
    json::object out = key_json({key.access_key, call.wall, false, false}, call.access_key);
    out["secretKey"] = key.secret_key;
    return json_answer(out);
}

std::optional<KeyInfo> X1::key_of_path(const Call& call) const {
    for (KeyInfo& key : estate_.keys_of(call.account)) {
        if (key.access_key == call.arguments[0]) return std::move(key);
    }
    return std::nullopt;
}

HttpResponse X1::update_key(Call& call) {
    std::optional<KeyInfo> key = key_of_path(call);
    if (!key) return key_not_found();
    Fields fields(call.body);
    const auto disabled = fields.flag("disabled");
    if (!disabled) fields.reject("disabled");
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    if (*disabled && !key->disabled) {
        const std::vector<KeyInfo> keys = estate_.keys_of(call.account);
        const auto works = [](const KeyInfo& one) { return !one.disabled; };
        if (std::count_if(keys.begin(), keys.end(), works) == 1) return conflict();
    }
    if (*disabled != key->disabled && !estate_.disable_key(key->access_key, *disabled)) {
        return store_busy();
    }
    key->disabled = *disabled;
    return json_answer(key_json(*key, call.access_key));
}

HttpResponse X1::delete_key(Call& call) {
    const std::optional<KeyInfo> key = key_of_path(call);
    if (!key) return key_not_found();
    if (!key->disabled || key->configured) return conflict();
    if (!estate_.erase_key(key->access_key)) return store_busy();
    return json_answer({});
}

// ---- Apps, jobs, the node

HttpResponse X1::list_apps(Call& call) {
    std::string wrong;
    const auto page = read_page(call.target, wrong);
    if (!page) return invalid_args(wrong);
    json::array apps;
    json::object out;
    for (const AppRecord* app : estate_.apps_of(call.account)) {
        if (app->app_id <= page->cursor) continue;
        if (apps.size() == page->limit) {
            out["next"] = apps.back().at("appId");
            break;
        }
        apps.push_back(app_json(*app, estate_.app_defaults()));
    }
    out["apps"] = std::move(apps);
    return json_answer(out);
}

HttpResponse X1::list_jobs(Call& call) {
    const std::string_view state = call.target.parameter("state");
    if (!state.empty() && state != "running" && state != "stopped" && state != "failed") {
        return invalid_args("state");
    }
    std::string wrong;
    const JobPage page = page_of_jobs(
        estate_.jobs_of_app(call.app->app_id), call.target, wrong, [&](const JobRecord& job) {
            return state.empty() || to_string(job.state) == state;
        });
    if (!wrong.empty()) return invalid_args(wrong);
    json::array jobs;
    for (const JobRecord* job : page.jobs) jobs.push_back(listed_job_json(*job));
    json::object out{{"jobs", std::move(jobs)}};
    if (!page.next.empty()) out["next"] = page.next;
    return json_answer(out);
}

/// A recording is what a job with a file as its output makes.
HttpResponse X1::list_recordings(Call& call) {
    std::string wrong;
    const JobPage page = page_of_jobs(
        estate_.jobs_of_app(call.app->app_id), call.target, wrong, [](const JobRecord& job) {
            return file_output(job) != nullptr;
        });
    if (!wrong.empty()) return invalid_args(wrong);
    json::array recordings;
    for (const JobRecord* job : page.jobs) {
        json::object one{{"id", job->id},
                         {"roomName", job->room.name},
                         {"name", text_or_empty(*file_output(*job), "url")},
                         {"state", job_json(*job).at("state")},
                         {"createdAt", rfc3339(job->created_at)},
                         {"updatedAt", rfc3339(job->updated_at)},
                         {"files", json::array()}};
        if (!job->reason.empty()) one["reason"] = job->reason;
        recordings.push_back(std::move(one));
    }
    json::object out{{"recordings", std::move(recordings)}};
    if (!page.next.empty()) out["next"] = page.next;
    return json_answer(out);
}

HttpResponse X1::get_node(Call& call) {
    if (!estate_.is_operator(call.account)) return error_response(403, "no permission");
    const NodeHealth health = rooms_.health();
    json::array workers;
    for (const NodeWorker& worker : health.workers) {
        workers.push_back(
            json::object{{"id", worker.id}, {"rooms", worker.rooms}, {"members", worker.members}});
    }
    const Duration uptime = std::max(Duration{}, call.wall - health.started_at);
    const signalling::HubStats& hub = health.hub;
    return json_answer(
        {{"version", health.version},
         {"startedAt", rfc3339(health.started_at)},
         {"uptimeS", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
         {"draining", health.draining},
         {"rooms", hub.rooms},
         {"members", hub.members},
         {"viewers", hub.viewers},
         {"away", hub.away},
         {"tracks", hub.tracks},
         {"subscriptions", hub.subscriptions},
         {"sessions", hub.sessions},
         {"joins", hub.joins},
         {"joinsRefused", hub.joins_refused},
         {"store",
          json::object{{"kind", health.postgresql ? "postgresql" : "sqlite"},
                       {"pendingWrites", health.pending_writes}}},
         {"workers", std::move(workers)}});
}

}  // namespace parley::rest

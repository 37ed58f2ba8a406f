#include "rest/rtc_pub.h"

#include <boost/json/array.hpp>
#include <utility>

#include "rest/answers.h"
#include "rest/body.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::string_view kTaskIdLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kTaskIdRandom = 22;
constexpr std::size_t kMaxTaskName = 200;
constexpr std::int64_t kMaxSeekMs = 1'000LL * 86'400 * 30;

HttpResponse no_task() { return error_response(612, "job not found"); }
/// The same that the record of the task says.
HttpResponse no_player() { return error_response(503, kNoMediaEngine); }

/// As the published samples write times: UTC, to the second, without a zone.
std::string task_time(WallTime time) { return rfc3339(time).substr(0, 19); }

const json::array& sources_of(const JobRecord& job) {
    static const json::array none;
    const json::value* list = job.spec.if_contains("sourceUrls");
    return list != nullptr && list->is_array() ? list->get_array() : none;
}

json::object task_json(const JobRecord& job, std::int64_t uid) {
    const std::string_view status = to_string(job.state);
    json::object out{{"taskID", job.id},
                     {"name", text_or_empty(job.spec, "name")},
                     {"appID", job.room.app_id},
                     {"uid", uid},
                     {"roomID", job.room.app_id + ":" + job.room.name},
                     {"sourceUrls", sources_of(job)},
                     {"status", json::string_view(status.data(), status.size())},
                     {"createTime", task_time(job.created_at)}};
    if (job.state != JobState::kRunning) out["stopTime"] = task_time(job.updated_at);
    if (!job.reason.empty()) out["reason"] = job.reason;
    return out;
}

}  // namespace

HttpResponse RtcPub::handle(const Call& call, Answer answer) {
    if (call.claims.permission != auth::Permission::kAdmin) {
        return error_response(403, "no permission");
    }
    return (this->*answer)(call);
}

const JobRecord* RtcPub::task_of(const Call& call) const {
    const JobRecord* job = estate_.find_job({call.claims.app_id, call.claims.room_name}, call.task);
    // Jobs of other kinds are none of this token's business.
    return job != nullptr && job->kind == JobKind::kPub ? job : nullptr;
}

HttpResponse RtcPub::create(const Call& call) {
    const Result<json::object> body = parse_body(call.request);
    if (!body) return invalid_args();
    const json::value* list = body->if_contains("sourceUrls");
    const auto name = text_field(*body, "name");
    if (list == nullptr || !list->is_array() || list->get_array().empty() ||
        list->get_array().size() > kMaxSources || !name ||
        name->value_or("").size() > kMaxTaskName) {
        return invalid_args();
    }
    for (const json::value& url : list->get_array()) {
        if (!url.is_string() || !gate_.check_url(url.get_string())) return invalid_args();
    }
    JobRecord job;
    job.room = {call.claims.app_id, call.claims.room_name};
    job.kind = JobKind::kPub;
    do {
        job.id = std::to_string(unix_seconds(call.wall)) + "_rtc";
        for (std::size_t i = 0; i < kTaskIdRandom; ++i) {
            job.id += kTaskIdLetters[rng_.below(kTaskIdLetters.size())];
        }
    } while (estate_.find_job(job.room, job.id) != nullptr);
    job.state = JobState::kFailed;
    job.reason = kNoMediaEngine;
    job.spec = {{"sourceUrls", *list}};
    if (*name) job.spec["name"] = **name;
    job.created_at = job.updated_at = call.wall;
    if (!estate_.put_job(job)) return store_busy();
    return json_answer({{"taskID", job.id}});
}

HttpResponse RtcPub::list(const Call& call) {
    const AppRecord* app = estate_.find_app(call.claims.app_id);
    json::array tasks;
    for (const JobRecord* job : estate_.jobs_of({call.claims.app_id, call.claims.room_name})) {
        if (job->kind != JobKind::kPub) continue;
        tasks.push_back(task_json(*job, app == nullptr ? 0 : app->uid));
    }
    return json_answer({{"tasks", std::move(tasks)}});
}

/// A success would be believed, and nobody would see the file.
HttpResponse RtcPub::start(const Call& call) {
    return task_of(call) == nullptr ? no_task() : no_player();
}

HttpResponse RtcPub::stop(const Call& call) {
    const JobRecord* old = task_of(call);
    if (old == nullptr) return no_task();
    if (old->state == JobState::kRunning) {
        JobRecord job = *old;
        job.state = JobState::kStopped;
        job.updated_at = call.wall;
        if (!estate_.put_job(job)) return store_busy();
    }
    return json_answer({});
}

HttpResponse RtcPub::seek(const Call& call) {
    const JobRecord* job = task_of(call);
    if (job == nullptr) return no_task();
    const Result<json::object> body = parse_body(call.request);
    if (!body) return invalid_args();
    const auto index = number_field(*body, "index");
    const auto position = number_field(*body, "seek");
    if (!index || !position || !*position || **position < 0 || **position > kMaxSeekMs ||
        index->value_or(0) < 0 ||
        index->value_or(0) >= static_cast<std::int64_t>(sources_of(*job).size())) {
        return invalid_args();
    }
    return no_player();
}

HttpResponse RtcPub::remove(const Call& call) {
    if (task_of(call) == nullptr) return no_task();
    const room::RoomKey room{call.claims.app_id, call.claims.room_name};
    if (!estate_.erase_job(room, std::string(call.task))) return store_busy();
    return json_answer({});
}

}  // namespace parley::rest

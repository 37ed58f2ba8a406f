#include "rest/job_record.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>

#include "rest/app_record.h"
#include "rest/body.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxInputs = 64;
constexpr std::int64_t kMaxZ = 65'535;
constexpr std::int64_t kMaxSide = 7'680;
constexpr std::int64_t kMaxOffset = 65'535;
constexpr std::size_t kMaxUrlBytes = 2'048;

constexpr std::array<std::string_view, 6> kKinds{
    "basic", "simple", "merge", "forward", "scan", "pub"};
constexpr std::array<std::string_view, 3> kStates{"running", "stopped", "failed"};

tl::unexpected<Error> invalid() { return fail(Errc::kMalformed, "invalid input"); }

/// A number within [low, high], rounded down to even when `even`; absent is fine.
bool check_number(
    json::object& object, const char* name, std::int64_t low, std::int64_t high, bool even) {
    const Result<std::optional<std::int64_t>> value = number_field(object, name);
    if (!value) return false;
    if (!*value) return true;
    if (**value < low || **value > high) return false;
    object[name] = even ? **value & ~std::int64_t{1} : **value;
    return true;
}

bool check_place(json::object& place) {
    return check_number(place, "x", -kMaxOffset, kMaxOffset, false) &&
           check_number(place, "y", -kMaxOffset, kMaxOffset, false) &&
           check_number(place, "w", 0, kMaxSide, true) &&
           check_number(place, "h", 0, kMaxSide, true) && check_number(place, "z", 0, kMaxZ, false);
}

bool check_stretch(json::object& object) {
    const json::value* mode = object.if_contains("stretchMode");
    if (mode == nullptr) return true;
    if (!mode->is_string()) return false;
    const json::string& text = mode->get_string();
    if (text.empty()) {
        object.erase("stretchMode");
        return true;
    }
    return text == "aspectFill" || text == "aspectFit" || text == "scaleToFit";
}

bool is_picture_url(std::string_view url) {
    return url.size() <= kMaxUrlBytes &&
           (url.starts_with("http://") || url.starts_with("https://"));
}

/// Every object of the list `name` passes `check`; an absent list is fine.
template <class Check>
bool check_list(json::object& object, const char* name, std::size_t most, Check check) {
    json::value* value = object.if_contains(name);
    if (value == nullptr) return true;
    json::array* list = value->if_array();
    if (list == nullptr || list->size() > most) return false;
    for (json::value& item : *list) {
        if (!item.is_object() || !check(item.get_object())) return false;
    }
    return true;
}

bool check_picture(json::object& picture) {
    return is_picture_url(text_or_empty(picture, "url")) && check_place(picture) &&
           check_stretch(picture);
}

bool check_track(json::object& track) {
    return !text_or_empty(track, "trackID").empty() && check_place(track) && check_stretch(track);
}

bool check_canvas(json::object& config) {
    return check_number(config, "fps", 1, 120, false) &&
           check_number(config, "kbps", 1, 100'000, false) &&
           check_number(config, "width", 2, kMaxSide, true) &&
           check_number(config, "height", 2, kMaxSide, true) &&
           flag_field(config, "holdLastFrame").has_value() &&
           flag_field(config, "audioOnly").has_value() && check_stretch(config);
}

bool check_input(json::object& input, bool needs_place) {
    std::string kind = text_or_empty(input, "kind");
    if (kind.empty()) kind = "media";
    if (kind != "media" && kind != "image") return false;
    input["kind"] = kind;
    if (kind == "media" && text_or_empty(input, "userId").empty()) return false;
    if (kind == "image" && !is_picture_url(text_or_empty(input, "url"))) return false;
    if (!check_stretch(input)) return false;
    json::value* position = input.if_contains("position");
    if (position == nullptr) return !needs_place;
    return position->is_object() && check_place(position->get_object());
}

bool check_output(json::object& output) {
    const std::string type = text_or_empty(output, "type");
    const std::string url = text_or_empty(output, "url");
    if (type == "rtmp") return is_push_url(url);
    if (type == "image") return !url.empty() && check_number(output, "interval", 1, 3'600, false);
    // A recording's name becomes a folder's.
    return type == "file" && !url.empty() && url.size() <= 128 &&
           std::all_of(url.begin(),
                       url.end(),
                       [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                  (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                       }) &&
           url.front() != '.';
}

template <std::size_t N>
std::optional<std::size_t> index_of(const std::array<std::string_view, N>& names,
                                    std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

std::string_view to_string(JobKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::string_view to_string(JobState state) { return kStates[static_cast<std::size_t>(state)]; }

const json::object* file_output(const JobRecord& job) {
    const json::value* outputs = job.spec.if_contains("outputs");
    const json::array* list = outputs == nullptr ? nullptr : outputs->if_array();
    if (list == nullptr || list->empty()) return nullptr;
    const json::object* output = list->front().if_object();
    return output != nullptr && text_or_empty(*output, "type") == "file" ? output : nullptr;
}

bool is_push_url(std::string_view url) {
    if (url.size() > kMaxUrlBytes) return false;
    for (const std::string_view scheme : {"rtmp://", "rtmps://", "srt://", "http://", "https://"}) {
        if (!url.starts_with(scheme)) continue;
        const std::string_view rest = url.substr(scheme.size());
        return !rest.empty() && rest.front() != '/' &&
               rest.find_first_of(" \t\r\n\"\\") == rest.npos;
    }
    return false;
}

json::object job_json(const JobRecord& job) {
    const std::string_view kind = to_string(job.kind);
    const std::string_view state = to_string(job.state);
    json::object out{{"id", job.id},
                     {"kind", json::string_view(kind.data(), kind.size())},
                     {"state", json::string_view(state.data(), state.size())},
                     {"spec", job.spec},
                     {"createdAt", rfc3339(job.created_at)},
                     {"updatedAt", rfc3339(job.updated_at)}};
    if (!job.reason.empty()) out["reason"] = job.reason;
    return out;
}

json::object listed_job_json(const JobRecord& job) {
    json::object out = job_json(job);
    out["roomName"] = job.room.name;
    return out;
}

json::object stored_job_json(const JobRecord& job) {
    json::object out = job_json(job);
    out["appId"] = job.room.app_id;
    out["roomName"] = job.room.name;
    out["createdNs"] = job.created_at.time_since_epoch().count();
    out["updatedNs"] = job.updated_at.time_since_epoch().count();
    return out;
}

Result<JobRecord> job_from_json(const json::object& stored) {
    JobRecord job;
    job.room = {text_or_empty(stored, "appId"), text_or_empty(stored, "roomName")};
    job.id = text_or_empty(stored, "id");
    job.reason = text_or_empty(stored, "reason");
    const auto kind = index_of(kKinds, text_or_empty(stored, "kind"));
    const auto state = index_of(kStates, text_or_empty(stored, "state"));
    const json::value* spec = stored.if_contains("spec");
    const auto created = number_field(stored, "createdNs");
    const auto updated = number_field(stored, "updatedNs");
    if (job.id.empty() || !kind || !state || spec == nullptr || !spec->is_object() || !created ||
        !updated) {
        return fail(Errc::kMalformed, "stored job");
    }
    job.kind = static_cast<JobKind>(*kind);
    job.state = static_cast<JobState>(*state);
    job.spec = spec->get_object();
    job.created_at = WallTime(Duration(created->value_or(0)));
    job.updated_at = WallTime(Duration(updated->value_or(0)));
    return job;
}

Result<json::object> check_v4_job(const json::object& body) {
    json::object job = body;
    const std::string type = text_or_empty(job, "type");
    if (type != "basic" && type != "simple") return invalid();
    const json::value* inputs = job.if_contains("inputs");
    const json::value* outputs = job.if_contains("outputs");
    if (inputs == nullptr || !inputs->is_array() || inputs->get_array().empty()) return invalid();
    if (outputs == nullptr || !outputs->is_array() || outputs->get_array().size() != 1)
        return invalid();
    const std::size_t count = inputs->get_array().size();
    if (type == "simple" && count != 1) return invalid();
    const bool needs_place = type == "basic" && count > 1;
    if (!check_list(job, "inputs", kMaxInputs, [&](json::object& o) {
            return check_input(o, needs_place);
        })) {
        return invalid();
    }
    if (!check_list(job, "outputs", 1, check_output)) return invalid();
    if (json::value* config = job.if_contains("config")) {
        if (!config->is_object() || !check_canvas(config->get_object())) return invalid();
    }
    return job;
}

Result<json::object> check_merge_job(const json::object& body) {
    json::object job = body;
    if (json::value* marks = job.if_contains("waterMarks")) {
        json::value moved = std::move(*marks);
        job.erase("waterMarks");
        job["watermarks"] = std::move(moved);
    }
    if (!check_canvas(job)) return invalid();
    if (json::value* background = job.if_contains("background")) {
        if (!background->is_object() || !check_picture(background->get_object())) return invalid();
    }
    const std::string url = text_or_empty(job, "publishUrl");
    if (!url.empty() && !is_push_url(url)) return invalid();
    const std::string shape = text_or_empty(job, "template");
    if (!shape.empty() && shape != "horizontal" && shape != "vertical" && shape != "grid" &&
        shape != "speaker") {
        return invalid();
    }
    const bool lists =
        check_list(job, "watermarks", kMaxInputs, check_picture) &&
        check_list(job,
                   "userInfos",
                   kMaxInputs,
                   [](json::object& user) {
                       return !text_or_empty(user, "userId").empty() && check_stretch(user);
                   }) &&
        check_list(job, "add", kMaxInputs, check_track) &&
        check_list(job, "all", kMaxInputs, check_track) &&
        check_list(job, "remove", kMaxInputs, [](json::object& track) {
            return !text_or_empty(track, "trackID").empty();
        });
    if (!lists) return invalid();
    return job;
}

Result<json::object> check_forward_job(const json::object& body) {
    json::object job = body;
    if (text_or_empty(job, "id").empty() || text_or_empty(job, "playerId").empty())
        return invalid();
    if (!is_push_url(text_or_empty(job, "publishUrl"))) return invalid();
    const bool tracks = check_list(job, "tracks", 2, [](json::object& track) {
        return !text_or_empty(track, "trackId").empty();
    });
    if (!tracks) return invalid();
    return job;
}

}  // namespace parley::rest

#include "rest/scan_job.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <span>

#include "rest/body.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTracks = 32;
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::array<std::string_view, 4> kPictureScenes{"pulp", "terror", "politician", "ads"};
constexpr std::array<std::string_view, 1> kSoundScenes{"antispam"};

tl::unexpected<Error> refused(const char* what) { return fail(Errc::kMalformed, what); }

/// A string, a list of strings, or a list of {"trackId"}: the documents disagree (REST section 11).
std::optional<json::array> track_list(const json::object& body) {
    const json::value* given = body.if_contains("tracks");
    if (given == nullptr) return std::nullopt;
    const json::array list = given->is_array() ? given->get_array() : json::array{*given};
    if (list.empty() || list.size() > kMaxTracks) return std::nullopt;
    json::array out;
    for (const json::value& item : list) {
        std::string id;
        if (item.is_string()) id = item.get_string();
        if (item.is_object()) id = text_or_empty(item.get_object(), "trackId");
        if (id.empty() || id.size() > kMaxNameBytes) return std::nullopt;
        out.push_back(json::object{{"trackId", id}});
    }
    return out;
}

/// One of `params`; an object without fields when it is absent or off.
std::optional<json::object> medium(const json::object& params,
                                   const char* name,
                                   std::span<const std::string_view> known) {
    const json::value* given = params.if_contains(name);
    if (given == nullptr) return json::object();
    if (!given->is_object()) return std::nullopt;
    const json::object& from = given->get_object();
    const auto is_on = flag_field(from, "is_on");
    if (!is_on) return std::nullopt;
    if (!is_on->value_or(false)) return json::object();
    const auto hook_rule = number_field(from, "hook_rule");
    if (!hook_rule || hook_rule->value_or(0) < 0 || hook_rule->value_or(0) > 1) return std::nullopt;
    json::object out{{"is_on", true}, {"hook_rule", hook_rule->value_or(0)}};
    const json::value* scenes = from.if_contains("scenes");
    if (scenes == nullptr || !scenes->is_array() || scenes->get_array().empty())
        return std::nullopt;
    for (const json::value& scene : scenes->get_array()) {
        if (!scene.is_string()) return std::nullopt;
        const std::string_view text(scene.get_string().data(), scene.get_string().size());
        if (std::find(known.begin(), known.end(), text) == known.end()) return std::nullopt;
    }
    out["scenes"] = *scenes;
    if (const json::value* saver = from.if_contains("saver")) {
        if (!saver->is_object()) return std::nullopt;
        out["saver"] = *saver;
    }
    return out;
}

}  // namespace

Result<json::object> check_scan_job(const json::object& body) {
    const std::string url = text_or_empty(body, "callBack");
    const json::value* params = body.if_contains("params");
    std::optional<json::array> tracks = track_list(body);
    const bool has_url = url.starts_with("http://") || url.starts_with("https://");
    if (text_or_empty(body, "id").empty() || text_or_empty(body, "playerId").empty() || !has_url ||
        !tracks || params == nullptr || !params->is_object()) {
        return refused("invalid input");
    }
    auto image = medium(params->get_object(), "image", kPictureScenes);
    auto audio = medium(params->get_object(), "audio", kSoundScenes);
    if (!image || !audio || (image->empty() && audio->empty())) return refused("invalid input");
    json::object checked;
    if (!image->empty()) {
        const json::object& from = params->at("image").get_object();
        const auto interval = number_field(from, "interval_msecs");
        const json::value* saver = image->if_contains("saver");
        if (!interval || interval->value_or(0) < 1'000 || interval->value_or(0) > 60'000 ||
            saver == nullptr || text_or_empty(saver->get_object(), "bucket").empty()) {
            return refused("invalid input");
        }
        (*image)["interval_msecs"] = interval->value();
        checked["image"] = *std::move(image);
    }
    if (!audio->empty()) checked["audio"] = *std::move(audio);
    return json::object{{"id", text_or_empty(body, "id")},
                        {"playerId", text_or_empty(body, "playerId")},
                        {"callBack", url},
                        {"tracks", *std::move(tracks)},
                        {"params", std::move(checked)}};
}

Result<SaveAs> check_save_as(const json::object& body) {
    const auto is_name = [](std::string_view name) {
        return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' &&
               std::all_of(name.begin(), name.end(), [](char c) {
                   return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '/' &&
                          c != '\\';
               });
    };
    SaveAs out{text_or_empty(body, "streamName"), text_or_empty(body, "fname")};
    const auto start = number_field(body, "start");
    const auto end = number_field(body, "end");
    const auto days = number_field(body, "expireDays");
    if (!is_name(out.stream) || !is_name(out.file) || !start || !end || !days || !*days ||
        **days < 0 || start->has_value() != end->has_value()) {
        return refused("saveas");
    }
    if (*start && (**start < 0 || **start >= **end)) return refused("saveas");
    return out;
}

}  // namespace parley::rest

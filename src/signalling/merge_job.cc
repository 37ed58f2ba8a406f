#include "signalling/merge_job.h"

#include <boost/json/array.hpp>
#include <boost/json/value_to.hpp>
#include <initializer_list>

namespace parley::signalling {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxMergeSide = 7'680;
constexpr std::int64_t kMaxMergeOffset = 65'535;
constexpr std::int64_t kMaxMergeFps = 120;
constexpr std::int64_t kMaxMergeKbps = 100'000;

/// The fields of one object. The first that is wrong stays in `error`, and the rest is not looked
/// at.
class FieldReader {
public:
    explicit FieldReader(const json::object& object) : object_(object) {}

    void number(std::initializer_list<const char*> names,
                std::int64_t low,
                std::int64_t high,
                std::optional<std::int32_t>& into) {
        const json::value* value = find(names);
        if (value == nullptr) return;
        boost::system::error_code ec;
        const auto number = value->to_number<std::int64_t>(ec);
        if (ec || number < low || number > high) return refuse(*names.begin());
        into = static_cast<std::int32_t>(number);
    }
    void number(std::initializer_list<const char*> names,
                std::int64_t low,
                std::int64_t high,
                std::int32_t& into) {
        std::optional<std::int32_t> found;
        number(names, low, high, found);
        into = found.value_or(into);
    }
    void flag(const char* name, bool& into) {
        const json::value* value = find({name});
        if (value == nullptr) return;
        if (!value->is_bool()) return refuse(name);
        into = value->get_bool();
    }
    void text(std::initializer_list<const char*> names, std::string& into) {
        const json::value* value = find(names);
        if (value == nullptr) return;
        if (!value->is_string() || value->get_string().size() > MergeJob::kMaxTextBytes) {
            return refuse(*names.begin());
        }
        into = value->get_string();
    }
    void stretch(const char* name, StretchMode& into) {
        std::string mode = "aspectFill";
        text({name}, mode);
        if (mode == "aspectFill") {
            into = StretchMode::kAspectFill;
        } else if (mode == "aspectFit") {
            into = StretchMode::kAspectFit;
        } else if (mode == "scaleToFit") {
            into = StretchMode::kScaleToFit;
        } else {
            refuse(name);
        }
    }
    void picture(const json::value& value, const char* name, MergePicture& into) {
        const json::object* const object = value.if_object();
        if (object == nullptr) return refuse(name);
        FieldReader in(*object);
        // The vendor's documents say `file`.
        in.text({"url", "file"}, into.url);
        in.number({"x"}, -kMaxMergeOffset, kMaxMergeOffset, into.x);
        in.number({"y"}, -kMaxMergeOffset, kMaxMergeOffset, into.y);
        in.number({"w", "width"}, 0, kMaxMergeSide, into.width);
        in.number({"h", "height"}, 0, kMaxMergeSide, into.height);
        if (in.error != nullptr || into.url.empty()) refuse(name);
    }
    /// The first that is there; an empty string is not.
    [[nodiscard]] const json::value* find(std::initializer_list<const char*> names) const {
        for (const char* name : names) {
            const json::value* value = object_.if_contains(name);
            if (value == nullptr || value->is_null()) continue;
            if (value->is_string() && value->get_string().empty()) continue;
            return value;
        }
        return nullptr;
    }
    void refuse(const char* name) {
        if (error == nullptr) error = name;
    }

    const char* error = nullptr;

private:
    const json::object& object_;
};

}  // namespace

Result<MergeJob> parse_merge_job(const json::object& body) {
    MergeJob job;
    FieldReader in(body);
    in.text({"id"}, job.id);
    in.text({"publishUrl", "url"}, job.publish_url);
    in.number({"width"}, 2, kMaxMergeSide, job.width);
    in.number({"height"}, 2, kMaxMergeSide, job.height);
    in.number({"fps", "videoFrameRate"}, 1, kMaxMergeFps, job.fps);
    in.number({"kbps", "bitrate"}, 1, kMaxMergeKbps, job.kbps);
    in.number({"minRate", "minBitrate"}, 1, kMaxMergeKbps, job.min_kbps);
    in.number({"maxRate", "maxBitrate"}, 1, kMaxMergeKbps, job.max_kbps);
    in.flag("audioOnly", job.audio_only);
    in.flag("holdLastFrame", job.hold_last_frame);
    in.stretch("stretchMode", job.stretch_mode);
    if (const json::value* background = in.find({"background"})) {
        in.picture(*background, "background", job.background.emplace());
    }
    if (const json::value* watermarks = in.find({"watermarks"})) {
        const json::array* const list = watermarks->if_array();
        if (list == nullptr || list->size() > MergeJob::kMaxWatermarks) {
            in.refuse("watermarks");
        } else {
            for (const json::value& one : *list) {
                in.picture(one, "watermarks", job.watermarks.emplace_back());
            }
        }
    }
    if (in.error != nullptr) return fail(Errc::kMalformed, in.error);
    return job;
}

}  // namespace parley::signalling

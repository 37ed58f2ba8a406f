#include "rest/app_record.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "rest/body.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxUsers = 100'000;
constexpr std::int64_t kMaxTtlSeconds = 365LL * 86'400;
constexpr std::size_t kMaxTextBytes = 2'048;

/// Reads field after field; the first complaint stays.
class Patch {
public:
    explicit Patch(const json::object& fields) : fields_(fields) {}

    void text(const char* name, std::string& target) {
        take(text_field(fields_, name), [&](std::string value) {
            if (value.size() > kMaxTextBytes) return false;
            target = std::move(value);
            return true;
        });
    }
    void flag(const char* name, bool& target) {
        take(flag_field(fields_, name), [&](bool value) {
            target = value;
            return true;
        });
    }
    template <class T>
    void number(const char* name, T& target, std::int64_t most) {
        take(number_field(fields_, name), [&](std::int64_t value) {
            if (value < 0 || value > most) return false;
            if (value != 0) target = static_cast<T>(value);
            return true;
        });
    }
    /// Merged into what is there. Anything but an object is ignored: one SDK loses the values of
    /// nested objects (REST section 16.2).
    void object(const char* name, std::optional<json::object>& target) {
        const json::value* value = fields_.if_contains(name);
        if (value == nullptr || !value->is_object()) return;
        if (!target) target.emplace();
        for (const auto& member : value->get_object()) {
            (*target)[member.key()] = member.value();
        }
    }
    [[nodiscard]] const Result<void>& result() const { return result_; }

private:
    template <class T, class Use>
    void take(Result<std::optional<T>> value, Use use) {
        if (!result_) return;
        if (!value) {
            result_ = tl::unexpected(value.error());
        } else if (*value && !use(std::move(**value))) {
            result_ = fail(Errc::kMalformed, "a field is out of range");
        }
    }

    const json::object& fields_;
    Result<void> result_;
};

Result<void> read_merge(const json::object& merge) {
    Patch patch(merge);
    bool flag = false;
    std::int64_t number = 0;
    std::string text;
    constexpr std::int64_t kMaxPixels = 7'680;
    constexpr std::int64_t kMaxFps = 120;
    constexpr std::int64_t kMaxKbps = 100'000;
    patch.flag("enable", flag);
    patch.flag("audioOnly", flag);
    patch.number("height", number, kMaxPixels);
    patch.number("width", number, kMaxPixels);
    patch.number("fps", number, kMaxFps);
    patch.number("kbps", number, kMaxKbps);
    patch.text("url", text);
    patch.text("streamTitle", text);
    return patch.result();
}

Result<void> read_fields(AppRecord& app, const json::object& fields) {
    Patch patch(fields);
    patch.text("hub", app.hub);
    patch.text("title", app.title);
    patch.number("maxUsers", app.max_users, kMaxUsers);
    patch.flag("noAutoKickUser", app.no_auto_kick_user);
    patch.flag("noAutoCloseRoom", app.no_auto_close_room);
    patch.flag("noAutoCreateRoom", app.no_auto_create_room);
    patch.number("autoCloseTtl", app.auto_close_ttl_s, kMaxTtlSeconds);
    patch.text("videoCodec", app.video_codec);
    patch.flag("dnsResolve", app.dns_resolve);
    patch.object("mergePublishRtmp", app.merge_publish_rtmp);
    patch.object("storage", app.storage);
    patch.text("eventCbUrl", app.event_url);
    patch.text("eventCbSecret", app.event_secret);
    patch.number("eventCbVersion", app.event_version, 1'000);
    if (!patch.result()) return patch.result();
    if (app.merge_publish_rtmp) {
        if (const Result<void> ok = read_merge(*app.merge_publish_rtmp); !ok) return ok;
    }
    std::string codec = app.video_codec;
    std::transform(codec.begin(), codec.end(), codec.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    if (!codec.empty() && codec != "H264" && codec != "VP8")
        return fail(Errc::kMalformed, "videoCodec");
    app.video_codec = std::move(codec);
    const bool is_url = app.event_url.empty() || app.event_url.starts_with("http://") ||
                        app.event_url.starts_with("https://");
    if (!is_url) return fail(Errc::kMalformed, "eventCbUrl");
    return {};
}

json::object common_json(const AppRecord& app) {
    json::object out{{"appId", app.app_id},
                     {"title", app.title},
                     {"uid", app.uid},
                     {"hub", app.hub},
                     {"maxUsers", app.max_users},
                     {"noAutoCloseRoom", app.no_auto_close_room},
                     {"noAutoCreateRoom", app.no_auto_create_room},
                     {"noAutoKickUser", app.no_auto_kick_user},
                     {"dnsResolve", app.dns_resolve},
                     {"autoCloseTtl", app.auto_close_ttl_s},
                     {"videoCodec", app.video_codec}};
    if (app.merge_publish_rtmp) out["mergePublishRtmp"] = *app.merge_publish_rtmp;
    if (app.storage) out["storage"] = *app.storage;
    if (!app.event_url.empty()) {
        out["eventCbUrl"] = app.event_url;
        out["eventCbVersion"] = app.event_version;
    }
    return out;
}

}  // namespace

Result<void> apply_patch(AppRecord& app, const json::object& patch) {
    AppRecord changed = app;
    if (const Result<void> ok = read_fields(changed, patch); !ok) return ok;
    app = std::move(changed);
    return {};
}

json::object app_json(const AppRecord& app, const AppDefaults& defaults) {
    json::object out = common_json(app);
    if (app.max_users == 0) out["maxUsers"] = defaults.max_users;
    if (app.auto_close_ttl_s == 0) {
        out["autoCloseTtl"] =
            std::chrono::duration_cast<std::chrono::seconds>(defaults.auto_close_ttl).count();
    }
    if (app.video_codec.empty()) out["videoCodec"] = defaults.video_codec;
    out["createdAt"] = rfc3339(app.created_at);
    out["updatedAt"] = rfc3339(app.updated_at);
    return out;
}

json::object stored_app_json(const AppRecord& app) {
    json::object out = common_json(app);
    out["eventCbUrl"] = app.event_url;
    out["eventCbSecret"] = app.event_secret;
    out["eventCbVersion"] = app.event_version;
    out["createdNs"] = app.created_at.time_since_epoch().count();
    out["updatedNs"] = app.updated_at.time_since_epoch().count();
    return out;
}

Result<AppRecord> app_from_json(const json::object& stored) {
    AppRecord app;
    if (const Result<void> ok = read_fields(app, stored); !ok) return tl::unexpected(ok.error());
    const Result<std::optional<std::string>> id = text_field(stored, "appId");
    const Result<std::optional<std::int64_t>> uid = number_field(stored, "uid");
    const Result<std::optional<std::int64_t>> created = number_field(stored, "createdNs");
    const Result<std::optional<std::int64_t>> updated = number_field(stored, "updatedNs");
    if (!id || !*id || (*id)->empty() || !uid || !created || !updated) {
        return fail(Errc::kMalformed, "stored app");
    }
    app.app_id = **id;
    app.uid = uid->value_or(0);
    app.created_at = WallTime(Duration(created->value_or(0)));
    app.updated_at = WallTime(Duration(updated->value_or(0)));
    return app;
}

signalling::AppSettings room_settings(const AppRecord& app, const AppDefaults& defaults) {
    signalling::AppSettings out;
    out.max_users = app.max_users == 0 ? defaults.max_users : app.max_users;
    out.no_auto_kick_user = app.no_auto_kick_user;
    out.no_auto_close_room = app.no_auto_close_room;
    out.no_auto_create_room = app.no_auto_create_room;
    out.auto_close_ttl = app.auto_close_ttl_s == 0 ? defaults.auto_close_ttl
                                                   : std::chrono::seconds(app.auto_close_ttl_s);
    const std::string& codec = app.video_codec.empty() ? defaults.video_codec : app.video_codec;
    out.video_codec = codec == "VP8" ? sfu::Codec::kVp8 : sfu::Codec::kH264;
    return out;
}

std::string rfc3339(WallTime time) {
    using std::chrono::floor;
    const auto day = floor<std::chrono::days>(time.time_since_epoch());
    const std::chrono::year_month_day date{std::chrono::sys_days(day)};
    const std::chrono::hh_mm_ss<Duration> clock(time.time_since_epoch() - day);
    std::array<char, 48> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%04d-%02u-%02uT%02d:%02d:%02d.%09lld+00:00",
                  static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()),
                  static_cast<long long>(clock.subseconds().count()));
    return text.data();
}

}  // namespace parley::rest

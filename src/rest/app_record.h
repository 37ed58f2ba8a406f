#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "signalling/app_settings.h"

namespace parley::rest {

/// An app as the management API shows and changes it (REST section 5.1).
struct AppRecord {
    std::string app_id;
    std::int64_t uid = 0;  ///< the account that owns it
    std::string hub;
    std::string title;
    std::uint32_t max_users = 0;  ///< 0: the server's default
    bool no_auto_kick_user = false;
    bool no_auto_close_room = false;
    bool no_auto_create_room = false;
    std::uint32_t auto_close_ttl_s = 0;  ///< 0: the server's default
    std::string video_codec;             ///< "H264", "VP8" or empty: the server's default
    bool dns_resolve = false;
    std::optional<boost::json::object> merge_publish_rtmp;
    std::optional<boost::json::object> storage;
    std::string event_url;     ///< empty: no call-backs
    std::string event_secret;  ///< signs call-backs; never in an answer or a log
    std::int64_t event_version = 1;
    WallTime created_at;
    WallTime updated_at;

    friend bool operator==(const AppRecord&, const AppRecord&) = default;
};

struct AppDefaults {
    std::uint32_t max_users = 20;
    Duration auto_close_ttl = 10s;
    std::string video_codec = "H264";
    bool no_auto_kick_user = false;  ///< of new apps
};

/// Changes the fields that `patch` names and leaves the others alone, also inside
/// `mergePublishRtmp`. `appId` and unknown fields are ignored, 0 for a number means unchanged.
/// kMalformed: a field has the wrong type or an impossible value; nothing is changed then.
Result<void> apply_patch(AppRecord& app, const boost::json::object& patch);

/// The App object of answers: defaults filled in, without the call-back's secret.
boost::json::object app_json(const AppRecord& app, const AppDefaults& defaults);
/// For the store: everything but the defaults. `app_from_json(stored_app_json(a)) == a`.
boost::json::object stored_app_json(const AppRecord& app);
Result<AppRecord> app_from_json(const boost::json::object& stored);

/// What room control needs to know of it.
signalling::AppSettings room_settings(const AppRecord& app, const AppDefaults& defaults);

/// RFC 3339 with nanoseconds and offset, such as `2024-01-02T03:04:05.837760266+00:00`.
std::string rfc3339(WallTime time);

}  // namespace parley::rest

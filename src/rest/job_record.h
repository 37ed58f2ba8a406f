#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "room/types.h"

namespace parley::rest {

enum class JobKind : std::uint8_t {
    kBasic,    ///< v4: mix and encode
    kSimple,   ///< v4: one user's stream as it is
    kMerge,    ///< v3 merge_job
    kForward,  ///< v3 forward_job
    kScan,     ///< v3 scan_job: moderation
    kPub,      ///< v3 pub: a media file is played into the room
};
/// What a job of this build is told at once, instead of a success that nobody sees.
inline constexpr std::string_view kNoMediaEngine = "media jobs are not available in this version";
enum class JobState : std::uint8_t { kRunning, kStopped, kFailed };
std::string_view to_string(JobKind kind);
std::string_view to_string(JobState state);

/// A job of a room, whoever made it (REST section 7.5): one table for each room, by id.
struct JobRecord {
    room::RoomKey room;
    std::string id;
    JobKind kind = JobKind::kBasic;
    JobState state = JobState::kRunning;
    std::string reason;        ///< why it failed
    boost::json::object spec;  ///< as asked for, checked
    WallTime created_at;
    WallTime updated_at;
};

boost::json::object job_json(const JobRecord& job);
/// The Job of `/x1/`: with its room.
boost::json::object listed_job_json(const JobRecord& job);
boost::json::object stored_job_json(const JobRecord& job);
Result<JobRecord> job_from_json(const boost::json::object& stored);

/// The checked and tidied v4 Job (REST section 7.1): sizes rounded down to even, defaults filled
/// in. kMalformed: "invalid input".
Result<boost::json::object> check_v4_job(const boost::json::object& body);
/// v3 merge_job and merge (REST sections 7.2 and 7.3); `watermarks` and `waterMarks` are one.
Result<boost::json::object> check_merge_job(const boost::json::object& body);
/// v3 forward_job (REST section 7.4): at most one audio and one video track are a matter of the
/// engine; here a URL, a player and a list are needed.
Result<boost::json::object> check_forward_job(const boost::json::object& body);

/// The file that a job writes, as its spec says; nullptr: it writes none.
const boost::json::object* file_output(const JobRecord& job);

/// Whether something can be pushed there: rtmp, rtmps, srt or http(s) with a host.
bool is_push_url(std::string_view url);

}  // namespace parley::rest

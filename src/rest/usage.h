#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "rest/job_record.h"
#include "sfu/usage.h"

/// What is billed on, as it is kept and told.
namespace parley::rest {

/// What a job is billed as; kNone: moderation, and files that are played into a room.
enum class BilledJob : std::uint8_t { kMerge, kForward, kRecord, kNone };
inline constexpr std::size_t kBilledJobs = 3;
/// Whatever writes a file is a recording.
[[nodiscard]] BilledJob billed_as(const JobRecord& job);

/// Of one hour or day, and of an app, a room or a user; the names that do not apply are empty.
struct UsageRow {
    WallTime at{};
    std::string app_id;
    std::string room;
    std::string user_id;
    sfu::Usage usage;
    std::array<Duration, kBilledJobs> jobs{};
    std::uint64_t peak_users = 0;
    friend bool operator==(const UsageRow&, const UsageRow&) = default;
};

struct UsageQuery {
    enum class By : std::uint8_t { kApp, kRoom, kUser };
    std::string app_id;
    std::string room;     ///< empty: all
    std::string user_id;  ///< empty: all
    By by = By::kApp;
    bool by_day = false;
    WallTime from{};  ///< both at a full hour or day
    WallTime to{};    ///< not included
    std::size_t limit = 0;

    /// Peaks and jobs belong to rooms, not to users.
    [[nodiscard]] bool is_of_users() const { return by == By::kUser || !user_id.empty(); }
};

boost::json::object usage_json(const UsageQuery& query, const std::vector<UsageRow>& rows);
/// RFC 4180, with a header line. A text that a spreadsheet would take for a formula gets an
/// apostrophe in front.
std::string usage_csv(const UsageQuery& query, const std::vector<UsageRow>& rows);

}  // namespace parley::rest

#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "quality/history.h"
#include "rest/signed_calls.h"
#include "webhook/event.h"

/// Questions and answers of getQuality, and the `Quality` of openapi.json.
namespace parley::rest {

/// Oldest first; of a room with more in the time that was asked for, the rest is left out, and
/// told.
inline constexpr std::size_t kMaxTimelineEvents = 5'000;
inline constexpr Duration kMaxQualitySpan = std::chrono::hours(24 * 31);

/// Without times: the last hour. nullopt, and `wrong` says what.
std::optional<quality::HistoryQuery> read_quality_query(const SignedCall& call, std::string& wrong);

boost::json::object quality_json(const quality::Point& point);
boost::json::object quality_history_json(const quality::HistoryQuery& query,
                                         const std::vector<quality::MemberHistory>& members,
                                         const std::vector<webhook::Event>& events);

}  // namespace parley::rest

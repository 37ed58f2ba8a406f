#pragma once

#include <vector>

#include "base/time.h"
#include "quality/board.h"
#include "quality/history.h"
#include "store/sql.h"

/// Points of quality: one row for a room and a stretch of ten seconds, rows of late figures beside
/// it.
namespace parley::store {

Statement put_points(const quality::RoomPoints& points);

/// Forgets the oldest of what is older than `before`; at most kPruneSpan of it at once.
inline constexpr Duration kPruneSpan = 10min;
Statement prune_points(WallTime before);

/// What the answer to a question is bounded by, each beyond which it is refused: members' points
/// that are read, and those that are given.
inline constexpr std::size_t kMaxPointsRead = 1'000'000;
struct QualityRead {
    std::vector<quality::MemberHistory> members;
    bool too_much = false;  ///< a bound is reached; then there are no members
};
SqlResult<QualityRead> read_quality(Connection& connection, const quality::HistoryQuery& query);

}  // namespace parley::store

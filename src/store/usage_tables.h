#pragma once

#include <cstdint>
#include <vector>

#include "rest/usage.h"
#include "store/sql.h"

/// Usage by the hour: what is added on the store's thread, and what readers ask.
namespace parley::store {

/// Adds each row to what is there for its hour, app, room and user; of peaks the greater one stays.
/// Of a room its user is empty, of an app its room too. `batch` has to grow by one each time: a
/// change that is tried again, because nobody knows whether it was kept, adds nothing twice.
std::vector<Statement> add_usage(std::int64_t batch, const std::vector<rest::UsageRow>& rows);

/// The newest batch that was added; 0: none.
SqlResult<std::int64_t> load_usage_batch(Connection& connection);

/// Sums by hour or day, in the order of time and name; at most `query.limit`.
SqlResult<std::vector<rest::UsageRow>> read_usage(Connection& connection,
                                                  const rest::UsageQuery& query);

/// Forgets hours before `before`, the oldest first, at most kPruneAtOnce rows.
std::vector<Statement> prune_usage(WallTime before);

}  // namespace parley::store

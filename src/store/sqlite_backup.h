#pragma once

#include "store/sql.h"

struct sqlite3;

namespace parley::store {

/// Copies `source`, which has a read transaction open, page by page to `file`.partial, checks the
/// copy, and gives it its name.
SqlResult<void> write_backup(sqlite3* source, const std::string& file, const OnWork& on_work);

}  // namespace parley::store

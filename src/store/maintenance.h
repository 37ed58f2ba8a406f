#pragma once

#include "store/sql.h"

/// What an operator asks of a store, beside a running server or without one.
namespace parley::store {

/// Read only. The database's own check, then ours: the version, and that every row is what the
/// server can read.
SqlResult<CheckReport> check_store(Connection& connection, const OnWork& on_work);

}  // namespace parley::store

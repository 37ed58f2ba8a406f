#pragma once

#include <memory>
#include <string>

#include "server/config.h"
#include "store/sql.h"

namespace parley::cli {

/// Nothing is made: a mistyped directory does not become an empty store.
store::SqlResult<std::unique_ptr<store::Connection>> open_existing_store(const std::string& url);

/// `file`: a backup, or empty for the store of the settings. Exit code 1 also when something is
/// wrong with it.
int check_store_files(const server::ConfigSources& sources, const std::string& file);
int backup_store(const server::ConfigSources& sources, const std::string& file);

}  // namespace parley::cli

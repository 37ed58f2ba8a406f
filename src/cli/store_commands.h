#pragma once

#include <string>

#include "server/config.h"

namespace parley::cli {

/// `file`: a backup, or empty for the store of the settings. Exit code 1 also when something is
/// wrong with it.
int check_store_files(const server::ConfigSources& sources, const std::string& file);
int backup_store(const server::ConfigSources& sources, const std::string& file);

}  // namespace parley::cli

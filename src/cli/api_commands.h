#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace parley::cli {

/// Adds the commands of api_table.h, and `api` for calls that have none. The one that is parsed
/// puts what is to be done into `chosen`.
void add_api_commands(CLI::App& app, std::function<int()>& chosen);

}  // namespace parley::cli

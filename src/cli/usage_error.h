#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace parley::cli {

/// What is said of a command line that could not be parsed: the word that is wrong, the nearest one
/// that is known, and whose `--help` has the rest.
std::string explain(const CLI::App& app, const CLI::ParseError& error);

}  // namespace parley::cli

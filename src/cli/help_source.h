#pragma once

#include <CLI/CLI.hpp>
#include <string>

/// What is made of the commands' own help, so that it cannot differ from them.
namespace parley::cli {

std::string write_bash_completion(const CLI::App& app);
std::string write_zsh_completion(const CLI::App& app);
/// parley(1), in the man macros.
std::string write_manual(const CLI::App& app);

}  // namespace parley::cli

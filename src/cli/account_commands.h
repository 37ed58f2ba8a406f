#pragma once

#include <CLI/CLI.hpp>
#include <functional>

/// Accounts beside the first, in the store itself: a running server sees a change within seconds.
namespace parley::cli {

/// `account add|list|enable|disable|new-key`, beside the calls of `account` that a server answers.
void add_account_commands(CLI::App& app, std::function<int()>& chosen);

}  // namespace parley::cli

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/config.h"

/// What the subcommands of `parley` do. Each returns the exit code and prints errors as one line to
/// standard error.
namespace parley::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

/// One line to standard error; the exit code.
int complain(std::string_view text, int exit_code = kExitFailure);

int serve(const server::ConfigSources& sources);
int check_config(const server::ConfigSources& sources);
int show_config(const server::ConfigSources& sources);

struct TokenRequest {
    std::string app = "demo";
    std::string room;
    std::string user;
    bool admin = false;
    std::int64_t expires_s = 3600;
};
/// Prints one room token, signed with the data directory's keys or the configured ones.
int make_token(const server::ConfigSources& sources, const TokenRequest& request);

}  // namespace parley::cli

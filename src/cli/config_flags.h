#pragma once

#include <CLI/CLI.hpp>
#include <deque>

#include "server/config.h"
#include "server/settings.h"

namespace parley::cli {

/// Heading of the settings among the options of a command.
inline constexpr const char* kSettingsGroup = "Settings";
/// The same for what every command that asks a server takes.
inline constexpr const char* kServerGroup = "Server";

/// Settings as flags of one command.
class ConfigFlags {
public:
    /// Not `all`: where the data directory is, only.
    ConfigFlags(CLI::App& command, bool all, const char* group = kSettingsGroup);
    ConfigFlags(const ConfigFlags&) = delete;
    ConfigFlags& operator=(const ConfigFlags&) = delete;

    /// With the environment. To be taken once, after parsing.
    server::ConfigSources take();

private:
    struct Given {
        const server::Setting* setting;
        std::string value;
        CLI::Option* option = nullptr;
    };
    void add(CLI::App& command, const server::Setting& setting, const char* group);

    server::ConfigSources sources_;
    std::deque<Given> given_;  // options keep pointers to the values
};

}  // namespace parley::cli

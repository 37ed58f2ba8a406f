#pragma once

#include <CLI/CLI.hpp>
#include <deque>

#include "server/config.h"

namespace parley::cli {

/// Settings as flags of one command.
class ConfigFlags {
public:
    /// Not `all`: where the data directory is, only.
    ConfigFlags(CLI::App& command, bool all);
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
    void add(CLI::App& command, const server::Setting& setting);

    server::ConfigSources sources_;
    std::deque<Given> given_;  // options keep pointers to the values
};

}  // namespace parley::cli

#pragma once

#include <string>

#include "server/config.h"

/// The settings as text, for documents and for people.
namespace parley::server {

std::string write_settings_reference();  ///< the tables of docs/configuration.md
std::string write_example_file();        ///< parley.example.toml
std::string write_effective_config(
    const Config& config);  ///< `parley config show`; secrets as "***"

}  // namespace parley::server

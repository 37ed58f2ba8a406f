#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace parley::server {

enum class SettingKind : std::uint8_t { kText, kNumber, kFlag, kList };

/// One row of the table that configuration files, environment, flags, help and documents come from.
struct Setting {
    std::string_view name;  ///< as in parley.toml: "http.port"
    SettingKind kind;
    std::string_view fallback;  ///< the default, as text
    std::string_view help;
    bool secret = false;  ///< never shown, and no flag, because argument lists are public
    /// Takes over a value; the reason when it is not allowed.
    std::function<std::optional<std::string>(Config&, std::string_view)> apply;
    std::function<std::string(const Config&)> show;

    [[nodiscard]] std::string environment_name() const;  ///< PARLEY_HTTP_PORT
    [[nodiscard]] std::string flag_name() const;         ///< --http-port; empty for secrets
};

/// In the order of the documents, those of a section one after the other.
const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view name);

}  // namespace parley::server

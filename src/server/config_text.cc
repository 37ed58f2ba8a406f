#include "server/config_text.h"

#include <fmt/format.h>

#include <string_view>

#include "server/settings.h"

namespace parley::server {
namespace {

std::string toml_value(const Setting& setting, std::string_view value) {
    switch (setting.kind) {
        case SettingKind::kNumber:
        case SettingKind::kFlag: return std::string(value);
        case SettingKind::kList: {
            std::string out = "[";
            std::size_t at = 0;
            while (at < value.size()) {
                const std::size_t comma = std::min(value.find(',', at), value.size());
                if (out.size() > 1) out += ", ";
                out += fmt::format("\"{}\"", value.substr(at, comma - at));
                at = comma + 1;
            }
            return out + "]";
        }
        case SettingKind::kText: break;
    }
    std::string out = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string section_of(std::string_view name) {
    const std::size_t dot = name.find('.');
    return dot == std::string_view::npos ? "" : std::string(name.substr(0, dot));
}

std::string_view section_title(std::string_view section) {
    if (section.empty()) return "General";
    if (section == "http") return "HTTP";
    if (section == "tls") return "TLS";
    if (section == "media") return "Media";
    if (section == "rtmp") return "RTMP";
    if (section == "signalling") return "Signalling";
    if (section == "app") return "Defaults of apps";
    if (section == "limits") return "Limits";
    if (section == "account") return "Account";
    if (section == "webhook") return "Webhooks";
    if (section == "gate") return "Outgoing connections";
    if (section == "events") return "Events";
    if (section == "quality") return "Quality";
    if (section == "store") return "Store";
    if (section == "metrics") return "Metrics";
    if (section == "log") return "Logging";
    if (section == "drain") return "Shutdown";
    return section;
}

}  // namespace

std::string write_settings_reference() {
    std::string out;
    std::string section = "-";
    for (const Setting& setting : settings()) {
        if (section_of(setting.name) != section) {
            section = section_of(setting.name);
            out += fmt::format("{}### {}\n\n| Setting | Default | Environment | Flag | Meaning |\n"
                               "| --- | --- | --- | --- | --- |\n",
                               out.empty() ? "" : "\n", section_title(section));
        }
        const std::string flag = setting.secret ? "-" : fmt::format("`{}`", setting.flag_name());
        const std::string fallback = setting.fallback.empty() ? "-" : fmt::format("`{}`", setting.fallback);
        out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", setting.name, fallback,
                           setting.environment_name(), flag, setting.help);
    }
    return out;
}

std::string write_example_file() {
    std::string out =
        "# Settings of `parley serve`, each with its default. Copy to parley.toml and remove the # where you\n"
        "# want another value. `parley config check` finds mistakes.\n";
    std::string section;
    for (const Setting& setting : settings()) {
        if (section_of(setting.name) != section) {
            section = section_of(setting.name);
            out += fmt::format("\n[{}]\n", section);
        }
        const std::string_view key = section.empty() ? setting.name : setting.name.substr(section.size() + 1);
        out += fmt::format("\n# {}\n#{} = {}\n", setting.help, key, toml_value(setting, setting.fallback));
    }
    return out;
}

std::string write_effective_config(const Config& config) {
    std::string out;
    std::string section;
    for (const Setting& setting : settings()) {
        if (section_of(setting.name) != section) {
            section = section_of(setting.name);
            out += fmt::format("\n[{}]\n", section);
        }
        const std::string_view key = section.empty() ? setting.name : setting.name.substr(section.size() + 1);
        std::string value = setting.show(config);
        if (setting.secret && !value.empty()) value = "***";
        out += fmt::format("{} = {}\n", key, toml_value(setting, value));
    }
    return out;
}

}  // namespace parley::server

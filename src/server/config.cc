#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <toml++/toml.h>
#include <unistd.h>

#include "base/result.h"
#include "gate/url_gate.h"
#include "server/settings.h"

namespace parley::server {
namespace {

using Problem = std::optional<std::string>;

std::string where(std::string_view file, std::uint32_t line, std::string_view name) {
    std::string out(file);
    if (line != 0) out += fmt::format(":{}", line);
    return fmt::format("{}: {}", out, name);
}

Result<std::string> as_text(const toml::node& node, SettingKind kind) {
    switch (kind) {
        case SettingKind::kText:
            if (const auto* value = node.as_string()) return value->get();
            break;
        case SettingKind::kNumber:
            if (const auto* value = node.as_integer()) return fmt::to_string(value->get());
            break;
        case SettingKind::kFlag:
            if (const auto* value = node.as_boolean()) return std::string(value->get() ? "true" : "false");
            break;
        case SettingKind::kList:
            if (const auto* value = node.as_string()) return value->get();
            if (const auto* list = node.as_array()) {
                std::string out;
                for (const toml::node& item : *list) {
                    const auto* text = item.as_string();
                    if (text == nullptr) return fail(Errc::kMalformed, "");
                    if (!out.empty()) out += ',';
                    out += text->get();
                }
                return out;
            }
            break;
    }
    return fail(Errc::kMalformed, "");
}

std::string_view type_name(SettingKind kind) {
    switch (kind) {
        case SettingKind::kText: return "text in quotes";
        case SettingKind::kNumber: return "a whole number";
        case SettingKind::kFlag: return "true or false";
        case SettingKind::kList: return "a list of texts";
    }
    return "";
}

/// The first thing that is wrong in the table, with its line.
Problem apply_table(const toml::table& table, std::string_view prefix, std::string_view file, Config& config) {
    for (const auto& [key, node] : table) {
        const std::string name = prefix.empty() ? std::string(key.str()) : fmt::format("{}.{}", prefix, key.str());
        const std::uint32_t line = static_cast<std::uint32_t>(node.source().begin.line);
        const Setting* setting = find_setting(name);
        if (setting == nullptr) {
            const bool is_section = std::any_of(settings().begin(), settings().end(), [&](const Setting& s) {
                return s.name.substr(0, name.size() + 1) == name + ".";
            });
            const toml::table* inner = node.as_table();
            if (!is_section || inner == nullptr) return where(file, line, name) + ": unknown setting";
            if (Problem problem = apply_table(*inner, name, file, config)) return problem;
            continue;
        }
        const auto value = as_text(node, setting->kind);
        if (!value) return fmt::format("{}: must be {}", where(file, line, name), type_name(setting->kind));
        if (Problem problem = setting->apply(config, *value)) return where(file, line, name) + ": " + *problem;
    }
    return {};
}

/// What single rows cannot see.
Problem check_together(const Config& config) {
    if (config.tls.certificate.empty() != config.tls.key.empty()) {
        return "tls.certificate: needs tls.key, and the other way round";
    }
    if (config.rtmp.tls_port != 0 && config.rtmp.tls_port == config.rtmp.port) return "rtmp.tls_port: is rtmp.port too";
    if (config.http.tls_port != 0 && config.http.tls_port == config.http.port) {
        return "http.tls_port: is http.port too; leave it at 0 to have both on one port";
    }
    if (config.account.access_key.empty() != config.account.secret_key.empty()) {
        return "account.access_key: needs account.secret_key, and the other way round";
    }
    if (config.signalling.pong_timeout <= config.signalling.ping_interval) {
        return "signalling.pong_timeout_s: must be longer than signalling.ping_interval_s";
    }
    if (config.media.port_base != 0 && config.media.port_base + std::max(config.media.workers, 1u) > 65536) {
        return "media.port_base: the last worker's port would be above 65535";
    }
    if (config.data_dir.empty()) return "data_dir: must not be empty";
    if (!config.webhook.url.empty()) {
        const auto policy = gate::parse_allow_list(config.gate_allow);
        if (!policy || !gate::UrlGate(*policy).check_url(config.webhook.url)) {
            return "webhook.url: must be an http or https URL of a host that is public or in gate.allow";
        }
        if (config.webhook.secret.empty()) return "webhook.url: needs webhook.secret";
    }
    return {};
}

}  // namespace

std::string_view to_string(LogLevel level) {
    switch (level) {
        case LogLevel::kDebug: return "debug";
        case LogLevel::kInfo: return "info";
        case LogLevel::kWarn: return "warn";
        case LogLevel::kError: return "error";
        case LogLevel::kOff: return "off";
    }
    return "";
}

LoadedConfig load_config_text(std::string_view toml, std::string_view file_name, const ConfigSources& sources) {
    LoadedConfig out;
    out.file = file_name;
    for (const Setting& setting : settings()) {
        if (Problem problem = setting.apply(out.config, setting.fallback)) {
            out.error = fmt::format("{}: {}", setting.name, *problem);
            return out;
        }
    }
    try {
        const toml::table table = toml::parse(toml, file_name);
        if (Problem problem = apply_table(table, "", file_name, out.config)) {
            out.error = *problem;
            return out;
        }
    } catch (const toml::parse_error& error) {
        out.error = fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description());
        return out;
    }
    for (const Setting& setting : settings()) {
        const std::string variable = setting.environment_name();
        if (const auto found = sources.environment.find(variable); found != sources.environment.end()) {
            if (Problem problem = setting.apply(out.config, found->second)) {
                out.error = fmt::format("environment: {}: {}", variable, *problem);
                return out;
            }
        }
        if (const auto found = sources.flags.find(std::string(setting.name)); found != sources.flags.end()) {
            if (Problem problem = setting.apply(out.config, found->second)) {
                out.error = fmt::format("command line: {}: {}", setting.flag_name(), *problem);
                return out;
            }
        }
    }
    if (Problem problem = check_together(out.config)) {
        out.error = file_name.empty() ? *problem : fmt::format("{}: {}", file_name, *problem);
    }
    return out;
}

LoadedConfig load_config(const ConfigSources& sources) {
    std::string file = sources.file;
    if (file.empty()) {
        const auto named = sources.environment.find("PARLEY_CONFIG");
        if (named != sources.environment.end()) file = named->second;
    }
    const bool must_exist = !file.empty();
    if (!must_exist) file = "parley.toml";
    std::error_code ec;
    if (!must_exist && !std::filesystem::exists(file, ec)) return load_config_text("", "", sources);
    constexpr std::size_t kMaxFile = 1 << 20;
    std::ifstream in(file);
    std::string content(kMaxFile + 1, '\0');
    in.read(content.data(), static_cast<std::streamsize>(content.size()));
    // Opening a directory works; reading it does not.
    if (in.bad() || (!in.eof() && in.gcount() == 0) || !in.is_open()) {
        LoadedConfig out;
        out.error = fmt::format("{}: cannot be read", file);
        return out;
    }
    content.resize(static_cast<std::size_t>(in.gcount()));
    if (content.size() > kMaxFile) {
        LoadedConfig out;
        out.error = fmt::format("{}: larger than 1 MiB", file);
        return out;
    }
    return load_config_text(content, file, sources);
}

std::map<std::string, std::string> read_environment() {
    std::map<std::string, std::string> out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (text.substr(0, 7) != "PARLEY_" || equals == std::string_view::npos) continue;
        out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

}  // namespace parley::server

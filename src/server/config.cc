#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <toml++/toml.h>
#include <unistd.h>

#include "gate/url_gate.h"

namespace parley::server {
namespace {

using Problem = std::optional<std::string>;

// Each of these makes the two functions of a row from the place where the value goes. `place` returns a
// reference into a Config, const or not.

template <class Place>
Setting text(std::string_view name, std::string_view fallback, std::string_view help, Place place) {
    return {name,
            SettingKind::kText,
            fallback,
            help,
            false,
            [place](Config& config, std::string_view value) -> Problem {
                place(config) = value;
                return {};
            },
            [place](const Config& config) { return std::string(place(config)); }};
}

template <class Place>
Setting secret(std::string_view name, std::string_view help, Place place) {
    Setting out = text(name, "", help, place);
    out.secret = true;
    return out;
}

template <class Place>
Setting choice(std::string_view name,
               std::string_view fallback,
               std::string_view help,
               std::vector<std::string_view> allowed,
               Place place) {
    Setting out = text(name, fallback, help, place);
    out.apply = [place, allowed](Config& config, std::string_view value) -> Problem {
        if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
            return fmt::format("must be one of {}", fmt::join(allowed, ", "));
        }
        place(config) = value;
        return {};
    };
    return out;
}

Result<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return fail(Errc::kMalformed, "number");
    return value;
}

template <class Store, class Show>
Setting ranged(std::string_view name,
               std::string_view fallback,
               std::string_view help,
               std::uint64_t low,
               std::uint64_t high,
               Store store,
               Show show) {
    return {name,
            SettingKind::kNumber,
            fallback,
            help,
            false,
            [=](Config& config, std::string_view value) -> Problem {
                const auto number = parse_number(value);
                if (!number || *number < low || *number > high) {
                    return fmt::format("must be a number from {} to {}", low, high);
                }
                store(config, *number);
                return {};
            },
            [=](const Config& config) { return fmt::to_string(show(config)); }};
}

template <class Place>
Setting number(std::string_view name,
               std::string_view fallback,
               std::string_view help,
               std::uint64_t low,
               std::uint64_t high,
               Place place) {
    return ranged(
        name,
        fallback,
        help,
        low,
        high,
        [place](Config& config, std::uint64_t value) {
            auto& target = place(config);
            target = static_cast<std::remove_reference_t<decltype(target)>>(value);
        },
        [place](const Config& config) { return place(config); });
}

template <class Unit, class Place>
Setting span(std::string_view name,
             std::string_view fallback,
             std::string_view help,
             std::uint64_t low,
             std::uint64_t high,
             Place place) {
    return ranged(
        name,
        fallback,
        help,
        low,
        high,
        [place](Config& config, std::uint64_t value) { place(config) = Unit(static_cast<std::int64_t>(value)); },
        [place](const Config& config) { return std::chrono::duration_cast<Unit>(place(config)).count(); });
}

template <class Place>
Setting seconds(std::string_view name,
                std::string_view fallback,
                std::string_view help,
                std::uint64_t low,
                std::uint64_t high,
                Place place) {
    return span<std::chrono::seconds>(name, fallback, help, low, high, place);
}

template <class Place>
Setting days(std::string_view name,
             std::string_view fallback,
             std::string_view help,
             std::uint64_t low,
             std::uint64_t high,
             Place place) {
    return span<std::chrono::days>(name, fallback, help, low, high, place);
}

template <class Place>
Setting flag(std::string_view name, std::string_view fallback, std::string_view help, Place place) {
    return {name,
            SettingKind::kFlag,
            fallback,
            help,
            false,
            [place](Config& config, std::string_view value) -> Problem {
                const bool yes = value == "true" || value == "1";
                if (!yes && value != "false" && value != "0") return "must be true or false";
                place(config) = yes;
                return {};
            },
            [place](const Config& config) { return std::string(place(config) ? "true" : "false"); }};
}

/// Texts with commas between them, without the spaces around each.
std::vector<std::string_view> split_list(std::string_view value) {
    std::vector<std::string_view> out;
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        std::string_view one = value.substr(0, comma);
        value.remove_prefix(std::min(comma + 1, value.size()));
        while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
        while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
        out.push_back(one);
    }
    return out;
}

template <class Place>
Setting addresses(std::string_view name, std::string_view help, Place place) {
    return {name,
            SettingKind::kList,
            "",
            help,
            false,
            [place](Config& config, std::string_view value) -> Problem {
                constexpr std::size_t kMaxAddresses = 32;
                std::vector<IpAddress> out;
                for (const std::string_view one : split_list(value)) {
                    const auto address = IpAddress::parse(one);
                    if (!address) return fmt::format("\"{}\" is not an IP address", one);
                    out.push_back(*address);
                }
                if (out.size() > kMaxAddresses) return fmt::format("at most {} addresses", kMaxAddresses);
                place(config) = std::move(out);
                return {};
            },
            [place](const Config& config) {
                std::string out;
                for (const IpAddress& address : place(config)) {
                    if (!out.empty()) out += ',';
                    out += address.to_string();
                }
                return out;
            }};
}

/// The setting gate.allow.
Setting allow_list(std::string_view name, std::string_view help) {
    return {name,
            SettingKind::kList,
            "",
            help,
            false,
            [](Config& config, std::string_view value) -> Problem {
                constexpr std::size_t kMaxEntries = 256;
                std::vector<std::string> out;
                for (const std::string_view one : split_list(value)) {
                    if (!gate::parse_allow_list({std::string(one)})) {
                        return fmt::format("\"{}\" is neither a network nor a host name", one);
                    }
                    out.emplace_back(one);
                }
                if (out.size() > kMaxEntries) return fmt::format("at most {} entries", kMaxEntries);
                config.gate_allow = std::move(out);
                return {};
            },
            [](const Config& config) { return fmt::format("{}", fmt::join(config.gate_allow, ",")); }};
}

#define PARLEY_PLACE(member) [](auto& config) -> auto& { return config.member; }

std::vector<Setting> make_settings() {
    std::vector<Setting> all;
    all.push_back(text("data_dir", "data",
        "Directory of account keys, signing key and apps. Made at the first start, readable by its owner only.",
        PARLEY_PLACE(data_dir)));
    all.push_back(flag("dev", "false",
        "Development: the demo token service is on (anybody gets tokens), and without a certificate a "
        "self-signed one is made, so that browsers of the local network may use their cameras.",
        PARLEY_PLACE(dev)));

    all.push_back(text("http.host", "::",
        "Address to listen on for pages, REST and signalling. \"::\" is every address, IPv4 too.",
        PARLEY_PLACE(http.host)));
    all.push_back(number("http.port", "8080", "Port for HTTP and WebSocket; 0 takes any free one.", 0, 65535,
        PARLEY_PLACE(http.port)));
    all.push_back(number("http.tls_port", "0",
        "Port for HTTPS and WSS. 0: the HTTP port takes both, told apart by the first byte.", 0, 65535,
        PARLEY_PLACE(http.tls_port)));
    all.push_back(text("http.web_root", "",
        "Folder of the pages. Empty: ../share/parley/web near the binary, or web/dist of the source tree.",
        PARLEY_PLACE(http.web_root)));
    Setting public_url = text("http.public_url", "",
        "Origin under which browsers reach this server, such as https://rtc.example.org. Empty: taken from "
        "each request's Host header.",
        PARLEY_PLACE(http.public_url));
    public_url.apply = [store = public_url.apply](Config& config, std::string_view value) -> Problem {
        const std::size_t scheme = value.find("://");
        const bool known = value.substr(0, scheme) == "https" || value.substr(0, scheme) == "http";
        const bool bare = scheme != std::string_view::npos && value.size() > scheme + 3 &&
                          value.find_first_of("/?# \"\\", scheme + 3) == std::string_view::npos;
        if (!value.empty() && (!known || !bare)) return "must be https://host or http://host, with nothing behind";
        return store(config, value);
    };
    all.push_back(std::move(public_url));
    all.push_back(flag("http.trust_proxy", "false",
        "Believe X-Forwarded-Proto, -Host and the last address of -For; only behind a proxy that sets them.",
        PARLEY_PLACE(http.trust_proxy)));
    all.push_back(number("http.max_connections", "10240", "Open TCP connections; further ones get 503.", 16,
        1'000'000, PARLEY_PLACE(http.max_connections)));
    all.push_back(seconds("http.idle_timeout_s", "60", "Closes a connection without requests after so long.", 1,
        3600, PARLEY_PLACE(http.idle_timeout)));

    all.push_back(seconds("rest.date_window_s", "900",
        "How far X-Qiniu-Date of a signed call may be off, either way.", 1, 86'400, PARLEY_PLACE(rest.date_window)));
    all.push_back(flag("rest.require_date", "false",
        "Refuse signed calls without X-Qiniu-Date; some of the published SDKs send none.",
        PARLEY_PLACE(rest.require_date)));
    all.push_back(flag("rest.require_nonce", "false",
        "Refuse calls of /x1/ without X-Qiniu-Nonce, so that each is taken once.",
        PARLEY_PLACE(rest.require_nonce)));

    all.push_back(text("tls.certificate", "", "PEM file with the certificate chain. Read again when it changes.",
        PARLEY_PLACE(tls.certificate)));
    all.push_back(text("tls.key", "", "PEM file with the certificate's private key.", PARLEY_PLACE(tls.key)));

    all.push_back(number("media.workers", "0", "Media threads, each with its own port. 0: one for each core.", 0,
        256, PARLEY_PLACE(media.workers)));
    all.push_back(number("media.port_base", "7700",
        "First UDP (and TCP) port of media; worker n has port_base + n. 0: any free ones.", 0, 65535,
        PARLEY_PLACE(media.port_base)));
    all.push_back(addresses("media.listen", "Addresses that media sockets are bound to. Empty: all.",
        PARLEY_PLACE(media.listen)));
    all.push_back(addresses("media.public_addresses",
        "Addresses announced to clients besides the local ones: those of a NAT or load balancer.",
        PARLEY_PLACE(media.public_addresses)));
    all.push_back(flag("media.announce_only_public", "false",
        "Announce media.public_addresses (or media.listen) alone, and no other local address.",
        PARLEY_PLACE(media.announce_only_public)));
    all.push_back(flag("media.tcp", "true", "Take media over TCP too, for networks that block UDP.",
        PARLEY_PLACE(media.tcp)));
    all.push_back(flag("media.loopback", "true", "Announce 127.0.0.1, for browsers on this machine.",
        PARLEY_PLACE(media.loopback)));
    all.push_back(flag("media.pin_cpus", "false", "Pin media worker n to CPU n.", PARLEY_PLACE(media.pin_cpus)));

    all.push_back(text("rtmp.host", "::", "Address to listen on for RTMP. \"::\" is every address, IPv4 too.",
        PARLEY_PLACE(rtmp.host)));
    all.push_back(number("rtmp.port", "1935",
        "Port for RTMP of mini programs and encoders; 0 takes any free one.", 0, 65535, PARLEY_PLACE(rtmp.port)));
    all.push_back(number("rtmp.tls_port", "1936",
        "Port for RTMPS, open when there is a certificate (tls.certificate, or with dev); 0 takes any free one.", 0, 65535,
        PARLEY_PLACE(rtmp.tls_port)));
    all.push_back(text("rtmp.public_host", "",
        "Host, or host:port, of the RTMP addresses that mini programs are given. Empty: the host they opened "
        "their WebSocket with, and rtmp.port.",
        PARLEY_PLACE(rtmp.public_host)));

    all.push_back(seconds("signalling.ping_interval_s", "3",
        "Time between pings. Clients reconnect after 9 s without one.", 1, 8,
        PARLEY_PLACE(signalling.ping_interval)));
    all.push_back(seconds("signalling.pong_timeout_s", "10",
        "Silence after which a client's socket counts as lost.", 2, 120, PARLEY_PLACE(signalling.pong_timeout)));
    all.push_back(seconds("signalling.auth_timeout_s", "10", "Closes a socket that has not authenticated by then.",
        1, 120, PARLEY_PLACE(signalling.auth_timeout)));
    all.push_back(seconds("signalling.grace_s", "30",
        "How long a member whose socket is lost keeps its place, tracks and peer connections.", 0, 3600,
        PARLEY_PLACE(signalling.grace)));
    all.push_back(seconds("signalling.mini_program_grace_s", "15",
        "The same for mini programs, whose RTMP goes on meanwhile.", 0, 3600,
        PARLEY_PLACE(signalling.mini_program_grace)));
    all.push_back(seconds("signalling.connect_timeout_s", "30", "Time for ICE and DTLS of a peer connection.", 5,
        120, PARLEY_PLACE(signalling.connect_timeout)));

    all.push_back(number("app.max_users", "20", "Members of a room, for apps that do not say.", 1, 2000,
        PARLEY_PLACE(app.max_users)));
    all.push_back(flag("app.no_auto_kick_user", "false",
        "A user who joins twice: false drops the first, true refuses the second (code 10022).",
        PARLEY_PLACE(app.no_auto_kick_user)));
    all.push_back(seconds("app.auto_close_ttl_s", "10", "How long an empty room lives.", 0, 86'400,
        PARLEY_PLACE(app.auto_close_ttl)));
    all.push_back(choice("app.video_codec", "h264", "Codec that rooms offer first.", {"h264", "vp8"},
        PARLEY_PLACE(app.video_codec)));

    all.push_back(number("limits.rooms", "10000", "Rooms at a time; joins to further ones are refused.", 1,
        1'000'000, PARLEY_PLACE(limits.rooms)));
    all.push_back(number("limits.sessions", "50000", "Signalling sockets; further ones are closed.", 1, 1'000'000,
        PARLEY_PLACE(limits.sessions)));
    all.push_back(number("limits.members_per_room", "2000", "Hard limit above every app's maxUsers.", 1, 100'000,
        PARLEY_PLACE(limits.members_per_room)));
    all.push_back(number("limits.messages_per_second", "20",
        "Custom messages that a user may send each second; more are dropped.", 1, 10'000,
        PARLEY_PLACE(limits.messages_per_second)));
    all.push_back(number("limits.requests_per_second", "200",
        "Other signalling messages of a connection each second; more close it.", 10, 10'000,
        PARLEY_PLACE(limits.requests_per_second)));

    all.push_back(secret("account.access_key",
        "AccessKey of the account. Empty: the one made at the first start.", PARLEY_PLACE(account.access_key)));
    all.push_back(secret("account.secret_key", "SecretKey of the account.", PARLEY_PLACE(account.secret_key)));
    all.push_back(text("webhook.url", "",
        "Where events of apps without an eventCbUrl of their own are sent. Empty: nowhere.",
        PARLEY_PLACE(webhook.url)));
    all.push_back(secret("webhook.secret", "Signs what is sent to webhook.url.", PARLEY_PLACE(webhook.secret)));
    all.push_back(seconds("webhook.timeout_s", "5", "Time for one delivery, from connecting to the answer.", 1, 60,
        PARLEY_PLACE(webhook.timeout)));
    all.push_back(number("webhook.max_waiting", "100000",
        "Deliveries of an app that may wait; further ones are dead letters at once.", 1, 10'000'000,
        PARLEY_PLACE(webhook.max_waiting)));
    all.push_back(allow_list("gate.allow",
        "Networks and hosts that this server may connect to although they are not public, such as "
        "[\"10.0.0.0/8\", \"hooks.internal\"]. Every address that somebody else names passes this gate."));
    all.push_back(days("events.retention_days", "30", "How long events and their deliveries are kept.", 1, 3650,
        PARLEY_PLACE(events_retention)));
    all.push_back(secret("store.url",
        "Database: postgresql://user:password@host/name, or the path of a SQLite file. Empty: parley.db in the "
        "data directory.",
        PARLEY_PLACE(store_url)));
    all.push_back(secret("metrics.token",
        "Bearer token that opens /metrics to other machines. Empty: loopback only.",
        PARLEY_PLACE(metrics_token)));

    Setting level = choice("log.level", "info", "What is logged: debug, info, warn, error or off.",
                           {"debug", "info", "warn", "error", "off"},
                           [](auto&) -> std::string& { static thread_local std::string unused; return unused; });
    level.apply = [check = level.apply](Config& config, std::string_view value) -> Problem {
        if (Problem problem = check(config, value)) return problem;
        for (const LogLevel candidate : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError,
                                         LogLevel::kOff}) {
            if (to_string(candidate) == value) config.log_level = candidate;
        }
        return {};
    };
    level.show = [](const Config& config) { return std::string(to_string(config.log_level)); };
    all.push_back(std::move(level));
    all.push_back(seconds("drain.deadline_s", "10",
        "After SIGTERM: time for clients to leave before the process ends.", 0, 3600,
        PARLEY_PLACE(drain_deadline)));
    return all;
}

#undef PARLEY_PLACE

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
    if (section == "store") return "Store";
    if (section == "metrics") return "Metrics";
    if (section == "log") return "Logging";
    if (section == "drain") return "Shutdown";
    return section;
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

std::string Setting::environment_name() const {
    std::string out = "PARLEY_";
    for (const char c : name) out += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

std::string Setting::flag_name() const {
    if (secret) return {};
    std::string out = "--";
    for (const char c : name) out += c == '.' || c == '_' ? '-' : c;
    return out;
}

const std::vector<Setting>& settings() {
    static const std::vector<Setting> all = make_settings();
    return all;
}

const Setting* find_setting(std::string_view name) {
    for (const Setting& setting : settings()) {
        if (setting.name == name) return &setting;
    }
    return nullptr;
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

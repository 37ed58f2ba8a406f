#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/time.h"

namespace parley::server {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

/// Everything that `parley serve` can be told. Made once at start, then immutable.
struct Config {
    std::string data_dir;
    bool dev = false;

    struct Http {
        std::string host;
        std::uint16_t port = 0;
        std::uint16_t tls_port = 0;  ///< 0: on the HTTP port, beside plain HTTP
        std::string web_root;    ///< empty: looked for next to the binary
        std::string public_url;  ///< origin for browsers; empty: from the request's Host header
        std::size_t max_connections = 0;
        Duration idle_timeout{};
        bool trust_proxy = false;
    } http;
    struct Tls {
        std::string certificate;
        std::string key;
    } tls;
    struct Media {
        std::uint32_t workers = 0;  ///< 0: one for each core
        std::uint16_t port_base = 0;
        std::vector<IpAddress> listen;
        std::vector<IpAddress> public_addresses;
        bool announce_only_public = false;
        bool tcp = true;
        bool loopback = true;
        bool pin_cpus = false;
    } media;
    struct Rtmp {
        std::string host;
        std::uint16_t port = 0;
        std::uint16_t tls_port = 0;  ///< only with a certificate
        std::string public_host;  ///< empty: the host that the client opened its WebSocket with
    } rtmp;
    struct Signalling {
        Duration ping_interval{};
        Duration pong_timeout{};
        Duration auth_timeout{};
        Duration grace{};
        Duration mini_program_grace{};
        Duration connect_timeout{};
    } signalling;
    struct AppDefaults {
        std::uint32_t max_users = 0;
        bool no_auto_kick_user = false;
        Duration auto_close_ttl{};
        std::string video_codec;
    } app;
    struct Limits {
        std::size_t rooms = 0;
        std::size_t sessions = 0;
        std::size_t members_per_room = 0;
        std::uint32_t messages_per_second = 0;
        std::uint32_t requests_per_second = 0;
    } limits;
    struct Rest {
        Duration date_window{};
        bool require_date = false;
        bool require_nonce = false;
        bool v2_rooms = false;
    } rest;
    struct Account {
        std::string access_key;  ///< both empty: those of the data directory
        std::string secret_key;
    } account;
    struct Webhook {
        std::string url;  ///< of apps without an eventCbUrl
        std::string secret;
        Duration timeout{};
        std::size_t max_waiting = 0;
    } webhook;
    std::vector<std::string> gate_allow;  ///< networks and hosts, checked
    Duration events_retention{};
    struct Quality {
        Duration retention{};
        std::uint32_t alarm_loss_percent = 0;  ///< 0: no alarm for it, as for the next
        std::uint32_t alarm_rtt_ms = 0;
    } quality;
    Duration usage_retention{};
    std::string store_url;  ///< empty: parley.db in the data directory
    std::string metrics_token;
    LogLevel log_level = LogLevel::kInfo;
    Duration drain_deadline{};
};

/// Where values come from; later ones win: defaults, file, environment, flags.
struct ConfigSources {
    /// Named by the user; then it must exist. Empty: ./parley.toml if that exists.
    std::string file;
    std::map<std::string, std::string> environment;  ///< PARLEY_... only
    std::map<std::string, std::string> flags;        ///< by setting name
};

struct LoadedConfig {
    Config config;
    std::string file;    ///< read; empty: none
    std::string error;   ///< one line with file, line and setting; empty: all is well
};
LoadedConfig load_config(const ConfigSources& sources);
/// The same for a file's text, for tests and editors.
LoadedConfig load_config_text(std::string_view toml, std::string_view file_name, const ConfigSources& sources);

/// PARLEY_... variables of this process.
std::map<std::string, std::string> read_environment();

std::string_view to_string(LogLevel level);

}  // namespace parley::server

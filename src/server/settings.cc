#include "server/settings.h"

#include <cctype>

#include "server/setting_kinds.h"

namespace parley::server {
namespace {

using namespace setting_kinds;

#define PARLEY_PLACE(member) ([](auto& config) -> auto& { return config.member; })

std::vector<Setting> make_settings() {
    return {
        text({"data_dir",
              "data",
              "Directory of account keys, signing key and apps. Made at the first start, readable "
              "by its owner only."},
             PARLEY_PLACE(data_dir)),
        flag({"dev",
              "false",
              "Development: the demo token service is on (anybody gets tokens), and without a "
              "certificate a self-signed one is made, so that browsers of the local network may "
              "use their cameras."},
             PARLEY_PLACE(dev)),

        text({"http.host",
              "::",
              "Address to listen on for pages, REST and signalling. \"::\" is every address, IPv4 "
              "too."},
             PARLEY_PLACE(http.host)),
        number({"http.port", "8080", "Port for HTTP and WebSocket; 0 takes any free one."},
               {0, 65535},
               PARLEY_PLACE(http.port)),
        number(
            {"http.tls_port",
             "0",
             "Port for HTTPS and WSS. 0: the HTTP port takes both, told apart by the first byte."},
            {0, 65535},
            PARLEY_PLACE(http.tls_port)),
        text({"http.web_root",
              "",
              "Folder of the pages. Empty: ../share/parley/web near the binary, or web/dist of the "
              "source tree."},
             PARLEY_PLACE(http.web_root)),
        origin({"http.public_url",
                "",
                "Origin under which browsers reach this server, such as https://rtc.example.org. "
                "Empty: taken from each request's Host header."},
               PARLEY_PLACE(http.public_url)),
        flag({"http.trust_proxy",
              "false",
              "Believe X-Forwarded-Proto, -Host and the last address of -For; only behind a proxy "
              "that sets them."},
             PARLEY_PLACE(http.trust_proxy)),
        number({"http.max_connections", "10240", "Open TCP connections; further ones get 503."},
               {16, 1'000'000},
               PARLEY_PLACE(http.max_connections)),
        seconds(
            {"http.idle_timeout_s", "60", "Closes a connection without requests after so long."},
            {1, 3600},
            PARLEY_PLACE(http.idle_timeout)),

        seconds({"rest.date_window_s",
                 "900",
                 "How far X-Qiniu-Date of a signed call may be off, either way."},
                {1, 86'400},
                PARLEY_PLACE(rest.date_window)),
        flag({"rest.require_date",
              "false",
              "Refuse signed calls without X-Qiniu-Date; some of the published SDKs send none."},
             PARLEY_PLACE(rest.require_date)),
        flag({"rest.require_nonce",
              "false",
              "Refuse calls of /x1/ without X-Qiniu-Nonce, so that each is taken once."},
             PARLEY_PLACE(rest.require_nonce)),
        flag({"rest.v2_rooms",
              "false",
              "Offer the room calls of before there were apps, /v1/rooms and /v2/rooms, and take "
              "their tokens."},
             PARLEY_PLACE(rest.v2_rooms)),

        text({"tls.certificate",
              "",
              "PEM file with the certificate chain. Read again when it changes."},
             PARLEY_PLACE(tls.certificate)),
        text({"tls.key", "", "PEM file with the certificate's private key."},
             PARLEY_PLACE(tls.key)),

        number(
            {"media.workers", "0", "Media threads, each with its own port. 0: one for each core."},
            {0, 256},
            PARLEY_PLACE(media.workers)),
        number({"media.port_base",
                "7700",
                "First UDP (and TCP) port of media; worker n has port_base + n. 0: any free ones."},
               {0, 65535},
               PARLEY_PLACE(media.port_base)),
        addresses({"media.listen", "", "Addresses that media sockets are bound to. Empty: all."},
                  PARLEY_PLACE(media.listen)),
        addresses({"media.public_addresses",
                   "",
                   "Addresses announced to clients besides the local ones: those of a NAT or load "
                   "balancer."},
                  PARLEY_PLACE(media.public_addresses)),
        flag({"media.announce_only_public",
              "false",
              "Announce media.public_addresses (or media.listen) alone, and no other local "
              "address."},
             PARLEY_PLACE(media.announce_only_public)),
        flag({"media.tcp", "true", "Take media over TCP too, for networks that block UDP."},
             PARLEY_PLACE(media.tcp)),
        flag({"media.loopback", "true", "Announce 127.0.0.1, for browsers on this machine."},
             PARLEY_PLACE(media.loopback)),
        flag({"media.pin_cpus", "false", "Pin media worker n to CPU n."},
             PARLEY_PLACE(media.pin_cpus)),

        text({"rtmp.host",
              "::",
              "Address to listen on for RTMP. \"::\" is every address, IPv4 too."},
             PARLEY_PLACE(rtmp.host)),
        number({"rtmp.port",
                "1935",
                "Port for RTMP of mini programs and encoders; 0 takes any free one."},
               {0, 65535},
               PARLEY_PLACE(rtmp.port)),
        number({"rtmp.tls_port",
                "1936",
                "Port for RTMPS, open when there is a certificate (tls.certificate, or with dev); "
                "0 takes any free one."},
               {0, 65535},
               PARLEY_PLACE(rtmp.tls_port)),
        text({"rtmp.public_host",
              "",
              "Host, or host:port, of the RTMP addresses that mini programs are given. Empty: the "
              "host they opened their WebSocket with, and rtmp.port."},
             PARLEY_PLACE(rtmp.public_host)),

        seconds({"signalling.ping_interval_s",
                 "3",
                 "Time between pings. Clients reconnect after 9 s without one."},
                {1, 8},
                PARLEY_PLACE(signalling.ping_interval)),
        seconds({"signalling.pong_timeout_s",
                 "10",
                 "Silence after which a client's socket counts as lost."},
                {2, 120},
                PARLEY_PLACE(signalling.pong_timeout)),
        seconds({"signalling.auth_timeout_s",
                 "10",
                 "Closes a socket that has not authenticated by then."},
                {1, 120},
                PARLEY_PLACE(signalling.auth_timeout)),
        seconds({"signalling.grace_s",
                 "30",
                 "How long a member whose socket is lost keeps its place, tracks and peer "
                 "connections."},
                {0, 3600},
                PARLEY_PLACE(signalling.grace)),
        seconds({"signalling.mini_program_grace_s",
                 "15",
                 "The same for mini programs, whose RTMP goes on meanwhile."},
                {0, 3600},
                PARLEY_PLACE(signalling.mini_program_grace)),
        seconds(
            {"signalling.connect_timeout_s", "30", "Time for ICE and DTLS of a peer connection."},
            {5, 120},
            PARLEY_PLACE(signalling.connect_timeout)),

        number({"app.max_users", "20", "Members of a room, for apps that do not say."},
               {1, 2000},
               PARLEY_PLACE(app.max_users)),
        flag({"app.no_auto_kick_user",
              "false",
              "A user who joins twice: false drops the first, true refuses the second (code "
              "10022)."},
             PARLEY_PLACE(app.no_auto_kick_user)),
        seconds({"app.auto_close_ttl_s", "10", "How long an empty room lives."},
                {0, 86'400},
                PARLEY_PLACE(app.auto_close_ttl)),
        choice({"app.video_codec", "h264", "Codec that rooms offer first."},
               {"h264", "vp8"},
               PARLEY_PLACE(app.video_codec)),

        number({"limits.rooms", "10000", "Rooms at a time; joins to further ones are refused."},
               {1, 1'000'000},
               PARLEY_PLACE(limits.rooms)),
        number({"limits.sessions", "50000", "Signalling sockets; further ones are closed."},
               {1, 1'000'000},
               PARLEY_PLACE(limits.sessions)),
        number({"limits.members_per_room", "2000", "Hard limit above every app's maxUsers."},
               {1, 100'000},
               PARLEY_PLACE(limits.members_per_room)),
        number({"limits.messages_per_second",
                "20",
                "Custom messages that a user may send each second; more are dropped."},
               {1, 10'000},
               PARLEY_PLACE(limits.messages_per_second)),
        number({"limits.requests_per_second",
                "200",
                "Other signalling messages of a connection each second; more close it."},
               {10, 10'000},
               PARLEY_PLACE(limits.requests_per_second)),

        secret({"account.access_key",
                "",
                "AccessKey of the account. Empty: the one made at the first start."},
               PARLEY_PLACE(account.access_key)),
        secret({"account.secret_key", "", "SecretKey of the account."},
               PARLEY_PLACE(account.secret_key)),
        text({"webhook.url",
              "",
              "Where events of apps without an eventCbUrl of their own are sent. Empty: nowhere."},
             PARLEY_PLACE(webhook.url)),
        secret({"webhook.secret", "", "Signs what is sent to webhook.url."},
               PARLEY_PLACE(webhook.secret)),
        seconds({"webhook.timeout_s", "5", "Time for one delivery, from connecting to the answer."},
                {1, 60},
                PARLEY_PLACE(webhook.timeout)),
        number({"webhook.max_waiting",
                "100000",
                "Deliveries of an app that may wait; further ones are dead letters at once."},
               {1, 10'000'000},
               PARLEY_PLACE(webhook.max_waiting)),
        allow_list({"gate.allow",
                    "",
                    "Networks and hosts that this server may connect to although they are not "
                    "public, such as [\"10.0.0.0/8\", \"hooks.internal\"]. Every address that "
                    "somebody else names passes this gate."},
                   PARLEY_PLACE(gate_allow)),
        days({"events.retention_days", "30", "How long events and their deliveries are kept."},
             {1, 3650},
             PARLEY_PLACE(events_retention)),
        days({"quality.retention_days",
              "7",
              "How long the quality of members is kept, a point every ten seconds."},
             {1, 3650},
             PARLEY_PLACE(quality.retention)),
        number({"quality.alarm_loss_percent",
                "15",
                "Loss, either way, from which on a member's quality is bad; twenty seconds of it raise "
                "quality_alarm. 0: never."},
               {0, 100},
               PARLEY_PLACE(quality.alarm_loss_percent)),
        number({"quality.alarm_rtt_ms", "400", "The same for the round trip. 0: never."},
               {0, 60'000},
               PARLEY_PLACE(quality.alarm_rtt_ms)),
        days({"usage.retention_days", "400", "How long usage is kept, by hours (UTC)."},
             {1, 3650},
             PARLEY_PLACE(usage_retention)),
        secret({"store.url",
                "",
                "Database: postgresql://user:password@host/name, or the path of a SQLite file. "
                "Empty: parley.db in the data directory."},
               PARLEY_PLACE(store_url)),
        secret({"metrics.token",
                "",
                "Bearer token that opens /metrics to other machines. Empty: loopback only."},
               PARLEY_PLACE(metrics_token)),

        level({"log.level", "info", "What is logged: debug, info, warn, error or off."},
              PARLEY_PLACE(log_level)),
        seconds({"drain.deadline_s",
                 "10",
                 "After SIGTERM: time for clients to leave before the process ends."},
                {0, 3600},
                PARLEY_PLACE(drain_deadline)),
    };
}

#undef PARLEY_PLACE

}  // namespace

std::string Setting::environment_name() const {
    std::string out = "PARLEY_";
    for (const char c : name)
        out += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
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

}  // namespace parley::server

#include "cli/commands.h"

#include <fmt/format.h>

#include <cstdio>

#include "auth/room_token.h"
#include "io/clock.h"
#include "io/files.h"
#include "io/kernel_random.h"
#include "io/sockaddr.h"
#include "server/app_store.h"
#include "server/config_text.h"
#include "server/control.h"
#include "server/log.h"

namespace parley::cli {
namespace {

bool is_loopback(const IpAddress& ip) {
    return ip.is_v4() ? ip.v4_host_order() >> 24 == 127 : ip.to_string() == "::1";
}

/// What a person needs who has just started it; the log says the rest.
void greet(const server::Config& config, const server::Control& control) {
    constexpr std::string_view kRule =
        "------------------------------------------------------------------------";
    constexpr std::string_view kAddress = "    {:<34}  {}\n";
    fmt::print("{}\n  Parley {} is running. Open:\n\n", kRule, server::kVersion);
    if (!config.http.public_url.empty())
        fmt::print(kAddress, config.http.public_url + "/", "for everybody");
    fmt::print(
        kAddress, fmt::format("http://localhost:{}/", control.http_port()), "on this machine");
    if (control.tls_port() != 0) {
        for (const IpAddress& ip : io::local_addresses()) {
            // Link-local and other IPv6 addresses are no help to people who type them.
            if (is_loopback(ip) || !ip.is_v4()) continue;
            fmt::print(kAddress,
                       fmt::format("https://{}:{}/", ip.to_string(), control.tls_port()),
                       "in your network");
        }
        if (config.tls.certificate.empty()) {
            fmt::print("\n  https has a self-signed certificate: browsers ask once.\n");
        }
    }
    if (config.dev) fmt::print("\n  Development: anybody who reaches this server gets tokens.\n");
    if (control.store().is_new()) {
        // Whatever is not a person's screen is kept: a journal, a container's log, a file.
        const bool screen = io::is_terminal(stdout);
        fmt::print(
            "\n  Account made now, kept in {}/account.json{}:\n"
            "    AccessKey  {}\n    SecretKey  {}\n    App        demo\n",
            config.data_dir,
            screen ? " and shown only this once" : "",
            control.store().account().access_key,
            screen ? control.store().account().secret_key : "(in that file)");
    }
    fmt::print("\n  Ctrl-C stops it.\n{}\n", kRule);
    std::fflush(stdout);
}

}  // namespace

int complain(std::string_view text, int exit_code) {
    fmt::print(stderr, "parley: {}\n", text);
    return exit_code;
}

int serve(const server::ConfigSources& sources) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return complain(loaded.error, kExitUsage);
    server::set_log_level(loaded.config.log_level);
    io::KernelSecretSource secrets;
    auto store = server::AppStore::open(loaded.config, secrets, io::read_wall_clock());
    if (!store) return complain(store.error());
    auto control = server::Control::start(loaded.config, std::move(*store));
    if (!control) return complain(control.error());
    greet(loaded.config, **control);
    (*control)->run();
    return kExitOk;
}

int check_config(const server::ConfigSources& sources) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return complain(loaded.error);
    fmt::print("{}: ok\n", loaded.file.empty() ? "defaults (no parley.toml here)" : loaded.file);
    return kExitOk;
}

int show_config(const server::ConfigSources& sources) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return complain(loaded.error, kExitUsage);
    fmt::print("{}", server::write_effective_config(loaded.config));
    return kExitOk;
}

int make_token(const server::ConfigSources& sources, const TokenRequest& request) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return complain(loaded.error, kExitUsage);
    if (!auth::is_room_name(request.room)) {
        return complain("--room: 1 to 64 letters, digits, '_' and '-'", kExitUsage);
    }
    if (!auth::is_user_id(request.user)) {
        return complain("--user: 1 to 50 letters, digits, '_' and '-'", kExitUsage);
    }
    const auto store = server::AppStore::read(loaded.config);
    if (!store)
        return complain(store.error() + "; start `parley serve` once, or name its data directory");
    if (!store->app_ids().empty() && store->find_app(request.app) == nullptr) {
        return complain(fmt::format("--app: there is no app \"{}\"", request.app));
    }
    auth::RoomClaims claims;
    claims.app_id = request.app;
    claims.room_name = request.room;
    claims.user_id = request.user;
    claims.permission = request.admin ? auth::Permission::kAdmin : auth::Permission::kUser;
    claims.expire_at = io::read_wall_clock() + std::chrono::seconds(request.expires_s);
    fmt::print("{}\n", auth::mint_room_token(store->account(), claims));
    return kExitOk;
}

}  // namespace parley::cli

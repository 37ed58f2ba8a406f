#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>
#include <exception>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "server/config.h"
#include "server/control.h"
#ifdef PARLEY_HAVE_BENCH
#include "loadgen/bench_command.h"
#endif

namespace {

using parley::server::ConfigSources;
using parley::server::Setting;
using parley::server::SettingKind;

/// Flags of one subcommand that end up in `sources`.
class ConfigFlags {
public:
    ConfigFlags(CLI::App& command, bool all) {
        command.add_option("-c,--config", sources_.file, "Settings file (default: parley.toml here, if it exists)")
            ->type_name("FILE");
        for (const Setting& setting : parley::server::settings()) {
            if (setting.secret || (!all && setting.name != "data_dir")) continue;
            add(command, setting);
        }
    }

    ConfigSources take() {
        sources_.environment = parley::server::read_environment();
        for (const Given& given : given_) {
            if (given.option->count() > 0) sources_.flags[std::string(given.setting->name)] = given.value;
        }
        return std::move(sources_);
    }

private:
    struct Given {
        const Setting* setting;
        std::string value;
        CLI::Option* option = nullptr;
    };

    void add(CLI::App& command, const Setting& setting) {
        Given& given = given_.emplace_back(Given{&setting, "", nullptr});
        std::string help(setting.help);
        help += " [" + setting.environment_name() + "]";
        if (setting.kind == SettingKind::kFlag) {
            given.option = command.add_flag(setting.flag_name(), given.value, help);
            if (setting.fallback == "true") given.option->description(help + " (default: true; =false to turn off)");
            return;
        }
        given.option = command.add_option(setting.flag_name(), given.value, help);
        given.option->type_name(setting.kind == SettingKind::kNumber ? "NUMBER" : "TEXT");
        if (!setting.fallback.empty()) given.option->default_str(std::string(setting.fallback));
    }

    ConfigSources sources_;
    std::deque<Given> given_;  // options keep pointers to the values
};

int run(int argc, char** argv) {
    CLI::App app("Parley: a self-hosted cloud for real-time audio and video", "parley");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string(parley::server::kVersion));

    CLI::App* serve = app.add_subcommand("serve", "Run the server");
    ConfigFlags serve_flags(*serve, true);

    CLI::App* config = app.add_subcommand("config", "Look at settings");
    config->require_subcommand(1);
    CLI::App* check = config->add_subcommand("check", "Say whether settings are right, and where not");
    ConfigFlags check_flags(*check, true);
    CLI::App* show = config->add_subcommand("show", "Print the settings in effect, secrets left out");
    ConfigFlags show_flags(*show, true);
    CLI::App* example = config->add_subcommand("example", "Print a parley.toml with every setting");
    CLI::App* reference = config->add_subcommand("reference", "Print the table of settings as Markdown");

    CLI::App* token = app.add_subcommand("token", "Make a room token");
    ConfigFlags token_flags(*token, false);
    parley::cli::TokenRequest request;
    token->add_option("--app", request.app, "App")->capture_default_str();
    token->add_option("--room", request.room, "Room")->required();
    token->add_option("--user", request.user, "User id")->required();
    token->add_flag("--admin", request.admin, "The user may kick others");
    token->add_option("--expires", request.expires_s, "Seconds until joins are refused")
        ->check(CLI::Range(1, 10 * 365 * 86'400))
        ->capture_default_str();

    CLI::App* version = app.add_subcommand("version", "Print the version");
    CLI::App* help = app.add_subcommand("help", "Print this help");
#ifdef PARLEY_HAVE_BENCH
    // Reads its own arguments: they reach it in `main`.
    app.add_subcommand("bench", "Load a server with real WebRTC clients and measure it");
#endif

    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "parley: %s (see parley --help)\n", error.what());
        return parley::cli::kExitUsage;
    }
    if (serve->parsed()) return parley::cli::serve(serve_flags.take());
    if (check->parsed()) return parley::cli::check_config(check_flags.take());
    if (show->parsed()) return parley::cli::show_config(show_flags.take());
    if (token->parsed()) return parley::cli::make_token(token_flags.take(), request);
    if (example->parsed()) std::fputs(parley::server::write_example_file().c_str(), stdout);
    if (reference->parsed()) std::fputs(parley::server::write_settings_reference().c_str(), stdout);
    if (version->parsed()) std::printf("parley %s\n", std::string(parley::server::kVersion).c_str());
    if (help->parsed()) std::fputs(app.help().c_str(), stdout);
    return parley::cli::kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
    try {
#ifdef PARLEY_HAVE_BENCH
        if (argc > 1 && std::string_view(argv[1]) == "bench") return parley::loadgen::run_bench(argc - 1, argv + 1);
#endif
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "parley: %s\n", error.what());
        return parley::cli::kExitFailure;
    }
}

#include "cli/command_line.h"

#include <cstdio>
#include <string>

#include "cli/account_commands.h"
#include "cli/api_commands.h"
#include "cli/commands.h"
#include "cli/config_flags.h"
#include "cli/help_source.h"
#include "cli/store_commands.h"
#include "cli/usage_error.h"
#include "server/config_text.h"
#include "server/control.h"

namespace parley::cli {
namespace {

using Chosen = std::function<int()>;

/// The options are kept by the callback, which lives as long as the command.
template <class Run>
void add_with_config(
    CLI::App& parent, Chosen& chosen, const char* name, const char* help, bool all, Run run) {
    CLI::App* command = parent.add_subcommand(name, help);
    auto flags = std::make_shared<ConfigFlags>(*command, all);
    command->callback(
        [&chosen, flags, run] { chosen = [flags, run] { return run(flags->take()); }; });
}

template <class Write>
void add_printer(
    CLI::App& parent, Chosen& chosen, const char* name, const char* help, Write write) {
    parent.add_subcommand(name, help)->callback([&chosen, write] {
        chosen = [write] {
            std::fputs(write().c_str(), stdout);
            return kExitOk;
        };
    });
}

void add_config(CLI::App& app, Chosen& chosen) {
    CLI::App* config = app.add_subcommand("config", "Look at settings");
    config->require_subcommand(1);
    add_with_config(*config,
                    chosen,
                    "check",
                    "Say whether settings are right, and where not",
                    true,
                    check_config);
    add_with_config(*config,
                    chosen,
                    "show",
                    "Print the settings in effect, secrets left out",
                    true,
                    show_config);
    add_printer(*config,
                chosen,
                "example",
                "Print a parley.toml with every setting",
                server::write_example_file);
    add_printer(*config,
                chosen,
                "reference",
                "Print the table of settings as Markdown",
                server::write_settings_reference);
}

void add_token(CLI::App& app, Chosen& chosen) {
    CLI::App* token = app.add_subcommand("token", "Make a room token");
    auto flags = std::make_shared<ConfigFlags>(*token, false);
    auto request = std::make_shared<TokenRequest>();
    token->add_option("--app", request->app, "App")->capture_default_str();
    token->add_option("--room", request->room, "Room")->required();
    token->add_option("--user", request->user, "User id")->required();
    token->add_flag("--admin", request->admin, "The user may kick others");
    token->add_option("--expires", request->expires_s, "Seconds until joins are refused")
        ->check(CLI::Range(1, 10 * 365 * 86'400))
        ->capture_default_str();
    token->callback([&chosen, flags, request] {
        chosen = [flags, request] { return make_token(flags->take(), *request); };
    });
}

void add_store(CLI::App& app, Chosen& chosen) {
    CLI::App* store =
        app.add_subcommand("store", "Look after the database, also beside a running server");
    store->require_subcommand(1);
    const auto add =
        [&](const char* name, const char* help, const char* file_help, bool required, auto run) {
            CLI::App* command = store->add_subcommand(name, help);
            auto flags = std::make_shared<ConfigFlags>(*command, false);
            auto file = std::make_shared<std::string>();
            command->add_option("FILE", *file, file_help)->required(required);
            command->callback([&chosen, flags, file, run] {
                chosen = [flags, file, run] { return run(flags->take(), *file); };
            });
        };
    add("check",
        "Say whether the database is whole",
        "A backup to check in place of the store",
        false,
        check_store_files);
    add("backup",
        "Copy the database as it is now, and check the copy",
        "The new file",
        true,
        backup_store);
}

}  // namespace

CommandLine::CommandLine()
    : app_("Parley: a self-hosted cloud for real-time audio and video", "parley") {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "parley " + std::string(server::kVersion));
    add_with_config(app_, chosen_, "serve", "Run the server", true, serve);
    add_config(app_, chosen_);
    add_token(app_, chosen_);
    add_api_commands(app_, chosen_);
    add_account_commands(app_, chosen_);
    add_store(app_, chosen_);
    add_printer(app_, chosen_, "version", "Print the version", [] {
        return "parley " + std::string(server::kVersion) + "\n";
    });
    CLI::App* completion =
        app_.add_subcommand("completion", "Print what a shell completes commands with");
    completion->require_subcommand(1);
    add_printer(*completion, chosen_, "bash", "For bash: source <(parley completion bash)", [this] {
        return write_bash_completion(app_);
    });
    add_printer(*completion, chosen_, "zsh", "For zsh: source <(parley completion zsh)", [this] {
        return write_zsh_completion(app_);
    });
    add_printer(
        app_, chosen_, "manual", "Print the manual page", [this] { return write_manual(app_); });
    add_printer(app_, chosen_, "help", "Print this help", [this] { return app_.help(); });
#ifdef PARLEY_HAVE_BENCH
    // Reads its own arguments: they reach it in `main`.
    app_.add_subcommand("bench", "Load a server with real WebRTC clients and measure it");
#endif
}

CommandLine::~CommandLine() = default;

int CommandLine::run(int argc, const char* const* argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word(argv[i]);
        // Said before anything repeats the word.
        if (word.starts_with("--secret-key") || word.starts_with("--access-key")) {
            return complain(
                "keys are not taken from the argument list, which other users can read: set "
                "PARLEY_ACCESS_KEY and PARLEY_SECRET_KEY, or name a file with --credentials",
                kExitUsage);
        }
    }
    try {
        app_.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app_.exit(success);
    } catch (const CLI::ParseError& error) {
        return complain(explain(app_, error), kExitUsage);
    }
    return chosen_ ? chosen_() : kExitOk;
}

}  // namespace parley::cli

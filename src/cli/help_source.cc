#include "cli/help_source.h"

#include <fmt/format.h>

#include <functional>
#include <set>
#include <vector>

#include "cli/config_flags.h"

namespace parley::cli {
namespace {

using Commands = std::vector<const CLI::App*>;

Commands commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}
std::vector<const CLI::Option*> options_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option*) { return true; });
}

/// Calls `visit` for each command, its words behind "parley" first: "", "room", "room list".
void walk(const CLI::App& app,
          const std::string& words,
          const std::function<void(const CLI::App&, const std::string&)>& visit) {
    visit(app, words);
    for (const CLI::App* command : commands_of(app)) {
        walk(*command,
             words.empty() ? command->get_name() : words + " " + command->get_name(),
             visit);
    }
}

struct Word {
    std::string text;
    std::string help;
};

/// What may follow: commands and options.
std::vector<Word> words_after(const CLI::App& app) {
    std::vector<Word> out;
    for (const CLI::App* command : commands_of(app))
        out.push_back({command->get_name(), command->get_description()});
    for (const CLI::Option* option : options_of(app)) {
        for (const std::string& name : option->get_lnames())
            out.push_back({"--" + name, option->get_description()});
    }
    return out;
}

std::string single_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

/// The words up to the cursor that are commands, in shell: both shells have arrays and this case.
std::string known_commands(const CLI::App& app) {
    std::string patterns;
    walk(app, "", [&](const CLI::App&, const std::string& words) {
        if (!words.empty()) patterns += (patterns.empty() ? "" : "|") + single_quoted(words);
    });
    return patterns;
}

// ---- The manual page

/// A line of text: no escapes and no requests of troff in it.
std::string troff(std::string_view text) {
    std::string out;
    if (text.starts_with('.') || text.starts_with('\'')) out = "\\&";
    for (const char c : text) {
        switch (c) {
            case '\\':
                out += "\\e";
                break;
            case '-':
                out += "\\-";
                break;
            case '\n':
                out += ' ';
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string option_title(const CLI::Option& option) {
    std::string title;
    for (const std::string& name : option.get_snames())
        title += (title.empty() ? "-" : ", -") + name;
    for (const std::string& name : option.get_lnames())
        title += (title.empty() ? "--" : ", --") + name;
    if (title.empty()) return option.get_name(true);
    if (option.get_items_expected_max() > 0 && !option.get_type_name().empty())
        title += " " + option.get_type_name();
    return title;
}

/// Of these groups only; not --help, which is everywhere.
std::string manual_options(const CLI::App& app, const std::set<std::string>& groups) {
    std::string out;
    for (const CLI::Option* option : options_of(app)) {
        if (option == app.get_help_ptr() || !groups.contains(option->get_group())) continue;
        out += fmt::format(
            ".TP\n.B {}\n{}", troff(option_title(*option)), troff(option->get_description()));
        if (!option->get_envname().empty()) out += fmt::format(" [{}]", option->get_envname());
        if (!option->get_default_str().empty())
            out += fmt::format(" (default: {})", troff(option->get_default_str()));
        out += "\n";
    }
    return out;
}

std::string synopsis(const CLI::App& app, const std::string& words) {
    std::string out = "parley " + words;
    for (const CLI::Option* option : options_of(app)) {
        if (!option->get_positional()) {
            if (option->get_required()) out += " " + option_title(*option);
            continue;
        }
        const std::string name = option->get_name(true);
        out += option->get_required() ? " " + name : " [" + name + "]";
    }
    return out + " [OPTIONS]";
}

constexpr std::string_view kManualEnd = R"(.SH ENVIRONMENT
.TP
.B PARLEY_SERVER, PARLEY_APP, PARLEY_CA_FILE
What \-\-server, \-\-app and \-\-ca\-file say, for commands that ask a server.
.TP
.B PARLEY_ACCESS_KEY, PARLEY_SECRET_KEY, PARLEY_CREDENTIALS
The account's key, or a file with it. Without them it is the one of the settings or of the data directory on this machine. Keys are never taken from the argument list.
.TP
.B PARLEY_...
Every setting of the server; see the options of parley serve.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It failed, or what was checked is not right.
.TP
.B 2
The command line, a setting or a field is wrong.
.TP
.B 3
The server was not reached.
.TP
.B 4
The server does not take the key, or not now.
.TP
.B 5
The app, room, user, job or call does not exist.
.SH FILES
.TP
.B parley.toml
Settings, in the working directory or named by \-\-config or PARLEY_CONFIG.
.TP
.B account.json, signing.key, parley.db
In the data directory: the first account's key, the server's own key, and everything else.
)";

}  // namespace

std::string write_bash_completion(const CLI::App& app) {
    std::string out =
        "# bash completion of parley; in use by: source <(parley completion bash)\n"
        "_parley() {\n"
        "    local path='' word i next cur=${COMP_WORDS[COMP_CWORD]}\n"
        "    COMPREPLY=()\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        word=${COMP_WORDS[i]}\n"
        "        next=${path:+$path }$word\n"
        "        case $next in\n"
        "            " +
        known_commands(app) +
        ") path=$next ;;\n"
        "        esac\n"
        "    done\n"
        "    local words=''\n"
        "    case $path in\n";
    walk(app, "", [&](const CLI::App& command, const std::string& words) {
        std::string all;
        for (const Word& word : words_after(command)) all += (all.empty() ? "" : " ") + word.text;
        out += fmt::format("        {}) words={} ;;\n", single_quoted(words), single_quoted(all));
    });
    out +=
        "    esac\n"
        "    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
        "        --config|-c|--credentials|--ca-file|--data-dir) words='' ;;\n"
        "    esac\n"
        "    [[ -n $words ]] && COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
        "    ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
        "}\n"
        "complete -o filenames -F _parley parley\n";
    return out;
}

std::string write_zsh_completion(const CLI::App& app) {
    // Not `path`, as in the other: in zsh that is PATH.
    std::string out =
        "#compdef parley\n"
        "# zsh completion of parley; in use by: source <(parley completion zsh), after compinit\n"
        "_parley() {\n"
        "    local said='' next i\n"
        "    local -a candidates\n"
        "    for ((i = 2; i < CURRENT; i++)); do\n"
        "        next=${said:+$said }${words[i]}\n"
        "        case $next in\n"
        "            (" +
        known_commands(app) +
        ") said=$next ;;\n"
        "        esac\n"
        "    done\n"
        "    case $said in\n";
    walk(app, "", [&](const CLI::App& command, const std::string& words) {
        out += fmt::format("        ({}) candidates=(\n", single_quoted(words));
        for (const Word& word : words_after(command)) {
            out += "            " + single_quoted(word.text + ":" + word.help) + "\n";
        }
        out += "        ) ;;\n";
    });
    out +=
        "    esac\n"
        "    case ${words[CURRENT-1]} in\n"
        "        (--config|-c|--credentials|--ca-file|--data-dir) _files; return ;;\n"
        "    esac\n"
        "    _describe parley candidates || _files\n"
        "}\n"
        "if [[ $funcstack[1] == _parley ]]; then _parley \"$@\"; else compdef _parley parley; fi\n";
    return out;
}

std::string write_manual(const CLI::App& app) {
    std::string out =
        ".\\\" Written by `parley manual`; scripts/check_reference.py checks that it is up to "
        "date.\n"
        ".TH PARLEY 1\n.SH NAME\nparley \\- a self\\-hosted cloud for real\\-time audio and video\n"
        ".SH SYNOPSIS\n.B parley\nCOMMAND [OPTIONS]\n.SH COMMANDS\n";
    walk(app, "", [&](const CLI::App& command, const std::string& words) {
        if (words.empty() || !commands_of(command).empty()) return;
        out += fmt::format(
            ".SS {}\n{}.\n", troff(synopsis(command, words)), troff(command.get_description()));
        // Settings and what says which server are many, and told once.
        const bool has_settings = command.get_option_no_throw("--http-port") != nullptr;
        const bool refers = has_settings && words != "serve";
        out += manual_options(command,
                              refers ? std::set<std::string>{"Options"}
                                     : std::set<std::string>{"Options", kSettingsGroup});
        if (refers) out += ".PP\nAnd every setting, as for parley serve.\n";
    });
    out += ".SH OPTIONS OF COMMANDS THAT ASK A SERVER\n";
    out += manual_options(*app.get_subcommand("app")->get_subcommand("show"), {kServerGroup});
    return out + std::string(kManualEnd);
}

}  // namespace parley::cli

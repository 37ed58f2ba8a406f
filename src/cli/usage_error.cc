#include "cli/usage_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace parley::cli {
namespace {

using Words = std::vector<std::string>;

/// The innermost command that was named; its words behind "parley" go to `path`.
const CLI::App* innermost(const CLI::App* app, std::string& path) {
    path += app->get_name();
    for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = app->get_subcommands()) {
        app = chosen.front();
        path += ' ' + app->get_name();
    }
    return app;
}

Words commands_of(const CLI::App& app) {
    Words out;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        out.push_back(command->get_name());
    }
    return out;
}

Words options_of(const CLI::App& app) {
    Words out;
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
        for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
    }
    return out;
}

/// Letters to put in, leave out or change to make one word of the other.
std::size_t distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

/// "; did you mean ...?", where one word is near enough to be a slip of the same.
std::string guess(std::string_view word, const Words& known) {
    constexpr std::size_t kLongest = 64;  // no word of ours is longer
    if (word.size() > kLongest) return {};
    std::size_t best = std::max<std::size_t>(2, word.size() / 4 + 1);
    std::string_view nearest;
    for (const std::string& candidate : known) {
        const std::size_t apart = distance(word, candidate);
        if (apart >= best) continue;
        best = apart;
        nearest = candidate;
    }
    return nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest);
}

}  // namespace

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
    std::string path;
    const CLI::App& command = *innermost(&app, path);
    const Words rest = app.remaining(true);
    const auto is_option = [](const std::string& word) {
        return word.size() > 1 && word[0] == '-';
    };
    const auto unknown = std::find_if(rest.begin(), rest.end(), is_option);
    const Words commands = commands_of(command);
    const std::string choice = fmt::format(", one of {}", fmt::join(commands, ", "));
    std::string text = error.what();
    if (unknown != rest.end()) {
        const std::string name = unknown->substr(0, unknown->find('='));
        const std::string meant = guess(name, options_of(command));
        // What stands before a command is mostly an option of that command.
        text = commands.empty() || !meant.empty()
                   ? fmt::format("no option \"{}\"{}", name, meant)
                   : fmt::format("a command is missing before \"{}\"{}", name, choice);
    } else if (!commands.empty()) {
        text =
            rest.empty()
                ? "a command is missing" + choice
                : fmt::format("no command \"{}\"{}", rest.front(), guess(rest.front(), commands));
    } else if (!rest.empty()) {
        text = fmt::format("\"{}\" is one word too many", rest.front());
    }
    return fmt::format("{} (see {} --help)", text, path);
}

}  // namespace parley::cli

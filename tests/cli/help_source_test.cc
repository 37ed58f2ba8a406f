#include "cli/help_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "cli/command_line.h"
#include "run_command.h"

namespace parley::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// What bash offers for these words; the last is the one under the cursor.
std::vector<std::string> complete_in_bash(const std::vector<std::string>& words) {
    const server::TemporaryFolder folder;
    folder.write("completion", write_bash_completion(CommandLine().app()));
    std::string script = ". ./completion; COMP_WORDS=(";
    for (const std::string& word : words) script += " '" + word + "'";
    script += "); COMP_CWORD=" + std::to_string(words.size() - 1) +
              "; _parley; printf '%s\\n' \"${COMPREPLY[@]}\"";
    folder.write("script", script);
    std::FILE* pipe =
        ::popen(("cd " + folder.path() + " && bash --norc ./script 2>&1").c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::vector<std::string> out;
    std::array<char, 1024> line;
    while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
        out.emplace_back(line.data());
        out.back().pop_back();
    }
    EXPECT_EQ(::pclose(pipe), 0);
    return out;
}

TEST(BashCompletion, FollowsTheCommands) {
    EXPECT_THAT(complete_in_bash({"parley", "ro"}), ElementsAre("room"));
    EXPECT_THAT(complete_in_bash({"parley", "room", "m"}), ElementsAre("mute", "message"));
    EXPECT_THAT(complete_in_bash({"parley", "account", "key", ""}), Contains("disable"));
    EXPECT_THAT(complete_in_bash({"parley", "room", "list", "--pre"}), ElementsAre("--prefix"));
    EXPECT_THAT(complete_in_bash({"parley", "room", "--app", "x", "list", "--js"}),
                ElementsAre("--json"))
        << "options may stand between";
    EXPECT_THAT(complete_in_bash({"parley", "serve", "--http-po"}), ElementsAre("--http-port"));
    EXPECT_THAT(complete_in_bash({"parley", "store", "check", "--config", "scr"}),
                ElementsAre("script"))
        << "files";
}

TEST(Completion, ZshKnowsTheSame) {
    const std::string script = write_zsh_completion(CommandLine().app());
    EXPECT_THAT(script, HasSubstr("'mute:Mute everybody'"));
    EXPECT_THAT(script, HasSubstr("('account key') candidates=("));
    EXPECT_THAT(script, Not(HasSubstr("path="))) << "that is PATH in zsh";
}

TEST(Manual, HasEveryCommandAndNoRequestByAccident) {
    const std::string manual = run_command({"manual"}).out;
    for (const char* text : {".SS parley room close ROOM [OPTIONS]",
                             ".SS parley store backup FILE [OPTIONS]",
                             ".B \\-\\-http\\-port NUMBER",
                             ".B \\-\\-room TEXT",
                             "PARLEY_SECRET_KEY",
                             ".SH EXIT STATUS"}) {
        EXPECT_THAT(manual, HasSubstr(text));
    }
    std::string_view rest(manual);
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.empty() || (line[0] != '.' && line[0] != '\'')) continue;
        const std::string_view request = line.substr(0, 3);
        EXPECT_THAT(
            (std::vector<std::string_view>{".\\\"", ".TH", ".SH", ".SS", ".B ", ".TP", ".PP"}),
            Contains(request))
            << line;
    }
}

}  // namespace
}  // namespace parley::cli

#include "cli/usage_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"
#include "run_command.h"

namespace parley::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Case {
    std::vector<std::string> arguments;
    const char* said;
};

TEST(UsageError, NamesTheWordTheNearestOneAndTheHelp) {
    const Case cases[] = {
        {{"serv"}, "no command \"serv\"; did you mean \"serve\"? (see parley --help)"},
        {{"room", "lst"}, "no command \"lst\"; did you mean \"list\"? (see parley room --help)"},
        {{"room", "xyzzy"}, "no command \"xyzzy\" (see parley room --help)"},
        {{"room"}, "a command is missing, one of list, show,"},
        {{}, "a command is missing, one of serve,"},
        {{"serve", "--http-prt", "1"}, "no option \"--http-prt\"; did you mean \"--http-port\"?"},
        {{"serve", "--htpp-port=8080"}, "no option \"--htpp-port\"; did you mean \"--http-port\"?"},
        {{"room", "list", "--al"},
         "no option \"--al\"; did you mean \"--all\"? (see parley room list --help)"},
        {{"--hlp"}, "no option \"--hlp\"; did you mean \"--help\"? (see parley --help)"},
        {{"store", "--data-dir", "x"},
         "a command is missing before \"--data-dir\", one of check, backup"},
        {{"version", "now"}, "\"now\" is one word too many (see parley version --help)"},
        {{"token", "--room", "r"}, "--user is required (see parley token --help)"},
    };
    for (const Case& one : cases) {
        const CommandOutput output = run_command(one.arguments);
        EXPECT_EQ(output.exit_code, kExitUsage) << one.said;
        EXPECT_THAT(output.err, HasSubstr(one.said));
        EXPECT_EQ(output.out, "");
    }
}

TEST(UsageError, GuessesNothingFarFetched) {
    const std::string endless(10'000, 'x');
    for (const std::string& word : {std::string("--zzzzzz"), "--" + endless, endless}) {
        EXPECT_THAT(run_command({"serve", word}).err, Not(HasSubstr("did you mean")))
            << word.size();
    }
}

TEST(UsageError, WrongSettingsAreOfTheSameKind) {
    const CommandOutput output = run_command({"serve", "--http-port", "99999"});
    EXPECT_EQ(output.exit_code, kExitUsage);
    EXPECT_THAT(output.err, AllOf(HasSubstr("--http-port"), HasSubstr("65535")));
    // What a check finds is a finding, not a mistake of whoever asked for it.
    EXPECT_EQ(run_command({"config", "check", "--http-port", "99999"}).exit_code, kExitFailure);
}

}  // namespace
}  // namespace parley::cli

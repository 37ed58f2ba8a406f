#include "cli/store_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "io/clock.h"
#include "run_command.h"
#include "server/app_store.h"

namespace parley::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct StoreCommands : ::testing::Test {
    void SetUp() override {
        server::ConfigSources sources;
        sources.flags["data_dir"] = data;
        config = server::load_config_text("", "", sources).config;
        auto opened = server::AppStore::open(config, secrets, io::read_wall_clock());
        ASSERT_TRUE(opened.has_value()) << opened.error();
        store.emplace(*std::move(opened));
    }
    CommandOutput run(std::vector<std::string> arguments) const {
        arguments.insert(arguments.end(), {"--data-dir", data});
        return run_command(arguments);
    }
    server::TemporaryFolder folder;
    std::string data = folder.file("data");
    SeededSecretSource secrets{7};
    server::Config config;
    std::optional<server::AppStore> store;  // stands for the server that runs meanwhile
};

TEST_F(StoreCommands, ChecksAndCopiesBesideARunningServer) {
    const CommandOutput checked = run({"store", "check"});
    EXPECT_EQ(checked.exit_code, kExitOk) << checked.err;
    EXPECT_EQ(checked.out, data + "/parley.db: ok\n");
    const std::string copy = folder.file("copy.db");
    const CommandOutput copied = run({"store", "backup", copy});
    EXPECT_EQ(copied.exit_code, kExitOk) << copied.err;
    EXPECT_THAT(copied.out, HasSubstr("bytes, checked"));
    EXPECT_EQ(run({"store", "check", copy}).out, copy + ": ok\n");

    // What is restored is what was there.
    store.reset();
    config.store_url = copy;
    const auto restored = server::AppStore::open(config, secrets, io::read_wall_clock());
    ASSERT_TRUE(restored.has_value()) << restored.error();
    EXPECT_EQ(restored->app_ids(), std::vector<std::string>{"demo"});
}

TEST_F(StoreCommands, ErrorsAreOneLineAndMakeNothing) {
    const std::string taken = folder.file("taken");
    folder.write("taken", "mine");
    folder.write("noise.db", std::string(8192, 'x'));
    struct Case {
        std::vector<std::string> arguments;
        int exit_code;
        const char* says;
    };
    for (const Case& c :
         {Case{{"store", "backup", taken}, kExitFailure, "exists already"},
          Case{{"store", "backup"}, kExitUsage, "FILE"},
          Case{{"store"}, kExitUsage, "one of check, backup"},
          Case{{"store", "check", folder.file("noise.db")}, kExitFailure, "not a database"},
          Case{{"store", "check", folder.file("none.db")}, kExitFailure, "does not exist"}}) {
        const CommandOutput output = run(c.arguments);
        EXPECT_EQ(output.exit_code, c.exit_code) << c.says;
        EXPECT_THAT(output.err, HasSubstr(c.says));
        EXPECT_THAT(output.out, IsEmpty());
        EXPECT_EQ(std::count(output.err.begin(), output.err.end(), '\n'), 1) << output.err;
    }
    EXPECT_EQ(folder.read("taken"), "mine");
    EXPECT_FALSE(std::filesystem::exists(folder.file("none.db")));
}

}  // namespace
}  // namespace parley::cli

#include "cli/account_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json/parse.hpp>

#include "cli/commands.h"
#include "io/clock.h"
#include "run_command.h"
#include "server/app_store.h"

namespace parley::cli {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct AccountCommands : ::testing::Test {
    void SetUp() override {
        server::ConfigSources sources;
        sources.flags["data_dir"] = data;
        config = server::load_config_text("", "", sources).config;
        auto opened = server::AppStore::open(config, secrets, io::read_wall_clock());
        ASSERT_TRUE(opened.has_value()) << opened.error();
        store.emplace(*std::move(opened));
    }
    CommandOutput run(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "account");
        arguments.insert(arguments.end(), {"--data-dir", data});
        return run_command(arguments);
    }
    json::object answer(std::vector<std::string> arguments) const {
        arguments.emplace_back("--json");
        const CommandOutput output = run(std::move(arguments));
        EXPECT_EQ(output.exit_code, kExitOk) << output.err;
        return json::parse(output.out).as_object();
    }
    /// As a server that starts now sees it.
    std::optional<std::string> secret_of(const std::string& access_key) const {
        return server::AppStore::read(config)->secret_key(access_key);
    }
    server::TemporaryFolder folder;
    std::string data = folder.file("data");
    SeededSecretSource secrets{7};
    server::Config config;
    std::optional<server::AppStore> store;  // stands for the server that runs meanwhile
};

TEST_F(AccountCommands, AddShowsTheSecretOnceAndListNever) {
    const CommandOutput added = run({"add", "Shop \"x\""});
    ASSERT_EQ(added.exit_code, kExitOk) << added.err;
    EXPECT_THAT(added.out, HasSubstr("Account    2\n"));
    const json::object second = answer({"add", "second"});
    EXPECT_EQ(second.at("account"), 3);
    const std::string access(second.at("accessKey").as_string());
    const std::string secret(second.at("secretKey").as_string());
    EXPECT_EQ(secret.size(), 40U);
    EXPECT_EQ(secret_of(access), secret);
    EXPECT_EQ(server::AppStore::read(config)->account_of(access), 3);

    const CommandOutput listed = run({"list"});
    EXPECT_THAT(listed.out, HasSubstr("Shop \"x\""));
    EXPECT_THAT(listed.out, HasSubstr("first account"));
    EXPECT_THAT(listed.out + run({"list", "--json"}).out, Not(HasSubstr(secret)));
    EXPECT_EQ(answer({"list"}).at("accounts").as_array().size(), 3U);
}

TEST_F(AccountCommands, AKeyIntoAFileOfItsOwner) {
    const std::string file = folder.file("shop.json");
    const json::object added = answer({"add", "shop", "--file", file});
    EXPECT_FALSE(added.contains("secretKey"));
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    const json::object kept = json::parse(folder.read("shop.json")).as_object();
    EXPECT_EQ(kept.at("accessKey"), added.at("accessKey"));
    EXPECT_EQ(secret_of(std::string(kept.at("accessKey").as_string())),
              kept.at("secretKey").as_string());
    const CommandOutput again = run({"add", "other", "--file", file});
    EXPECT_EQ(again.exit_code, kExitFailure);
    EXPECT_THAT(again.err, HasSubstr("exists already"));
    EXPECT_EQ(answer({"list"}).at("accounts").as_array().size(), 2U) << "nothing was made";
}

TEST_F(AccountCommands, DisableEnableAndAFurtherKey) {
    const std::string old(answer({"add", "shop"}).at("accessKey").as_string());
    const std::string fresh(answer({"new-key", "2"}).at("accessKey").as_string());
    EXPECT_TRUE(secret_of(old) && secret_of(fresh)) << "exchanged without a gap";
    EXPECT_EQ(run({"disable", "2"}).exit_code, kExitOk);
    EXPECT_FALSE(secret_of(old) || secret_of(fresh));
    EXPECT_EQ(run({"enable", "2"}).exit_code, kExitOk);
    EXPECT_TRUE(secret_of(old) && secret_of(fresh));
    for (int i = 0; i < 14; ++i) ASSERT_EQ(run({"new-key", "2"}).exit_code, kExitOk);
    EXPECT_THAT(run({"new-key", "2"}).err, HasSubstr("16 keys"));
    EXPECT_EQ(answer({"new-key", "1"}).at("account"), 1) << "when the first one's file is lost";
}

TEST_F(AccountCommands, ErrorsAreOneLine) {
    for (const auto& [arguments, text] :
         {std::pair{std::vector<std::string>{"disable", "1"}, "first account"},
          {{"disable", "9"}, "no account 9"},
          {{"new-key", "9"}, "no account 9"},
          {{"add", ""}, "NAME"},
          {{"add", std::string(101, 'n')}, "NAME"},
          {{"list", "--data-dir", "/nothing"}, "data-dir"}}) {
        const CommandOutput output = run(arguments);
        EXPECT_NE(output.exit_code, kExitOk) << text;
        EXPECT_THAT(output.err, HasSubstr(text));
        EXPECT_EQ(std::count(output.err.begin(), output.err.end(), '\n'), 1) << output.err;
        EXPECT_THAT(output.out, IsEmpty());
    }
    EXPECT_EQ(run({"disable", "x"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace parley::cli

#include "server/app_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "temporary_folder.h"

namespace parley::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Config config_in(const std::string& folder) {
    ConfigSources sources;
    sources.flags["data_dir"] = folder;
    return load_config_text("", "", sources).config;
}

mode_t mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
}

struct AppStoreTest : ::testing::Test {
    TemporaryFolder folder;
    std::string data = folder.file("data/deep");
    SeededSecretSource secrets{7};
};

TEST_F(AppStoreTest, FirstStartMakesAccountAppAndKeyForTheOwnerOnly) {
    const auto store = AppStore::open(config_in(data), secrets);
    ASSERT_TRUE(store.has_value()) << store.error();
    EXPECT_TRUE(store->is_new());
    EXPECT_THAT(store->app_ids(), ElementsAre("demo"));
    EXPECT_EQ(store->signing_key().size(), 32U);
    EXPECT_TRUE(store->owns_app(store->account().access_key, "demo"));
    EXPECT_FALSE(store->owns_app("other", "demo"));
    EXPECT_EQ(store->secret_key(store->account().access_key), store->account().secret_key);
    EXPECT_EQ(store->secret_key("other"), std::nullopt);
    EXPECT_EQ(mode_of(data), 0700U);
    for (const char* file : {"/account.json", "/apps.json", "/signing.key"}) {
        EXPECT_EQ(mode_of(data + file), 0600U) << file;
    }
}

TEST_F(AppStoreTest, SecondStartFindsTheSame) {
    auth::AccountKey account;
    std::string key;
    {
        const auto store = AppStore::open(config_in(data), secrets);
        account = store->account();
        key = store->signing_key();
    }
    const auto again = AppStore::open(config_in(data), secrets);
    ASSERT_TRUE(again.has_value());
    EXPECT_FALSE(again->is_new());
    EXPECT_EQ(again->account().access_key, account.access_key);
    EXPECT_EQ(again->account().secret_key, account.secret_key);
    EXPECT_EQ(again->signing_key(), key);
}

TEST_F(AppStoreTest, OneServerForOneDirectory) {
    const auto first = AppStore::open(config_in(data), secrets);
    ASSERT_TRUE(first.has_value());
    const auto second = AppStore::open(config_in(data), secrets);
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error(), HasSubstr("another parley server"));
    EXPECT_TRUE(AppStore::read(config_in(data)).has_value()) << "commands read beside a server";
}

TEST_F(AppStoreTest, ConfiguredKeysReplaceTheOnesOfTheDirectory) {
    Config config = config_in(data);
    config.account = {"AK", "SK"};
    const auto store = AppStore::open(config, secrets);
    ASSERT_TRUE(store.has_value());
    EXPECT_FALSE(store->is_new()) << "nothing to show";
    EXPECT_EQ(store->secret_key("AK"), "SK");
}

TEST_F(AppStoreTest, DamagedFilesAreNamedAndLeftAlone) {
    struct Case {
        const char* file;
        std::string content;
    };
    for (const Case& c : {Case{"account.json", "{"},
                          Case{"account.json", R"({"accessKey":"a"})"},
                          Case{"apps.json", "[]"},
                          Case{"apps.json", R"({"apps":1})"},
                          Case{"signing.key", "abc"}}) {
        const TemporaryFolder other;
        other.write(c.file, c.content);
        const auto store = AppStore::open(config_in(other.path()), secrets);
        ASSERT_FALSE(store.has_value()) << c.file << ' ' << c.content;
        EXPECT_THAT(store.error(), HasSubstr(c.file));
        EXPECT_THAT(store.error(), Not(HasSubstr("\n")));
        EXPECT_EQ(other.read(c.file), c.content);
    }
}

TEST_F(AppStoreTest, UnusableDirectoryIsNamed) {
    folder.write("file", "");
    const auto store = AppStore::open(config_in(folder.file("file/below")), secrets);
    ASSERT_FALSE(store.has_value());
    EXPECT_THAT(store.error(), HasSubstr("data directory"));
    EXPECT_FALSE(AppStore::read(config_in(folder.file("nothing"))).has_value());
}

TEST_F(AppStoreTest, AppSettingsFollowTheFileThenTheConfiguration) {
    folder.write(
        "data/deep/apps.json",
        R"({"apps":[{"appId":"a","title":"A","maxUsers":3,"noAutoKickUser":true,"autoCloseTtl":7,
                     "videoCodec":"VP8"},{"appId":"b","maxUsers":0},{"title":"no id"},17]})");
    const auto store = AppStore::open(config_in(data), secrets);
    ASSERT_TRUE(store.has_value()) << store.error();
    EXPECT_THAT(store->app_ids(), ElementsAre("a", "b"));
    EXPECT_EQ(store->find("a")->max_users, 3U);
    EXPECT_TRUE(store->find("a")->no_auto_kick_user);
    EXPECT_EQ(store->find("a")->auto_close_ttl, 7s);
    EXPECT_EQ(store->find("a")->video_codec, sfu::Codec::kVp8);
    EXPECT_EQ(store->title("a"), "A");
    EXPECT_EQ(store->find("b")->max_users, 20U);
    EXPECT_EQ(store->find("c"), std::nullopt);
    EXPECT_EQ(store->title("c"), "");
}

}  // namespace
}  // namespace parley::server

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

const WallTime kNow = WallTime(std::chrono::seconds(1'700'000'000));

struct AppStoreTest : ::testing::Test {
    TemporaryFolder folder;
    std::string data = folder.file("data/deep");
    SeededSecretSource secrets{7};
};

TEST_F(AppStoreTest, FirstStartMakesAccountAppAndKeyForTheOwnerOnly) {
    const auto store = AppStore::open(config_in(data), secrets, kNow);
    ASSERT_TRUE(store.has_value()) << store.error();
    EXPECT_TRUE(store->is_new());
    EXPECT_THAT(store->app_ids(), ElementsAre("demo"));
    EXPECT_EQ(store->signing_key().size(), 32U);
    EXPECT_TRUE(store->owns_app(store->account().access_key, "demo"));
    EXPECT_FALSE(store->owns_app("other", "demo"));
    EXPECT_EQ(store->secret_key(store->account().access_key), store->account().secret_key);
    EXPECT_EQ(store->secret_key("other"), std::nullopt);
    EXPECT_EQ(mode_of(data), 0700U);
    for (const char* file : {"/account.json", "/parley.db", "/signing.key"}) {
        EXPECT_EQ(mode_of(data + file), 0600U) << file;
    }
}

TEST_F(AppStoreTest, SecondStartFindsTheSame) {
    auth::AccountKey account;
    std::string key;
    {
        const auto store = AppStore::open(config_in(data), secrets, kNow);
        account = store->account();
        key = store->signing_key();
    }
    const auto again = AppStore::open(config_in(data), secrets, kNow);
    ASSERT_TRUE(again.has_value());
    EXPECT_FALSE(again->is_new());
    EXPECT_EQ(again->account().access_key, account.access_key);
    EXPECT_EQ(again->account().secret_key, account.secret_key);
    EXPECT_EQ(again->signing_key(), key);
}

TEST_F(AppStoreTest, OneServerForOneDirectory) {
    const auto first = AppStore::open(config_in(data), secrets, kNow);
    ASSERT_TRUE(first.has_value());
    const auto second = AppStore::open(config_in(data), secrets, kNow);
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error(), HasSubstr("another parley server"));
    EXPECT_TRUE(AppStore::read(config_in(data)).has_value()) << "commands read beside a server";
}

TEST_F(AppStoreTest, ConfiguredKeysReplaceTheOnesOfTheDirectory) {
    Config config = config_in(data);
    config.account = {"AK", "SK"};
    const auto store = AppStore::open(config, secrets, kNow);
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
                          Case{"parley.db", std::string(8192, 'x')},
                          Case{"signing.key", "abc"}}) {
        const TemporaryFolder other;
        other.write(c.file, c.content);
        const auto store = AppStore::open(config_in(other.path()), secrets, kNow);
        ASSERT_FALSE(store.has_value()) << c.file << ' ' << c.content;
        EXPECT_THAT(store.error(), HasSubstr(c.file));
        EXPECT_THAT(store.error(), Not(HasSubstr("\n")));
        EXPECT_EQ(other.read(c.file), c.content);
    }
}

TEST_F(AppStoreTest, UnusableDirectoryIsNamed) {
    folder.write("file", "");
    const auto store = AppStore::open(config_in(folder.file("file/below")), secrets, kNow);
    ASSERT_FALSE(store.has_value());
    EXPECT_THAT(store.error(), HasSubstr("data directory"));
    EXPECT_FALSE(AppStore::read(config_in(folder.file("nothing"))).has_value());
}

TEST_F(AppStoreTest, ChangesAreThereAfterARestart) {
    rest::AppRecord app;
    app.app_id = "live";
    app.uid = AppStore::kFirstAccount;
    app.title = "名 \"x\"";
    app.max_users = 3;
    app.video_codec = "VP8";
    app.event_secret = "planted";
    app.created_at = app.updated_at = kNow;
    rest::JobRecord job;
    job.room = {"live", "r"};
    job.id = "j";
    job.state = rest::JobState::kFailed;
    {
        auto store = AppStore::open(config_in(data), secrets, kNow);
        store->store()->start(
            [](store::Store::Ticket, const std::string& problem) { EXPECT_EQ(problem, ""); });
        ASSERT_TRUE(store->put_app(app));
        ASSERT_TRUE(store->put_job(job));
        ASSERT_TRUE(store->erase_app("demo"));
        EXPECT_EQ(store->find("demo"), std::nullopt);
        EXPECT_EQ(store->find("live")->max_users, 3U);
    }
    const auto again = AppStore::open(config_in(data), secrets, kNow);
    EXPECT_THAT(again->app_ids(), ElementsAre("live"));
    EXPECT_EQ(*again->find_app("live"), app);
    EXPECT_EQ(again->find("live")->video_codec, sfu::Codec::kVp8);
    ASSERT_NE(again->find_job({"live", "r"}, "j"), nullptr);
    EXPECT_EQ(again->find_job({"live", "r"}, "j")->state, rest::JobState::kFailed);
    EXPECT_EQ(again->find_job({"live", "r"}, "k"), nullptr);
}

TEST_F(AppStoreTest, AnAccountMayHaveSeveralKeys) {
    AppStore::open(config_in(data), secrets, kNow).value();
    {
        const auto opened = store::Store::open(data + "/parley.db");
        ASSERT_TRUE(opened.has_value());
        ASSERT_TRUE(
            (*opened)->write_now(store::put_key({"AK-new", "SK-new", AppStore::kFirstAccount})));
        ASSERT_TRUE((*opened)->write_now(store::put_key({"AK-else", "SK-else", 2})));
    }
    const auto store = AppStore::open(config_in(data), secrets, kNow);
    EXPECT_EQ(store->secret_key("AK-new"), "SK-new");
    EXPECT_TRUE(store->owns_app("AK-new", "demo"));
    EXPECT_TRUE(store->owns_app(store->account().access_key, "demo")) << "the old one as well";
    EXPECT_EQ(store->account_of("AK-else"), 2);
    EXPECT_FALSE(store->owns_app("AK-else", "demo"));
    EXPECT_EQ(store->key_of(2)->secret_key, "SK-else");
    EXPECT_FALSE(store->key_of(3).has_value());
}

TEST_F(AppStoreTest, ARoomRemembersABoundedNumberOfJobs) {
    auto store = AppStore::open(config_in(data), secrets, kNow);
    store->store()->start([](store::Store::Ticket, const std::string&) {});
    for (std::size_t i = 0; i < AppStore::kMaxJobsPerRoom + 10; ++i) {
        rest::JobRecord job;
        job.room = {"demo", "r"};
        job.id = "job" + std::to_string(i);
        job.state = i == 0 ? rest::JobState::kRunning : rest::JobState::kStopped;
        job.updated_at = kNow + std::chrono::seconds(i);
        ASSERT_TRUE(store->put_job(job));
    }
    EXPECT_EQ(store->jobs_of({"demo", "r"}).size(), AppStore::kMaxJobsPerRoom);
    EXPECT_NE(store->find_job({"demo", "r"}, "job0"), nullptr) << "running";
    EXPECT_EQ(store->find_job({"demo", "r"}, "job1"), nullptr) << "the oldest that has ended";
    store->store()->stop();
    EXPECT_EQ(AppStore::read(config_in(data))->jobs_of({"demo", "r"}).size(),
              AppStore::kMaxJobsPerRoom);
}

TEST_F(AppStoreTest, ARoomHasABoundedNumberOfBans) {
    auto store = AppStore::open(config_in(data), secrets, kNow);
    store->store()->start([](store::Store::Ticket, const std::string&) {});
    const room::RoomKey room{"demo", "r"};
    const auto ban = [&](const std::string& user, std::optional<WallTime> until = {}) {
        return store->put_ban(kNow, room, {user, "", kNow, until});
    };
    for (std::size_t i = 0; i + 1 < rest::RoomControl::kMaxBansPerRoom; ++i) {
        ASSERT_TRUE(ban("user" + std::to_string(i)));
    }
    ASSERT_TRUE(ban("short", kNow + 60s));
    const auto refused = ban("one-more");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::kTooLarge);
    EXPECT_FALSE(store->is_banned(room, "one-more", kNow));
    EXPECT_TRUE(ban("user7")) << "who is banned can be banned again";
    EXPECT_TRUE(store->put_ban(kNow, {"demo", "other"}, {"one-more", "", kNow, {}}));
    // One that is over makes place.
    EXPECT_TRUE(store->put_ban(kNow + 60s, room, {"one-more", "", kNow, {}}));
    EXPECT_TRUE(store->is_banned(room, "one-more", kNow + 60s));
    store->store()->stop();
    EXPECT_EQ(AppStore::read(config_in(data))->bans(room, kNow, "", 20'000).size(),
              rest::RoomControl::kMaxBansPerRoom);
}

}  // namespace
}  // namespace parley::server

#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/config_text.h"
#include "server/settings.h"
#include "temporary_folder.h"

namespace parley::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

LoadedConfig load(std::string_view toml, const ConfigSources& sources = {}) {
    return load_config_text(toml, "parley.toml", sources);
}

TEST(Config, DefaultsAreWhole) {
    const LoadedConfig loaded = load_config_text("", "", {});
    ASSERT_EQ(loaded.error, "");
    EXPECT_EQ(loaded.config.http.port, 8080);
    EXPECT_EQ(loaded.config.media.port_base, 7700);
    EXPECT_EQ(loaded.config.signalling.ping_interval, 3s);
    EXPECT_GE(loaded.config.app.max_users, 12U) << "the product promises rooms of 12";
    EXPECT_FALSE(loaded.config.dev);
}

TEST(Config, LaterSourcesWin) {
    ConfigSources sources;
    const std::string file =
        "[http]\nport = 1001\nidle_timeout_s = 11\n[media]\nport_base = 1001\n";
    EXPECT_EQ(load(file).config.http.port, 1001);
    sources.environment["PARLEY_HTTP_PORT"] = "1002";
    sources.environment["PARLEY_MEDIA_PORT_BASE"] = "1002";
    EXPECT_EQ(load(file, sources).config.http.port, 1002);
    sources.flags["http.port"] = "1003";
    const Config config = load(file, sources).config;
    EXPECT_EQ(config.http.port, 1003);
    EXPECT_EQ(config.media.port_base, 1002);
    EXPECT_EQ(config.http.idle_timeout, 11s);
}

TEST(Config, ComplaintsNameTheLineAndTheSetting) {
    struct Case {
        std::string_view toml;
        std::vector<std::string> says;
    };
    const Case cases[] = {
        {"[http]\n\nport = 70000\n", {"parley.toml:3", "http.port", "0 to 65535"}},
        {"[http]\nport = \"8080\"\n", {"parley.toml:2", "http.port", "whole number"}},
        {"[http]\nprot = 8080\n", {"parley.toml:2", "http.prot", "unknown"}},
        {"[htpt]\nport = 8080\n", {"parley.toml:1", "htpt", "unknown"}},
        {"http = 1\n", {"parley.toml:1", "http", "unknown"}},
        {"[http\n", {"parley.toml:1"}},
        {"[media]\nlisten = [\"10.0.0.300\"]\n", {"parley.toml:2", "media.listen", "10.0.0.300"}},
        {"[media]\nlisten = [1]\n", {"media.listen", "list of texts"}},
        {"[app]\nvideo_codec = \"h265\"\n", {"parley.toml:2", "app.video_codec"}},
        {"dev = 1\n", {"parley.toml:1", "dev", "true or false"}},
        {"[log]\nlevel = \"loud\"\n", {"log.level"}},
        {"[tls]\ncertificate = \"a.pem\"\n", {"tls.key"}},
        {"[http]\nport = 443\ntls_port = 443\n", {"http.tls_port"}},
        {"[rtmp]\nport = 1936\n", {"rtmp.tls_port"}},
        {"[account]\naccess_key = \"x\"\n", {"account.secret_key"}},
        {"[signalling]\nping_interval_s = 8\npong_timeout_s = 8\n", {"signalling.pong_timeout_s"}},
        {"[media]\nport_base = 65535\nworkers = 2\n", {"media.port_base"}},
        {"[http]\npublic_url = \"rtc.example.org\"\n", {"parley.toml:2", "http.public_url"}},
        {"[http]\npublic_url = \"https://rtc.example.org/x\"\n", {"http.public_url"}},
    };
    for (const Case& c : cases) {
        const std::string error = load(c.toml).error;
        EXPECT_NE(error, "") << c.toml;
        for (const std::string& part : c.says) EXPECT_THAT(error, HasSubstr(part)) << c.toml;
    }
}

TEST(Config, ComplaintsNameEnvironmentAndFlags) {
    ConfigSources sources;
    sources.environment["PARLEY_HTTP_PORT"] = "x";
    EXPECT_THAT(load("", sources).error, HasSubstr("PARLEY_HTTP_PORT"));
    sources.environment.clear();
    sources.flags["http.port"] = "x";
    EXPECT_THAT(load("", sources).error, HasSubstr("--http-port"));
}

TEST(Config, ListsTakeTextsAndOneTextWithCommas) {
    const Config list =
        load("[media]\npublic_addresses = [\"203.0.113.7\", \"2001:db8::1\"]\n").config;
    const Config text = load("[media]\npublic_addresses = \"203.0.113.7, 2001:db8::1\"\n").config;
    ASSERT_EQ(list.media.public_addresses.size(), 2U);
    EXPECT_EQ(list.media.public_addresses, text.media.public_addresses);
    EXPECT_EQ(list.media.public_addresses[1].to_string(), "2001:db8::1");
}

TEST(Config, SecretsAreNeverShownAndNeverFlags) {
    const LoadedConfig loaded = load(
        "[account]\naccess_key = \"ak-planted\"\nsecret_key = \"sk-planted\"\n[metrics]\ntoken = "
        "\"mt-planted\"\n");
    ASSERT_EQ(loaded.error, "");
    const std::string shown = write_effective_config(loaded.config);
    EXPECT_THAT(shown, Not(HasSubstr("planted")));
    EXPECT_THAT(shown, HasSubstr("secret_key = \"***\""));
    for (const Setting& setting : settings()) {
        if (setting.secret) {
            EXPECT_EQ(setting.flag_name(), "") << setting.name;
        }
    }
}

TEST(Config, EffectiveConfigReadsBackTheSame) {
    const Config config =
        load("[http]\nport = 99\n[media]\nlisten = [\"127.0.0.1\"]\n[app]\nvideo_codec = \"vp8\"\n")
            .config;
    const std::string shown = write_effective_config(config);
    const LoadedConfig again = load(shown);
    ASSERT_EQ(again.error, "");
    EXPECT_EQ(write_effective_config(again.config), shown);
}

TEST(Config, NamesAreUniqueAndDocumented) {
    std::set<std::string> names;
    const std::string reference = write_settings_reference();
    for (const Setting& setting : settings()) {
        EXPECT_TRUE(names.insert(std::string(setting.name)).second) << setting.name;
        EXPECT_THAT(setting.environment_name(), StartsWith("PARLEY_"));
        EXPECT_THAT(std::string(setting.help), Not(::testing::IsEmpty()));
        EXPECT_THAT(reference, HasSubstr("`" + std::string(setting.name) + "`"));
        EXPECT_EQ(find_setting(setting.name), &setting);
    }
    EXPECT_EQ(find_setting("no.such"), nullptr);
}

TEST(Config, ExampleFileIsValidWithEveryLineSwitchedOn) {
    std::string example = write_example_file();
    EXPECT_EQ(load(example).error, "");
    std::string on;
    for (std::size_t at = 0; at < example.size();) {
        const std::size_t end = example.find('\n', at);
        std::string line = example.substr(at, end - at);
        if (line.starts_with('#') && !line.starts_with("# ")) line.erase(0, 1);
        on += line + "\n";
        at = end + 1;
    }
    EXPECT_EQ(load(on).error, "");
}

TEST(Config, FilesThatCannotBeRead) {
    const TemporaryFolder folder;
    ConfigSources sources;
    for (const std::string& file : {folder.file("missing.toml"), folder.path()}) {
        sources.file = file;
        EXPECT_THAT(load_config(sources).error, HasSubstr(file));
    }
    folder.write("big.toml", std::string((1 << 20) + 1, '#'));
    sources.file = folder.file("big.toml");
    EXPECT_THAT(load_config(sources).error, HasSubstr("1 MiB"));
    folder.write("good.toml", "[http]\nport = 5\n");
    sources.file = folder.file("good.toml");
    EXPECT_EQ(load_config(sources).config.http.port, 5);
}

}  // namespace
}  // namespace parley::server

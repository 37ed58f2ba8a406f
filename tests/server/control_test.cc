// The whole server in this process: a real call through real sockets, while the thread sanitizer
// looks on.
#include "server/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/bench_command.h"
#include "running_server.h"

namespace parley::server {
namespace {

using ::testing::HasSubstr;

/// Brings a population to the server; 0 when every client got in and heard what it subscribed to.
int bring_clients(const RunningServer& server, std::vector<std::string> words) {
    std::vector<std::string> all{"bench",
                                 "--url",
                                 server.url(),
                                 "--access-key",
                                 server.account().access_key,
                                 "--secret-key",
                                 server.account().secret_key,
                                 "--quiet",
                                 "--settle",
                                 "0.2",
                                 "--duration",
                                 "0.5"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    return loadgen::run_bench(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Control, CarriesCallsAndDrains) {
    RunningServer server;
    EXPECT_EQ(bring_clients(server, {"--rooms", "3", "--publishers", "1", "--subscribers", "2"}),
              0);
    EXPECT_EQ(
        bring_clients(server, {"--protocol", "whip", "--publishers", "1", "--subscribers", "2"}),
        0);
    server.stop();
}

TEST(Control, RefusesStrangers) {
    RunningServer server;
    std::vector<std::string> words{"bench",
                                   "--url",
                                   server.url(),
                                   "--access-key",
                                   "nobody",
                                   "--secret-key",
                                   "nothing",
                                   "--quiet",
                                   "--publishers",
                                   "1",
                                   "--subscribers",
                                   "0",
                                   "--duration",
                                   "0.1"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    EXPECT_EQ(loadgen::run_bench(static_cast<int>(arguments.size()), arguments.data()), 1);
}

TEST(Control, TakenPortsAreNamed) {
    const TemporaryFolder folder;
    io::KernelSecretSource secrets;
    const RunningServer running;
    const std::string port = running.url().substr(running.url().rfind(':') + 1);
    ConfigSources sources;
    sources.flags["data_dir"] = folder.file("data");
    sources.flags["http.host"] = "127.0.0.1";
    sources.flags["http.port"] = port;
    const Config config = load_config_text("", "", sources).config;
    auto store = AppStore::open(config, secrets, io::read_wall_clock());
    ASSERT_TRUE(store.has_value());
    const auto second = Control::start(config, std::move(*store));
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error(), HasSubstr(port));
    EXPECT_THAT(second.error(), HasSubstr("http.port"));
}

}  // namespace
}  // namespace parley::server

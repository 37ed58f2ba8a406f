// The whole server in this process: a real call through real sockets, while the thread sanitizer
// looks on.
#include "server/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "io/clock.h"
#include "io/fd.h"
#include "io/kernel_random.h"
#include "io/sockaddr.h"
#include "loadgen/bench_command.h"
#include "server/log.h"
#include "temporary_folder.h"

namespace parley::server {
namespace {

using ::testing::HasSubstr;

/// Blocks until the server has answered a request: the kernel keeps it until somebody reads.
void wait_for_answer(std::uint16_t port) {
    const io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const io::KernelAddress to = io::to_kernel({IpAddress::v4(0x7f000001), port});
    ASSERT_EQ(::connect(socket.get(), to.get(), to.length), 0);
    const std::string_view request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ASSERT_EQ(::send(socket.get(), request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    char first = 0;
    ASSERT_EQ(::recv(socket.get(), &first, 1, 0), 1);
}

class RunningServer {
public:
    explicit RunningServer(const std::string& toml = "") {
        ConfigSources sources;
        sources.flags["data_dir"] = folder_.file("data");
        sources.flags["http.port"] = "0";
        sources.flags["media.port_base"] = "0";
        sources.flags["media.workers"] = "2";
        sources.flags["http.host"] = "127.0.0.1";
        sources.flags["media.listen"] = "127.0.0.1";
        sources.flags["log.level"] = "warn";
        LoadedConfig loaded = load_config_text(toml, "test", sources);
        EXPECT_EQ(loaded.error, "");
        set_log_level(loaded.config.log_level);
        auto store = AppStore::open(loaded.config, secrets_, io::read_wall_clock());
        EXPECT_TRUE(store.has_value());
        account_ = store->account();
        auto control = Control::start(loaded.config, std::move(*store));
        EXPECT_TRUE(control.has_value()) << control.error();
        control_ = std::move(*control);
        thread_ = std::thread([this] { control_->run(); });
        // Only a loop that runs answers, and one that runs takes its signals.
        wait_for_answer(control_->http_port());
    }
    ~RunningServer() { stop(); }

    /// As an operator does it; returns when the server has drained.
    void stop() {
        if (!thread_.joinable()) return;
        ::kill(::getpid(), SIGTERM);
        thread_.join();
    }
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(control_->http_port());
    }
    [[nodiscard]] const auth::AccountKey& account() const { return account_; }

private:
    TemporaryFolder folder_;
    io::KernelSecretSource secrets_;
    auth::AccountKey account_;
    std::unique_ptr<Control> control_;
    std::thread thread_;
};

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

#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "io/clock.h"
#include "io/fd.h"
#include "io/kernel_random.h"
#include "io/sockaddr.h"
#include "server/control.h"
#include "server/log.h"
#include "temporary_folder.h"

namespace parley::server {

/// Blocks until the server has answered a request: the kernel keeps it until somebody reads.
inline void wait_for_answer(std::uint16_t port) {
    const io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const io::KernelAddress to = io::to_kernel({IpAddress::v4(0x7f000001), port});
    ASSERT_EQ(::connect(socket.get(), to.get(), to.length), 0);
    const std::string_view request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ASSERT_EQ(::send(socket.get(), request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    char first = 0;
    ASSERT_EQ(::recv(socket.get(), &first, 1, 0), 1);
}

/// The whole server in this process.
class RunningServer {
public:
    explicit RunningServer(const std::string& toml = "") {
        ConfigSources sources;
        sources.flags["data_dir"] = folder_.file("data");
        sources.flags["http.port"] = "0";
        sources.flags["media.port_base"] = "0";
        sources.flags["rtmp.port"] = "0";
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
    [[nodiscard]] std::uint16_t port() const { return control_->http_port(); }
    [[nodiscard]] const auth::AccountKey& account() const { return account_; }
    /// As commands beside the server find it.
    [[nodiscard]] std::string data_dir() const { return folder_.file("data"); }

private:
    TemporaryFolder folder_;
    io::KernelSecretSource secrets_;
    auth::AccountKey account_;
    std::unique_ptr<Control> control_;
    std::thread thread_;
};

}  // namespace parley::server

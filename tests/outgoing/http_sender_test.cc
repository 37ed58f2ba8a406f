#include "outgoing/http_sender.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

namespace parley::outgoing {
namespace {

using ::testing::HasSubstr;

/// Answers connection after connection on loopback with `answer` to whatever comes; keeps the last
/// request. An empty answer: none at all.
class Answerer {
public:
    explicit Answerer(std::string answer) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(listener_, 8), 0);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~Answerer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    Answerer(const Answerer&) = delete;
    Answerer& operator=(const Answerer&) = delete;
    [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const {
        return "http://" + host + ":" + std::to_string(port_) + "/hook?a=1";
    }
    [[nodiscard]] int connections() const { return connections_; }
    /// After the outcome only.
    [[nodiscard]] const std::string& request() const { return request_; }

private:
    void run() {
        for (;;) {
            const int connection = ::accept(listener_, nullptr, nullptr);
            if (connection < 0) return;
            ++connections_;
            std::string request;
            char buffer[4096];
            ssize_t got = 0;
            const auto is_whole = [&] { return request.find("{end}") != std::string::npos; };
            while (!is_whole() && (got = ::recv(connection, buffer, sizeof buffer, 0)) > 0)
                request.append(buffer, static_cast<std::size_t>(got));
            request_ = request;
            if (answer_.empty()) {
                // Until the client gives up.
                while (::recv(connection, buffer, sizeof buffer, 0) > 0) {
                }
            } else {
                ::send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL);
            }
            ::close(connection);
        }
    }
    std::string answer_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> connections_{0};
    std::string request_;
    std::thread thread_;
};

gate::UrlGate gate_for(const std::vector<std::string>& allowed) {
    auto policy = gate::parse_allow_list(allowed);
    EXPECT_TRUE(policy.has_value());
    return gate::UrlGate(*policy);
}

Outcome send(HttpSender& sender, Post post) {
    EXPECT_TRUE(sender.start(std::move(post)).has_value());
    for (;;) {
        if (auto outcomes = sender.take_outcomes(); !outcomes.empty()) return outcomes.front();
        sender.wait(1s);
    }
}

TEST(HttpSender, PostsAndTellsTheStatus) {
    const Answerer server("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    HttpSender sender(gate_for({"127.0.0.1"}));
    const Outcome outcome = send(sender, {7, server.url(), {{"Authorization", "x:y"}}, "{end}"});
    EXPECT_EQ(outcome.id, 7U);
    EXPECT_EQ(outcome.status, 204);
    EXPECT_TRUE(outcome.is_success());
    EXPECT_THAT(server.request(), HasSubstr("POST /hook?a=1 HTTP/1.1\r\n"));
    EXPECT_THAT(server.request(), HasSubstr("Authorization: x:y\r\n"));
    EXPECT_THAT(server.request(), HasSubstr("\r\n\r\n{end}"));
}

TEST(HttpSender, FollowsNoRedirect) {
    const Answerer other("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const Answerer server("HTTP/1.1 307 Elsewhere\r\nLocation: " + other.url() +
                          "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    HttpSender sender(gate_for({"127.0.0.1"}));
    const Outcome outcome = send(sender, {1, server.url(), {}, "{end}"});
    EXPECT_EQ(outcome.status, 307);
    EXPECT_FALSE(outcome.is_success());
    EXPECT_EQ(other.connections(), 0);
}

TEST(HttpSender, TheResolvedAddressCountsNotTheName) {
    const Answerer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // The machine's own name leads to an address of its own, which the text does not show.
    char name[256] = {};
    ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
    const std::string host = name;
    HttpSender strict{gate::UrlGate()};
    if (strict.start({1, server.url(host), {}, "{end}", 5s})) {
        std::vector<Outcome> outcomes;
        while ((outcomes = strict.take_outcomes()).empty()) strict.wait(1s);
        EXPECT_EQ(outcomes.front().status, 0);
        EXPECT_NE(outcomes.front().error, "");
    }
    EXPECT_EQ(server.connections(), 0) << "refused before a packet was sent";
    EXPECT_FALSE(strict.start({2, server.url(), {}, "{end}", 5s}).has_value());
    EXPECT_FALSE(strict.start({3, server.url("localhost"), {}, "{end}", 5s}).has_value());
}

TEST(HttpSender, AHostMayBeAllowedByName) {
    const Answerer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    HttpSender sender(gate_for({"localhost"}));
    EXPECT_EQ(send(sender, {1, server.url("localhost"), {}, "{end}"}).status, 200);
    EXPECT_FALSE(sender.start({2, server.url("127.0.0.1"), {}, "{end}", 5s}).has_value());
}

TEST(HttpSender, AProxyOfTheEnvironmentIsNotUsed) {
    const Answerer proxy("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const Answerer server("HTTP/1.1 201 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    HttpSender sender(gate_for({"127.0.0.1"}));
    EXPECT_EQ(send(sender, {1, server.url(), {}, "{end}"}).status, 201);
    ::unsetenv("http_proxy");
    EXPECT_EQ(proxy.connections(), 0);
}

TEST(HttpSender, ASilentServerEndsByTheTimeout) {
    const Answerer server("");
    HttpSender sender(gate_for({"127.0.0.1"}));
    const Outcome outcome = send(sender, {1, server.url(), {}, "{end}", 200ms});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.error, HasSubstr("Timeout"));
}

TEST(HttpSender, ALongAnswerIsCutButItsStatusCounts) {
    const std::string body(4 * HttpSender::kMaxAnswerBytes, 'x');
    const Answerer server("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body);
    HttpSender sender(gate_for({"127.0.0.1"}));
    EXPECT_EQ(send(sender, {1, server.url(), {}, "{end}"}).status, 200);
}

TEST(HttpSender, WakeEndsAWait) {
    HttpSender sender{gate::UrlGate()};
    std::thread other([&] { sender.wake(); });
    sender.wait(60s);
    other.join();
}

TEST(HttpSender, NobodyListens) {
    std::string url;
    {
        const Answerer gone("x");
        url = gone.url();
    }
    HttpSender sender(gate_for({"127.0.0.1"}));
    const Outcome outcome = send(sender, {1, url, {}, "{end}"});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_NE(outcome.error, "");
}

}  // namespace
}  // namespace parley::outgoing

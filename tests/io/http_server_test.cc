#include "io/http_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <condition_variable>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "http_client.h"
#include "io/event_loop.h"
#include "io/tls_context.h"

namespace parley::io {
namespace {

using testing::TestClient;

/// Echoes, and remembers what it was told. Lives on the loop's thread; `wait` looks from the test's.
class EchoHandler final : public HttpHandler {
public:
    HttpReply handle(const HttpRequestView& request) override {
        HttpReply reply;
        if (request.target == "/throw") throw std::runtime_error("handler");
        if (request.target == "/status-612") {
            reply.status = 612;
            reply.reason = "app not found";
        }
        if (request.target == "/split") {
            reply.headers.emplace_back("X-Good", "1");
            reply.headers.emplace_back("X-Bad", "1\r\nInjected: yes");
        }
        if (request.target == "/take") {
            reply.take_over = [this](TakenSocket socket) {
                note(socket.fd.is_open() ? "taken" : "not taken");
                taken = std::move(socket);
            };
            return reply;
        }
        if (request.target == "/large") {
            reply.shared_body = std::make_shared<const std::string>(3'000'000, 'x');
            return reply;
        }
        reply.body = std::string(request.method) + " " + std::string(request.target) + " " +
                     std::string(request.header("x-test")) + " " + std::string(request.body);
        return reply;
    }
    std::optional<HttpReply> check_upgrade(const HttpRequestView& request) override {
        if (request.target != "/refuse") return std::nullopt;
        HttpReply reply;
        reply.status = 403;
        return reply;
    }
    void on_ws_open(WsId socket, const HttpRequestView& request) override {
        note("open " + std::string(request.target));
        last = socket;
    }
    void on_ws_text(WsId socket, std::string_view text) override {
        note("text " + std::to_string(text.size()));
        if (on_text) on_text(socket, text);
    }
    void on_ws_binary(WsId) override { note("binary"); }
    void on_ws_closed(WsId, std::uint16_t code) override { note("closed " + std::to_string(code)); }

    void note(const std::string& what) {
        const std::lock_guard lock(mutex_);
        ++seen_[what];
        changed_.notify_all();
    }
    bool wait(const std::string& what, int times = 1) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return seen_[what] >= times; });
    }
    int count(const std::string& what) {
        const std::lock_guard lock(mutex_);
        return seen_[what];
    }

    std::function<void(WsId, std::string_view)> on_text;
    WsId last;
    TakenSocket taken;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, int> seen_;
};

class Fixture {
public:
    explicit Fixture(HttpLimits limits = {}, ListenMode mode = ListenMode::kPlain) {
        server = std::make_unique<HttpServer>(loop, handler, limits);
        port = server->listen({"127.0.0.1", 0, mode}).value();
    }
    ~Fixture() {
        if (thread.joinable()) {
            loop.post([this] {
                server->stop();
                loop.post([this] { loop.stop(); });
            });
            thread.join();
        }
        server.reset();
    }
    void start() {
        thread = std::thread([this] { loop.run(); });
    }
    HttpCounters counters() {
        std::promise<HttpCounters> result;
        loop.post([&] { result.set_value(server->counters()); });
        return result.get_future().get();
    }
    /// Until the counters are as wanted; the loop answers each question in turn, so nothing sleeps.
    bool eventually(const std::function<bool(const HttpCounters&)>& wanted) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            if (wanted(counters())) return true;
            std::this_thread::yield();
        }
        return false;
    }

    EventLoop loop;
    EchoHandler handler;
    std::unique_ptr<HttpServer> server;
    std::uint16_t port = 0;
    std::thread thread;
};

HttpLimits quick() {
    HttpLimits limits;
    limits.idle_timeout = 150ms;
    limits.header_timeout = 100ms;
    limits.body_timeout = 100ms;
    limits.write_timeout = 200ms;
    limits.close_timeout = 200ms;
    limits.sweep_interval = 20ms;
    return limits;
}

TEST(HttpServer, AnswersAndKeepsTheConnection) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    const auto first = client.get("/a?b=c+d");
    ASSERT_TRUE(first);
    EXPECT_EQ(first->status, 200u);
    EXPECT_EQ(first->body, "GET /a?b=c+d  ");
    EXPECT_NE(first->head.find("Connection: keep-alive"), std::string::npos);
    client.send("POST /b HTTP/1.1\r\nHost: t\r\nX-Test: yes\r\nContent-Length: 4\r\n\r\nbody");
    const auto second = client.read_response();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->body, "POST /b yes body");
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    std::string all;
    for (int i = 0; i < 50; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: t\r\n\r\n";
    client.send(all);
    for (int i = 0; i < 50; ++i) {
        const auto response = client.read_response();
        ASSERT_TRUE(response) << i;
        EXPECT_EQ(response->body, "GET /" + std::to_string(i) + "  ");
    }
}

TEST(HttpServer, GivesAConnectionAwayWithNothingWritten) {
    Fixture f(quick());
    f.start();
    TestClient client(f.port);
    ASSERT_TRUE(client.get("/first"));
    client.send("GET /take HTTP/1.1\r\nHost: t\r\n\r\n");
    ASSERT_TRUE(f.handler.wait("taken"));
    // The server counts it no more, and so its timeouts do not reach it.
    ASSERT_TRUE(f.eventually([](const HttpCounters& c) { return c.connections == 0; }));
    EXPECT_EQ(f.counters().taken_over, 1u);
    constexpr std::string_view kText = "HTTP/1.1 200 OK\r\n\r\nours";
    const Fd ours = std::move(f.handler.taken.fd);
    ASSERT_EQ(::send(ours.get(), kText.data(), kText.size(), MSG_NOSIGNAL), ssize_t(kText.size()));
    char byte = 0;
    EXPECT_EQ(::recv(ours.get(), &byte, 1, 0), -1);
    EXPECT_TRUE(errno == EAGAIN || errno == EWOULDBLOCK) << "it blocks";
    ::shutdown(ours.get(), SHUT_WR);
    EXPECT_EQ(client.read_all(), kText);
}

TEST(HttpServer, WritesAnyThreeDigitStatus) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    const auto response = client.get("/status-612");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->head.substr(0, 27), "HTTP/1.1 612 app not found\r");
}

TEST(HttpServer, LeavesOutHeadersThatWouldSplitTheResponse) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    const auto response = client.get("/split");
    ASSERT_TRUE(response);
    EXPECT_NE(response->head.find("X-Good: 1\r\n"), std::string::npos);
    EXPECT_EQ(response->head.find("Injected"), std::string::npos);
}

TEST(HttpServer, HeadHasTheLengthAndNoBody) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    client.send("HEAD /x HTTP/1.1\r\nHost: t\r\n\r\n");
    const auto head = client.read_response(true);
    ASSERT_TRUE(head);
    EXPECT_NE(head->head.find("Content-Length: 9"), std::string::npos);
    const auto next = client.get("/y");
    ASSERT_TRUE(next);
    EXPECT_EQ(next->body, "GET /y  ");
}

TEST(HttpServer, SendsLargeBodiesWhole) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    const auto response = client.get("/large");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, std::string(3'000'000, 'x'));
}

TEST(HttpServer, Http10AndConnectionCloseEndTheConnection) {
    Fixture f;
    f.start();
    for (const char* request :
         {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"}) {
        TestClient client(f.port);
        client.send(request);
        const std::string all = client.read_all();
        EXPECT_EQ(all.substr(0, 15), "HTTP/1.1 200 OK");
        EXPECT_NE(all.find("Connection: close"), std::string::npos);
    }
}

TEST(HttpServer, SaysContinueBeforeTheBody) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    client.send("POST /b HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    const auto interim = client.read_response();
    ASSERT_TRUE(interim);
    EXPECT_EQ(interim->status, 100u);
    client.send("abc");
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "POST /b  abc");
}

TEST(HttpServer, ReadsChunkedBodies) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    client.send("POST /b HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "POST /b  abcde");
}

TEST(HttpServer, RefusesWhatIsTooLargeOrNoHttp) {
    Fixture f;
    f.start();
    const std::string long_header(20'000, 'h');
    const std::string long_body(1024 * 1024 + 1, 'b');
    std::string long_chunk = "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 17; ++i) long_chunk += "10000\r\n" + std::string(65536, 'c') + "\r\n";
    const struct {
        std::string request;
        std::string status;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: t\r\nX: " + long_header + "\r\n\r\n", "HTTP/1.1 431"},
        {"GET /" + long_header + " HTTP/1.1\r\nHost: t\r\n\r\n", "HTTP/1.1 431"},
        {"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1048577\r\n\r\n" + long_body, "HTTP/1.1 413"},
        {"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999\r\n\r\n", "HTTP/1.1 413"},
        {long_chunk, "HTTP/1.1 413"},
        {"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\nGET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", "HTTP/1.1 400"},
        {"\x01\x02\x03\x04 garbage\r\n\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/1.1\r\nBad Header\r\n\r\n", "HTTP/1.1 400"},
        {"\r\n\r\n\r\n\r\n", "HTTP/1.1 400"},
    };
    for (const auto& c : cases) {
        TestClient client(f.port);
        client.send(c.request);
        const std::string answer = client.read_all();
        EXPECT_EQ(answer.substr(0, 12), c.status) << c.request.substr(0, 60);
        // As every answer of the API (REST section 18, statement 8).
        EXPECT_NE(answer.find("\r\nContent-Type: application/json\r\n"), std::string::npos) << answer;
        EXPECT_NE(answer.find("\r\nX-Reqid: "), std::string::npos) << answer;
        EXPECT_NE(answer.find("{\"error\":\""), std::string::npos) << answer;
    }
    TestClient client(f.port);
    EXPECT_TRUE(client.get("/still-alive"));
    EXPECT_EQ(f.counters().receiving_bytes, 0u);
}

TEST(HttpServer, AnswersAHandlerThatThrowsWith500) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    const auto response = client.get("/throw");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 500u);
    EXPECT_EQ(f.counters().handler_failed, 1u);
}

TEST(HttpServer, ClosesClientsThatSayNothingOrTooLittle) {
    Fixture f(quick());
    f.start();
    for (const char* start : {"", "G", "GET / HTTP/1.1\r\nHost: t\r\nX-Slow: ",
                              "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc"}) {
        TestClient client(f.port);
        client.send(start);
        EXPECT_EQ(client.read_all(), "") << start;
    }
    EXPECT_EQ(f.counters().timed_out, 4u);
    EXPECT_TRUE(f.eventually([](const HttpCounters& c) { return c.connections == 0; }));
}

TEST(HttpServer, ClosesAClientThatDoesNotReadItsAnswer) {
    Fixture f(quick());
    f.start();
    TestClient client(f.port, 4096);
    for (int i = 0; i < 8; ++i) client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_TRUE(f.eventually([](const HttpCounters& c) { return c.timed_out == 1 && c.connections == 0; }));
}

TEST(HttpServer, RefusesConnectionsBeyondTheLimitWith503) {
    HttpLimits limits;
    limits.max_connections = 3;
    Fixture f(limits);
    f.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<TestClient>(f.port));
        EXPECT_TRUE(clients.back()->get("/"));
    }
    TestClient refused(f.port);
    refused.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    const auto response = refused.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 503u);
    EXPECT_EQ(f.counters().refused_full, 1u);
    refused.close();
    clients.pop_back();
    ASSERT_TRUE(f.eventually([](const HttpCounters& c) { return c.connections == 2; }));
    TestClient again(f.port);
    EXPECT_EQ(again.get("/")->status, 200u);
}

TEST(HttpServer, RefusesBodiesBeyondTheCommonBound) {
    HttpLimits limits;
    limits.max_receiving_bytes = 1000;
    Fixture f(limits);
    f.start();
    TestClient first(f.port);
    first.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 800\r\n\r\n");
    ASSERT_TRUE(f.eventually([](const HttpCounters& c) { return c.receiving_bytes == 800; }));
    TestClient second(f.port);
    second.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 800\r\n\r\n");
    EXPECT_EQ(second.read_all().substr(0, 12), "HTTP/1.1 503");
    first.send(std::string(800, 'a'));
    EXPECT_EQ(first.read_response()->status, 200u);
    EXPECT_EQ(f.counters().receiving_bytes, 0u);
}

TEST(HttpServer, SaysWhyItCannotListen) {
    Fixture f;
    EXPECT_EQ(f.server->listen({"127.0.0.1", f.port, ListenMode::kPlain}).error().code, Errc::kBusy);
    EXPECT_EQ(f.server->listen({"nonsense", 0, ListenMode::kPlain}).error().code, Errc::kMalformed);
    EXPECT_EQ(f.server->listen({"203.0.113.7", 0, ListenMode::kPlain}).error().code, Errc::kSystem);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
constexpr bool kIsSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kIsSanitized = false;
#endif

TEST(HttpServer, HoldsAThousandIdleConnectionsInLittleMemory) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    ASSERT_GE(files.rlim_cur, 2300u) << "the test needs file descriptors";
    const auto resident_kb = [] {
        std::ifstream status("/proc/self/status");
        std::string word;
        while (status >> word) {
            if (word == "VmRSS:") break;
        }
        std::size_t kb = 0;
        status >> kb;
        return kb;
    };
    Fixture f;
    f.start();
    TestClient first(f.port);
    ASSERT_TRUE(first.get("/"));
    const std::size_t before = resident_kb();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 1000; ++i) {
        clients.push_back(std::make_unique<TestClient>(f.port));
        ASSERT_TRUE(clients.back()->connected());
        // Half of them have asked once, half never said anything.
        if (i % 2 == 0) clients.back()->send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    }
    ASSERT_TRUE(f.eventually([](const HttpCounters& c) { return c.connections == 1001 && c.requests == 501; }));
    for (int i = 0; i < 1000; i += 2) ASSERT_TRUE(clients[static_cast<std::size_t>(i)]->read_response());
    const std::size_t each = (resident_kb() - before) / 1000;
    // A sanitizer keeps memory of its own around and behind each allocation.
    EXPECT_LE(each, kIsSanitized ? 60u : 12u) << "kB for each idle connection";
    EXPECT_TRUE(first.get("/"));
}

TEST(WebSocket, CarriesTextBothWays) {
    Fixture f;
    f.handler.on_text = [&](WsId id, std::string_view text) { f.server->send(id, "echo " + std::string(text)); };
    f.start();
    TestClient client(f.port);
    ASSERT_TRUE(client.upgrade("/v1/signal?rpcid=1"));
    EXPECT_TRUE(f.handler.wait("open /v1/signal?rpcid=1"));
    client.send(TestClient::frame(TestClient::kText, "hello"));
    auto frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, TestClient::kText);
    EXPECT_EQ(frame->payload, "echo hello");
    // Fragments are one message, and a ping may come between them.
    client.send(TestClient::frame(TestClient::kText, "he", false) + TestClient::frame(TestClient::kPing, "p") +
                TestClient::frame(0, "llo"));
    frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, TestClient::kPong);
    EXPECT_EQ(frame->payload, "p");
    frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->payload, "echo hello");
    client.send(TestClient::close_frame(1000));
    frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, TestClient::kClose);
    EXPECT_FALSE(client.read_frame());
    client.close();
    EXPECT_TRUE(f.handler.wait("closed 1000"));
}

TEST(WebSocket, TakesAMessageOfOneMebibyteAndNotMore) {
    Fixture f;
    f.handler.on_text = [&](WsId id, std::string_view text) { f.server->send(id, std::string(text)); };
    f.start();
    TestClient client(f.port);
    ASSERT_TRUE(client.upgrade("/"));
    client.send(TestClient::frame(TestClient::kText, std::string(1024 * 1024, 'a')));
    auto frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->payload.size(), 1024u * 1024u);
    client.send(TestClient::frame(TestClient::kText, std::string(1024 * 1024 + 1, 'a')));
    frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, TestClient::kClose);
    EXPECT_EQ(frame->close_code(), 1009);
    EXPECT_FALSE(client.read_frame());
    EXPECT_TRUE(f.handler.wait("closed 1006"));
}

TEST(WebSocket, SendsQueuedTextThenExactlyOneCloseFrame) {
    Fixture f;
    f.handler.on_text = [&](WsId id, std::string_view) {
        f.server->send(id, "one");
        f.server->send(id, "two");
        f.server->close(id, 1001, "drain");
        f.server->close(id, 1008, "again");
        EXPECT_FALSE(f.server->send(id, "three"));
    };
    f.start();
    TestClient client(f.port);
    ASSERT_TRUE(client.upgrade("/"));
    client.send(TestClient::frame(TestClient::kText, "go"));
    EXPECT_EQ(client.read_frame()->payload, "one");
    EXPECT_EQ(client.read_frame()->payload, "two");
    const auto close = client.read_frame();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->opcode, TestClient::kClose);
    EXPECT_EQ(close->close_code(), 1001);
    EXPECT_EQ(close->payload.substr(2), "drain");
    client.send(TestClient::frame(TestClient::kText, "late") + TestClient::close_frame(1001));
    EXPECT_FALSE(client.read_frame());
    client.close();
    EXPECT_TRUE(f.handler.wait("closed 1001"));
    EXPECT_EQ(f.handler.count("text 4"), 0);
}

TEST(WebSocket, DropsAPeerThatDoesNotAnswerTheCloseFrame) {
    Fixture f(quick());
    f.handler.on_text = [&](WsId id, std::string_view) { f.server->close(id, 1001, ""); };
    f.start();
    TestClient client(f.port);
    ASSERT_TRUE(client.upgrade("/"));
    client.send(TestClient::frame(TestClient::kText, "go"));
    EXPECT_EQ(client.read_frame()->close_code(), 1001);
    EXPECT_FALSE(client.read_frame());
    EXPECT_TRUE(f.handler.wait("closed 1006"));
}

TEST(WebSocket, DropsAPeerThatClosesAndThenKeepsTheConnection) {
    Fixture f(quick());
    f.start();
    TestClient client(f.port);
    ASSERT_TRUE(client.upgrade("/"));
    client.send(TestClient::close_frame(1000));
    EXPECT_EQ(client.read_frame()->close_code(), 1000);
    EXPECT_TRUE(f.handler.wait("closed 1000"));
}

TEST(WebSocket, ResetsASlowConsumer) {
    HttpLimits limits;
    limits.max_ws_queue_bytes = 256 * 1024;
    Fixture f(limits);
    bool refused = false;
    f.handler.on_text = [&](WsId id, std::string_view) {
        for (int i = 0; i < 1000 && !refused; ++i) refused = !f.server->send(id, std::string(64 * 1024, 's'));
        EXPECT_LE(f.server->counters().sending_bytes, limits.max_ws_queue_bytes);
    };
    f.start();
    TestClient client(f.port, 4096);
    ASSERT_TRUE(client.upgrade("/"));
    client.send(TestClient::frame(TestClient::kText, "go"));
    EXPECT_TRUE(f.handler.wait("closed 1006"));
    EXPECT_TRUE(refused);
    const HttpCounters counters = f.counters();
    EXPECT_EQ(counters.ws_slow_closed, 1u);
    EXPECT_EQ(counters.sending_bytes, 0u);
    EXPECT_EQ(counters.websockets, 0u);
}

TEST(WebSocket, ClosesOnWhatTheProtocolForbids) {
    Fixture f;
    f.start();
    const struct {
        std::string bytes;
        int code;
    } cases[] = {
        {TestClient::frame(TestClient::kText, "\xff\xfe"), 1007},
        {TestClient::frame(3, "reserved opcode"), 1002},
        {TestClient::frame(0, "continues nothing"), 1002},
        {std::string("\x81\x02hi", 4), 1002},  // not masked
        {TestClient::frame(TestClient::kPing, std::string(126, 'p')), 1002},
        {std::string(64, '\xf7'), 1002},
    };
    for (const auto& c : cases) {
        TestClient client(f.port);
        ASSERT_TRUE(client.upgrade("/"));
        client.send(c.bytes);
        const auto frame = client.read_frame();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->opcode, TestClient::kClose);
        EXPECT_EQ(frame->close_code(), c.code);
        EXPECT_FALSE(client.read_frame());
    }
    EXPECT_TRUE(f.handler.wait("closed 1006", 6));
    TestClient binary(f.port);
    ASSERT_TRUE(binary.upgrade("/"));
    binary.send(TestClient::frame(TestClient::kBinary, "b"));
    EXPECT_TRUE(f.handler.wait("binary"));
}

TEST(WebSocket, LostPeerIsReportedOnce) {
    Fixture f;
    f.start();
    {
        TestClient client(f.port);
        ASSERT_TRUE(client.upgrade("/"));
        client.send(std::string(1, '\x81'));  // half a frame
    }
    EXPECT_TRUE(f.handler.wait("closed 1006"));
    TestClient client(f.port);
    ASSERT_TRUE(client.upgrade("/"));
    client.send(TestClient::frame(TestClient::kClose, ""));
    EXPECT_TRUE(client.read_frame());
    client.close();
    EXPECT_TRUE(f.handler.wait("closed 1005"));
    EXPECT_EQ(f.handler.count("closed 1006"), 1);
}

TEST(WebSocket, BoundsHalfReceivedMessagesOverAllConnections) {
    HttpLimits limits;
    limits.max_receiving_bytes = 100'000;
    Fixture f(limits);
    f.start();
    TestClient first(f.port);
    ASSERT_TRUE(first.upgrade("/"));
    first.send(TestClient::frame(TestClient::kText, std::string(60'000, 'a'), false));
    ASSERT_TRUE(f.eventually([](const HttpCounters& c) { return c.receiving_bytes >= 60'000; }));
    TestClient second(f.port);
    ASSERT_TRUE(second.upgrade("/"));
    second.send(TestClient::frame(TestClient::kText, std::string(60'000, 'a'), false));
    const auto frame = second.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->close_code(), 1013);
    first.send(TestClient::frame(0, "end"));
    EXPECT_TRUE(f.handler.wait("text 60003"));
    EXPECT_TRUE(f.eventually([](const HttpCounters& c) { return c.receiving_bytes == 0; }));
}

TEST(WebSocket, CanBeRefused) {
    Fixture f;
    f.start();
    TestClient client(f.port);
    EXPECT_FALSE(client.upgrade("/refuse"));
}

TEST(WebSocket, EveryTruncationOfAHandshakeIsHarmless) {
    Fixture f;
    f.start();
    const std::string handshake =
        "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
        TestClient::frame(TestClient::kText, "hello");
    for (std::size_t size = 0; size < handshake.size(); size += 3) {
        TestClient client(f.port);
        client.send(handshake.substr(0, size));
    }
    EXPECT_TRUE(f.eventually([](const HttpCounters& c) { return c.connections == 0 && c.websockets == 0; }));
}

TEST(Tls, OneListenerTakesBothAndTheCertificateCanBeExchanged) {
    const auto made = make_self_signed_certificate({"localhost", "127.0.0.1"}, 2);
    ASSERT_TRUE(made);
    const std::string dir = ::testing::TempDir();
    const std::string certificate = dir + "/io_test_cert.pem";
    const std::string key = dir + "/io_test_key.pem";
    std::ofstream(certificate) << made->certificate_pem;
    std::ofstream(key) << made->key_pem;
    auto tls = TlsContext::load(certificate, key);
    ASSERT_TRUE(tls);
    EXPECT_EQ(TlsContext::load(dir + "/absent.pem", key).error().code, Errc::kNotFound);
    EXPECT_EQ(TlsContext::load(key, key).error().code, Errc::kMalformed);
    const auto other = make_self_signed_certificate({"localhost"}, 2);
    const std::string other_key = dir + "/io_test_other.pem";
    std::ofstream(other_key) << other->key_pem;
    EXPECT_EQ(TlsContext::load(certificate, other_key).error().code, Errc::kConflict);

    Fixture f({}, ListenMode::kEither);
    f.server->use_tls(*tls);
    f.start();
    TestClient plain(f.port);
    EXPECT_EQ(plain.get("/")->status, 200u);
    const std::string command = "curl -s --max-time 20 --cacert " + certificate + " https://localhost:" +
                                std::to_string(f.port) + "/over-tls";
    std::unique_ptr<FILE, int (*)(FILE*)> curl(::popen(command.c_str(), "r"), ::pclose);
    char line[100] = {};
    ASSERT_NE(std::fgets(line, sizeof line, curl.get()), nullptr);
    EXPECT_STREQ(line, "GET /over-tls  ");
}

TEST(Tls, GarbageHandshakeIsCounted) {
    const auto made = make_self_signed_certificate({"localhost"}, 2);
    const std::string dir = ::testing::TempDir();
    std::ofstream(dir + "/io_garbage_cert.pem") << made->certificate_pem;
    std::ofstream(dir + "/io_garbage_key.pem") << made->key_pem;
    auto tls = TlsContext::load(dir + "/io_garbage_cert.pem", dir + "/io_garbage_key.pem");
    ASSERT_TRUE(tls);
    Fixture f({}, ListenMode::kTls);
    f.server->use_tls(*tls);
    f.start();
    TestClient client(f.port);
    client.send("GET / HTTP/1.1\r\n\r\n");
    client.read_all();
    EXPECT_TRUE(f.eventually([](const HttpCounters& c) { return c.tls_failed == 1; }));
}

TEST(LoopTimer, FiresOncePerArmAndNotAfterCancel) {
    EventLoop loop;
    int fired = 0;
    LoopTimer timer(loop, [&] {
        ++fired;
        loop.stop();
    });
    LoopTimer cancelled(loop, [&] { ADD_FAILURE(); });
    cancelled.arm(read_monotonic_clock() - 1s);
    cancelled.cancel();
    timer.arm(read_monotonic_clock() + 24h);
    timer.arm(read_monotonic_clock() - 1s);
    loop.run();
    EXPECT_EQ(fired, 1);
    EXPECT_FALSE(timer.is_armed());
}

}  // namespace
}  // namespace parley::io

#include "loadgen/stream_clients.h"

#include <gtest/gtest.h>

#include <thread>

#include "../rtmp/loopback.h"
#include "io/clock.h"

// The clients of `parley bench --rtmp-play` and `--flv-play` against small servers on loopback.
namespace parley::loadgen {
namespace {

TEST(StreamClients, PushedPicturesReachEveryRtmpPlayer) {
    rtmp::LoopbackServer server;
    const auto url = rtmp::parse_rtmp_url(server.url("/live/bench"));
    ASSERT_TRUE(url);
    Url http;
    http.host = url->host;
    http.port = url->port;
    const auto address = resolve(http);
    ASSERT_TRUE(address);

    Loop loop;
    StreamTotals totals;
    totals.measuring = true;
    RtmpPusher pusher(loop, *url, Bitrate::kbps(800), Bitrate::kbps(64), Rng(1));
    pusher.connect(*address);
    std::vector<std::unique_ptr<RtmpPlayer>> players;
    for (std::uint64_t i = 0; i < 3; ++i)
        players.push_back(std::make_unique<RtmpPlayer>(loop, totals, *url, Rng(i)));
    ASSERT_TRUE(server.run_until([&] {
        loop.run_until(io::read_monotonic_clock() + 1ms);
        if (pusher.is_started()) {
            for (const auto& p : players) {
                if (p->state() == StreamState::kIdle)
                    p->start(io::read_monotonic_clock(), *address);
            }
        }
        return totals.pictures >= 60;
    })) << pusher.failure()
        << players[0]->failure();
    EXPECT_EQ(totals.first_picture.count(), 3u);
    EXPECT_EQ(totals.skipped_pictures, 0u);
    EXPECT_EQ(totals.backward_timestamps, 0u);
    EXPECT_GE(totals.key_pictures, 3u);
    EXPECT_EQ(totals.delay.count(), totals.pictures);
    // 60 pictures take 2 s, in which 93 frames of sound come; the first pictures wait for players.
    EXPECT_GT(totals.sound_delay.count(), totals.pictures);
    EXPECT_GT(totals.bytes, 0u);
    for (const auto& p : players) EXPECT_EQ(p->state(), StreamState::kPlaying);

    pusher.stop(io::read_monotonic_clock());
    EXPECT_TRUE(server.run_until([&] {
        loop.run_until(io::read_monotonic_clock() + 1ms);
        return players[2]->state() == StreamState::kFailed;
    }));
}

/// A TCP server that answers the first connection with `response` and closes.
class OneAnswer {
public:
    explicit OneAnswer(Bytes response) {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
        PARLEY_CHECK(bind(listener_, generic, sizeof address) == 0 && listen(listener_, 1) == 0);
        socklen_t size = sizeof address;
        PARLEY_CHECK(getsockname(listener_, generic, &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, bytes = std::move(response)] {
            const int fd = accept(listener_, nullptr, nullptr);
            std::array<char, 4096> request{};
            const ssize_t got = recv(fd, request.data(), request.size(), 0);
            request_.assign(request.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
            // In small pieces, so that every place is a border once.
            for (std::size_t at = 0; at < bytes.size(); at += 7) {
                const std::size_t part = std::min<std::size_t>(7, bytes.size() - at);
                if (send(fd, bytes.data() + at, part, MSG_NOSIGNAL) < 0) break;
            }
            close(fd);
        });
    }
    ~OneAnswer() {
        thread_.join();
        close(listener_);
    }
    OneAnswer(const OneAnswer&) = delete;
    OneAnswer& operator=(const OneAnswer&) = delete;
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(port_) + "/live/x.flv?token=1";
    }
    [[nodiscard]] const std::string& request() const { return request_; }

private:
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::string request_;
    std::thread thread_;
};

Bytes stream_of(int pictures) {
    flv::GatherList out;
    flv::StreamWriter writer;
    writer.write_file_header(false, true, out);
    for (int i = 0; i < pictures; ++i) writer.write(rtmp::video(i * 40, 500, i == 0), i * 40, out);
    return out.flatten();
}

Bytes response(const char* head, const Bytes& body) {
    Bytes bytes = to_bytes(as_bytes_view(head));
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
}

Bytes chunked(const Bytes& body) {
    Bytes out;
    for (std::size_t at = 0; at < body.size(); at += 100) {
        const std::size_t part = std::min<std::size_t>(100, body.size() - at);
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", part);
        const ByteView text = as_bytes_view(std::string_view(size));
        out.insert(out.end(), text.begin(), text.end());
        out.insert(out.end(),
                   body.begin() + static_cast<std::ptrdiff_t>(at),
                   body.begin() + static_cast<std::ptrdiff_t>(at + part));
        out.insert(out.end(), {'\r', '\n'});
    }
    return out;
}

TEST(StreamClients, FlvPlayerReadsPlainAndChunkedBodies) {
    const char* plain = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\n";
    const char* in_chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n";
    for (const Bytes& bytes :
         {response(plain, stream_of(20)), response(in_chunks, chunked(stream_of(20)))}) {
        OneAnswer server(bytes);
        const auto url = parse_url(server.url());
        ASSERT_TRUE(url);
        Loop loop;
        StreamTotals totals;
        FlvPlayer player(loop, totals, *url);
        player.start(io::read_monotonic_clock(), *resolve(*url));
        const Instant end = io::read_monotonic_clock() + 20s;
        while (player.state() != StreamState::kFailed && io::read_monotonic_clock() < end) {
            loop.run_until(io::read_monotonic_clock() + 5ms);
        }
        EXPECT_EQ(totals.pictures, 20u);
        EXPECT_EQ(totals.key_pictures, 1u);
        EXPECT_EQ(totals.bytes, bytes.size());
        EXPECT_EQ(player.failure(), "closed by peer");
        EXPECT_TRUE(server.request().starts_with("GET /live/x.flv?token=1 HTTP/1.1\r\n"))
            << server.request();
    }
}

TEST(StreamClients, FlvPlayerSaysWhyItWasRefused) {
    OneAnswer server(response("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", {}));
    const auto url = parse_url(server.url());
    Loop loop;
    StreamTotals totals;
    FlvPlayer player(loop, totals, *url);
    player.start(io::read_monotonic_clock(), *resolve(*url));
    const Instant end = io::read_monotonic_clock() + 20s;
    while (player.state() != StreamState::kFailed && io::read_monotonic_clock() < end) {
        loop.run_until(io::read_monotonic_clock() + 5ms);
    }
    EXPECT_EQ(player.failure(), "HTTP/1.1 404 Not Found");
}

}  // namespace
}  // namespace parley::loadgen

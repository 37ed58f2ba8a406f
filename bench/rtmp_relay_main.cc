// One live stream to many players with nothing around the cores: what a shell over
// rtmp::ServerConnection and flv::StreamWriter costs, as nginx-rtmp's counterpart in
// scripts/bench_rtmp. Single thread, loopback only.
//
// Usage: rtmp_relay_bench RTMP_PORT FLV_PORT

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/check.h"
#include "flv/stream.h"
#include "flv/video_tag.h"
#include "io/clock.h"
#include "rtmp/server_connection.h"

namespace parley {
namespace {

constexpr std::size_t kMaxViews = 64;
constexpr std::size_t kMaxUnsent = 4 << 20;

volatile std::sig_atomic_t g_stop = 0;

struct Connection {
    int fd = -1;
    bool is_flv = false;
    bool is_player = false;
    bool is_waiting = false;  ///< for the socket to take more
    bool is_dead = false;
    rtmp::MessageStreamId stream;
    std::unique_ptr<rtmp::ServerConnection> rtmp;
    rtmp::Outputs out;
    std::string request;
};

class Relay {
public:
    Relay(std::uint16_t rtmp_port, std::uint16_t flv_port)
        : epoll_(epoll_create1(EPOLL_CLOEXEC)),
          listeners_{listen_on(rtmp_port), listen_on(flv_port)} {
        for (int& listener : listeners_) {
            epoll_event event{.events = EPOLLIN, .data = {.ptr = &listener}};
            PARLEY_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, listener, &event) == 0);
        }
    }

    void run() {
        std::array<epoll_event, 256> events{};
        while (g_stop == 0) {
            const int count =
                epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 200);
            now_ = io::read_monotonic_clock();
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                if (event.data.ptr == &listeners_[0] || event.data.ptr == &listeners_[1]) {
                    accept_one(event.data.ptr == &listeners_[1]);
                    continue;
                }
                Connection& c = *static_cast<Connection*>(event.data.ptr);
                if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(c);
                if ((event.events & EPOLLOUT) != 0) write(c);
            }
            for (const auto& c : connections_) {
                if (!c->is_waiting && !c->out.send.empty()) write(*c);
            }
            std::erase_if(connections_, [](const auto& c) {
                if (c->is_dead) close(c->fd);
                return c->is_dead;
            });
        }
    }

private:
    static int listen_on(std::uint16_t port) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
        PARLEY_CHECK(bind(fd, generic, sizeof address) == 0 && listen(fd, 1024) == 0);
        return fd;
    }

    void accept_one(bool is_flv) {
        const int fd =
            accept4(listeners_[is_flv ? 1 : 0], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto c = std::make_unique<Connection>();
        c->fd = fd;
        c->is_flv = is_flv;
        if (!is_flv)
            c->rtmp = std::make_unique<rtmp::ServerConnection>(rtmp::ServerConfig{}, Rng(1), now_);
        epoll_event event{.events = EPOLLIN, .data = {.ptr = c.get()}};
        PARLEY_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
        connections_.push_back(std::move(c));
    }

    void read(Connection& c) {
        const ssize_t size = ::read(c.fd, buffer_.data(), buffer_.size());
        if (size < 0 && errno == EAGAIN) return;
        if (size <= 0) {
            c.is_dead = true;
            return;
        }
        const ByteView bytes(buffer_.data(), static_cast<std::size_t>(size));
        if (c.is_flv) {
            c.request += as_text_view(bytes);
            if (c.request.find("\r\n\r\n") == std::string::npos || c.is_player) return;
            c.out.send.append_copy(
                as_bytes_view("HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\n"));
            writer_.write_file_header(true, true, c.out.send);
            begin_player(c);
            return;
        }
        c.rtmp->handle_bytes(now_, bytes, c.out);
        while (!c.out.events.empty()) {
            for (const rtmp::Event& event : std::exchange(c.out.events, {})) handle(c, event);
        }
    }

    void handle(Connection& c, const rtmp::Event& event) {
        if (const auto* publish = std::get_if<rtmp::PublishRequested>(&event)) {
            c.rtmp->accept_publish(now_, publish->stream, c.out);
        } else if (const auto* play = std::get_if<rtmp::PlayRequested>(&event)) {
            c.stream = play->stream;
            c.rtmp->accept_play(now_, play->stream, c.out);
            begin_player(c);
        } else if (const auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
            remember(media->message);
            for (const auto& player : connections_) {
                if (player->is_player && !player->is_dead) send(*player, media->message);
            }
        } else if (std::holds_alternative<rtmp::Closed>(event)) {
            write(c);
            c.is_dead = true;
        }
    }

    void begin_player(Connection& c) {
        c.is_player = true;
        for (const flv::Message& m : headers_) send(c, m);
        for (const flv::Message& m : gop_) send(c, m);
    }

    /// Metadata and sequence headers, and everything from the last key picture.
    void remember(const flv::Message& m) {
        const auto tag = m.kind == flv::MediaKind::kVideo ? flv::parse_video_tag(m.bytes())
                                                          : fail(Errc::kNotFound, "");
        if (m.kind == flv::MediaKind::kData || (tag && tag->is_sequence_header())) {
            headers_.push_back(m);
            return;
        }
        if (tag && tag->is_key_frame()) gop_.clear();
        gop_.push_back(m);
    }

    void send(Connection& c, const flv::Message& m) {
        if (c.out.send.size_bytes() > kMaxUnsent) {
            c.is_dead = true;
        } else if (c.is_flv) {
            writer_.write(m, m.timestamp_ms, c.out.send);
        } else {
            c.rtmp->send_media(c.stream, m, m.timestamp_ms, c.out);
        }
    }

    void write(Connection& c) {
        while (!c.out.send.empty()) {
            std::array<ByteView, kMaxViews> views;
            std::array<iovec, kMaxViews> vectors{};
            const std::size_t count = c.out.send.views(views);
            for (std::size_t i = 0; i < count; ++i) {
                vectors[i] = {const_cast<std::uint8_t*>(views[i].data()), views[i].size()};
            }
            msghdr message{};
            message.msg_iov = vectors.data();
            message.msg_iovlen = count;
            const ssize_t sent = sendmsg(c.fd, &message, MSG_NOSIGNAL);
            if (sent < 0) {
                c.is_dead = errno != EAGAIN && errno != EINTR;
                break;
            }
            c.out.send.consume(static_cast<std::size_t>(sent));
        }
        const bool waits = !c.out.send.empty();
        if (waits == c.is_waiting || c.is_dead) return;
        c.is_waiting = waits;
        epoll_event event{.events = EPOLLIN | (waits ? EPOLLOUT : 0u), .data = {.ptr = &c}};
        epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
    }

    int epoll_;
    std::array<int, 2> listeners_;
    Instant now_ = io::read_monotonic_clock();
    std::array<std::uint8_t, rtmp::kReadBudget> buffer_{};
    flv::StreamWriter writer_;
    std::vector<flv::Message> headers_;
    std::vector<flv::Message> gop_;
    std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace
}  // namespace parley

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: rtmp_relay_bench RTMP_PORT FLV_PORT\n");
        return 2;
    }
    std::signal(SIGTERM, [](int) { parley::g_stop = 1; });
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    const auto port = [&](int i) { return static_cast<std::uint16_t>(std::atoi(argv[i])); };
    parley::Relay(port(1), port(2)).run();
    return 0;
}

#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "support.h"

extern char** environ;  // posix_spawn wants it, no header has it

namespace parley::rtmp {

/// A program that is stopped when the test forgets it. Its output goes to a file.
class Child {
public:
    Child(const std::vector<std::string>& command, const std::string& output) {
        std::vector<char*> arguments;
        for (const std::string& part : command)
            arguments.push_back(const_cast<char*>(part.c_str()));
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(
            &actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        PARLEY_CHECK(
            posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) == 0);
        posix_spawn_file_actions_destroy(&actions);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    /// The exit code once it has ended.
    std::optional<int> exit_code() {
        if (!code_) {
            int status = 0;
            if (waitpid(pid_, &status, WNOHANG) == pid_) {
                code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
                pid_ = -1;
            }
        }
        return code_;
    }
    void interrupt() const {
        if (pid_ > 0) kill(pid_, SIGINT);
    }

private:
    pid_t pid_ = -1;
    std::optional<int> code_;
};

/// The smallest shell around ServerConnection: one thread, loopback, every publish goes to every
/// player.
class LoopbackServer {
public:
    LoopbackServer() {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        PARLEY_CHECK(bind(listener_, generic(&address), sizeof address) == 0);
        PARLEY_CHECK(listen(listener_, 16) == 0);
        socklen_t size = sizeof address;
        PARLEY_CHECK(getsockname(listener_, generic(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~LoopbackServer() {
        for (const auto& c : connections_) ::close(c->fd);
        ::close(listener_);
    }
    LoopbackServer(const LoopbackServer&) = delete;
    LoopbackServer& operator=(const LoopbackServer&) = delete;

    [[nodiscard]] std::string url(const std::string& path) const {
        return "rtmp://127.0.0.1:" + std::to_string(port_) + path;
    }
    /// Serves until `done`, or a deadline that only a broken server meets.
    bool run_until(const std::function<bool()>& done) {
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            turn();
        }
        return true;
    }

    std::vector<Event> events;            ///< of all connections, in order
    std::vector<flv::Message> published;  ///< audio, video and data of every publisher
    Bytes captured;                       ///< bytes of the first connection

private:
    struct Connection {
        Connection(int socket, Instant now) : fd(socket), core({}, Rng(7), now) {}
        int fd;
        ServerConnection core;
        Outputs out;
        MessageStreamId playing;
        std::optional<std::int64_t> first_ms;
        bool first = false;
        bool dead = false;
    };

    static sockaddr* generic(sockaddr_in* address) {
        return static_cast<sockaddr*>(static_cast<void*>(address));
    }
    static Instant now() { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }

    void turn() {
        std::vector<pollfd> fds{{listener_, POLLIN, 0}};
        for (const auto& c : connections_) {
            const int wanted =
                (c->core.read_budget() != 0 ? POLLIN : 0) | (c->out.send.empty() ? 0 : POLLOUT);
            fds.push_back({c->fd, static_cast<short>(wanted), 0});
        }
        poll(fds.data(), fds.size(), 20);
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            Connection& c = *connections_[i];
            if ((fds[i + 1].revents & (POLLIN | POLLHUP)) != 0) read(c);
            c.core.handle_timeout(now(), c.out);
        }
        if ((fds[0].revents & POLLIN) != 0) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            const int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            connections_.push_back(std::make_unique<Connection>(fd, now()));
            connections_.back()->first = connections_.size() == 1;
        }
        for (const auto& c : connections_) handle_events(*c);
        for (const auto& c : connections_) write(*c);
        std::erase_if(connections_, [](const auto& c) {
            if (!c->dead && !(c->core.is_closed() && c->out.send.empty())) return false;
            ::close(c->fd);
            return true;
        });
    }

    void read(Connection& c) {
        std::array<std::uint8_t, kReadBudget> memory{};
        const std::size_t budget = c.core.read_budget();
        if (budget == 0) return;
        const ssize_t size = ::read(c.fd, memory.data(), budget);
        if (size <= 0) {
            c.dead = true;
            c.core.close(now(), CloseReason::kEnded, c.out);
            return;
        }
        const ByteView bytes(memory.data(), static_cast<std::size_t>(size));
        if (c.first) captured.insert(captured.end(), bytes.begin(), bytes.end());
        c.core.handle_bytes(now(), bytes, c.out);
    }

    void handle_events(Connection& c) {
        while (!c.out.events.empty()) {
            for (Event& event : std::exchange(c.out.events, {})) {
                if (const auto* publish = std::get_if<PublishRequested>(&event)) {
                    c.core.accept_publish(now(), publish->stream, c.out);
                } else if (const auto* play = std::get_if<PlayRequested>(&event)) {
                    c.core.accept_play(now(), play->stream, c.out);
                    c.playing = play->stream;
                    for (const flv::Message& m : published) send(c, m);
                } else if (const auto* media = std::get_if<MediaMessage>(&event)) {
                    published.push_back(media->message);
                    for (const auto& player : connections_) {
                        if (player->playing.is_valid()) send(*player, media->message);
                    }
                } else if (std::holds_alternative<Unpublished>(event)) {
                    for (const auto& player : connections_) {
                        player->core.end_play(
                            now(), player->playing, {}, "The publisher left.", player->out);
                        if (player->playing.is_valid())
                            player->core.close(now(), CloseReason::kEnded, player->out);
                    }
                }
                events.push_back(std::move(event));
            }
        }
    }

    static void send(Connection& c, const flv::Message& m) {
        if (!c.first_ms) c.first_ms = m.timestamp_ms;
        c.core.send_media(c.playing, m, m.timestamp_ms - *c.first_ms, c.out);
    }

    static void write(Connection& c) {
        while (!c.out.send.empty() && !c.dead) {
            std::array<ByteView, 64> views;
            const std::size_t count = c.out.send.views(views);
            std::array<iovec, 64> vectors{};
            for (std::size_t i = 0; i < count; ++i) {
                vectors[i] = {const_cast<std::uint8_t*>(views[i].data()), views[i].size()};
            }
            msghdr message{};
            message.msg_iov = vectors.data();
            message.msg_iovlen = count;
            const ssize_t sent = sendmsg(c.fd, &message, MSG_NOSIGNAL);
            if (sent < 0) {
                c.dead = errno != EAGAIN;
                return;
            }
            c.out.send.consume(static_cast<std::size_t>(sent));
        }
    }

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace parley::rtmp

#include "io/framed_tcp.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "io/sockaddr.h"

namespace parley::io {
namespace {

constexpr std::size_t kLengthBytes = 2;
constexpr int kBacklog = 1'024;
constexpr int kMaxReadsPerEvent = 16;
constexpr int kMaxAcceptsPerEvent = 64;
constexpr Duration kSweepEvery = 1s;

std::uint64_t connection_key(std::uint32_t id) { return static_cast<std::uint64_t>(id) << 32; }

bool watch_fd(int epoll_fd, int operation, int fd, std::uint32_t events, std::uint64_t key) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return ::epoll_ctl(epoll_fd, operation, fd, &event) == 0;
}

}  // namespace

Result<FramedTcp> FramedTcp::listen(const UdpPort& udp, int epoll_fd, std::string& detail) {
    FramedTcp out;
    out.epoll_fd_ = epoll_fd;
    for (std::uint16_t i = 0; i < udp.sockets().size(); ++i) {
        const SocketAddress address = udp.sockets()[i].address;
        const int family = address.ip.is_v4() ? AF_INET : AF_INET6;
        Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!fd.is_open()) continue;
        const int on = 1;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        const KernelAddress kernel = to_kernel(address);
        if (::bind(fd.get(), kernel.get(), kernel.length) != 0 || ::listen(fd.get(), kBacklog) != 0 ||
            !watch_fd(epoll_fd, EPOLL_CTL_ADD, fd.get(), EPOLLIN, kTcpListenerKey + out.listeners_.size())) {
            detail = address.to_string() + ": " + std::strerror(errno);
            continue;
        }
        out.listeners_.push_back({std::move(fd), i, address});
    }
    if (out.listeners_.empty()) return fail(Errc::kSystem, "no TCP port to listen on");
    return out;
}

std::vector<SocketAddress> FramedTcp::addresses() const {
    std::vector<SocketAddress> out;
    out.reserve(listeners_.size());
    for (const Listener& l : listeners_) out.push_back(l.address);
    return out;
}

void FramedTcp::handle_event(Instant now,
                             std::uint64_t epoll_key,
                             std::uint32_t events,
                             const FrameHandler& on_frame) {
    if ((epoll_key >> 32) == 0) {
        const std::uint64_t index = epoll_key - kTcpListenerKey;
        if (index < listeners_.size()) accept_all(now, listeners_[index]);
        return;
    }
    const auto id = static_cast<std::uint32_t>(epoll_key >> 32);
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if ((events & EPOLLOUT) != 0) write(found->second);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(found->second, on_frame);
    if (!found->second.fd.is_open()) close(id);
}

void FramedTcp::accept_all(Instant now, const Listener& listener) {
    for (int i = 0; i < kMaxAcceptsPerEvent; ++i) {
        KernelAddress peer{};
        peer.length = sizeof peer.storage;
        Fd fd(::accept4(listener.fd.get(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd.is_open()) return;
        if (connections_.size() >= kMaxConnections) {
            ++stats_.refused;
            continue;
        }
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const std::uint32_t id = next_id_++;
        if (!watch_fd(epoll_fd_, EPOLL_CTL_ADD, fd.get(), EPOLLIN, connection_key(id))) continue;
        Connection c;
        c.fd = std::move(fd);
        c.path = {.remote = from_kernel(peer.storage), .connection = id, .socket = listener.socket};
        c.accepted_at = now;
        connections_.emplace(id, std::move(c));
        ++stats_.accepted;
        if (!next_sweep_) next_sweep_ = now + kSweepEvery;
    }
}

void FramedTcp::read(Connection& c, const FrameHandler& on_frame) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, 16 * 1024> buffer;
    for (int i = 0; i < kMaxReadsPerEvent; ++i) {
        // What is left of the last read comes first, so that frames are contiguous.
        const std::size_t kept = c.input.size();
        if (kept != 0) std::memcpy(buffer.data(), c.input.data(), kept);
        const ssize_t got = ::recv(c.fd.get(), buffer.data() + kept, buffer.size() - kept, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            c.fd.reset();
            return;
        }
        const std::size_t size = kept + static_cast<std::size_t>(got);
        std::size_t at = 0;
        while (size - at >= kLengthBytes) {
            const std::size_t length = load_u16(buffer.data() + at);
            if (length > kMaxFrame) {
                c.fd.reset();
                return;
            }
            if (size - at - kLengthBytes < length) break;
            on_frame(c.path, ByteView(buffer.data() + at + kLengthBytes, length));
            at += kLengthBytes + length;
        }
        c.input.assign(buffer.data() + at, buffer.data() + size);
        if (c.input.empty()) c.input.shrink_to_fit();
    }
}

void FramedTcp::send(std::uint32_t connection, ByteView frame) {
    const auto found = connections_.find(connection);
    if (found == connections_.end() || !found->second.fd.is_open()) return;
    Connection& c = found->second;
    if (c.output.size() - c.output_sent + frame.size() > kMaxQueuedBytes) {
        ++stats_.dropped_frames;
        return;
    }
    const std::array<std::uint8_t, 2> length{static_cast<std::uint8_t>(frame.size() >> 8),
                                             static_cast<std::uint8_t>(frame.size())};
    c.output.insert(c.output.end(), length.begin(), length.end());
    c.output.insert(c.output.end(), frame.begin(), frame.end());
    if (!c.wants_write) write(c);
}

void FramedTcp::write(Connection& c) {
    while (c.output_sent < c.output.size()) {
        const ssize_t sent = ::send(c.fd.get(), c.output.data() + c.output_sent,
                                    c.output.size() - c.output_sent, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) {
                // The owner of the event loop hears of it by the read side.
                ::shutdown(c.fd.get(), SHUT_RDWR);
                c.output.clear();
                c.output_sent = 0;
                return;
            }
            break;
        }
        c.output_sent += static_cast<std::size_t>(sent);
    }
    if (c.output_sent == c.output.size()) {
        c.output.clear();
        c.output_sent = 0;
    } else if (c.output_sent > kMaxQueuedBytes / 2) {
        c.output.erase(c.output.begin(), c.output.begin() + static_cast<std::ptrdiff_t>(c.output_sent));
        c.output_sent = 0;
    }
    const bool wants_write = !c.output.empty();
    if (wants_write != c.wants_write) {
        c.wants_write = wants_write;
        watch(c);
    }
}

void FramedTcp::watch(const Connection& c) const {
    const std::uint32_t events = EPOLLIN | (c.wants_write ? EPOLLOUT : 0U);
    watch_fd(epoll_fd_, EPOLL_CTL_MOD, c.fd.get(), events, connection_key(c.path.connection));
}

void FramedTcp::approve(std::uint32_t connection) {
    const auto found = connections_.find(connection);
    if (found != connections_.end()) found->second.approved = true;
}

void FramedTcp::handle_timeout(Instant now) {
    if (!next_sweep_ || *next_sweep_ > now) return;
    next_sweep_.reset();
    for (auto i = connections_.begin(); i != connections_.end();) {
        if (!i->second.approved && now - i->second.accepted_at >= kUnprovenFor) {
            ++stats_.expired;
            i = connections_.erase(i);
        } else {
            if (!i->second.approved) next_sweep_ = now + kSweepEvery;
            ++i;
        }
    }
}

std::optional<Instant> FramedTcp::next_deadline() const { return next_sweep_; }

}  // namespace parley::io

#include "io/tcp_socket.h"

#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/sockaddr.h"

namespace parley::io {
namespace {

constexpr int kListenBacklog = 1'024;

Errc to_errc(int error) {
    switch (error) {
        case EADDRINUSE:
            return Errc::kBusy;
        case EACCES:
            return Errc::kForbidden;
        default:
            return Errc::kSystem;
    }
}

}  // namespace

Result<ListeningSocket> listen_tcp(std::string_view host, std::uint16_t port) {
    Result<IpAddress> ip = IpAddress::parse(host);
    if (!ip) return fail(Errc::kMalformed, "not an IP address");
    const auto open = [](const IpAddress& address) {
        return Fd(::socket(
            address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    };
    Fd fd = open(*ip);
    if (!fd.is_open() && host == "::") {
        ip = IpAddress::v4(0);
        fd = open(*ip);
    }
    if (!fd.is_open()) return fail(Errc::kSystem, "socket");
    const int on = 1;
    const int off = 0;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!ip->is_v4()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    KernelAddress address = to_kernel({*ip, port});
    if (::bind(fd.get(), address.get(), address.length) != 0 ||
        ::listen(fd.get(), kListenBacklog) != 0) {
        return fail(to_errc(errno), errno == EADDRINUSE ? "port is in use" : "cannot listen");
    }
    address.length = sizeof address.storage;
    if (::getsockname(fd.get(), address.get(), &address.length) != 0)
        return fail(Errc::kSystem, "getsockname");
    return ListeningSocket{std::move(fd), from_kernel(address.storage).port};
}

std::optional<AcceptedSocket> accept_tcp(int listener) {
    KernelAddress peer{};
    peer.length = sizeof peer.storage;
    Fd fd(::accept4(listener, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.is_open()) return std::nullopt;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return AcceptedSocket{std::move(fd), from_kernel(peer.storage)};
}

IoResult read_tcp(int fd, MutableByteView into) {
    const ssize_t got = ::recv(fd, into.data(), into.size(), 0);
    if (got > 0) return {IoState::kDone, static_cast<std::size_t>(got)};
    if (got == 0) return {IoState::kEnded, 0};
    if (errno == EAGAIN || errno == EINTR) return {IoState::kBlocked, 0};
    return {IoState::kClosed, 0};
}

IoResult write_tcp(int fd, std::span<const ByteView> pieces) {
    constexpr std::size_t kMaxPieces = 64;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<iovec, kMaxPieces> parts;
    const std::size_t count = std::min(pieces.size(), kMaxPieces);
    for (std::size_t i = 0; i < count; ++i) {
        parts[i].iov_base = const_cast<std::uint8_t*>(pieces[i].data());
        parts[i].iov_len = pieces[i].size();
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {IoState::kDone, static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EINTR) return {IoState::kBlocked, 0};
    return {IoState::kClosed, 0};
}

void keep_alive_tcp(int fd) {
    const int on = 1;
    const int idle_seconds = 10;
    const int interval_seconds = 5;
    const int probes = 4;
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

}  // namespace parley::io

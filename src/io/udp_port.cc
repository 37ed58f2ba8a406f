#include "io/udp_port.h"

#include <netinet/udp.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "io/sockaddr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

namespace parley::io {
namespace {

constexpr int kSocketBufferBytes = 8 * 1024 * 1024;

Result<Fd> open_socket(const SocketAddress& address) {
    const bool four = address.ip.is_v4();
    Fd fd(::socket(four ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) return fail(Errc::kSystem, "socket");
    const int on = 1;
    if (!four) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    // The FORCE variants pass the system's limit when we may; the others take what it allows.
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBufferBytes, sizeof(int)) != 0) {
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof(int));
    }
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBufferBytes, sizeof(int)) != 0) {
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof(int));
    }
    const KernelAddress kernel = to_kernel(address);
    if (::bind(fd.get(), kernel.get(), kernel.length) != 0) {
        return fail(errno == EADDRINUSE ? Errc::kConflict : Errc::kSystem, "bind");
    }
    return fd;
}

/// A quarter of sockaddr_storage: a batch has many, and each is written for each send.
union InternetAddress {
    sockaddr_in four;
    sockaddr_in6 six;
};
socklen_t write_address(const SocketAddress& address, InternetAddress& out) {
    if (address.ip.is_v4()) {
        out.four = {};
        out.four.sin_family = AF_INET;
        out.four.sin_port = htons(address.port);
        std::memcpy(&out.four.sin_addr, address.ip.bytes.data() + 12, 4);
        return sizeof out.four;
    }
    out.six = {};
    out.six.sin6_family = AF_INET6;
    out.six.sin6_port = htons(address.port);
    std::memcpy(&out.six.sin6_addr, address.ip.bytes.data(), 16);
    return sizeof out.six;
}

std::uint16_t bound_port(int fd) {
    KernelAddress kernel{};
    kernel.length = sizeof kernel.storage;
    ::getsockname(fd, kernel.get(), &kernel.length);
    return from_kernel(kernel.storage).port;
}

}  // namespace

Result<UdpPort> UdpPort::bind(std::span<const IpAddress> addresses,
                              std::uint16_t port,
                              std::string& detail) {
    // With port 0 the first address picks a number that another address may not have free: try again.
    for (int attempt = 0;; ++attempt) {
        UdpPort out;
        std::uint16_t wanted = port;
        Error error{Errc::kSystem, "no address to bind"};
        for (const IpAddress& ip : addresses) {
            auto fd = open_socket({ip, wanted});
            if (!fd) {
                error = fd.error();
                detail = SocketAddress{ip, wanted}.to_string() + ": " + std::strerror(errno);
                // An address that went away, or IPv6 switched off, must not keep the others from serving.
                if (error.code != Errc::kConflict && addresses.size() > 1) continue;
                out.sockets_.clear();
                break;
            }
            wanted = bound_port(fd->get());
            out.sockets_.push_back({std::move(*fd), {ip, wanted}});
        }
        if (!out.sockets_.empty()) return out;
        if (port != 0 || attempt == 8) return tl::unexpected(error);
    }
}

std::size_t UdpPort::receive(std::uint16_t socket,
                             std::span<const MutableByteView> buffers,
                             std::span<Received> out,
                             Instant now,
                             WallTime wall) const {
    constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(timespec));
    const std::size_t count = std::min({buffers.size(), out.size(), kMaxBatch});
    // NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): filled as far as they are read
    std::array<mmsghdr, kMaxBatch> headers;
    std::array<iovec, kMaxBatch> vectors;
    std::array<sockaddr_storage, kMaxBatch> names;
    alignas(cmsghdr) std::array<std::array<std::uint8_t, kControlBytes>, kMaxBatch> controls;
    // NOLINTEND(cppcoreguidelines-pro-type-member-init)
    for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {buffers[i].data(), buffers[i].size()};
        headers[i] = {};
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_name = &names[i];
        headers[i].msg_hdr.msg_namelen = sizeof names[i];
        headers[i].msg_hdr.msg_control = controls[i].data();
        headers[i].msg_hdr.msg_controllen = kControlBytes;
    }
    const int got = ::recvmmsg(sockets_[socket].fd.get(), headers.data(), static_cast<unsigned>(count),
                               MSG_DONTWAIT, nullptr);
    if (got <= 0) return 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
        Received& r = out[i];
        r.from = from_kernel(names[i]);
        r.size = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ? 0 : headers[i].msg_len;
        r.at = now;
        for (cmsghdr* c = CMSG_FIRSTHDR(&headers[i].msg_hdr); c != nullptr;
             c = CMSG_NXTHDR(&headers[i].msg_hdr, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
            timespec stamp{};
            std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            const Duration age = wall.time_since_epoch() - std::chrono::seconds(stamp.tv_sec) -
                                 Duration(stamp.tv_nsec);
            // A wall clock that was just set makes nonsense of the age: use the turn's time then.
            if (age >= Duration::zero() && age < 1s) r.at = now - age;
        }
    }
    return static_cast<std::size_t>(got);
}

UdpBatch::UdpBatch() : arena_(kArenaBytes) { messages_.reserve(kMaxMessages); }

std::uint8_t* UdpBatch::reserve(const UdpPort& port, std::size_t size) {
    if (used_ + size > arena_.size() || messages_.size() == kMaxMessages) flush(port);
    return arena_.data() + used_;
}

void UdpBatch::commit(const UdpPort& port, const Path& to, std::size_t size, std::size_t segment_size) {
    if (size == 0 || to.socket >= port.sockets().size()) return;
    if (size > segment_size && !may_segment(to.remote)) {
        // One message for each datagram; the arena keeps them adjacent.
        for (std::size_t at = 0; at < size; at += segment_size) {
            // Send what is complete and go on behind it: the arena is not rewound here.
            if (messages_.size() == kMaxMessages) send_messages(port);
            const std::size_t part = std::min(segment_size, size - at);
            messages_.push_back({to, static_cast<std::uint32_t>(used_ + at),
                                 static_cast<std::uint32_t>(part), static_cast<std::uint16_t>(part)});
        }
    } else {
        messages_.push_back({to, static_cast<std::uint32_t>(used_), static_cast<std::uint32_t>(size),
                             static_cast<std::uint16_t>(segment_size)});
    }
    used_ += size;
}

void UdpBatch::flush(const UdpPort& port) {
    send_messages(port);
    used_ = 0;
}

void UdpBatch::send_messages(const UdpPort& port) {
    std::size_t begin = 0;
    for (std::size_t i = 1; i <= messages_.size(); ++i) {
        if (i == messages_.size() || messages_[i].to.socket != messages_[begin].to.socket) {
            send_run(port, begin, i);
            begin = i;
        }
    }
    messages_.clear();
}

void UdpBatch::send_run(const UdpPort& port, std::size_t begin, std::size_t end) {
    constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(std::uint16_t));
    // NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): filled as far as they are read
    std::array<mmsghdr, kMaxMessages> headers;
    std::array<iovec, kMaxMessages> vectors;
    std::array<InternetAddress, kMaxMessages> names;
    alignas(cmsghdr) std::array<std::array<std::uint8_t, kControlBytes>, kMaxMessages> controls;
    // NOLINTEND(cppcoreguidelines-pro-type-member-init)
    const int fd = port.sockets()[messages_[begin].to.socket].fd.get();
    const std::size_t count = end - begin;
    for (std::size_t i = 0; i < count; ++i) {
        const Message& m = messages_[begin + i];
        vectors[i] = {arena_.data() + m.offset, m.size};
        headers[i] = {};
        msghdr& h = headers[i].msg_hdr;
        h.msg_iov = &vectors[i];
        h.msg_iovlen = 1;
        h.msg_name = &names[i];
        h.msg_namelen = write_address(m.to.remote, names[i]);
        if (m.size > m.segment_size) {
            h.msg_control = controls[i].data();
            h.msg_controllen = kControlBytes;
            cmsghdr* c = CMSG_FIRSTHDR(&h);
            c->cmsg_level = IPPROTO_UDP;
            c->cmsg_type = UDP_SEGMENT;
            c->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
            std::memcpy(CMSG_DATA(c), &m.segment_size, sizeof m.segment_size);
        }
    }
    std::size_t done = 0;
    while (done < count) {
        const int sent = ::sendmmsg(fd, headers.data() + done, static_cast<unsigned>(count - done), 0);
        if (sent > 0) {
            for (std::size_t i = 0; i < static_cast<std::size_t>(sent); ++i) {
                const Message& m = messages_[begin + done + i];
                ++stats_.send_calls;
                stats_.datagrams += (m.size + m.segment_size - 1) / m.segment_size;
            }
            done += static_cast<std::size_t>(sent);
            continue;
        }
        if (errno == EINTR) continue;
        // The first message of the rest was refused; deal with it alone and go on behind it.
        const Message& m = messages_[begin + done];
        const bool segmented = m.size > m.segment_size;
        if (segmented && (errno == EIO || errno == EINVAL || errno == EMSGSIZE || errno == EOPNOTSUPP)) {
            ++stats_.gso_refused;
            if (refusers_.size() < kMaxRefusers) {
                refusers_.insert(m.to.remote);
            } else {
                gso_ = false;
            }
            send_single(fd, m);
        } else {
            stats_.dropped += (m.size + m.segment_size - 1) / m.segment_size;
        }
        ++done;
    }
}

void UdpBatch::send_single(int fd, const Message& message) {
    const KernelAddress name = to_kernel(message.to.remote);
    for (std::uint32_t at = 0; at < message.size; at += message.segment_size) {
        const std::size_t part = std::min<std::size_t>(message.segment_size, message.size - at);
        if (::sendto(fd, arena_.data() + message.offset + at, part, 0, name.get(), name.length) < 0) {
            ++stats_.dropped;
        } else {
            ++stats_.send_calls;
            ++stats_.datagrams;
        }
    }
}

}  // namespace parley::io

#include "io/client_hello.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace parley::io {
namespace {

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kMajorVersion = 3;
constexpr std::uint8_t kClientHello = 1;

/// epoll and poll tell of the socket when it holds this much, or has ended.
void wake_at(int fd, std::size_t size) {
    const int bytes = static_cast<int>(size);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

bool has_ended(int fd) {
    pollfd asked{fd, POLLRDHUP, 0};
    return ::poll(&asked, 1, 0) != 0;
}

}  // namespace

Result<std::size_t> client_hello_needs(ByteView bytes) {
    // The message may be cut into records anywhere, so its header is put together first.
    std::array<std::uint8_t, kMessageHeader> header{};
    std::size_t header_size = 0;
    std::size_t message = kMessageHeader;  ///< its size, as far as is known
    std::size_t promised = 0;              ///< of it, by the records so far
    std::size_t at = 0;
    while (promised < message) {
        if (at + kRecordHeader > kMaxClientHello) return fail(Errc::kTooLarge, "ClientHello");
        if (bytes.size() < at + kRecordHeader) return at + kRecordHeader;
        ByteReader in(bytes.subspan(at, kRecordHeader));
        const bool is_handshake = in.u8() == kHandshakeRecord && in.u8() == kMajorVersion;
        in.skip(1);
        const std::size_t size = in.u16();
        if (!is_handshake || size == 0) return fail(Errc::kMalformed, "not a TLS client");
        at += kRecordHeader;
        const ByteView body = bytes.subspan(at, std::min(size, bytes.size() - at));
        for (std::size_t i = 0; i < body.size() && header_size < kMessageHeader; ++i) {
            header[header_size++] = body[i];
        }
        at += size;
        promised += size;
        if (header_size != 0 && header[0] != kClientHello) {
            return fail(Errc::kMalformed, "not a ClientHello");
        }
        if (header_size == kMessageHeader) {
            message = kMessageHeader + (load_u32(header.data()) & 0xFF'FFFF);
            if (promised > message) return fail(Errc::kMalformed, "more than a ClientHello");
        }
        if (std::max(at, message) > kMaxClientHello) return fail(Errc::kTooLarge, "ClientHello");
        if (bytes.size() < at) return at;
    }
    return at;
}

HelloState look_for_client_hello(int fd) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, kMaxClientHello> memory;
    const ssize_t got = ::recv(fd, memory.data(), memory.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return HelloState::kWaiting;
    if (got <= 0) return HelloState::kRefused;
    const auto size = static_cast<std::size_t>(got);
    const Result<std::size_t> needs = client_hello_needs(ByteView(memory).first(size));
    if (!needs) return HelloState::kRefused;
    if (*needs <= size) {
        wake_at(fd, 1);
        return HelloState::kWhole;
    }
    if (has_ended(fd)) return HelloState::kRefused;
    wake_at(fd, *needs);
    return HelloState::kWaiting;
}

}  // namespace parley::io

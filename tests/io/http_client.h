#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace parley::io::testing {

/// A blocking TCP client that knows as much HTTP and WebSocket as the tests need, so that what is tested
/// and what tests it share no code. Every wait ends after `kPatienceMs` at the latest.
class TestClient {
public:
    static constexpr int kPatienceMs = 20'000;

    explicit TestClient(std::uint16_t port, int receive_buffer = 0) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer > 0) {
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        }
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    }
    ~TestClient() { close(); }
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] int fd() const { return fd_; }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// Appends what has arrived; false at the end of the stream, on a reset, or when patience ends.
    bool receive() {
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, kPatienceMs) <= 0) return false;
        char chunk[65536];
        const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
        if (got <= 0) return false;
        buffer_.append(chunk, static_cast<std::size_t>(got));
        return true;
    }
    /// Everything until the server closes.
    std::string read_all() {
        while (receive()) {
        }
        return std::move(buffer_);
    }

    struct Response {
        unsigned status = 0;
        std::string head;
        std::string body;
    };
    std::optional<Response> read_response(bool head_only = false) {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!receive()) return std::nullopt;
        }
        Response out;
        out.head = buffer_.substr(0, end + 4);
        buffer_.erase(0, end + 4);
        if (out.head.size() > 12) out.status = static_cast<unsigned>(std::stoul(out.head.substr(9, 3)));
        std::size_t size = 0;
        const std::size_t at = out.head.find("Content-Length: ");
        if (at != std::string::npos && !head_only) size = std::stoul(out.head.substr(at + 16));
        while (buffer_.size() < size) {
            if (!receive()) return std::nullopt;
        }
        out.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return out;
    }
    std::optional<Response> get(std::string_view target) {
        send("GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n");
        return read_response();
    }

    bool upgrade(std::string_view target) {
        send("GET " + std::string(target) +
             " HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        const auto response = read_response();
        // RFC 6455 section 1.3: the answer to the sample nonce.
        return response && response->status == 101 &&
               response->head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos;
    }
    static constexpr std::uint8_t kText = 1;
    static constexpr std::uint8_t kBinary = 2;
    static constexpr std::uint8_t kClose = 8;
    static constexpr std::uint8_t kPing = 9;
    static constexpr std::uint8_t kPong = 10;

    /// One masked frame (RFC 6455 section 5.2).
    static std::string frame(std::uint8_t opcode, std::string_view payload, bool fin = true) {
        std::string out;
        out += static_cast<char>((fin ? 0x80 : 0) | opcode);
        if (payload.size() < 126) {
            out += static_cast<char>(0x80 | payload.size());
        } else if (payload.size() < 65536) {
            out += static_cast<char>(0x80 | 126);
            out += static_cast<char>(payload.size() >> 8);
            out += static_cast<char>(payload.size());
        } else {
            out += static_cast<char>(0x80 | 127);
            for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
        }
        const char mask[4] = {0x12, 0x34, 0x56, 0x78};
        out.append(mask, 4);
        for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
        return out;
    }
    static std::string close_frame(std::uint16_t code) {
        const char payload[2] = {static_cast<char>(code >> 8), static_cast<char>(code)};
        return frame(kClose, std::string_view(payload, 2));
    }
    struct Frame {
        std::uint8_t opcode = 0;
        std::string payload;
        [[nodiscard]] int close_code() const {
            return payload.size() < 2 ? 0
                                      : load_u16(as_bytes_view(payload).data());
        }
    };
    std::optional<Frame> read_frame() {
        if (!need(2)) return std::nullopt;
        const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(buffer_[i]); };
        Frame out;
        out.opcode = byte(0) & 0x0f;
        std::size_t size = byte(1) & 0x7f;
        std::size_t header = 2;
        if (size == 126) {
            if (!need(4)) return std::nullopt;
            size = load_u16(as_bytes_view(buffer_).data() + 2);
            header = 4;
        } else if (size == 127) {
            if (!need(10)) return std::nullopt;
            size = load_u32(as_bytes_view(buffer_).data() + 6);
            header = 10;
        }
        if (!need(header + size)) return std::nullopt;
        out.payload = buffer_.substr(header, size);
        buffer_.erase(0, header + size);
        return out;
    }

private:
    bool need(std::size_t size) {
        while (buffer_.size() < size) {
            if (!receive()) return false;
        }
        return true;
    }

    int fd_ = -1;
    bool connected_ = false;
    std::string buffer_;
};

}  // namespace parley::io::testing

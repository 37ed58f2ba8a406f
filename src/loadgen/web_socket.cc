#include "loadgen/web_socket.h"

#include <openssl/evp.h>

#include <array>

#include "base/encoding.h"

namespace parley::loadgen {

std::string web_socket_accept(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<std::uint8_t, 20> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return base64_encode(digest, Base64Alphabet::kStandard);
}

void WebSocketClient::open(const SocketAddress& to, const Url& url, Callbacks callbacks) {
    callbacks_ = std::move(callbacks);
    std::array<std::uint8_t, 16> nonce{};
    for (auto& byte : nonce) byte = static_cast<std::uint8_t>(rng_.next_u32());
    key_ = base64_encode(nonce, Base64Alphabet::kStandard);
    request_ = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.authority() +
               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: " + key_ + "\r\nOrigin: http://" + url.authority() + "\r\n\r\n";
    connect(to);
}

void WebSocketClient::send_text(std::string_view text) { send_frame(Opcode::kText, text); }

void WebSocketClient::close() {
    if (open_) send_frame(Opcode::kClose, {});
    open_ = false;
    disconnect();
}

void WebSocketClient::on_closed(const char* why) {
    open_ = false;
    if (callbacks_.closed) callbacks_.closed(why);
}

void WebSocketClient::on_data() {
    if (!open_ && !take_handshake()) return;
    while (is_open() && take_frame()) {
    }
}

bool WebSocketClient::take_handshake() {
    const auto response = take_http_response(received_);
    if (!response) return false;
    if (response->status != 101 || response->header("sec-websocket-accept") != web_socket_accept(key_)) {
        disconnect();
        on_closed("WebSocket refused");
        return false;
    }
    open_ = true;
    if (callbacks_.opened) callbacks_.opened();
    return is_open();
}

bool WebSocketClient::take_frame() {
    ByteReader in(as_bytes_view(received_));
    const std::uint8_t first = in.u8();
    const std::uint8_t second = in.u8();
    std::uint64_t size = second & 0x7F;
    if (size == 126) size = in.u16();
    if (size == 127) size = in.u64();
    if (!in.ok() || in.remaining() < size) return false;
    const std::string payload(as_text_view(in.view(static_cast<std::size_t>(size))));
    received_.erase(0, in.offset());

    const auto opcode = static_cast<Opcode>(first & 0x0F);
    const bool final = (first & 0x80) != 0;
    if (opcode == Opcode::kPing) {
        send_frame(Opcode::kPong, payload);
    } else if (opcode == Opcode::kClose) {
        disconnect();
        on_closed("WebSocket closed by peer");
    } else if (opcode == Opcode::kText || opcode == Opcode::kContinuation) {
        message_ += payload;
        if (message_.size() > kMaxBuffered) {
            disconnect();
            on_closed("WebSocket message too long");
        } else if (final) {
            const std::string message = std::exchange(message_, {});
            if (callbacks_.text) callbacks_.text(message);
        }
    }
    return true;
}

void WebSocketClient::send_frame(Opcode opcode, std::string_view payload) {
    Bytes frame(14 + payload.size());
    ByteWriter out(frame);
    out.u8(static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(opcode)));
    if (payload.size() < 126) {
        out.u8(static_cast<std::uint8_t>(0x80 | payload.size()));
    } else if (payload.size() <= 0xFFFF) {
        out.u8(0x80 | 126);
        out.u16(static_cast<std::uint16_t>(payload.size()));
    } else {
        out.u8(0x80 | 127);
        out.u64(payload.size());
    }
    // RFC 6455 section 5.3: a client masks what it sends.
    std::array<std::uint8_t, 4> mask{};
    store_u32(mask.data(), rng_.next_u32());
    out.bytes(mask);
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(payload[i]) ^ mask[i % 4]));
    }
    send(out.written());
}

}  // namespace parley::loadgen

#include "loadgen/web_socket.h"

#include <array>

#include "base/encoding.h"
#include "websocket/frame.h"

namespace parley::loadgen {

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
    if (response->status != 101 || response->header("sec-websocket-accept") != websocket::accept_key(key_)) {
        disconnect();
        on_closed("WebSocket refused");
        return false;
    }
    open_ = true;
    if (callbacks_.opened) callbacks_.opened();
    return is_open();
}

bool WebSocketClient::take_frame() {
    const auto parsed = websocket::parse_frame_header(as_bytes_view(received_));
    if (!parsed || (*parsed && (*parsed)->header.payload_size > kMaxBuffered)) {
        disconnect();
        on_closed(parsed ? "WebSocket message too long" : parsed.error().what);
        return false;
    }
    if (!*parsed) return false;
    const websocket::FrameHeader& header = (*parsed)->header;
    const auto size = static_cast<std::size_t>(header.payload_size);
    if (received_.size() - (*parsed)->size < size) return false;
    const std::string payload = received_.substr((*parsed)->size, size);
    received_.erase(0, (*parsed)->size + size);

    switch (header.opcode) {
        case Opcode::kPing:
            send_frame(Opcode::kPong, payload);
            break;
        case Opcode::kPong:
        case Opcode::kBinary:
            break;
        case Opcode::kClose:
            disconnect();
            on_closed("WebSocket closed by peer");
            break;
        case Opcode::kText:
        case Opcode::kContinuation:
            message_ += payload;
            if (message_.size() > kMaxBuffered) {
                disconnect();
                on_closed("WebSocket message too long");
            } else if (header.is_final) {
                const std::string message = std::exchange(message_, {});
                if (callbacks_.text) callbacks_.text(message);
            }
            break;
    }
    return true;
}

void WebSocketClient::send_frame(Opcode opcode, std::string_view payload) {
    // RFC 6455 section 5.3: a client masks what it sends.
    std::array<std::uint8_t, 4> mask{};
    store_u32(mask.data(), rng_.next_u32());
    std::array<std::uint8_t, websocket::kMaxFrameHeader> head{};
    ByteWriter out(head);
    websocket::write_frame_header(out, {opcode, true, mask, payload.size()});
    Bytes frame = to_bytes(out.written());
    const std::size_t at = frame.size();
    const ByteView body = as_bytes_view(payload);
    frame.insert(frame.end(), body.begin(), body.end());
    websocket::apply_mask(mask, 0, MutableByteView(frame).subspan(at));
    send(frame);
}

}  // namespace parley::loadgen

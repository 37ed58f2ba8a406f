#include "server/stream_connection.h"

#include <algorithm>
#include <array>

namespace parley::server {
namespace {

constexpr std::string_view kFlvHeaders =
    "Access-Control-Allow-Origin: *\r\n"
    "Cache-Control: no-store\r\n";
/// The end of the stream is that of the connection: a player needs no more, and every tag goes out
/// as it lies in memory.
constexpr std::string_view kFlvOk =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: video/x-flv\r\n"
    "Connection: close\r\n";
constexpr std::string_view kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: ";
constexpr std::uint16_t kCloseNormal = 1000;
/// A client that pings and does not read gets no more answers beyond this.
constexpr std::size_t kMaxUnsentControl = 16 * 1024;

}  // namespace

StreamConnection::StreamConnection(io::TakenSocket socket, std::string_view websocket_key)
    : fd(std::move(socket.fd)), tls(std::move(socket.tls)) {
    if (websocket_key.empty()) return;
    websocket_ = std::make_unique<WebSocketSide>();
    websocket_->accept = websocket::accept_key(websocket_key);
}

io::IoResult StreamConnection::read(MutableByteView into) {
    return tls ? tls->read(into) : io::read_tcp(fd.get(), into);
}

io::IoResult StreamConnection::write(std::span<const ByteView> pieces) {
    if (handshake_due) return {io::IoState::kBlocked, 0};
    return tls ? tls->write(pieces) : io::write_tcp(fd.get(), pieces);
}

void StreamConnection::close_transport() {
    if (tls) tls->close();
}

void StreamConnection::append_frame_header(websocket::Opcode opcode, std::size_t payload_size) {
    std::array<std::uint8_t, websocket::kMaxFrameHeader> memory{};
    ByteWriter writer(memory);
    websocket::write_frame_header(writer, {opcode, true, std::nullopt, payload_size});
    out.send.append_copy(writer.written());
}

void StreamConnection::begin_flv(bool has_audio, bool has_video) {
    std::string head;
    if (websocket_) {
        head.append(kSwitching).append(websocket_->accept).append("\r\n").append(kFlvHeaders);
    } else {
        head.append(kFlvOk).append(kFlvHeaders);
    }
    head.append("\r\n");
    out.send.append_copy(as_bytes_view(head));
    if (websocket_) append_frame_header(websocket::Opcode::kBinary, flv::StreamWriter::kHeadSize);
    flv_.write_file_header(has_audio, has_video, out.send);
}

void StreamConnection::write_flv(const flv::Message& message, std::int64_t timestamp_ms) {
    if (!flv::StreamWriter::can_write(message)) return;
    if (websocket_) {
        append_frame_header(websocket::Opcode::kBinary, flv::StreamWriter::tag_size(message));
    }
    flv_.write(message, timestamp_ms, out.send);
}

void StreamConnection::refuse_flv(Errc why, std::string_view reason) {
    std::string body = R"({"error":")";
    body.append(reason).append("\"}");
    std::string answer = "HTTP/1.1 ";
    answer.append(why == Errc::kNotFound ? "404 Not Found" : "503 Service Unavailable")
        .append("\r\nContent-Type: application/json\r\nConnection: close\r\n")
        .append(kFlvHeaders)
        .append("Content-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n\r\n")
        .append(body);
    out.send.append_copy(as_bytes_view(answer));
}

void StreamConnection::end_flv(std::string_view reason) {
    if (!websocket_) return;
    std::array<std::uint8_t, websocket::kMaxControlPayload> memory{};
    ByteWriter writer(memory);
    writer.u16(kCloseNormal);
    writer.text(reason.substr(0, memory.size() - 2));
    append_frame_header(websocket::Opcode::kClose, writer.size());
    out.send.append_copy(writer.written());
}

bool StreamConnection::handle_flv_input(ByteView bytes) {
    if (!websocket_) return true;  // a player of HTTP has nothing more to say
    for (;;) {
        const auto control = websocket_->reader.next(bytes);
        if (!control) return false;
        if (!*control) return true;
        const ByteView payload = (*control)->payload;
        switch ((*control)->opcode) {
            case websocket::Opcode::kPing:
                if (out.send.size_bytes() > kMaxUnsentControl) break;
                append_frame_header(websocket::Opcode::kPong, payload.size());
                out.send.append_copy(payload);
                break;
            case websocket::Opcode::kClose:
                append_frame_header(websocket::Opcode::kClose,
                                    std::min<std::size_t>(payload.size(), 2));
                out.send.append_copy(payload.first(std::min<std::size_t>(payload.size(), 2)));
                return false;
            case websocket::Opcode::kPong:
            case websocket::Opcode::kContinuation:
            case websocket::Opcode::kText:
            case websocket::Opcode::kBinary:
                break;
        }
    }
}

bool StreamConnection::handle_flv_end_of_input() {
    if (websocket_) return false;
    // Nothing will tell us any more that the client's machine has gone, while there is nothing to
    // send.
    io::keep_alive_tcp(fd.get());
    return input_ended = true;
}

}  // namespace parley::server

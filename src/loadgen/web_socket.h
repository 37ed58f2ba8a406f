#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "loadgen/http_client.h"
#include "loadgen/tcp_client.h"
#include "websocket/frame.h"

namespace parley::loadgen {

/// Client side of a WebSocket (RFC 6455): text messages, pings answered, fragments put together. No
/// compression is offered.
class WebSocketClient final : public TcpClient {
public:
    struct Callbacks {
        std::function<void()> opened;
        std::function<void(std::string_view)> text;
        std::function<void(const char* why)> closed;
    };

    WebSocketClient(Loop& loop, Rng rng) : TcpClient(loop), rng_(rng) {}
    void open(const SocketAddress& to, const Url& url, Callbacks callbacks);
    void send_text(std::string_view text);
    /// Sends a close frame and leaves.
    void close();

private:
    using Opcode = websocket::Opcode;

    void on_connected() override { send(as_bytes_view(request_)); }
    void on_data() override;
    void on_closed(const char* why) override;
    /// False: the response refuses, and the connection is gone.
    bool take_handshake();
    bool take_frame();
    void send_frame(Opcode opcode, std::string_view payload);

    Rng rng_;
    Callbacks callbacks_;
    std::string request_;
    std::string key_;
    std::string message_;  ///< fragments so far
    bool open_ = false;
};

}  // namespace parley::loadgen

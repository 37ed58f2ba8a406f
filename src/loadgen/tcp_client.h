#pragma once

#include <string>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "io/fd.h"
#include "loadgen/loop.h"

namespace parley::loadgen {

/// One outgoing TCP connection with buffers on both sides; HTTP and WebSocket stand on it.
class TcpClient : public Loop::Handler {
public:
    /// What has been received and not understood yet may not grow beyond this; then the connection closes.
    static constexpr std::size_t kMaxBuffered = 4u << 20;

    explicit TcpClient(Loop& loop) : loop_(loop) {}
    ~TcpClient() override { disconnect(); }

    void connect(const SocketAddress& to);
    void send(ByteView bytes);
    void disconnect();
    [[nodiscard]] bool is_open() const { return fd_.is_open(); }

protected:
    virtual void on_connected() = 0;
    /// Takes what it understands off the front of `received_`.
    virtual void on_data() = 0;
    /// Once, when the other end closed or the connection failed; not after `disconnect`.
    virtual void on_closed(const char* why) = 0;

    std::string received_;

private:
    void handle_io(Instant now, bool readable, bool writable) final;
    void handle_timer(Instant) final {}
    void flush();
    void fail_with(const char* why);

    Loop& loop_;
    io::Fd fd_;
    Bytes to_send_;
    std::size_t sent_ = 0;
    bool connecting_ = false;
};

}  // namespace parley::loadgen

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/transport.h"
#include "io/fd.h"
#include "io/udp_port.h"

namespace parley::io {

/// ICE-TCP, passive side (RFC 6544): listeners and their connections, each carrying datagrams with a two-byte
/// length (RFC 4571). Everything of one worker's thread. A connection that has not been approved within
/// `kUnprovenFor` is closed; frames longer than `kMaxFrame` close theirs at once.
class FramedTcp {
public:
    static constexpr std::size_t kMaxFrame = 1'600;
    static constexpr std::size_t kMaxConnections = 16'384;
    static constexpr std::size_t kMaxQueuedBytes = 512 * 1024;
    static constexpr Duration kUnprovenFor = 10s;

    struct Stats {
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;         ///< over kMaxConnections
        std::uint64_t expired = 0;         ///< never proven
        std::uint64_t dropped_frames = 0;  ///< the peer reads too slowly
    };
    /// Borrowed bytes of one frame; valid during the call.
    using FrameHandler = std::function<void(const Path& from, ByteView frame)>;

    /// Listens on every socket's address of `udp`, so that `Path::socket` means the same in both. Sockets
    /// whose TCP port is taken are left out and named in `detail`.
    static Result<FramedTcp> listen(const UdpPort& udp, int epoll_fd, std::string& detail);

    [[nodiscard]] bool owns(std::uint64_t epoll_key) const { return (epoll_key >> 32) != 0; }
    [[nodiscard]] std::vector<SocketAddress> addresses() const;

    /// Handles readiness of one descriptor that was registered with `epoll_key`.
    void handle_event(Instant now, std::uint64_t epoll_key, std::uint32_t events, const FrameHandler& on_frame);
    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The connection carries a proven path and may stay.
    void approve(std::uint32_t connection);
    /// Queues one frame; drops it when the peer does not read.
    void send(std::uint32_t connection, ByteView frame);
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    struct Listener {
        Fd fd;
        std::uint16_t socket = 0;
        SocketAddress address;
    };
    struct Connection {
        Fd fd;
        Path path;
        Instant accepted_at;
        bool approved = false;
        bool wants_write = false;
        Bytes input;   // the start of a frame whose end has not come yet
        Bytes output;  // framed bytes that the kernel did not take
        std::size_t output_sent = 0;
    };
    void accept_all(Instant now, const Listener& listener);
    void read(Connection& connection, const FrameHandler& on_frame);
    void write(Connection& connection);
    void watch(const Connection& connection) const;
    void close(std::uint32_t id) { connections_.erase(id); }

    int epoll_fd_ = -1;
    std::vector<Listener> listeners_;
    std::unordered_map<std::uint32_t, Connection> connections_;
    std::uint32_t next_id_ = 1;
    std::optional<Instant> next_sweep_;
    Stats stats_;
};

/// Key under which listener `n` is registered with epoll; connections use their id shifted left by 32.
inline constexpr std::uint64_t kTcpListenerKey = 0xffff'0000;

}  // namespace parley::io

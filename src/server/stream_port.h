#pragma once

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "flv/stream.h"
#include "gateway/gateway.h"
#include "io/fd.h"
#include "rtmp/server_connection.h"
#include "server/stream_messages.h"

namespace parley::server {

struct StreamPortCounters {
    std::uint64_t connections = 0;  ///< now
    std::uint64_t accepted = 0;
    std::uint64_t refused_full = 0;  ///< closed at once: too many connections
    std::uint64_t timed_out = 0;     ///< handshake, connect or request did not come
    std::uint64_t malformed = 0;     ///< closed because of what the peer sent
    std::uint64_t rejected = 0;      ///< publish or play refused
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    gateway::GatewayCounters gateway;
    sfu::DelayHistogram player_delay;  ///< media arrived here to written for a player
};

/// One connection, of RTMP or of an HTTP-FLV player: socket and protocol. Belongs to one worker at
/// a time, or to control while that looks up its token.
class StreamConnection {
public:
    StreamConnection(io::Fd socket, Rng rng, Instant now)
        : fd(std::move(socket)), core(std::in_place, rtmp::ServerConfig{}, rng, now) {}
    /// HTTP-FLV: the request has been read, nothing was answered.
    explicit StreamConnection(io::Fd socket) : fd(std::move(socket)) {}

    io::Fd fd;
    std::optional<rtmp::ServerConnection> core;  ///< empty: HTTP-FLV
    rtmp::Outputs out;
    rtmp::MessageStreamId wire_stream;  ///< of the publish or play in hand
    StreamId stream;                    ///< 0: none in hand
    bool publishes = false;
    bool plays = false;
    flv::StreamWriter flv;
    std::optional<Instant> closing_since;
    std::uint32_t watched = 0;  ///< epoll events
};

/// The RTMP connections and HTTP-FLV players of one worker. It moves bytes between sockets and
/// `rtmp::ServerConnection` or `flv::StreamWriter`, media between those and the `gateway::Gateway`,
/// and questions to control. A player of HTTP-FLV comes from control's HTTP server with its
/// verdict.
class StreamPort {
public:
    /// Set in every epoll key of this class.
    static constexpr std::uint64_t kKeyFlag = std::uint64_t{1} << 63;
    static constexpr std::size_t kMaxConnections = 8'192;
    /// More than this waits in the player's queue, which knows what to drop.
    static constexpr std::size_t kMaxUnsent = 64 * 1024;
    /// A connection that is to be closed gets this long to read the reason.
    static constexpr Duration kCloseLinger = 1s;

    using Notify = std::function<void(StreamNotice)>;

    StreamPort(int epoll_fd, WorkerId worker, gateway::Gateway& gateway, Rng rng, Notify notify);
    ~StreamPort();
    StreamPort(const StreamPort&) = delete;
    StreamPort& operator=(const StreamPort&) = delete;

    /// Accepts from this socket, which other workers may share. Borrowed.
    bool watch_listener(int listener);

    void handle_event(Instant now, std::uint64_t key, std::uint32_t events, sfu::NodeOutputs& out);
    void handle_verdict(Instant now, NtpTime ntp, StreamVerdict verdict, sfu::NodeOutputs& out);
    void handle_ended(Instant now, const StreamEnded& ended);
    /// What the gateway has for connections and control; clears it.
    void handle_gateway(Instant now, gateway::GatewayOutputs& outputs);
    void handle_timeout(Instant now, sfu::NodeOutputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return next_sweep_; }

    [[nodiscard]] gateway::GatewayOutputs& outputs() { return outputs_; }
    [[nodiscard]] StreamPortCounters counters() const;

private:
    using Id = std::uint64_t;

    void accept_all(Instant now);
    Id add(std::shared_ptr<StreamConnection> connection);
    void read(Instant now, Id id, sfu::NodeOutputs& out);
    /// Carries out what the protocol said. False: the connection has gone (closed, or to control).
    bool process(Instant now, Id id, sfu::NodeOutputs& out);
    void ask(Id id,
             rtmp::MessageStreamId wire_stream,
             bool publishes,
             std::string_view app,
             std::string_view tc_url,
             std::string_view name,
             Instant now);
    static void refuse(Instant now, StreamConnection& connection, const StreamVerdict& verdict);
    static void begin_flv(StreamConnection& connection,
                          const std::vector<gateway::PlayTrack>& tracks);
    void stop_stream(StreamConnection& connection, bool tell);
    void feed_player(Instant now, StreamConnection& connection);
    /// False: the peer has gone.
    bool flush(Instant now, Id id);
    void watch(StreamConnection& connection, Id id);
    void drop(Id id);
    void sweep_soon(Instant now);

    int epoll_fd_;
    WorkerId worker_;
    gateway::Gateway& gateway_;
    Rng rng_;
    Notify notify_;
    int listener_ = -1;
    std::map<Id, std::shared_ptr<StreamConnection>> connections_;
    std::unordered_map<StreamId, Id> by_stream_;
    Id last_id_ = 0;
    std::uint64_t last_stream_ = 0;
    std::optional<Instant> next_sweep_;
    gateway::GatewayOutputs outputs_;
    StreamPortCounters counters_;
    std::vector<std::uint8_t> buffer_;
};

}  // namespace parley::server

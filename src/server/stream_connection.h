#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "flv/stream.h"
#include "io/fd.h"
#include "io/http_server.h"
#include "io/tcp_socket.h"
#include "io/tls_session.h"
#include "rtmp/server_connection.h"
#include "server/played_time.h"
#include "server/stream_messages.h"
#include "websocket/control_reader.h"

namespace parley::server {

/// One connection of RTMP, or of a player of FLV over HTTP or over a WebSocket: socket, TLS and
/// protocol. Belongs to one worker at a time, or to control while that looks up its token.
class StreamConnection {
public:
    enum class Tls : std::uint8_t { kNone, kExpected };

    StreamConnection(io::Fd socket, Tls with_tls, Rng rng, Instant now)
        : fd(std::move(socket)),
          handshake_due(with_tls == Tls::kExpected),
          core(std::in_place, rtmp::ServerConfig{}, rng, now) {}
    /// FLV: the request has been read, nothing was answered. `websocket_key` is that of its
    /// handshake; empty: plain HTTP.
    StreamConnection(io::TakenSocket socket, std::string_view websocket_key);

    // What the socket takes and gives, through TLS where there is some.
    io::IoResult read(MutableByteView into);
    io::IoResult write(std::span<const ByteView> pieces);
    /// Received bytes wait in TLS, of which no poller tells.
    [[nodiscard]] bool has_pending() const { return tls && !handshake_due && tls->has_pending(); }
    /// Says goodbye as the transport does it.
    void close_transport();

    // FLV.
    /// The answer to the request, and the file header.
    void begin_flv(bool has_audio, bool has_video);
    void write_flv(const flv::Message& message, std::int64_t timestamp_ms);
    /// An HTTP error; to be closed afterwards.
    void refuse_flv(Errc why, std::string_view reason);
    /// The end of the stream; to be closed afterwards.
    void end_flv(std::string_view reason);
    /// What the player says meanwhile. False: it wants to leave, or breaks the protocol; to be
    /// closed when `out.send` has gone.
    bool handle_flv_input(ByteView bytes);
    /// The player sends no more, and goes on to receive. False: this protocol has no such thing.
    bool handle_flv_end_of_input();

    io::Fd fd;
    std::unique_ptr<io::TlsSession> tls;
    bool handshake_due = false;    ///< TLS comes first; its session is made for a whole ClientHello
    bool waits_for_place = false;  ///< its ClientHello is there, but others shake hands
    std::optional<Instant> placed_at;  ///< counts against StreamPort::kMaxTlsPlaces
    bool input_ended = false;          ///< nothing is read any more
    /// TLS has to answer before it reads on, and the socket is full. Input would wake us in vain.
    bool reads_after_write = false;
    std::optional<rtmp::ServerConnection> core;  ///< empty: FLV
    rtmp::Outputs out;
    rtmp::MessageStreamId wire_stream;  ///< of the publish or play in hand
    StreamId stream;                    ///< 0: none in hand
    bool publishes = false;
    bool plays = false;
    sfu::OwnerRef owner;               ///< of the stream that is, or was last, in hand
    sfu::Traffic traffic;              ///< since the last report
    PlayedTime played;                 ///< the same
    std::uint64_t dropped_before = 0;  ///< frames of the player at the last report
    std::optional<Instant> closing_since;
    std::uint32_t watched = 0;  ///< epoll events

private:
    struct WebSocketSide {
        std::string accept;  ///< answer to the handshake
        websocket::ControlReader reader;
    };

    /// Of a frame whose payload the caller appends next.
    void append_frame_header(websocket::Opcode opcode, std::size_t payload_size);

    std::unique_ptr<WebSocketSide> websocket_;
    flv::StreamWriter flv_;
};

}  // namespace parley::server

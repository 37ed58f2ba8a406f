#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "flv/message.h"
#include "rtmp/events.h"
#include "rtmp/limits.h"

namespace parley::rtmp {

/// Status codes for `reject`, `end_play` and `end_publish`.
inline constexpr std::string_view kPublishBadName = "NetStream.Publish.BadName";
inline constexpr std::string_view kPublishWarning = "NetStream.Publish.Warning";
inline constexpr std::string_view kPublishDenied = "NetStream.Publish.Denied";
/// Of bad input and stalls, on message stream 0: before and after the answer to `connect`.
inline constexpr std::string_view kConnectRejected = "NetConnection.Connect.Rejected";
inline constexpr std::string_view kConnectClosed = "NetConnection.Connect.Closed";
inline constexpr std::string_view kPlayStreamNotFound = "NetStream.Play.StreamNotFound";
inline constexpr std::string_view kPlayFailed = "NetStream.Play.Failed";
inline constexpr std::string_view kPlayInsufficientBandwidth = "NetStream.Play.InsufficientBW";

struct ServerConfig {
    /// Of what we send. A message up to it goes out as one header and the shared payload.
    std::uint32_t chunk_size = 60'000;
    std::uint32_t window_ack_size = 5'000'000;
    std::uint32_t peer_bandwidth = 5'000'000;
    // A stall ends within 3 s, and the shell looks at the deadlines now and then only.
    Duration handshake_timeout =
        2800ms;  ///< from accept to a whole handshake, and from there to `connect`
    Duration request_timeout =
        2800ms;  ///< from `connect`, or the end of the last stream, to publish or play
    Duration decision_timeout = 2800ms;  ///< for the shell to accept or reject
    /// Without a byte from a publisher. iOS freezes a backgrounded publisher and ends it after
    /// about 36 s.
    Duration publisher_idle_timeout = 60s;
};

/// One accepted TCP connection of an encoder or a player (Adobe RTMP 1.0; enhanced RTMP v2 for what
/// is in the tags).
///
///   handshake ── connect ──► connected ── publish/play ──► deciding ── accept ──► streaming
///   (handle_bytes)               ▲                            │ reject: status, then closed
///                                └──── deleteStream, closeStream, FCUnpublish ◄────┘
///
/// Every state leads to closed: by a deadline, by bytes that the protocol forbids, by a bound, by
/// `close`. A client that opens several streams on one connection has each decided on its own.
class ServerConnection {
public:
    ServerConnection(const ServerConfig& config, Rng rng, Instant now);
    ~ServerConnection();
    ServerConnection(ServerConnection&&) noexcept;
    ServerConnection& operator=(ServerConnection&&) noexcept;

    /// Bytes as they come, in pieces of any size; ignored once closed.
    void handle_bytes(Instant now, ByteView bytes, Outputs& out);
    void handle_timeout(Instant now, Outputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// How much the shell may read for the next handle_bytes: 0 = leave it in the socket (a
    /// decision is due, or closed). More than that is taken too, but then the memory bound is the
    /// shell's to keep.
    [[nodiscard]] std::size_t read_budget() const;

    /// Sends `NetStream.Publish.Start`, then goes on with what the client sent meanwhile. Nothing
    /// happens when `stream` is not waiting for it.
    void accept_publish(Instant now, MessageStreamId stream, Outputs& out);
    /// Sends stream begin, `NetStream.Play.Reset` and `NetStream.Play.Start`; then send_media.
    void accept_play(Instant now, MessageStreamId stream, Outputs& out);
    /// An error status, then closed (kRejected).
    void reject(Instant now,
                MessageStreamId stream,
                std::string_view code,
                std::string_view description,
                Outputs& out);

    /// One message to a player: its header in own bytes, its payload shared. `timestamp_ms` stands
    /// in for that of the message (each player starts at 0). False, and nothing sent, while the
    /// stream does not play, is paused or does not receive that kind, and for an empty payload or
    /// one above 24 bits. Never allocates in steady state.
    bool send_media(MessageStreamId stream,
                    const flv::Message& message,
                    std::int64_t timestamp_ms,
                    Outputs& out);
    /// `NetStream.Play.UnpublishNotify`, `NetStream.Play.Stop` (or `code` instead, as an error) and
    /// stream end. The stream may be played anew on the same connection; close() ends that.
    void end_play(Instant now,
                  MessageStreamId stream,
                  std::string_view code,
                  std::string_view description,
                  Outputs& out);
    /// Tells a publisher what becomes of its stream; level `warning`, and it goes on.
    void warn(Instant now, MessageStreamId stream, std::string_view description, Outputs& out);
    /// Our end of a publish, such as a newer one in its place: an error status, then closed
    /// (kLocal).
    void end_publish(Instant now,
                     MessageStreamId stream,
                     std::string_view code,
                     std::string_view description,
                     Outputs& out);
    void close(Instant now, CloseReason reason, Outputs& out);

    [[nodiscard]] bool is_closed() const;
    /// A publish or play has been accepted.
    [[nodiscard]] bool is_authenticated() const;
    /// Bytes held: the object, unfinished messages, names, bytes that wait for a decision.
    [[nodiscard]] std::size_t memory_bytes() const;

    struct Stats {
        std::uint64_t bytes_received = 0;
        std::uint64_t messages_received = 0;
        std::uint64_t media_messages_received = 0;
        std::uint64_t media_messages_sent = 0;
        std::uint64_t unknown_messages = 0;    ///< types and commands that were passed over
        std::uint64_t acknowledged_bytes = 0;  ///< as the peer last told
        std::uint32_t buffer_length_ms = 0;    ///< as the player last told
    };
    [[nodiscard]] Stats stats() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::rtmp

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "base/transport.h"
#include "io/fd.h"
#include "io/tls_session.h"

namespace parley::io {

class EventLoop;
class TlsContext;

/// One open WebSocket. Never reused; an id of a closed socket finds nothing.
using WsId = StrongId<struct WsIdTag, std::uint64_t>;

struct HttpHeaderView {
    std::string_view name;
    std::string_view value;
};

/// A parsed request, borrowed for the call that gets it.
struct HttpRequestView {
    std::string_view method;
    std::string_view target;  ///< as received: path and query, not decoded
    std::vector<HttpHeaderView> headers;
    std::string_view body;
    SocketAddress remote;
    bool tls = false;

    /// The first header of this name (any case); empty when absent.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

class LateReply;

/// A connection that leaves the server. It does not block.
struct TakenSocket {
    Fd fd;  ///< closed: it could not be had
    std::unique_ptr<TlsSession> tls;  ///< null: plain TCP
};

struct HttpReply {
    unsigned status = 200;  ///< 100 to 999: the QNRTC API uses 6xx
    std::string reason;     ///< empty: the registered phrase, or "Status"
    /// Content-Length, Connection and Date are written by the server. A name or value with a line break
    /// is left out.
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::shared_ptr<const std::string> shared_body;  ///< instead of `body`, for cached files
    bool close = false;                              ///< close the connection afterwards
    bool without_length = false;  ///< to HEAD, of what has no length
    /// Set: the answer is not known yet, and everything else here means nothing.
    std::shared_ptr<LateReply> late;
    /// Set: the connection leaves the server, with nothing written and everything else here meaning nothing.
    /// Called once; with no socket if it has closed meanwhile. What the client sent beyond its request is lost.
    std::function<void(TakenSocket)> take_over;
};

/// An answer that comes later, on the loop's thread. The connection waits for it and takes no further request;
/// whoever made it has to complete it, at the latest when the server stops.
class LateReply {
public:
    void complete(HttpReply reply) {
        if (reply_) return;
        reply_ = std::move(reply);
        if (wake_) wake_();
    }

private:
    friend struct LateReplyAccess;
    std::optional<HttpReply> reply_;
    std::function<void()> wake_;
};

/// What the server does with requests. Everything is called on the loop's thread.
class HttpHandler {
public:
    virtual ~HttpHandler() = default;
    virtual HttpReply handle(const HttpRequestView& request) = 0;
    /// A WebSocket upgrade: nullopt accepts it, a reply refuses it, or takes the connection over before anything
    /// is answered.
    virtual std::optional<HttpReply> check_upgrade(const HttpRequestView& request) = 0;
    virtual void on_ws_open(WsId socket, const HttpRequestView& request) = 0;
    virtual void on_ws_text(WsId socket, std::string_view text) = 0;
    /// A binary message; its content is dropped.
    virtual void on_ws_binary(WsId socket) = 0;
    /// Comes once for each opened socket. `code` is the peer's close code; 1006 if it sent none.
    virtual void on_ws_closed(WsId socket, std::uint16_t code) = 0;
};

struct HttpLimits {
    std::size_t max_connections = 10'240;           ///< beyond: 503 and closed
    std::size_t max_header_bytes = 16 * 1024;       ///< beyond: 431
    std::size_t max_body_bytes = 1024 * 1024;       ///< beyond: 413
    std::size_t max_ws_message_bytes = 1024 * 1024; ///< beyond: close 1009
    std::size_t max_ws_queue_bytes = 2 * 1024 * 1024;  ///< unsent text of one socket; beyond: reset
    /// Bodies and messages that are half received, over all connections. Beyond: 503, or close 1013.
    std::size_t max_receiving_bytes = 256 * 1024 * 1024;
    /// Unsent WebSocket text over all connections; the socket that would pass it is reset.
    std::size_t max_sending_bytes = 512 * 1024 * 1024;
    Duration idle_timeout = 60s;    ///< between requests, and before the first
    Duration header_timeout = 10s;  ///< from the first byte of a request to the end of its headers; TLS too
    Duration body_timeout = 30s;
    Duration write_timeout = 30s;   ///< for each 64 KiB of a response
    Duration close_timeout = 5s;    ///< for the WebSocket closing handshake
    Duration sweep_interval = 500ms;  ///< how exact the timeouts are
};

struct HttpCounters {
    std::uint64_t connections = 0;  ///< now
    std::uint64_t websockets = 0;   ///< now
    std::uint64_t accepted = 0;
    std::uint64_t refused_full = 0;     ///< 503 because of max_connections
    std::uint64_t accept_errors = 0;    ///< out of file descriptors and the like
    std::uint64_t requests = 0;
    std::uint64_t taken_over = 0;       ///< connections that left, see HttpReply::take_over
    std::uint64_t bad_requests = 0;     ///< 400, 413 and 431 by the parser
    std::uint64_t timed_out = 0;
    std::uint64_t tls_failed = 0;
    std::uint64_t ws_messages_in = 0;
    std::uint64_t ws_messages_out = 0;
    std::uint64_t ws_bytes_in = 0;
    std::uint64_t ws_bytes_out = 0;
    std::uint64_t ws_slow_closed = 0;   ///< reset because of max_ws_queue_bytes or max_sending_bytes
    std::uint64_t handler_failed = 0;   ///< the handler threw; answered 500
    std::uint64_t receiving_bytes = 0;  ///< now, see max_receiving_bytes
    std::uint64_t sending_bytes = 0;    ///< now, see max_sending_bytes
};

enum class ListenMode : std::uint8_t {
    kPlain,
    kTls,
    kEither,  ///< the first byte of a connection decides: 0x16 is a TLS handshake
};

struct ListenConfig {
    std::string host;  ///< an IP literal; "::" takes IPv4 too
    std::uint16_t port = 0;  ///< 0: any free one
    ListenMode mode = ListenMode::kPlain;
};

/// HTTP/1.1 and WebSocket listeners on one event loop. The handler must outlive the server, and the server
/// belongs to the loop's thread (or is used before the loop runs).
class HttpServer {
public:
    HttpServer(EventLoop& loop, HttpHandler& handler, const HttpLimits& limits);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Binds and starts to accept; returns the port. kBusy: the port is taken; kForbidden: no right to
    /// bind it; kMalformed: not an address; kSystem: anything else.
    [[nodiscard]] Result<std::uint16_t> listen(const ListenConfig& config);
    /// For connections from now on; call it again to exchange the certificate.
    void use_tls(std::shared_ptr<const TlsContext> tls);

    /// Queues one text message. False: no such socket, or it is closing, or it is reset now because its
    /// queue is full.
    bool send(WsId socket, std::string text);
    /// Texts that wait in the socket's queue; 0 also when there is no such socket.
    [[nodiscard]] std::size_t pending_texts(WsId socket) const;
    /// Sends what is queued, then one close frame. Later calls for the socket do nothing.
    void close(WsId socket, std::uint16_t code, std::string_view reason);
    /// Drops the connection without a close frame.
    void abort(WsId socket);

    void stop_listening();
    /// Drops every connection; the handler hears nothing more.
    void stop();

    [[nodiscard]] HttpCounters counters() const;

    struct Impl;  // shared by the connections' coroutines; defined in http_connection.h

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace parley::io

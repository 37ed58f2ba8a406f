#pragma once

// Inside the io module only: what the plain and the TLS connections share.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/clock.h"
#include "io/event_loop.h"
#include "io/http_server.h"

namespace parley::io {

/// Text on its way to one WebSocket, and how it is to end.
struct WsQueue {
    explicit WsQueue(boost::asio::io_context& context) : wake(context) {
        wake.expires_at(boost::asio::steady_timer::time_point::max());
    }

    std::deque<std::string> texts;
    std::size_t bytes = 0;
    boost::asio::steady_timer wake;  ///< cancelled to say: look at the fields again
    bool closing = false;            ///< one close frame after the queued text
    std::uint16_t close_code = 1000;
    std::string close_reason;
    bool reader_done = false;
    bool writer_done = false;
};

/// One accepted socket. Lives in the frame of its coroutine; the server's table points to it meanwhile.
struct Connection {
    Connection(HttpServer::Impl& owner, boost::asio::ip::tcp::socket accepted);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void set_deadline(Duration from_now) { deadline = read_monotonic_clock() + from_now; }
    void clear_deadline() { deadline = Instant::max(); }
    /// Ends every pending operation. `reset` also throws away what the kernel has not sent yet.
    void drop(bool reset);

    HttpServer::Impl& server;
    std::uint64_t id;
    boost::asio::ip::tcp::socket socket;
    SocketAddress remote;
    bool tls = false;
    Instant deadline = Instant::max();
    std::size_t receiving_bytes = 0;  ///< our share of HttpCounters::receiving_bytes
    std::unique_ptr<WsQueue> ws;      ///< while a WebSocket is open
};

struct HttpServer::Impl {
    struct Listener {
        boost::asio::ip::tcp::acceptor acceptor;
        ListenMode mode;
    };

    Impl(EventLoop& event_loop, HttpHandler& http_handler, const HttpLimits& http_limits);

    /// False when the server as a whole holds too much half-received data.
    [[nodiscard]] bool account_receiving(Connection& connection, std::size_t bytes);
    void release_receiving(Connection& connection);
    void forget_queue(WsQueue& queue);

    /// The handler's answer; 500 if it throws, 503 after `stop`.
    HttpReply answer(const HttpRequestView& request);
    /// Carries out HttpReply::take_over; `connection` has no socket afterwards.
    void hand_over(Connection& connection,
                   std::unique_ptr<TlsSession> session,
                   const std::function<void(TakenSocket)>& taker);

    EventLoop& loop;
    boost::asio::io_context& context;
    HttpHandler* handler;  ///< null after `stop`
    const HttpLimits limits;
    HttpCounters counters;
    std::shared_ptr<const TlsContext> tls;
    std::vector<std::shared_ptr<Listener>> listeners;  ///< also held by their coroutines
    std::unordered_map<std::uint64_t, Connection*> connections;
    std::uint64_t last_id = 0;
    LoopTimer sweeper;
};

/// The server's side of a LateReply.
struct LateReplyAccess {
    static std::optional<HttpReply>& reply(LateReply& late) { return late.reply_; }
    static std::function<void()>& wake(LateReply& late) { return late.wake_; }
};

/// Bytes of a status line and headers. `keep_alive` decides the Connection header.
std::string format_reply_head(const HttpReply& reply, std::size_t body_size, bool keep_alive);
/// What the handler never hears of is answered as the API answers: JSON, with a request id.
HttpReply make_refusal(unsigned status, std::string_view text);

/// The conversation on a connected socket until it ends. Defined in http_plain.cc and http_tls.cc, the two
/// files that include Beast.
boost::asio::awaitable<void> serve_plain(std::shared_ptr<HttpServer::Impl> server, Connection& connection);
boost::asio::awaitable<void> serve_tls(std::shared_ptr<HttpServer::Impl> server, Connection& connection);

}  // namespace parley::io

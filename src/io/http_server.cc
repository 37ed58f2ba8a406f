#include "io/http_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <ctime>
#include <exception>

#include "io/http_connection.h"
#include "io/kernel_random.h"
#include "io/tls_context.h"

namespace parley::io {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
/// Connections beyond `max_connections` that are told 503 before they are closed.
constexpr std::size_t kMaxRefusing = 64;
constexpr Duration kAcceptRetry = 100ms;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

bool has_line_break(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

SocketAddress to_socket_address(const tcp::endpoint& endpoint) {
    SocketAddress out;
    out.port = endpoint.port();
    const asio::ip::address address = endpoint.address();
    if (address.is_v4()) {
        out.ip = IpAddress::v4(address.to_v4().to_uint());
    } else {
        const auto bytes = address.to_v6().to_bytes();
        std::copy(bytes.begin(), bytes.end(), out.ip.bytes.begin());
    }
    return out;
}

std::string_view reason_phrase(unsigned status) {
    switch (status) {
        case 100: return "Continue";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 409: return "Conflict";
        case 412: return "Precondition Failed";
        case 413: return "Payload Too Large";
        case 415: return "Unsupported Media Type";
        case 422: return "Unprocessable Entity";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        default: return "Status";
    }
}

std::string http_date() {
    const std::time_t now = static_cast<std::time_t>(unix_seconds(read_wall_clock()));
    static thread_local std::time_t cached_at = -1;
    static thread_local std::string cached;
    if (now != cached_at) {
        std::tm utc{};
        ::gmtime_r(&now, &utc);
        char text[64];
        const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        cached.assign(text, size);
        cached_at = now;
    }
    return cached;
}

/// Tells a client that there is no room, without letting it keep the connection.
asio::awaitable<void> refuse(std::shared_ptr<HttpServer::Impl> server, tcp::socket socket, bool tls_only) {
    Connection connection(*server, std::move(socket));
    connection.set_deadline(server->limits.close_timeout);
    if (tls_only) co_return;
    const HttpReply reply = make_refusal(503, "too many connections");
    const std::string bytes = format_reply_head(reply, reply.body.size(), false) + reply.body;
    auto [write_error, written] = co_await asio::async_write(connection.socket, asio::buffer(bytes), kTuple);
    if (write_error) co_return;
    boost::system::error_code ignored;
    connection.socket.shutdown(tcp::socket::shutdown_send, ignored);
    // Closing with unread input would reset the connection and take the answer with it.
    std::array<char, 4096> sink{};
    for (int reads = 0; reads < 16; ++reads) {
        auto [ec, got] = co_await connection.socket.async_read_some(asio::buffer(sink), kTuple);
        if (ec) co_return;
    }
}

asio::awaitable<void> serve(std::shared_ptr<HttpServer::Impl> server, tcp::socket socket, ListenMode mode) {
    Connection connection(*server, std::move(socket));
    boost::system::error_code ec;
    connection.socket.set_option(tcp::no_delay(true), ec);
    bool tls = mode == ListenMode::kTls;
    if (mode == ListenMode::kEither) {
        connection.set_deadline(server->limits.idle_timeout);
        auto [wait_error] = co_await connection.socket.async_wait(tcp::socket::wait_read, kTuple);
        if (wait_error) co_return;
        constexpr char kTlsHandshake = 0x16;
        char first = 0;
        const std::size_t got =
            connection.socket.receive(asio::buffer(&first, 1), tcp::socket::message_peek, ec);
        if (ec || got == 0) co_return;
        tls = first == kTlsHandshake;
    }
    if (!tls) {
        co_await serve_plain(server, connection);
    } else if (server->tls) {
        connection.tls = true;
        co_await serve_tls(server, connection);
    }
}

void log_nothing(std::exception_ptr) {}  // a connection that runs out of memory just ends

asio::awaitable<void> accept_connections(std::shared_ptr<HttpServer::Impl> server,
                                         std::shared_ptr<HttpServer::Impl::Listener> listener) {
    const ListenMode mode = listener->mode;
    asio::steady_timer retry(server->context);
    for (;;) {
        auto [ec, socket] = co_await listener->acceptor.async_accept(kTuple);
        // A connection may have been accepted before the server stopped listening, and be told after it.
        if (!listener->acceptor.is_open()) co_return;
        if (ec) {
            // Out of descriptors or memory: the queue stays in the kernel until others have closed.
            ++server->counters.accept_errors;
            retry.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(kAcceptRetry));
            co_await retry.async_wait(kTuple);
            if (!listener->acceptor.is_open()) co_return;
            continue;
        }
        ++server->counters.accepted;
        const std::size_t open = server->connections.size();
        if (open < server->limits.max_connections) {
            asio::co_spawn(server->context, serve(server, std::move(socket), mode), log_nothing);
            continue;
        }
        ++server->counters.refused_full;
        if (open < server->limits.max_connections + kMaxRefusing) {
            asio::co_spawn(
                server->context, refuse(server, std::move(socket), mode == ListenMode::kTls), log_nothing);
        }
    }
}

void sweep(HttpServer::Impl& server) {
    const Instant now = read_monotonic_clock();
    for (const auto& [id, connection] : server.connections) {
        if (connection->deadline > now) continue;
        connection->clear_deadline();
        ++server.counters.timed_out;
        connection->drop(false);
    }
    server.sweeper.arm(now + server.limits.sweep_interval);
}

}  // namespace

std::string_view HttpRequestView::header(std::string_view name) const {
    for (const HttpHeaderView& header : headers) {
        if (equal_ignoring_case(header.name, name)) return header.value;
    }
    return {};
}

std::string format_reply_head(const HttpReply& reply, std::size_t body_size, bool keep_alive) {
    const unsigned status = reply.status >= 100 && reply.status <= 999 ? reply.status : 500;
    std::string out;
    out.reserve(256);
    out += "HTTP/1.1 ";
    out += std::to_string(status);
    out += ' ';
    out += reply.reason.empty() || has_line_break(reply.reason) ? reason_phrase(status)
                                                                : std::string_view(reply.reason);
    out += "\r\nDate: ";
    out += http_date();
    for (const auto& [name, value] : reply.headers) {
        if (name.empty() || has_line_break(name) || has_line_break(value)) continue;
        out += "\r\n";
        out += name;
        out += ": ";
        out += value;
    }
    // RFC 9110 section 8.6: 1xx and 204 carry no Content-Length; that of 304 would be the file's.
    if (status >= 200 && status != 204 && status != 304 && !reply.without_length) {
        out += "\r\nContent-Length: ";
        out += std::to_string(body_size);
    }
    out += keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
    return out;
}

HttpReply make_refusal(unsigned status, std::string_view text) {
    HttpReply reply;
    reply.status = status;
    reply.headers.emplace_back("Content-Type", "application/json");
    reply.headers.emplace_back("X-Reqid", KernelSecretSource().alphanumeric(16));
    reply.body = R"({"error":")" + std::string(text) + R"("})";
    return reply;
}

Connection::Connection(HttpServer::Impl& owner, tcp::socket accepted)
    : server(owner), id(++owner.last_id), socket(std::move(accepted)) {
    boost::system::error_code ec;
    const tcp::endpoint endpoint = socket.remote_endpoint(ec);
    if (!ec) remote = to_socket_address(endpoint);
    server.connections.emplace(id, this);
    server.counters.connections = server.connections.size();
}

Connection::~Connection() {
    if (ws) server.forget_queue(*ws);
    server.release_receiving(*this);
    server.connections.erase(id);
    server.counters.connections = server.connections.size();
}

void Connection::drop(bool reset) {
    boost::system::error_code ignored;
    if (reset) socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

HttpServer::Impl::Impl(EventLoop& event_loop, HttpHandler& http_handler, const HttpLimits& http_limits)
    : loop(event_loop),
      context(event_loop.context()),
      handler(&http_handler),
      limits(http_limits),
      sweeper(event_loop, [this] { sweep(*this); }) {
    sweeper.arm(read_monotonic_clock() + limits.sweep_interval);
}

bool HttpServer::Impl::account_receiving(Connection& connection, std::size_t bytes) {
    if (counters.receiving_bytes + bytes > limits.max_receiving_bytes) return false;
    connection.receiving_bytes += bytes;
    counters.receiving_bytes += bytes;
    return true;
}

void HttpServer::Impl::release_receiving(Connection& connection) {
    counters.receiving_bytes -= connection.receiving_bytes;
    connection.receiving_bytes = 0;
}

void HttpServer::Impl::forget_queue(WsQueue& queue) {
    counters.sending_bytes -= queue.bytes;
    queue.bytes = 0;
    queue.texts.clear();
}

HttpReply HttpServer::Impl::answer(const HttpRequestView& request) {
    ++counters.requests;
    if (handler == nullptr) return make_refusal(503, "stopping");
    try {
        return handler->handle(request);
    } catch (const std::exception&) {
        ++counters.handler_failed;
        return make_refusal(500, "internal error");
    }
}

void HttpServer::Impl::hand_over(Connection& connection,
                                 std::unique_ptr<TlsSession> session,
                                 const std::function<void(TakenSocket)>& taker) {
    TakenSocket taken;
    boost::system::error_code ec;
    connection.socket.native_non_blocking(true, ec);
    if (!ec) taken.fd = Fd(connection.socket.release(ec));
    if (taken.fd.is_open()) {
        taken.tls = std::move(session);
        ++counters.taken_over;
    }
    try {
        taker(std::move(taken));
    } catch (const std::exception&) {
        ++counters.handler_failed;
    }
}

HttpServer::HttpServer(EventLoop& loop, HttpHandler& handler, const HttpLimits& limits)
    : impl_(std::make_shared<Impl>(loop, handler, limits)) {}

HttpServer::~HttpServer() { stop(); }

Result<std::uint16_t> HttpServer::listen(const ListenConfig& config) {
    boost::system::error_code ec;
    const asio::ip::address address = asio::ip::make_address(config.host, ec);
    if (ec) return fail(Errc::kMalformed, "listen address is not an IP address");
    const tcp::endpoint endpoint(address, config.port);

    tcp::acceptor acceptor(impl_->context);
    acceptor.open(endpoint.protocol(), ec);
    if (ec) return fail(Errc::kSystem, "cannot open a socket for this address family");
    acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (address.is_v6()) acceptor.set_option(asio::ip::v6_only(false), ec);
    acceptor.bind(endpoint, ec);
    if (ec == asio::error::address_in_use) return fail(Errc::kBusy, "port is taken");
    if (ec == asio::error::access_denied) return fail(Errc::kForbidden, "no permission to use this port");
    if (ec) return fail(Errc::kSystem, "cannot bind this address");
    acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec == asio::error::address_in_use) return fail(Errc::kBusy, "port is taken");
    if (ec) return fail(Errc::kSystem, "cannot listen on this address");
    const std::uint16_t port = acceptor.local_endpoint(ec).port();

    impl_->listeners.push_back(
        std::make_shared<Impl::Listener>(Impl::Listener{std::move(acceptor), config.mode}));
    asio::co_spawn(impl_->context, accept_connections(impl_, impl_->listeners.back()), log_nothing);
    return port;
}

void HttpServer::use_tls(std::shared_ptr<const TlsContext> tls) { impl_->tls = std::move(tls); }

bool HttpServer::send(WsId socket, std::string text) {
    const auto found = impl_->connections.find(socket.value);
    if (found == impl_->connections.end() || !found->second->ws) return false;
    Connection& connection = *found->second;
    WsQueue& queue = *connection.ws;
    if (queue.closing || queue.reader_done || !connection.socket.is_open()) return false;
    if (queue.bytes + text.size() > impl_->limits.max_ws_queue_bytes ||
        impl_->counters.sending_bytes + text.size() > impl_->limits.max_sending_bytes) {
        ++impl_->counters.ws_slow_closed;
        impl_->forget_queue(queue);
        connection.drop(true);
        return false;
    }
    queue.bytes += text.size();
    impl_->counters.sending_bytes += text.size();
    queue.texts.push_back(std::move(text));
    queue.wake.cancel();
    return true;
}

std::size_t HttpServer::pending_texts(WsId socket) const {
    const auto found = impl_->connections.find(socket.value);
    return found == impl_->connections.end() || !found->second->ws ? 0 : found->second->ws->texts.size();
}

void HttpServer::close(WsId socket, std::uint16_t code, std::string_view reason) {
    const auto found = impl_->connections.find(socket.value);
    if (found == impl_->connections.end() || !found->second->ws) return;
    WsQueue& queue = *found->second->ws;
    if (queue.closing) return;
    queue.closing = true;
    queue.close_code = code;
    // RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them the code.
    queue.close_reason = reason.substr(0, 123);
    found->second->set_deadline(impl_->limits.close_timeout);
    queue.wake.cancel();
}

void HttpServer::abort(WsId socket) {
    const auto found = impl_->connections.find(socket.value);
    if (found != impl_->connections.end()) found->second->drop(true);
}

void HttpServer::stop_listening() {
    for (const auto& listener : impl_->listeners) {
        boost::system::error_code ignored;
        listener->acceptor.close(ignored);
    }
    impl_->listeners.clear();
}

void HttpServer::stop() {
    stop_listening();
    impl_->handler = nullptr;
    impl_->sweeper.cancel();
    for (const auto& [id, connection] : impl_->connections) connection->drop(false);
}

HttpCounters HttpServer::counters() const { return impl_->counters; }

}  // namespace parley::io

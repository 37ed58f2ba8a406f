#include "io/tls_stream.h"
// After the stream, whose teardown it looks up.
#include "io/http_session.h"
#include "io/tls_context.h"

namespace parley::io {

boost::asio::awaitable<void> serve_tls(std::shared_ptr<HttpServer::Impl> server, Connection& connection) {
    connection.set_deadline(server->limits.header_timeout);
    // A session costs far more than a socket: none for a client that says nothing.
    auto [wait_error] = co_await connection.socket.async_wait(boost::asio::ip::tcp::socket::wait_read, session::kTuple);
    if (wait_error) co_return;
    auto session = TlsSession::accept(*server->tls, connection.socket.native_handle());
    if (!session) co_return;
    TlsStream stream(connection.socket, std::move(session));
    auto [ec] = co_await stream.async_handshake(session::kTuple);
    if (ec) {
        ++server->counters.tls_failed;
        co_return;
    }
    co_await session::serve_requests(server, connection, stream);
}

}  // namespace parley::io

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "io/http_session.h"
#include "io/tls_context.h"

namespace parley::io {

boost::asio::awaitable<void> serve_tls(std::shared_ptr<HttpServer::Impl> server, Connection& connection) {
    namespace ssl = boost::asio::ssl;
    const std::shared_ptr<const TlsContext> tls = server->tls;  // may be exchanged while we run
    ssl::stream<boost::asio::ip::tcp::socket&> stream(connection.socket, tls->native());
    connection.set_deadline(server->limits.header_timeout);
    auto [ec] = co_await stream.async_handshake(ssl::stream_base::server, session::kTuple);
    if (ec) {
        ++server->counters.tls_failed;
        co_return;
    }
    co_await session::serve_requests(server, connection, stream);
}

}  // namespace parley::io

#include "io/http_session.h"

namespace parley::io {

boost::asio::awaitable<void> serve_plain(std::shared_ptr<HttpServer::Impl> server, Connection& connection) {
    co_await session::serve_requests(server, connection, connection.socket);
}

}  // namespace parley::io

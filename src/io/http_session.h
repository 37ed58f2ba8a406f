#pragma once

// Included by http_plain.cc and http_tls.cc only: Beast takes more than a minute to compile.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <optional>

#include "io/http_connection.h"

namespace parley::io {
namespace session {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

inline constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
inline constexpr std::size_t kWriteChunk = 64 * 1024;
/// Input that is read and thrown away while a refused client takes its answer.
inline constexpr std::size_t kMaxDiscarded = 1024 * 1024;
/// A WebSocket's read buffer above this size is given back after each message.
inline constexpr std::size_t kKeptReadBuffer = 8 * 1024;

using Parser = http::request_parser<http::string_body>;

inline HttpRequestView view_of(const Connection& connection, const Parser& parser) {
    const auto& message = parser.get();
    HttpRequestView view;
    view.method = {message.method_string().data(), message.method_string().size()};
    view.target = {message.target().data(), message.target().size()};
    for (const auto& field : message) {
        view.headers.push_back({{field.name_string().data(), field.name_string().size()},
                                {field.value().data(), field.value().size()}});
    }
    view.body = message.body();
    view.remote = connection.remote;
    view.tls = connection.tls;
    return view;
}

/// The status for a request that the parser refused; nullopt: the peer went away, nothing to say.
inline std::optional<unsigned> status_of(const error_code& ec) {
    if (ec == http::error::end_of_stream || ec == http::error::partial_message) return std::nullopt;
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) return 431;
    if (ec == http::error::body_limit) return 413;
    if (ec.category() == http::make_error_code(http::error::bad_method).category()) return 400;
    return std::nullopt;
}

template <class Stream>
asio::awaitable<bool> write_reply(HttpServer::Impl& server,
                                  Connection& connection,
                                  Stream& stream,
                                  const HttpReply& reply,
                                  bool head_only,
                                  bool keep_alive) {
    const std::string_view body = reply.shared_body ? *reply.shared_body : reply.body;
    const std::string head = format_reply_head(reply, body.size(), keep_alive);
    const bool has_body = !head_only && reply.status != 204 && reply.status != 304;
    std::size_t at = has_body ? std::min(body.size(), kWriteChunk) : 0;
    const std::array<asio::const_buffer, 2> first{asio::buffer(head), asio::buffer(body.data(), at)};
    connection.set_deadline(server.limits.write_timeout);
    auto [head_error, head_size] = co_await asio::async_write(stream, first, kTuple);
    if (head_error) co_return false;
    while (has_body && at < body.size()) {
        const std::size_t size = std::min(body.size() - at, kWriteChunk);
        connection.set_deadline(server.limits.write_timeout);
        auto [ec, written] = co_await asio::async_write(stream, asio::buffer(body.data() + at, size), kTuple);
        if (ec) co_return false;
        at += size;
    }
    co_return true;
}

/// Says goodbye in a way that lets the last answer arrive: closing with unread input resets a connection.
template <class Stream>
asio::awaitable<void> finish(HttpServer::Impl& server, Connection& connection, Stream& stream) {
    connection.set_deadline(server.limits.close_timeout);
    if constexpr (requires { stream.async_shutdown(kTuple); }) {
        // However it ends, the socket is closed next.
        [[maybe_unused]] const auto [ignored] = co_await stream.async_shutdown(kTuple);
    }
    error_code ec;
    connection.socket.shutdown(tcp::socket::shutdown_send, ec);
    if (ec) co_return;
    std::array<char, 2048> sink{};
    std::size_t discarded = 0;
    while (discarded < kMaxDiscarded) {
        auto [read_error, got] = co_await connection.socket.async_read_some(asio::buffer(sink), kTuple);
        if (read_error) co_return;
        discarded += got;
    }
}

template <class Ws>
asio::awaitable<void> write_texts(HttpServer::Impl& server, Connection& connection, Ws& ws) {
    WsQueue& queue = *connection.ws;
    for (;;) {
        if (queue.reader_done) break;
        if (queue.texts.empty()) {
            if (queue.closing) break;
            co_await queue.wake.async_wait(kTuple);
            continue;
        }
        const std::string text = std::move(queue.texts.front());
        queue.texts.pop_front();
        auto [ec, written] = co_await ws.async_write(asio::buffer(text), kTuple);
        // A reset has already forgotten the whole queue, this text included.
        const std::size_t counted = std::min(queue.bytes, text.size());
        queue.bytes -= counted;
        server.counters.sending_bytes -= counted;
        if (ec) {
            connection.drop(false);
            break;
        }
        ++server.counters.ws_messages_out;
        server.counters.ws_bytes_out += text.size();
    }
    if (queue.closing && !queue.reader_done && connection.socket.is_open()) {
        // The reader, which is still waiting, takes the peer's close frame.
        const websocket::close_reason reason(static_cast<websocket::close_code>(queue.close_code),
                                             queue.close_reason);
        auto [ec] = co_await ws.async_close(reason, kTuple);
        if (ec) connection.drop(false);
    }
    queue.writer_done = true;
    queue.wake.cancel();
}

/// Returns the peer's close code.
template <class Ws>
asio::awaitable<std::uint16_t> read_texts(HttpServer::Impl& server, Connection& connection, Ws& ws) {
    constexpr std::uint16_t kNoStatus = 1005;  // RFC 6455 section 7.4.1: never in a frame
    constexpr std::uint16_t kAbnormal = 1006;
    WsQueue& queue = *connection.ws;
    const WsId id(connection.id);
    const auto end_with = [&queue, &connection, &server](std::uint16_t code) {
        if (queue.closing) return;
        queue.closing = true;
        queue.close_code = code;
        connection.set_deadline(server.limits.close_timeout);
        queue.wake.cancel();
    };
    bool closed_by_peer = false;
    ws.control_callback([&closed_by_peer, &connection, &server](websocket::frame_type kind, beast::string_view) {
        if (kind != websocket::frame_type::close) return;
        closed_by_peer = true;
        // The library answers and then waits for the end of the TCP stream, however long that takes.
        connection.set_deadline(server.limits.close_timeout);
    });
    // A little more than a message, because the library refuses the message itself with close code 1009.
    const std::size_t buffer_limit = server.limits.max_ws_message_bytes + 4096;
    beast::flat_buffer buffer(buffer_limit);
    for (;;) {
        auto [ec, got] = co_await ws.async_read_some(buffer, 0, kTuple);
        if (ec) {
            // The answer to our own close frame may be read by the closing operation, without the callback.
            if (ws.reason()) co_return ws.reason().code;
            co_return closed_by_peer ? kNoStatus : kAbnormal;
        }
        const bool done = ws.is_message_done();
        if (queue.closing) {
            buffer.clear();
            continue;
        }
        if (!done && !server.account_receiving(connection, got)) {
            end_with(1013);
            continue;
        }
        if (!done) continue;
        server.release_receiving(connection);
        ++server.counters.ws_messages_in;
        server.counters.ws_bytes_in += buffer.size();
        const std::string_view text(static_cast<const char*>(buffer.data().data()), buffer.size());
        if (server.handler != nullptr) {
            bool failed = false;
            try {
                if (ws.got_binary()) {
                    server.handler->on_ws_binary(id);
                } else {
                    server.handler->on_ws_text(id, text);
                }
            } catch (const std::exception&) {
                failed = true;
            }
            if (failed) {
                ++server.counters.handler_failed;
                end_with(1011);
            }
        }
        buffer.clear();
        if (buffer.capacity() > kKeptReadBuffer) buffer.shrink_to_fit();
    }
}

template <class Stream>
asio::awaitable<void> serve_websocket(std::shared_ptr<HttpServer::Impl> server,
                                      Connection& connection,
                                      Stream& stream,
                                      Parser& parser) {
    websocket::stream<Stream&, false> ws(stream);
    ws.read_message_max(server->limits.max_ws_message_bytes);
    ws.auto_fragment(false);
    ws.text(true);
    connection.set_deadline(server->limits.header_timeout);
    auto [ec] = co_await ws.async_accept(parser.get(), kTuple);
    if (ec || server->handler == nullptr) co_return;
    connection.clear_deadline();
    connection.ws = std::make_unique<WsQueue>(server->context);
    ++server->counters.websockets;
    const WsId id(connection.id);
    server->handler->on_ws_open(id, view_of(connection, parser));
    parser.release();

    asio::co_spawn(server->context, write_texts(*server, connection, ws), [](std::exception_ptr) {});
    const std::uint16_t code = co_await read_texts(*server, connection, ws);
    connection.ws->reader_done = true;
    connection.ws->wake.cancel();
    connection.drop(false);
    // The writer's frame refers to `ws` and to the connection.
    while (!connection.ws->writer_done) co_await connection.ws->wake.async_wait(kTuple);
    --server->counters.websockets;
    if (server->handler != nullptr) server->handler->on_ws_closed(id, code);
}

/// Waits without a buffer where that is possible, so that an idle connection costs little memory.
template <class Stream>
asio::awaitable<bool> wait_for_input(Connection& connection, Stream& stream, beast::flat_buffer& buffer) {
    if constexpr (std::is_same_v<Stream, tcp::socket>) {
        auto [ec] = co_await connection.socket.async_wait(tcp::socket::wait_read, kTuple);
        co_return !ec;
    } else {
        auto [ec, got] = co_await stream.async_read_some(buffer.prepare(2048), kTuple);
        buffer.commit(got);
        co_return !ec;
    }
}

inline asio::awaitable<HttpReply> wait_for_reply(HttpServer::Impl& server, std::shared_ptr<LateReply> late) {
    if (!LateReplyAccess::reply(*late)) {
        const auto timer = std::make_shared<asio::steady_timer>(server.context);
        timer->expires_at(asio::steady_timer::time_point::max());
        // Owned by the callback as well: the reply may outlive this coroutine.
        LateReplyAccess::wake(*late) = [timer] { timer->cancel(); };
        while (!LateReplyAccess::reply(*late)) {
            [[maybe_unused]] const auto [ec] = co_await timer->async_wait(kTuple);
        }
        LateReplyAccess::wake(*late) = nullptr;
    }
    HttpReply reply = std::move(*LateReplyAccess::reply(*late));
    reply.late = nullptr;
    co_return reply;
}

template <class Stream>
void hand_over(HttpServer::Impl& server, Connection& connection, Stream& stream, const HttpReply& reply) {
    std::unique_ptr<TlsSession> tls;
    if constexpr (requires { stream.release().reset(); }) tls = stream.release();
    server.hand_over(connection, std::move(tls), reply.take_over);
}

template <class Stream>
asio::awaitable<bool> serve_request(std::shared_ptr<HttpServer::Impl> server,
                                    Connection& connection,
                                    Stream& stream,
                                    beast::flat_buffer& buffer) {
    const HttpLimits& limits = server->limits;
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    parser.body_limit(limits.max_body_bytes);
    connection.set_deadline(limits.header_timeout);
    auto [header_error, header_size] = co_await http::async_read_header(stream, buffer, parser, kTuple);
    if (header_error) {
        if (const auto status = status_of(header_error)) {
            ++server->counters.bad_requests;
            co_await write_reply(*server, connection, stream, make_refusal(*status, "bad request"), false, false);
            co_await finish(*server, connection, stream);
        }
        co_return false;
    }
    // Anything but plain chunks would leave the body's end open, and what follows could be read as another
    // request (RFC 9112 section 6.3).
    const auto codings = parser.get().equal_range(http::field::transfer_encoding);
    if (codings.first != codings.second &&
        (std::next(codings.first) != codings.second || !beast::iequals(codings.first->value(), "chunked"))) {
        ++server->counters.bad_requests;
        co_await write_reply(*server, connection, stream, make_refusal(400, "bad request"), false, false);
        co_await finish(*server, connection, stream);
        co_return false;
    }
    if (websocket::is_upgrade(parser.get())) {
        const HttpRequestView view = view_of(connection, parser);
        std::optional<HttpReply> refusal;
        if (server->handler == nullptr) co_return false;
        if (buffer.size() != 0) {
            refusal = make_refusal(400, "data before the WebSocket handshake ended");
        } else {
            refusal = server->handler->check_upgrade(view);
        }
        if (!refusal) {
            co_await serve_websocket(server, connection, stream, parser);
            co_return false;
        }
        if (refusal->take_over) {
            hand_over(*server, connection, stream, *refusal);
            co_return false;
        }
        co_await write_reply(*server, connection, stream, *refusal, false, false);
        co_await finish(*server, connection, stream);
        co_return false;
    }
    if (!parser.is_done()) {
        const std::size_t expected = parser.content_length() ? static_cast<std::size_t>(*parser.content_length())
                                                             : limits.max_body_bytes;
        if (!server->account_receiving(connection, expected)) {
            co_await write_reply(*server, connection, stream, make_refusal(503, "busy"), false, false);
            co_await finish(*server, connection, stream);
            co_return false;
        }
        connection.set_deadline(limits.body_timeout);
        if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
            static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
            auto [ec, written] =
                co_await asio::async_write(stream, asio::buffer(kContinue.data(), kContinue.size()), kTuple);
            if (ec) co_return false;
        }
        auto [body_error, body_size] = co_await http::async_read(stream, buffer, parser, kTuple);
        server->release_receiving(connection);
        if (body_error) {
            if (const auto status = status_of(body_error)) {
                ++server->counters.bad_requests;
                co_await write_reply(*server, connection, stream, make_refusal(*status, "bad request"),
                                     false, false);
                co_await finish(*server, connection, stream);
            }
            co_return false;
        }
    }
    HttpReply reply = server->answer(view_of(connection, parser));
    if (reply.late) {
        connection.clear_deadline();
        reply = co_await wait_for_reply(*server, reply.late);
    }
    if (reply.take_over) {
        hand_over(*server, connection, stream, reply);
        co_return false;
    }
    const bool keep_alive = parser.get().keep_alive() && !reply.close && server->handler != nullptr;
    const bool head_only = parser.get().method() == http::verb::head;
    if (!co_await write_reply(*server, connection, stream, reply, head_only, keep_alive)) co_return false;
    if (!keep_alive) co_await finish(*server, connection, stream);
    co_return keep_alive;
}

template <class Stream>
asio::awaitable<void> serve_requests(std::shared_ptr<HttpServer::Impl> server,
                                     Connection& connection,
                                     Stream& stream) {
    const std::size_t buffer_limit = server->limits.max_header_bytes + 64 * 1024;
    beast::flat_buffer buffer(buffer_limit);
    for (;;) {
        if (buffer.size() == 0) {
            buffer.shrink_to_fit();
            connection.set_deadline(server->limits.idle_timeout);
            if (!co_await wait_for_input(connection, stream, buffer)) co_return;
        }
        if (!co_await serve_request(server, connection, stream, buffer)) co_return;
    }
}

}  // namespace session
}  // namespace parley::io

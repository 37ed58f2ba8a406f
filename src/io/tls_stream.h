#pragma once

// Included by http_tls.cc only.

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "io/tls_session.h"

namespace parley::io {

/// A TlsSession as an asynchronous stream of Asio: it tries, and where that blocks it waits for the
/// socket. Asio's own stream keeps 70 KB of buffers for each connection and cannot give its session
/// away.
class TlsStream {
    using Socket = boost::asio::ip::tcp::socket;
    using ErrorCode = boost::system::error_code;

public:
    using next_layer_type = Socket;
    using executor_type = Socket::executor_type;

    TlsStream(Socket& socket, std::unique_ptr<TlsSession> session)
        : socket_(socket), session_(std::move(session)) {}

    executor_type get_executor() { return socket_.get_executor(); }
    next_layer_type& next_layer() { return socket_; }
    [[nodiscard]] TlsSession& session() { return *session_; }
    /// For whoever takes the socket over; nothing may be pending, and nothing else is called any
    /// more.
    std::unique_ptr<TlsSession> release() { return std::move(session_); }

    template <class Token>
    auto async_handshake(Token&& token) {
        return start<void(ErrorCode)>(
            [](TlsSession& session) {
                return IoResult{session.handshake(), 0};
            },
            std::forward<Token>(token));
    }
    template <class Token>
    auto async_shutdown(Token&& token) {
        return start<void(ErrorCode)>(
            [](TlsSession& session) {
                return IoResult{session.close(), 0};
            },
            std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        namespace asio = boost::asio;
        asio::mutable_buffer into;
        for (auto it = asio::buffer_sequence_begin(buffers);
             it != asio::buffer_sequence_end(buffers);
             ++it) {
            into = *it;
            if (into.size() != 0) break;
        }
        const MutableByteView bytes(static_cast<std::uint8_t*>(into.data()), into.size());
        return start<void(ErrorCode, std::size_t)>(
            [bytes](TlsSession& session) { return session.read(bytes); },
            std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        namespace asio = boost::asio;
        std::array<ByteView, kMaxPieces> pieces;
        std::size_t count = 0;
        for (auto it = asio::buffer_sequence_begin(buffers);
             it != asio::buffer_sequence_end(buffers);
             ++it) {
            const asio::const_buffer piece = *it;
            if (count == kMaxPieces) break;
            if (piece.size() != 0) {
                pieces[count++] =
                    ByteView(static_cast<const std::uint8_t*>(piece.data()), piece.size());
            }
        }
        return start<void(ErrorCode, std::size_t)>(
            [pieces, count](TlsSession& session) {
                return session.write(std::span(pieces.data(), count));
            },
            std::forward<Token>(token));
    }

private:
    static constexpr std::size_t kMaxPieces = 8;

    static ErrorCode error_of(IoState state) {
        if (state == IoState::kEnded) return boost::asio::error::eof;
        if (state == IoState::kClosed) return boost::asio::error::connection_reset;
        return {};
    }

    template <class Signature, class Step>
    struct Operation {
        TlsStream& stream;
        Step step;
        bool started = false;
        std::optional<IoResult> result;

        template <class Self>
        void operator()(Self& self, ErrorCode error = {}) {
            const bool first = !std::exchange(started, true);
            if (!result && !error) {
                // Whoever closed the socket may have given its number away.
                result = stream.socket_.is_open() ? step(*stream.session_)
                                                  : IoResult{IoState::kClosed, 0};
                if (result->state == IoState::kBlocked) {
                    result.reset();
                    const auto what =
                        stream.session_->waits_for_write() ? Socket::wait_write : Socket::wait_read;
                    stream.socket_.async_wait(what, std::move(self));
                    return;
                }
                // A completion never comes from inside the call that started it.
                if (first) return boost::asio::post(stream.get_executor(), std::move(self));
            }
            if (!error) error = error_of(result->state);
            if constexpr (std::is_same_v<Signature, void(ErrorCode)>) {
                self.complete(error);
            } else {
                self.complete(error, result ? result->bytes : 0);
            }
        }
    };

    template <class Signature, class Step, class Token>
    auto start(Step step, Token&& token) {
        return boost::asio::async_compose<Token, Signature>(
            Operation<Signature, Step>{*this, std::move(step), false, std::nullopt},
            token,
            socket_);
    }

    Socket& socket_;
    std::unique_ptr<TlsSession> session_;
};

/// The end of a WebSocket: of its TLS, then of its TCP stream. Found by Beast by its name.
template <class Handler>
void async_teardown(boost::beast::role_type role, TlsStream& stream, Handler&& handler) {
    if (stream.next_layer().is_open()) (void)stream.session().close();
    boost::beast::websocket::async_teardown(
        role, stream.next_layer(), std::forward<Handler>(handler));
}

}  // namespace parley::io

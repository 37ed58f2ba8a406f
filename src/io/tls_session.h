#pragma once

#include <openssl/types.h>

#include <memory>
#include <span>

#include "base/bytes.h"
#include "io/tcp_socket.h"
#include "io/tls_context.h"

namespace parley::io {

/// The server's side of TLS on a socket that does not block, for event loops of any kind: every
/// call does what can be done at once. It may move to another thread together with its socket.
class TlsSession {
public:
    /// `fd` is borrowed, and has to be open in every later call. Null: out of memory.
    static std::unique_ptr<TlsSession> accept(const TlsContext& context, int fd);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// Again after each kBlocked; kDone once, and then read and write.
    IoState handshake();
    [[nodiscard]] bool is_ready() const;
    /// At most one record. kEnded: the client said that it sends no more, or its TCP stream ended.
    IoResult read(MutableByteView into);
    /// At most one record. After kBlocked the next call has to begin with the same bytes.
    IoResult write(std::span<const ByteView> pieces);
    /// Tells the client that nothing more comes; what it sends is not waited for.
    IoState close();

    /// What the last kBlocked waits for: room to write, else something to read.
    [[nodiscard]] bool waits_for_write() const { return waits_for_write_; }
    /// Decrypted bytes wait here, of which no poller tells.
    [[nodiscard]] bool has_pending() const;

private:
    struct Deleter {
        void operator()(SSL* ssl) const;
    };
    explicit TlsSession(SSL* ssl) : ssl_(ssl) {}
    /// Of a call that returned `result`.
    IoState state_of(int result);

    std::unique_ptr<SSL, Deleter> ssl_;
    bool waits_for_write_ = false;
    bool failed_ = false;  ///< no further call on it is allowed
};

}  // namespace parley::io

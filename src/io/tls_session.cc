#include "io/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace parley::io {
namespace {

/// RFC 8446 section 5.1: what one record carries.
constexpr std::size_t kMaxRecord = 16 * 1024;

int descriptor_of(BIO* bio) {
    int fd = -1;
    std::memcpy(&fd, BIO_get_data(bio), sizeof fd);
    return fd;
}

int finish_transfer(BIO* bio, int retry_flag, ssize_t result, std::size_t& done) {
    BIO_clear_retry_flags(bio);
    if (result > 0) {
        done = static_cast<std::size_t>(result);
        return 1;
    }
    if (result < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    if (result == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return 0;
}

int read_socket(BIO* bio, char* into, std::size_t size, std::size_t* done) {
    const ssize_t got = ::recv(descriptor_of(bio), into, size, MSG_DONTWAIT);
    return finish_transfer(bio, BIO_FLAGS_READ, got, *done);
}

/// The library's own socket BIO writes without MSG_NOSIGNAL.
int write_socket(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
    const ssize_t sent = ::send(descriptor_of(bio), from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return finish_transfer(bio, BIO_FLAGS_WRITE, sent, *done);
}

long control_socket(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return 0;
}

int destroy_socket(BIO* bio) {
    delete static_cast<int*>(BIO_get_data(bio));
    return 1;
}

const BIO_METHOD* socket_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
        PARLEY_CHECK(made != nullptr);
        BIO_meth_set_read_ex(made, read_socket);
        BIO_meth_set_write_ex(made, write_socket);
        BIO_meth_set_ctrl(made, control_socket);
        BIO_meth_set_destroy(made, destroy_socket);
        return made;
    }();
    return method;
}

}  // namespace

void TlsSession::Deleter::operator()(SSL* ssl) const { SSL_free(ssl); }

TlsSession::~TlsSession() = default;

std::unique_ptr<TlsSession> TlsSession::accept(const TlsContext& context, int fd) {
    SSL* const ssl = SSL_new(context.native_handle());
    BIO* const bio = BIO_new(socket_method());
    if (ssl == nullptr || bio == nullptr) {
        SSL_free(ssl);
        BIO_free(bio);
        return nullptr;
    }
    BIO_set_data(bio, new int(fd));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    // Whoever writes gathers the bytes anew after each kBlocked.
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return std::unique_ptr<TlsSession>(new TlsSession(ssl));
}

IoState TlsSession::state_of(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_NONE:
            return IoState::kDone;
        case SSL_ERROR_WANT_READ:
            waits_for_write_ = false;
            return IoState::kBlocked;
        case SSL_ERROR_WANT_WRITE:
            waits_for_write_ = true;
            return IoState::kBlocked;
        case SSL_ERROR_ZERO_RETURN:
            return IoState::kEnded;
        default:
            failed_ = true;
            return IoState::kClosed;
    }
}

IoState TlsSession::handshake() {
    if (failed_) return IoState::kClosed;
    ERR_clear_error();
    const IoState state = state_of(SSL_do_handshake(ssl_.get()));
    return state == IoState::kEnded ? IoState::kClosed : state;
}

bool TlsSession::is_ready() const { return !failed_ && SSL_is_init_finished(ssl_.get()) == 1; }

IoResult TlsSession::read(MutableByteView into) {
    if (failed_) return {IoState::kClosed, 0};
    if (into.empty()) return {};
    ERR_clear_error();
    std::size_t got = 0;
    const IoState state = state_of(SSL_read_ex(ssl_.get(), into.data(), into.size(), &got));
    return {state, got};
}

IoResult TlsSession::write(std::span<const ByteView> pieces) {
    if (failed_) return {IoState::kClosed, 0};
    while (!pieces.empty() && pieces.front().empty()) pieces = pieces.subspan(1);
    if (pieces.empty()) return {};
    // One record for many pieces: a header alone would cost a record, and a call, of its own.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, kMaxRecord> gathered;
    ByteView record = pieces.front().first(std::min(pieces.front().size(), kMaxRecord));
    if (pieces.size() > 1 && record.size() < kMaxRecord) {
        std::size_t size = 0;
        for (const ByteView piece : pieces) {
            const std::size_t taken = std::min(piece.size(), gathered.size() - size);
            std::copy_n(piece.begin(), taken, gathered.begin() + static_cast<std::ptrdiff_t>(size));
            size += taken;
        }
        record = ByteView(gathered).first(size);
    }
    ERR_clear_error();
    std::size_t written = 0;
    const IoState state =
        state_of(SSL_write_ex(ssl_.get(), record.data(), record.size(), &written));
    return {state == IoState::kEnded ? IoState::kClosed : state, written};
}

IoState TlsSession::close() {
    if (failed_ || !is_ready()) return IoState::kClosed;
    ERR_clear_error();
    const int result = SSL_shutdown(ssl_.get());
    return result >= 0 ? IoState::kDone : state_of(result);
}

bool TlsSession::has_pending() const { return !failed_ && SSL_pending(ssl_.get()) > 0; }

}  // namespace parley::io

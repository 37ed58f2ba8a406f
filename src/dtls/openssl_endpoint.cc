// The real DTLS, over OpenSSL 3. The library reads its own clock for retransmission timers and its own random
// source, which is why it sits behind dtls::Endpoint.
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dtls/endpoint.h"

namespace parley::dtls {
namespace {

constexpr std::size_t kIpUdpOverhead = 28;
constexpr unsigned kFirstTimeoutUs = 100'000;
constexpr unsigned kMaxTimeoutUs = 1'600'000;
constexpr char kExporterLabel[] = "EXTRACTOR-dtls_srtp";  // RFC 5764 section 4.2
// GCM first: as server we choose by our own order.
constexpr char kSrtpProfiles[] = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80";
constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA";

template <auto kFree>
struct Deleter {
    template <class T>
    void operator()(T* p) const {
        kFree(p);
    }
};
using CtxPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Deleter<X509_free>>;

int accept_any_certificate(int /*ok*/, X509_STORE_CTX* /*store*/) { return 1; }

unsigned retransmit_timer(SSL* /*ssl*/, unsigned previous_us) {
    return previous_us == 0 ? kFirstTimeoutUs : std::min(previous_us * 2, kMaxTimeoutUs);
}

// ---- A BIO that keeps datagram borders: one write is one datagram, one read gives one datagram.

struct DatagramPipe {
    ByteView input;             // the datagram being handled, empty when read
    std::vector<Bytes>* output = nullptr;
};

int pipe_write(BIO* bio, const char* data, int size) {
    auto* pipe = static_cast<DatagramPipe*>(BIO_get_data(bio));
    if (pipe->output != nullptr) {
        const ByteView bytes = as_bytes_view({data, static_cast<std::size_t>(size)});
        pipe->output->push_back(to_bytes(bytes));
    }
    return size;
}

int pipe_read(BIO* bio, char* data, int size) {
    auto* pipe = static_cast<DatagramPipe*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (pipe->input.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const std::size_t count = std::min(pipe->input.size(), static_cast<std::size_t>(size));
    std::memcpy(data, pipe->input.data(), count);
    pipe->input = {};
    return static_cast<int>(count);
}

long pipe_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    switch (command) {
        case BIO_CTRL_FLUSH:
        case BIO_CTRL_DUP: return 1;
        case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: return kIpUdpOverhead;
        default: return 0;
    }
}

int pipe_create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD* pipe_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "parley datagrams");
        BIO_meth_set_write(m, pipe_write);
        BIO_meth_set_read(m, pipe_read);
        BIO_meth_set_ctrl(m, pipe_control);
        BIO_meth_set_create(m, pipe_create);
        return m;
    }();
    return method;
}

Result<Fingerprint> fingerprint_of(const X509* certificate) {
    Fingerprint out;
    unsigned size = 0;
    if (certificate == nullptr || X509_digest(certificate, EVP_sha256(), out.sha256.data(), &size) != 1 ||
        size != out.sha256.size()) {
        return fail(Errc::kInternal, "certificate digest");
    }
    return out;
}

class OpenSslEndpoint final : public Endpoint {
public:
    OpenSslEndpoint(SSL_CTX* ctx, const Config& config)
        : config_(config), ssl_(SSL_new(ctx)), pipe_(std::make_unique<DatagramPipe>()) {
        BIO* bio = BIO_new(pipe_method());
        BIO_set_data(bio, pipe_.get());
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU);
        SSL_set_mtu(ssl_.get(), static_cast<long>(config.mtu));
        DTLS_set_timer_cb(ssl_.get(), retransmit_timer);
        if (config.role == Role::kClient) {
            SSL_set_connect_state(ssl_.get());
        } else {
            SSL_set_accept_state(ssl_.get());
        }
    }

    void start(Instant now, Outputs& out) override {
        if (state_ != State::kIdle) return;
        state_ = State::kHandshaking;
        give_up_at_ = now + config_.handshake_timeout;
        step(now, out);
    }

    void handle_datagram(Instant now, ByteView datagram, Outputs& out) override {
        if (!ssl_ || state_ == State::kClosed) return;
        if (state_ == State::kIdle) start(now, out);
        pipe_->input = datagram;
        step(now, out);
        pipe_->input = {};
    }

    void handle_timeout(Instant now, Outputs& out) override {
        if (!ssl_ || state_ == State::kClosed) return;
        if (state_ == State::kHandshaking && now >= give_up_at_) {
            fail_with(FailReason::kTimeout, out);
            return;
        }
        if (retransmit_at_ && now >= *retransmit_at_) {
            pipe_->output = &out.datagrams;
            DTLSv1_handle_timeout(ssl_.get());
            ERR_clear_error();
            pipe_->output = nullptr;
            read_timer(now);
            // The library's clock may run a little behind the caller's: never ask for the same moment twice.
            if (retransmit_at_ && *retransmit_at_ <= now) retransmit_at_ = now + 10ms;
        }
    }

    [[nodiscard]] std::optional<Instant> next_deadline() const override {
        if (!ssl_ || state_ == State::kClosed || state_ == State::kIdle) return std::nullopt;
        if (state_ == State::kConnected) return retransmit_at_;
        return retransmit_at_ ? std::min(*retransmit_at_, give_up_at_) : give_up_at_;
    }

    void release_handshake_memory() override {
        if (state_ != State::kConnected || !ssl_) return;
        // The association's keys go with the object, so the goodbye is written now and kept for `close`.
        goodbye_.clear();
        pipe_->output = &goodbye_;
        SSL_shutdown(ssl_.get());
        pipe_->output = nullptr;
        ERR_clear_error();
        ssl_.reset();
        pipe_.reset();
        retransmit_at_.reset();
    }

    void close(Outputs& out) override {
        if (state_ == State::kConnected) {
            if (ssl_) {
                pipe_->output = &out.datagrams;
                SSL_shutdown(ssl_.get());
                pipe_->output = nullptr;
                ERR_clear_error();
            } else {
                for (Bytes& datagram : goodbye_) out.datagrams.push_back(std::move(datagram));
                goodbye_.clear();
            }
        }
        state_ = State::kClosed;
    }

private:
    enum class State : std::uint8_t { kIdle, kHandshaking, kConnected, kClosed };

    void step(Instant now, Outputs& out) {
        pipe_->output = &out.datagrams;
        ERR_clear_error();
        if (state_ == State::kHandshaking) {
            const int result = SSL_do_handshake(ssl_.get());
            if (result == 1) {
                finish(out);
            } else {
                const int error = SSL_get_error(ssl_.get(), result);
                if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
                    fail_with(FailReason::kHandshake, out);
                }
            }
        }
        if (state_ == State::kConnected) read_application_data(out);
        ERR_clear_error();
        if (pipe_) pipe_->output = nullptr;
        read_timer(now);
    }

    /// There is none in DTLS-SRTP; reading lets the library handle alerts and the peer's repeated flights.
    void read_application_data(Outputs& out) {
        std::array<std::uint8_t, 256> ignored{};
        const int got = SSL_read(ssl_.get(), ignored.data(), static_cast<int>(ignored.size()));
        if (got > 0) return;
        const int error = SSL_get_error(ssl_.get(), got);
        if (error == SSL_ERROR_ZERO_RETURN || (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0) {
            out.closed_by_peer = true;
            state_ = State::kClosed;
        }
    }

    void finish(Outputs& out) {
        const std::unique_ptr<X509, Deleter<X509_free>> peer(SSL_get1_peer_certificate(ssl_.get()));
        const auto fingerprint = fingerprint_of(peer.get());
        if (!fingerprint ||
            (config_.remote_fingerprint && !(*config_.remote_fingerprint == *fingerprint))) {
            fail_with(FailReason::kFingerprint, out);
            return;
        }
        const SRTP_PROTECTION_PROFILE* chosen = SSL_get_selected_srtp_profile(ssl_.get());
        if (chosen == nullptr) {
            fail_with(FailReason::kNoSrtpProfile, out);
            return;
        }
        Connected connected;
        connected.profile = static_cast<srtp::Profile>(chosen->id);
        connected.remote_fingerprint = *fingerprint;
        const std::size_t salt = srtp::salt_size(connected.profile);
        std::array<std::uint8_t, 2 * (16 + 14)> material{};
        if (SSL_export_keying_material(ssl_.get(), material.data(), 2 * (16 + salt), kExporterLabel,
                                       sizeof kExporterLabel - 1, nullptr, 0, 0) != 1) {
            fail_with(FailReason::kHandshake, out);
            return;
        }
        // RFC 5764 section 4.2: client key, server key, client salt, server salt.
        srtp::MasterKey client;
        srtp::MasterKey server;
        std::copy_n(material.data(), 16, client.key.data());
        std::copy_n(material.data() + 16, 16, server.key.data());
        std::copy_n(material.data() + 32, salt, client.salt.data());
        std::copy_n(material.data() + 32 + salt, salt, server.salt.data());
        OPENSSL_cleanse(material.data(), material.size());
        const bool is_client = config_.role == Role::kClient;
        connected.local = is_client ? client : server;
        connected.remote = is_client ? server : client;
        state_ = State::kConnected;
        out.connected = connected;
    }

    void fail_with(FailReason reason, Outputs& out) {
        state_ = State::kClosed;
        out.failed = Failed{reason};
    }

    void read_timer(Instant now) {
        retransmit_at_.reset();
        if (!ssl_) return;
        timeval left{};
        if (DTLSv1_get_timeout(ssl_.get(), &left) == 1) {
            retransmit_at_ = now + std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
        }
    }

    Config config_;
    State state_ = State::kIdle;
    SslPtr ssl_;
    std::unique_ptr<DatagramPipe> pipe_;
    Instant give_up_at_;
    std::optional<Instant> retransmit_at_;
    std::vector<Bytes> goodbye_;
};

class OpenSslFactory final : public Factory {
public:
    OpenSslFactory(CtxPtr ctx, Fingerprint fingerprint) : ctx_(std::move(ctx)), fingerprint_(fingerprint) {}
    [[nodiscard]] Fingerprint local_fingerprint() const override { return fingerprint_; }
    [[nodiscard]] std::unique_ptr<Endpoint> create(const Config& config) override {
        return std::make_unique<OpenSslEndpoint>(ctx_.get(), config);
    }

private:
    CtxPtr ctx_;
    Fingerprint fingerprint_;
};

CertPtr self_signed(EVP_PKEY* key) {
    CertPtr cert(X509_new());
    if (!cert) return nullptr;
    constexpr long kBackdate = 24L * 3600;
    constexpr long kValidity = 10L * 365 * 24 * 3600;
    X509_set_version(cert.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -kBackdate);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), kValidity);
    X509_set_pubkey(cert.get(), key);
    X509_NAME* name = X509_get_subject_name(cert.get());
    constexpr std::array<unsigned char, 7> kName{'p', 'a', 'r', 'l', 'e', 'y', 0};
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, kName.data(), 6, -1, 0);
    X509_set_issuer_name(cert.get(), name);
    if (X509_sign(cert.get(), key, EVP_sha256()) == 0) return nullptr;
    return cert;
}

}  // namespace

Result<std::unique_ptr<Factory>> create_openssl_factory() {
    const KeyPtr key(EVP_EC_gen("P-256"));
    if (!key) return fail(Errc::kInternal, "key generation");
    const CertPtr cert = self_signed(key.get());
    if (!cert) return fail(Errc::kInternal, "certificate");
    CtxPtr ctx(SSL_CTX_new(DTLS_method()));
    if (!ctx) return fail(Errc::kInternal, "SSL_CTX");
    SSL_CTX_set_min_proto_version(ctx.get(), DTLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx.get(), DTLS1_2_VERSION);
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any_certificate);
    SSL_CTX_set_mode(ctx.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx.get(), 1);
    const bool ready = SSL_CTX_set_cipher_list(ctx.get(), kCiphers) == 1 &&
                       SSL_CTX_set1_groups_list(ctx.get(), "X25519:P-256:P-384") == 1 &&
                       SSL_CTX_set_tlsext_use_srtp(ctx.get(), kSrtpProfiles) == 0 &&
                       SSL_CTX_use_certificate(ctx.get(), cert.get()) == 1 &&
                       SSL_CTX_use_PrivateKey(ctx.get(), key.get()) == 1;
    if (!ready) return fail(Errc::kInternal, "DTLS configuration");
    const auto fingerprint = fingerprint_of(cert.get());
    if (!fingerprint) return tl::unexpected(fingerprint.error());
    return std::unique_ptr<Factory>(std::make_unique<OpenSslFactory>(std::move(ctx), *fingerprint));
}

}  // namespace parley::dtls

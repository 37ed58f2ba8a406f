#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "srtp/session.h"

namespace parley::dtls {

/// RFC 5763 section 5: who sends the ClientHello.
enum class Role : std::uint8_t { kClient, kServer };

/// SHA-256 certificate fingerprint (RFC 8122 section 5).
struct Fingerprint {
    std::array<std::uint8_t, 32> sha256{};

    /// "AB:CD:…" in upper case, as SDP and the signalling protocol write it.
    [[nodiscard]] std::string to_string() const;
    /// Reads the colon-separated form, any case. `algorithm` must be "sha-256" (any case).
    static Result<Fingerprint> parse(std::string_view algorithm, std::string_view value);
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// What the handshake agreed on: SRTP keys for both directions (RFC 5764 section 4.2).
struct Connected {
    srtp::Profile profile{};
    srtp::MasterKey local;   ///< protects what we send
    srtp::MasterKey remote;  ///< protects what we receive
    Fingerprint remote_fingerprint;
};
enum class FailReason : std::uint8_t { kHandshake, kFingerprint, kTimeout, kNoSrtpProfile };
struct Failed {
    FailReason reason{};
};
struct ClosedByPeer {};

struct Outputs {
    std::vector<Bytes> datagrams;  ///< send in this order, each at most Config::mtu bytes
    std::optional<Connected> connected;
    std::optional<Failed> failed;
    bool closed_by_peer = false;

    void clear() {
        datagrams.clear();
        connected.reset();
        failed.reset();
        closed_by_peer = false;
    }
};

/// One DTLS 1.2 association over datagrams (RFC 6347, RFC 5764). An interface, because the real one sits on
/// a library with its own clock and random source; the simulator has a deterministic double.
class Endpoint {
public:
    virtual ~Endpoint() = default;
    /// The client sends its first flight; the server waits. Call once, when ICE has a proven pair.
    virtual void start(Instant now, Outputs& out) = 0;
    virtual void handle_datagram(Instant now, ByteView datagram, Outputs& out) = 0;
    virtual void handle_timeout(Instant now, Outputs& out) = 0;
    [[nodiscard]] virtual std::optional<Instant> next_deadline() const = 0;
    /// The peer cannot need our last flight again: gives back what only the handshake needed. Late handshake
    /// datagrams are ignored from now on; close_notify is still sent and understood where possible.
    virtual void release_handshake_memory() = 0;
    /// Sends close_notify once.
    virtual void close(Outputs& out) = 0;
};

struct Config {
    Role role = Role::kServer;
    /// Empty: any certificate is accepted (receive connections, protocol section 4.1).
    std::optional<Fingerprint> remote_fingerprint;
    std::size_t mtu = 1200;
    Duration handshake_timeout = 30s;
};

/// Makes endpoints that share one certificate (ECDSA P-256, self-signed, made at start).
class Factory {
public:
    virtual ~Factory() = default;
    [[nodiscard]] virtual Fingerprint local_fingerprint() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Endpoint> create(const Config& config) = 0;
};

/// The real one, over OpenSSL. Thread-safe for `create` once built.
Result<std::unique_ptr<Factory>> create_openssl_factory();

/// First byte of a datagram that belongs to DTLS (RFC 7983 section 7: 20 to 63).
inline bool is_dtls(ByteView datagram) {
    return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63;
}

}  // namespace parley::dtls

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace parley::srtp {

/// DTLS-SRTP protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
enum class Profile : std::uint16_t {
    kAes128CmHmacSha1_80 = 0x0001,
    kAeadAes128Gcm = 0x0007,
};

/// Bytes that protection adds at most: GCM tag (16) plus the SRTCP index (4).
inline constexpr std::size_t kMaxOverhead = 20;
/// Streams (SSRCs) remembered for each direction of a session; a packet of a further SSRC is refused.
inline constexpr std::size_t kMaxReceiveStreams = 128;

[[nodiscard]] std::size_t salt_size(Profile profile);      ///< 14 or 12 bytes
[[nodiscard]] std::size_t rtp_overhead(Profile profile);   ///< 10 or 16 bytes
[[nodiscard]] std::size_t rtcp_overhead(Profile profile);  ///< 14 or 20 bytes

/// One direction's master key and salt, as exported by DTLS (RFC 5764 section 4.2).
struct MasterKey {
    std::array<std::uint8_t, 16> key{};
    std::array<std::uint8_t, 14> salt{};  ///< the first `salt_size(profile)` bytes count
};

class Transform;

/// Which implementation carries the ciphers. `kAuto` takes ipsec-mb where the processor has AES-NI.
enum class Backend : std::uint8_t { kAuto, kIpsecMb, kOpenSsl };

/// Encrypts what we send on one transport (RFC 3711, RFC 7714). The caller counts packet indexes: it owns
/// the 64-bit extended sequence number of each stream, so no state for each SSRC lives here (except the
/// SRTCP index). One (ssrc, index) pair must never be used twice; the forwarding code guarantees it.
class Sender {
public:
    static Result<Sender> create(Profile profile, const MasterKey& master, Backend backend = Backend::kAuto);
    Sender(Sender&&) noexcept;
    Sender& operator=(Sender&&) noexcept;
    ~Sender();

    [[nodiscard]] Profile profile() const { return profile_; }

    /// Starts to load the keys into the processor's cache, for a `protect_rtp` that comes soon.
    void prefetch() const;

    /// Encrypts `payload` to `packet + header_size` and appends the tag. The RTP header with its extensions
    /// stands at `packet[0, header_size)` already and is authenticated. `payload` may be shared memory that
    /// is only read; it may also be exactly `packet + header_size` (in place). `packet` has room for
    /// `header_size + payload.size() + rtp_overhead()`. `index` is ROC << 16 | SEQ (48 bits).
    /// Returns the size of the protected packet. Never fails, never allocates.
    std::size_t protect_rtp(std::uint8_t* packet, std::size_t header_size, ByteView payload,
                            std::uint64_t index);

    /// Encrypts a compound RTCP packet of `size` bytes in place; `packet` has room for `rtcp_overhead()`
    /// more. Returns the protected size; 0 when the SRTCP index is used up (2^31 packets).
    std::size_t protect_rtcp(std::uint8_t* packet, std::size_t size);

private:
    Sender(Profile profile, std::unique_ptr<Transform> transform);

    Profile profile_;
    std::uint32_t next_srtcp_index_ = 0;
    std::unique_ptr<Transform> transform_;
};

struct UnprotectedRtp {
    std::size_t size = 0;     ///< bytes left in the packet, header included
    std::uint64_t index = 0;  ///< ROC << 16 | SEQ as estimated and authenticated (RFC 3711 section 3.3.1)
};

/// Authenticates and decrypts what a peer sends. Keeps rollover counter and a replay window (at least
/// 1,024 packets) for each SSRC, at most `kMaxReceiveStreams`; state changes only after authentication.
class Receiver {
public:
    static Result<Receiver> create(Profile profile, const MasterKey& master, Backend backend = Backend::kAuto);
    Receiver(Receiver&&) noexcept;
    Receiver& operator=(Receiver&&) noexcept;
    ~Receiver();

    /// In place. `header_size` is the RTP header with CSRCs and extension, as the parser found it.
    /// Errors: kTruncated, kBadIntegrity, kReplayed, kTooLarge (too many SSRCs).
    [[nodiscard]] Result<UnprotectedRtp> unprotect_rtp(MutableByteView packet, std::size_t header_size);

    /// In place; returns the size of the plain compound packet.
    [[nodiscard]] Result<std::size_t> unprotect_rtcp(MutableByteView packet);

    /// Forgets the stream, so that a long session that republishes does not run out of them.
    void forget(Ssrc ssrc);

private:
    struct Impl;
    explicit Receiver(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::srtp

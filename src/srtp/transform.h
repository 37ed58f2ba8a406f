#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "srtp/session.h"

namespace parley::srtp {

/// Session keys of one packet kind (RFC 3711 section 4.3.1). GCM uses 12 bytes of salt and no
/// authentication key.
struct SessionKeys {
    std::array<std::uint8_t, 16> cipher{};
    std::array<std::uint8_t, 14> salt{};
    std::array<std::uint8_t, 20> authentication{};
};
struct SessionKeySet {
    SessionKeys rtp;
    SessionKeys rtcp;
};

/// The AES-CM key derivation with a derivation rate of zero (RFC 3711 section 4.3, RFC 7714 section 11).
SessionKeySet derive_session_keys(Profile profile, const MasterKey& master);

inline constexpr std::size_t kMinRtpHeader = 12;
/// What SRTCP leaves in clear: the first header word and the sender's SSRC (RFC 3711 section 3.4).
inline constexpr std::size_t kRtcpClearHeader = 8;
inline constexpr std::size_t kSrtcpIndexSize = 4;
inline constexpr std::uint32_t kSrtcpEncryptedFlag = 0x8000'0000;
inline constexpr std::size_t kGcmTagSize = 16;
inline constexpr std::size_t kCmTagSize = 10;

/// Ciphers and packet layout of one direction, without counters and windows: what the session adds.
/// A packet's index comes from the caller. Sizes are the caller's responsibility.
class Transform {
public:
    virtual ~Transform() = default;
    Transform() = default;
    Transform(const Transform&) = delete;
    Transform& operator=(const Transform&) = delete;

    /// Writes ciphertext and tag behind the header; see `Sender::protect_rtp`.
    virtual void seal_rtp(std::uint8_t* packet, std::size_t header_size, ByteView payload,
                          std::uint64_t index) = 0;
    /// `packet` includes the tag. False: not authentic, and the bytes behind the header are undefined.
    virtual bool open_rtp(MutableByteView packet, std::size_t header_size, std::uint64_t index) = 0;
    /// `index` without the E flag; writes ciphertext, tag and index word.
    virtual void seal_rtcp(std::uint8_t* packet, std::size_t size, std::uint32_t index) = 0;
    /// `packet` includes tag and index word, whose E flag is set.
    virtual bool open_rtcp(MutableByteView packet, std::uint32_t index) = 0;
};

enum class Direction : std::uint8_t { kSeal, kOpen };

/// kUnsupported when the wanted back-end is not in this build or not in this processor.
Result<std::unique_ptr<Transform>> create_transform(Profile profile, const SessionKeySet& keys,
                                                    Direction direction, Backend backend);

std::unique_ptr<Transform> create_openssl_transform(Profile profile, const SessionKeySet& keys,
                                                    Direction direction);
/// Null when the processor (or this build) has no AES-NI and PCLMULQDQ.
std::unique_ptr<Transform> create_ipsec_mb_transform(Profile profile, const SessionKeySet& keys);

}  // namespace parley::srtp

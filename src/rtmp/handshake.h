#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/rng.h"
#include "flv/gather_list.h"

/// The RTMP handshake (Adobe RTMP 1.0 section 5.2), in its simple form and with digests, as Flash
/// players and some encoders demand it before they play H.264. RTMPE (version 6 and up) is refused.
namespace parley::rtmp {

inline constexpr std::size_t kHandshakePacketSize = 1536;
inline constexpr std::uint8_t kRtmpVersion = 3;

/// Where the digest of a handshake packet stands: its block comes after the key block (scheme 0) or
/// before it (scheme 1).
enum class DigestScheme : std::uint8_t { kKeyFirst, kDigestFirst };
enum class HandshakeSide : std::uint8_t { kClient, kServer };

using HandshakePacket = std::array<std::uint8_t, kHandshakePacketSize>;
using HandshakeDigest = std::array<std::uint8_t, 32>;

struct FoundDigest {
    DigestScheme scheme = DigestScheme::kKeyFirst;
    HandshakeDigest digest{};
};
/// Whether a C1 (`side` client) or S1 carries a valid digest. `packet` has kHandshakePacketSize
/// bytes.
[[nodiscard]] std::optional<FoundDigest> find_digest(ByteView packet, HandshakeSide side);
/// Puts the digest of `side` into a C1 or S1 that is otherwise complete; returns it.
HandshakeDigest put_digest(HandshakePacket& packet, DigestScheme scheme, HandshakeSide side);
/// Ends a C2 or S2 of `side` with the answer to the digest of the other side's packet.
void put_answer(HandshakePacket& packet, const HandshakeDigest& digest_of_peer, HandshakeSide side);

/// Our side of a connection that came in. Holds one packet while it waits for it, nothing
/// afterwards.
class ServerHandshake {
public:
    explicit ServerHandshake(Rng rng) : rng_(rng) {}

    /// Takes bytes from the front of `in`; true once the handshake is over and `in` begins with the
    /// first chunk. Errors: kMalformed (no RTMP), kUnsupported (RTMPE).
    [[nodiscard]] Result<bool> handle(ByteView& in, flv::GatherList& out);
    [[nodiscard]] std::size_t memory_bytes() const { return packet_.capacity(); }

private:
    enum class State : std::uint8_t { kVersion, kPacket, kAnswer, kDone };
    void answer(flv::GatherList& out);

    Rng rng_;
    State state_ = State::kVersion;
    Bytes packet_;
    std::size_t left_ = 0;
};

/// Our side of a connection that we made.
class ClientHandshake {
public:
    /// C0 and C1 go to `out` at once.
    ClientHandshake(Rng rng, bool with_digest, flv::GatherList& out);

    /// As ServerHandshake::handle.
    [[nodiscard]] Result<bool> handle(ByteView& in, flv::GatherList& out);

private:
    enum class State : std::uint8_t { kVersion, kPacket, kAnswer, kDone };

    Rng rng_;
    bool with_digest_;
    State state_ = State::kVersion;
    Bytes packet_;
    std::size_t left_ = 0;
};

}  // namespace parley::rtmp

#include "rtmp/handshake.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/encoding.h"

namespace parley::rtmp {
namespace {

constexpr std::size_t kBlockSize = 764;
constexpr std::size_t kFirstBlock = 8;
constexpr std::size_t kSecondBlock = kFirstBlock + kBlockSize;
constexpr std::size_t kDigestSize = 32;
constexpr std::size_t kOffsetRange = kBlockSize - 4 - kDigestSize;

// Both keys are published with every RTMP client; they authenticate nothing. The text part signs C1
// and S1, the whole signs C2 and S2.
constexpr std::string_view kClientText = "Genuine Adobe Flash Player 001";
constexpr std::string_view kServerText = "Genuine Adobe Flash Media Server 001";
constexpr std::array<std::uint8_t, 32> kCommonKey = {
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
    0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE};

std::string_view text_key(HandshakeSide side) {
    return side == HandshakeSide::kClient ? kClientText : kServerText;
}

HandshakeDigest hmac_sha256(ByteView key, ByteView message) {
    HandshakeDigest digest{};
    unsigned size = 0;
    PARLEY_CHECK(HMAC(EVP_sha256(),
                      key.data(),
                      static_cast<int>(key.size()),
                      message.data(),
                      message.size(),
                      digest.data(),
                      &size) != nullptr);
    return digest;
}

std::size_t digest_offset(ByteView packet, DigestScheme scheme) {
    const std::size_t block = scheme == DigestScheme::kKeyFirst ? kSecondBlock : kFirstBlock;
    const std::size_t sum = std::accumulate(packet.begin() + static_cast<std::ptrdiff_t>(block),
                                            packet.begin() + static_cast<std::ptrdiff_t>(block) + 4,
                                            std::size_t{0});
    return block + 4 + sum % kOffsetRange;
}

/// Over the packet without its 32 bytes of digest at `offset`.
HandshakeDigest compute_digest(ByteView packet, std::size_t offset, HandshakeSide side) {
    std::array<std::uint8_t, kHandshakePacketSize - kDigestSize> rest{};
    const ByteView before = packet.first(offset);
    const ByteView after = packet.subspan(offset + kDigestSize);
    std::copy(after.begin(), after.end(), std::copy(before.begin(), before.end(), rest.begin()));
    return hmac_sha256(as_bytes_view(text_key(side)), rest);
}

void fill_random(HandshakePacket& packet, std::size_t from, Rng& rng) {
    for (std::size_t i = from; i < packet.size(); ++i)
        packet[i] = static_cast<std::uint8_t>(rng.next_u64() >> 32);
}

/// Moves bytes from `in` until `packet` is whole.
bool gather_packet(Bytes& packet, ByteView& in) {
    const std::size_t take = std::min(kHandshakePacketSize - packet.size(), in.size());
    packet.insert(packet.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(take));
    in = in.subspan(take);
    return packet.size() == kHandshakePacketSize;
}

bool skip_bytes(std::size_t& left, ByteView& in) {
    const std::size_t take = std::min(left, in.size());
    in = in.subspan(take);
    left -= take;
    return left == 0;
}

Result<void> check_version(std::uint8_t version) {
    if (version == kRtmpVersion) return {};
    // 6 is RTMPE, 8 and 9 its successors.
    if (version > kRtmpVersion && version < 10) return fail(Errc::kUnsupported, "RTMPE");
    return fail(Errc::kMalformed, "RTMP version");
}

}  // namespace

std::optional<FoundDigest> find_digest(ByteView packet, HandshakeSide side) {
    PARLEY_CHECK(packet.size() == kHandshakePacketSize);
    for (const DigestScheme scheme : {DigestScheme::kKeyFirst, DigestScheme::kDigestFirst}) {
        const std::size_t offset = digest_offset(packet, scheme);
        const HandshakeDigest expected = compute_digest(packet, offset, side);
        if (constant_time_equal(expected, packet.subspan(offset, kDigestSize)))
            return FoundDigest{scheme, expected};
    }
    return std::nullopt;
}

HandshakeDigest put_digest(HandshakePacket& packet, DigestScheme scheme, HandshakeSide side) {
    const std::size_t offset = digest_offset(packet, scheme);
    const HandshakeDigest digest = compute_digest(packet, offset, side);
    std::copy(digest.begin(), digest.end(), packet.begin() + static_cast<std::ptrdiff_t>(offset));
    return digest;
}

void put_answer(HandshakePacket& packet,
                const HandshakeDigest& digest_of_peer,
                HandshakeSide side) {
    Bytes key = to_bytes(as_bytes_view(text_key(side)));
    key.insert(key.end(), kCommonKey.begin(), kCommonKey.end());
    const HandshakeDigest derived = hmac_sha256(key, digest_of_peer);
    constexpr std::size_t kSigned = kHandshakePacketSize - kDigestSize;
    const HandshakeDigest answer = hmac_sha256(derived, ByteView(packet).first(kSigned));
    std::copy(answer.begin(), answer.end(), packet.begin() + kSigned);
}

void ServerHandshake::answer(flv::GatherList& out) {
    HandshakePacket s1{};
    HandshakePacket s2{};
    fill_random(s1, 8, rng_);
    // A version of 0 says that the client knows only the simple form (section 5.2.3).
    const bool may_have_digest = load_u32(packet_.data() + 4) != 0;
    const std::optional<FoundDigest> found =
        may_have_digest ? find_digest(packet_, HandshakeSide::kClient) : std::nullopt;
    if (found) {
        store_u32(s1.data() + 4, 0x0405'0001);  // any server version that knows digests
        put_digest(s1, found->scheme, HandshakeSide::kServer);
        fill_random(s2, 0, rng_);
        put_answer(s2, found->digest, HandshakeSide::kServer);
    } else {
        std::copy(packet_.begin(), packet_.end(), s2.begin());
    }
    Bytes bytes{kRtmpVersion};
    bytes.reserve(1 + s1.size() + s2.size());
    bytes.insert(bytes.end(), s1.begin(), s1.end());
    bytes.insert(bytes.end(), s2.begin(), s2.end());
    const std::size_t size = bytes.size();
    out.append({}, flv::make_payload(std::move(bytes)), 0, size);
}

Result<bool> ServerHandshake::handle(ByteView& in, flv::GatherList& out) {
    if (state_ == State::kVersion) {
        if (in.empty()) return false;
        if (const Result<void> known = check_version(in[0]); !known)
            return tl::unexpected(known.error());
        in = in.subspan(1);
        packet_.reserve(kHandshakePacketSize);
        state_ = State::kPacket;
    }
    if (state_ == State::kPacket) {
        if (!gather_packet(packet_, in)) return false;
        answer(out);
        packet_ = Bytes();
        left_ = kHandshakePacketSize;
        state_ = State::kAnswer;
    }
    // What C2 says proves nothing: simple clients send anything, and digests use a published key.
    if (state_ == State::kAnswer && skip_bytes(left_, in)) state_ = State::kDone;
    return state_ == State::kDone;
}

ClientHandshake::ClientHandshake(Rng rng, bool with_digest, flv::GatherList& out)
    : rng_(rng), with_digest_(with_digest) {
    HandshakePacket c1{};
    fill_random(c1, 8, rng_);
    if (with_digest_) {
        store_u32(c1.data() + 4, 0x0A00'2D02);  // a Flash player that knows digests
        put_digest(c1, DigestScheme::kDigestFirst, HandshakeSide::kClient);
    }
    Bytes bytes{kRtmpVersion};
    bytes.insert(bytes.end(), c1.begin(), c1.end());
    out.append_copy(bytes);
}

Result<bool> ClientHandshake::handle(ByteView& in, flv::GatherList& out) {
    if (state_ == State::kVersion) {
        if (in.empty()) return false;
        if (const Result<void> known = check_version(in[0]); !known)
            return tl::unexpected(known.error());
        in = in.subspan(1);
        state_ = State::kPacket;
    }
    if (state_ == State::kPacket) {
        if (!gather_packet(packet_, in)) return false;
        HandshakePacket c2{};
        const std::optional<FoundDigest> found =
            with_digest_ ? find_digest(packet_, HandshakeSide::kServer) : std::nullopt;
        if (found) {
            fill_random(c2, 0, rng_);
            put_answer(c2, found->digest, HandshakeSide::kClient);
        } else {
            std::copy(packet_.begin(), packet_.end(), c2.begin());
        }
        out.append_copy(c2);
        packet_ = Bytes();
        left_ = kHandshakePacketSize;
        state_ = State::kAnswer;
    }
    if (state_ == State::kAnswer && skip_bytes(left_, in)) state_ = State::kDone;
    return state_ == State::kDone;
}

}  // namespace parley::rtmp

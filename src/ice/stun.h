#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"

/// STUN messages as ICE uses them (RFC 8489, RFC 8445 section 7.1).
namespace parley::ice {

inline constexpr std::uint32_t kMagicCookie = 0x2112'a442;
inline constexpr std::size_t kStunHeaderSize = 20;
/// Larger messages are refused: a check is about 100 bytes.
inline constexpr std::size_t kMaxStunSize = 1'400;

enum class StunType : std::uint16_t {
    kBindingRequest = 0x0001,
    kBindingIndication = 0x0011,
    kBindingSuccess = 0x0101,
    kBindingError = 0x0111,
};
enum class StunAttribute : std::uint16_t {
    kUsername = 0x0006,
    kMessageIntegrity = 0x0008,
    kErrorCode = 0x0009,
    kUnknownAttributes = 0x000a,
    kXorMappedAddress = 0x0020,
    kPriority = 0x0024,
    kUseCandidate = 0x0025,
    kSoftware = 0x8022,
    kFingerprint = 0x8028,
    kIceControlled = 0x8029,
    kIceControlling = 0x802a,
};
using TransactionId = std::array<std::uint8_t, 12>;

/// RFC 7983 section 7, with the magic cookie (RFC 8489 section 5).
[[nodiscard]] inline bool is_stun(ByteView datagram) {
    return datagram.size() >= kStunHeaderSize && datagram[0] <= 3 &&
           load_u32(datagram.data() + 4) == kMagicCookie;
}

/// A parsed message; texts and views borrow the bytes it was parsed from.
struct StunMessage {
    StunType type{};
    TransactionId transaction_id{};
    std::string_view username;
    std::optional<std::uint32_t> priority;
    std::optional<std::uint64_t> ice_controlling;
    std::optional<std::uint64_t> ice_controlled;
    std::optional<SocketAddress> xor_mapped_address;
    std::optional<std::uint16_t> error_code;
    bool use_candidate = false;
    /// First comprehension-required attribute that is not known (RFC 8489 section 14), or 0.
    std::uint16_t unknown_required = 0;
    /// Offset of MESSAGE-INTEGRITY, 0 when absent. What follows it, except FINGERPRINT, is ignored.
    std::size_t integrity_offset = 0;
    bool has_fingerprint = false;
    ByteView bytes;

    /// Checks MESSAGE-INTEGRITY with the short-term key (RFC 8489 section 14.5).
    [[nodiscard]] bool has_integrity(std::string_view password) const;
};

/// Errors: kTruncated, kMalformed, kBadCookie, kTooLarge, kUnsupported (type), kBadIntegrity (a FINGERPRINT
/// that is there but wrong).
Result<StunMessage> parse_stun(ByteView bytes);

/// USERNAME's part before the colon, which is the receiver's own ufrag; empty when there is none. Cheap:
/// looks at no other attribute and checks nothing.
std::string_view local_ufrag_of(ByteView message);

/// Writes one message into a bounded buffer.
class StunWriter {
public:
    StunWriter(StunType type, const TransactionId& transaction_id);
    void username(std::string_view text);
    void priority(std::uint32_t value);
    void use_candidate();
    void ice_controlling(std::uint64_t tie_breaker);
    void ice_controlled(std::uint64_t tie_breaker);
    void xor_mapped_address(const SocketAddress& address);
    void error_code(std::uint16_t code, std::string_view reason);
    void unknown_attribute(std::uint16_t type);
    /// Adds MESSAGE-INTEGRITY and FINGERPRINT and gives the message. Call once, last.
    Bytes finish(std::string_view password);

private:
    void attribute(StunAttribute type, ByteView value);
    void set_length(std::size_t more);
    Bytes bytes_;
};

}  // namespace parley::ice

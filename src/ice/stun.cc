#include "ice/stun.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "base/encoding.h"

namespace parley::ice {
namespace {

constexpr std::size_t kAttributeHeader = 4;
constexpr std::size_t kIntegritySize = 20;
constexpr std::size_t kFingerprintSize = 4;
constexpr std::uint32_t kFingerprintXor = 0x5354'554e;
constexpr std::size_t kMaxAttributes = 32;
constexpr std::uint16_t kFirstOptional = 0x8000;

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

std::array<std::uint8_t, kIntegritySize> hmac_sha1(std::string_view key, ByteView message) {
    std::array<std::uint8_t, kIntegritySize> out{};
    unsigned size = 0;
    HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.data(),
         &size);
    return out;
}

std::optional<SocketAddress> read_xor_address(ByteView value, const TransactionId& id) {
    ByteReader in(value);
    in.skip(1);
    const std::uint8_t family = in.u8();
    SocketAddress out;
    out.port = static_cast<std::uint16_t>(in.u16() ^ (kMagicCookie >> 16));
    if (family == 1) {
        out.ip = IpAddress::v4(in.u32() ^ kMagicCookie);
    } else if (family == 2) {
        const ByteView raw = in.view(16);
        if (raw.size() != 16) return std::nullopt;
        std::array<std::uint8_t, 16> mask{};
        store_u32(mask.data(), kMagicCookie);
        std::copy(id.begin(), id.end(), mask.begin() + 4);
        for (std::size_t i = 0; i < 16; ++i) out.ip.bytes[i] = raw[i] ^ mask[i];
    } else {
        return std::nullopt;
    }
    if (!in.ok()) return std::nullopt;
    return out;
}

}  // namespace

bool StunMessage::has_integrity(std::string_view password) const {
    if (integrity_offset == 0) return false;
    // The length field counts up to and including MESSAGE-INTEGRITY (RFC 8489 section 14.5).
    std::array<std::uint8_t, kMaxStunSize> copy{};
    std::copy_n(bytes.data(), integrity_offset, copy.data());
    const std::size_t length = integrity_offset - kStunHeaderSize + kAttributeHeader + kIntegritySize;
    store_u16(copy.data() + 2, static_cast<std::uint16_t>(length));
    const auto expected = hmac_sha1(password, ByteView(copy.data(), integrity_offset));
    return constant_time_equal(expected, bytes.subspan(integrity_offset + kAttributeHeader, kIntegritySize));
}

Result<StunMessage> parse_stun(ByteView bytes) {
    if (bytes.size() < kStunHeaderSize) return fail(Errc::kTruncated, "STUN header");
    if (bytes.size() > kMaxStunSize) return fail(Errc::kTooLarge, "STUN message");
    ByteReader in(bytes);
    StunMessage out;
    out.bytes = bytes;
    const std::uint16_t type = in.u16();
    const std::uint16_t length = in.u16();
    if ((type & 0xc000) != 0) return fail(Errc::kMalformed, "STUN type");
    if (in.u32() != kMagicCookie) return fail(Errc::kBadCookie, "STUN cookie");
    const ByteView id = in.view(12);
    std::copy(id.begin(), id.end(), out.transaction_id.begin());
    if (length % 4 != 0 || length != in.remaining()) return fail(Errc::kMalformed, "STUN length");
    switch (static_cast<StunType>(type)) {
        case StunType::kBindingRequest:
        case StunType::kBindingIndication:
        case StunType::kBindingSuccess:
        case StunType::kBindingError: out.type = static_cast<StunType>(type); break;
        default: return fail(Errc::kUnsupported, "STUN type");
    }
    std::size_t count = 0;
    bool has_username = false;
    while (!in.at_end()) {
        const std::size_t at = in.offset();
        const std::uint16_t attribute = in.u16();
        const std::uint16_t size = in.u16();
        const ByteView value = in.view(padded(size)).first(in.ok() ? size : 0);
        if (!in.ok()) return fail(Errc::kTruncated, "STUN attribute", at);
        if (++count > kMaxAttributes) return fail(Errc::kTooLarge, "STUN attributes", at);
        if (out.has_fingerprint) return fail(Errc::kMalformed, "attribute after FINGERPRINT", at);
        const auto known = static_cast<StunAttribute>(attribute);
        if (known == StunAttribute::kFingerprint) {
            if (size != kFingerprintSize) return fail(Errc::kMalformed, "FINGERPRINT", at);
            if (load_u32(value.data()) != (crc32(bytes.first(at)) ^ kFingerprintXor)) {
                return fail(Errc::kBadIntegrity, "FINGERPRINT", at);
            }
            out.has_fingerprint = true;
            continue;
        }
        if (out.integrity_offset != 0) continue;  // RFC 8489 section 14.5: ignored behind the integrity
        ByteReader field(value);
        switch (known) {
            case StunAttribute::kUsername:
                // RFC 8489 section 14: of attributes that come twice only the first counts.
                if (!has_username) out.username = as_text_view(value);
                has_username = true;
                break;
            case StunAttribute::kMessageIntegrity:
                if (size != kIntegritySize) return fail(Errc::kMalformed, "MESSAGE-INTEGRITY", at);
                out.integrity_offset = at;
                break;
            case StunAttribute::kErrorCode: {
                field.skip(2);
                const std::uint8_t hundreds = field.u8() & 7;
                out.error_code = static_cast<std::uint16_t>(hundreds * 100 + field.u8());
                break;
            }
            case StunAttribute::kUnknownAttributes: break;
            case StunAttribute::kXorMappedAddress:
                out.xor_mapped_address = read_xor_address(value, out.transaction_id);
                if (!out.xor_mapped_address) return fail(Errc::kMalformed, "XOR-MAPPED-ADDRESS", at);
                break;
            case StunAttribute::kPriority: out.priority = field.u32(); break;
            case StunAttribute::kUseCandidate: out.use_candidate = true; break;
            case StunAttribute::kIceControlled: out.ice_controlled = field.u64(); break;
            case StunAttribute::kIceControlling: out.ice_controlling = field.u64(); break;
            default:
                if (attribute < kFirstOptional && out.unknown_required == 0) {
                    out.unknown_required = attribute;
                }
                break;
        }
        if (!field.ok()) return fail(Errc::kMalformed, "STUN attribute", at);
    }
    return out;
}

std::string_view local_ufrag_of(ByteView message) {
    if (!is_stun(message)) return {};
    ByteReader in(message.subspan(kStunHeaderSize));
    while (in.remaining() >= kAttributeHeader) {
        const std::uint16_t type = in.u16();
        const std::uint16_t size = in.u16();
        const ByteView value = in.view(padded(size));
        if (!in.ok()) return {};
        if (static_cast<StunAttribute>(type) != StunAttribute::kUsername) continue;
        const std::string_view text = as_text_view(value.first(size));
        const std::size_t colon = text.find(':');
        return colon == std::string_view::npos ? std::string_view{} : text.substr(0, colon);
    }
    return {};
}

StunWriter::StunWriter(StunType type, const TransactionId& transaction_id) {
    bytes_.reserve(128);
    bytes_.resize(kStunHeaderSize);
    store_u16(bytes_.data(), static_cast<std::uint16_t>(type));
    store_u32(bytes_.data() + 4, kMagicCookie);
    std::copy(transaction_id.begin(), transaction_id.end(), bytes_.begin() + 8);
}

void StunWriter::attribute(StunAttribute type, ByteView value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + kAttributeHeader + padded(value.size()));
    store_u16(bytes_.data() + at, static_cast<std::uint16_t>(type));
    store_u16(bytes_.data() + at + 2, static_cast<std::uint16_t>(value.size()));
    std::copy(value.begin(), value.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at + kAttributeHeader));
}

void StunWriter::username(std::string_view text) {
    attribute(StunAttribute::kUsername, as_bytes_view(text));
}

void StunWriter::priority(std::uint32_t value) {
    std::array<std::uint8_t, 4> raw{};
    store_u32(raw.data(), value);
    attribute(StunAttribute::kPriority, raw);
}

void StunWriter::use_candidate() { attribute(StunAttribute::kUseCandidate, {}); }

void StunWriter::ice_controlling(std::uint64_t tie_breaker) {
    std::array<std::uint8_t, 8> raw{};
    ByteWriter(raw).u64(tie_breaker);
    attribute(StunAttribute::kIceControlling, raw);
}

void StunWriter::ice_controlled(std::uint64_t tie_breaker) {
    std::array<std::uint8_t, 8> raw{};
    ByteWriter(raw).u64(tie_breaker);
    attribute(StunAttribute::kIceControlled, raw);
}

void StunWriter::xor_mapped_address(const SocketAddress& address) {
    std::array<std::uint8_t, 20> raw{};
    ByteWriter out(raw);
    out.u8(0);
    out.u8(address.ip.is_v4() ? 1 : 2);
    out.u16(static_cast<std::uint16_t>(address.port ^ (kMagicCookie >> 16)));
    if (address.ip.is_v4()) {
        out.u32(address.ip.v4_host_order() ^ kMagicCookie);
    } else {
        std::array<std::uint8_t, 16> mask{};
        store_u32(mask.data(), kMagicCookie);
        std::copy_n(bytes_.begin() + 8, 12, mask.begin() + 4);
        for (std::size_t i = 0; i < 16; ++i) out.u8(address.ip.bytes[i] ^ mask[i]);
    }
    attribute(StunAttribute::kXorMappedAddress, out.written());
}

void StunWriter::error_code(std::uint16_t code, std::string_view reason) {
    std::array<std::uint8_t, 128> raw{};
    ByteWriter out(raw);
    out.u16(0);
    out.u8(static_cast<std::uint8_t>(code / 100));
    out.u8(static_cast<std::uint8_t>(code % 100));
    out.text(reason.substr(0, 100));
    attribute(StunAttribute::kErrorCode, out.written());
}

void StunWriter::unknown_attribute(std::uint16_t type) {
    std::array<std::uint8_t, 2> raw{};
    store_u16(raw.data(), type);
    attribute(StunAttribute::kUnknownAttributes, raw);
}

void StunWriter::set_length(std::size_t more) {
    store_u16(bytes_.data() + 2, static_cast<std::uint16_t>(bytes_.size() - kStunHeaderSize + more));
}

Bytes StunWriter::finish(std::string_view password) {
    set_length(kAttributeHeader + kIntegritySize);
    attribute(StunAttribute::kMessageIntegrity, hmac_sha1(password, bytes_));
    set_length(kAttributeHeader + kFingerprintSize);
    std::array<std::uint8_t, kFingerprintSize> raw{};
    store_u32(raw.data(), crc32(bytes_) ^ kFingerprintXor);
    attribute(StunAttribute::kFingerprint, raw);
    set_length(0);
    return std::move(bytes_);
}

}  // namespace parley::ice

#include "websocket/frame.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/encoding.h"

namespace parley::websocket {
namespace {

constexpr std::uint8_t kFinalBit = 0x80;
constexpr std::uint8_t kReservedBits = 0x70;
constexpr std::uint8_t kMaskBit = 0x80;
constexpr std::uint64_t kSize16 = 126;
constexpr std::uint64_t kSize64 = 127;

bool is_known(std::uint8_t opcode) {
    return opcode <= static_cast<std::uint8_t>(Opcode::kBinary) ||
           (opcode >= static_cast<std::uint8_t>(Opcode::kClose) &&
            opcode <= static_cast<std::uint8_t>(Opcode::kPong));
}

}  // namespace

Result<std::optional<ParsedHeader>> parse_frame_header(ByteView bytes) {
    ByteReader in(bytes);
    const std::uint8_t first = in.u8();
    const std::uint8_t second = in.u8();
    if (!in.ok()) return std::nullopt;
    const std::uint8_t opcode = first & 0x0F;
    if ((first & kReservedBits) != 0) return fail(Errc::kMalformed, "WebSocket reserved bits");
    if (!is_known(opcode)) return fail(Errc::kMalformed, "WebSocket opcode");
    ParsedHeader parsed;
    FrameHeader& header = parsed.header;
    header.opcode = static_cast<Opcode>(opcode);
    header.is_final = (first & kFinalBit) != 0;
    header.payload_size = second & ~kMaskBit;
    if (is_control(header.opcode) &&
        (!header.is_final || header.payload_size > kMaxControlPayload)) {
        return fail(Errc::kMalformed, "WebSocket control frame");
    }
    std::uint64_t smallest = 0;
    if (header.payload_size == kSize16) {
        header.payload_size = in.u16();
        smallest = kSize16;
    } else if (header.payload_size == kSize64) {
        header.payload_size = in.u64();
        smallest = 0x1'0000;
    }
    if ((second & kMaskBit) != 0) {
        const ByteView mask = in.view(4);
        header.mask.emplace();
        if (in.ok()) std::copy(mask.begin(), mask.end(), header.mask->begin());
    }
    if (!in.ok()) return std::nullopt;
    if (header.payload_size < smallest || header.payload_size >> 63 != 0) {
        return fail(Errc::kMalformed, "WebSocket frame size");
    }
    parsed.size = in.offset();
    return parsed;
}

void write_frame_header(ByteWriter& out, const FrameHeader& header) {
    const std::uint8_t mask_bit = header.mask ? kMaskBit : 0;
    out.u8(static_cast<std::uint8_t>((header.is_final ? kFinalBit : 0) |
                                     static_cast<std::uint8_t>(header.opcode)));
    if (header.payload_size < kSize16) {
        out.u8(static_cast<std::uint8_t>(mask_bit | header.payload_size));
    } else if (header.payload_size <= 0xFFFF) {
        out.u8(static_cast<std::uint8_t>(mask_bit | kSize16));
        out.u16(static_cast<std::uint16_t>(header.payload_size));
    } else {
        out.u8(static_cast<std::uint8_t>(mask_bit | kSize64));
        out.u64(header.payload_size);
    }
    if (header.mask) out.bytes(*header.mask);
}

void apply_mask(const std::array<std::uint8_t, 4>& mask,
                std::uint64_t offset,
                MutableByteView bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= mask[(offset + i) % 4];
}

std::string accept_key(std::string_view key) {
    std::string text(key);
    text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<std::uint8_t, 20> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return base64_encode(digest, Base64Alphabet::kStandard);
}

}  // namespace parley::websocket

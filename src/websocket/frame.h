#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// The frames of a WebSocket (RFC 6455 section 5), and what answers its handshake.
namespace parley::websocket {

enum class Opcode : std::uint8_t {
    kContinuation = 0,
    kText = 1,
    kBinary = 2,
    kClose = 8,
    kPing = 9,
    kPong = 10,
};
[[nodiscard]] constexpr bool is_control(Opcode opcode) { return opcode >= Opcode::kClose; }

/// Section 5.5: what a control frame carries.
inline constexpr std::size_t kMaxControlPayload = 125;
inline constexpr std::size_t kMaxFrameHeader = 14;

struct FrameHeader {
    Opcode opcode = Opcode::kBinary;
    bool is_final = true;
    std::optional<std::array<std::uint8_t, 4>> mask;  ///< what a client sends has one
    std::uint64_t payload_size = 0;

    friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

struct ParsedHeader {
    FrameHeader header;
    std::size_t size = 0;  ///< bytes that it took
};

/// Nullopt: more bytes are needed. kMalformed: a reserved bit or opcode, a control frame in pieces
/// or too long, a size that is not in its shortest form.
[[nodiscard]] Result<std::optional<ParsedHeader>> parse_frame_header(ByteView bytes);
/// At most kMaxFrameHeader bytes.
void write_frame_header(ByteWriter& out, const FrameHeader& header);
/// Masks or unmasks `bytes`, which begin `offset` bytes into their payload.
void apply_mask(const std::array<std::uint8_t, 4>& mask,
                std::uint64_t offset,
                MutableByteView bytes);

/// The Sec-WebSocket-Accept that answers a key (section 4.2.2).
[[nodiscard]] std::string accept_key(std::string_view key);

}  // namespace parley::websocket

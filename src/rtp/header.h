#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

/// RTP fixed header, CSRC list and extension block (RFC 3550 section 5, RFC 8285).
namespace parley::rtp {

inline constexpr std::size_t kFixedHeaderSize = 12;
inline constexpr std::uint16_t kOneByteProfile = 0xBEDE;      ///< RFC 8285 section 4.2
inline constexpr std::uint16_t kTwoByteProfile = 0x1000;      ///< RFC 8285 section 4.3, upper 12 bits
inline constexpr std::uint16_t kTwoByteProfileMask = 0xFFF0;

/// A parsed header. `extension` borrows the packet's memory and is valid as long as that is.
struct Header {
    bool marker = false;
    bool has_padding = false;
    std::uint8_t csrc_count = 0;
    PayloadType payload_type;
    std::uint16_t sequence_number = 0;
    std::uint32_t timestamp = 0;
    Ssrc ssrc;
    std::uint32_t header_size = 0;        ///< fixed header, CSRCs and extension; the payload starts here
    bool has_extension = false;
    std::uint16_t extension_profile = 0;  ///< 0 when there is no extension
    ByteView extension;                   ///< elements only, without profile and length
};

/// First byte by RFC 7983 section 7 (128 to 191) and payload type by RFC 5761 section 4: 64 to 95, after the
/// marker bit is taken off, is RTCP. Neither looks further than the first two bytes and a minimum size.
[[nodiscard]] inline bool is_rtp_or_rtcp(ByteView datagram) {
    return datagram.size() >= 8 && (datagram[0] & 0xC0) == 0x80;
}
[[nodiscard]] inline bool is_rtcp(ByteView datagram) {
    return is_rtp_or_rtcp(datagram) && (datagram[1] & 0x7F) >= 64 && (datagram[1] & 0x7F) <= 95;
}
[[nodiscard]] inline bool is_rtp(ByteView datagram) {
    return is_rtp_or_rtcp(datagram) && datagram.size() >= kFixedHeaderSize && !is_rtcp(datagram);
}

/// Works on encrypted packets too, because SRTP leaves the header in the clear. Errors: kBadCookie
/// (version), kTruncated (CSRCs or extension beyond the packet).
[[nodiscard]] Result<Header> parse_header(ByteView packet);

/// Payload bytes without padding, 0 for a packet of padding only. `packet` is decrypted and without its
/// authentication tag. Error kMalformed: padding of zero or of more than the payload.
[[nodiscard]] Result<std::size_t> payload_size_without_padding(const Header& header, ByteView packet);

/// What `write_header` puts into the fixed header.
struct HeaderFields {
    bool marker = false;
    bool has_padding = false;
    bool has_extension = false;  ///< an `ExtensionWriter` block follows
    PayloadType payload_type;
    std::uint16_t sequence_number = 0;
    std::uint32_t timestamp = 0;
    Ssrc ssrc;
};

/// Writes the 12 fixed bytes, without CSRCs: a forwarder is not a mixer (RFC 7667 section 3.7).
void write_header(ByteWriter& out, const HeaderFields& fields);

}  // namespace parley::rtp

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace parley {

enum class Base64Alphabet : std::uint8_t { kStandard, kUrlSafe };

/// RFC 4648 sections 4 and 5, with `=` padding.
std::string base64_encode(ByteView bytes, Base64Alphabet alphabet);
/// Accepts both alphabets, with padding or without; anything else is kMalformed.
Result<Bytes> base64_decode(std::string_view text);

/// Lower-case hexadecimal, two characters for each byte.
std::string hex_encode(ByteView bytes);
Result<Bytes> hex_decode(std::string_view text);

/// Well-formed UTF-8 (RFC 3629) without zero bytes.
bool is_utf8_text(std::string_view text);

/// CRC-32 as in ISO 3309 and RFC 8489 section 14.7 (polynomial 0xEDB88320).
std::uint32_t crc32(ByteView bytes);

/// Compares without leaving early, so that the time taken tells nothing about where they differ.
bool constant_time_equal(ByteView a, ByteView b);

/// Percent-decodes one URL component (RFC 3986 section 2.1). `+` stays `+`: signalling clients put raw
/// Base64 into queries (protocol section 1.1). A bad escape is kMalformed.
Result<std::string> percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);

}  // namespace parley

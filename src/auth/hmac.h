#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace parley::auth {

/// RFC 2104 over SHA-1 and SHA-256.
std::array<std::uint8_t, 20> hmac_sha1(ByteView key, ByteView message);
std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView message);

}  // namespace parley::auth

#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.h"
#include "sfu/media_api.h"

namespace parley::sfu {

/// True when a decoder can start with the frame whose first packet has this payload.
[[nodiscard]] bool is_key_frame(Codec codec, ByteView payload);

/// Where the primary block of a RED payload starts (RFC 2198 section 3); nullopt when it is malformed.
[[nodiscard]] std::optional<std::size_t> red_primary_offset(ByteView payload);

}  // namespace parley::sfu

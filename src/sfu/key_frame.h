#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "sfu/media_api.h"

namespace parley::sfu {

/// True when a decoder can start with the frame whose first packet has this payload.
[[nodiscard]] bool is_key_frame(Codec codec, ByteView payload);

struct VideoSize {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    friend bool operator==(const VideoSize&, const VideoSize&) = default;
};
/// The size of the pictures that begin with this payload, where it says so: an SPS of H.264, a key frame of VP8, or a
/// scalability structure of VP9 (its largest layer). AV1 is not read.
[[nodiscard]] std::optional<VideoSize> video_size(Codec codec, ByteView payload);

/// Where the primary block of a RED payload starts (RFC 2198 section 3); nullopt when it is malformed.
[[nodiscard]] std::optional<std::size_t> red_primary_offset(ByteView payload);

}  // namespace parley::sfu

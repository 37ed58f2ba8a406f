#pragma once

#include <cstddef>
#include <cstdint>

namespace parley::sfu {

/// Simulcast layer by quality; a track with one encoding has only kHigh (protocol section 4.3: `hi`, `lo`).
enum class Layer : std::uint8_t { kHigh = 0, kLow = 1 };
inline constexpr std::size_t kMaxLayers = 2;

}  // namespace parley::sfu

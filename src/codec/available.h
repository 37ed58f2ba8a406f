#pragma once

namespace parley::codec {

/// False in a build with -DPARLEY_CODECS=OFF: every `create` of this folder then fails with
/// kUnsupported, "not available in this build", and the server goes on without conversions.
[[nodiscard]] bool is_available();

inline constexpr const char* kNotAvailable = "codecs are not available in this build";

}  // namespace parley::codec

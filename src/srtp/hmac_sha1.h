#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace parley::srtp {

/// HMAC-SHA1 (RFC 2104) with the hash states after the inner and outer key block kept, so that a packet
/// costs neither the two key blocks nor an allocation.
class HmacSha1 {
public:
    using Digest = std::array<std::uint8_t, 20>;

    explicit HmacSha1(const std::array<std::uint8_t, 20>& key);
    ~HmacSha1();
    HmacSha1(const HmacSha1&) = default;
    HmacSha1& operator=(const HmacSha1&) = default;

    /// Over `message` followed by `trailer`.
    [[nodiscard]] Digest compute(ByteView message, ByteView trailer) const;

private:
    using State = std::array<std::uint32_t, 5>;
    State inner_{};
    State outer_{};
};

}  // namespace parley::srtp

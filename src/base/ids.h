#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace parley {

/// A number with its own type, so that two identifiers cannot be swapped in a call.
template <class Tag, class Rep = std::uint32_t>
struct StrongId {
    Rep value = 0;

    constexpr StrongId() = default;
    constexpr explicit StrongId(Rep v) : value(v) {}
    [[nodiscard]] constexpr bool is_valid() const { return value != 0; }
    friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

using Ssrc = StrongId<struct SsrcTag>;
using PayloadType = StrongId<struct PayloadTypeTag, std::uint8_t>;

/// One WebRTC transport (a peer connection as the server sees it). Never reused while the process lives.
using PeerId = StrongId<struct PeerIdTag>;
/// One published audio or video source. Never reused while the process lives.
using TrackId = StrongId<struct TrackIdTag>;
using WorkerId = StrongId<struct WorkerIdTag, std::uint16_t>;
/// One RTMP or FLV connection that carries media, numbered by the shell; never reused while the process lives.
using StreamId = StrongId<struct StreamTag, std::uint64_t>;

}  // namespace parley

template <class Tag, class Rep>
struct std::hash<parley::StrongId<Tag, Rep>> {
    std::size_t operator()(const parley::StrongId<Tag, Rep>& id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};

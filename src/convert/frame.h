#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/time.h"

/// Frames on their way to players of RTMP and FLV.
namespace parley::convert {

/// Time on the clock that all tracks of one publisher share (see `timeline.h`). Only differences
/// mean anything; each player's connection begins again at 0.
using MediaTime = Duration;

/// Sound is counted in ticks of 48 kHz everywhere (RFC 7587 section 4.1). Whole milliseconds are
/// taken apart, because the product overflows after two days.
inline constexpr std::int64_t kSoundTicksPerMs = 48;
constexpr MediaTime sound_time(std::int64_t ticks) {
    return ticks / kSoundTicksPerMs * 1ms +
           Duration(ticks % kSoundTicksPerMs * 1'000'000 / kSoundTicksPerMs);
}

enum class FrameKind : std::uint8_t { kAudio, kVideo };

/// One audio frame or one access unit. Immutable once shared: a cached group of pictures and the
/// queues of all players hold the same bytes.
struct Frame {
    FrameKind kind = FrameKind::kAudio;
    bool is_key = false;  ///< video that a decoder can start at; audio frames are not marked
    /// A decoder configuration (sequence header): kept apart by `GopCache`, never dropped by
    /// `PlayerQueue`.
    bool is_config = false;
    MediaTime dts{};
    MediaTime pts{};       ///< never before `dts`
    Instant arrived_at{};  ///< when its first byte was here, for the delay histogram
    /// What the player's protocol sends: an FLV tag body, so that RTMP and FLV share it, or a bare
    /// sample; the cache and the queues look only at its size.
    Bytes data;

    /// What it costs whoever keeps it, shared or not: small frames are not free.
    [[nodiscard]] std::size_t memory_bytes() const { return data.capacity() + kOverhead; }
    static constexpr std::size_t kOverhead = 160;  ///< object, allocations, places in queues
};
using FrameRef = std::shared_ptr<const Frame>;

}  // namespace parley::convert

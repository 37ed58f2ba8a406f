#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace parley::codec {

/// 20 ms of Opus.
struct OpusFrame {
    /// 48 kHz ticks since MediaTime zero, a multiple of nothing in particular; add the track's
    /// offset and write the low 32 bits. Consecutive frames are 960 apart but where the input had a
    /// hole.
    std::int64_t timestamp = 0;
    Bytes payload;
    std::uint8_t audio_level = 127;  ///< of RFC 6464: 0 is full scale, 127 silence
};

/// One AAC track (an RTMP publisher's) to one Opus track.
///
/// Time is counted in samples: AAC frames come with millisecond times that are rounded, so their
/// jitter is ignored, while a slow drift between the encoder's samples and its clock is followed by
/// adding or leaving out single samples. A difference of more than `kMaxDifference` is a
/// discontinuity: a hole up to `kMaxSilence` is filled with silence, beyond that the time jumps; an
/// overlap is cut off.
class AacToOpus {
public:
    static constexpr Duration kMaxDifference = 100ms;
    static constexpr Duration kMaxSilence = 1s;

    struct Config {
        std::uint32_t bitrate_bps = 0;  ///< 0: 40 kb/s mono, 64 kb/s stereo
        int complexity = 5;
        bool fec = true;
    };
    struct Stats {
        std::uint64_t frames_in = 0;
        std::uint64_t frames_out = 0;
        std::uint64_t undecodable = 0;
        std::uint64_t discontinuities = 0;
        std::uint64_t samples_adjusted = 0;  ///< added or left out to follow the publisher's clock
    };

    [[nodiscard]] static Result<std::unique_ptr<AacToOpus>> create(const Config& config);
    virtual ~AacToOpus() = default;

    /// A sequence header: an AudioSpecificConfig, or empty for ADTS frames. Takes effect with the
    /// next frame; the Opus side goes on without a break. Errors: kMalformed, kUnsupported; the old
    /// one stays.
    [[nodiscard]] virtual Result<void> set_config(ByteView audio_specific_config) = 0;
    /// One AAC frame; `pts` on the publisher's `RtmpTimeline`. An undecodable frame is replaced by
    /// silence and counted; errors: kNotFound (no sequence header).
    [[nodiscard]] virtual Result<void> handle_frame(Duration pts,
                                                    ByteView frame,
                                                    std::vector<OpusFrame>& out) = 0;
    [[nodiscard]] virtual Stats stats() const = 0;
};

}  // namespace parley::codec

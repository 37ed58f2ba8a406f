#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "codec/opus_to_aac.h"

namespace parley::codec {

/// Sound of several tracks in one ("audio of all but himself"). Each input is decoded once; each
/// output is the sum of all inputs but those it leaves out, limited so that it never clips, and one
/// AAC track.
///
///     Opus, AAC ─► decode ─► [samples by time] ─┐
///     Opus, AAC ─► decode ─► [samples by time] ─┴► sum ─► minus own ─► limit ─► AAC, for each
///     output
///
/// The mixer runs on the caller's clock: `advance(now)` mixes every 20 ms that have passed. An
/// input is anchored `latency` behind the clock at its first packet and then placed to the sample
/// by its own times; when its clock has drifted by more than 100 ms, or after a hole, it is
/// anchored again.
///
/// Inputs come and go without a click: what begins or breaks off is faded over 2.5 ms, what is
/// removed over the next 20 ms. Of more than `kMaxHeard` inputs only the loudest are heard.
class AudioMixer {
public:
    static constexpr std::size_t kMaxInputs = 64;
    static constexpr std::size_t kMaxOutputs = 64;
    static constexpr std::size_t kMaxLeftOut = kMaxInputs;  ///< inputs that one output leaves out
    static constexpr std::size_t kMaxHeard = 16;            ///< at once

    using InputId = std::uint32_t;
    using OutputId = std::uint32_t;

    struct Config {
        Duration latency = 60ms;  ///< what an input may be late
        std::uint8_t channels = 2;
        std::uint32_t bitrate_bps = 0;
    };
    struct Mixed {
        OutputId output = 0;
        AacFrame frame;  ///< timestamps count from 0 at the mixer's first `advance`, one clock for
                         ///< all outputs
    };
    struct Stats {
        std::uint64_t mixed_frames = 0;    ///< of 20 ms
        std::uint64_t limited_frames = 0;  ///< where the limiter was at work, summed over outputs
        std::uint64_t reanchored = 0;
        std::uint64_t late_samples = 0;
    };

    [[nodiscard]] static Result<std::unique_ptr<AudioMixer>> create(const Config& config);
    virtual ~AudioMixer() = default;

    /// Errors: kConflict (id in use), kTooLarge (bounds above), kSystem.
    [[nodiscard]] virtual Result<void> add_input(InputId id) = 0;
    /// What it has sent already fades out.
    virtual void remove_input(InputId id) = 0;
    /// `left_out`: ids that need not exist yet.
    [[nodiscard]] virtual Result<void> add_output(OutputId id,
                                                  std::span<const InputId> left_out) = 0;
    /// From the next 20 ms on. kNotFound, kTooLarge.
    [[nodiscard]] virtual Result<void> set_left_out(OutputId id,
                                                    std::span<const InputId> left_out) = 0;
    virtual void remove_output(OutputId id) = 0;
    [[nodiscard]] virtual ByteView audio_specific_config() const = 0;

    /// One Opus packet of an input, in order; unknown inputs are ignored.
    virtual void handle_opus(InputId id, const OpusToAac::Packet& packet) = 0;
    /// PCM at 48 kHz with the mixer's channels, at `timestamp` on the input's own clock.
    virtual void handle_pcm(InputId id,
                            std::uint64_t timestamp,
                            std::span<const std::int16_t> pcm) = 0;
    /// Mixes up to `now` on any monotonic clock; at most 200 ms at once, beyond that time jumps.
    virtual void advance(Instant now, std::vector<Mixed>& out) = 0;
    [[nodiscard]] virtual Stats stats() const = 0;
};

}  // namespace parley::codec

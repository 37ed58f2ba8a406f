#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace parley::codec {

/// 1,024 samples of AAC-LC at 48 kHz.
struct AacFrame {
    /// 48 kHz, on the clock of the Opus packets' extended timestamps; map it by the track's
    /// `RtpTimeline`. The encoder's delay is taken off: a sample has the time that it had in the
    /// Opus packets.
    std::int64_t timestamp = 0;
    Bytes payload;  ///< raw, without ADTS
};

/// One Opus track (a browser's) to one AAC track, shared by all its players.
///
/// Feed packets in order (`convert::RtpToOpus`). Lost time is filled from in-band FEC and
/// concealment, silence of a DTX sender with comfort noise; beyond `kMaxFill` the time jumps. A
/// sender in DTX is silent for up to 400 ms, in which a player would run dry: call `fill_until`
/// with the clock.
class OpusToAac {
public:
    static constexpr Duration kMaxFill = 2s;

    struct Config {
        std::uint8_t channels = 2;      ///< of the AAC; Opus packets of either kind are taken
        std::uint32_t bitrate_bps = 0;  ///< 0: 64 kb/s a channel
    };
    struct Stats {
        std::uint64_t packets_in = 0;
        std::uint64_t frames_out = 0;
        std::uint64_t undecodable = 0;
        std::uint64_t concealed_samples = 0;
        std::uint64_t silent_samples = 0;  ///< filled in for DTX
        std::uint64_t discontinuities = 0;
        std::uint64_t late = 0;  ///< packets before what is filled already
    };
    struct Packet {
        std::uint64_t timestamp = 0;  ///< extended, 48 kHz
        bool after_loss = false;
        ByteView data;
    };

    [[nodiscard]] static Result<std::unique_ptr<OpusToAac>> create(const Config& config);
    virtual ~OpusToAac() = default;

    /// AudioSpecificConfig for the sequence header; the same for the life of this.
    [[nodiscard]] virtual ByteView audio_specific_config() const = 0;
    virtual void handle_packet(const Packet& packet, std::vector<AacFrame>& out) = 0;
    /// Fills up to `timestamp` (extended, 48 kHz; at most `kMaxFill` at once): the clock says that
    /// the sender is silent. Packets that come for that time later are cut. Keep it some 60 ms
    /// behind the live edge.
    virtual void fill_until(std::uint64_t timestamp, std::vector<AacFrame>& out) = 0;
    [[nodiscard]] virtual Stats stats() const = 0;
};

}  // namespace parley::codec

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "convert/rtp_reorder.h"
#include "media/packet.h"
#include "rtp/sequence.h"

namespace parley::convert {

/// One Opus packet in order.
struct OpusSample {
    rtp::ExtTimestamp timestamp = 0;  ///< 48 kHz, never wraps
    /// The time before it is missing because packets were lost, and not because the sender was
    /// silent (DTX).
    bool after_loss = false;
    Instant arrived_at{};
    Bytes data;
};

/// RTP packets of an audio track to Opus packets in order, each time once. With RED (RFC 2198) a
/// lost packet comes out of the redundancy of a later one.
class RtpToOpus {
public:
    struct Config {
        PayloadType opus;
        PayloadType red;  ///< 0: none
        RtpReorder::Config reorder{.max_wait = 60ms, .max_packets = 64};
    };
    struct Stats {
        std::uint64_t samples = 0;
        std::uint64_t recovered = 0;  ///< from redundancy
        std::uint64_t malformed = 0;
        std::uint64_t ignored = 0;  ///< of another payload type
    };

    explicit RtpToOpus(const Config& config) : config_(config), reorder_(config.reorder) {}

    void handle_packet(Instant now, media::PacketRef packet, std::vector<OpusSample>& out);
    void handle_timeout(Instant now, std::vector<OpusSample>& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return reorder_.next_deadline(); }
    [[nodiscard]] const Stats& stats() const { return stats_; }
    [[nodiscard]] const RtpReorder::Stats& reorder_stats() const { return reorder_.stats(); }

private:
    void handle_items(std::vector<OpusSample>& out);
    void emit(rtp::ExtTimestamp timestamp,
              bool after_loss,
              Instant at,
              ByteView data,
              std::vector<OpusSample>& out);

    Config config_;
    RtpReorder reorder_;
    std::vector<RtpReorder::Item> items_;
    rtp::TimestampUnwrapper timestamps_;
    std::optional<rtp::ExtTimestamp> end_;  ///< where the last sample ends
    bool lost_ = false;
    Stats stats_;
};

}  // namespace parley::convert

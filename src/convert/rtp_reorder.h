#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "media/packet.h"

namespace parley::convert {

/// Puts RTP packets into order behind the forwarder's loss repair. A missing packet holds up those
/// behind it for at most `max_wait`; then it is given up and the rest goes on.
class RtpReorder {
public:
    struct Config {
        Duration max_wait = 120ms;      ///< about two retransmission round trips
        std::size_t max_packets = 512;  ///< held back; beyond that the gap is given up at once
    };
    struct Stats {
        std::uint64_t lost = 0;
        std::uint64_t late = 0;  ///< duplicates too
    };
    struct Item {
        media::PacketRef packet;
        bool after_gap = false;  ///< packets between this and the one before are given up
    };

    explicit RtpReorder(const Config& config) : config_(config) {}

    /// Packets of padding only count as received and come out too.
    void handle_packet(Instant now, media::PacketRef packet, std::vector<Item>& out);
    void handle_timeout(Instant now, std::vector<Item>& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// Forgets everything, as at a switch of simulcast layers.
    void reset();
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    struct Held {
        media::PacketRef packet;
        Instant arrived_at;
    };
    void release(std::vector<Item>& out);
    void give_up_gap(std::vector<Item>& out);

    Config config_;
    std::optional<std::uint64_t> next_;
    std::map<std::uint64_t, Held> held_;
    Stats stats_;
};

}  // namespace parley::convert

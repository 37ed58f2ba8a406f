#pragma once

#include <array>
#include <cstdint>

namespace parley::sfu {

/// Counts of delays in buckets with fixed upper bounds, as Prometheus wants them. The worker adds without
/// atomics; snapshots are copies.
struct DelayHistogram {
    /// Upper bounds in microseconds; the last bucket has none.
    static constexpr std::array<std::uint32_t, 12> kBoundsUs{20,   50,   100,  200,   500,   1000,
                                                             2000, 5000, 10000, 20000, 50000, 100000};
    std::array<std::uint64_t, kBoundsUs.size() + 1> counts{};
    std::uint64_t count = 0;
    std::uint64_t sum_us = 0;

    void add(std::uint64_t us, std::uint64_t times = 1) {
        std::size_t i = 0;
        while (i < kBoundsUs.size() && us > kBoundsUs[i]) ++i;
        counts[i] += times;
        count += times;
        sum_us += us * times;
    }
};

/// What one media worker has done since it started. Plain data, cheap to copy.
struct MediaCounters {
    std::uint64_t peers = 0;          ///< now
    std::uint64_t tracks = 0;         ///< now
    std::uint64_t subscriptions = 0;  ///< now
    std::uint64_t told_bps = 0;       ///< now: what publishers may send, summed over them (REMB)
    std::uint64_t heard_bps = 0;      ///< now: what subscribers say they can take, summed over them (REMB)

    std::uint64_t packets_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t audio_packets_in = 0;
    std::uint64_t video_packets_in = 0;
    std::uint64_t audio_bytes_in = 0;
    std::uint64_t video_bytes_in = 0;
    std::uint64_t audio_bytes_out = 0;
    std::uint64_t video_bytes_out = 0;
    std::uint64_t packets_out = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t audio_packets_out = 0;
    std::uint64_t video_packets_out = 0;
    std::uint64_t rtx_packets_out = 0;
    std::uint64_t rtx_packets_in = 0;
    std::uint64_t padding_bytes_out = 0;   ///< added so that runs have one size (GSO)
    std::uint64_t send_calls = 0;          ///< messages handed to the kernel; packets_out / send_calls = GSO gain
    std::uint64_t gso_refused = 0;         ///< destinations that fell back to single packets
    std::uint64_t send_dropped = 0;        ///< kernel would not take it

    std::uint64_t nack_in = 0;             ///< packets asked for by subscribers
    std::uint64_t nack_out = 0;            ///< packets asked for from publishers
    std::uint64_t nack_missed = 0;         ///< asked for, but no longer in the history
    std::uint64_t pli_in = 0;
    std::uint64_t pli_out = 0;
    std::uint64_t layer_switches = 0;

    std::uint64_t stun_in = 0;
    std::uint64_t stun_refused = 0;        ///< unknown ufrag, bad integrity or malformed
    std::uint64_t dtls_in = 0;
    std::uint64_t srtp_refused = 0;        ///< authentication failed or replayed
    std::uint64_t unknown_ssrc = 0;
    std::uint64_t malformed = 0;
    std::uint64_t unknown_address = 0;     ///< neither STUN nor from a proven address

    std::uint64_t commands = 0;
    std::uint64_t commands_refused = 0;    ///< mailbox full
    std::uint64_t mailbox_depth = 0;       ///< now
    std::uint64_t reports_lost = 0;        ///< of peers that left while nobody took reports
    std::uint64_t loop_turns = 0;
    std::uint64_t loop_lag_us_max = 0;     ///< longest turn since the last snapshot

    DelayHistogram forwarding_delay;       ///< kernel receive to send call, for each forwarded packet
};

}  // namespace parley::sfu

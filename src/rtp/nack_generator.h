#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/inline_vector.h"
#include "base/time.h"
#include "rtp/sequence.h"

namespace parley::rtp {

/// Decides which missing packets to ask for again (RFC 4585 section 6.2.1).
///
/// Feed every received sequence number of the stream, retransmissions (by their original number) included.
/// Remembers at most `Config::max_missing` numbers; beyond that it forgets the oldest and asks for a key
/// frame once. A jump ahead by more than `kMaxJump` is a new start of the stream: everything missing is
/// forgotten and a key frame is asked for.
class NackGenerator {
public:
    static constexpr std::size_t kMaxMissing = 1000;
    static constexpr std::size_t kMaxPerRequest = 128;
    static constexpr ExtSeq kMaxJump = 2000;
    static constexpr Duration kMaxRoundTrip = 1s;

    struct Config {
        std::size_t max_missing = kMaxMissing;  ///< at most kMaxMissing
        std::uint8_t max_attempts = 10;
        Duration first_delay = 5ms;    ///< time that a reordered packet has before it counts as lost
        Duration min_interval = 20ms;  ///< between two requests of one number, if the round trip is shorter
        Duration max_age = 2s;         ///< a number missing for longer is given up
    };
    struct Stats {
        std::uint64_t missing_total = 0;   ///< numbers that were ever missing
        std::uint64_t recovered = 0;       ///< of those, arrived after all
        std::uint64_t requests = 0;        ///< numbers asked for, repetitions included
        std::uint64_t given_up = 0;        ///< attempts or age exhausted, or forgotten at a bound
        std::uint64_t key_frame_requests = 0;
    };

    NackGenerator() : NackGenerator(Config{}) {}
    explicit NackGenerator(const Config& config);

    void handle_packet(Instant now, ExtSeq sequence);
    /// A key frame starts at `sequence`: what is missing before it is of no use any more.
    void handle_key_frame(ExtSeq sequence);
    /// Taken between 0 and `kMaxRoundTrip`, because the other end influences it.
    void set_round_trip(Duration round_trip);

    /// Sequence numbers due at `now`, oldest first, at most `kMaxPerRequest` (the rest comes 1 ms later).
    /// Each number comes at most `Config::max_attempts` times, no closer together than one round trip.
    [[nodiscard]] InlineVector<ExtSeq, kMaxPerRequest> take_due(Instant now);
    /// True once after numbers were given up: only a key frame repairs the picture now.
    [[nodiscard]] bool take_key_frame_request();
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] std::size_t missing() const { return live_; }
    [[nodiscard]] bool is_missing(ExtSeq sequence) const;
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    struct Missing {
        ExtSeq sequence = 0;
        Instant first_seen;
        Instant due;
        std::uint8_t attempts = 0;
        bool resolved = false;  ///< arrived or given up; leaves the ring later
    };

    [[nodiscard]] Missing& at(std::size_t i) { return ring_[(head_ + i) % kMaxMissing]; }
    [[nodiscard]] const Missing& at(std::size_t i) const { return ring_[(head_ + i) % kMaxMissing]; }
    [[nodiscard]] std::size_t lower_bound(ExtSeq sequence) const;
    void add(Instant now, ExtSeq sequence);
    void resolve(Missing& entry);
    void drop_resolved_front();
    void compact();
    void give_up(Missing& entry);

    Config config_;
    std::array<Missing, kMaxMissing> ring_;  ///< ascending sequence numbers from `head_`
    std::size_t head_ = 0;
    std::size_t size_ = 0;  ///< entries in the ring, resolved ones included
    std::size_t live_ = 0;  ///< entries still missing
    std::optional<ExtSeq> highest_;
    std::optional<Instant> deadline_;
    Duration round_trip_ = 100ms;
    /// The highest number given up since the last request; a key frame after it makes a request needless.
    std::optional<ExtSeq> key_frame_after_;
    Stats stats_;
};

}  // namespace parley::rtp

#pragma once

#include "base/inline_vector.h"
#include "base/rng.h"
#include "base/time.h"

namespace parley::sim {

struct LinkConfig {
    Duration delay = 10ms;
    Duration jitter{};
    double loss = 0;             ///< of single datagrams
    double burst_start = 0;      ///< chance that a burst of losses begins with a datagram
    double burst_continue = 0;   ///< chance that it goes on with the next
    double duplicate = 0;
    double reorder = 0;          ///< chance that a datagram is held back
    Duration reorder_by = 15ms;
};

/// One direction of a datagram path. Says when, and how often, a datagram arrives.
class Link {
public:
    using Arrivals = InlineVector<Instant, 2>;

    Link(const LinkConfig& config, Rng rng) : config_(config), rng_(rng) {}

    /// Nothing passes before `until`.
    void black_out(Instant until) { dark_until_ = std::max(dark_until_, until); }
    /// No more faults; the delay stays.
    void heal() {
        const Duration delay = config_.delay;
        config_ = {};
        config_.delay = delay;
        dark_until_ = {};
        in_burst_ = false;
    }

    Arrivals transmit(Instant now) {
        Arrivals out;
        if (now < dark_until_) return out;
        in_burst_ = in_burst_ ? rng_.chance(config_.burst_continue) : rng_.chance(config_.burst_start);
        if (in_burst_ || rng_.chance(config_.loss)) return out;
        Duration delay = config_.delay;
        if (config_.jitter > Duration::zero()) {
            delay += Duration(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(config_.jitter.count()))));
        }
        // Jitter alone keeps the order: a queue does not overtake.
        Instant at = std::max(now + delay, last_);
        last_ = at;
        if (rng_.chance(config_.reorder)) at += config_.reorder_by;
        out.push_back(at);
        if (rng_.chance(config_.duplicate)) out.push_back(at + 1ms);
        return out;
    }

private:
    LinkConfig config_;
    Rng rng_;
    bool in_burst_ = false;
    Instant dark_until_;
    Instant last_;
};

}  // namespace parley::sim

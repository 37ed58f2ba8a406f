#pragma once

#include <algorithm>
#include <cstdint>

#include "base/inline_vector.h"
#include "base/rng.h"
#include "base/time.h"

namespace parley::sim {

struct LinkConfig {
    Duration delay = 10ms;
    Duration jitter{};
    double loss = 0;            ///< of single datagrams
    double burst_start = 0;     ///< chance that a burst of losses begins with a datagram
    double burst_continue = 0;  ///< chance that it goes on with the next
    double duplicate = 0;
    double reorder = 0;  ///< chance that a datagram is held back
    Duration reorder_by = 15ms;
    std::int64_t rate_bps = 0;      ///< 0: no limit
    Duration max_queueing = 200ms;  ///< a queue that would hold a datagram for longer drops it
    std::size_t mtu = 1'250;        ///< larger datagrams never arrive
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
    [[nodiscard]] const LinkConfig& config() const { return config_; }

    Arrivals transmit(Instant now, std::size_t size) {
        Arrivals out;
        if (now < dark_until_ || size > config_.mtu) return out;
        in_burst_ =
            in_burst_ ? rng_.chance(config_.burst_continue) : rng_.chance(config_.burst_start);
        if (in_burst_ || rng_.chance(config_.loss)) return out;
        Instant leaves = now;
        if (config_.rate_bps > 0) {
            const Duration takes(static_cast<std::int64_t>(size) * 8 * 1'000'000'000 /
                                 config_.rate_bps);
            if (free_at_ > now + config_.max_queueing) return out;
            leaves = std::max(now, free_at_) + takes;
            free_at_ = leaves;
        }
        Duration delay = config_.delay;
        if (config_.jitter > Duration::zero()) {
            delay += Duration(static_cast<std::int64_t>(
                rng_.below(static_cast<std::uint64_t>(config_.jitter.count()))));
        }
        // Jitter alone keeps the order: a queue does not overtake.
        Instant at = std::max(leaves + delay, last_);
        last_ = at;
        if (rng_.chance(config_.reorder)) at += config_.reorder_by;
        out.push_back(at);
        if (rng_.chance(config_.duplicate)) out.push_back(at + 1ms);
        return out;
    }
    /// A stream instead of datagrams: nothing is lost, a blackout only holds it up.
    Instant transmit_stream(Instant now) {
        last_stream_ = std::max(std::max(now, dark_until_) + config_.delay, last_stream_);
        return last_stream_;
    }

private:
    LinkConfig config_;
    Rng rng_;
    bool in_burst_ = false;
    Instant dark_until_;
    Instant free_at_;
    Instant last_;
    Instant last_stream_;
};

}  // namespace parley::sim

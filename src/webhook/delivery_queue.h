#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"

namespace parley::webhook {

/// An event on its way to its app server.
struct Delivery {
    std::uint64_t number = 0;  ///< grows in the order they were asked for
    std::string app_id;
    std::string room;
    std::uint32_t tries = 0;  ///< so far
    std::string body;
};

struct DeliveryLimits {
    /// After each try that failed; after the last of them the delivery is a dead letter.
    std::array<Duration, 4> delays{1s, 5s, 30s, 120s};
    double jitter = 0.2;           ///< each delay is off by at most this part of it
    std::size_t max_queued = 256;  ///< in memory, for each app; the rest waits in the store
    std::size_t max_flying_of_app = 4;
    std::size_t max_flying = 64;
};

/// Decides which delivery is tried when. Deliveries of one room go one after another, each until it
/// is delivered or dead; rooms and apps do not wait for each other.
///
///     queued --take_due--> flying --success--> gone
///        ^-- failure, tries left --|--failure, no try left--> gone (dead)
class DeliveryQueue {
public:
    enum class Verdict : std::uint8_t { kDelivered, kRetry, kDead };
    struct Judgement {
        Verdict verdict{};
        std::uint32_t tries = 0;
        Duration retry_after{};
    };

    DeliveryQueue(const DeliveryLimits& limits, Rng rng) : limits_(limits), rng_(rng) {}

    /// How many more of this app it takes.
    [[nodiscard]] std::size_t space_for(const std::string& app_id) const;
    /// In the order of numbers, and no more than `space_for`.
    void add(Instant now, Delivery delivery);
    /// What is to be sent now; valid until `handle_result` of the same.
    [[nodiscard]] std::vector<const Delivery*> take_due(Instant now);
    /// Of a delivery that was taken. `final`: no more tries, whatever is left of them.
    Judgement handle_result(Instant now,
                            const std::string& app_id,
                            std::uint64_t number,
                            bool delivered,
                            bool final = false);
    /// When the next one is due, if anything will be without further input.
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    [[nodiscard]] std::size_t flying() const { return flying_; }

private:
    /// One room's deliveries, oldest first; only the first is ever tried.
    struct Lane {
        std::deque<Delivery> waiting;
        Instant due;
        bool flies = false;
    };
    struct App {
        std::map<std::string, Lane> lanes;
        std::string next_lane;  ///< where the search goes on, so that no room starves
        std::size_t queued = 0;
        std::size_t flying = 0;
    };
    void take_of_app(Instant now, App& app, std::vector<const Delivery*>& out);
    Duration delay_after(std::uint32_t tries);

    DeliveryLimits limits_;
    Rng rng_;
    std::map<std::string, App> apps_;
    std::string next_app_;
    std::size_t flying_ = 0;
};

}  // namespace parley::webhook

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/time.h"
#include "gate/url_gate.h"
#include "server/app_store.h"
#include "store/store.h"
#include "webhook/delivery_queue.h"
#include "webhook/event.h"

namespace parley::server {

struct CourierCounters {
    std::uint64_t delivered = 0;
    std::uint64_t failed_tries = 0;
    std::uint64_t dead = 0;
    std::uint64_t read_failures = 0;  ///< the store could not be read; tried again
    std::uint64_t waiting = 0;        ///< now, of all apps
    std::uint64_t flying = 0;         ///< now
};

/// Takes deliveries from the outbox to app servers, on a thread of its own with a connection to the
/// store of its own. Results are written by the store's thread, like everything else: what a killed
/// process had delivered but not written down is delivered again, with the same id.
class Courier {
public:
    struct Options {
        webhook::DeliveryLimits limits;
        gate::UrlGate gate;
        Duration timeout = 5s;
        std::size_t max_waiting = 100'000;  ///< for each app, in the store
    };

    /// Starts the thread. `store` must outlive it.
    static StartResult<std::unique_ptr<Courier>> start(const std::string& store_url,
                                                       store::Store& store,
                                                       Options options);
    ~Courier();
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    // Thread-safe, all of them.

    /// Where an app's events go from now on; nullopt: nowhere, and what waits is dead.
    void set_target(const std::string& app_id, std::optional<webhook::Target> target);
    /// Counts one more delivery that is going to wait; false: too many do, and nothing is counted.
    bool admit(const std::string& app_id, std::size_t count = 1);
    /// Deliveries of these apps are in the store.
    void notify(const std::set<std::string>& apps);
    [[nodiscard]] CourierCounters counters() const;
    /// Ends the thread; what is under way counts as not tried.
    void stop();

private:
    struct Impl;
    explicit Courier(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::server

#include "server/courier.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "io/clock.h"
#include "io/kernel_random.h"
#include "outgoing/http_sender.h"
#include "server/log.h"
#include "store/event_tables.h"

namespace parley::server {
namespace {

constexpr Duration kLongestWait = 60s;
constexpr Duration kReadAgainAfter = 1s;

}  // namespace

struct Courier::Impl {
    Impl(store::Store& the_store, Options the_options)
        : store(the_store),
          options(std::move(the_options)),
          sender(options.gate),
          queue(options.limits, Rng(io::random_seed())) {}

    /// A request under way; the queue keeps the rest.
    struct Flight {
        std::string app_id;
        std::string url;
    };
    struct Counts {
        std::atomic<std::uint64_t> delivered{0};
        std::atomic<std::uint64_t> failed_tries{0};
        std::atomic<std::uint64_t> dead{0};
        std::atomic<std::uint64_t> read_failures{0};
        std::atomic<std::uint64_t> flying{0};
    };

    store::Store& store;
    const Options options;
    std::unique_ptr<store::Connection> connection;
    outgoing::HttpSender sender;

    std::mutex mutex;  // of the three below
    std::map<std::string, webhook::Target> targets;
    std::map<std::string, std::size_t> waiting;  ///< pending deliveries
    std::set<std::string> notified;
    std::atomic<bool> stopping{false};
    Counts counts;

    // The thread's own.
    webhook::DeliveryQueue queue;
    std::map<std::string, std::uint64_t> read_up_to;  ///< number, by app
    std::set<std::string> unread;                     ///< apps that may have more in the store
    Instant read_again_at;
    std::map<std::uint64_t, Flight> flights;  ///< by delivery number
    std::thread thread;

    void run();
    void read_some(Instant now);
    void send_due(Instant now);
    void finish(Instant now, std::uint64_t number, const outgoing::Outcome& outcome, bool final);
    std::optional<webhook::Target> target_of(const std::string& app_id);
    void forget_waiting(const std::string& app_id);
};

std::optional<webhook::Target> Courier::Impl::target_of(const std::string& app_id) {
    const std::lock_guard lock(mutex);
    const auto found = targets.find(app_id);
    if (found == targets.end()) return std::nullopt;
    return found->second;
}

void Courier::Impl::forget_waiting(const std::string& app_id) {
    const std::lock_guard lock(mutex);
    const auto found = waiting.find(app_id);
    if (found != waiting.end() && --found->second == 0) waiting.erase(found);
}

void Courier::Impl::read_some(Instant now) {
    {
        const std::lock_guard lock(mutex);
        unread.merge(notified);
        notified.clear();
    }
    if (now < read_again_at) return;
    for (auto at = unread.begin(); at != unread.end();) {
        const std::size_t space = queue.space_for(*at);
        if (space == 0) {
            ++at;
            continue;
        }
        std::uint64_t& mark = read_up_to[*at];
        auto found = store::read_pending(*connection, *at, mark, space);
        if (!found) {
            ++counts.read_failures;
            log_warn("webhooks: store cannot be read", {{"reason", found.error()}});
            read_again_at = now + kReadAgainAfter;
            return;
        }
        if (!found->empty()) mark = found->back().number;
        const bool all = found->size() < space;
        for (webhook::Delivery& delivery : *found) queue.add(now, std::move(delivery));
        at = all ? unread.erase(at) : std::next(at);
    }
}

void Courier::Impl::send_due(Instant now) {
    for (const webhook::Delivery* delivery : queue.take_due(now)) {
        const std::uint64_t number = delivery->number;
        const auto target = target_of(delivery->app_id);
        Flight& flight = flights[number];
        flight.app_id = delivery->app_id;
        outgoing::Outcome failure{number, 0, {}};
        if (!target) {
            failure.error = "the app has no eventCbUrl";
            finish(now, number, failure, true);
            continue;
        }
        flight.url = target->url;
        const Result<gate::Url> url = options.gate.check_url(target->url);
        if (!url) {
            failure.error = url.error().what;
            finish(now, number, failure, true);
            continue;
        }
        outgoing::Post post{number, target->url, {}, delivery->body, options.timeout};
        post.headers = {
            {"Content-Type", "application/json"},
            {"Host", webhook::host_header(*url)},
            {"User-Agent", "parley"},
            {"Expect", ""},
            {"Authorization",
             webhook::sign_delivery(delivery->app_id, target->secret, *url, delivery->body)}};
        if (auto started = sender.start(std::move(post)); !started) {
            failure.error = started.error().what;
            finish(now, number, failure, false);
        }
    }
    counts.flying = queue.flying();
}

void Courier::Impl::finish(Instant now,
                           std::uint64_t number,
                           const outgoing::Outcome& outcome,
                           bool final) {
    using Verdict = webhook::DeliveryQueue::Verdict;
    const auto at = flights.find(number);
    const Flight flight = std::exchange(at->second, {});
    flights.erase(at);
    const auto judgement =
        queue.handle_result(now, flight.app_id, number, outcome.is_success(), final);
    store::DeliveryRecord record;
    record.number = number;
    record.tries = judgement.tries;
    record.status = outcome.status;
    record.error = outcome.error;
    if (record.error.empty() && !outcome.is_success())
        record.error = "answered " + std::to_string(outcome.status);
    record.url = flight.url;
    record.updated_at = record.next_at = io::read_wall_clock();
    switch (judgement.verdict) {
        case Verdict::kDelivered:
            record.state = store::DeliveryState::kDelivered;
            ++counts.delivered;
            break;
        case Verdict::kRetry:
            record.next_at += judgement.retry_after;
            ++counts.failed_tries;
            break;
        case Verdict::kDead:
            record.state = store::DeliveryState::kDead;
            ++counts.failed_tries;
            ++counts.dead;
            log_warn("webhook is a dead letter",
                     {{"app", flight.app_id}, {"delivery", number}, {"reason", record.error}});
            break;
    }
    if (judgement.verdict != Verdict::kRetry) {
        forget_waiting(flight.app_id);
        // There is space for one more of this app, which may wait in the store.
        if (queue.space_for(flight.app_id) == 1) unread.insert(flight.app_id);
    }
    // Not taken when the store is full: then it is delivered again after the next start.
    static_cast<void>(store.write(store::put_try(record)));
}

void Courier::Impl::run() {
    while (!stopping) {
        Instant now = io::read_monotonic_clock();
        read_some(now);
        send_due(now);
        Instant wake_at =
            std::min(now + kLongestWait, queue.next_deadline().value_or(now + kLongestWait));
        if (read_again_at > now) wake_at = std::min(wake_at, read_again_at);
        sender.wait(std::max(Duration{}, wake_at - now));
        now = io::read_monotonic_clock();
        for (const outgoing::Outcome& outcome : sender.take_outcomes())
            finish(now, outcome.id, outcome, false);
    }
}

Courier::Courier(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Courier::~Courier() { stop(); }

StartResult<std::unique_ptr<Courier>> Courier::start(const std::string& store_url,
                                                     store::Store& store,
                                                     Options options) {
    auto impl = std::make_unique<Impl>(store, std::move(options));
    auto connection = store::open_database(store_url);
    if (!connection) return tl::unexpected(connection.error());
    impl->connection = *std::move(connection);
    Impl* const raw = impl.get();
    impl->thread = std::thread([raw] { raw->run(); });
    return std::unique_ptr<Courier>(new Courier(std::move(impl)));
}

void Courier::set_target(const std::string& app_id, std::optional<webhook::Target> target) {
    const std::lock_guard lock(impl_->mutex);
    if (target) {
        impl_->targets.insert_or_assign(app_id, *std::move(target));
    } else {
        impl_->targets.erase(app_id);
    }
}

bool Courier::admit(const std::string& app_id, std::size_t count) {
    const std::lock_guard lock(impl_->mutex);
    std::size_t& waiting = impl_->waiting[app_id];
    if (waiting + count > impl_->options.max_waiting) return false;
    waiting += count;
    return true;
}

void Courier::notify(const std::set<std::string>& apps) {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->notified.insert(apps.begin(), apps.end());
    }
    impl_->sender.wake();
}

CourierCounters Courier::counters() const {
    CourierCounters out;
    out.delivered = impl_->counts.delivered;
    out.failed_tries = impl_->counts.failed_tries;
    out.dead = impl_->counts.dead;
    out.read_failures = impl_->counts.read_failures;
    out.flying = impl_->counts.flying;
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [app, count] : impl_->waiting) out.waiting += count;
    return out;
}

void Courier::stop() {
    if (!impl_ || !impl_->thread.joinable()) return;
    impl_->stopping = true;
    impl_->sender.wake();
    impl_->thread.join();
}

}  // namespace parley::server

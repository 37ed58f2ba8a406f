// What one event of the outbox costs: time of the thread that reports it (room control), and time
// of the store until it is on disk with its delivery. Usage: outbox_bench EVENTS FOLDER; prints one
// JSON object.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "store/event_tables.h"
#include "store/store.h"

namespace parley::store {
namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// As server/journal.cc writes one: the event, its delivery, and who is there.
std::vector<Statement> make_change(std::uint64_t number) {
    const WallTime at{
        std::chrono::milliseconds(1'700'000'000'000 + static_cast<std::int64_t>(number))};
    const std::string room = "room-" + std::to_string(number % 100);
    const std::string user = "user-" + std::to_string(number);
    const webhook::Event event{number,
                               webhook::event_id(number, at),
                               "user_joined",
                               at,
                               "desls83s2",
                               room,
                               user,
                               R"({"userData":"","agent":"Web","permission":"user"})"};
    DeliveryRecord delivery;
    delivery.number = delivery.id = delivery.event = number;
    delivery.app_id = event.app_id;
    delivery.url = "https://app.example.com/rtc/callback";
    delivery.created_at = delivery.updated_at = delivery.next_at = at;
    return {put_live({event.app_id, room}, user), put_event(event), put_delivery(delivery)};
}

int run(std::uint64_t events, const std::string& folder) {
    auto store = Store::open(folder + "/outbox.db");
    if (!store) {
        std::fprintf(stderr, "outbox_bench: %s\n", store.error().c_str());
        return EXIT_FAILURE;
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t flushed = 0;
    std::string problem;
    (*store)->start([&](Store::Ticket up_to, const std::string& what) {
        const std::lock_guard lock(mutex);
        flushed = up_to;
        problem = what;
        changed.notify_one();
    });
    const auto wait_for = [&](std::uint64_t ticket) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return flushed >= ticket || !problem.empty(); });
        return problem.empty();
    };

    const Clock::time_point start = Clock::now();
    for (std::uint64_t i = 1; i <= events; ++i) {
        if (!(*store)->write_together(make_change(i))) return EXIT_FAILURE;
    }
    const double reported_us = us_since(start) / static_cast<double>(events);
    if (!wait_for(events)) return EXIT_FAILURE;
    const double stored_us = us_since(start) / static_cast<double>(events);

    // One at a time: what an answer waits for when nothing else is written.
    constexpr std::uint64_t kAlone = 100;
    const Clock::time_point alone = Clock::now();
    for (std::uint64_t i = events + 1; i <= events + kAlone; ++i) {
        if (!(*store)->write_together(make_change(i)) || !wait_for(i)) return EXIT_FAILURE;
    }
    std::printf("{\"events\":%llu,\"reported_us\":%.2f,\"stored_us\":%.2f,\"alone_us\":%.1f}\n",
                static_cast<unsigned long long>(events),
                reported_us,
                stored_us,
                us_since(alone) / static_cast<double>(kAlone));
    (*store)->stop();
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace parley::store

int main(int argc, char** argv) {
    constexpr std::uint64_t kMostEvents = parley::store::Store::kMaxPending;
    const std::uint64_t events = argc == 3 ? std::strtoull(argv[1], nullptr, 10) : 0;
    if (events == 0 || events > kMostEvents) {
        std::fprintf(stderr,
                     "usage: outbox_bench EVENTS FOLDER, at most %llu\n",
                     static_cast<unsigned long long>(kMostEvents));
        return 2;
    }
    return parley::store::run(events, argv[2]);
}

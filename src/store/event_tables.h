#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "room/types.h"
#include "store/sql.h"
#include "webhook/delivery_queue.h"
#include "webhook/event.h"

/// The event log and its outbox: statements for the store's thread, and what readers ask.
namespace parley::store {

enum class DeliveryState : std::uint8_t { kPending, kDelivered, kDead };

struct DeliveryRecord {
    std::uint64_t number = 0;  ///< place in the queue; grows with every replay
    std::uint64_t id = 0;      ///< public name; stays
    std::uint64_t event = 0;
    std::string app_id;
    DeliveryState state = DeliveryState::kPending;
    std::uint32_t tries = 0;
    int status = 0;     ///< HTTP, of the last try; 0: no answer
    std::string error;  ///< of the last try
    std::string url;    ///< of the last try; before it, where it is to go
    WallTime created_at;
    WallTime updated_at;
    WallTime next_at;  ///< when pending

    // Of the event, when read.
    std::string event_id;
    std::string event_name;
    std::string room;
};

Statement put_event(const webhook::Event& event);
Statement put_delivery(const DeliveryRecord& delivery);
/// What a try came to; nothing when it is not pending any more.
Statement put_try(const DeliveryRecord& delivery);
/// Back into the queue with a new number; only of a delivery that is not pending.
Statement requeue_delivery(const std::string& app_id,
                           std::uint64_t id,
                           std::uint64_t number,
                           WallTime now);
Statement put_live(const room::RoomKey& room, const std::string& user);
Statement erase_live(const room::RoomKey& room, const std::string& user);

/// Forgets the oldest of what is older than `before`; at most kPruneAtOnce of each.
inline constexpr std::int64_t kPruneAtOnce = 10'000;
std::vector<Statement> prune_events(WallTime before);

struct LiveRecord {
    room::RoomKey room;
    std::string user_id;  ///< empty: the room itself
};
struct WaitingCount {
    std::string app_id;
    std::size_t pending = 0;
};
/// Where the log goes on, and what was so when the last process ended.
struct EventContent {
    std::uint64_t last_event = 0;
    std::uint64_t last_delivery = 0;
    std::vector<LiveRecord> live;  ///< users before their room
    std::vector<WaitingCount> waiting;
};
SqlResult<EventContent> load_events(Connection& connection);

/// Deliveries that wait, by number from after `after` on.
SqlResult<std::vector<webhook::Delivery>> read_pending(Connection& connection,
                                                       const std::string& app_id,
                                                       std::uint64_t after,
                                                       std::size_t limit);

struct EventQuery {
    std::string app_id;
    std::string room;         ///< empty: of all
    std::uint64_t after = 0;  ///< number
    std::uint64_t until = INT64_MAX;
    WallTime from;  ///< these two: kept as they are by default
    WallTime to = WallTime::max();
    std::size_t limit = 100;
};
/// Oldest first.
SqlResult<std::vector<webhook::Event>> read_events(Connection& connection, const EventQuery& query);

struct DeliveryQuery {
    std::string app_id;
    std::int64_t state = -1;           ///< -1: any
    std::uint64_t id = 0;              ///< 0: any
    std::uint64_t before = INT64_MAX;  ///< number
    std::size_t limit = 100;
};
/// Newest first.
SqlResult<std::vector<DeliveryRecord>> read_deliveries(Connection& connection,
                                                       const DeliveryQuery& query);

}  // namespace parley::store

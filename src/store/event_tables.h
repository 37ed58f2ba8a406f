#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "room/types.h"
#include "store/sql.h"
#include "webhook/delivery_queue.h"
#include "webhook/event.h"
#include "webhook/log.h"

/// The event log and its outbox: statements for the store's thread, and what readers ask.
namespace parley::store {

using webhook::DeliveryQuery;
using webhook::DeliveryRecord;
using webhook::DeliveryState;
using webhook::EventQuery;
using webhook::PastRoom;
using webhook::PastRoomQuery;

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

/// Oldest first.
SqlResult<std::vector<webhook::Event>> read_events(Connection& connection, const EventQuery& query);

/// Newest first. Of a room whose first events are pruned already nothing is told.
SqlResult<std::vector<PastRoom>> read_past_rooms(Connection& connection,
                                                 const PastRoomQuery& query);

/// Newest first.
SqlResult<std::vector<DeliveryRecord>> read_deliveries(Connection& connection,
                                                       const DeliveryQuery& query);

}  // namespace parley::store

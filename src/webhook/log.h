#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"

/// What is asked of the event log, and what of its outbox.
namespace parley::webhook {

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

struct EventQuery {
    std::string app_id;
    std::string room;         ///< empty: of all
    std::uint64_t after = 0;  ///< number
    std::uint64_t until = INT64_MAX;
    WallTime from;  ///< these two: kept as they are by default
    WallTime to = WallTime::max();
    std::size_t limit = 100;
};
/// One life of a room, put together from its events.
struct PastRoom {
    std::uint64_t number = 0;  ///< of the event that made it
    std::string id;            ///< of the same
    std::string room;
    WallTime created_at;
    std::optional<WallTime> closed_at;  ///< nullopt: it lives
    std::uint64_t joins = 0;
    std::uint64_t peak_users = 0;
};
struct PastRoomQuery {
    std::string app_id;
    std::string room;                  ///< empty: of all
    std::uint64_t before = INT64_MAX;  ///< number
    WallTime from;                     ///< these two: made then
    WallTime to = WallTime::max();
    std::size_t limit = 100;
};
struct DeliveryQuery {
    std::string app_id;
    std::int64_t state = -1;           ///< -1: any
    std::uint64_t id = 0;              ///< 0: any
    std::uint64_t before = INT64_MAX;  ///< number
    std::size_t limit = 100;
};

}  // namespace parley::webhook

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "quality/history.h"
#include "rest/usage.h"
#include "webhook/event.h"
#include "webhook/log.h"

namespace parley::rest {

/// What the store remembers, asked for without waiting: `done` is called once, later, on the same
/// thread. kBusy: too many ask; kSystem: the store cannot be read.
class History {
public:
    /// More than this is not sent again by one call.
    static constexpr std::size_t kMaxReplay = 10'000;

    virtual ~History() = default;
    using Events = std::function<void(Result<std::vector<webhook::Event>>)>;
    virtual void read_events(webhook::EventQuery query, Events done) = 0;
    using PastRooms = std::function<void(Result<std::vector<webhook::PastRoom>>)>;
    virtual void read_past_rooms(webhook::PastRoomQuery query, PastRooms done) = 0;
    using Deliveries = std::function<void(Result<std::vector<webhook::DeliveryRecord>>)>;
    virtual void read_deliveries(webhook::DeliveryQuery query, Deliveries done) = 0;

    /// kTooLarge: more than one answer may hold, or than is read for one.
    using Quality = std::function<void(Result<std::vector<quality::MemberHistory>>)>;
    virtual void read_quality(quality::HistoryQuery query, Quality done) = 0;
    using Usage = std::function<void(Result<std::vector<UsageRow>>)>;
    virtual void read_usage(UsageQuery query, Usage done) = 0;

    /// Sends again, and tells how many are queued, once that is on disk. kConflict: the app has no
    /// address. `query.limit` and the room are not looked at.
    using Queued = std::function<void(Result<std::size_t>)>;
    virtual void replay_events(webhook::EventQuery query, Queued done) = 0;
    /// The dead ones of the app, oldest first, or the one with `query.id` if it has ended.
    virtual void replay_deliveries(webhook::DeliveryQuery query, Queued done) = 0;
};

}  // namespace parley::rest

#include "server/history_bridge.h"

#include <algorithm>
#include <utility>

#include "io/clock.h"
#include "server/log.h"
#include "store/quality_tables.h"
#include "store/usage_tables.h"

namespace parley::server {

template <class T, class Read>
void HistoryBridge::ask(const Read& read, const std::function<void(Result<T>)>& done) {
    const bool asked = reader_.ask([this, read, done](store::Connection& connection) {
        auto found = read(connection);
        loop_.post([found = std::move(found), done]() mutable {
            if (found) return done(*std::move(found));
            log_error("store cannot be read", {{"reason", found.error()}});
            done(fail(Errc::kSystem, "store"));
        });
    });
    if (!asked) done(fail(Errc::kBusy, "the store is busy"));
}

void HistoryBridge::read_events(webhook::EventQuery query, Events done) {
    ask<std::vector<webhook::Event>>(
        [query = std::move(query)](store::Connection& connection) {
            return store::read_events(connection, query);
        },
        done);
}

void HistoryBridge::read_past_rooms(webhook::PastRoomQuery query, PastRooms done) {
    ask<std::vector<webhook::PastRoom>>(
        [query = std::move(query)](store::Connection& connection) {
            return store::read_past_rooms(connection, query);
        },
        done);
}

void HistoryBridge::read_deliveries(webhook::DeliveryQuery query, Deliveries done) {
    ask<std::vector<webhook::DeliveryRecord>>(
        [query = std::move(query)](store::Connection& connection) {
            return store::read_deliveries(connection, query);
        },
        done);
}

void HistoryBridge::read_quality(quality::HistoryQuery query, Quality done) {
    ask<store::QualityRead>(
        [query = std::move(query)](store::Connection& connection) {
            return store::read_quality(connection, query);
        },
        [done](Result<store::QualityRead> found) {
            if (!found) return done(tl::unexpected(found.error()));
            if (found->too_much) {
                return done(fail(Errc::kTooLarge,
                                 "too many points: ask for a shorter time, a coarser grain or one user"));
            }
            done(std::move(found->members));
        });
}

void HistoryBridge::read_usage(rest::UsageQuery query, Usage done) {
    ask<std::vector<rest::UsageRow>>(
        [query = std::move(query)](store::Connection& connection) {
            return store::read_usage(connection, query);
        },
        std::move(done));
}

void HistoryBridge::confirm(Result<std::size_t> queued, const Queued& done) {
    if (!queued || *queued == 0) return done(queued);
    when_flushed_([queued, done](bool kept) {
        done(kept ? queued : Result<std::size_t>(fail(Errc::kSystem, "store")));
    });
}

void HistoryBridge::replay_events(webhook::EventQuery query, Queued done) {
    query.limit = kMaxReplay;
    const std::string app = query.app_id;
    read_events(std::move(query), [this, app, done](Result<std::vector<webhook::Event>> found) {
        if (!found) return done(tl::unexpected(found.error()));
        confirm(journal_.replay(io::read_wall_clock(), app, *found), done);
    });
}

void HistoryBridge::replay_deliveries(webhook::DeliveryQuery query, Queued done) {
    if (query.id == 0) query.limit = kMaxReplay;
    const std::string app = query.app_id;
    read_deliveries(std::move(query),
                    [this, app, done](Result<std::vector<webhook::DeliveryRecord>> found) {
                        if (!found) return done(tl::unexpected(found.error()));
                        std::erase_if(*found, [](const webhook::DeliveryRecord& each) {
                            return each.state == webhook::DeliveryState::kPending;
                        });
                        // Rooms hear of things in the order they happened.
                        std::sort(found->begin(), found->end(), [](const auto& a, const auto& b) {
                            return a.event < b.event;
                        });
                        std::vector<std::uint64_t> ids;
                        for (const webhook::DeliveryRecord& each : *found) ids.push_back(each.id);
                        confirm(journal_.replay_deliveries(io::read_wall_clock(), app, ids), done);
                    });
}

}  // namespace parley::server

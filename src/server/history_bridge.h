#pragma once

#include <functional>

#include "io/event_loop.h"
#include "rest/history.h"
#include "server/journal.h"
#include "store/reader.h"

namespace parley::server {

/// The store's memory as the REST router sees it: asks on the reader's thread, answers on the loop.
class HistoryBridge final : public rest::History {
public:
    /// `when_flushed` calls back once everything that is written up to now is on disk.
    using WhenFlushed = std::function<void(std::function<void(bool kept)>)>;

    /// All must outlive it; the reader is to be stopped before the loop ends.
    HistoryBridge(io::EventLoop& loop,
                  store::Reader& reader,
                  Journal& journal,
                  WhenFlushed when_flushed)
        : loop_(loop), reader_(reader), journal_(journal), when_flushed_(std::move(when_flushed)) {}

    void read_events(webhook::EventQuery query, Events done) override;
    void read_past_rooms(webhook::PastRoomQuery query, PastRooms done) override;
    void read_deliveries(webhook::DeliveryQuery query, Deliveries done) override;
    void read_quality(quality::HistoryQuery query, Quality done) override;
    void read_usage(rest::UsageQuery query, Usage done) override;
    void replay_events(webhook::EventQuery query, Queued done) override;
    void replay_deliveries(webhook::DeliveryQuery query, Queued done) override;

private:
    /// Reads with `read` and hands the result to `done` on the loop.
    template <class T, class Read>
    void ask(const Read& read, const std::function<void(Result<T>)>& done);
    void confirm(Result<std::size_t> queued, const Queued& done);

    io::EventLoop& loop_;
    store::Reader& reader_;
    Journal& journal_;
    WhenFlushed when_flushed_;
};

}  // namespace parley::server

#pragma once

#include "io/event_loop.h"
#include "server/app_store.h"
#include "store/reader.h"

namespace parley::server {

/// Takes over accounts and keys that a command wrote into the store while the server runs. Asks now
/// and then; an answer that a change of this process has overtaken is dropped.
class KeyWatch {
public:
    static constexpr Duration kInterval = 2s;

    /// All must outlive it; the reader is to be stopped before the loop ends.
    KeyWatch(io::EventLoop& loop, store::Reader& reader, AppStore& apps)
        : loop_(loop), reader_(reader), apps_(apps), timer_(loop, [this] { ask(); }) {}

    void start() { ask(); }
    /// Everything up to `flushed` is on disk.
    void handle_flushed(store::Store::Ticket flushed) { flushed_ = flushed; }

private:
    void ask();
    void take(std::uint64_t changes_before, store::SqlResult<store::AccountContent> content);

    io::EventLoop& loop_;
    store::Reader& reader_;
    AppStore& apps_;
    store::Store::Ticket flushed_ = 0;
    io::LoopTimer timer_;
};

}  // namespace parley::server

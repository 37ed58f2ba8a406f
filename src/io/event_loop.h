#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/time.h"
#include "io/clock.h"

namespace boost::asio {
class io_context;
}

namespace parley::io {

/// The control side's loop: one thread runs it, timers and HTTP connections live on it. It hides the
/// network library, whose headers would otherwise be compiled into everything.
class EventLoop {
public:
    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    /// Runs until `stop`; handlers run on the calling thread only.
    void run();
    /// Thread-safe.
    void stop();
    /// Thread-safe. `work` runs on the loop's thread, never inside this call.
    void post(std::function<void()> work);
    /// Calls `handler` on the loop for each of these signals from now on, instead of their default action.
    void on_signals(const std::vector<int>& signals, std::function<void(int)> handler);

    [[nodiscard]] boost::asio::io_context& context();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Calls `expired` once after each `arm`. Belongs to the loop's thread.
class LoopTimer {
public:
    LoopTimer(EventLoop& loop, std::function<void()> expired);
    ~LoopTimer();
    LoopTimer(const LoopTimer&) = delete;
    LoopTimer& operator=(const LoopTimer&) = delete;

    /// Replaces an earlier deadline; one in the past expires at the next turn of the loop.
    void arm(Instant deadline);
    void cancel();
    [[nodiscard]] bool is_armed() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace parley::io

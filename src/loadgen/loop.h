#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/time.h"
#include "io/fd.h"

namespace parley::loadgen {

/// One thread's readiness and timers. Handlers live as long as the loop.
class Loop {
public:
    class Handler {
    public:
        Handler() = default;
        virtual ~Handler() = default;
        Handler(const Handler&) = delete;
        Handler& operator=(const Handler&) = delete;
        virtual void handle_io(Instant now, bool readable, bool writable) = 0;
        virtual void handle_timer(Instant now) = 0;

    private:
        friend class Loop;
        Instant deadline_ = Instant::max();
    };

    Loop();

    void add(int fd, Handler& handler, bool want_write);
    void modify(int fd, Handler& handler, bool want_write);
    void remove(int fd);

    /// Replaces the handler's earlier deadline.
    void wake_at(Handler& handler, Instant deadline);
    void cancel(Handler& handler) { handler.deadline_ = Instant::max(); }

    /// Looks at sockets only so often, and sleeps in between. Zero: as soon as something is there. On one
    /// machine a reader that falls asleep after each datagram makes the sender pay for waking it.
    void set_read_interval(Duration interval) { read_interval_ = interval; }

    /// Handles what is due and waits until `end` or until `stop` is called.
    void run_until(Instant end);
    void stop() { stopped_ = true; }

private:
    struct Timer {
        Instant deadline;
        Handler* handler = nullptr;
        friend bool operator>(const Timer& a, const Timer& b) { return a.deadline > b.deadline; }
    };
    void expire(Instant now);

    io::Fd epoll_;
    std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
    Duration read_interval_{};
    bool stopped_ = false;
};

}  // namespace parley::loadgen

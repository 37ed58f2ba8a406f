#include "loadgen/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/check.h"
#include "io/clock.h"

namespace parley::loadgen {
namespace {

constexpr int kMaxEvents = 128;

void control(int epoll, int operation, int fd, Loop::Handler* handler, bool want_write) {
    epoll_event event{};
    event.events = EPOLLIN | (want_write ? EPOLLOUT : 0u);
    event.data.ptr = handler;
    PARLEY_CHECK(epoll_ctl(epoll, operation, fd, &event) == 0);
}

timespec to_timespec(Duration d) {
    return {.tv_sec = d.count() / 1'000'000'000, .tv_nsec = d.count() % 1'000'000'000};
}

}  // namespace

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { PARLEY_CHECK(epoll_.is_open()); }

void Loop::add(int fd, Handler& handler, bool want_write) {
    control(epoll_.get(), EPOLL_CTL_ADD, fd, &handler, want_write);
}
void Loop::modify(int fd, Handler& handler, bool want_write) {
    control(epoll_.get(), EPOLL_CTL_MOD, fd, &handler, want_write);
}
void Loop::remove(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Loop::wake_at(Handler& handler, Instant deadline) {
    if (handler.deadline_ == deadline) return;
    handler.deadline_ = deadline;
    if (deadline != Instant::max()) timers_.push({deadline, &handler});
}

void Loop::expire(Instant now) {
    while (!timers_.empty() && timers_.top().deadline <= now) {
        const Timer timer = timers_.top();
        timers_.pop();
        if (timer.handler->deadline_ != timer.deadline) continue;  // replaced or cancelled
        timer.handler->deadline_ = Instant::max();
        timer.handler->handle_timer(now);
    }
}

void Loop::run_until(Instant end) {
    stopped_ = false;
    std::array<epoll_event, kMaxEvents> events{};
    while (!stopped_) {
        Instant now = io::read_monotonic_clock();
        expire(now);
        if (now >= end || stopped_) return;
        const Instant next = timers_.empty() ? end : std::min(end, timers_.top().deadline);
        now = io::read_monotonic_clock();
        Duration wait = std::max(next - now, Duration(0));
        if (read_interval_ > Duration(0)) {
            const timespec pause = to_timespec(std::min(wait, read_interval_));
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
            wait = Duration(0);
        }
        const timespec timeout = to_timespec(wait);
        const int count = epoll_pwait2(epoll_.get(), events.data(), kMaxEvents, &timeout, nullptr);
        now = io::read_monotonic_clock();
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            static_cast<Handler*>(event.data.ptr)
                ->handle_io(now, (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                            (event.events & EPOLLOUT) != 0);
        }
    }
}

}  // namespace parley::loadgen

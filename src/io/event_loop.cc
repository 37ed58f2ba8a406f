#include "io/event_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace parley::io {
namespace asio = boost::asio;

struct EventLoop::Impl {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    asio::signal_set signals{context};
    std::function<void(int)> signal_handler;

    void wait_for_signal() {
        signals.async_wait([this](const boost::system::error_code& ec, int signal) {
            if (ec) return;
            signal_handler(signal);
            wait_for_signal();
        });
    }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() { impl_->context.run(); }
void EventLoop::stop() { impl_->context.stop(); }
void EventLoop::post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }

void EventLoop::on_signals(const std::vector<int>& signals, std::function<void(int)> handler) {
    impl_->signals.cancel();
    for (const int signal : signals) impl_->signals.add(signal);
    impl_->signal_handler = std::move(handler);
    impl_->wait_for_signal();
}

boost::asio::io_context& EventLoop::context() { return impl_->context; }

// Shared with the wait handler, which may still be queued when the timer goes away.
struct LoopTimer::Impl {
    Impl(asio::io_context& context, std::function<void()> callback)
        : timer(context), expired(std::move(callback)) {}

    asio::steady_timer timer;
    std::function<void()> expired;
    std::uint64_t generation = 0;
    bool armed = false;
};

LoopTimer::LoopTimer(EventLoop& loop, std::function<void()> expired)
    : impl_(std::make_shared<Impl>(loop.context(), std::move(expired))) {}

LoopTimer::~LoopTimer() { cancel(); }

void LoopTimer::arm(Instant deadline) {
    const std::uint64_t generation = ++impl_->generation;
    impl_->armed = true;
    impl_->timer.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(deadline.time_since_epoch())));
    impl_->timer.async_wait([impl = impl_, generation](const boost::system::error_code& ec) {
        // A wait that had already expired when it was replaced arrives without an error.
        if (ec || generation != impl->generation) return;
        impl->armed = false;
        impl->expired();
    });
}

void LoopTimer::cancel() {
    ++impl_->generation;
    impl_->armed = false;
    impl_->timer.cancel();
}

bool LoopTimer::is_armed() const { return impl_->armed; }

}  // namespace parley::io

#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "io/fd.h"

namespace parley::server {

/// Bounded queue of moved values from any thread to one event loop, with a descriptor that wakes it.
template <class T>
class Mailbox {
public:
    explicit Mailbox(std::size_t capacity)
        : capacity_(capacity), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

    /// False, and nothing queued, when full.
    bool post(T value) {
        bool was_empty = false;
        {
            const std::lock_guard lock(mutex_);
            if (items_.size() >= capacity_) return false;
            was_empty = items_.empty();
            items_.push_back(std::move(value));
            depth_.store(items_.size(), std::memory_order_relaxed);
        }
        if (was_empty) wake();
        return true;
    }
    /// Moves everything that waits into `out`, which is cleared first.
    void take(std::vector<T>& out) {
        out.clear();
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        std::swap(out, items_);
        depth_.store(0, std::memory_order_relaxed);
    }
    void wake() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t sent = ::write(wake_.get(), &one, sizeof one);
    }
    [[nodiscard]] int fd() const { return wake_.get(); }
    [[nodiscard]] std::size_t depth() const { return depth_.load(std::memory_order_relaxed); }

private:
    std::size_t capacity_;
    io::Fd wake_;
    std::mutex mutex_;
    std::vector<T> items_;
    std::atomic<std::size_t> depth_{0};
};

}  // namespace parley::server

#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "sfu/usage.h"

namespace parley::server {

/// What the peers of one worker did in one grain of time.
struct ReportBatch {
    WorkerId worker;
    WallTime begin{};  ///< of the grain
    std::vector<sfu::PeerReport> reports;
};

/// Reports of all workers on their way to control. Full, it takes no more: what is not taken from a
/// node stays in its counters and comes with the next report, so that nothing is lost while control
/// is held up.
class ReportBox {
public:
    static constexpr std::size_t kMaxReports = 200'000;

    /// `wake` is called on a worker's thread when something comes into the empty box.
    explicit ReportBox(std::function<void()> wake) : wake_(std::move(wake)) {}

    [[nodiscard]] bool has_room() const {
        const std::lock_guard lock(mutex_);
        return waiting_ < kMaxReports;
    }
    /// Ask `has_room` first; a batch is never cut.
    void put(ReportBatch batch) {
        bool was_empty = false;
        {
            const std::lock_guard lock(mutex_);
            was_empty = batches_.empty();
            waiting_ += batch.reports.size();
            batches_.push_back(std::move(batch));
        }
        if (was_empty) wake_();
    }
    [[nodiscard]] std::vector<ReportBatch> take() {
        const std::lock_guard lock(mutex_);
        waiting_ = 0;
        return std::exchange(batches_, {});
    }

private:
    const std::function<void()> wake_;
    mutable std::mutex mutex_;
    std::vector<ReportBatch> batches_;
    std::size_t waiting_ = 0;
};

}  // namespace parley::server

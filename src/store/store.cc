#include "store/store.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace parley::store {
namespace {

constexpr std::size_t kMaxBatch = 1'000;
constexpr std::chrono::milliseconds kRetryAfter{500};
constexpr int kTriesAtStop = 6;

}  // namespace

struct Store::Impl {
    std::unique_ptr<Connection> connection;
    Content content;
    Progress progress;

    mutable std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::vector<Statement>> waiting;
    Ticket last = 0;     // given out
    Ticket flushed = 0;  // on disk
    bool stopping = false;
    std::thread thread;

    void run();
};

void Store::Impl::run() {
    int tries_left = kTriesAtStop;
    std::vector<Statement> batch;
    std::size_t changes = 0;
    for (;;) {
        {
            std::unique_lock lock(mutex);
            wake.wait(lock, [&] { return stopping || !waiting.empty(); });
            if (waiting.empty()) return;
            changes = std::min(waiting.size(), kMaxBatch);
            batch.clear();
            for (std::size_t i = 0; i < changes; ++i)
                batch.insert(batch.end(), waiting[i].begin(), waiting[i].end());
        }
        const SqlResult<void> done = connection->run_together(batch);
        Ticket now_flushed = 0;
        {
            std::unique_lock lock(mutex);
            if (done) {
                waiting.erase(waiting.begin(),
                              waiting.begin() + static_cast<std::ptrdiff_t>(changes));
                flushed += changes;
            }
            now_flushed = flushed;
        }
        progress(now_flushed, done ? std::string() : done.error());
        if (done) continue;
        std::unique_lock lock(mutex);
        if (stopping && --tries_left <= 0) return;
        // New writes do not make the old ones succeed; only a stop is worth an earlier try.
        const bool was_stopping = stopping;
        wake.wait_for(lock, kRetryAfter, [&] { return stopping != was_stopping; });
    }
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() { stop(); }

SqlResult<std::unique_ptr<Store>> Store::open(const std::string& url) {
    auto impl = std::make_unique<Impl>();
    auto connection = open_database(url);
    if (!connection) return tl::unexpected(connection.error());
    impl->connection = *std::move(connection);
    if (auto ready = migrate(*impl->connection); !ready) return tl::unexpected(ready.error());
    auto content = load_content(*impl->connection);
    if (!content) return tl::unexpected(content.error());
    impl->content = *std::move(content);
    return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Content Store::take_content() { return std::move(impl_->content); }

SqlResult<void> Store::write_now(const Statement& statement) {
    return impl_->connection->run_together({&statement, 1});
}

void Store::start(Progress progress) {
    impl_->progress = std::move(progress);
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

bool Store::write(Statement statement) {
    std::vector<Statement> change;
    change.push_back(std::move(statement));
    return write_together(std::move(change));
}

bool Store::write_together(std::vector<Statement> change) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->waiting.size() >= kMaxPending) return false;
        impl_->waiting.push_back(std::move(change));
        ++impl_->last;
    }
    impl_->wake.notify_one();
    return true;
}

Store::Ticket Store::last_ticket() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->last;
}

std::size_t Store::pending() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->waiting.size();
}

void Store::stop() {
    if (!impl_ || !impl_->thread.joinable()) return;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->wake.notify_one();
    impl_->thread.join();
}

}  // namespace parley::store

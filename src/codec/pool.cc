#include "codec/pool.h"

#include <time.h>

#include <algorithm>
#include <chrono>

namespace parley::codec {

namespace {

std::uint64_t thread_cpu_ns() {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(t.tv_nsec);
}

}  // namespace

Pool::Pool(const Config& config) : config_(config) {
    const std::size_t count =
        config.threads != 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
    threads_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { run_thread(); });
}

Pool::~Pool() { stop(); }

Pool::StreamId Pool::open() {
    const std::lock_guard lock(mutex_);
    if (stopping_ || streams_.size() >= config_.max_streams) {
        ++counters_.refused_streams;
        return 0;
    }
    const StreamId id = next_stream_++;
    streams_.try_emplace(id);
    return id;
}

void Pool::close(StreamId stream) {
    std::deque<std::unique_ptr<Job>> dropped;  // destroyed without the lock: jobs own large things
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    if (found == streams_.end()) return;
    dropped.swap(found->second.jobs);
    queued_ -= dropped.size();
    // A stream that runs, or stands in `runnable_`, is taken out by the thread that comes by.
    if (found->second.is_scheduled) {
        found->second.is_closed = true;
    } else {
        streams_.erase(found);
    }
    if (queued_ == 0 && running_ == 0) idle_.notify_all();
}

bool Pool::submit_job(StreamId stream, std::unique_ptr<Job> job) {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(stream);
    if (stopping_ || found == streams_.end() || found->second.is_closed ||
        found->second.jobs.size() >= config_.max_queued) {
        ++counters_.refused_jobs;
        return false;
    }
    found->second.jobs.push_back(std::move(job));
    ++queued_;
    if (!found->second.is_scheduled) {
        found->second.is_scheduled = true;
        runnable_.push_back(stream);
        wake_.notify_one();
    }
    return true;
}

void Pool::run_thread() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !runnable_.empty(); });
        if (runnable_.empty()) return;  // stopping, and nothing left
        const StreamId id = runnable_.front();
        runnable_.pop_front();
        const auto found = streams_.find(id);
        if (found == streams_.end()) continue;
        if (found->second.jobs.empty()) {
            found->second.is_scheduled = false;
            if (found->second.is_closed) streams_.erase(found);
            continue;
        }
        std::unique_ptr<Job> job = std::move(found->second.jobs.front());
        found->second.jobs.pop_front();
        --queued_;
        ++running_;
        lock.unlock();
        const std::uint64_t before = thread_cpu_ns();
        job->run();
        job.reset();
        const std::uint64_t spent = thread_cpu_ns() - before;
        lock.lock();
        --running_;
        ++counters_.jobs;
        counters_.busy_ns += spent;
        // Looked up again: others may have come or gone. One job at a turn, so that no stream
        // starves others.
        const auto again = streams_.find(id);
        if (again != streams_.end()) {
            if (!again->second.jobs.empty()) {
                runnable_.push_back(id);
                wake_.notify_one();
            } else {
                again->second.is_scheduled = false;
                if (again->second.is_closed) streams_.erase(again);
            }
        }
        if (queued_ == 0 && running_ == 0) idle_.notify_all();
    }
}

void Pool::stop(Duration limit) {
    std::vector<std::deque<std::unique_ptr<Job>>> dropped;
    {
        std::unique_lock lock(mutex_);
        if (stopping_) return;
        stopping_ = true;
        idle_.wait_for(lock, limit, [this] { return queued_ == 0 && running_ == 0; });
        for (auto& [id, stream] : streams_) {
            queued_ -= stream.jobs.size();
            dropped.push_back(std::move(stream.jobs));
            stream.jobs.clear();
        }
        streams_.clear();
        runnable_.clear();
        wake_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
}

Pool::Stats Pool::stats() const {
    const std::lock_guard lock(mutex_);
    Stats stats = counters_;
    stats.streams = streams_.size();
    stats.queued = queued_;
    return stats;
}

}  // namespace parley::codec

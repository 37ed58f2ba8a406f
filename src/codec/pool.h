#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"

namespace parley::codec {

/// Threads for codec work. The jobs of one stream run one after the other in the order they were
/// given, on any thread, so a stream's transcoder needs no lock; jobs of different streams run side
/// by side.
///
/// A job delivers its results itself, on the pool's thread: post them to a mailbox. It must not
/// wait.
class Pool {
public:
    using StreamId = std::uint64_t;

    struct Config {
        std::size_t threads = 0;  ///< 0: one for each processor
        std::size_t max_streams = 1'024;
        std::size_t max_queued = 64;  ///< jobs of one stream: 1.3 s of audio
    };
    struct Stats {
        std::uint64_t jobs = 0;             ///< done
        std::uint64_t refused_jobs = 0;     ///< the stream's queue was full
        std::uint64_t refused_streams = 0;  ///< the pool was full
        std::uint64_t busy_ns = 0;          ///< CPU time of the jobs, all threads
        std::size_t streams = 0;
        std::size_t queued = 0;
    };

    explicit Pool(const Config& config);
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    /// As `stop`.
    ~Pool();

    /// A new stream; 0 when there are `max_streams`, or the pool has stopped.
    [[nodiscard]] StreamId open();
    /// Jobs that wait are dropped; one that runs ends. What jobs own is destroyed on the pool's
    /// threads, or here. Unknown ids are ignored.
    void close(StreamId stream);

    /// False, and `job` destroyed, when the stream is unknown or its queue is full.
    template <class F>
    bool submit(StreamId stream, F&& job) {
        return submit_job(stream, std::make_unique<JobOf<std::decay_t<F>>>(std::forward<F>(job)));
    }

    /// Runs the jobs that wait, at most for `limit`, and then drops the rest; joins the threads. No
    /// job runs after it. Repeating it does nothing.
    void stop(Duration limit = 2s);

    [[nodiscard]] Stats stats() const;
    [[nodiscard]] std::size_t threads() const { return threads_.size(); }

private:
    struct Job {
        virtual ~Job() = default;
        virtual void run() = 0;
    };
    template <class F>
    struct JobOf : Job {
        explicit JobOf(F f) : function(std::move(f)) {}
        void run() override { function(); }
        F function;
    };
    struct Stream {
        std::deque<std::unique_ptr<Job>> jobs;
        bool is_scheduled = false;  ///< in `runnable_` or running
        bool is_closed = false;
    };

    bool submit_job(StreamId stream, std::unique_ptr<Job> job);
    void run_thread();

    Config config_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::unordered_map<StreamId, Stream> streams_;
    std::deque<StreamId> runnable_;
    StreamId next_stream_ = 1;
    std::size_t queued_ = 0;
    std::size_t running_ = 0;
    bool stopping_ = false;
    Stats counters_;
    std::vector<std::thread> threads_;
};

}  // namespace parley::codec

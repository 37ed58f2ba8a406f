#include "codec/pool.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <mutex>

namespace parley::codec {
namespace {

TEST(Pool, KeepsTheOrderOfEachStream) {
    Pool pool({.threads = 3, .max_queued = 100'000});
    constexpr int kStreams = 20;
    constexpr int kJobs = 500;
    std::vector<Pool::StreamId> streams;
    std::vector<std::vector<int>> seen(
        kStreams);  // each touched by its stream only: no lock, by contract
    std::latch done(kStreams * kJobs);
    for (int s = 0; s < kStreams; ++s) streams.push_back(pool.open());
    for (int j = 0; j < kJobs; ++j) {
        for (int s = 0; s < kStreams; ++s) {
            ASSERT_TRUE(pool.submit(streams[static_cast<std::size_t>(s)], [&, s, j] {
                seen[static_cast<std::size_t>(s)].push_back(j);
                done.count_down();
            }));
        }
    }
    done.wait();
    for (const auto& order : seen) {
        ASSERT_EQ(order.size(), static_cast<std::size_t>(kJobs));
        EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    }
}

/// Occupies the only thread until `open`.
struct Gate {
    std::promise<void> opened;
    std::promise<void> entered;
    void block(Pool& pool, Pool::StreamId stream) {
        ASSERT_TRUE(pool.submit(stream, [this] {
            entered.set_value();
            opened.get_future().wait();
        }));
        entered.get_future().wait();
    }
};

TEST(Pool, RefusesBeyondItsBounds) {
    Pool pool({.threads = 1, .max_streams = 2, .max_queued = 3});
    const auto a = pool.open();
    const auto b = pool.open();
    EXPECT_EQ(pool.open(), 0U);
    Gate gate;
    gate.block(pool, a);
    std::atomic<int> ran = 0;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.submit(a, [&ran] { ++ran; }));
    EXPECT_FALSE(pool.submit(a, [&ran] { ++ran; }));
    EXPECT_TRUE(pool.submit(b, [&ran] { ++ran; })) << "the other stream has its own queue";
    EXPECT_FALSE(pool.submit(77, [&ran] { ++ran; }));
    EXPECT_EQ(pool.stats().queued, 4U);
    gate.opened.set_value();
    pool.stop();
    EXPECT_EQ(ran, 4);
    const auto stats = pool.stats();
    EXPECT_EQ(stats.jobs, 5U);
    EXPECT_EQ(stats.refused_jobs, 2U);
    EXPECT_EQ(stats.refused_streams, 1U);
    EXPECT_EQ(pool.open(), 0U) << "stopped";
}

TEST(Pool, ClosedStreamsForgetTheirJobs) {
    Pool pool({.threads = 1});
    const auto a = pool.open();
    const auto b = pool.open();
    Gate gate;
    gate.block(pool, a);
    std::atomic<int> ran = 0;
    auto owned = std::make_shared<int>(1);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool.submit(a, [&ran, owned] { ++ran; }));
    ASSERT_TRUE(pool.submit(b, [&ran, owned] { ++ran; }));
    pool.close(b);
    pool.close(a);
    EXPECT_EQ(owned.use_count(), 1) << "what jobs own is gone with them";
    EXPECT_FALSE(pool.submit(a, [&ran] { ++ran; }));
    gate.opened.set_value();
    pool.stop();
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(pool.stats().streams, 0U);
}

TEST(Pool, AJobMayCloseItsOwnStreamAndSubmitToOthers) {
    Pool pool({.threads = 2});
    const auto a = pool.open();
    const auto b = pool.open();
    std::promise<void> done;
    ASSERT_TRUE(pool.submit(a, [&] {
        pool.close(a);
        EXPECT_TRUE(pool.submit(b, [&] { done.set_value(); }));
    }));
    done.get_future().wait();
    pool.stop();
    EXPECT_EQ(pool.stats().jobs, 2U);
}

TEST(Pool, StopGivesUpWhatTakesTooLong) {
    Pool pool({.threads = 1});
    const auto a = pool.open();
    std::promise<void> entered;
    std::promise<void> release;
    auto released = release.get_future();
    ASSERT_TRUE(pool.submit(a, [&] {
        entered.set_value();
        released.wait();
    }));
    entered.get_future().wait();
    std::atomic<int> ran = 0;
    ASSERT_TRUE(pool.submit(a, [&ran] { ++ran; }));
    std::thread stopper([&pool] { pool.stop(0ms); });
    while (pool.stats().queued != 0) std::this_thread::yield();
    release.set_value();
    stopper.join();
    EXPECT_EQ(ran, 0);
}

}  // namespace
}  // namespace parley::codec

#include "loadgen/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "io/clock.h"
#include "io/fd.h"

namespace parley::loadgen {
namespace {

/// Reads one datagram for each call, and stops the loop at the last one.
class Reader final : public Loop::Handler {
public:
    Reader(Loop& loop, int fd, int wanted) : loop_(loop), fd_(fd), wanted_(wanted) { loop_.add(fd_, *this, false); }
    int got = 0;

private:
    void handle_io(Instant, bool readable, bool) override {
        char byte = 0;
        if (readable && recv(fd_, &byte, 1, MSG_DONTWAIT) == 1 && ++got == wanted_) loop_.stop();
    }
    void handle_timer(Instant) override {}
    Loop& loop_;
    int fd_;
    int wanted_;
};

class Writer final : public Loop::Handler {
public:
    Writer(Loop& loop, int fd, Instant at) : fd_(fd), at_(at) { loop.wake_at(*this, at); }
    bool too_early = false;

private:
    void handle_io(Instant, bool, bool) override {}
    void handle_timer(Instant now) override {
        too_early = now < at_;
        for (int i = 0; i < 5; ++i) EXPECT_EQ(send(fd_, "x", 1, 0), 1);
    }
    int fd_;
    Instant at_;
};

class LoopReads : public testing::TestWithParam<Duration> {};

TEST_P(LoopReads, EverySocketAndTimerIsServedWhateverTheInterval) {
    int pair[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    const io::Fd ours(pair[0]);
    const io::Fd theirs(pair[1]);
    Loop loop;
    loop.set_read_interval(GetParam());
    const Instant start = io::read_monotonic_clock();
    Reader reader(loop, ours.get(), 5);
    Writer writer(loop, theirs.get(), start + 3ms);
    loop.run_until(start + 20s);  // far beyond what five datagrams take; `stop` ends it
    EXPECT_EQ(reader.got, 5);
    EXPECT_FALSE(writer.too_early);
    loop.remove(ours.get());
}
INSTANTIATE_TEST_SUITE_P(Intervals, LoopReads, testing::Values(Duration(0), Duration(500us), Duration(20ms)));

TEST(Loop, AReadIntervalDoesNotOutlastTheEnd) {
    Loop loop;
    loop.set_read_interval(3600s);
    const Instant end = io::read_monotonic_clock() + 1ms;
    loop.run_until(end);
    EXPECT_GE(io::read_monotonic_clock(), end);  // and an interval of an hour would not have come here
}

}  // namespace
}  // namespace parley::loadgen

#include "server/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>

namespace parley::server {
namespace {

using ::testing::ElementsAre;

bool is_awake(int fd, int timeout_ms) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, timeout_ms) == 1;
}

TEST(Mailbox, TakesInOrderAndWakes) {
    Mailbox<int> box(8);
    EXPECT_FALSE(is_awake(box.fd(), 0));
    EXPECT_TRUE(box.post(1));
    EXPECT_TRUE(box.post(2));
    EXPECT_TRUE(is_awake(box.fd(), 0));
    EXPECT_EQ(box.depth(), 2U);
    std::vector<int> out{99};
    box.take(out);
    EXPECT_THAT(out, ElementsAre(1, 2));
    EXPECT_FALSE(is_awake(box.fd(), 0));
    EXPECT_EQ(box.depth(), 0U);
}

TEST(Mailbox, RefusesAtItsBound) {
    Mailbox<std::unique_ptr<int>> box(2);
    EXPECT_TRUE(box.post(std::make_unique<int>(1)));
    EXPECT_TRUE(box.post(std::make_unique<int>(2)));
    EXPECT_FALSE(box.post(std::make_unique<int>(3)));
    std::vector<std::unique_ptr<int>> out;
    box.take(out);
    EXPECT_EQ(out.size(), 2U);
    EXPECT_TRUE(box.post(std::make_unique<int>(4)));
}

TEST(Mailbox, NothingIsLostBetweenThreads) {
    constexpr int kSenders = 3;
    constexpr int kEach = 20'000;
    Mailbox<std::pair<int, int>> box(64);
    std::vector<std::thread> senders;
    for (int sender = 0; sender < kSenders; ++sender) {
        senders.emplace_back([&box, sender] {
            for (int i = 0; i < kEach;) {
                if (box.post({sender, i})) {
                    ++i;
                } else {
                    std::this_thread::yield();
                }
            }
        });
    }
    std::vector<int> next(kSenders, 0);
    std::vector<std::pair<int, int>> out;
    bool in_order = true;
    int got = 0;
    while (got < kSenders * kEach && in_order) {
        ASSERT_TRUE(is_awake(box.fd(), 60'000)) << "a wake-up was lost after " << got;
        box.take(out);
        for (const auto& [sender, number] : out) {
            in_order &= number == next[static_cast<std::size_t>(sender)]++;
            ++got;
        }
    }
    for (std::thread& sender : senders) sender.join();
    EXPECT_TRUE(in_order);
    EXPECT_EQ(got, kSenders * kEach);
}

}  // namespace
}  // namespace parley::server

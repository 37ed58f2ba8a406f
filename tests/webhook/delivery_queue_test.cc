#include "webhook/delivery_queue.h"

#include <gtest/gtest.h>

#include <set>

namespace parley::webhook {
namespace {

constexpr Instant kStart{1h};
using Verdict = DeliveryQueue::Verdict;

Delivery make(std::uint64_t number, std::string room = "r", std::string app = "a") {
    return {number, std::move(app), std::move(room), 0, "{}"};
}
std::vector<std::uint64_t> numbers(const std::vector<const Delivery*>& due) {
    std::vector<std::uint64_t> out;
    for (const Delivery* delivery : due) out.push_back(delivery->number);
    return out;
}
using Numbers = std::vector<std::uint64_t>;

TEST(DeliveryQueue, OneRoomIsInOrderRoomsAreNot) {
    DeliveryQueue queue({}, Rng(1));
    for (const auto& [number, room] : {std::pair{1, "r"}, {2, "r"}, {3, "s"}})
        queue.add(kStart, make(static_cast<std::uint64_t>(number), room));
    EXPECT_EQ(numbers(queue.take_due(kStart)), (Numbers{1, 3}));
    EXPECT_EQ(numbers(queue.take_due(kStart)), Numbers{});
    EXPECT_EQ(queue.next_deadline(), std::nullopt);
    EXPECT_EQ(queue.handle_result(kStart, "a", 1, true).verdict, Verdict::kDelivered);
    EXPECT_EQ(queue.next_deadline(), kStart);
    EXPECT_EQ(numbers(queue.take_due(kStart)), (Numbers{2}));
}

TEST(DeliveryQueue, FailuresAreTriedAfterGrowingDelaysThenDie) {
    const DeliveryLimits limits;
    DeliveryQueue queue(limits, Rng(2));
    queue.add(kStart, make(1));
    queue.add(kStart, make(2));
    Instant now = kStart;
    for (std::uint32_t i = 0; i < limits.delays.size(); ++i) {
        EXPECT_EQ(numbers(queue.take_due(now)), (Numbers{1}));
        const auto judgement = queue.handle_result(now, "a", 1, false);
        EXPECT_EQ(judgement.verdict, Verdict::kRetry);
        EXPECT_EQ(judgement.tries, i + 1);
        const double off = to_seconds(judgement.retry_after) / to_seconds(limits.delays[i]);
        EXPECT_GE(off, 1 - limits.jitter);
        EXPECT_LE(off, 1 + limits.jitter);
        ASSERT_EQ(queue.next_deadline(), now + judgement.retry_after);
        EXPECT_EQ(numbers(queue.take_due(now + judgement.retry_after - 1ns)), Numbers{});
        now = now + judgement.retry_after;
    }
    EXPECT_EQ(numbers(queue.take_due(now)), (Numbers{1}));
    const auto last = queue.handle_result(now, "a", 1, false);
    EXPECT_EQ(last.verdict, Verdict::kDead);
    EXPECT_EQ(last.tries, 5U);
    EXPECT_EQ(numbers(queue.take_due(now)), (Numbers{2}))
        << "the room goes on behind a dead letter";
}

TEST(DeliveryQueue, JitterKeepsRoomsApart) {
    DeliveryQueue queue({}, Rng(3));
    std::set<Duration> delays;
    constexpr std::uint64_t kRooms = 50;
    for (std::uint64_t i = 0; i < kRooms; ++i) {
        queue.add(kStart, make(i, "r" + std::to_string(i)));
        ASSERT_EQ(numbers(queue.take_due(kStart)), (Numbers{i}));
        delays.insert(queue.handle_result(kStart, "a", i, false).retry_after);
    }
    EXPECT_GT(delays.size(), kRooms * 9 / 10);
}

TEST(DeliveryQueue, ATargetThatHangsTakesOnlyItsShare) {
    DeliveryLimits limits;
    limits.max_flying_of_app = 2;
    limits.max_flying = 3;
    limits.max_queued = 4;
    DeliveryQueue queue(limits, Rng(4));
    for (std::uint64_t i = 0; i < 4; ++i)
        queue.add(kStart, make(i, "r" + std::to_string(i), "slow"));
    EXPECT_EQ(queue.space_for("slow"), 0U);
    EXPECT_EQ(queue.space_for("quick"), 4U);
    EXPECT_EQ(numbers(queue.take_due(kStart)), (Numbers{0, 1}));
    for (std::uint64_t i = 10; i < 13; ++i) {
        queue.add(kStart, make(i, "r", "quick"));
        EXPECT_EQ(numbers(queue.take_due(kStart)), (Numbers{i}));
        EXPECT_EQ(queue.handle_result(kStart, "quick", i, true).verdict, Verdict::kDelivered);
    }
    EXPECT_EQ(queue.flying(), 2U);
}

TEST(DeliveryQueue, NoRoomStarves) {
    DeliveryLimits limits;
    limits.max_flying_of_app = 1;
    DeliveryQueue queue(limits, Rng(5));
    std::uint64_t number = 0;
    for (const char* room : {"a", "b", "c"}) {
        for (int i = 0; i < 3; ++i) queue.add(kStart, make(number++, room));
    }
    std::map<std::string, int> sent;
    for (int i = 0; i < 3; ++i) {
        const auto due = queue.take_due(kStart);
        ASSERT_EQ(due.size(), 1U);
        ++sent[due[0]->room];
        queue.handle_result(kStart, "a", due[0]->number, true);
    }
    EXPECT_EQ(sent.size(), 3U);
}

TEST(DeliveryQueue, TheTriesOfAnEarlierProcessCount) {
    DeliveryQueue queue({}, Rng(6));
    Delivery delivery = make(1);
    delivery.tries = 4;
    queue.add(kStart, delivery);
    static_cast<void>(queue.take_due(kStart));
    EXPECT_EQ(queue.handle_result(kStart, "a", 1, false).verdict, Verdict::kDead);
}

TEST(DeliveryQueue, NothingIsTriedAgainWhenThatIsPointless) {
    DeliveryQueue queue({}, Rng(7));
    queue.add(kStart, make(1));
    static_cast<void>(queue.take_due(kStart));
    EXPECT_EQ(queue.handle_result(kStart, "a", 1, false, true).verdict, Verdict::kDead);
    EXPECT_EQ(queue.space_for("a"), DeliveryLimits{}.max_queued);
}

}  // namespace
}  // namespace parley::webhook

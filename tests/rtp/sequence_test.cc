#include "rtp/sequence.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"

namespace parley::rtp {
namespace {

TEST(SequenceUnwrapper, Table) {
    struct Case {
        const char* name;
        std::vector<std::uint16_t> in;
        std::vector<std::optional<ExtSeq>> out;
    };
    const std::vector<Case> cases{
        {"from 0", {0, 1, 2}, {0, 1, 2}},
        {"before cycle 0", {0, 65535, 1}, {0, std::nullopt, 1}},
        {"before cycle 0, from 1", {1, 65535, 0, 2}, {1, std::nullopt, 0, 2}},
        {"over the wrap", {65535, 0, 65534, 1}, {65535, 65536, 65534, 65537}},
        {"jump ahead by 2^15 - 1", {0, 32767}, {0, 32767}},
        {"2^15 is behind", {32768, 0}, {32768, 0}},
        {"2^15 behind a later cycle", {65535, 0, 32768}, {65535, 65536, 32768}},
        {"2^15 + 1 is ahead", {32769, 0}, {32769, 65536}},
        {"from 2^15 - 1", {32767, 32768, 32766}, {32767, 32768, 32766}},
        {"from 2^15 + 1", {32769, 32768, 32770}, {32769, 32768, 32770}},
        {"old ones do not move the reference", {10, 30000, 20, 40000}, {10, 30000, 20, 40000}},
    };
    for (const Case& c : cases) {
        SequenceUnwrapper unwrapper;
        for (std::size_t i = 0; i < c.in.size(); ++i) {
            EXPECT_EQ(unwrapper.peek(c.in[i]), c.out[i]) << c.name << " " << i;
            EXPECT_EQ(unwrapper.unwrap(c.in[i]), c.out[i]) << c.name << " " << i;
        }
    }
}

TEST(SequenceUnwrapper, FollowsTheTrueNumberThroughManyCycles) {
    for (const ExtSeq start : {0u, 1u, 32767u, 32768u, 32769u, 65535u}) {
        Rng rng(start + 1);
        SequenceUnwrapper unwrapper;
        ExtSeq highest = start;
        ASSERT_EQ(unwrapper.unwrap(to_wire(start)), start);
        for (int i = 0; i < 20'000; ++i) {
            ExtSeq next = highest;
            if (rng.chance(0.5)) {
                next += rng.below(32'768);
            } else {
                next -= rng.below(std::min<ExtSeq>(highest, 32'768) + 1);
            }
            ASSERT_EQ(unwrapper.unwrap(to_wire(next)), next);
            highest = std::max(highest, next);
            ASSERT_EQ(unwrapper.highest(), highest);
        }
        ASSERT_GT(highest, 50u << 16);
    }
}

TEST(SequenceUnwrapper, StartsInTheGivenCycle) {
    SequenceUnwrapper unwrapper(1);
    EXPECT_EQ(unwrapper.unwrap(0), 65536u);
    EXPECT_EQ(unwrapper.unwrap(65535), 65535u);
    unwrapper.reset();
    EXPECT_EQ(unwrapper.unwrap(7), 65543u);
}

TEST(TimestampUnwrapper, FollowsTheTrueTimestamp) {
    constexpr ExtTimestamp kCycle = std::uint64_t{1} << 32;
    for (const std::uint32_t start : {0u, 1u, 0x7FFFFFFFu, 0x80000000u, 0x80000001u, 0xFFFFFFFFu}) {
        Rng rng(start + 1u);
        TimestampUnwrapper unwrapper;
        ExtTimestamp highest = kCycle | start;
        ASSERT_EQ(unwrapper.unwrap(start), highest);
        for (int i = 0; i < 5'000; ++i) {
            const ExtTimestamp next =
                rng.chance(0.5) ? highest + rng.below(0x80000000) : highest - rng.below(0x80000000);
            ASSERT_EQ(unwrapper.unwrap(static_cast<std::uint32_t>(next)), next);
            highest = std::max(highest, next);
        }
        ASSERT_GT(highest, 100 * kCycle);
    }
}

}  // namespace
}  // namespace parley::rtp

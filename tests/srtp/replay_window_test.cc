#include "srtp/replay_window.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace parley::srtp {
namespace {

/// Slow and obvious: every index ever marked.
class Model {
public:
    explicit Model(std::uint64_t size) : size_(size) {}
    [[nodiscard]] bool is_fresh(std::uint64_t index) const {
        if (seen_.empty()) return true;
        if (index + size_ <= *seen_.rbegin()) return false;
        return !seen_.contains(index);
    }
    void mark(std::uint64_t index) { seen_.insert(index); }

private:
    std::uint64_t size_;
    std::set<std::uint64_t> seen_;
};

template <std::size_t kWords>
void compare_with_model(std::uint64_t seed, std::uint64_t start) {
    Rng rng(seed);
    ReplayWindow<kWords> window;
    Model model(ReplayWindow<kWords>::kSize);
    std::uint64_t newest = start;
    for (int i = 0; i < 4000; ++i) {
        // Mostly near the newest, sometimes around the far edge of the window, sometimes a jump.
        const std::uint64_t edge = ReplayWindow<kWords>::kSize;
        std::uint64_t index = 0;
        switch (rng.below(8)) {
            case 0: index = newest + rng.below(3 * edge); break;
            case 1: index = newest + 1 + rng.below(66); break;
            case 2: index = newest - std::min(newest, edge - 2 + rng.below(4)); break;
            case 3: index = newest - std::min(newest, rng.below(2 * edge)); break;
            default: index = newest + 2 - std::min(newest + 2, rng.below(20)); break;
        }
        ASSERT_EQ(window.is_fresh(index), model.is_fresh(index)) << "seed " << seed << " step " << i;
        if (!window.is_fresh(index)) continue;
        if (rng.chance(0.1)) continue;  // not authentic: never marked
        window.mark(index);
        model.mark(index);
        newest = std::max(newest, index);
        ASSERT_EQ(window.highest(), std::max(window.highest(), index));
    }
}

TEST(ReplayWindow, BehavesAsTheModel) {
    for (const std::uint64_t start : {0ull, 1ull, 63ull, 64ull, 1023ull, 65535ull, 0xffff'ffffull}) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            compare_with_model<17>(seed, start);
            compare_with_model<3>(seed, start);
            compare_with_model<2>(seed, start);
        }
    }
}

TEST(ReplayWindow, ReachesBackExactlyItsSize) {
    ReplayWindow<17> window;
    window.mark(5000);
    EXPECT_TRUE(window.is_fresh(5000 - 1023));
    EXPECT_FALSE(window.is_fresh(5000 - 1024));
    window.mark(5000 - 1023);
    EXPECT_FALSE(window.is_fresh(5000 - 1023));
}

struct EstimateCase {
    std::uint64_t highest;
    std::uint16_t received;
    std::uint64_t expected;
};

TEST(EstimateIndex, Rfc3711Section331) {
    constexpr std::uint64_t kRound = 0x1'0000;
    for (const EstimateCase& c : std::initializer_list<EstimateCase>{
             {0, 1, 1},
             {0, 0x8000, 0x8000},
             {0, 0xffff, 0xffff},  // no round before the first
             {0x7fff, 0xffff, 0xffff},
             {0x8000, 0, 0},
             {0x8001, 0, kRound},
             {0xffff, 0, kRound},
             {0xffff, 0x7ffe, kRound + 0x7ffe},
             {0xffff, 0x7fff, 0x7fff},
             {kRound, 0xffff, 0xffff},
             {kRound, 0x8000, kRound + 0x8000},
             {kRound, 0x8001, 0x8001},
             {kRound + 0x7fff, 0xffff, kRound + 0xffff},
             {kRound + 0x7ffe, 0xffff, 0xffff},
             {2 * kRound + 0xfffe, 3, 3 * kRound + 3},
             {0xffff'ffff'ffff, 5, 5},  // the last round: a new key is due, so this can only be a replay
         }) {
        EXPECT_EQ(estimate_index(c.highest, c.received), c.expected)
            << std::hex << c.highest << " " << c.received;
    }
}

/// Whatever is less than 2^15 away is found, at any place of any round.
TEST(EstimateIndex, FindsEveryIndexWithinHalfARound) {
    Rng rng(3);
    for (int i = 0; i < 20000; ++i) {
        const std::uint64_t highest = rng.below(1ull << 47);
        const std::uint64_t ahead = highest + rng.below(0x7fff);
        EXPECT_EQ(estimate_index(highest, static_cast<std::uint16_t>(ahead)), ahead);
        const std::uint64_t behind = highest - std::min(highest, rng.below(0x7fff));
        EXPECT_EQ(estimate_index(highest, static_cast<std::uint16_t>(behind)), behind);
    }
}

}  // namespace
}  // namespace parley::srtp

#include "sfu/burst.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/rng.h"

namespace parley::sfu {
namespace {

std::unique_ptr<Burst> burst_of(media::PacketPool& pool, const std::vector<std::uint16_t>& sizes) {
    auto burst = std::make_unique<Burst>();
    for (const std::uint16_t size : sizes) {
        media::PacketRef packet = pool.allocate();
        packet->payload_offset = 12;
        packet->payload_size = size;
        packet->data.fill(0xee);
        EXPECT_TRUE(burst->add(std::move(packet)));
    }
    return burst;
}

struct PlanCase {
    std::vector<std::uint16_t> sizes;
    std::vector<std::size_t> run_counts;
    std::size_t padding;
};

TEST(Burst, CutsPacketsIntoRunsOfOneSize) {
    const PlanCase cases[] = {
        {{1100}, {1}, 0},
        {{1100, 1100, 1100}, {3}, 0},
        {{1099, 1100, 1099, 1100}, {4}, 2},          // the encoder's pieces differ by a byte
        {{1098, 1100, 1099}, {3}, 2},                // the last one may be shorter as it is
        {{1097, 1100, 1100}, {1, 2}, 0},             // three bytes are not padded
        {{1100, 1100, 300}, {3}, 0},                 // a shorter one ends the run
        {{1100, 300, 1100}, {2, 1}, 0},
        {{30, 1100, 1100}, {1, 2}, 0},
        {{50, 51}, {1, 1}, 0},                       // padding would be over 1 %
        {{51, 50}, {2}, 0},
        {{0, 0, 7}, {2, 1}, 0},
    };
    for (const PlanCase& c : cases) {
        media::PacketPool pool(256);
        const auto burst = burst_of(pool, c.sizes);
        EXPECT_EQ(burst->plan(), c.padding);
        std::vector<std::size_t> counts;
        for (const auto& run : burst->runs()) counts.push_back(run.count);
        EXPECT_EQ(counts, c.run_counts) << "first size " << c.sizes[0] << ", " << c.sizes.size();
    }
}

TEST(Burst, HoldsItsInvariantsOnRandomSizes) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Rng rng(seed);
        media::PacketPool pool(256);
        std::vector<std::uint16_t> sizes;
        const std::size_t count = 1 + rng.below(Burst::kMaxPackets);
        std::uint16_t size = static_cast<std::uint16_t>(rng.below(1300));
        for (std::size_t i = 0; i < count; ++i) {
            if (rng.chance(0.2)) size = static_cast<std::uint16_t>(rng.below(1300));
            sizes.push_back(static_cast<std::uint16_t>(size + rng.below(4)));
        }
        const auto burst = burst_of(pool, sizes);
        const std::size_t padding = burst->plan();
        std::size_t next = 0;
        std::size_t seen_padding = 0;
        std::size_t payload = 0;
        for (const auto& run : burst->runs()) {
            ASSERT_EQ(run.first, next);
            ASSERT_LE(run.count, Burst::kMaxRun + 1);
            for (std::size_t i = run.first; i < run.first + run.count; ++i) {
                const std::size_t wire = sizes[i] + burst->padding(i);
                const bool last = i + 1 == static_cast<std::size_t>(run.first + run.count);
                if (last) {
                    ASSERT_LE(wire, run.payload_size);
                } else {
                    ASSERT_EQ(wire, run.payload_size);
                }
                if (burst->padding(i) > 0) {
                    const media::Packet& p = burst->packet(i);
                    ASSERT_EQ(p.data[p.payload_offset + wire - 1], burst->padding(i))
                        << "the last byte counts the padding";
                }
                seen_padding += burst->padding(i);
                payload += sizes[i];
            }
            next += run.count;
        }
        ASSERT_EQ(next, count);
        ASSERT_EQ(seen_padding, padding);
        ASSERT_LE(padding * 100, payload) << "padding stays under 1 % of the traffic";
    }
}

}  // namespace
}  // namespace parley::sfu

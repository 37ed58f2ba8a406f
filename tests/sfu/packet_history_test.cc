#include "sfu/packet_history.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace parley::sfu {
namespace {

media::PacketRef make(media::PacketPool& pool, rtp::ExtSeq sequence, Instant at) {
    media::PacketRef packet = pool.allocate();
    packet->ext_seq = sequence;
    packet->received_at = at;
    return packet;
}

TEST(PacketHistory, KeepsWhatItIsGivenUntilTheCapacity) {
    media::PacketPool pool(1024);
    PacketHistory history(64, 10s);
    for (rtp::ExtSeq i = 100; i < 200; ++i) {
        EXPECT_EQ(history.insert(make(pool, i, Instant(1ms * i))), PacketHistory::Verdict::kNew);
    }
    EXPECT_FALSE(history.find(135));
    ASSERT_TRUE(history.find(136));
    EXPECT_EQ(history.find(136)->ext_seq, 136U);
    EXPECT_TRUE(history.find(199));
    EXPECT_FALSE(history.find(200));
    EXPECT_EQ(history.size(), 64U);
    EXPECT_EQ(history.insert(make(pool, 199, Instant(1s))), PacketHistory::Verdict::kDuplicate);
    EXPECT_EQ(history.insert(make(pool, 135, Instant(1s))), PacketHistory::Verdict::kTooOld);
}

TEST(PacketHistory, LetsOldPacketsGoByAge) {
    media::PacketPool pool(1024);
    PacketHistory history(256, 1s);
    for (rtp::ExtSeq i = 0; i < 200; ++i) history.insert(make(pool, i, Instant(20ms * i)));
    // The newest is 3.98 s old, so nothing older than 2.98 s may stay.
    EXPECT_FALSE(history.find(140));
    EXPECT_TRUE(history.find(150));
    EXPECT_EQ(pool.in_use(), history.size());
}

TEST(PacketHistory, UnwrapsNearTheHighest) {
    media::PacketPool pool(64);
    PacketHistory history(16, 10s);
    EXPECT_FALSE(history.unwrap(5));
    history.insert(make(pool, 65'530, Instant{}));
    EXPECT_EQ(history.unwrap(65'529), 65'529U);
    EXPECT_EQ(history.unwrap(4), 65'540U);
    history.insert(make(pool, 65'540, Instant{}));
    EXPECT_EQ(history.unwrap(65'535), 65'535U);
    PacketHistory young(16, 10s);
    young.insert(make(pool, 3, Instant{}));
    EXPECT_FALSE(young.unwrap(65'000)) << "before the first cycle there is nothing";
}

// A slow and obvious model under random packets: jumps, repeats, reordering, wrap-around of 16 bits.
TEST(PacketHistory, AgreesWithASlowModel) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Rng rng(seed);
        media::PacketPool pool(4096);
        constexpr std::size_t kCapacity = 32;
        PacketHistory history(kCapacity, 1'000'000s);
        std::map<rtp::ExtSeq, bool> model;
        rtp::ExtSeq highest = 0;
        bool any = false;
        rtp::ExtSeq base = 65'000 + rng.below(1000);
        for (int i = 0; i < 2000; ++i) {
            const auto choice = rng.below(20);
            if (choice == 0) base += rng.below(100);
            const rtp::ExtSeq sequence = base + rng.below(24);
            if (choice > 2) ++base;
            const auto verdict = history.insert(make(pool, sequence, Instant{}));
            auto expected = PacketHistory::Verdict::kNew;
            if (any && sequence + kCapacity <= highest) {
                expected = PacketHistory::Verdict::kTooOld;
            } else if (model.contains(sequence)) {
                expected = PacketHistory::Verdict::kDuplicate;
            } else {
                model[sequence] = true;
                highest = any ? std::max(highest, sequence) : sequence;
                any = true;
                while (!model.empty() && model.begin()->first + kCapacity <= highest) {
                    model.erase(model.begin());
                }
            }
            ASSERT_EQ(verdict, expected) << "seed " << seed << " step " << i;
            ASSERT_EQ(history.size(), model.size()) << "seed " << seed << " step " << i;
            const rtp::ExtSeq probe = base + rng.below(64) - 40;
            ASSERT_EQ(static_cast<bool>(history.find(probe)), model.contains(probe));
        }
        ASSERT_EQ(pool.in_use(), model.size()) << "no slab is lost";
    }
}

}  // namespace
}  // namespace parley::sfu

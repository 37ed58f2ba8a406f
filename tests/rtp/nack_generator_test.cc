#include "rtp/nack_generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/rng.h"

namespace parley::rtp {
namespace {

Instant at(Duration d) { return Instant(1000s + d); }

std::vector<ExtSeq> take(NackGenerator& nack, Instant now) {
    const auto due = nack.take_due(now);
    return {due.begin(), due.end()};
}

using Seqs = std::vector<ExtSeq>;

TEST(NackGenerator, AsksForAGapOnceItIsOldEnoughAndAgainAfterARoundTrip) {
    for (const ExtSeq start : {ExtSeq{0}, ExtSeq{32767}, ExtSeq{32768}, ExtSeq{65534}, ExtSeq{65535}}) {
        NackGenerator nack;
        nack.set_round_trip(50ms);
        nack.handle_packet(at(0ms), start);
        EXPECT_EQ(nack.next_deadline(), std::nullopt);
        nack.handle_packet(at(0ms), start + 4);
        EXPECT_EQ(nack.next_deadline(), at(5ms));
        EXPECT_EQ(take(nack, at(4ms)), Seqs{});
        EXPECT_EQ(take(nack, at(5ms)), (Seqs{start + 1, start + 2, start + 3}));
        EXPECT_EQ(take(nack, at(5ms)), Seqs{});
        EXPECT_EQ(nack.next_deadline(), at(55ms));
        nack.handle_packet(at(30ms), start + 2);
        EXPECT_EQ(take(nack, at(54ms)), Seqs{});
        EXPECT_EQ(take(nack, at(55ms)), (Seqs{start + 1, start + 3}));
        nack.handle_packet(at(56ms), start + 1);
        nack.handle_packet(at(56ms), start + 3);
        EXPECT_EQ(nack.next_deadline(), std::nullopt);
        EXPECT_EQ(nack.missing(), 0u);
        EXPECT_FALSE(nack.take_key_frame_request());
        EXPECT_EQ(nack.stats().missing_total, 3u);
        EXPECT_EQ(nack.stats().recovered, 3u);
        EXPECT_EQ(nack.stats().requests, 5u);
    }
}

TEST(NackGenerator, AReorderedPacketIsNotAskedFor) {
    NackGenerator nack;
    nack.handle_packet(at(0ms), 10);
    nack.handle_packet(at(0ms), 12);
    nack.handle_packet(at(3ms), 11);
    EXPECT_EQ(take(nack, at(100ms)), Seqs{});
    EXPECT_EQ(nack.stats().requests, 0u);
}

TEST(NackGenerator, GivesUpAfterTheAttemptsAndAsksForOneKeyFrame) {
    NackGenerator nack(NackGenerator::Config{.max_attempts = 3});
    nack.set_round_trip(100ms);
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 3);
    Instant now = at(5ms);
    for (int attempt = 0; attempt < 3; ++attempt) {
        EXPECT_EQ(take(nack, now), (Seqs{1, 2})) << attempt;
        EXPECT_FALSE(nack.take_key_frame_request());
        now += 100ms;
    }
    EXPECT_EQ(take(nack, now), Seqs{});
    EXPECT_EQ(nack.missing(), 0u);
    EXPECT_EQ(nack.next_deadline(), std::nullopt);
    EXPECT_TRUE(nack.take_key_frame_request());
    EXPECT_FALSE(nack.take_key_frame_request());
    EXPECT_EQ(nack.stats().given_up, 2u);
}

TEST(NackGenerator, GivesUpWhatIsTooOld) {
    NackGenerator nack(NackGenerator::Config{.max_age = 150ms});
    nack.set_round_trip(100ms);
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 2);
    EXPECT_EQ(take(nack, at(5ms)), Seqs{1});
    EXPECT_EQ(take(nack, at(105ms)), Seqs{1});
    EXPECT_EQ(take(nack, at(205ms)), Seqs{});
    EXPECT_TRUE(nack.take_key_frame_request());
}

TEST(NackGenerator, AKeyFrameMakesOlderGapsAndTheRequestNeedless) {
    NackGenerator nack(NackGenerator::Config{.max_attempts = 1});
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 3);
    EXPECT_EQ(take(nack, at(5ms)), (Seqs{1, 2}));
    EXPECT_EQ(take(nack, at(500ms)), Seqs{});  // both given up
    nack.handle_packet(at(500ms), 10);         // 4 to 9 are missing, and 8 begins a key frame
    nack.handle_key_frame(8);
    EXPECT_FALSE(nack.take_key_frame_request());
    EXPECT_EQ(nack.missing(), 2u);
    EXPECT_EQ(take(nack, at(505ms)), (Seqs{8, 9}));
}

TEST(NackGenerator, AKeyFrameBeforeAGivenUpNumberKeepsTheRequest) {
    NackGenerator nack(NackGenerator::Config{.max_attempts = 1});
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 3);
    (void)take(nack, at(5ms));
    (void)take(nack, at(500ms));
    nack.handle_key_frame(1);
    EXPECT_TRUE(nack.take_key_frame_request());
}

TEST(NackGenerator, ForgetsTheOldestAtTheBound) {
    NackGenerator nack;
    nack.handle_packet(at(0ms), 100);
    nack.handle_packet(at(0ms), 100 + NackGenerator::kMaxMissing + 1);
    EXPECT_EQ(nack.missing(), NackGenerator::kMaxMissing);
    EXPECT_FALSE(nack.take_key_frame_request());
    nack.handle_packet(at(0ms), 100 + NackGenerator::kMaxMissing + 4);
    EXPECT_EQ(nack.missing(), NackGenerator::kMaxMissing);
    EXPECT_FALSE(nack.is_missing(101));
    EXPECT_FALSE(nack.is_missing(102));
    EXPECT_TRUE(nack.is_missing(103));
    EXPECT_TRUE(nack.is_missing(100 + NackGenerator::kMaxMissing + 3));
    EXPECT_TRUE(nack.take_key_frame_request());
    EXPECT_EQ(nack.stats().given_up, 2u);
}

TEST(NackGenerator, AJumpIsANewStart) {
    NackGenerator nack;
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 2);
    nack.handle_packet(at(1ms), 2 + NackGenerator::kMaxJump);  // the largest that is still a gap
    EXPECT_EQ(nack.missing(), NackGenerator::kMaxMissing);
    EXPECT_TRUE(nack.take_key_frame_request());
    nack.handle_packet(at(2ms), 3 + 2 * NackGenerator::kMaxJump);
    EXPECT_EQ(nack.missing(), 0u);
    EXPECT_EQ(nack.next_deadline(), std::nullopt);
    EXPECT_TRUE(nack.take_key_frame_request());
    nack.handle_packet(at(3ms), 5 + 2 * NackGenerator::kMaxJump);
    EXPECT_EQ(take(nack, at(8ms)), Seqs{4 + 2 * NackGenerator::kMaxJump});
}

TEST(NackGenerator, MoreThanOneRequestIsSpread) {
    NackGenerator nack;
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 301);
    Seqs asked;
    Instant now = at(5ms);
    for (const std::size_t count : {std::size_t{128}, std::size_t{128}, std::size_t{44}}) {
        const Seqs due = take(nack, now);
        EXPECT_EQ(due.size(), count);
        asked.insert(asked.end(), due.begin(), due.end());
        ASSERT_TRUE(nack.next_deadline());
        EXPECT_GT(*nack.next_deadline(), now);
        now = *nack.next_deadline();
    }
    ASSERT_EQ(asked.size(), 300u);
    EXPECT_TRUE(std::is_sorted(asked.begin(), asked.end()));
    EXPECT_EQ(asked.back(), 300u);
}

TEST(NackGenerator, TheRoundTripIsBounded) {
    NackGenerator nack;
    nack.set_round_trip(3600s);
    nack.handle_packet(at(0ms), 0);
    nack.handle_packet(at(0ms), 2);
    (void)take(nack, at(5ms));
    EXPECT_EQ(nack.next_deadline(), at(1005ms));
    nack.set_round_trip(-5s);
    (void)take(nack, at(1005ms));
    EXPECT_EQ(nack.next_deadline(), at(1025ms));
}

/// The obvious way: every missing number in a map.
class Model {
public:
    explicit Model(const NackGenerator::Config& config) : config_(config) {}

    void handle_packet(Instant now, ExtSeq sequence) {
        if (!highest_) {
            highest_ = sequence;
        } else if (sequence <= *highest_) {
            missing_.erase(sequence);
        } else {
            if (sequence - *highest_ > NackGenerator::kMaxJump) {
                missing_.clear();
                wanted_ = true;
            } else {
                for (ExtSeq s = *highest_ + 1; s < sequence; ++s) {
                    missing_[s] = {now, now + config_.first_delay, 0};
                    if (missing_.size() > config_.max_missing) {
                        missing_.erase(missing_.begin());
                        wanted_ = true;
                    }
                }
            }
            highest_ = sequence;
        }
    }
    Seqs take_due(Instant now, Duration interval) {
        Seqs due;
        for (auto it = missing_.begin(); it != missing_.end();) {
            auto& [sequence, m] = *it;
            if (m.due <= now) {
                if (m.attempts == config_.max_attempts || now - m.since > config_.max_age) {
                    it = missing_.erase(it);
                    wanted_ = true;
                    continue;
                }
                if (due.size() < NackGenerator::kMaxPerRequest) {
                    due.push_back(sequence);
                    ++m.attempts;
                    m.due = now + interval;
                } else {
                    m.due = now + 1ms;
                }
            }
            ++it;
        }
        return due;
    }
    bool take_wanted() { return std::exchange(wanted_, false); }
    [[nodiscard]] std::size_t missing() const { return missing_.size(); }

private:
    struct Missing {
        Instant since;
        Instant due;
        int attempts = 0;
    };
    NackGenerator::Config config_;
    std::map<ExtSeq, Missing> missing_;
    std::optional<ExtSeq> highest_;
    bool wanted_ = false;
};

TEST(NackGenerator, DoesWhatTheModelDoesUnderRandomLoss) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Rng rng(seed);
        NackGenerator::Config config;
        config.max_missing = seed % 3 == 0 ? 20 : NackGenerator::kMaxMissing;
        config.max_attempts = static_cast<std::uint8_t>(1 + rng.below(4));
        NackGenerator nack(config);
        Model model(config);
        nack.set_round_trip(60ms);
        Instant now = at(0ms);
        ExtSeq next = rng.below(70'000);
        Seqs outstanding;
        for (int step = 0; step < 4'000; ++step) {
            now += Duration(static_cast<std::int64_t>(rng.below(3'000'000)));
            if (rng.chance(0.002)) next += rng.below(NackGenerator::kMaxJump * 3 / 2);
            if (rng.chance(0.01)) next += rng.below(400);
            if (rng.chance(0.9)) {
                nack.handle_packet(now, next);
                model.handle_packet(now, next);
            }
            ++next;
            if (!outstanding.empty() && rng.chance(0.3)) {  // a retransmission, or a repeat of one
                const ExtSeq back = outstanding[rng.below(outstanding.size())];
                nack.handle_packet(now, back);
                model.handle_packet(now, back);
            }
            if (rng.chance(0.2)) {
                const Seqs due = take(nack, now);
                ASSERT_EQ(due, model.take_due(now, 60ms)) << "seed " << seed << " step " << step;
                if (!due.empty()) outstanding = due;
                if (const auto deadline = nack.next_deadline()) {
                    ASSERT_GT(*deadline, now);
                }
            }
            ASSERT_EQ(nack.missing(), model.missing()) << "seed " << seed << " step " << step;
            ASSERT_LE(nack.missing(), config.max_missing);
            if (rng.chance(0.1)) {
                ASSERT_EQ(nack.take_key_frame_request(), model.take_wanted());
            }
        }
    }
}

}  // namespace
}  // namespace parley::rtp

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "convert/gop_cache.h"
#include "convert/player_queue.h"
#include "support.h"

namespace parley::convert {
namespace {

using namespace testing;
constexpr auto kAudio = FrameKind::kAudio;
constexpr auto kVideo = FrameKind::kVideo;

/// `A`, `V`, `K` (key frame) with their milliseconds, `ac` and `vc` for configurations.
std::string text(const std::vector<FrameRef>& frames) {
    std::string out;
    for (const FrameRef& f : frames) {
        if (!out.empty()) out += ' ';
        if (f->is_config) {
            out += f->kind == kAudio ? "ac" : "vc";
        } else {
            out += f->kind == kAudio ? "A" : f->is_key ? "K" : "V";
            out += std::to_string(to_ms(f->dts));
        }
    }
    return out;
}

std::string start_of(const GopCache& cache) {
    std::vector<FrameRef> out;
    cache.append_start(out);
    return text(out);
}

TEST(GopCache, NewestGroupWithItsSound) {
    GopCache cache;
    EXPECT_EQ(start_of(cache), "");
    cache.handle_frame(make_config(kVideo));
    cache.handle_frame(make_config(kAudio));
    cache.handle_frame(make_frame(kVideo, 0));
    EXPECT_EQ(start_of(cache), "vc ac") << "nothing without a key frame";
    cache.handle_frame(make_frame(kVideo, 40, true));
    cache.handle_frame(make_frame(kAudio, 20));
    cache.handle_frame(make_frame(kAudio, 41));
    cache.handle_frame(make_frame(kVideo, 80));
    EXPECT_EQ(start_of(cache), "vc ac K40 A41 V80") << "sound of before the picture stays out";
    cache.handle_frame(make_frame(kVideo, 120, true));
    EXPECT_EQ(start_of(cache), "vc ac K120");
    EXPECT_EQ(cache.bytes(), 100U + Frame::kOverhead);
    cache.handle_frame(make_config(kVideo, 1));
    EXPECT_EQ(start_of(cache), "vc ac") << "pictures of the old configuration";
    cache.handle_frame(make_frame(kVideo, 160, true));
    cache.handle_frame(make_config(kVideo, 1));
    EXPECT_EQ(start_of(cache), "vc ac K160") << "the same again";
    cache.forget(kVideo);
    EXPECT_EQ(start_of(cache), "ac");
    cache.handle_frame(make_frame(kAudio, 200));
    EXPECT_EQ(start_of(cache), "ac A200");
    cache.forget(kAudio);
    EXPECT_EQ(start_of(cache), "");
    EXPECT_EQ(cache.bytes(), 0U);
}

// A sender's first report may put its clock behind what was guessed for the pictures before.
TEST(GopCache, PicturesWhoseTimesGoBackStayInOrder) {
    GopCache cache;
    cache.handle_frame(make_config(kVideo));
    cache.handle_frame(make_config(kAudio));
    cache.handle_frame(make_frame(kVideo, 200, true));
    cache.handle_frame(make_frame(kAudio, 190));
    cache.handle_frame(make_frame(kVideo, 150));
    cache.handle_frame(make_frame(kAudio, 210));
    cache.handle_frame(make_frame(kVideo, 190));
    cache.handle_frame(make_frame(kVideo, 230));
    EXPECT_EQ(start_of(cache), "vc ac K200 V150 V190 A210 V230");
}

TEST(GopCache, SmallFramesAreNotFree) {
    GopCache cache;
    for (int i = 0; i < 100'000; ++i) cache.handle_frame(make_frame(kAudio, 0, false, 1));
    EXPECT_LE(cache.frames() * Frame::kOverhead, GopCache::Config{}.max_bytes);
    EXPECT_GT(cache.frames(), 1'000U);
    PlayerQueue queue;
    queue.set_expected(true, false);
    std::size_t waits = 0;
    for (int i = 0; i < 100'000; ++i) {
        queue.push(at_ms(0), make_frame(kAudio, 0, false, 1));
        waits = std::max(waits, queue.bytes());
    }
    EXPECT_LE(waits, PlayerQueue::Config{}.max_bytes + 2 * Frame::kOverhead);
    EXPECT_GT(waits, PlayerQueue::Config{}.max_bytes / 2);
}

TEST(GopCache, Bounds) {
    GopCache cache(
        {.max_bytes = 1'000 + 6 * Frame::kOverhead, .max_duration = 1s, .audio_only = 100ms});
    for (int i = 0; i < 50; ++i) cache.handle_frame(make_frame(kAudio, i * 20));
    EXPECT_EQ(start_of(cache), "A880 A900 A920 A940 A960 A980");
    cache.handle_frame(make_frame(kAudio, 1'000, false, 5'000));
    EXPECT_EQ(cache.frames(), 1U);
    cache.handle_frame(make_frame(kVideo, 1'000, true, 1'100));
    cache.handle_frame(make_frame(kVideo, 1'040, false, 1'100));
    EXPECT_EQ(start_of(cache), "") << "too many bytes";
    cache.handle_frame(make_frame(kVideo, 1'080));
    EXPECT_EQ(start_of(cache), "");
    cache.handle_frame(make_frame(kVideo, 2'000, true));
    cache.handle_frame(make_frame(kVideo, 3'001));
    EXPECT_EQ(start_of(cache), "") << "too long";
    EXPECT_EQ(cache.stats().forgotten, 2U);
}

class PlayerQueueTest : public ::testing::Test {
protected:
    void push(std::int64_t now, FrameRef frame) { queue_.push(at_ms(now), std::move(frame)); }
    std::string take_all(std::int64_t now) {
        std::vector<FrameRef> out;
        while (FrameRef frame = queue_.take(at_ms(now))) out.push_back(std::move(frame));
        return text(out);
    }
    PlayerQueue queue_;
};

TEST_F(PlayerQueueTest, PutsLateSoundIntoItsPlace) {
    push(0, make_config(kVideo));
    push(0, make_frame(kVideo, 0, true));
    push(0, make_frame(kAudio, 0));
    push(40, make_frame(kVideo, 40));
    EXPECT_EQ(take_all(40), "vc K0 A0");
    push(60, make_frame(kAudio, 21));
    EXPECT_EQ(take_all(60), "A21");
    push(80, make_frame(kAudio, 43));
    EXPECT_EQ(take_all(80), "V40") << "the sound waits for the next picture";
    ASSERT_TRUE(queue_.next_deadline());
    EXPECT_EQ(*queue_.next_deadline(), at_ms(95)) << "not for long";
    queue_.handle_timeout(at_ms(95));
    EXPECT_EQ(take_all(95), "A43");
    push(100, make_frame(kVideo, 80));
    EXPECT_EQ(take_all(249), "");
    EXPECT_EQ(*queue_.next_deadline(), at_ms(250));
    queue_.handle_timeout(at_ms(250));
    EXPECT_EQ(take_all(250), "V80");
    EXPECT_FALSE(queue_.next_deadline());
    EXPECT_EQ(queue_.stats().held_too_long, 2U);
}

TEST_F(PlayerQueueTest, NothingWaitsForAKindThatIsNotThere) {
    push(0, make_frame(kVideo, 0, true));
    push(40, make_frame(kVideo, 40));
    EXPECT_EQ(take_all(40), "K0 V40") << "no sound yet";
    push(50, make_frame(kAudio, 40));
    push(600, make_frame(kVideo, 600));
    EXPECT_EQ(take_all(600), "A40 V600") << "the sound has stopped";
    PlayerQueue silent;
    silent.set_expected(false, true);
    silent.push(at_ms(0), make_frame(kVideo, 0, true));
    EXPECT_TRUE(silent.has_ready());
}

TEST_F(PlayerQueueTest, SlowPlayerSkipsToTheNewestKeyFrame) {
    queue_.set_expected(true, true);
    for (int i = 0; i <= 38; ++i) {
        const std::int64_t t = i * 40;
        push(t, make_frame(kVideo, t, i % 10 == 0));
        push(t, make_frame(kAudio, t));
    }
    // 1,520 ms wait: everything before the key frame at 1,200 goes.
    EXPECT_EQ(queue_.stats().drops, 1U);
    const std::string left = take_all(1'520);
    EXPECT_TRUE(left.starts_with("K1200 A1200 V1240")) << left;
    EXPECT_EQ(queue_.bytes(), 0U);
    EXPECT_EQ(queue_.close_reason(), PlayerQueue::CloseReason::kNone);
}

TEST_F(PlayerQueueTest, WithoutAKeyFrameItWaitsForOneAndSoundGoesOn) {
    push(0, make_frame(kVideo, 0, true));
    (void)take_all(0);
    for (int i = 1; i <= 39; ++i) {
        push(i * 40, make_frame(kVideo, i * 40));
        push(i * 40, make_frame(kAudio, i * 40));
    }
    EXPECT_EQ(queue_.stats().drops, 1U);
    EXPECT_TRUE(queue_.waits_for_key_frame());
    EXPECT_THAT(take_all(1'560), ::testing::Not(::testing::HasSubstr("V")));
    push(1'600, make_frame(kVideo, 1'600));
    push(1'600, make_frame(kAudio, 1'600));
    EXPECT_EQ(take_all(1'700), "A1600");
    push(1'640, make_frame(kVideo, 1'640, true));
    push(1'640, make_frame(kAudio, 1'640));
    EXPECT_EQ(take_all(1'700), "K1640 A1640");
    EXPECT_FALSE(queue_.waits_for_key_frame());
}

TEST_F(PlayerQueueTest, ConfigurationsSurviveTheSkip) {
    push(0, make_frame(kVideo, 0, true));
    for (int i = 1; i < 10; ++i) push(i * 40, make_frame(kVideo, i * 40));
    push(400, make_config(kVideo, 1));
    push(400, make_frame(kVideo, 400, true));
    push(500, make_config(kVideo, 2));
    push(500, make_frame(kVideo, 500, true));
    push(2'000, make_frame(kVideo, 2'000));
    const std::string left = take_all(2'000);
    EXPECT_EQ(left, "vc K500 V2000");
}

TEST_F(PlayerQueueTest, TheStartIsNotTooSlow) {
    std::vector<FrameRef> start;
    for (int i = 0; i < 100; ++i) start.push_back(make_frame(kVideo, i * 40, i == 0));
    queue_.push_start(at_ms(4'000), start);
    push(4'000, make_frame(kVideo, 4'000));
    EXPECT_EQ(queue_.stats().drops, 0U);
    EXPECT_TRUE(take_all(4'000).starts_with("K0 V40"));
}

/// A player that joins while sound is 80 ms behind the pictures: the first picture comes at once,
/// the others and the sound that follows in the order of their times.
TEST_F(PlayerQueueTest, TheSeamBetweenStartAndLiveIsInOrder) {
    GopCache cache;
    cache.handle_frame(make_frame(kVideo, 0, true));
    for (const std::int64_t t : {40, 80, 120}) {
        cache.handle_frame(make_frame(kVideo, t));
        cache.handle_frame(make_frame(kAudio, t - 80));
    }
    EXPECT_EQ(start_of(cache), "K0 A0 V40 A40 V80 V120");
    std::vector<FrameRef> start;
    cache.append_start(start);
    queue_.push_start(at_ms(130), start);
    EXPECT_EQ(take_all(130), "K0 A0 V40 A40");
    push(140, make_frame(kAudio, 61));
    push(150, make_frame(kAudio, 82));
    EXPECT_EQ(take_all(150), "A61 V80 A82");

    GopCache fresh;
    fresh.handle_frame(make_frame(kAudio, 900));
    fresh.handle_frame(make_frame(kVideo, 1'000, true));
    start.clear();
    fresh.append_start(start);
    PlayerQueue queue;
    queue.push_start(at_ms(1'010), start);
    EXPECT_TRUE(queue.take(at_ms(1'010))) << "the first picture waits for nothing";
    queue.push(at_ms(1'020), make_frame(kAudio, 980));
    EXPECT_EQ(queue.stats().dropped_frames, 1U) << "sound of before it";
    queue.push(at_ms(1'040), make_frame(kAudio, 1'001));
    queue.handle_timeout(at_ms(1'055));
    EXPECT_TRUE(queue.has_ready());
}

TEST_F(PlayerQueueTest, ClosesWithAReason) {
    push(0, make_frame(kAudio, 0));
    EXPECT_EQ(*queue_.next_deadline(), at_ms(10'000));
    queue_.handle_timeout(at_ms(10'000));
    EXPECT_EQ(queue_.close_reason(), PlayerQueue::CloseReason::kStalled);
    EXPECT_FALSE(queue_.next_deadline());
    PlayerQueue slow;
    for (std::int64_t t = 0; t < 30'000; t += 20) {
        slow.push(at_ms(t), make_frame(kAudio, t));
        if (t % 1'000 == 0) (void)slow.take(at_ms(t));
    }
    EXPECT_EQ(slow.close_reason(), PlayerQueue::CloseReason::kTooSlow);
    EXPECT_LE(slow.stats().drops, 30U);
}

TEST(PlayerQueueBound, WhatTheConnectionHasNotSentCountsToo) {
    PlayerQueue queue({.max_bytes = 100'000});
    queue.set_expected(false, true);
    queue.push(at_ms(0), make_frame(kVideo, 0, true, 60'000));
    ASSERT_TRUE(queue.take(at_ms(0)));
    queue.push(at_ms(40), make_frame(kVideo, 40, false, 60'000));
    EXPECT_TRUE(queue.waits_for_key_frame());
    EXPECT_EQ(queue.stats().dropped_frames, 1U);
    // It is out now.
    EXPECT_FALSE(queue.take(at_ms(80), 0));
    queue.push(at_ms(80), make_frame(kVideo, 80, true, 60'000));
    EXPECT_TRUE(queue.take(at_ms(80), 0));
}

/// Random frames, stalls and reads: bytes are bounded, times of a kind never go back, and a picture
/// comes out only if the one before it did or it is a key frame.
TEST(PlayerQueueModel, OrderBoundsAndReferences) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Rng rng(seed);
        PlayerQueue queue({.max_delay = 400ms,
                           .max_bytes = 100'000,
                           .max_drops = 1'000,
                           .max_picture_hold = Duration(rng.below(2) * 80'000'000)});
        std::int64_t last[2] = {-1, -1};
        std::int64_t last_picture = -1;
        bool is_stuck = false;
        for (std::int64_t t = 0; t < 20'000; t += 20) {
            if (t % 40 == 0) {
                queue.push(at_ms(t), make_frame(kVideo, t, t % 800 == 0, 200 + rng.below(2'000)));
            }
            if (t >= 40) queue.push(at_ms(t), make_frame(kAudio, t - 40));
            if (rng.chance(0.02)) is_stuck = !is_stuck;
            queue.handle_timeout(at_ms(t));
            for (std::uint64_t n = is_stuck ? 0 : rng.below(5); n > 0; --n) {
                const FrameRef f = queue.take(at_ms(t));
                if (!f) break;
                const int kind = f->kind == kAudio ? 0 : 1;
                EXPECT_GT(to_ms(f->dts), last[kind]) << seed;
                last[kind] = to_ms(f->dts);
                if (kind == 1) {
                    EXPECT_TRUE(f->is_key || to_ms(f->dts) == last_picture + 40)
                        << "seed " << seed << " at " << to_ms(f->dts) << " after " << last_picture;
                    last_picture = to_ms(f->dts);
                }
            }
            EXPECT_LE(queue.bytes(), 100'000U + 2'300U + Frame::kOverhead) << seed;
        }
        EXPECT_GT(last_picture, 10'000) << seed;
    }
}

}  // namespace
}  // namespace parley::convert

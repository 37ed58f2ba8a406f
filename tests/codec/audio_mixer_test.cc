#include "codec/audio_mixer.h"

#include <gtest/gtest.h>

#include <map>

#include "codec/audio.h"
#include "support.h"

namespace parley::codec {
namespace {

using testing::Samples;

class AudioMixerTest : public ::testing::Test {
protected:
    static Instant at(std::int64_t ms) { return Instant(Duration(ms * 1'000'000)); }
    void advance(std::int64_t ms) {
        std::vector<AudioMixer::Mixed> out;
        mixer_->advance(at(ms), out);
        for (auto& m : out) {
            auto [line, is_new] = lines_.try_emplace(m.output);
            if (is_new)
                line->second.decoder.emplace(
                    std::move(*AacDecoder::create(mixer_->audio_specific_config())));
            EXPECT_EQ(m.frame.timestamp, line->second.next) << "frames follow each other";
            line->second.next = m.frame.timestamp + 1'024;
            Pcm pcm;
            ASSERT_TRUE(line->second.decoder->decode(m.frame.payload, pcm));
            auto& samples = line->second.samples;
            samples.insert(samples.end(), pcm.samples.begin(), pcm.samples.end());
        }
    }
    struct Line {
        std::optional<AacDecoder> decoder;
        std::int64_t next = 0;
        Samples samples;
    };
    double level(AudioMixer::OutputId id, double frequency) {
        const Samples& s = lines_[id].samples;
        return testing::level_at(
            std::span(s).subspan(s.size() / 2, s.size() / 3), 48'000, frequency);
    }
    std::unique_ptr<AudioMixer> mixer_ = std::move(*AudioMixer::create({.channels = 1}));
    std::map<AudioMixer::OutputId, Line> lines_;
};

TEST_F(AudioMixerTest, EverybodyHearsAllButHimself) {
    const double tones[] = {400, 700, 1'100};
    std::vector<OpusEncoder> encoders;
    for (AudioMixer::InputId id = 0; id < 3; ++id) {
        ASSERT_TRUE(mixer_->add_input(id));
        const AudioMixer::InputId own[] = {id};
        ASSERT_TRUE(mixer_->add_output(id, own));
        encoders.push_back(std::move(*OpusEncoder::create({.channels = 1})));
    }
    ASSERT_TRUE(mixer_->add_output(9, {}));
    EXPECT_FALSE(mixer_->add_input(1)) << "the id is taken";
    for (std::int64_t i = 0; i < 150; ++i) {
        for (AudioMixer::InputId id = 0; id < 3; ++id) {
            const auto pcm =
                testing::tone(960, 48'000, {tones[id]}, 5'000, static_cast<std::size_t>(i) * 960);
            const Bytes packet = *encoders[id].encode(pcm);
            mixer_->handle_opus(id,
                                {.timestamp = static_cast<std::uint64_t>(1'000'000 * id + i * 960),
                                 .after_loss = false,
                                 .data = packet});
        }
        advance(i * 20);
    }
    for (AudioMixer::OutputId id = 0; id < 3; ++id) {
        for (AudioMixer::InputId other = 0; other < 3; ++other) {
            if (other == id) {
                EXPECT_LT(level(id, tones[other]), 100) << id;
            } else {
                EXPECT_NEAR(level(id, tones[other]), 5'000, 500) << id << " " << other;
            }
        }
    }
    for (const double f : tones) EXPECT_NEAR(level(9, f), 5'000, 500);
    EXPECT_EQ(mixer_->stats().limited_frames, 0U);
    EXPECT_EQ(mixer_->stats().late_samples, 0U);
}

TEST_F(AudioMixerTest, PlacesInputsToTheSample) {
    ASSERT_TRUE(mixer_->add_input(1));
    ASSERT_TRUE(mixer_->add_input(2));
    const AudioMixer::InputId one[] = {1};
    const AudioMixer::InputId two[] = {2};
    ASSERT_TRUE(mixer_->add_output(1, two));
    ASSERT_TRUE(mixer_->add_output(2, one));
    Samples first(48'000, 0);
    Samples second(48'000, 0);
    testing::add_click(first, 1, 48'000, 20'000);
    testing::add_click(second, 1, 48'000, 20'777);
    for (std::size_t i = 0; i < 50; ++i) {
        mixer_->handle_pcm(1, 5'000'000 + i * 960, std::span(first).subspan(i * 960, 960));
        mixer_->handle_pcm(2, 77 + i * 960, std::span(second).subspan(i * 960, 960));
        advance(static_cast<std::int64_t>(i) * 20);
    }
    for (int i = 50; i < 60; ++i) advance(i * 20);
    // Both begin `latency` behind the clock.
    const double a = testing::click_position(lines_[1].samples);
    const double b = testing::click_position(lines_[2].samples);
    EXPECT_NEAR(b - a, 777, 1.5);
    EXPECT_NEAR(a, 20'000 + 0.060 * 48'000, 2);
}

TEST_F(AudioMixerTest, ManyLoudVoicesNeverClip) {
    for (AudioMixer::InputId id = 0; id < 12; ++id) ASSERT_TRUE(mixer_->add_input(id));
    ASSERT_TRUE(mixer_->add_output(0, {}));
    for (std::size_t i = 0; i < 100; ++i) {
        const auto pcm = testing::tone(960, 48'000, {500}, 20'000, i * 960);
        for (AudioMixer::InputId id = 0; id < 12; ++id) mixer_->handle_pcm(id, i * 960, pcm);
        advance(static_cast<std::int64_t>(i) * 20);
    }
    EXPECT_GT(mixer_->stats().limited_frames, 50U);
    // The fast AAC coder takes some level off pure tones as loud as this.
    EXPECT_GT(level(0, 500), 20'000);
    EXPECT_LT(level(0, 500), 29'000);
    // Clipped, twelve times the full scale would have a third harmonic of 8,000.
    EXPECT_LT(level(0, 1'500), 500);
}

TEST_F(AudioMixerTest, InputsComeGoAndFallBehind) {
    ASSERT_TRUE(mixer_->add_input(1));
    ASSERT_TRUE(mixer_->add_output(0, {}));
    const auto speak = [&](std::size_t i) {
        mixer_->handle_pcm(1, i * 960, testing::tone(960, 48'000, {500}, 8'000, i * 960));
    };
    for (std::size_t i = 0; i < 20; ++i) {
        speak(i);
        advance(static_cast<std::int64_t>(i) * 20);
    }
    // The input stalls for a second and then goes on where it was: it is heard again, later.
    for (std::size_t i = 20; i < 70; ++i) advance(static_cast<std::int64_t>(i) * 20);
    for (std::size_t i = 20; i < 120; ++i) {
        speak(i);
        advance(static_cast<std::int64_t>(i + 50) * 20);
    }
    EXPECT_EQ(mixer_->stats().reanchored, 1U);
    EXPECT_NEAR(level(0, 500), 8'000, 800);
    // A stopped thread: time jumps, nothing piles up.
    lines_.clear();
    std::vector<AudioMixer::Mixed> out;
    mixer_->advance(at(60'000), out);
    EXPECT_LE(out.size(), 12U);
    mixer_->remove_input(1);
    mixer_->handle_pcm(1, 0, Samples(960));
    mixer_->remove_output(0);
    out.clear();
    mixer_->advance(at(60'100), out);
    EXPECT_TRUE(out.empty());
}

TEST_F(AudioMixerTest, NothingClicksWhenInputsComeAndGo) {
    ASSERT_TRUE(mixer_->add_input(1));
    ASSERT_TRUE(mixer_->add_output(0, {}));
    // A tone that begins and breaks off in the middle of its wave, three times: removed, stalled
    // and come back, and removed again.
    const auto speak = [&](AudioMixer::InputId id, std::size_t i) {
        mixer_->handle_pcm(id, i * 960, testing::tone(960, 48'000, {310}, 12'000, 37 + i * 960));
    };
    for (std::size_t i = 0; i < 120; ++i) {
        if (i == 30) {
            mixer_->remove_input(1);
            EXPECT_TRUE(mixer_->add_input(2)) << "under another id, while the first fades";
        }
        if (i == 100) mixer_->remove_input(2);
        const bool stalled = i >= 40 && i < 50;
        if (!stalled) speak(i < 30 ? 1 : 2, i);
        advance(static_cast<std::int64_t>(i) * 20);
    }
    const Samples& heard = lines_[0].samples;
    int peak = 0;
    for (std::size_t i = 1; i < heard.size(); ++i) {
        peak = std::max(peak, std::abs(heard[i] - heard[i - 1]));
    }
    // The steepest of the tone itself is 487; a wave that is cut at its top jumps by 12,000.
    EXPECT_LT(peak, 1'200);
    EXPECT_NEAR(level(0, 310), 12'000, 2'000) << "and it was heard";
}

TEST_F(AudioMixerTest, OneWhoLeavesIsLeftOutToTheEnd) {
    const AudioMixer::InputId own[] = {1};
    ASSERT_TRUE(mixer_->add_input(1));
    ASSERT_TRUE(mixer_->add_output(0, own));
    for (std::size_t i = 0; i < 40; ++i) {
        if (i == 20) {
            mixer_->remove_input(1);
            ASSERT_TRUE(mixer_->set_left_out(0, {}));
        }
        mixer_->handle_pcm(1, i * 960, testing::tone(960, 48'000, {500}, 12'000, i * 960));
        advance(static_cast<std::int64_t>(i) * 20);
    }
    for (const std::int16_t v : lines_[0].samples) ASSERT_LT(std::abs(v), 50);
    EXPECT_FALSE(mixer_->set_left_out(7, {}));
}

TEST_F(AudioMixerTest, OfManyTheLoudestAreHeard) {
    ASSERT_TRUE(mixer_->add_output(0, {}));
    constexpr auto kPeople = static_cast<AudioMixer::InputId>(AudioMixer::kMaxHeard + 2);
    for (AudioMixer::InputId id = 0; id < kPeople; ++id) ASSERT_TRUE(mixer_->add_input(id));
    const auto run = [&](std::size_t from, std::size_t to, AudioMixer::InputId quiet) {
        for (std::size_t i = from; i < to; ++i) {
            for (AudioMixer::InputId id = 0; id < kPeople; ++id) {
                // Two are quiet and have tones of their own; the others murmur together.
                const double tone = id == 0 ? 700 : id == 1 ? 1'500 : 300;
                const double loud = id == quiet ? 300 : id < 2 ? 4'000 : 600;
                mixer_->handle_pcm(id, i * 960, testing::tone(960, 48'000, {tone}, loud, i * 960));
            }
            advance(static_cast<std::int64_t>(i) * 20);
        }
    };
    run(0, 100, 0);
    EXPECT_LT(level(0, 700), 60) << "the quietest of all";
    EXPECT_NEAR(level(0, 1'500), 4'000, 500);
    lines_[0].samples.clear();
    run(100, 250, 1);
    EXPECT_NEAR(level(0, 700), 4'000, 500) << "he speaks up";
    EXPECT_LT(level(0, 1'500), 60);
}

TEST_F(AudioMixerTest, Bounds) {
    for (AudioMixer::InputId id = 0; id < AudioMixer::kMaxInputs; ++id)
        ASSERT_TRUE(mixer_->add_input(id));
    EXPECT_EQ(mixer_->add_input(1'000).error().code, Errc::kTooLarge);
    const std::vector<AudioMixer::InputId> many(AudioMixer::kMaxLeftOut + 1, 0);
    EXPECT_EQ(mixer_->add_output(1, many).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace parley::codec

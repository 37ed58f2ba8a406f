#include "codec/opus_to_aac.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "codec/audio.h"
#include "support.h"

namespace parley::codec {
namespace {

using testing::Samples;

constexpr std::uint64_t kBase = (std::uint64_t{1} << 32) + 77'777;

/// A browser's microphone: Opus packets of 20 ms.
std::vector<Bytes> opus_packets(std::span<const std::int16_t> pcm, std::uint8_t channels) {
    auto encoder = OpusEncoder::create({.channels = channels, .bitrate_bps = 64'000});
    std::vector<Bytes> out;
    for (std::size_t at = 0; at + 960 * channels <= pcm.size(); at += 960 * channels) {
        out.push_back(*encoder->encode(pcm.subspan(at, 960 * channels)));
    }
    return out;
}

std::uint32_t opus_delay(std::uint8_t channels) {
    return OpusEncoder::create({.channels = channels})->delay();
}

/// Decodes the AAC onto one line of samples; time 0 is `kBase` of the Opus clock. Holes are
/// silence.
struct Player {
    explicit Player(const OpusToAac& source, std::size_t channel_count)
        : channels(channel_count),
          decoder(std::move(*AacDecoder::create(source.audio_specific_config()))) {}
    void play(const std::vector<AacFrame>& frames) {
        for (const AacFrame& f : frames) {
            const std::int64_t at = f.timestamp - static_cast<std::int64_t>(kBase);
            EXPECT_GE(at, end);
            if (end != 0 && at != end) ++holes;
            end = at + 1'024;
            Pcm decoded;
            ASSERT_TRUE(decoder.decode(f.payload, decoded));
            EXPECT_EQ(decoded.rate, 48'000U);
            EXPECT_EQ(decoded.channels, channels);
            pcm.resize(static_cast<std::size_t>(at) * channels, 0);
            pcm.insert(pcm.end(), decoded.samples.begin(), decoded.samples.end());
        }
    }
    std::size_t channels;
    AacDecoder decoder;
    std::int64_t end = 0;
    int holes = 0;
    Samples pcm;
};

struct ChannelCase {
    std::uint8_t in;
    std::uint8_t out;
};
class OpusToAacChannels : public ::testing::TestWithParam<ChannelCase> {};

TEST_P(OpusToAacChannels, KeepsToneLevelAndTime) {
    const auto [in, channels] = GetParam();
    Samples pcm = testing::tone(48'000 * 2, 48'000, std::vector<double>(in, 440.0), 3'000);
    testing::add_click(pcm, in, 48'000, 48'000 + 12'345);
    auto converter = OpusToAac::create({.channels = channels});
    ASSERT_TRUE(converter);
    Player player(**converter, channels);
    std::uint64_t timestamp = kBase;
    for (const Bytes& packet : opus_packets(pcm, in)) {
        std::vector<AacFrame> out;
        (*converter)
            ->handle_packet({.timestamp = timestamp, .after_loss = false, .data = packet}, out);
        player.play(out);
        timestamp += 960;
    }
    // A packet's sound leaves with it, but for what an AAC frame collects and the transform needs.
    EXPECT_LE(static_cast<std::int64_t>(timestamp - kBase) - player.end, 3 * 1'024);
    EXPECT_EQ(player.holes, 0);
    for (std::size_t c = 0; c < channels; ++c) {
        const Samples line = testing::channel_of(player.pcm, channels, c);
        EXPECT_NEAR(
            testing::level_at(std::span(line).subspan(24'000, 24'000), 48'000, 440), 3'000, 300);
        // The Opus encoder of the sender delays its input; that is its time stamps' affair, not
        // ours.
        EXPECT_NEAR(testing::click_position(line), 48'000 + 12'345 + opus_delay(in), 24)
            << "half a millisecond";
    }
}

INSTANTIATE_TEST_SUITE_P(
    Channels,
    OpusToAacChannels,
    ::testing::Values(ChannelCase{2, 2}, ChannelCase{1, 2}, ChannelCase{2, 1}, ChannelCase{1, 1}));

class OpusToAacTest : public ::testing::Test {
protected:
    void send(std::size_t first, std::size_t end, bool after_loss = false) {
        for (std::size_t i = first; i < end; ++i) {
            std::vector<AacFrame> out;
            converter_->handle_packet({.timestamp = kBase + i * 960,
                                       .after_loss = after_loss && i == first,
                                       .data = packets_[i % packets_.size()]},
                                      out);
            player_.play(out);
        }
    }
    double level(std::size_t from_packet, std::size_t packets) const {
        return testing::level_at(
            std::span(player_.pcm).subspan(from_packet * 960, packets * 960), 48'000, 500);
    }
    std::vector<Bytes> packets_ =
        opus_packets(testing::tone(48'000 * 4, 48'000, {500.0}, 8'000), 1);
    std::unique_ptr<OpusToAac> converter_ = std::move(*OpusToAac::create({.channels = 1}));
    Player player_{*converter_, 1};
};

TEST_F(OpusToAacTest, ConcealsLosses) {
    send(0, 50);
    send(52, 100, true);
    EXPECT_EQ(converter_->stats().concealed_samples, 2U * 960);
    EXPECT_EQ(player_.holes, 0);
    EXPECT_GT(level(50, 2), 3'000) << "no hole that one hears";
    EXPECT_NEAR(level(60, 30), 8'000, 800);
}

TEST_F(OpusToAacTest, FillsTheSilenceOfASender) {
    send(0, 50);
    send(70, 100);  // 400 ms without a packet and without a loss
    EXPECT_EQ(player_.holes, 0);
    EXPECT_EQ(converter_->stats().silent_samples, 20U * 960);
    EXPECT_EQ(converter_->stats().discontinuities, 0U);
    EXPECT_NEAR(level(72, 25), 8'000, 800);
}

TEST_F(OpusToAacTest, TheClockFillsBeforeTheSenderSpeaks) {
    send(0, 50);
    std::vector<AacFrame> out;
    converter_->fill_until(kBase + 70 * 960, out);
    player_.play(out);
    EXPECT_GE(out.size(), 17U);
    // It spoke two packets earlier than the clock assumed: those are late, the next is cut in.
    send(68, 100);
    EXPECT_EQ(converter_->stats().late, 2U);
    EXPECT_EQ(player_.holes, 0);
    EXPECT_NEAR(level(73, 24), 8'000, 800);
    out.clear();
    converter_->fill_until(kBase, out);
    EXPECT_TRUE(out.empty()) << "the past";
}

TEST_F(OpusToAacTest, LongHolesAndStepsBackMoveTheTime) {
    send(0, 50);
    send(50 + 150, 50 + 200);  // 3 s
    EXPECT_EQ(converter_->stats().discontinuities, 1U);
    EXPECT_EQ(player_.holes, 1);
    EXPECT_NEAR(level(205, 40), 8'000, 800);
}

TEST_F(OpusToAacTest, BrokenPackets) {
    send(0, 10);
    for (const Bytes& bad : {Bytes{}, Bytes{0xFF}, Bytes(1'000, 0xFF)}) {
        std::vector<AacFrame> out;
        converter_->handle_packet({.timestamp = kBase + 9'600, .after_loss = false, .data = bad},
                                  out);
        player_.play(out);
    }
    EXPECT_EQ(converter_->stats().undecodable, 3U);
    send(10, 60);
    EXPECT_EQ(player_.holes, 0);
}

/// Any loss, silence and clock: frames follow each other without overlap, and their sum is the time
/// that has passed.
TEST_F(OpusToAacTest, TimeNeverDrifts) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        Rng rng(seed);
        converter_ = std::move(*OpusToAac::create({.channels = 1}));
        std::int64_t expected = 0;
        std::size_t frames = 0;
        bool lost = false;
        for (std::size_t i = 0; i < 600; ++i) {
            std::vector<AacFrame> out;
            if (rng.chance(0.05)) converter_->fill_until(kBase + i * 960 - 480, out);
            const bool dtx = i % 100 > 80 && i % 20 != 0;
            if (rng.chance(0.1) && !dtx) {
                lost = true;
            } else if (!dtx) {
                converter_->handle_packet({.timestamp = kBase + i * 960,
                                           .after_loss = lost,
                                           .data = packets_[i % packets_.size()]},
                                          out);
                lost = false;
            }
            for (const AacFrame& f : out) {
                ++frames;
                if (expected == 0) expected = f.timestamp;
                EXPECT_EQ(f.timestamp, expected) << "seed " << seed << " packet " << i;
                expected = f.timestamp + 1'024;
            }
        }
        EXPECT_GE(frames * 1'024, 580U * 960 - 4 * 1'024) << seed;
        EXPECT_LE(frames * 1'024, 601U * 960) << seed;
    }
}

}  // namespace
}  // namespace parley::codec

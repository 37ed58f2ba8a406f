#include "codec/aac_to_opus.h"

#include <gtest/gtest.h>

#include <string>

#include "codec/audio.h"
#include "support.h"

namespace parley::codec {
namespace {

using testing::AacSource;
using testing::Samples;

Duration samples_to_time(std::int64_t samples, std::int64_t rate) {
    return Duration(samples * 1'000'000'000 / rate);
}
/// As RTMP carries it.
Duration rounded_to_ms(Duration time) { return Duration(to_ms(time + 500us) * 1'000'000); }

/// Decodes Opus frames onto one line of 48 kHz samples that begins at `begin`.
struct Listener {
    explicit Listener(std::uint8_t channel_count)
        : channels(channel_count), decoder(std::move(*OpusDecoder::create(channel_count))) {}
    void hear(const std::vector<OpusFrame>& frames) {
        for (const OpusFrame& f : frames) {
            if (!begin) begin = f.timestamp;
            const auto at = static_cast<std::size_t>(f.timestamp - *begin) * channels;
            if (at > pcm.size()) pcm.resize(at, 0);
            EXPECT_EQ(at, pcm.size()) << "frames overlap";
            ASSERT_TRUE(decoder.decode(f.payload, pcm));
        }
    }
    std::size_t channels;
    OpusDecoder decoder;
    std::optional<std::int64_t> begin;
    Samples pcm;
};

struct RateCase {
    int rate;
    int channels;
    bool adts;
};

class AacToOpusRates : public ::testing::TestWithParam<RateCase> {};

Bytes with_adts(ByteView frame, int rate, int channels) {
    static constexpr int kRates[] = {
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350};
    unsigned index = 0;
    while (kRates[index] != rate) ++index;
    const auto size = static_cast<unsigned>(frame.size() + 7);
    const auto c = static_cast<unsigned>(channels);
    Bytes out{0xFF,
              0xF1,
              static_cast<std::uint8_t>(0x40 | index << 2 | c >> 2),
              static_cast<std::uint8_t>((c & 3) << 6 | size >> 11),
              static_cast<std::uint8_t>(size >> 3),
              static_cast<std::uint8_t>((size & 7) << 5 | 0x1F),
              0xFC};
    out.insert(out.end(), frame.begin(), frame.end());
    return out;
}

/// A tone keeps its frequency and level, and a click its place, at every rate that AAC has.
TEST_P(AacToOpusRates, KeepsToneLevelAndTime) {
    const auto [rate, channels, adts] = GetParam();
    AacSource source(rate, channels);
    ASSERT_TRUE(source.ok());
    const auto frames = static_cast<std::size_t>(rate) * 3;
    std::vector<double> tones(static_cast<std::size_t>(channels), 440.0);
    if (channels == 2) tones[1] = 900.0;
    Samples pcm = testing::tone(frames, rate, tones, 3'000);
    const double click_at = rate * 1.5;
    testing::add_click(pcm, static_cast<std::size_t>(channels), rate, click_at);

    auto converter = AacToOpus::create({.bitrate_bps = 96'000});
    ASSERT_TRUE(converter);
    ASSERT_TRUE((*converter)->set_config(adts ? Bytes{} : source.config()));
    const auto out_channels = static_cast<std::uint8_t>(channels == 1 ? 1 : 2);
    Listener listener(out_channels);
    for (const auto& [pts, data] : source.encode(pcm)) {
        std::vector<OpusFrame> out;
        const Bytes input = adts ? with_adts(data, rate, channels) : data;
        ASSERT_TRUE(
            (*converter)->handle_frame(rounded_to_ms(samples_to_time(pts, rate)), input, out));
        listener.hear(out);
    }
    EXPECT_EQ((*converter)->stats().undecodable, 0U);
    EXPECT_EQ((*converter)->stats().discontinuities, 0U);
    ASSERT_GT(listener.pcm.size(), 2 * 48'000U * out_channels);

    const Samples left = testing::channel_of(listener.pcm, out_channels, 0);
    const double position =
        (testing::click_position(left) + static_cast<double>(*listener.begin)) / 48'000;
    EXPECT_NEAR(position, 1.5, 0.0025) << "seconds";  // RTMP rounds to 1 ms, half of it each way

    const auto middle = std::span(left).subspan(24'000, 24'000);
    EXPECT_NEAR(testing::level_at(middle, 48'000, 440), 3'000, 300);
    if (channels == 2) {
        const Samples right = testing::channel_of(listener.pcm, 2, 1);
        const auto part = std::span(right).subspan(24'000, 24'000);
        EXPECT_NEAR(testing::level_at(part, 48'000, 900), 3'000, 300);
        EXPECT_LT(testing::level_at(part, 48'000, 440), 150);
    }
}

INSTANTIATE_TEST_SUITE_P(Rates,
                         AacToOpusRates,
                         ::testing::Values(RateCase{48'000, 2, false},
                                           RateCase{48'000, 1, false},
                                           RateCase{44'100, 2, false},
                                           RateCase{44'100, 2, true},
                                           RateCase{32'000, 1, false},
                                           RateCase{24'000, 1, false},
                                           RateCase{22'050, 2, false},
                                           RateCase{16'000, 1, true},
                                           RateCase{12'000, 1, false},
                                           RateCase{11'025, 1, false},
                                           RateCase{8'000, 1, false},
                                           RateCase{8'000, 2, true},
                                           RateCase{7'350, 1, false},
                                           RateCase{96'000, 2, false},
                                           RateCase{88'200, 1, false},
                                           RateCase{64'000, 2, false},
                                           RateCase{48'000, 6, false}),
                         [](const auto& tested) {
                             const RateCase& c = tested.param;
                             return std::to_string(c.rate) + "x" + std::to_string(c.channels) +
                                    (c.adts ? "adts" : "");
                         });

/// A publisher at 44.1 kHz, whose frames a test sends with times of its own.
class AacToOpusTimes : public ::testing::Test {
protected:
    static constexpr int kSourceRate = 44'100;

    AacToOpusTimes() {
        EXPECT_TRUE(converter_->set_config(source_.config()));
        frames_ = source_.encode(testing::tone(kSourceRate * 4, kSourceRate, {500.0}, 8'000));
    }
    /// Frame `i` of an endless tone; each four seconds long piece joins the next without a step.
    const Bytes& frame(std::size_t i) { return frames_[2 + i % (frames_.size() - 4)].data; }
    static Duration time_of(std::size_t i) {
        return samples_to_time(static_cast<std::int64_t>(i) * 1'024, kSourceRate);
    }
    void send(Duration pts, ByteView data) {
        std::vector<OpusFrame> out;
        ASSERT_TRUE(converter_->handle_frame(pts, data, out));
        for (const OpusFrame& f : out) times_.push_back(f.timestamp);
        all_.insert(
            all_.end(), std::make_move_iterator(out.begin()), std::make_move_iterator(out.end()));
    }
    /// Places where consecutive frames are not 960 apart.
    int jumps() const {
        int count = 0;
        for (std::size_t i = 1; i < times_.size(); ++i)
            count += times_[i] - times_[i - 1] != 960 ? 1 : 0;
        return count;
    }

    AacSource source_{kSourceRate, 1};
    std::vector<AacSource::Out> frames_;
    std::unique_ptr<AacToOpus> converter_ = std::move(*AacToOpus::create({}));
    std::vector<std::int64_t> times_;
    std::vector<OpusFrame> all_;
};

TEST_F(AacToOpusTimes, JitterAndRoundingAreIgnored) {
    for (std::size_t i = 0; i < 500; ++i) {
        const Duration jitter = Duration(static_cast<std::int64_t>(i * 7 % 31) - 15) * 1'000'000;
        send(rounded_to_ms(time_of(i) + 1s + jitter), frame(i));
    }
    EXPECT_EQ(jumps(), 0);
    EXPECT_EQ(converter_->stats().discontinuities, 0U);
    EXPECT_LT(converter_->stats().samples_adjusted, 500U)
        << "10 ms: the first frame may be the odd one";
}

/// 1,000 ppm for two minutes are 120 ms: followed to within 15 ms, without a break.
TEST_F(AacToOpusTimes, FramesSayHowLoudTheyAre) {
    for (std::size_t i = 0; i < 40; ++i) send(time_of(i), frame(i));
    ASSERT_GT(all_.size(), 20U);
    // A sine of amplitude 8,000: 20 * log10(8000 / 32767 / sqrt(2)) = -15.3 dBov.
    for (std::size_t i = 10; i < all_.size(); ++i) EXPECT_EQ(all_[i].audio_level, 15) << i;
    // A hole is filled with silence.
    all_.clear();
    send(time_of(40) + 500ms, frame(40));
    ASSERT_GT(all_.size(), 10U);
    EXPECT_EQ(all_[5].audio_level, 127);
}

TEST_F(AacToOpusTimes, DriftIsFollowed) {
    for (const double ppm : {1'000.0, -1'000.0}) {
        converter_ = std::move(*AacToOpus::create({.complexity = 0}));
        ASSERT_TRUE(converter_->set_config(source_.config()));
        times_.clear();
        double worst = 0;
        for (std::size_t i = 0; i < 5'168; ++i) {
            const Duration pts(
                std::llround(static_cast<double>(time_of(i).count()) * (1 + ppm * 1e-6)));
            send(rounded_to_ms(pts), frame(i));
            all_.clear();
            if (i < 10) continue;
            // Sound of up to here has come out, but for less than a frame of each codec.
            const double lag = to_seconds(pts) - static_cast<double>(times_.back()) / 48'000;
            worst = std::max(worst, std::abs(lag - 0.020));
        }
        EXPECT_LT(worst, 0.020 + 0.015) << ppm;
        EXPECT_EQ(jumps(), 0) << ppm;
        EXPECT_EQ(converter_->stats().discontinuities, 0U);
        EXPECT_GT(converter_->stats().samples_adjusted, 4'500U);
    }
}

TEST_F(AacToOpusTimes, ShortHolesBecomeSilenceLongOnesMoveTheTime) {
    for (std::size_t i = 0; i < 50; ++i) send(time_of(i), frame(i));
    for (std::size_t i = 72; i < 100; ++i) send(time_of(i), frame(i));  // 0.5 s
    EXPECT_EQ(jumps(), 0);
    EXPECT_EQ(converter_->stats().discontinuities, 1U);
    Listener listener(1);
    listener.hear(all_);
    const auto level = [&](double from, double seconds) {
        const auto at =
            static_cast<std::size_t>(from * 48'000) - static_cast<std::size_t>(*listener.begin);
        return testing::level_at(
            std::span(listener.pcm).subspan(at, static_cast<std::size_t>(seconds * 48'000)),
            48'000,
            500);
    };
    EXPECT_GT(level(0.5, 0.5), 7'000);
    EXPECT_LT(level(1.22, 0.4), 200) << "the hole from 1.16 to 1.67 s";
    EXPECT_GT(level(1.75, 0.4), 7'000);

    for (std::size_t i = 400; i < 450; ++i) send(time_of(i), frame(i));  // 7 s
    EXPECT_EQ(jumps(), 1);
    EXPECT_NEAR(static_cast<double>(times_.back()) / 48'000, to_seconds(time_of(450)), 0.045);
}

TEST_F(AacToOpusTimes, OverlapsAreCut) {
    for (std::size_t i = 0; i < 100; ++i) send(time_of(i), frame(i));
    // The publisher goes back 0.5 s and plays on: its time is filled once.
    for (std::size_t i = 100; i < 200; ++i) send(time_of(i) - 500ms, frame(i));
    EXPECT_EQ(jumps(), 0);
    EXPECT_NEAR(static_cast<double>(times_.back()) / 48'000, to_seconds(time_of(200)) - 0.5, 0.15);
    EXPECT_GE(converter_->stats().discontinuities, 1U);
}

TEST_F(AacToOpusTimes, UndecodableFramesKeepTheirPlace) {
    std::vector<OpusFrame> out;
    EXPECT_EQ(AacToOpus::create({}).value()->handle_frame(0ns, frame(0), out).error().code,
              Errc::kNotFound);
    for (std::size_t i = 0; i < 100; ++i) {
        send(time_of(i), i % 10 == 5 ? Bytes(20, 0xFF) : frame(i));
    }
    EXPECT_EQ(converter_->stats().undecodable, 10U);
    EXPECT_EQ(converter_->stats().discontinuities, 0U);
    EXPECT_EQ(jumps(), 0);
    EXPECT_FALSE(converter_->set_config(Bytes{0xFF}));
    send(time_of(100), frame(100));
}

/// A publisher changes its microphone: another rate, then another number of channels.
TEST_F(AacToOpusTimes, ConfigurationChangesInMidStream) {
    for (std::size_t i = 0; i < 50; ++i) send(time_of(i), frame(i));
    AacSource other(16'000, 2);
    ASSERT_TRUE(converter_->set_config(other.config()));
    const Duration from = time_of(50);
    for (const auto& [pts, data] : other.encode(testing::tone(32'000, 16'000, {500, 500}, 8'000))) {
        send(from + samples_to_time(pts + 1'024, 16'000), data);
    }
    EXPECT_EQ(jumps(), 0);
    EXPECT_EQ(converter_->stats().discontinuities, 0U);
    Listener listener(1);
    listener.hear(all_);
    EXPECT_GT(testing::level_at(std::span(listener.pcm).subspan(48'000 * 2, 24'000), 48'000, 500),
              7'000);
}

/// HE-AAC by its configuration, on frames without its extra data: the decoder doubles the rate all
/// the same (and with parametric stereo the channels), which is all that this side sees of it.
TEST(AacToOpusHe, DoubledRate) {
    // AOT 5 or 29, core 24 kHz mono, output 48 kHz, AOT 2.
    for (const Bytes& config : {Bytes{0x2B, 0x09, 0x88, 0x00}, Bytes{0xEB, 0x09, 0x88, 0x00}}) {
        AacSource source(24'000, 1);
        auto converter = std::move(*AacToOpus::create({}));
        ASSERT_TRUE(converter->set_config(config));
        Listener listener(2);
        Samples pcm = testing::tone(24'000 * 2, 24'000, {440}, 3'000);
        for (const auto& [pts, data] : source.encode(pcm)) {
            std::vector<OpusFrame> out;
            ASSERT_TRUE(converter->handle_frame(samples_to_time(pts, 24'000), data, out));
            listener.hear(out);
        }
        EXPECT_EQ(converter->stats().undecodable, 0U);
        EXPECT_EQ(converter->stats().discontinuities, 0U);
        ASSERT_GT(listener.pcm.size(), 2U * 48'000 * 3 / 2);
        const Samples left = testing::channel_of(listener.pcm, 2, 0);
        EXPECT_NEAR(
            testing::level_at(std::span(left).subspan(24'000, 24'000), 48'000, 440), 3'000, 400);
    }
}

}  // namespace
}  // namespace parley::codec

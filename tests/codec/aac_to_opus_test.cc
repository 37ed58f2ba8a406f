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

}  // namespace
}  // namespace parley::codec

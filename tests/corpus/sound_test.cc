#include "codec/audio.h"
#include "flv/aac_config.h"
#include "row.h"

namespace parley::corpus {
namespace {

std::function<void(Input&)> of(int rate, int channels) {
    return [=](Input& in) {
        add_pictures(in);
        add_sound(in, {.rate = rate, .channels = channels});
    };
}

/// HE-AAC by its configuration, over frames that have nothing but the core: decoders double the
/// rate all the same.
std::function<void(Input&)> high_efficiency(bool backward_compatible, bool ps) {
    return [=](Input& in) {
        add_pictures(in);
        add_sound(in, {.rate = 24'000, .channels = ps ? 1 : 2, .change_header = [=](const Bytes&) {
                           flv::AacConfig config;
                           config.sample_rate_hz = 24'000;
                           config.extension_sample_rate_hz = 48'000;
                           config.channel_config = ps ? 1 : 2;
                           config.sbr = true;
                           config.ps = ps;
                           config.backward_compatible = backward_compatible;
                           return flv::write_aac_config(config);
                       }});
    };
}

void opus(Input& in) {
    add_pictures(in);
    auto encoder = codec::OpusEncoder::create({.channels = 1});
    ASSERT_TRUE(encoder);
    const auto tag = [](flv::AudioPacketType type, const Bytes& data) {
        return flv::write_enhanced_audio_tag(flv::fourcc("Opus"), type, data);
    };
    const Bytes head{'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 1, 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0};
    in.message({}, MessageType::kAudio, 0, tag(flv::AudioPacketType::kSequenceHeader, head));
    constexpr std::size_t kFrame = codec::OpusEncoder::kFrame;
    const auto pcm = codec::testing::tone(100 * kFrame, codec::kRate, {kTone}, kToneLevel);
    for (std::int64_t i = 0; i < 100; ++i) {
        const auto packet =
            encoder->encode(std::span(pcm).subspan(static_cast<std::size_t>(i) * kFrame, kFrame));
        ASSERT_TRUE(packet);
        in.message(Duration(i * 20'000'000),
                   MessageType::kAudio,
                   i * 20,
                   tag(flv::AudioPacketType::kFrame, *packet));
    }
}

/// Sound of other codecs, in tags of `head` and some bytes.
std::function<void(Input&)> foreign(const Bytes& head, bool with_pictures) {
    return [=](Input& in) {
        if (with_pictures) add_pictures(in);
        for (std::int64_t ms = 0; ms < 2'000; ms += 20) {
            Bytes tag = head;
            tag.resize(head.size() + 60, 0x55);
            in.message(Duration(ms * 1'000'000), MessageType::kAudio, ms, std::move(tag));
        }
    };
}

void with_header(Input& in, const std::function<Bytes(Bytes)>& change_header) {
    add_pictures(in);
    add_sound(in, {.change_header = change_header});
}

void change_of_rate(Input& in) {
    add_pictures(in, {.length = 4s});
    add_sound(in, {.rate = 44'100, .channels = 2});
    add_sound(in, {.from = 2s, .rate = 16'000, .channels = 1});
}

/// ADTS in the frames, as some hardware encoders write it in spite of the sequence header.
Bytes with_adts(const Bytes& frame) {
    const auto size = static_cast<unsigned>(frame.size() + 7);
    Bytes out{0xFF,
              0xF1,
              0x50,  // LC, 44,100 Hz
              static_cast<std::uint8_t>(0x80 | size >> 11),
              static_cast<std::uint8_t>(size >> 3),
              static_cast<std::uint8_t>((size & 7) << 5 | 0x1F),
              0xFC};
    out.insert(out.end(), frame.begin(), frame.end());
    return out;
}

class CorpusSound : public Corpus {};
TEST_P(CorpusSound, PlaysOrIsRefused) { check(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Rows,
    CorpusSound,
    ::testing::Values(
        Row{"Mono8kHz", of(8'000, 1), 28, 1400ms},
        Row{"Mono11kHz", of(11'025, 1), 28, 1600ms},
        Row{"Mono16kHz", of(16'000, 1), 28, 1700ms},
        Row{"Stereo22kHz", of(22'050, 2), 28, 1700ms},
        Row{"Stereo24kHz", of(24'000, 2), 28, 1700ms},
        Row{"Stereo32kHz", of(32'000, 2), 28, 1700ms},
        Row{"Stereo44kHz", of(44'100, 2), 28, 1800ms},
        Row{"Mono48kHz", of(48'000, 1), 28, 1800ms},
        Row{"Stereo96kHz", of(96'000, 2), 28, 1800ms},
        Row{"FiveChannelsAndABass", of(48'000, 6), 28, 1700ms},
        Row{"HighEfficiencyAnnounced", high_efficiency(false, false), 28, 1700ms},
        Row{"HighEfficiencyBackwardCompatible", high_efficiency(true, false), 28, 1700ms},
        Row{"HighEfficiencyV2", high_efficiency(false, true), 28, 1700ms},
        Row{"OtherRateMidStream", change_of_rate, 58, 3500ms},
        Row{"HeaderBeforeEachFrame",
            [](Input& in) {
                add_pictures(in);
                Input plain;
                add_sound(plain);
                const auto steps = plain.steps();
                for (std::size_t i = 1; i < steps.size(); ++i) {
                    in.message(steps[i].at,
                               MessageType::kAudio,
                               steps[i].timestamp_ms,
                               Bytes(steps[0].payload));
                    in.message(steps[i].at,
                               MessageType::kAudio,
                               steps[i].timestamp_ms,
                               Bytes(steps[i].payload));
                }
            },
            28,
            1700ms},
        Row{"FramesWithoutASequenceHeader",
            [](Input& in) {
                add_pictures(in);
                add_sound(in, {.header = false});
            },
            14},
        Row{"HeaderOneSecondAfterItsFrames",
            [](Input& in) {
                add_pictures(in, {.length = 3s});
                add_sound(in, {.length = 1s, .header = false});
                add_sound(in, {.from = 1s});
            },
            28,
            1800ms},
        Row{"EmptyFramesBetween",
            [](Input& in) {
                with_header(in, {});
                for (std::int64_t ms = 10; ms < 2'000; ms += 100) {
                    in.message(Duration(ms * 1'000'000), MessageType::kAudio, ms, {0xAF, 1});
                    in.message(Duration(ms * 1'000'000), MessageType::kAudio, ms, {0xAF});
                    in.message(Duration(ms * 1'000'000), MessageType::kAudio, ms, {});
                }
            },
            28,
            1800ms},
        Row{.name = "FramesOfJunk",
            .make =
                [](Input& in) {
                    add_pictures(in);
                    add_sound(in, {.change = [](const Bytes& frame) {
                                  return Bytes(frame.size(), 0xFF);
                              }});
                },
            .pictures = 28,
            .silent_track = true},
        Row{"EveryFifthFrameCutShort",
            [](Input& in) {
                add_pictures(in);
                add_sound(in, {.change = [count = 0](Bytes frame) mutable {
                              if (++count % 5 == 0) frame.resize(frame.size() / 2);
                              return frame;
                          }});
            },
            28,
            600ms},
        Row{"FramesWithAdts",
            [](Input& in) {
                add_pictures(in);
                add_sound(in, {.change = with_adts});
            },
            28,
            1700ms},
        Row{"EmptyConfigurationAndAdts",
            [](Input& in) {
                add_pictures(in);
                add_sound(in, {.change = with_adts, .change_header = [](const Bytes&) {
                                   return Bytes{};
                               }});
            },
            28,
            1700ms},
        Row{"ConfigurationOfJunk",
            [](Input& in) {
                with_header(in, [](const Bytes&) { return Bytes{0xFF, 0xFF, 0xFF}; });
            },
            14},
        Row{"ConfigurationTooShort",
            [](Input& in) { with_header(in, [](const Bytes&) { return Bytes{0x12}; }); },
            14},
        Row{"Mp3BesidePictures", foreign({0x2F}, true), 14},
        Row{.name = "Mp3Alone", .make = foreign({0x2F}, false), .refusal = "no sound or picture in a codec that is taken"},
        Row{.name = "SpeexAlone",
            .make = foreign({0xB2}, false),
            .refusal = "no sound or picture in a codec that is taken"},
        Row{.name = "G711Alone", .make = foreign({0x7E}, false), .refusal = "no sound or picture in a codec that is taken"},
        Row{.name = "LinearPcmAlone",
            .make = foreign({0x3F}, false),
            .refusal = "no sound or picture in a codec that is taken"},
        Row{"EnhancedOpus", opus, 28, 1700ms},
        Row{.name = "EnhancedOpusOfJunk",
            .make = foreign({0x91, 'O', 'p', 'u', 's'}, false),
            .refusal = "no sound or picture in a codec that is taken"},
        Row{.name = "EnhancedTagCutShort",
            .make = foreign({0x95}, false),
            .refusal = "no sound or picture in a codec that is taken"}),
    row_name);

}  // namespace
}  // namespace parley::corpus

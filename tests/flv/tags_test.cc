#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/rng.h"
#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/avc_config.h"
#include "flv/metadata.h"
#include "flv/video_tag.h"

namespace parley::flv {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

// --- video

TEST(VideoTag, Vectors) {
    struct VideoCase {
        const char* bytes;
        VideoCodec codec;
        VideoPacketType type;
        VideoFrameType frame;
        std::int32_t time;
        const char* data;
    };
    using C = VideoCodec;
    using P = VideoPacketType;
    using F = VideoFrameType;
    const VideoCase cases[] = {
        {"1700000000aabb", C::kAvc, P::kSequenceHeader, F::kKey, 0, "aabb"},
        {"1701000028aa", C::kAvc, P::kFrame, F::kKey, 40, "aa"},
        {"2701ffffd8aa", C::kAvc, P::kFrame, F::kInter, -40, "aa"},
        {"3701000000aa", C::kAvc, P::kFrame, F::kDisposable, 0, "aa"},
        {"1702000000", C::kAvc, P::kSequenceEnd, F::kKey, 0, ""},
        {"1c01000028aa", C::kHevc, P::kFrame, F::kKey, 40, "aa"},
        {"5701", C::kOther, P::kCommand, F::kCommand, 0, "01"},
        {"22aabb", C::kOther, P::kFrame, F::kInter, 0, "aabb"},
        // Enhanced RTMP: sequence start, coded frames with and without time, end, metadata.
        {"9068766331aa", C::kHevc, P::kSequenceHeader, F::kKey, 0, "aa"},
        {"9168766331000028aa", C::kHevc, P::kFrame, F::kKey, 40, "aa"},
        {"a368766331aa", C::kHevc, P::kFrame, F::kInter, 0, "aa"},
        {"9161763031aabbcc", C::kAv1, P::kFrame, F::kKey, 0, "aabbcc"},
        {"9176703039aabbcc", C::kVp9, P::kFrame, F::kKey, 0, "aabbcc"},
        {"9176703038aa", C::kVp8, P::kFrame, F::kKey, 0, "aa"},
        {"9161766331ffffffaa", C::kAvc, P::kFrame, F::kKey, -1, "aa"},
        {"9276766331", C::kVvc, P::kSequenceEnd, F::kKey, 0, ""},
        {"9461763031aa", C::kAv1, P::kMetadata, F::kKey, 0, "aa"},
        // ModEx: three bytes of nanoseconds, then coded frames.
        {"9702aabbcc0168766331000001dd", C::kHevc, P::kFrame, F::kKey, 1, "dd"},
    };
    for (const VideoCase& c : cases) {
        const Bytes bytes = hex(c.bytes);
        const auto tag = parse_video_tag(bytes);
        ASSERT_TRUE(tag) << c.bytes;
        EXPECT_EQ(tag->codec, c.codec) << c.bytes;
        EXPECT_EQ(tag->packet_type, c.type) << c.bytes;
        EXPECT_EQ(tag->frame_type, c.frame) << c.bytes;
        EXPECT_EQ(tag->composition_time_ms, c.time) << c.bytes;
        EXPECT_EQ(hex_encode(tag->data), c.data) << c.bytes;
        // Cut anywhere it is refused, or is the same tag with less data.
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const auto cut = parse_video_tag(ByteView(bytes).first(size));
            if (cut) {
                EXPECT_EQ(cut->codec, c.codec) << c.bytes << size;
                EXPECT_LT(cut->data.size(), tag->data.size()) << c.bytes << size;
            }
        }
    }
}

TEST(VideoTag, Refused) {
    const std::pair<const char*, Errc> cases[] = {
        {"", Errc::kTruncated},
        {"07", Errc::kMalformed},
        {"6700000000", Errc::kMalformed},
        {"1703000000", Errc::kMalformed},
        {"9668766331", Errc::kUnsupported},
        {"9568766331", Errc::kUnsupported},
        {"9868766331", Errc::kMalformed},
        {"8068766331", Errc::kMalformed},
    };
    for (const auto& [text, code] : cases) {
        const Bytes bytes = hex(text);
        const auto tag = parse_video_tag(bytes);
        ASSERT_FALSE(tag) << text;
        EXPECT_EQ(tag.error().code, code) << text;
    }
    Bytes endless{0x97};
    for (int i = 0; i < 20; ++i) endless.insert(endless.end(), {0x00, 0xAA, 0x07});
    EXPECT_EQ(parse_video_tag(endless).error().code, Errc::kTooLarge);
}

TEST(VideoTag, ReadsWhatItWrites) {
    const Bytes nal = hex("0000000165aa");
    for (const std::int32_t time : {0, 1, 40, -1, -8'388'608, 8'388'607}) {
        for (const bool key : {false, true}) {
            const Bytes frame = write_avc_frame(key, time, nal);
            const auto tag = parse_video_tag(frame);
            ASSERT_TRUE(tag);
            EXPECT_EQ(tag->is_key_frame(), key);
            EXPECT_EQ(tag->composition_time_ms, time);
            EXPECT_EQ(to_bytes(tag->data), nal);
        }
        for (const std::uint32_t codec :
             {fourcc("avc1"), fourcc("hvc1"), fourcc("av01"), fourcc("vp09")}) {
            const bool has_time = codec == fourcc("avc1") || codec == fourcc("hvc1");
            for (const auto type : {VideoPacketType::kSequenceHeader,
                                    VideoPacketType::kFrame,
                                    VideoPacketType::kSequenceEnd}) {
                const Bytes written =
                    write_enhanced_video_tag(codec, type, VideoFrameType::kKey, time, nal);
                const auto tag = parse_video_tag(written);
                ASSERT_TRUE(tag);
                EXPECT_TRUE(tag->is_enhanced);
                EXPECT_EQ(tag->four_cc, codec);
                EXPECT_EQ(tag->packet_type, type);
                EXPECT_EQ(tag->composition_time_ms,
                          type == VideoPacketType::kFrame && has_time ? time : 0);
                EXPECT_EQ(to_bytes(tag->data), nal);
            }
        }
    }
    const Bytes end = write_avc_sequence_end();
    EXPECT_EQ(parse_video_tag(end)->packet_type, VideoPacketType::kSequenceEnd);
}

// --- audio

TEST(AudioTag, Vectors) {
    struct AudioCase {
        const char* bytes;
        AudioCodec codec;
        AudioPacketType type;
        const char* data;
    };
    const AudioCase cases[] = {
        {"af001190", AudioCodec::kAac, AudioPacketType::kSequenceHeader, "1190"},
        {"af0121aa", AudioCodec::kAac, AudioPacketType::kFrame, "21aa"},
        {"2fffaa", AudioCodec::kMp3, AudioPacketType::kFrame, "ffaa"},
        {"7aaa", AudioCodec::kG711ALaw, AudioPacketType::kFrame, "aa"},
        {"8aaa", AudioCodec::kG711MuLaw, AudioPacketType::kFrame, "aa"},
        {"b2aa", AudioCodec::kSpeex, AudioPacketType::kFrame, "aa"},
        {"904f707573aa", AudioCodec::kOpus, AudioPacketType::kSequenceHeader, "aa"},
        {"914f707573aabb", AudioCodec::kOpus, AudioPacketType::kFrame, "aabb"},
        {"926d703461", AudioCodec::kAac, AudioPacketType::kSequenceEnd, ""},
        {"944f7075730102", AudioCodec::kOpus, AudioPacketType::kMultichannelConfig, "0102"},
        {"97000001664c6143aa", AudioCodec::kFlac, AudioPacketType::kFrame, "aa"},
    };
    for (const AudioCase& c : cases) {
        const Bytes bytes = hex(c.bytes);
        const auto tag = parse_audio_tag(bytes);
        ASSERT_TRUE(tag) << c.bytes;
        EXPECT_EQ(tag->codec, c.codec) << c.bytes;
        EXPECT_EQ(tag->packet_type, c.type) << c.bytes;
        EXPECT_EQ(hex_encode(tag->data), c.data) << c.bytes;
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            if (const auto cut = parse_audio_tag(ByteView(bytes).first(size))) {
                EXPECT_LT(cut->data.size(), tag->data.size()) << c.bytes << size;
            }
        }
    }
    const Bytes pcm = hex("0e11");
    EXPECT_EQ(parse_audio_tag(pcm)->sample_rate_hz, 44'100u);
    EXPECT_FALSE(parse_audio_tag(pcm)->stereo);
    for (const auto& [text, code] : {std::pair{"", Errc::kTruncated},
                                     {"af", Errc::kTruncated},
                                     {"af02", Errc::kMalformed},
                                     {"954f707573", Errc::kUnsupported},
                                     {"934f707573", Errc::kMalformed},
                                     {"914f70", Errc::kTruncated}}) {
        const Bytes bytes = hex(text);
        ASSERT_FALSE(parse_audio_tag(bytes)) << text;
        EXPECT_EQ(parse_audio_tag(bytes).error().code, code) << text;
    }
}

TEST(AudioTag, ReadsWhatItWrites) {
    const Bytes data = hex("aabbcc");
    const Bytes header = write_aac_sequence_header(data);
    EXPECT_TRUE(parse_audio_tag(header)->is_sequence_header());
    const Bytes frame = write_aac_frame(data);
    EXPECT_EQ(to_bytes(parse_audio_tag(frame)->data), data);
    for (const auto type : {AudioPacketType::kSequenceHeader,
                            AudioPacketType::kFrame,
                            AudioPacketType::kSequenceEnd,
                            AudioPacketType::kMultichannelConfig}) {
        const Bytes written = write_enhanced_audio_tag(fourcc("Opus"), type, data);
        const auto tag = parse_audio_tag(written);
        ASSERT_TRUE(tag);
        EXPECT_EQ(tag->packet_type, type);
        EXPECT_EQ(tag->codec, AudioCodec::kOpus);
        EXPECT_EQ(to_bytes(tag->data), data);
    }
}

// --- AAC configuration

TEST(AacConfig, Vectors) {
    struct AacCase {
        const char* what;
        const char* bytes;
        AacObjectType type;
        std::uint32_t rate;
        std::uint32_t output_rate;
        int channels;
        std::uint32_t samples;
    };
    using T = AacObjectType;
    const AacCase cases[] = {
        {"LC 48 kHz stereo", "1190", T::kLc, 48'000, 48'000, 2, 1024},
        {"LC 44.1 kHz stereo", "1210", T::kLc, 44'100, 44'100, 2, 1024},
        {"LC 44.1 kHz mono", "1208", T::kLc, 44'100, 44'100, 1, 1024},
        {"LC 8 kHz mono", "1588", T::kLc, 8'000, 8'000, 1, 1024},
        {"LC 16 kHz mono", "1408", T::kLc, 16'000, 16'000, 1, 1024},
        {"LC 48 kHz 5.1", "11b0", T::kLc, 48'000, 48'000, 6, 1024},
        {"LC 48 kHz 7.1", "11b8", T::kLc, 48'000, 48'000, 8, 1024},
        {"HE 24 to 48 kHz stereo, explicit", "2b118800", T::kLc, 24'000, 48'000, 2, 2048},
        {"HE 24 to 48 kHz stereo, backward compatible",
         "131056e598",
         T::kLc,
         24'000,
         48'000,
         2,
         2048},
        {"HE v2 24 to 48 kHz, explicit", "eb098800", T::kLc, 24'000, 48'000, 2, 2048},
        {"HE v2 22.05 to 44.1 kHz, backward compatible",
         "138856e5a54880",
         T::kLc,
         22'050,
         44'100,
         2,
         2048},
        {"explicit rate 12,345 Hz", "1780181c88", T::kLc, 12'345, 12'345, 1, 1024},
    };
    for (const AacCase& c : cases) {
        const auto config = parse_aac_config(hex(c.bytes));
        ASSERT_TRUE(config) << c.what;
        EXPECT_EQ(config->object_type, c.type) << c.what;
        EXPECT_EQ(config->sample_rate_hz, c.rate) << c.what;
        EXPECT_EQ(config->output_sample_rate_hz(), c.output_rate) << c.what;
        EXPECT_EQ(config->output_channels(), c.channels) << c.what;
        EXPECT_EQ(config->samples_per_frame(), c.samples) << c.what;
        const Bytes bytes = hex(c.bytes);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const auto cut = parse_aac_config(ByteView(bytes).first(size));
            // A cut sync extension only leaves SBR out.
            EXPECT_TRUE(!cut || config->backward_compatible || config->sbr) << c.what << size;
        }
    }
    EXPECT_EQ(hex_encode(write_aac_config({})), "1190");
}

TEST(AacConfig, ReadsWhatItWrites) {
    const std::uint32_t rates[] = {96'000,
                                   88'200,
                                   64'000,
                                   48'000,
                                   44'100,
                                   32'000,
                                   24'000,
                                   22'050,
                                   16'000,
                                   12'000,
                                   11'025,
                                   8'000,
                                   7'350,
                                   12'345,
                                   1,
                                   192'000};
    for (const std::uint32_t rate : rates) {
        for (const int channels : {1, 2, 3, 4, 5, 6, 7, 11, 12, 14}) {
            for (const AacObjectType type : {AacObjectType::kMain,
                                             AacObjectType::kLc,
                                             AacObjectType::kLtp,
                                             AacObjectType::kEr,
                                             AacObjectType::kLd,
                                             AacObjectType::kEld}) {
                for (int signalling = 0; signalling < 5; ++signalling) {
                    AacConfig config{.object_type = type,
                                     .sample_rate_hz = rate,
                                     .channel_config = static_cast<std::uint8_t>(channels)};
                    config.frame_length_960 = rate % 7 == 0;
                    config.sbr = signalling != 0;
                    config.ps = signalling == 2 || signalling == 4;
                    config.backward_compatible = signalling >= 3;
                    config.extension_sample_rate_hz = config.sbr ? std::min(rate * 2, 192'000u) : 0;
                    if (type == AacObjectType::kEld && config.backward_compatible) continue;
                    const Bytes bytes = write_aac_config(config);
                    const auto again = parse_aac_config(bytes);
                    ASSERT_TRUE(again) << hex_encode(bytes);
                    EXPECT_EQ(*again, config) << hex_encode(bytes);
                }
            }
        }
    }
}

TEST(AacConfig, RefusedAndProgramConfig) {
    const std::pair<const char*, Errc> cases[] = {
        {"", Errc::kTruncated},
        {"11", Errc::kTruncated},
        {"1690", Errc::kMalformed},        // rate index 13
        {"11c0", Errc::kMalformed},        // channel configuration 8
        {"1780000008", Errc::kMalformed},  // rate 0
        {"17ffffff90", Errc::kMalformed},  // rate 16 MHz
        {"4190", Errc::kUnsupported},      // CELP
        {"f94690", Errc::kUnsupported},
    };
    for (const auto& [text, code] : cases) {
        const auto config = parse_aac_config(hex(text));
        ASSERT_FALSE(config) << text;
        EXPECT_EQ(config.error().code, code) << text;
    }
    // Channel configuration 0: front pair and one LFE in a program config element.
    const auto config =
        parse_aac_config(hex("1180"
                             "04c401002000"
                             "00"));
    ASSERT_TRUE(config);
    EXPECT_EQ(config->channel_config, 0);
    EXPECT_EQ(config->output_channels(), 3);
    EXPECT_EQ(write_aac_config(*config), Bytes());
}

// --- AVC configuration

const char* kRecord = "0142c01effe1000467 42c01e 01000468ce3c80";

Bytes record() {
    std::string text;
    for (const char* c = kRecord; *c != 0; ++c) {
        if (*c != ' ') text.push_back(*c);
    }
    return hex(text);
}

TEST(AvcConfig, VectorBothWaysAndCut) {
    const Bytes bytes = record();
    const auto config = parse_avc_config(bytes);
    ASSERT_TRUE(config);
    EXPECT_EQ(config->profile_idc, 66);
    EXPECT_EQ(config->constraint_flags, 0xC0);
    EXPECT_EQ(config->level_idc, 30);
    EXPECT_EQ(config->nal_length_size, 4);
    ASSERT_EQ(config->sps.size(), 1u);
    ASSERT_EQ(config->pps.size(), 1u);
    EXPECT_EQ(write_avc_config(*config), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto cut = parse_avc_config(ByteView(bytes).first(size));
        ASSERT_FALSE(cut) << size;
        EXPECT_EQ(cut.error().code, Errc::kTruncated) << size;
    }
    const auto made = make_avc_config(config->sps[0], config->pps[0]);
    ASSERT_TRUE(made);
    EXPECT_EQ(*made, *config);
    EXPECT_FALSE(make_avc_config(config->pps[0], config->sps[0]));
    EXPECT_FALSE(make_avc_config({}, {}));
}

TEST(AvcConfig, ReadsWhatItWrites) {
    Rng rng(21);
    for (int i = 0; i < 500; ++i) {
        AvcConfig config{
            .profile_idc = static_cast<std::uint8_t>(rng.chance(0.5) ? 100 : rng.below(256)),
            .constraint_flags = static_cast<std::uint8_t>(rng.next_u32()),
            .level_idc = static_cast<std::uint8_t>(rng.next_u32())};
        config.nal_length_size = static_cast<std::uint8_t>(1u << rng.below(3));
        const auto sets = [&](std::uint8_t header, std::uint64_t count) {
            std::vector<Bytes> out;
            for (; count != 0; --count) {
                Bytes nal(1 + rng.below(300));
                for (auto& b : nal) b = static_cast<std::uint8_t>(rng.next_u32());
                nal[0] = header;
                out.push_back(std::move(nal));
            }
            return out;
        };
        config.sps = sets(0x67, 1 + rng.below(31));
        config.pps = sets(0x68, rng.below(33));
        const auto again = parse_avc_config(write_avc_config(config));
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, config);
    }
}

TEST(AvcConfig, Refused) {
    const auto code = [](std::size_t at, std::uint8_t value) {
        Bytes bytes = record();
        bytes[at] = value;
        const auto config = parse_avc_config(bytes);
        return config ? std::optional<Errc>() : std::optional(config.error().code);
    };
    EXPECT_EQ(code(0, 0), Errc::kMalformed);     // version
    EXPECT_EQ(code(4, 0xFE), Errc::kMalformed);  // length field of 3 bytes
    EXPECT_EQ(code(5, 0xE0), Errc::kMalformed);  // no SPS
    EXPECT_EQ(code(8, 0x68), Errc::kMalformed);  // a PPS among the SPS
    EXPECT_EQ(code(7, 0x00), Errc::kMalformed);  // an empty one
    EXPECT_EQ(code(12, 0xFF), Errc::kTooLarge);  // 255 PPS
    EXPECT_EQ(code(4, 0x03), std::nullopt);      // reserved bits are not looked at
}

// --- metadata

TEST(Metadata, ReadsWhatItWritesAndNothingElse) {
    const Metadata full{.width = 1280,
                        .height = 720,
                        .frame_rate = 59.94,
                        .video_bitrate_kbps = 900,
                        .video_codec_id = 7,
                        .audio_bitrate_kbps = 64,
                        .audio_codec_id = 10,
                        .audio_sample_rate_hz = 48'000,
                        .stereo = true,
                        .encoder = "Parley"};
    for (const Metadata& m : {full, Metadata{}, Metadata{.audio_codec_id = 10}}) {
        const Bytes bytes = write_metadata(m);
        const auto again = parse_metadata(bytes);
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, m);
        EXPECT_EQ(data_message_name(bytes), "onMetaData");
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(parse_metadata(ByteView(bytes).first(size))) << size;
        }
    }
}

TEST(Metadata, OfOtherEncoders) {
    AmfObject object;
    object.add("width", "640")
        .add("videocodecid", "avc1")
        .add("audiocodecid", "mp4a")
        .add("fps", 25.0);
    object.add("audiochannels", 1.0).add("height", "x").add("encoder", std::string(1000, 'e'));
    Bytes bytes;
    write_amf0(bytes, "@setDataFrame");
    write_amf0(bytes, "onMetaData");
    write_amf0(bytes, object);
    const auto m = parse_metadata(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->width, 640);
    EXPECT_EQ(m->height, std::nullopt);
    EXPECT_EQ(m->video_codec_id, 7);
    EXPECT_EQ(m->audio_codec_id, 10);
    EXPECT_EQ(m->frame_rate, 25);
    EXPECT_EQ(m->stereo, false);
    EXPECT_EQ(m->encoder.size(), 256u);

    Bytes other;
    write_amf0(other, "onTextData");
    write_amf0(other, object);
    EXPECT_EQ(parse_metadata(other).error().code, Errc::kNotFound);
    EXPECT_EQ(data_message_name(other), "onTextData");
    EXPECT_EQ(data_message_name({}), "");
}

}  // namespace
}  // namespace parley::flv

// A browser's sound and picture all the way into the FLV stream of a player, and what another
// implementation makes of it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "base/rng.h"
#include "codec/audio.h"
#include "codec/opus_to_aac.h"
#include "convert/gop_cache.h"
#include "convert/h264_to_rtp.h"
#include "convert/player_queue.h"
#include "convert/rtp_to_opus.h"
#include "convert/rtp_to_video.h"
#include "convert/timeline.h"
#include "flv/audio_tag.h"
#include "flv/stream.h"
#include "flv/video_tag.h"
#include "pictures.h"
#include "support.h"

namespace parley::codec {
namespace {

using convert::FrameKind;
using testing::PictureSource;
using testing::Samples;

constexpr int kFrameRate = 30;
constexpr int kSeconds = 6;

/// White for one picture at each full second, with a click at the same time.
bool is_flash(std::int64_t picture) { return picture % kFrameRate == 0; }

NtpTime ntp(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds);
    return {(3'900'000'000 + whole) << 32 |
            static_cast<std::uint64_t>((seconds - static_cast<double>(whole)) * 4294967296.0)};
}
Instant at(double seconds) { return Instant(Duration(static_cast<std::int64_t>(seconds * 1e9))); }

/// The server's side of one browser publisher and one FLV player.
class Server {
public:
    void handle_video(double now, media::PacketRef packet) {
        convert::VideoOutputs out;
        video_.handle_packet(at(now), std::move(packet), out);
        for (const auto& sample : out.samples) {
            const convert::MediaTime time = video_time_.map(at(now), sample.timestamp);
            if (sample.config) {
                push(now,
                     FrameKind::kVideo,
                     true,
                     false,
                     time,
                     flv::write_avc_sequence_header(*sample.config));
            }
            push(now,
                 FrameKind::kVideo,
                 false,
                 sample.is_key_frame,
                 time,
                 flv::write_avc_frame(sample.is_key_frame, 0, sample.data));
        }
    }
    void handle_audio(double now, media::PacketRef packet) {
        std::vector<convert::OpusSample> samples;
        audio_.handle_packet(at(now), std::move(packet), samples);
        for (const auto& sample : samples) {
            std::vector<AacFrame> frames;
            converter_->handle_packet({.timestamp = sample.timestamp,
                                       .after_loss = sample.after_loss,
                                       .data = sample.data},
                                      frames);
            for (const AacFrame& f : frames) {
                const auto time =
                    audio_time_.map(at(now), static_cast<rtp::ExtTimestamp>(f.timestamp));
                if (!std::exchange(has_audio_config_, true)) {
                    push(now,
                         FrameKind::kAudio,
                         true,
                         false,
                         time,
                         flv::write_aac_sequence_header(converter_->audio_specific_config()));
                }
                push(now, FrameKind::kAudio, false, false, time, flv::write_aac_frame(f.payload));
            }
        }
    }
    void handle_reports(double now, std::uint32_t audio_rtp, std::uint32_t video_rtp) {
        audio_time_.handle_sender_report(at(now), ntp(now), audio_rtp);
        video_time_.handle_sender_report(at(now), ntp(now), video_rtp);
    }
    /// Begins to play from the cache.
    void start_player(double now) {
        flv::GatherList out;
        writer_.write_file_header(true, true, out);
        append(out);
        std::vector<convert::FrameRef> start;
        cache_.append_start(start);
        queue_.push_start(at(now), start);
        is_playing_ = true;
        send(now);
    }
    void handle_timeout(double now) {
        queue_.handle_timeout(at(now));
        send(now);
    }
    Bytes flv;
    convert::PlayerClock clock;
    double worst_video_delay = 0;

private:
    void push(double now,
              FrameKind kind,
              bool is_config,
              bool is_key,
              convert::MediaTime time,
              Bytes data) {
        auto frame = std::make_shared<convert::Frame>();
        frame->kind = kind;
        frame->is_config = is_config;
        frame->is_key = is_key;
        frame->dts = time;
        frame->pts = time;
        frame->arrived_at = at(now);
        frame->data = std::move(data);
        cache_.handle_frame(frame);
        if (!is_playing_) return;
        queue_.push(at(now), frame);
        send(now);
    }
    void send(double now) {
        while (const auto frame = queue_.take(at(now))) {
            const auto times = clock.map(*frame);
            flv::Message message;
            message.kind =
                frame->kind == FrameKind::kAudio ? flv::MediaKind::kAudio : flv::MediaKind::kVideo;
            message.payload = flv::SharedPayload(frame, &frame->data);
            flv::GatherList out;
            EXPECT_TRUE(writer_.write(message, times.ext_dts_ms, out));
            append(out);
            if (frame->kind == FrameKind::kVideo && now > 3) {
                worst_video_delay =
                    std::max(worst_video_delay, to_seconds(at(now) - frame->arrived_at));
            }
        }
    }
    void append(const flv::GatherList& out) {
        const Bytes bytes = out.flatten();
        flv.insert(flv.end(), bytes.begin(), bytes.end());
    }

    convert::SenderClock sender_;
    convert::RtpTimeline audio_time_{48'000, sender_};
    convert::RtpTimeline video_time_{90'000, sender_};
    convert::RtpToVideo video_{{}};
    convert::RtpToOpus audio_{{.opus = PayloadType(111)}};
    std::unique_ptr<OpusToAac> converter_ = std::move(*OpusToAac::create({.channels = 1}));
    bool has_audio_config_ = false;
    convert::GopCache cache_;
    convert::PlayerQueue queue_;
    bool is_playing_ = false;
    flv::StreamWriter writer_;
};

/// Plays `kSeconds` from a browser to a player that joins after 1.5 s.
Bytes play(Server& server) {
    media::PacketPool pool(4'096);
    PictureSource pictures("libx264",
                           320,
                           180,
                           {{"preset", "veryfast"},
                            {"tune", "zerolatency"},
                            {"profile", "baseline"},
                            {"x264-params", "keyint=60:scenecut=0"}});
    EXPECT_TRUE(pictures.ok());
    pictures.brightness = [](std::int64_t i) { return is_flash(i) ? 220 : 40; };
    convert::H264ToRtp sender(
        {.payload_type = PayloadType(96), .ssrc = Ssrc(1), .timestamp_offset = 0xFFFF'0000}, pool);
    EXPECT_TRUE(sender.set_config(pictures.avc_config()));
    auto encoder = OpusEncoder::create({.channels = 1});
    Samples sound(48'000 * kSeconds, 0);
    for (int s = 0; s < kSeconds; ++s) {
        Samples click(48'000 * kSeconds, 0);
        testing::add_click(click, 1, 48'000, s * 48'000.0);
        for (std::size_t i = 0; i < sound.size(); ++i)
            sound[i] = static_cast<std::int16_t>(sound[i] + click[i]);
    }

    Rng rng(3);
    constexpr std::uint32_t kAudioOffset = 1'000'000;
    const std::uint32_t delay = encoder->delay();
    std::multimap<double, std::function<void(double)>> events;
    std::uint64_t audio_sequence = 70'000;
    for (std::size_t i = 0; i < kSeconds * 50; ++i) {
        const Bytes payload = *encoder->encode(std::span(sound).subspan(i * 960, 960));
        media::PacketRef packet = pool.allocate();
        std::ranges::copy(payload, packet->data.begin());
        packet->payload_size = static_cast<std::uint16_t>(payload.size());
        packet->payload_type = PayloadType(111);
        packet->ext_seq = audio_sequence++;
        // A browser takes its encoder's delay off; what it says belongs to the sound's own time.
        packet->rtp_timestamp = kAudioOffset + static_cast<std::uint32_t>(i * 960) - delay;
        const double sent = static_cast<double>(i + 1) * 0.020;
        events.emplace(sent + 0.020 + rng.unit() * 0.010,
                       [&server, packet](double now) { server.handle_audio(now, packet); });
    }
    for (const auto& coded : pictures.encode(kFrameRate * kSeconds)) {
        const double captured = static_cast<double>(coded.pts) / kFrameRate;
        std::vector<media::PacketRef> packets;
        EXPECT_TRUE(
            sender.handle_access_unit(at(captured),
                                      {.pts = Duration(static_cast<std::int64_t>(captured * 1e9)),
                                       .data = testing::annex_b_to_avcc(coded.data)},
                                      packets));
        const double arrival = captured + 0.030 + rng.unit() * 0.010;
        for (auto& p : packets) {
            events.emplace(arrival, [&server, p](double now) { server.handle_video(now, p); });
        }
    }
    for (double t = 0.5; t < kSeconds; t += 0.5) {
        events.emplace(t, [&server, &sender](double now) {
            server.handle_reports(
                now,
                kAudioOffset + static_cast<std::uint32_t>(now * 48'000),
                sender.rtp_timestamp_at(Duration(static_cast<std::int64_t>(now * 1e9))));
        });
    }
    for (double t = 0; t < kSeconds; t += 0.010) {
        events.emplace(t, [&server](double now) { server.handle_timeout(now); });
    }
    events.emplace(1.5, [&server](double now) { server.start_player(now); });
    for (const auto& [time, run] : events) run(time);
    return server.flv;
}

TEST(PlayerStream, SoundAndPictureStayTogetherAndInOrder) {
    Server server;
    const Bytes flv = play(server);
    // A decoder as the player has it, by our own reader.
    flv::StreamReader reader;
    ByteView in = flv;
    std::int64_t last = 0;
    std::vector<double> flashes;
    Samples sound;
    AvContext decoder;
    std::optional<AacDecoder> aac;
    std::int64_t first_sound = -1;
    int pictures = 0;
    while (true) {
        const auto message = reader.next(in);
        ASSERT_TRUE(message);
        if (!*message) break;
        EXPECT_GE((*message)->timestamp_ms, last) << "monotonic whatever the kind";
        last = (*message)->timestamp_ms;
        if ((*message)->kind == flv::MediaKind::kVideo) {
            const auto tag = flv::parse_video_tag((*message)->bytes());
            ASSERT_TRUE(tag);
            if (tag->is_sequence_header()) {
                const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_H264);
                decoder = make_context(codec, tag->data);
                ASSERT_EQ(avcodec_open2(decoder.get(), codec, nullptr), 0);
                continue;
            }
            if (pictures++ == 0) {
                EXPECT_TRUE(tag->is_key_frame());
                EXPECT_EQ(last, 0);
            }
            ASSERT_TRUE(decoder) << "the configuration comes first";
            const AvPacket packet(av_packet_alloc());
            ASSERT_TRUE(fill_packet(*packet, tag->data));
            ASSERT_EQ(avcodec_send_packet(decoder.get(), packet.get()), 0);
            const AvFrame frame(av_frame_alloc());
            ASSERT_EQ(avcodec_receive_frame(decoder.get(), frame.get()), 0);
            EXPECT_EQ(frame->decode_error_flags, 0);
            if (frame->data[0][0] > 130) flashes.push_back(static_cast<double>(last) * 1e-3);
        } else {
            const auto tag = flv::parse_audio_tag((*message)->bytes());
            ASSERT_TRUE(tag);
            if (tag->is_sequence_header()) {
                aac.emplace(std::move(*AacDecoder::create(tag->data)));
                continue;
            }
            ASSERT_TRUE(aac);
            if (first_sound < 0) first_sound = last;
            Pcm pcm;
            ASSERT_TRUE(aac->decode(tag->data, pcm));
            // Where the time stamp puts it, which is rounded to a millisecond.
            const auto place = static_cast<std::size_t>(last) * 48;
            sound.resize(std::max(sound.size(), place + pcm.samples.size()), 0);
            std::ranges::copy(pcm.samples, sound.begin() + static_cast<std::ptrdiff_t>(place));
        }
    }
    ASSERT_GE(flashes.size(), 4U);
    for (const double flash : flashes) {
        if (flash < 0.3) continue;  // its click may lie before the first sound
        const auto from = static_cast<std::size_t>((flash - 0.25) * 48'000);
        if (from + 24'000 > sound.size()) continue;
        const double click =
            flash - 0.25 + testing::click_position(std::span(sound).subspan(from, 24'000)) / 48'000;
        EXPECT_NEAR(click, flash, 0.010) << "sound against picture, seconds";
    }
    EXPECT_EQ(server.clock.jumps(), 0U);
    EXPECT_LE(server.clock.max_lift(), 5ms) << "the queue interleaves, the clock need not";
    EXPECT_LT(server.worst_video_delay, 0.120) << "waiting for the two codecs of the sound";
}

/// ffprobe reads the same stream: all pictures decode without a complaint, and its times grow.
TEST(PlayerStream, FfmpegHasNoComplaint) {
    Server server;
    const Bytes flv = play(server);
    const std::string path = ::testing::TempDir() + "player_stream_test.flv";
    {
        std::ofstream file(path, std::ios::binary);
        for (const std::uint8_t byte : flv) file.put(static_cast<char>(byte));
    }
    const auto run = [](const std::string& command) {
        std::string text;
        std::FILE* pipe = ::popen(command.c_str(), "r");
        char buffer[256];
        while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr)
            text += buffer;
        EXPECT_EQ(pipe == nullptr ? -1 : ::pclose(pipe), 0) << command;
        return text;
    };
    EXPECT_EQ(run("ffmpeg -v warning -xerror -i " + path + " -f null - 2>&1"), "");
    const std::string counted =
        run("ffprobe -v error -count_frames -show_entries "
            "stream=codec_name,nb_read_frames,sample_rate -of csv=p=0 " +
            path);
    // From the key frame at 0 s: 180 pictures, but for those that wait for their sound at the end.
    int video = 0;
    int audio = 0;
    std::istringstream lines(counted);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("h264,")) video = std::stoi(line.substr(5));
        if (line.starts_with("aac,48000,")) audio = std::stoi(line.substr(10));
    }
    EXPECT_GE(video, kSeconds * kFrameRate - 6) << counted;
    EXPECT_GE(audio, kSeconds * 48'000 / 1'024 - 8) << counted;
    std::remove(path.c_str());
}

}  // namespace
}  // namespace parley::codec

// Percent of a core for each converted stream: one iteration is one second of sound or picture.
// Goals (design section 9): AAC to Opus 0.5 %, Opus to AAC 1.0 %, H.264 at 720p30 about 10 %.
#include <benchmark/benchmark.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "base/rng.h"
#include "codec/aac_to_opus.h"
#include "codec/audio.h"
#include "codec/audio_mixer.h"
#include "codec/libav.h"
#include "codec/opus_to_aac.h"
#include "codec/video_to_h264.h"

namespace parley::codec {
namespace {

/// Something like speech: three harmonics that swell four times a second, and noise.
std::vector<std::int16_t> speech(std::size_t frames, std::size_t channels) {
    Rng rng(1);
    std::vector<std::int16_t> pcm;
    for (std::size_t i = 0; i < frames; ++i) {
        const double t = static_cast<double>(i) / kRate;
        double v = 0;
        for (const double f : {180.0, 360.0, 1'260.0}) v += std::sin(2 * std::numbers::pi * f * t);
        const double swell = 0.55 + 0.45 * std::sin(2 * std::numbers::pi * 4 * t);
        const double noise = rng.unit() - 0.5;
        for (std::size_t c = 0; c < channels; ++c) {
            pcm.push_back(static_cast<std::int16_t>(swell * (3'000 * v + 1'500 * noise)));
        }
    }
    return pcm;
}

std::vector<Bytes> opus_second(std::uint8_t channels) {
    auto encoder = OpusEncoder::create({.channels = channels});
    const auto pcm = speech(kRate, channels);
    std::vector<Bytes> packets;
    for (std::size_t at = 0; at < pcm.size(); at += 960 * channels) {
        packets.push_back(*encoder->encode(std::span(pcm).subspan(at, 960 * channels)));
    }
    return packets;
}

void aac_to_opus(benchmark::State& state) {
    const auto channels = static_cast<std::uint8_t>(state.range(0));
    auto encoder = AacEncoder::create({.channels = channels});
    const auto pcm = speech(47 * 1'024, channels);
    std::vector<Bytes> frames;
    for (std::size_t at = 0; at < pcm.size(); at += 1'024 * channels) {
        (void)encoder->encode(std::span(pcm).subspan(at, 1'024 * channels), frames);
    }
    auto converter = std::move(*AacToOpus::create({}));
    (void)converter->set_config(encoder->audio_specific_config());
    std::int64_t count = 0;
    std::vector<OpusFrame> out;
    for (auto _ : state) {
        // 46.875 frames are one second.
        for (const std::int64_t end = (count * 1'024 / kRate + 1) * kRate; count * 1'024 < end;
             ++count) {
            out.clear();
            const Duration pts(count * 1'024 * 1'000'000 / 48);
            (void)converter->handle_frame(
                pts, frames[static_cast<std::size_t>(count) % frames.size()], out);
        }
    }
    if (converter->stats().discontinuities != 0) state.SkipWithError("the clock is wrong");
}

void opus_to_aac(benchmark::State& state) {
    const auto channels = static_cast<std::uint8_t>(state.range(0));
    const auto packets = opus_second(channels);
    auto converter = std::move(*OpusToAac::create({.channels = channels}));
    std::uint64_t timestamp = std::uint64_t{1} << 32;
    std::vector<AacFrame> out;
    for (auto _ : state) {
        for (const Bytes& packet : packets) {
            out.clear();
            converter->handle_packet({.timestamp = timestamp, .after_loss = false, .data = packet},
                                     out);
            timestamp += 960;
        }
    }
}

/// `range(0)` people of whom each hears all others.
void mix_for_everybody(benchmark::State& state) {
    const auto people = static_cast<AudioMixer::InputId>(state.range(0));
    const auto packets = opus_second(1);
    auto mixer = std::move(*AudioMixer::create({.channels = 1}));
    for (AudioMixer::InputId id = 0; id < people; ++id) {
        (void)mixer->add_input(id);
        (void)mixer->add_output(id, std::span(&id, 1));
    }
    std::uint64_t timestamp = 0;
    std::vector<AudioMixer::Mixed> out;
    for (auto _ : state) {
        for (const Bytes& packet : packets) {
            out.clear();
            for (AudioMixer::InputId id = 0; id < people; ++id) {
                mixer->handle_opus(id,
                                   {.timestamp = timestamp, .after_loss = false, .data = packet});
            }
            timestamp += 960;
            mixer->advance(Instant(Duration(static_cast<std::int64_t>(timestamp) * 1'000'000 / 48)),
                           out);
        }
    }
}

/// A picture that moves: a gradient with grain, one pixel further in each frame.
std::vector<Bytes> vp8_second(int width, int height) {
    const AVCodec* codec = avcodec_find_encoder_by_name("libvpx");
    AvContext context = make_context(codec, {});
    std::vector<Bytes> out;
    if (!context) return out;
    context->width = width;
    context->height = height;
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    context->time_base = {1, 30};
    context->bit_rate = 1'500'000;
    context->gop_size = 30;
    for (const auto& [key, value] : {std::pair{"deadline", "realtime"},
                                     std::pair{"cpu-used", "8"},
                                     std::pair{"lag-in-frames", "0"}}) {
        av_opt_set(context->priv_data, key, value, 0);
    }
    if (avcodec_open2(context.get(), codec, nullptr) < 0) return out;
    Rng rng(1);
    const AvPacket packet(av_packet_alloc());
    for (int n = 0; n < 30; ++n) {
        const AvFrame frame(av_frame_alloc());
        frame->format = AV_PIX_FMT_YUV420P;
        frame->width = width;
        frame->height = height;
        frame->pts = n;
        if (av_frame_get_buffer(frame.get(), 0) < 0) return out;
        for (int plane = 0; plane < 3; ++plane) {
            const int shift = plane == 0 ? 0 : 1;
            for (int y = 0; y < height >> shift; ++y) {
                std::uint8_t* row = frame->data[plane] + y * frame->linesize[plane];
                for (int x = 0; x < width >> shift; ++x) {
                    row[x] = static_cast<std::uint8_t>((x + n) / 4 + y / 3 +
                                                       static_cast<int>(rng.below(4)));
                }
            }
        }
        avcodec_send_frame(context.get(), frame.get());
        while (avcodec_receive_packet(context.get(), packet.get()) == 0) {
            out.emplace_back(packet->data, packet->data + packet->size);
            av_packet_unref(packet.get());
        }
    }
    return out;
}

void vp8_to_h264(benchmark::State& state) {
    const auto height = static_cast<int>(state.range(0));
    const auto frames = vp8_second(height * 16 / 9, height);
    if (frames.size() != 30) return state.SkipWithError("no VP8 encoder");
    auto transcoder = std::move(*VideoToH264::create({.input = VideoCodec::kVp8}));
    std::int64_t timestamp = 0;
    std::vector<H264Frame> out;
    for (auto _ : state) {
        for (const Bytes& frame : frames) {
            out.clear();
            if (!transcoder->handle_frame(timestamp++, frame, out))
                state.SkipWithError("not decoded");
        }
    }
}

BENCHMARK(aac_to_opus)
    ->Name("AAC to Opus, channels")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(opus_to_aac)
    ->Name("Opus to AAC, channels")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(mix_for_everybody)->Name("mix, people")->Arg(3)->Arg(12)->Unit(benchmark::kMillisecond);
BENCHMARK(vp8_to_h264)
    ->Name("VP8 to H.264, lines at 30 frames/s")
    ->Arg(360)
    ->Arg(720)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace parley::codec

BENCHMARK_MAIN();

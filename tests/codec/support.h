#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "codec/libav.h"

namespace parley::codec::testing {

using Samples = std::vector<std::int16_t>;

/// Level of one frequency, as the amplitude of a sine wave (Goertzel's algorithm). One channel.
inline double level_at(std::span<const std::int16_t> pcm, double rate, double frequency) {
    const double w = 2 * std::numbers::pi * frequency / rate;
    double s1 = 0;
    double s2 = 0;
    for (const std::int16_t x : pcm) {
        const double s0 = x + 2 * std::cos(w) * s1 - s2;
        s2 = s1;
        s1 = s0;
    }
    const double power = s1 * s1 + s2 * s2 - 2 * std::cos(w) * s1 * s2;
    return 2 * std::sqrt(std::max(power, 0.0)) / static_cast<double>(pcm.size());
}

inline Samples channel_of(std::span<const std::int16_t> pcm,
                          std::size_t channels,
                          std::size_t which) {
    Samples out;
    for (std::size_t i = which; i < pcm.size(); i += channels) out.push_back(pcm[i]);
    return out;
}

/// A sine wave at `frequencies[c]` in each channel.
inline Samples tone(std::size_t frames,
                    double rate,
                    std::vector<double> frequencies,
                    double amplitude,
                    std::size_t from = 0) {
    Samples out;
    out.reserve(frames * frequencies.size());
    for (std::size_t i = 0; i < frames; ++i) {
        for (const double f : frequencies) {
            const double t = static_cast<double>(from + i) / rate;
            out.push_back(static_cast<std::int16_t>(
                std::lrint(amplitude * std::sin(2 * std::numbers::pi * f * t))));
        }
    }
    return out;
}

/// A short burst of 1 kHz under a bell curve, whose middle lies at `at` exactly: codecs keep it,
/// unlike a single sample.
inline void add_click(
    Samples& pcm, std::size_t channels, double rate, double at, double amplitude = 16'000) {
    const double width = rate * 0.002;
    for (std::size_t i = 0; i < pcm.size() / channels; ++i) {
        const double x = (static_cast<double>(i) - at) / width;
        if (std::abs(x) > 4) continue;
        const double v =
            amplitude * std::exp(-x * x) *
            std::cos(2 * std::numbers::pi * 1'000 * (static_cast<double>(i) - at) / rate);
        for (std::size_t c = 0; c < channels; ++c) {
            pcm[i * channels + c] =
                static_cast<std::int16_t>(pcm[i * channels + c] + std::lrint(v));
        }
    }
}

/// Where the energy around the loudest place is centred. One channel.
inline double click_position(std::span<const std::int16_t> pcm) {
    std::size_t loudest = 0;
    for (std::size_t i = 0; i < pcm.size(); ++i) {
        if (std::abs(pcm[i]) > std::abs(pcm[loudest])) loudest = i;
    }
    const std::size_t begin = loudest > 400 ? loudest - 400 : 0;
    const std::size_t end = std::min(pcm.size(), loudest + 400);
    double sum = 0;
    double weighted = 0;
    for (std::size_t i = begin; i < end; ++i) {
        const double energy = double{1} * pcm[i] * pcm[i];
        sum += energy;
        weighted += energy * static_cast<double>(i);
    }
    return sum == 0 ? -1 : weighted / sum;
}

/// AAC-LC at any rate: what an RTMP publisher sends. `AacEncoder` itself does 48 kHz only.
class AacSource {
public:
    AacSource(int rate, int channels) {
        const AVCodec* codec = avcodec_find_encoder_by_name("aac");
        context_ = make_context(codec, {});
        context_->sample_fmt = AV_SAMPLE_FMT_FLTP;
        context_->sample_rate = rate;
        av_channel_layout_default(&context_->ch_layout, channels);
        context_->bit_rate = std::min(64'000 * channels, rate * 4 * channels);
        context_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
        av_opt_set(context_->priv_data, "aac_coder", "fast", 0);
        context_->time_base = {1, rate};
        ok_ = avcodec_open2(context_.get(), codec, nullptr) == 0;
    }
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] Bytes config() const {
        return {context_->extradata, context_->extradata + context_->extradata_size};
    }
    struct Out {
        std::int64_t pts = 0;  ///< in samples of the input; the first frame has -1,024
        Bytes data;
    };
    /// The whole of `pcm`, in frames of 1,024.
    std::vector<Out> encode(std::span<const std::int16_t> pcm) {
        std::vector<Out> out;
        const auto channels = static_cast<std::size_t>(context_->ch_layout.nb_channels);
        const AvPacket packet(av_packet_alloc());
        for (std::size_t at = 0; at + 1'024 * channels <= pcm.size(); at += 1'024 * channels) {
            const AvFrame frame(av_frame_alloc());
            frame->format = AV_SAMPLE_FMT_FLTP;
            frame->sample_rate = context_->sample_rate;
            frame->nb_samples = 1'024;
            av_channel_layout_copy(&frame->ch_layout, &context_->ch_layout);
            av_frame_get_buffer(frame.get(), 0);
            for (std::size_t c = 0; c < channels; ++c) {
                void* plane = frame->extended_data[c];
                for (std::size_t i = 0; i < 1'024; ++i) {
                    static_cast<float*>(plane)[i] =
                        static_cast<float>(pcm[at + i * channels + c]) / 32768.0F;
                }
            }
            frame->pts = next_;
            next_ += 1'024;
            avcodec_send_frame(context_.get(), frame.get());
            while (avcodec_receive_packet(context_.get(), packet.get()) == 0) {
                out.push_back({packet->pts, Bytes(packet->data, packet->data + packet->size)});
                av_packet_unref(packet.get());
            }
        }
        return out;
    }

private:
    AvContext context_;
    std::int64_t next_ = 0;
    bool ok_ = false;
};

}  // namespace parley::codec::testing

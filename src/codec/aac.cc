#include <algorithm>
#include <array>
#include <cmath>

#include "codec/audio.h"
#include "codec/libav.h"

namespace parley::codec {

namespace {

constexpr std::size_t kMaxAacFrame =
    64 * 1024;  ///< eight channels of 6,144 bits and room for tables
constexpr std::size_t kAacEncoderFrame = 1'024;
/// A loudspeaker that stereo lacks goes into both sides, or into its own, at -3 dB (ITU-R BS.775).
constexpr float kSide = 0.7071F;

std::int16_t to_pcm16(float value) {
    return static_cast<std::int16_t>(
        std::lrintf(std::clamp(value * 32768.0F, -32768.0F, 32767.0F)));
}

/// What each channel of libavcodec's order adds to left and right. LFE is left out.
struct MixRow {
    float left = 0;
    float right = 0;
};

MixRow mix_row(AVChannel channel) {
    switch (channel) {
        case AV_CHAN_FRONT_LEFT:
            return {1, 0};
        case AV_CHAN_FRONT_RIGHT:
            return {0, 1};
        case AV_CHAN_FRONT_CENTER:
        case AV_CHAN_BACK_CENTER:
            return {kSide, kSide};
        case AV_CHAN_BACK_LEFT:
        case AV_CHAN_SIDE_LEFT:
        case AV_CHAN_FRONT_LEFT_OF_CENTER:
            return {kSide, 0};
        case AV_CHAN_BACK_RIGHT:
        case AV_CHAN_SIDE_RIGHT:
        case AV_CHAN_FRONT_RIGHT_OF_CENTER:
            return {0, kSide};
        default:
            return {0, 0};
    }
}

void append_planar(const AVFrame& frame, Pcm& out) {
    const auto channels = static_cast<std::size_t>(frame.ch_layout.nb_channels);
    const auto count = static_cast<std::size_t>(frame.nb_samples);
    const auto plane = [&](std::size_t c) {
        const void* samples = frame.extended_data[c];
        return std::span(static_cast<const float*>(samples), count);
    };
    out.channels = channels == 1 ? 1 : 2;
    out.samples.resize(count * out.channels);
    if (channels == 1) {
        std::ranges::transform(plane(0), out.samples.begin(), to_pcm16);
        return;
    }
    if (channels == 2) {
        const auto left = plane(0);
        const auto right = plane(1);
        for (std::size_t i = 0; i < count; ++i) {
            out.samples[2 * i] = to_pcm16(left[i]);
            out.samples[2 * i + 1] = to_pcm16(right[i]);
        }
        return;
    }
    std::vector<float> mixed(2 * count);
    MixRow sum;
    for (std::size_t c = 0; c < channels; ++c) {
        const MixRow row = mix_row(
            av_channel_layout_channel_from_index(&frame.ch_layout, static_cast<unsigned>(c)));
        sum.left += row.left;
        sum.right += row.right;
        const auto samples = plane(c);
        for (std::size_t i = 0; i < count; ++i) {
            mixed[2 * i] += row.left * samples[i];
            mixed[2 * i + 1] += row.right * samples[i];
        }
    }
    const float scale = 1.0F / std::max({1.0F, sum.left, sum.right});
    std::ranges::transform(
        mixed, out.samples.begin(), [&](float v) { return to_pcm16(v * scale); });
}

}  // namespace

struct AacDecoder::Impl {
    AvContext context;
    AvFrame frame{av_frame_alloc()};
    AvPacket packet{av_packet_alloc()};
};

AacDecoder::AacDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AacDecoder::AacDecoder(AacDecoder&&) noexcept = default;
AacDecoder& AacDecoder::operator=(AacDecoder&&) noexcept = default;
AacDecoder::~AacDecoder() = default;

Result<AacDecoder> AacDecoder::create(ByteView audio_specific_config) {
    if (audio_specific_config.size() > 256) return fail(Errc::kTooLarge, "AAC configuration");
    auto impl = std::make_unique<Impl>();
    const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_AAC);
    impl->context = make_context(codec, audio_specific_config);
    if (!impl->context || !impl->frame || !impl->packet) return fail(Errc::kSystem, "AAC decoder");
    if (avcodec_open2(impl->context.get(), codec, nullptr) < 0) {
        return fail(Errc::kUnsupported, "AAC configuration");
    }
    return AacDecoder(std::move(impl));
}

Result<void> AacDecoder::decode(ByteView frame, Pcm& out) {
    out.samples.clear();
    if (frame.empty() || frame.size() > kMaxAacFrame)
        return fail(Errc::kMalformed, "AAC frame size");
    if (!fill_packet(*impl_->packet, frame)) return fail(Errc::kSystem, "AAC frame");
    if (avcodec_send_packet(impl_->context.get(), impl_->packet.get()) < 0) {
        return fail(Errc::kMalformed, "AAC frame");
    }
    const int got = avcodec_receive_frame(impl_->context.get(), impl_->frame.get());
    if (got == AVERROR(EAGAIN)) return {};
    if (got < 0) return fail(Errc::kMalformed, "AAC frame");
    const AVFrame& decoded = *impl_->frame;
    if (decoded.format != AV_SAMPLE_FMT_FLTP || decoded.ch_layout.nb_channels < 1 ||
        decoded.sample_rate < 4'000 || decoded.sample_rate > 192'000) {
        return fail(Errc::kUnsupported, "AAC output format");
    }
    out.rate = static_cast<std::uint32_t>(decoded.sample_rate);
    append_planar(decoded, out);
    return {};
}

struct AacEncoder::Impl {
    AvContext context;
    AvFrame frame{av_frame_alloc()};
    AvPacket packet{av_packet_alloc()};
};

AacEncoder::AacEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AacEncoder::AacEncoder(AacEncoder&&) noexcept = default;
AacEncoder& AacEncoder::operator=(AacEncoder&&) noexcept = default;
AacEncoder::~AacEncoder() = default;

Result<AacEncoder> AacEncoder::create(const Config& config) {
    if (config.channels < 1 || config.channels > 2) return fail(Errc::kUnsupported, "AAC channels");
    auto impl = std::make_unique<Impl>();
    const AVCodec* codec = avcodec_find_encoder_by_name("aac");
    impl->context = make_context(codec, {});
    if (!impl->context || !impl->frame || !impl->packet) return fail(Errc::kSystem, "AAC encoder");
    AVCodecContext& context = *impl->context;
    context.sample_fmt = AV_SAMPLE_FMT_FLTP;
    context.sample_rate = static_cast<int>(kRate);
    av_channel_layout_default(&context.ch_layout, config.channels);
    context.bit_rate = config.bitrate_bps != 0 ? config.bitrate_bps : 64'000 * config.channels;
    context.profile = FF_PROFILE_AAC_LOW;
    context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    context.time_base = {1, static_cast<int>(kRate)};
    // The two-loop search costs twice as much, and is better only for pure tones near full scale.
    av_opt_set(context.priv_data, "aac_coder", "fast", 0);
    if (avcodec_open2(&context, codec, nullptr) < 0) return fail(Errc::kUnsupported, "AAC encoder");
    AVFrame& frame = *impl->frame;
    frame.format = AV_SAMPLE_FMT_FLTP;
    frame.sample_rate = context.sample_rate;
    frame.nb_samples = static_cast<int>(kAacEncoderFrame);
    if (av_channel_layout_copy(&frame.ch_layout, &context.ch_layout) < 0 ||
        av_frame_get_buffer(&frame, 0) < 0) {
        return fail(Errc::kSystem, "AAC encoder");
    }
    return AacEncoder(std::move(impl));
}

ByteView AacEncoder::audio_specific_config() const {
    return {impl_->context->extradata, static_cast<std::size_t>(impl_->context->extradata_size)};
}

Result<void> AacEncoder::encode(std::span<const std::int16_t> pcm, std::vector<Bytes>& out) {
    AVCodecContext& context = *impl_->context;
    AVFrame& frame = *impl_->frame;
    const auto channels = static_cast<std::size_t>(context.ch_layout.nb_channels);
    if (pcm.size() != kAacEncoderFrame * channels)
        return fail(Errc::kInternal, "AAC encoder input");
    if (av_frame_make_writable(&frame) < 0) return fail(Errc::kSystem, "AAC encoder");
    for (std::size_t c = 0; c < channels; ++c) {
        void* plane = frame.extended_data[c];
        const std::span samples(static_cast<float*>(plane), kAacEncoderFrame);
        for (std::size_t i = 0; i < kAacEncoderFrame; ++i) {
            samples[i] = static_cast<float>(pcm[i * channels + c]) / 32768.0F;
        }
    }
    frame.pts += static_cast<std::int64_t>(kAacEncoderFrame);
    if (avcodec_send_frame(&context, &frame) < 0) return fail(Errc::kInternal, "AAC encoder");
    while (avcodec_receive_packet(&context, impl_->packet.get()) == 0) {
        const AVPacket& packet = *impl_->packet;
        out.emplace_back(packet.data, packet.data + packet.size);
        av_packet_unref(impl_->packet.get());
    }
    return {};
}

}  // namespace parley::codec

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
}

#include "codec/audio.h"

namespace parley::codec {

struct Resampler::Impl {
    struct Deleter {
        void operator()(SwrContext* p) const { swr_free(&p); }
    };
    std::unique_ptr<SwrContext, Deleter> swr;  ///< null: rate and channels stay
    std::uint32_t rate = 0;
    std::size_t channels_in = 0;
    std::size_t channels_out = 0;
};

Resampler::Resampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;
Resampler::~Resampler() = default;

Result<Resampler> Resampler::create(std::uint32_t rate,
                                    std::uint8_t channels_in,
                                    std::uint8_t channels_out) {
    if (rate < 4'000 || rate > 192'000 || channels_in < 1 || channels_in > 2 || channels_out < 1 ||
        channels_out > 2) {
        return fail(Errc::kUnsupported, "sample rate or channels");
    }
    auto impl = std::make_unique<Impl>();
    impl->rate = rate;
    impl->channels_in = channels_in;
    impl->channels_out = channels_out;
    if (rate != kRate || channels_in != channels_out) {
        AVChannelLayout in;
        AVChannelLayout out;
        av_channel_layout_default(&in, channels_in);
        av_channel_layout_default(&out, channels_out);
        SwrContext* swr = nullptr;
        const int made = swr_alloc_set_opts2(&swr,
                                             &out,
                                             AV_SAMPLE_FMT_S16,
                                             static_cast<int>(kRate),
                                             &in,
                                             AV_SAMPLE_FMT_S16,
                                             static_cast<int>(rate),
                                             0,
                                             nullptr);
        impl->swr.reset(swr);
        if (made < 0 || swr_init(swr) < 0) return fail(Errc::kSystem, "resampler");
    }
    return Resampler(std::move(impl));
}

Result<void> Resampler::convert(std::span<const std::int16_t> in, std::vector<std::int16_t>& out) {
    if (!impl_->swr) {
        out.insert(out.end(), in.begin(), in.end());
        return {};
    }
    const auto frames = static_cast<int>(in.size() / impl_->channels_in);
    const int room = swr_get_out_samples(impl_->swr.get(), frames);
    if (room < 0) return fail(Errc::kInternal, "resampler");
    const std::size_t before = out.size();
    out.resize(before + static_cast<std::size_t>(room) * impl_->channels_out);
    // The library takes byte pointers whatever the sample format.
    void* target = out.data() + before;
    const void* source = in.data();
    auto* target_bytes = static_cast<std::uint8_t*>(target);
    const auto* source_bytes = static_cast<const std::uint8_t*>(source);
    const int got = swr_convert(impl_->swr.get(), &target_bytes, room, &source_bytes, frames);
    out.resize(before + (got > 0 ? static_cast<std::size_t>(got) * impl_->channels_out : 0));
    if (got < 0) return fail(Errc::kInternal, "resampler");
    return {};
}

std::size_t Resampler::delay() const {
    if (!impl_->swr) return 0;
    return static_cast<std::size_t>(
        swr_get_delay(impl_->swr.get(), static_cast<std::int64_t>(kRate)));
}

}  // namespace parley::codec

#include "codec/aac_to_opus.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>

#include "codec/audio.h"

namespace parley::codec {

namespace {

constexpr std::int64_t kTicksPerMs = kRate / 1'000;
constexpr std::int64_t kOpusFrameTicks = OpusEncoder::kFrame;
constexpr std::int64_t kAacMaxDifferenceTicks = (AacToOpus::kMaxDifference / 1ms) * kTicksPerMs;
constexpr std::int64_t kAacMaxSilenceTicks = (AacToOpus::kMaxSilence / 1ms) * kTicksPerMs;
/// The difference between sample count and time stamps is averaged over about this many frames (1.4
/// s at 48 kHz): far longer than the rounding and the bursts of encoders, far shorter than a drift
/// of 1,000 ppm takes to matter.
constexpr double kDriftFrames = 64;
/// Correction starts at the first of these and ends at the second, in ticks: 5 ms and 1 ms.
constexpr double kDriftStart = 5 * kTicksPerMs;
constexpr double kDriftEnd = 1 * kTicksPerMs;
/// Stands for the length of a frame before one could be decoded.
constexpr std::int64_t kFallbackTicks = 1'024;

std::int64_t to_ticks(Duration time) {
    // 48 ticks are 1,000,000 ns; kept in two parts, because the product overflows after 53 hours.
    const std::int64_t ms = time.count() / 1'000'000;
    const std::int64_t rest = time.count() % 1'000'000;
    return ms * kTicksPerMs + rest * kTicksPerMs / 1'000'000;
}

/// Takes one sample out of `pcm`, or puts one in, where neighbours differ least.
void adjust_by_one(std::vector<std::int16_t>& pcm, std::size_t channels, bool add) {
    const std::size_t frames = pcm.size() / channels;
    if (frames < 3) return;
    std::size_t best = 1;
    int least = std::abs(pcm[channels] - pcm[0]);
    for (std::size_t i = 2; i < frames; ++i) {
        const int difference = std::abs(pcm[i * channels] - pcm[(i - 1) * channels]);
        if (difference < least) {
            least = difference;
            best = i;
        }
    }
    const auto at = pcm.begin() + static_cast<std::ptrdiff_t>(best * channels);
    if (add) {
        const std::vector<std::int16_t> copy(at, at + static_cast<std::ptrdiff_t>(channels));
        pcm.insert(at, copy.begin(), copy.end());
    } else {
        pcm.erase(at, at + static_cast<std::ptrdiff_t>(channels));
    }
}

/// Root mean square over the overload point (RFC 6464 section 3, RFC 6465 appendix A).
std::uint8_t level_of(std::span<const std::int16_t> pcm) {
    double energy = 0;
    for (const std::int16_t sample : pcm) energy += static_cast<double>(sample) * sample;
    if (energy == 0) return 127;
    const double mean = energy / static_cast<double>(pcm.size()) / (32'767.0 * 32'767.0);
    return static_cast<std::uint8_t>(std::clamp(std::lround(-10 * std::log10(mean)), 0L, 127L));
}

class AacToOpusImpl final : public AacToOpus {
public:
    explicit AacToOpusImpl(const Config& config) : config_(config) {}

    Result<void> set_config(ByteView audio_specific_config) override {
        auto decoder = AacDecoder::create(audio_specific_config);
        if (!decoder) return tl::unexpected(decoder.error());
        decoder_.emplace(std::move(*decoder));
        return {};
    }

    Result<void> handle_frame(Duration pts, ByteView frame, std::vector<OpusFrame>& out) override {
        if (!decoder_) return fail(Errc::kNotFound, "AAC frame before its sequence header");
        ++stats_.frames_in;
        pcm_.samples.clear();
        chunk_.clear();
        if (!decoder_->decode(frame, pcm_)) {
            ++stats_.undecodable;
            // Silence in its place, so that a few broken frames are not a discontinuity.
            chunk_.assign(static_cast<std::size_t>(last_ticks_) * channels_, 0);
        } else if (!pcm_.samples.empty()) {
            if (const auto done = resample(); !done) return done;
            last_ticks_ = static_cast<std::int64_t>(pcm_.frames() * kRate / pcm_.rate);
        }
        if (!encoder_) return {};  // nothing decoded yet
        place(to_ticks(pts), out);
        fifo_.insert(fifo_.end(), chunk_.begin(), chunk_.end());
        return encode(out);
    }

    [[nodiscard]] Stats stats() const override { return stats_; }

private:
    Result<void> resample() {
        if (!encoder_) {
            channels_ = pcm_.channels;
            auto encoder = OpusEncoder::create({.channels = pcm_.channels,
                                                .bitrate_bps = config_.bitrate_bps,
                                                .complexity = config_.complexity,
                                                .fec = config_.fec});
            if (!encoder) return tl::unexpected(encoder.error());
            encoder_.emplace(std::move(*encoder));
        }
        if (!resampler_ || pcm_.rate != rate_in_ || pcm_.channels != channels_in_) {
            // SBR shows itself only in the frames, and a publisher may change its microphone.
            auto resampler =
                Resampler::create(pcm_.rate, pcm_.channels, static_cast<std::uint8_t>(channels_));
            if (!resampler) return tl::unexpected(resampler.error());
            resampler_.emplace(std::move(*resampler));
            rate_in_ = pcm_.rate;
            channels_in_ = pcm_.channels;
            held_ = 0;
        }
        return resampler_->convert(pcm_.samples, chunk_);
    }

    /// Decides where `chunk_`, whose first sample belongs to `pts`, goes behind what is in the
    /// FIFO. Samples that the resampler held back belong to the frame before, so the chunk begins
    /// that much earlier.
    void place(std::int64_t pts, std::vector<OpusFrame>& out) {
        const std::int64_t begin = pts - held_;
        held_ = resampler_ ? static_cast<std::int64_t>(resampler_->delay()) : 0;
        if (!position_) {
            position_ = begin;
            return;
        }
        const std::int64_t end = *position_ + static_cast<std::int64_t>(fifo_.size() / channels_);
        const std::int64_t difference = begin - end;
        if (std::abs(difference) > kAacMaxDifferenceTicks) {
            ++stats_.discontinuities;
            average_ = 0;
            is_adjusting_ = false;
            bridge(difference, out);
            return;
        }
        average_ += (static_cast<double>(difference) - average_) / kDriftFrames;
        const double size = std::abs(average_);
        is_adjusting_ = is_adjusting_ ? size > kDriftEnd : size > kDriftStart;
        if (is_adjusting_ && chunk_.size() >= 3 * channels_) {
            const bool add = average_ > 0;
            adjust_by_one(chunk_, channels_, add);
            average_ -= add ? 1 : -1;
            ++stats_.samples_adjusted;
        }
    }

    void bridge(std::int64_t difference, std::vector<OpusFrame>& out) {
        if (difference < 0) {  // time that is filled already
            const auto cut =
                std::min(static_cast<std::size_t>(-difference) * channels_, chunk_.size());
            chunk_.erase(chunk_.begin(), chunk_.begin() + static_cast<std::ptrdiff_t>(cut));
            return;
        }
        if (difference <= kAacMaxSilenceTicks) {
            fifo_.resize(fifo_.size() + static_cast<std::size_t>(difference) * channels_, 0);
            return;
        }
        // What waits becomes the last frame of the old time.
        if (!fifo_.empty()) {
            const std::size_t behind = fifo_.size() / channels_;
            fifo_.resize(OpusEncoder::kFrame * channels_, 0);
            (void)encode(out);
            difference -= static_cast<std::int64_t>(OpusEncoder::kFrame - behind);
        }
        *position_ += difference;
    }

    Result<void> encode(std::vector<OpusFrame>& out) {
        const std::size_t size = OpusEncoder::kFrame * channels_;
        std::size_t used = 0;
        for (; fifo_.size() - used >= size; used += size) {
            const auto pcm = std::span<const std::int16_t>(fifo_).subspan(used, size);
            auto packet = encoder_->encode(pcm);
            if (!packet) return tl::unexpected(packet.error());
            // A decoder puts the encoder's delay in front: stated earlier, each sample keeps its
            // time.
            out.push_back({.timestamp = *position_ - encoder_->delay(),
                           .payload = std::move(*packet),
                           .audio_level = level_of(pcm)});
            *position_ += kOpusFrameTicks;
            ++stats_.frames_out;
        }
        fifo_.erase(fifo_.begin(), fifo_.begin() + static_cast<std::ptrdiff_t>(used));
        return {};
    }

    Config config_;
    std::optional<AacDecoder> decoder_;
    std::optional<Resampler> resampler_;
    std::optional<OpusEncoder> encoder_;
    std::uint32_t rate_in_ = 0;
    std::size_t channels_in_ = 0;
    std::size_t channels_ = 2;  ///< of the Opus side, from the first frame on
    Pcm pcm_;
    std::vector<std::int16_t> chunk_;  ///< the frame in hand at 48 kHz
    std::vector<std::int16_t> fifo_;
    std::optional<std::int64_t> position_;  ///< time of the first sample in `fifo_`
    std::int64_t held_ = 0;                 ///< what the resampler keeps, in ticks
    std::int64_t last_ticks_ = kFallbackTicks;
    double average_ = 0;  ///< time stamps minus sample count, in ticks
    bool is_adjusting_ = false;
    Stats stats_;
};

}  // namespace

Result<std::unique_ptr<AacToOpus>> AacToOpus::create(const Config& config) {
    return std::make_unique<AacToOpusImpl>(config);
}

}  // namespace parley::codec

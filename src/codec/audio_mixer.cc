#include "codec/audio_mixer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "codec/audio.h"
#include "media/opus.h"

namespace parley::codec {

namespace {

constexpr std::size_t kMixTicks = 960;  ///< 20 ms
constexpr std::int64_t kTicksPerSecond = kRate;
constexpr std::int64_t kMaxCatchUpTicks = kTicksPerSecond / 5;
constexpr std::int64_t kMaxMisplacedTicks = kTicksPerSecond / 10;
constexpr std::int64_t kMaxConcealedTicks = 5'760;
constexpr std::size_t kAacTicks = 1'024;
constexpr std::size_t kFadeTicks = 120;    ///< 2.5 ms, where a sound begins or breaks off
constexpr float kLoudnessRelease = 0.95F;  ///< in 20 ms: half in 270 ms
/// Who is heard stays so until another is this much louder, so that two do not take turns.
constexpr float kIncumbent = 1.5F;

std::int64_t ticks_between(Instant from, Instant to) {
    const Duration d = to - from;
    return d / 1s * kTicksPerSecond + (d % 1s).count() * kTicksPerSecond / 1'000'000'000;
}

/// Samples of one input, by the mixer's time.
struct MixerInput {
    explicit MixerInput(OpusDecoder d) : decoder(std::move(d)) {}

    OpusDecoder decoder;
    std::deque<std::int16_t> samples;  ///< interleaved, from `begin` on
    std::int64_t begin = 0;
    std::optional<std::int64_t> anchor;  ///< mixer's time minus the input's
    std::optional<std::uint64_t> next;   ///< where the last packet ended, on the input's clock
    std::vector<std::int16_t> taken;     ///< its part of the 20 ms in hand
    float loudness = 0;                  ///< root mean square, falling slowly
    bool is_heard = false;
    bool is_leaving = false;  ///< removed, and fades out in the next 20 ms
};

/// Brings `frames` samples from `samples` on from one gain to another.
template <class Iterator>
void fade(Iterator samples, std::size_t frames, std::size_t channels, float from, float to) {
    const float step = (to - from) / static_cast<float>(frames);
    for (std::size_t i = 0; i < frames; ++i) {
        const float gain = from + step * static_cast<float>(i);
        for (std::size_t c = 0; c < channels; ++c, ++samples) {
            *samples = static_cast<std::int16_t>(static_cast<float>(*samples) * gain);
        }
    }
}

/// Keeps a sum below full scale: the gain falls within a millisecond before a peak is reached and
/// comes back over some 200 ms.
class Limiter {
public:
    /// True: it was at work.
    bool apply(std::span<const std::int32_t> sum,
               std::size_t channels,
               std::span<std::int16_t> out) {
        std::int32_t peak = 1;
        for (const std::int32_t v : sum) peak = std::max(peak, std::abs(v));
        const float wanted = std::min(1.0F, kCeiling / static_cast<float>(peak));
        const float target = wanted < gain_ ? wanted : gain_ + (wanted - gain_) * kRelease;
        const std::size_t frames = sum.size() / channels;
        const std::size_t ramp = target < gain_ ? kAttackTicks : frames;
        const float step = (target - gain_) / static_cast<float>(ramp);
        float gain = gain_;
        for (std::size_t i = 0; i < frames; ++i) {
            gain = i + 1 < ramp ? gain + step : target;
            for (std::size_t c = 0; c < channels; ++c) {
                const float v = static_cast<float>(sum[i * channels + c]) * gain;
                out[i * channels + c] =
                    static_cast<std::int16_t>(std::lrintf(std::clamp(v, -32768.0F, 32767.0F)));
            }
        }
        const bool worked = gain_ < kAtRest || target < kAtRest;
        gain_ = target;
        return worked;
    }

private:
    static constexpr float kCeiling = 29'000.0F;  ///< -1 dB: an encoder overshoots a little
    static constexpr float kRelease = 0.1F;
    static constexpr float kAtRest = 0.999F;
    static constexpr std::size_t kAttackTicks = 48;
    float gain_ = 1.0F;
};

struct MixerOutput {
    MixerOutput(AacEncoder e, std::vector<AudioMixer::InputId> without)
        : encoder(std::move(e)), left_out(std::move(without)) {}

    AacEncoder encoder;
    std::vector<AudioMixer::InputId> left_out;
    Limiter limiter;
    std::vector<std::int16_t> fifo;
    std::int64_t fifo_begin = 0;
    std::deque<std::int64_t> pending;  ///< times of frames that the encoder still has
    bool primed = false;
};

class AudioMixerImpl final : public AudioMixer {
public:
    AudioMixerImpl(const Config& config, Bytes asc) : config_(config), asc_(std::move(asc)) {}

    Result<void> add_input(InputId id) override {
        if (inputs_.contains(id)) return fail(Errc::kConflict, "mixer input");
        const auto staying = std::count_if(
            inputs_.begin(), inputs_.end(), [](const auto& one) { return !one.second.is_leaving; });
        if (static_cast<std::size_t>(staying) >= kMaxInputs) {
            return fail(Errc::kTooLarge, "mixer inputs");
        }
        auto decoder = OpusDecoder::create(config_.channels);
        if (!decoder) return tl::unexpected(decoder.error());
        inputs_.try_emplace(id, std::move(*decoder));
        return {};
    }
    void remove_input(InputId id) override {
        const auto found = inputs_.find(id);
        if (found != inputs_.end()) found->second.is_leaving = true;
    }

    Result<void> add_output(OutputId id, std::span<const InputId> left_out) override {
        if (outputs_.contains(id)) return fail(Errc::kConflict, "mixer output");
        if (outputs_.size() >= kMaxOutputs || left_out.size() > kMaxLeftOut) {
            return fail(Errc::kTooLarge, "mixer outputs");
        }
        auto encoder =
            AacEncoder::create({.channels = config_.channels, .bitrate_bps = config_.bitrate_bps});
        if (!encoder) return tl::unexpected(encoder.error());
        const auto [made, is_new] = outputs_.try_emplace(
            id, std::move(*encoder), std::vector<InputId>(left_out.begin(), left_out.end()));
        made->second.fifo_begin = mixed_;
        return {};
    }
    Result<void> set_left_out(OutputId id, std::span<const InputId> left_out) override {
        const auto found = outputs_.find(id);
        if (found == outputs_.end()) return fail(Errc::kNotFound, "mixer output");
        if (left_out.size() > kMaxLeftOut) return fail(Errc::kTooLarge, "mixer output");
        std::vector<InputId>& current = found->second.left_out;
        // What fades out is left out to its end.
        std::erase_if(current, [this](InputId input) {
            const auto at = inputs_.find(input);
            return at == inputs_.end() || !at->second.is_leaving;
        });
        current.insert(current.end(), left_out.begin(), left_out.end());
        return {};
    }
    void remove_output(OutputId id) override { outputs_.erase(id); }
    [[nodiscard]] ByteView audio_specific_config() const override { return asc_; }

    void handle_opus(InputId id, const OpusToAac::Packet& packet) override {
        const auto found = inputs_.find(id);
        const auto info = media::parse_opus_packet(packet.data);
        if (found == inputs_.end() || found->second.is_leaving || !info) return;
        MixerInput& input = found->second;
        pcm_.clear();
        std::uint64_t from = packet.timestamp;
        if (packet.after_loss && input.next && from > *input.next) {
            const auto gap = static_cast<std::int64_t>(from - *input.next);
            const std::int64_t covered = std::min(gap, info->duration.count() * 48 / 1'000'000);
            if (gap <= kMaxConcealedTicks && gap % 120 == 0) {
                if (gap > covered) {
                    (void)input.decoder.conceal(static_cast<std::size_t>(gap - covered), pcm_);
                }
                (void)input.decoder.decode_lost(
                    packet.data, static_cast<std::size_t>(covered), pcm_);
                from = packet.timestamp - pcm_.size() / config_.channels;
            }
        }
        if (!input.decoder.decode(packet.data, pcm_)) return;
        handle_pcm(id, from, pcm_);
    }

    void handle_pcm(InputId id,
                    std::uint64_t timestamp,
                    std::span<const std::int16_t> pcm) override {
        const auto found = inputs_.find(id);
        if (found == inputs_.end() || found->second.is_leaving) return;
        if (pcm.size() % config_.channels != 0) return;
        place(found->second, static_cast<std::int64_t>(timestamp), pcm);
        found->second.next = timestamp + pcm.size() / config_.channels;
    }

    void advance(Instant now, std::vector<Mixed>& out) override {
        if (!start_) start_ = now;
        const std::int64_t target = ticks_between(*start_, now);
        if (target - mixed_ > kMaxCatchUpTicks) skip_to(target);
        while (mixed_ + static_cast<std::int64_t>(kMixTicks) <= target) mix(out);
    }

    [[nodiscard]] Stats stats() const override { return stats_; }

private:
    void place(MixerInput& input, std::int64_t timestamp, std::span<const std::int16_t> pcm) {
        const std::int64_t latency = config_.latency / 1ms * (kTicksPerSecond / 1'000);
        const auto ticks = static_cast<std::int64_t>(pcm.size() / config_.channels);
        if (input.anchor) {
            const std::int64_t at = timestamp + *input.anchor;
            // Far behind: it would never be heard. Far ahead: it would be heard late from now on.
            if (at + ticks + kMaxMisplacedTicks < mixed_ ||
                at > mixed_ + latency + kMaxMisplacedTicks) {
                input.anchor.reset();
                ++stats_.reanchored;
            }
        }
        if (!input.anchor) {
            input.anchor = mixed_ + latency - timestamp;
            input.samples.clear();
            input.begin = mixed_;
        }
        std::int64_t at = timestamp + *input.anchor;
        if (at < input.begin) {
            const auto late = std::min(input.begin - at, ticks);
            stats_.late_samples += static_cast<std::uint64_t>(late);
            pcm = pcm.subspan(static_cast<std::size_t>(late) * config_.channels);
            at += late;
        }
        if (pcm.empty()) return;
        const auto offset = static_cast<std::size_t>(at - input.begin) * config_.channels;
        const std::size_t had = input.samples.size();
        if (had < offset + pcm.size()) input.samples.resize(offset + pcm.size(), 0);
        const auto target = input.samples.begin() + static_cast<std::ptrdiff_t>(offset);
        std::ranges::copy(pcm, target);
        const bool follows = had > 0 && offset <= had;
        if (!follows) {
            fade(target,
                 std::min(kFadeTicks, pcm.size() / config_.channels),
                 config_.channels,
                 0.0F,
                 1.0F);
        }
    }

    /// Takes the next 20 ms of an input, with its ends made smooth.
    void take(MixerInput& input) {
        const std::size_t channels = config_.channels;
        const std::size_t size = kMixTicks * channels;
        const std::size_t count = std::min(size, input.samples.size());
        const auto end = input.samples.begin() + static_cast<std::ptrdiff_t>(count);
        input.taken.assign(input.samples.begin(), end);
        input.samples.erase(input.samples.begin(), end);
        input.begin += static_cast<std::int64_t>(kMixTicks);
        if (input.samples.empty() && count > 0) {
            const std::size_t faded = std::min(kFadeTicks, count / channels);
            fade(input.taken.end() - static_cast<std::ptrdiff_t>(faded * channels),
                 faded,
                 channels,
                 1.0F,
                 0.0F);
        }
        input.taken.resize(size, 0);
        float energy = 0;
        for (const std::int16_t v : input.taken) {
            energy += static_cast<float>(v) * static_cast<float>(v);
        }
        input.loudness = std::max(input.loudness * kLoudnessRelease,
                                  std::sqrt(energy / static_cast<float>(size)));
    }

    /// Decides who is heard in the 20 ms in hand; who was and is no longer, or the other way round,
    /// fades.
    void choose_heard() {
        ranking_.clear();
        for (auto& [id, input] : inputs_) {
            if (!input.is_leaving) ranking_.push_back(&input);
        }
        if (ranking_.size() > kMaxHeard) {
            const auto weight = [](const MixerInput* input) {
                return input->loudness * (input->is_heard ? kIncumbent : 1.0F);
            };
            std::ranges::stable_sort(ranking_, std::ranges::greater{}, weight);
            ranking_.resize(kMaxHeard);
        }
        for (auto& [id, input] : inputs_) {
            const bool was_heard = input.is_heard;
            input.is_heard = std::ranges::find(ranking_, &input) != ranking_.end();
            if (was_heard != input.is_heard) {
                fade(input.taken.begin(),
                     kMixTicks,
                     config_.channels,
                     was_heard ? 1.0F : 0.0F,
                     was_heard ? 0.0F : 1.0F);
            } else if (!was_heard) {
                std::ranges::fill(input.taken, std::int16_t{0});
            }
        }
    }

    void skip_to(std::int64_t target) {
        mixed_ = target - target % static_cast<std::int64_t>(kMixTicks);
        for (auto& [id, input] : inputs_) {
            input.samples.clear();
            input.begin = mixed_;
            input.anchor.reset();
        }
        for (auto& [id, output] : outputs_) {
            output.fifo.clear();
            output.fifo_begin = mixed_;
        }
    }

    void mix(std::vector<Mixed>& out) {
        const std::size_t size = kMixTicks * config_.channels;
        total_.assign(size, 0);
        for (auto& [id, input] : inputs_) take(input);
        choose_heard();
        for (const auto& [id, input] : inputs_) {
            for (std::size_t i = 0; i < size; ++i) total_[i] += input.taken[i];
        }
        mixed_ += static_cast<std::int64_t>(kMixTicks);
        ++stats_.mixed_frames;
        for (auto& [id, output] : outputs_) {
            sum_ = total_;
            for (const InputId left_out : output.left_out) {
                const auto found = inputs_.find(left_out);
                if (found == inputs_.end()) continue;
                for (std::size_t i = 0; i < size; ++i) sum_[i] -= found->second.taken[i];
            }
            const std::size_t before = output.fifo.size();
            output.fifo.resize(before + size);
            if (output.limiter.apply(
                    sum_, config_.channels, std::span(output.fifo).subspan(before))) {
                ++stats_.limited_frames;
            }
            encode(id, output, out);
        }
        std::erase_if(inputs_, [](const auto& one) { return one.second.is_leaving; });
    }

    void encode(OutputId id, MixerOutput& output, std::vector<Mixed>& out) {
        const std::size_t size = kAacTicks * config_.channels;
        while (output.fifo.size() >= size) {
            encoded_.clear();
            output.pending.push_back(output.fifo_begin);
            output.fifo_begin += static_cast<std::int64_t>(kAacTicks);
            const auto begin = output.fifo.begin();
            (void)output.encoder.encode(std::span(output.fifo).first(size), encoded_);
            output.fifo.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
            for (Bytes& payload : encoded_) {
                // The first frame only starts the overlap of the transform.
                if (std::exchange(output.primed, true)) {
                    out.push_back({.output = id,
                                   .frame = {.timestamp = output.pending.front(),
                                             .payload = std::move(payload)}});
                    output.pending.pop_front();
                }
            }
        }
    }

    Config config_;
    Bytes asc_;
    std::map<InputId, MixerInput> inputs_;
    std::map<OutputId, MixerOutput> outputs_;
    std::optional<Instant> start_;
    std::int64_t mixed_ = 0;  ///< samples since `start_` that are mixed
    std::vector<std::int16_t> pcm_;
    std::vector<MixerInput*> ranking_;
    std::vector<std::int32_t> total_;
    std::vector<std::int32_t> sum_;
    std::vector<Bytes> encoded_;
    Stats stats_;
};

}  // namespace

Result<std::unique_ptr<AudioMixer>> AudioMixer::create(const Config& config) {
    // Every output has an encoder of its own; this one only tells their common configuration.
    auto encoder =
        AacEncoder::create({.channels = config.channels, .bitrate_bps = config.bitrate_bps});
    if (!encoder) return tl::unexpected(encoder.error());
    return std::make_unique<AudioMixerImpl>(config, to_bytes(encoder->audio_specific_config()));
}

}  // namespace parley::codec

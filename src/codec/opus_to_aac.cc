#include "codec/opus_to_aac.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <span>

#include "codec/audio.h"
#include "media/opus.h"

namespace parley::codec {

namespace {

constexpr std::size_t kAacFrameTicks = 1'024;
constexpr std::size_t kConcealStep = 960;
/// Concealment fades out within this; what is missing beyond it is silence.
constexpr std::size_t kMaxConceal = 5'760;
constexpr std::int64_t kMaxFillTicks = (OpusToAac::kMaxFill / 1ms) * (kRate / 1'000);

class OpusToAacImpl final : public OpusToAac {
public:
    OpusToAacImpl(OpusDecoder decoder, AacEncoder encoder, std::size_t channels)
        : decoder_(std::move(decoder)), encoder_(std::move(encoder)), channels_(channels) {}

    [[nodiscard]] ByteView audio_specific_config() const override {
        return encoder_.audio_specific_config();
    }

    void handle_packet(const Packet& packet, std::vector<AacFrame>& out) override {
        ++stats_.packets_in;
        const auto info = media::parse_opus_packet(packet.data);
        if (!info) {
            ++stats_.undecodable;
            return;
        }
        const auto timestamp = static_cast<std::int64_t>(packet.timestamp);
        const auto ticks = static_cast<std::size_t>(info->duration.count() * 48 / 1'000'000);
        if (end_) {
            const std::int64_t gap = timestamp - *end_;
            if (gap > kMaxFillTicks || gap < -kMaxFillTicks) {
                jump(timestamp, out);
            } else if (gap > 0) {
                fill(static_cast<std::size_t>(gap), packet, ticks);
            } else if (-gap >= static_cast<std::int64_t>(ticks)) {
                ++stats_.late;
                return;
            }
        } else {
            start(timestamp);
        }
        const std::size_t before = fifo_.size();
        if (!decoder_.decode(packet.data, fifo_)) {
            ++stats_.undecodable;
            conceal(ticks);
        }
        if (timestamp < *end_) {  // some of its time is filled already
            const auto cut = std::min(static_cast<std::size_t>(*end_ - timestamp) * channels_,
                                      fifo_.size() - before);
            const auto from = fifo_.begin() + static_cast<std::ptrdiff_t>(before);
            fifo_.erase(from, from + static_cast<std::ptrdiff_t>(cut));
        }
        *end_ += static_cast<std::int64_t>((fifo_.size() - before) / channels_);
        encode(out);
    }

    void fill_until(std::uint64_t until, std::vector<AacFrame>& out) override {
        const auto timestamp = static_cast<std::int64_t>(until);
        if (!end_ || timestamp <= *end_) return;
        const auto gap = static_cast<std::size_t>(std::min(timestamp - *end_, kMaxFillTicks));
        comfort_noise(gap);
        *end_ += static_cast<std::int64_t>(gap);
        encode(out);
    }

    [[nodiscard]] Stats stats() const override { return stats_; }

private:
    void start(std::int64_t timestamp) {
        end_ = timestamp;
        fifo_begin_ = timestamp;
    }

    void jump(std::int64_t timestamp, std::vector<AacFrame>& out) {
        ++stats_.discontinuities;
        if (!fifo_.empty()) {  // what waits becomes the last frame of the old time
            fifo_.resize(kAacFrameTicks * channels_, 0);
            encode(out);
        }
        start(timestamp);
    }

    void fill(std::size_t gap, const Packet& next, std::size_t next_ticks) {
        if (!next.after_loss) {
            comfort_noise(gap);
        } else {
            // The redundancy in `next` covers the packet before it, of the same length.
            const std::size_t redundant = std::min(gap, next_ticks);
            const std::size_t concealed = std::min(gap - redundant, kMaxConceal);
            const std::size_t silent = gap - redundant - concealed;
            conceal(concealed);
            stats_.silent_samples += silent;
            fifo_.resize(fifo_.size() + silent * channels_, 0);
            stats_.concealed_samples += redundant;
            const std::size_t before = fifo_.size();
            if (redundant % 120 != 0 || !decoder_.decode_lost(next.data, redundant, fifo_)) {
                fifo_.resize(before + redundant * channels_, 0);
            }
        }
        *end_ += static_cast<std::int64_t>(gap);
    }

    void conceal(std::size_t ticks) {
        stats_.concealed_samples += ticks;
        generate(ticks);
    }
    void comfort_noise(std::size_t ticks) {
        stats_.silent_samples += ticks;
        generate(ticks);
    }
    /// Appends exactly `ticks` samples; the decoder makes multiples of 2.5 ms, the rest is silence.
    void generate(std::size_t ticks) {
        const std::size_t wanted = fifo_.size() + ticks * channels_;
        for (std::size_t left = ticks - ticks % 120; left > 0;) {
            const std::size_t step = std::min(left, kConcealStep);
            if (!decoder_.conceal(step, fifo_)) break;
            left -= step;
        }
        fifo_.resize(wanted, 0);
    }

    void encode(std::vector<AacFrame>& out) {
        const std::size_t size = kAacFrameTicks * channels_;
        std::size_t used = 0;
        for (; fifo_.size() - used >= size; used += size) {
            encoded_.clear();
            pending_.push_back(fifo_begin_);
            fifo_begin_ += static_cast<std::int64_t>(kAacFrameTicks);
            if (!encoder_.encode(std::span<const std::int16_t>(fifo_).subspan(used, size),
                                 encoded_)) {
                ++stats_.undecodable;
            }
            for (Bytes& payload : encoded_) emit(std::move(payload), out);
        }
        fifo_.erase(fifo_.begin(), fifo_.begin() + static_cast<std::ptrdiff_t>(used));
    }

    /// The first frame out only starts the overlap of the transform; each later one is the sound of
    /// the input frame that has waited longest.
    void emit(Bytes payload, std::vector<AacFrame>& out) {
        if (!primed_) {
            primed_ = true;
            return;
        }
        if (pending_.empty()) return;
        out.push_back({.timestamp = pending_.front(), .payload = std::move(payload)});
        pending_.pop_front();
        ++stats_.frames_out;
    }

    OpusDecoder decoder_;
    AacEncoder encoder_;
    std::size_t channels_;
    std::vector<std::int16_t> fifo_;
    std::int64_t fifo_begin_ = 0;
    std::optional<std::int64_t> end_;   ///< time behind the last sample in `fifo_`
    std::deque<std::int64_t> pending_;  ///< times of input frames that the encoder still has
    std::vector<Bytes> encoded_;
    bool primed_ = false;
    Stats stats_;
};

}  // namespace

Result<std::unique_ptr<OpusToAac>> OpusToAac::create(const Config& config) {
    auto decoder = OpusDecoder::create(config.channels);
    if (!decoder) return tl::unexpected(decoder.error());
    auto encoder =
        AacEncoder::create({.channels = config.channels, .bitrate_bps = config.bitrate_bps});
    if (!encoder) return tl::unexpected(encoder.error());
    return std::make_unique<OpusToAacImpl>(
        std::move(*decoder), std::move(*encoder), config.channels);
}

}  // namespace parley::codec

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// One audio codec each, without any idea of time; `aac_to_opus.h` and `opus_to_aac.h` put them
/// together. PCM is interleaved, 16 bits for Opus and between the parts. Not thread-safe; each may
/// move to another thread between two calls.
namespace parley::codec {

inline constexpr std::uint32_t kRate = 48'000;  ///< of everything between decoder and encoder

/// Interleaved samples of one or more frames.
struct Pcm {
    std::uint32_t rate = kRate;
    std::uint8_t channels = 2;
    std::vector<std::int16_t> samples;
    [[nodiscard]] std::size_t frames() const {
        return channels == 0 ? 0 : samples.size() / channels;
    }
};

/// AAC (LC, HE, HE v2) to PCM at the rate that the stream turns out to have, one or two channels:
/// more are mixed down to two.
class AacDecoder {
public:
    /// Empty `audio_specific_config`: every frame has an ADTS header. Errors: kUnsupported,
    /// kMalformed.
    [[nodiscard]] static Result<AacDecoder> create(ByteView audio_specific_config);
    AacDecoder(AacDecoder&&) noexcept;
    AacDecoder& operator=(AacDecoder&&) noexcept;
    ~AacDecoder();

    /// One frame; replaces `out` with its rate, channels and samples, each of which may differ from
    /// the frame before (none at the very start of a stream). kMalformed: undecodable, `out` is
    /// empty.
    [[nodiscard]] Result<void> decode(ByteView frame, Pcm& out);

private:
    struct Impl;
    explicit AacDecoder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// 48 kHz PCM to AAC-LC frames of 1,024 samples.
class AacEncoder {
public:
    struct Config {
        std::uint8_t channels = 2;
        std::uint32_t bitrate_bps = 0;  ///< 0: 64 kb/s a channel
    };
    /// Samples that the first frame puts in front of the input.
    static constexpr std::uint32_t kDelay = 1'024;

    [[nodiscard]] static Result<AacEncoder> create(const Config& config);
    AacEncoder(AacEncoder&&) noexcept;
    AacEncoder& operator=(AacEncoder&&) noexcept;
    ~AacEncoder();

    [[nodiscard]] ByteView audio_specific_config() const;
    /// `pcm`: exactly 1,024 frames of `channels` samples. Appends at most one raw frame (no ADTS);
    /// the first call gives none.
    [[nodiscard]] Result<void> encode(std::span<const std::int16_t> pcm, std::vector<Bytes>& out);

private:
    struct Impl;
    explicit AacEncoder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

class OpusDecoder {
public:
    /// Output has `channels` (1 or 2) whatever a packet has.
    [[nodiscard]] static Result<OpusDecoder> create(std::uint8_t channels);
    OpusDecoder(OpusDecoder&&) noexcept;
    OpusDecoder& operator=(OpusDecoder&&) noexcept;
    ~OpusDecoder();

    /// Appends the packet's samples.
    [[nodiscard]] Result<void> decode(ByteView packet, std::vector<std::int16_t>& out);
    /// Appends `frames` samples a channel (a multiple of 120, at most 5,760) from the redundancy
    /// that `next`, the packet behind the loss, may have (in-band FEC); without it they are
    /// concealed.
    [[nodiscard]] Result<void> decode_lost(ByteView next,
                                           std::size_t frames,
                                           std::vector<std::int16_t>& out);
    /// Appends `frames` samples of concealment: comfort noise after a DTX packet, else fading
    /// sound.
    [[nodiscard]] Result<void> conceal(std::size_t frames, std::vector<std::int16_t>& out);

private:
    struct Impl;
    explicit OpusDecoder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

class OpusEncoder {
public:
    struct Config {
        std::uint8_t channels = 2;
        std::uint32_t bitrate_bps = 0;  ///< 0: 40 kb/s mono, 64 kb/s stereo
        int complexity = 5;             ///< 0 to 10
        bool fec = true;
        int expected_loss_percent = 5;
    };
    static constexpr std::size_t kFrame = 960;  ///< 20 ms

    [[nodiscard]] static Result<OpusEncoder> create(const Config& config);
    OpusEncoder(OpusEncoder&&) noexcept;
    OpusEncoder& operator=(OpusEncoder&&) noexcept;
    ~OpusEncoder();

    /// Samples that a decoder puts in front of the input.
    [[nodiscard]] std::uint32_t delay() const;
    /// `pcm`: exactly 960 frames.
    [[nodiscard]] Result<Bytes> encode(std::span<const std::int16_t> pcm);

private:
    struct Impl;
    explicit OpusEncoder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Any rate to 48 kHz, with one or two channels in and out.
class Resampler {
public:
    [[nodiscard]] static Result<Resampler> create(std::uint32_t rate,
                                                  std::uint8_t channels_in,
                                                  std::uint8_t channels_out);
    Resampler(Resampler&&) noexcept;
    Resampler& operator=(Resampler&&) noexcept;
    ~Resampler();

    /// Appends what is ready; the rest stays inside for the next call.
    [[nodiscard]] Result<void> convert(std::span<const std::int16_t> in,
                                       std::vector<std::int16_t>& out);
    /// 48 kHz frames that are inside: they precede what the next call takes.
    [[nodiscard]] std::size_t delay() const;

private:
    struct Impl;
    explicit Resampler(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::codec

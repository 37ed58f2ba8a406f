#include <opus/opus.h>

#include <array>

#include "codec/audio.h"

namespace parley::codec {

namespace {

constexpr std::size_t kMaxOpusFrames = 5'760;  ///< 120 ms
constexpr std::size_t kMaxOpusPacket = 1'275;  ///< one frame (RFC 6716 section 3.2.1)

}  // namespace

struct OpusDecoder::Impl {
    struct Deleter {
        void operator()(::OpusDecoder* p) const { opus_decoder_destroy(p); }
    };
    std::unique_ptr<::OpusDecoder, Deleter> decoder;
    std::size_t channels = 2;

    Result<void> run(ByteView packet,
                     std::size_t frames,
                     bool fec,
                     std::vector<std::int16_t>& out) {
        const std::size_t before = out.size();
        out.resize(before + frames * channels);
        const int got = opus_decode(decoder.get(),
                                    packet.empty() ? nullptr : packet.data(),
                                    static_cast<opus_int32>(packet.size()),
                                    out.data() + before,
                                    static_cast<int>(frames),
                                    fec ? 1 : 0);
        out.resize(before + (got > 0 ? static_cast<std::size_t>(got) * channels : 0));
        if (got < 0) return fail(Errc::kMalformed, "Opus packet");
        return {};
    }
};

OpusDecoder::OpusDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OpusDecoder::OpusDecoder(OpusDecoder&&) noexcept = default;
OpusDecoder& OpusDecoder::operator=(OpusDecoder&&) noexcept = default;
OpusDecoder::~OpusDecoder() = default;

Result<OpusDecoder> OpusDecoder::create(std::uint8_t channels) {
    auto impl = std::make_unique<Impl>();
    int error = OPUS_OK;
    impl->decoder.reset(opus_decoder_create(static_cast<opus_int32>(kRate), channels, &error));
    impl->channels = channels;
    if (error != OPUS_OK) return fail(Errc::kUnsupported, "Opus decoder");
    return OpusDecoder(std::move(impl));
}

Result<void> OpusDecoder::decode(ByteView packet, std::vector<std::int16_t>& out) {
    if (packet.empty()) return fail(Errc::kMalformed, "Opus packet");
    return impl_->run(packet, kMaxOpusFrames, false, out);
}

Result<void> OpusDecoder::decode_lost(ByteView next,
                                      std::size_t frames,
                                      std::vector<std::int16_t>& out) {
    if (next.empty()) return conceal(frames, out);
    return impl_->run(next, frames, true, out);
}

Result<void> OpusDecoder::conceal(std::size_t frames, std::vector<std::int16_t>& out) {
    return impl_->run({}, frames, false, out);
}

struct OpusEncoder::Impl {
    struct Deleter {
        void operator()(::OpusEncoder* p) const { opus_encoder_destroy(p); }
    };
    std::unique_ptr<::OpusEncoder, Deleter> encoder;
    std::size_t channels = 2;
    std::uint32_t delay = 0;
};

OpusEncoder::OpusEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OpusEncoder::OpusEncoder(OpusEncoder&&) noexcept = default;
OpusEncoder& OpusEncoder::operator=(OpusEncoder&&) noexcept = default;
OpusEncoder::~OpusEncoder() = default;

Result<OpusEncoder> OpusEncoder::create(const Config& config) {
    auto impl = std::make_unique<Impl>();
    int error = OPUS_OK;
    impl->encoder.reset(opus_encoder_create(
        static_cast<opus_int32>(kRate), config.channels, OPUS_APPLICATION_AUDIO, &error));
    impl->channels = config.channels;
    if (error != OPUS_OK) return fail(Errc::kUnsupported, "Opus encoder");
    const std::uint32_t fallback = config.channels == 1 ? 40'000 : 64'000;
    const auto bitrate =
        static_cast<opus_int32>(config.bitrate_bps != 0 ? config.bitrate_bps : fallback);
    ::OpusEncoder* encoder = impl->encoder.get();
    opus_int32 lookahead = 0;
    if (opus_encoder_ctl(encoder, OPUS_SET_BITRATE(bitrate)) != OPUS_OK ||
        opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(config.complexity)) != OPUS_OK ||
        opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(config.fec ? 1 : 0)) != OPUS_OK ||
        opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(config.expected_loss_percent)) !=
            OPUS_OK ||
        opus_encoder_ctl(encoder, OPUS_GET_LOOKAHEAD(&lookahead)) != OPUS_OK) {
        return fail(Errc::kUnsupported, "Opus encoder settings");
    }
    impl->delay = static_cast<std::uint32_t>(lookahead);
    return OpusEncoder(std::move(impl));
}

std::uint32_t OpusEncoder::delay() const { return impl_->delay; }

Result<Bytes> OpusEncoder::encode(std::span<const std::int16_t> pcm) {
    if (pcm.size() != kFrame * impl_->channels) return fail(Errc::kInternal, "Opus encoder input");
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, kMaxOpusPacket> packet;
    const opus_int32 size = opus_encode(impl_->encoder.get(),
                                        pcm.data(),
                                        static_cast<int>(kFrame),
                                        packet.data(),
                                        static_cast<opus_int32>(packet.size()));
    if (size < 0) return fail(Errc::kInternal, "Opus encoder");
    return Bytes(packet.begin(), packet.begin() + size);
}

}  // namespace parley::codec

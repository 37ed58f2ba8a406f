#include "codec/video_to_h264.h"

#include <wels/codec_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "codec/libav.h"
#include "flv/avc_config.h"
#include "media/h264.h"

namespace parley::codec {

namespace {

constexpr std::size_t kMaxCodedFrame = 4 * 1024 * 1024;
/// Bits for each pixel and frame that give 1.2 Mb/s at 720p30.
constexpr double kBitsPerPixel = 0.0434;
constexpr std::int64_t kMinBitrate = 100'000;
constexpr int kMinSide = 16;
/// User data of one picture; more is left out.
constexpr std::size_t kMaxUserData = 16 * 1024;
constexpr std::size_t kAv1ConfigHeader = 4;

AVCodecID codec_id(VideoCodec codec) {
    switch (codec) {
        case VideoCodec::kH264:
            return AV_CODEC_ID_H264;
        case VideoCodec::kVp8:
            return AV_CODEC_ID_VP8;
        case VideoCodec::kVp9:
            return AV_CODEC_ID_VP9;
        case VideoCodec::kAv1:
            return AV_CODEC_ID_AV1;
        case VideoCodec::kHevc:
            return AV_CODEC_ID_HEVC;
    }
    return AV_CODEC_ID_NONE;
}

const AVCodec* find_decoder(VideoCodec codec) {
    // libavcodec's own AV1 decoder needs a graphics card.
    if (codec == VideoCodec::kAv1) return avcodec_find_decoder_by_name("libdav1d");
    return avcodec_find_decoder(codec_id(codec));
}

/// Pictures of one size to H.264 by OpenH264.
class H264Encoder {
public:
    H264Encoder() = default;
    H264Encoder(const H264Encoder&) = delete;
    H264Encoder& operator=(const H264Encoder&) = delete;
    ~H264Encoder() { close(); }

    [[nodiscard]] bool open(int width,
                            int height,
                            const VideoToH264::Config& config,
                            Bitrate bitrate) {
        close();
        if (WelsCreateSVCEncoder(&encoder_) != 0) return false;
        int trace = WELS_LOG_QUIET;
        encoder_->SetOption(ENCODER_OPTION_TRACE_LEVEL, &trace);
        SEncParamExt p{};
        encoder_->GetDefaultParams(&p);
        p.iUsageType = CAMERA_VIDEO_REAL_TIME;
        p.iPicWidth = width;
        p.iPicHeight = height;
        p.iRCMode = RC_BITRATE_MODE;
        p.iTargetBitrate = static_cast<int>(bitrate.bps());
        p.iMaxBitrate = p.iTargetBitrate * 3 / 2;
        p.fMaxFrameRate = static_cast<float>(config.max_frame_rate);
        p.uiIntraPeriod = config.key_frame_interval;
        p.iMultipleThreadIdc = 1;
        p.bEnableFrameSkip = false;
        p.iEntropyCodingModeFlag = 0;
        p.eSpsPpsIdStrategy = CONSTANT_ID;
        p.iComplexityMode = LOW_COMPLEXITY;
        p.iTemporalLayerNum = 1;
        p.iSpatialLayerNum = 1;
        SSpatialLayerConfig& layer = p.sSpatialLayers[0];
        layer.iVideoWidth = width;
        layer.iVideoHeight = height;
        layer.fFrameRate = p.fMaxFrameRate;
        layer.iSpatialBitrate = p.iTargetBitrate;
        layer.iMaxSpatialBitrate = p.iMaxBitrate;
        layer.uiProfileIdc = PRO_BASELINE;
        layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
        return encoder_->InitializeExt(&p) == cmResultSuccess;
    }
    void close() {
        if (encoder_ == nullptr) return;
        encoder_->Uninitialize();
        WelsDestroySVCEncoder(std::exchange(encoder_, nullptr));
    }
    void request_key_frame() {
        if (encoder_ != nullptr) encoder_->ForceIntraFrame(true);
    }
    void set_bitrate(Bitrate bitrate) {
        if (encoder_ == nullptr) return;
        SBitrateInfo info{SPATIAL_LAYER_ALL, static_cast<int>(bitrate.bps() * 3 / 2)};
        encoder_->SetOption(ENCODER_OPTION_MAX_BITRATE, &info);
        info.iBitrate = static_cast<int>(bitrate.bps());
        encoder_->SetOption(ENCODER_OPTION_BITRATE, &info);
    }
    /// The NAL units as Annex B, empty when the encoder left the picture out; nullopt: it failed.
    std::optional<Bytes> encode(const AVFrame& picture, int width, int height, std::int64_t index) {
        SSourcePicture source{};
        source.iColorFormat = videoFormatI420;
        source.iPicWidth = width;
        source.iPicHeight = height;
        // For the rate control, which counts frames of the nominal rate.
        source.uiTimeStamp = index;
        for (std::size_t plane = 0; plane < 3; ++plane) {
            source.pData[plane] = picture.data[plane];
            source.iStride[plane] = picture.linesize[plane];
        }
        SFrameBSInfo info{};
        if (encoder_->EncodeFrame(&source, &info) != cmResultSuccess) return std::nullopt;
        Bytes out;
        for (int l = 0; l < info.iLayerNum; ++l) {
            const SLayerBSInfo& layer = info.sLayerInfo[l];
            std::size_t size = 0;
            for (int n = 0; n < layer.iNalCount; ++n) {
                size += static_cast<std::size_t>(layer.pNalLengthInByte[n]);
            }
            out.insert(out.end(), layer.pBsBuf, layer.pBsBuf + size);
        }
        return out;
    }

private:
    ISVCEncoder* encoder_ = nullptr;
};

class VideoToH264Impl final : public VideoToH264 {
public:
    explicit VideoToH264Impl(const Config& config) : config_(config), bitrate_(config.bitrate) {}

    [[nodiscard]] Result<void> open_decoder() {
        const AVCodec* codec = find_decoder(config_.input);
        const bool has_header =
            config_.input == VideoCodec::kH264 || config_.input == VideoCodec::kHevc;
        AvContext context = make_context(codec, has_header ? ByteView(config_.config) : ByteView());
        if (!context || !frame_ || !packet_) return fail(Errc::kUnsupported, "video decoder");
        context->max_pixels = std::int64_t{kMaxSide} * kMaxSide;
        if (avcodec_open2(context.get(), codec, nullptr) < 0) {
            return fail(Errc::kUnsupported, "video decoder");
        }
        decoder_ = std::move(context);
        // av1C: four bytes, then OBUs, which the key frames need not repeat.
        if (config_.input == VideoCodec::kAv1 && config_.config.size() > kAv1ConfigHeader) {
            handle_unseen(0, ByteView(config_.config).subspan(kAv1ConfigHeader));
        }
        return {};
    }

    Result<void> set_h264_config(ByteView avc_config_record) override {
        if (config_.input != VideoCodec::kH264)
            return fail(Errc::kUnsupported, "H.264 configuration");
        if (const auto parsed = flv::parse_avc_config(avc_config_record); !parsed) {
            return tl::unexpected(parsed.error());
        }
        config_.config = to_bytes(avc_config_record);
        return open_decoder();
    }

    void handle_unseen(std::int64_t timestamp, ByteView coded) override {
        if (!send(timestamp, coded)) return;
        while (avcodec_receive_frame(decoder_.get(), frame_.get()) == 0) {
        }
    }

    Result<void> handle_frame(std::int64_t timestamp,
                              ByteView coded,
                              std::vector<H264Frame>& out) override {
        if (const auto sent = send(timestamp, coded); !sent) return sent;
        while (true) {
            const int got = avcodec_receive_frame(decoder_.get(), frame_.get());
            if (got == AVERROR(EAGAIN)) return {};
            if (got < 0) {
                ++stats_.undecodable;
                return fail(Errc::kMalformed, "coded picture");
            }
            keep_user_data(*frame_);
            // What the decoder makes up for lost references is not shown.
            const bool is_broken = frame_->decode_error_flags != 0;
            if (const auto encoded = encode(out); !encoded) return encoded;
            if (is_broken) return fail(Errc::kMalformed, "picture with errors");
        }
    }

    void request_key_frame() override { encoder_.request_key_frame(); }
    void set_bitrate(Bitrate bitrate) override {
        bitrate_ = bitrate;
        if (width_ != 0) encoder_.set_bitrate(effective_bitrate());
    }
    [[nodiscard]] Stats stats() const override { return stats_; }

private:
    Result<void> send(std::int64_t timestamp, ByteView coded) {
        ++stats_.frames_in;
        if (coded.empty() || coded.size() > kMaxCodedFrame) {
            ++stats_.undecodable;
            return fail(Errc::kMalformed, "coded picture size");
        }
        if (!fill_packet(*packet_, coded)) return fail(Errc::kSystem, "coded picture");
        packet_->pts = timestamp;
        if (avcodec_send_packet(decoder_.get(), packet_.get()) < 0) {
            ++stats_.undecodable;
            return fail(Errc::kMalformed, "coded picture");
        }
        return {};
    }
    /// SEI goes with the picture that it came with. The decoder gives it out in the order of
    /// presentation; of a picture that the encoder leaves out it goes with the next.
    void keep_user_data(const AVFrame& picture) {
        std::size_t kept = 0;
        for (const Bytes& sei : user_data_) kept += sei.size();
        for (const AVFrameSideData* data :
             std::span(picture.side_data, static_cast<std::size_t>(picture.nb_side_data))) {
            if (data->type != AV_FRAME_DATA_SEI_UNREGISTERED) continue;
            if (kept + data->size > kMaxUserData) continue;
            user_data_.push_back(media::write_h264_user_data({data->data, data->size}));
            kept += data->size;
        }
    }
    [[nodiscard]] Bitrate effective_bitrate() const {
        if (bitrate_.bps() > 0) return bitrate_;
        const double bps = kBitsPerPixel * width_ * height_ * config_.max_frame_rate;
        return Bitrate::bps(std::max<std::int64_t>(kMinBitrate, std::llround(bps)));
    }

    Result<void> encode(std::vector<H264Frame>& out) {
        const AVFrame& picture = *frame_;
        if (picture.format != AV_PIX_FMT_YUV420P && picture.format != AV_PIX_FMT_YUVJ420P) {
            return fail(Errc::kUnsupported, "pixel format");
        }
        const int width = picture.width & ~1;
        const int height = picture.height & ~1;
        if (width < kMinSide || height < kMinSide) {
            return fail(Errc::kUnsupported, "picture size");
        }
        if (width != width_ || height != height_) {
            width_ = width;
            height_ = height;
            if (!encoder_.open(width, height, config_, effective_bitrate())) {
                width_ = 0;
                return fail(Errc::kSystem, "H.264 encoder");
            }
        }
        const std::int64_t nominal_ms =
            std::llround(static_cast<double>(pictures_++) * 1'000 / config_.max_frame_rate);
        auto annex_b = encoder_.encode(picture, width, height, nominal_ms);
        if (!annex_b) return fail(Errc::kInternal, "H.264 encoder");
        if (annex_b->empty()) {
            ++stats_.skipped;
            return {};
        }
        return append(*annex_b, out);
    }

    Result<void> append(ByteView annex_b, std::vector<H264Frame>& out) {
        H264Frame frame{.timestamp = frame_->pts, .is_key_frame = false, .avcc = {}, .config = {}};
        ByteView sps;
        ByteView pps;
        frame.avcc.reserve(annex_b.size());
        const auto put = [&frame](ByteView nal) {
            const std::size_t at = frame.avcc.size();
            frame.avcc.resize(at + 4);
            store_u32(frame.avcc.data() + at, static_cast<std::uint32_t>(nal.size()));
            frame.avcc.insert(frame.avcc.end(), nal.begin(), nal.end());
        };
        for (const Bytes& sei : std::exchange(user_data_, {})) put(sei);
        media::AnnexBReader reader(annex_b);
        while (const auto nal = reader.next()) {
            const media::NalType type = media::nal_type((*nal)[0]);
            if (type == media::NalType::kSps) sps = *nal;
            if (type == media::NalType::kPps) pps = *nal;
            if (type == media::NalType::kSps || type == media::NalType::kPps) continue;
            if (type == media::NalType::kIdr) frame.is_key_frame = true;
            put(*nal);
        }
        if (!sps.empty() && !pps.empty()) {
            const auto config = flv::make_avc_config(sps, pps);
            if (!config) return tl::unexpected(config.error());
            Bytes record = flv::write_avc_config(*config);
            if (record != record_) {
                record_ = record;
                frame.config = std::move(record);
            }
        }
        if (frame.avcc.empty()) return {};
        ++stats_.frames_out;
        out.push_back(std::move(frame));
        return {};
    }

    Config config_;
    Bitrate bitrate_;
    AvContext decoder_;
    AvFrame frame_{av_frame_alloc()};
    AvPacket packet_{av_packet_alloc()};
    H264Encoder encoder_;
    int width_ = 0;
    int height_ = 0;
    std::int64_t pictures_ = 0;
    Bytes record_;
    std::vector<Bytes> user_data_;  ///< NAL units for the next picture
    Stats stats_;
};

}  // namespace

Result<std::unique_ptr<VideoToH264>> VideoToH264::create(const Config& config) {
    auto made = std::make_unique<VideoToH264Impl>(config);
    if (const auto opened = made->open_decoder(); !opened) return tl::unexpected(opened.error());
    return made;
}

}  // namespace parley::codec

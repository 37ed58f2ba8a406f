#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "codec/libav.h"
#include "flv/avc_config.h"
#include "media/h264.h"

namespace parley::codec::testing {

/// Encodes grey pictures, each brighter than the one before, with any of libavcodec's encoders.
class PictureSource {
public:
    PictureSource(const char* encoder,
                  int width,
                  int height,
                  std::vector<std::pair<const char*, const char*>> options)
        : width_(width), height_(height) {
        const AVCodec* codec = avcodec_find_encoder_by_name(encoder);
        context_ = make_context(codec, {});
        if (!context_) return;
        context_->width = width;
        context_->height = height;
        context_->pix_fmt = AV_PIX_FMT_YUV420P;
        context_->time_base = {1, 30};
        context_->bit_rate = 300'000;
        context_->gop_size = 1'000;
        context_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
        for (const auto& [key, value] : options)
            av_opt_set(context_.get(), key, value, AV_OPT_SEARCH_CHILDREN);
        ok_ = avcodec_open2(context_.get(), codec, nullptr) == 0;
    }
    [[nodiscard]] bool ok() const { return ok_; }
    /// The configuration record: x264 gives its parameter sets as Annex B, FLV has the record.
    [[nodiscard]] Bytes avc_config() const {
        ByteView sps;
        ByteView pps;
        media::AnnexBReader reader(
            {context_->extradata, static_cast<std::size_t>(context_->extradata_size)});
        while (const auto nal = reader.next()) {
            if (media::nal_type((*nal)[0]) == media::NalType::kSps) sps = *nal;
            if (media::nal_type((*nal)[0]) == media::NalType::kPps) pps = *nal;
        }
        return flv::write_avc_config(*flv::make_avc_config(sps, pps));
    }
    /// The same of HEVC (ISO/IEC 14496-15, hvcC): VPS, SPS and PPS, each an array of its own.
    [[nodiscard]] Bytes hevc_config() const {
        Bytes record(23, 0);
        record[0] = 1;
        record[21] = 0xFF;  // lengths of four bytes
        media::AnnexBReader reader(
            {context_->extradata, static_cast<std::size_t>(context_->extradata_size)});
        while (const auto nal = reader.next()) {
            const Bytes head{static_cast<std::uint8_t>((*nal)[0] >> 1 & 0x3F),
                             0,
                             1,
                             static_cast<std::uint8_t>(nal->size() >> 8),
                             static_cast<std::uint8_t>(nal->size() & 0xFF)};
            record.insert(record.end(), head.begin(), head.end());
            record.insert(record.end(), nal->begin(), nal->end());
            ++record[22];
        }
        return record;
    }
    struct Coded {
        std::int64_t pts = 0;
        Bytes data;
    };
    static int luma(std::int64_t index) { return 40 + static_cast<int>(index % 20) * 8; }
    /// Another picture for each index than `luma` says.
    std::function<int(std::int64_t)> brightness = luma;
    std::vector<Coded> encode(int count) {
        std::vector<Coded> out;
        for (int i = 0; i < count; ++i, ++next_) {
            const AvFrame frame(av_frame_alloc());
            frame->format = AV_PIX_FMT_YUV420P;
            frame->width = width_;
            frame->height = height_;
            frame->pts = next_;
            av_frame_get_buffer(frame.get(), 0);
            for (int y = 0; y < height_; ++y)
                std::memset(frame->data[0] + y * frame->linesize[0],
                            brightness(next_),
                            static_cast<std::size_t>(width_));
            for (int p = 1; p < 3; ++p) {
                for (int y = 0; y < (height_ + 1) / 2; ++y) {
                    std::memset(frame->data[p] + y * frame->linesize[p],
                                128,
                                static_cast<std::size_t>((width_ + 1) / 2));
                }
            }
            avcodec_send_frame(context_.get(), frame.get());
            drain(out);
        }
        return out;
    }
    std::vector<Coded> finish() {
        std::vector<Coded> out;
        avcodec_send_frame(context_.get(), nullptr);
        drain(out);
        return out;
    }

private:
    void drain(std::vector<Coded>& out) {
        const AvPacket packet(av_packet_alloc());
        while (avcodec_receive_packet(context_.get(), packet.get()) == 0) {
            out.push_back({packet->pts, Bytes(packet->data, packet->data + packet->size)});
            av_packet_unref(packet.get());
        }
    }
    AvContext context_;
    int width_;
    int height_;
    std::int64_t next_ = 0;
    bool ok_ = false;
};

inline Bytes annex_b_to_avcc(ByteView annex_b) {
    Bytes out;
    media::AnnexBReader reader(annex_b);
    while (const auto nal = reader.next()) {
        const std::size_t at = out.size();
        out.resize(at + 4);
        store_u32(out.data() + at, static_cast<std::uint32_t>(nal->size()));
        out.insert(out.end(), nal->begin(), nal->end());
    }
    return out;
}

}  // namespace parley::codec::testing

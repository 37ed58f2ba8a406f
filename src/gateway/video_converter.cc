#include "gateway/video_converter.h"

namespace parley::gateway {

bool VideoConverter::open(Instant now,
                          ConversionKind kind,
                          ByteView config,
                          std::vector<convert::FrameRef> before) {
    if (tried_at_ && now - *tried_at_ < kRetry) return false;
    open_ = conversions_.open(id_, kind);
    refused_ = refused_ || (!open_ && !tried_at_);
    if (!open_) {
        tried_at_ = now;
        return false;
    }
    tried_at_.reset();
    begun_ = false;
    ConversionInput input;
    input.what = ConversionInput::What::kConfig;
    input.data = to_bytes(config);
    input.before = std::move(before);
    conversions_.submit(id_, std::move(input));
    return true;
}

void VideoConverter::submit(convert::MediaTime pts, ByteView picture) {
    ConversionInput input;
    input.timestamp = pts.count();
    input.data = to_bytes(picture);
    conversions_.submit(id_, std::move(input));
}

void VideoConverter::request_key_frame() {
    ConversionInput input;
    input.what = ConversionInput::What::kKeyFrame;
    conversions_.submit(id_, std::move(input));
}

bool VideoConverter::accepts(const ConvertedFrame& frame) {
    begun_ = open_ && (begun_ || !frame.config.empty());
    return begun_;
}

void VideoConverter::close() {
    tried_at_.reset();
    if (std::exchange(open_, false)) conversions_.close(id_);
}

}  // namespace parley::gateway

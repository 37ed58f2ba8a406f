#pragma once

#include <memory>

#include "base/bytes.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
}

/// Ownership of libavcodec's objects, and what all its users here do alike.
namespace parley::codec {

struct AvDeleter {
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
};
using AvContext = std::unique_ptr<AVCodecContext, AvDeleter>;
using AvFrame = std::unique_ptr<AVFrame, AvDeleter>;
using AvPacket = std::unique_ptr<AVPacket, AvDeleter>;

/// A context with one thread and, where not empty, `extradata`; null when out of memory or `codec`
/// is null. Quiets the library's log, which knows no streams and would print what the network
/// sends.
[[nodiscard]] AvContext make_context(const AVCodec* codec, ByteView extradata);

/// A packet with a copy of `data` and the zero bytes behind it that decoders read; false: no
/// memory.
[[nodiscard]] bool fill_packet(AVPacket& packet, ByteView data);

}  // namespace parley::codec

#include "codec/libav.h"

extern "C" {
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include "codec/available.h"

namespace parley::codec {

bool is_available() { return true; }

AvContext make_context(const AVCodec* codec, ByteView extradata) {
    static const bool quiet = [] {
        av_log_set_level(AV_LOG_QUIET);
        return true;
    }();
    (void)quiet;
    if (codec == nullptr) return nullptr;
    AvContext context(avcodec_alloc_context3(codec));
    if (!context) return nullptr;
    context->thread_count = 1;
    if (!extradata.empty()) {
        void* copy = av_mallocz(extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE);
        if (copy == nullptr) return nullptr;
        std::memcpy(copy, extradata.data(), extradata.size());
        context->extradata = static_cast<std::uint8_t*>(copy);
        context->extradata_size = static_cast<int>(extradata.size());
    }
    return context;
}

bool fill_packet(AVPacket& packet, ByteView data) {
    av_packet_unref(&packet);
    if (av_new_packet(&packet, static_cast<int>(data.size())) < 0) return false;
    if (!data.empty()) std::memcpy(packet.data, data.data(), data.size());
    return true;
}

}  // namespace parley::codec

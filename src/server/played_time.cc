#include "server/played_time.h"

#include "flv/avc_config.h"
#include "flv/video_tag.h"
#include "media/h264.h"

namespace parley::server {

void PlayedTime::handle_message(Instant at, const flv::Message& message) {
    if (message.kind == flv::MediaKind::kAudio) audio_.handle_media(at);
    if (message.kind != flv::MediaKind::kVideo) return;
    const auto tag = flv::parse_video_tag(message.bytes());
    if (tag && tag->packet_type == flv::VideoPacketType::kSequenceHeader) {
        const auto avc = flv::parse_avc_config(tag->data);
        if (!avc || avc->sps.empty()) return;
        if (const auto sps = media::parse_h264_sps(avc->sps.front())) {
            tier_ = sfu::tier_of(sps->width, sps->height);
        }
        return;
    }
    video_.handle_media(at, tier_);
}

void PlayedTime::move_to(sfu::MediaTime& to) {
    audio_.move_to(to, false);
    video_.move_to(to, true);
}

}  // namespace parley::server

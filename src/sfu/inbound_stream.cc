#include "sfu/inbound_stream.h"

namespace parley::sfu {

InboundStream::InboundStream(const Config& config)
    : config_(config),
      history_(config.is_video ? kVideoHistory : kAudioHistory, kHistoryAge),
      reception_(config.clock_rate),
      clock_(config.clock_rate) {}

bool InboundStream::handle_packet(const media::PacketRef& packet, bool recovered) {
    if (history_.insert(packet) != PacketHistory::Verdict::kNew) return false;
    const Instant at = packet->received_at;
    if (!recovered) reception_.handle_packet(at, packet->ext_seq, packet->rtp_timestamp);
    if (config_.nack) nack_.handle_packet(at, packet->ext_seq);
    if (packet->is_key_frame) {
        key_frames_.handle_key_frame();
        if (config_.nack) nack_.handle_key_frame(packet->ext_seq);
    }
    last_packet_ = at;
    active_.handle_media(at, tier_);
    return true;
}

void InboundStream::handle_sender_report(Instant now, const rtcp::SenderInfo& info) {
    reception_.handle_sender_report(now, info.ntp);
    clock_.handle_sender_report(now, info.ntp, info.rtp_timestamp);
}

}  // namespace parley::sfu

#include "media/packet.h"

namespace parley::media {

PacketRef PacketPool::allocate() {
    if (free_.empty()) {
        if (allocated() + kChunkPackets > max_packets_) return {};
        // make_unique would clear 1.6 kB for each packet.
        chunks_.push_back(std::make_unique_for_overwrite<Packet[]>(kChunkPackets));
        free_.reserve(allocated());
        for (std::size_t i = 0; i < kChunkPackets; ++i) free_.push_back(&chunks_.back()[i]);
    }
    Packet* packet = free_.back();
    free_.pop_back();
    packet->pool = this;
    packet->references = 0;
    packet->ext_seq = 0;
    packet->size = 0;
    packet->payload_offset = 0;
    packet->payload_size = 0;
    packet->payload_type = PayloadType{};
    packet->marker = false;
    packet->is_key_frame = false;
    packet->has_audio_level = false;
    packet->red_primary_offset = 0;
    return PacketRef(packet);
}

}  // namespace parley::media

#include "sfu/outbound_stream.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "rtp/rtx.h"

namespace parley::sfu {
namespace {

constexpr std::uint8_t kVersion2 = 0x80;
constexpr std::uint8_t kPaddingBit = 0x20;
constexpr std::uint8_t kExtensionBit = 0x10;
constexpr std::uint8_t kSilence = 127;

/// A subscriber drops unread what lies further back than its replay window (RFC 3711 section 3.3.2; common
/// clients keep 1,024), and a number half the ring back would even be taken for one ahead.
constexpr rtp::ExtSeq kMaxLate = 1'000;

std::size_t index_of(Layer layer) { return static_cast<std::size_t>(layer); }

}  // namespace

void OutboundStream::switch_to(Instant now,
                               Layer layer,
                               const media::Packet& first,
                               std::span<InboundStream* const> streams) {
    Mapping next{.layer = layer, .first_in = first.ext_seq};
    if (mapping_count_ == 0) {
        // The first packet keeps the publisher's timestamp and gets a number of our own.
        next.sequence_offset = static_cast<std::int64_t>(config_.first_sequence) -
                               static_cast<std::int64_t>(first.ext_seq);
    } else {
        next.sequence_offset =
            static_cast<std::int64_t>(highest_out_ + 1) - static_cast<std::int64_t>(first.ext_seq);
        const Mapping& old = mappings_[0];
        const InboundStream* from = streams[index_of(old.layer)];
        const InboundStream* to = streams[index_of(layer)];
        std::optional<std::uint32_t> aligned;
        if (from != nullptr && to != nullptr) {
            // The same moment on both layers' clocks, by the publisher's NTP clock (RFC 3550 section 6.4.1).
            if (const auto ntp = to->clock().ntp_at(first.rtp_timestamp)) {
                if (const auto timestamp = from->clock().rtp_at(*ntp)) {
                    aligned = *timestamp + old.timestamp_offset;
                }
            }
        }
        const auto elapsed = std::max<std::int64_t>(to_us(now - last_packet_at_), 1'000);
        const std::uint32_t by_arrival =
            last_timestamp_ +
            static_cast<std::uint32_t>(elapsed * clock_rate(config_.kind) / 1'000'000);
        // Time must go on: a receiver takes a timestamp that steps back for an old frame.
        const bool usable =
            aligned && static_cast<std::int32_t>(*aligned - last_timestamp_) > 0 &&
            std::abs(static_cast<std::int32_t>(*aligned - by_arrival)) <
                static_cast<std::int32_t>(clock_rate(config_.kind));
        next.timestamp_offset = (usable ? *aligned : by_arrival) - first.rtp_timestamp;
        mappings_[0].end_in =
            static_cast<rtp::ExtSeq>(static_cast<std::int64_t>(highest_out_ + 1) - old.sequence_offset);
        for (std::size_t i = kMappings - 1; i > 0; --i) mappings_[i] = mappings_[i - 1];
    }
    mappings_[0] = next;
    mapping_count_ = std::min(mapping_count_ + 1, kMappings);
    current_ = layer;
}

void OutboundStream::restart_layer(Layer layer) {
    if (current_ == layer) current_.reset();
    for (std::size_t i = 0; i < mapping_count_; ++i) {
        if (mappings_[i].layer == layer) mappings_[i].is_over = true;
    }
}

std::optional<std::size_t> OutboundStream::start_of(Instant now,
                                                    Layer layer,
                                                    const Burst& burst,
                                                    std::span<InboundStream* const> streams,
                                                    Forwarded& result) {
    if (current_ == layer) return 0;
    if (current_ && config_.layer != layer) {
        const InboundStream* mine = streams[index_of(*current_)];
        if (mine != nullptr && mine->is_active(now)) return std::nullopt;
    }
    std::size_t begin = 0;
    if (config_.kind == MediaKind::kVideo) {
        while (begin < burst.size() && !burst.packet(begin).is_key_frame) ++begin;
        if (begin == burst.size()) {
            result.wants_key_frame = true;
            return std::nullopt;
        }
    }
    switch_to(now, layer, burst.packet(begin), streams);
    result.switched_to = layer;
    return begin;
}

OutboundStream::Forwarded OutboundStream::forward(Instant now,
                                                  Layer layer,
                                                  const Burst& burst,
                                                  std::span<InboundStream* const> streams,
                                                  const Wire& wire,
                                                  media::PacketSink& sink,
                                                  MediaCounters& counters) {
    Forwarded result;
    if (wire.sender == nullptr) return result;
    const std::optional<std::size_t> start = start_of(now, layer, burst, streams, result);
    send_late(layer, burst, wire, sink, counters);
    if (!start) return result;
    const std::size_t begin = *start;
    const Mapping& mapping = mappings_[0];
    const bool strips_red = config_.red_payload_type.value == 0;
    for (const Burst::Run& run : burst.runs()) {
        // Packets from before the key frame that this subscriber started with are not for him.
        std::size_t first = run.first;
        const std::size_t end = first + run.count;
        for (std::size_t i = first; i < end; ++i) {
            const media::Packet& packet = burst.packet(i);
            const bool skip = i < begin || packet.ext_seq < mapping.first_in;
            const bool alone = strips_red && packet.red_primary_offset != 0;
            if (!skip && !alone) continue;
            if (i > first) send_run(burst, first, i - first, wire, sink, counters);
            if (!skip) send_run(burst, i, 1, wire, sink, counters);
            first = i + 1;
        }
        if (end > first) send_run(burst, first, end - first, wire, sink, counters);
    }
    if (result.switched_to) {
        send_overtakers(burst, begin, streams[index_of(layer)], wire, sink, counters);
    }
    const InboundStream* from = streams[index_of(layer)];
    if (has_sent()) active_.handle_media(last_packet_at_, from == nullptr ? VideoTier::kSd : from->tier());
    return result;
}

void OutboundStream::send_overtakers(const Burst& burst,
                                     std::size_t begin,
                                     const InboundStream* stream,
                                     const Wire& wire,
                                     media::PacketSink& sink,
                                     MediaCounters& counters) {
    if (stream == nullptr || !stream->history().highest()) return;
    const rtp::ExtSeq first = burst.packet(begin).ext_seq;
    const rtp::ExtSeq last = std::min(*stream->history().highest(), first + kMaxOvertakers);
    for (rtp::ExtSeq sequence = first + 1; sequence <= last; ++sequence) {
        const media::PacketRef packet = stream->history().find(sequence);
        if (!packet) continue;
        bool comes_anyway = false;
        for (std::size_t i = begin; i < burst.size(); ++i) {
            comes_anyway |= burst.packet(i).ext_seq == sequence;
        }
        if (comes_anyway) continue;
        send_alone(*packet, mappings_[0], wire, sink, counters);
    }
}

void OutboundStream::send_late(Layer layer,
                               const Burst& burst,
                               const Wire& wire,
                               media::PacketSink& sink,
                               MediaCounters& counters) {
    if (mapping_count_ < 2) return;
    for (std::size_t i = 0; i < burst.size(); ++i) {
        const media::Packet& packet = burst.packet(i);
        std::size_t at = 0;
        while (at < mapping_count_ &&
               (mappings_[at].layer != layer || packet.ext_seq < mappings_[at].first_in)) {
            ++at;
        }
        // What the newest mapping covers goes its usual way.
        if (at == 0 || at == mapping_count_) continue;
        const Mapping& mapping = mappings_[at];
        if (mapping.is_over || packet.ext_seq >= mapping.end_in) continue;
        if (number_of(packet, mapping) + kMaxLate < highest_out_) continue;
        send_alone(packet, mapping, wire, sink, counters);
    }
}

void OutboundStream::send_alone(const media::Packet& packet,
                                const Mapping& mapping,
                                const Wire& wire,
                                media::PacketSink& sink,
                                MediaCounters& counters) {
    std::uint8_t* out = sink.reserve(header_size() + packet.payload_size + srtp::kMaxOverhead + 1);
    const std::size_t size = write_packet(out, packet, mapping, 0, *wire.sender);
    sink.commit(wire.path, size, size);
    const bool audio = config_.kind == MediaKind::kAudio;
    sent_.add_out(1, size);
    ++counters.packets_out;
    counters.bytes_out += size;
    ++(audio ? counters.audio_packets_out : counters.video_packets_out);
    (audio ? counters.audio_bytes_out : counters.video_bytes_out) += size;
}

void OutboundStream::send_run(const Burst& burst,
                              std::size_t first,
                              std::size_t count,
                              const Wire& wire,
                              media::PacketSink& sink,
                              MediaCounters& counters) {
    const std::size_t overhead = header_size() + srtp::rtp_overhead(wire.sender->profile());
    // A cut run may lack its largest packet, so the sizes are looked at again.
    const std::size_t segment =
        overhead + std::max<std::size_t>(burst.packet(first).payload_size + burst.padding(first), 1);
    std::uint8_t* out = sink.reserve(count * (segment + Burst::kMaxPadding));
    std::size_t size = 0;
    for (std::size_t i = first; i < first + count; ++i) {
        size += write_packet(out + size, burst.packet(i), mappings_[0], burst.padding(i), *wire.sender);
        counters.padding_bytes_out += burst.padding(i);
    }
    const media::Packet& last = burst.packet(first + count - 1);
    sink.commit(wire.path, size, count == 1 ? size : segment, last.received_at);
    last_packet_at_ = last.received_at;
    sent_.add_out(count, size);
    counters.packets_out += count;
    counters.bytes_out += size;
    const bool audio = config_.kind == MediaKind::kAudio;
    (audio ? counters.audio_packets_out : counters.video_packets_out) += count;
    (audio ? counters.audio_bytes_out : counters.video_bytes_out) += size;
}

std::size_t OutboundStream::write_packet(std::uint8_t* out,
                                         const media::Packet& packet,
                                         const Mapping& mapping,
                                         std::size_t padding,
                                         srtp::Sender& sender) {
    const rtp::ExtSeq sequence = number_of(packet, mapping);
    const std::uint32_t timestamp = packet.rtp_timestamp + mapping.timestamp_offset;
    PayloadType payload_type = config_.payload_type;
    ByteView payload(packet.data.data() + packet.payload_offset, packet.payload_size + padding);
    if (packet.red_primary_offset != 0) {
        if (config_.red_payload_type.value != 0) {
            payload_type = config_.red_payload_type;
        } else {
            payload = packet.payload().subspan(packet.red_primary_offset);
        }
    }
    const bool padded = padding > 0 || packet.payload_size == 0;
    const bool extended = config_.audio_level_id != 0;
    out[0] = static_cast<std::uint8_t>(kVersion2 | (padded ? kPaddingBit : 0) |
                                       (extended ? kExtensionBit : 0));
    out[1] = static_cast<std::uint8_t>((packet.marker ? 0x80 : 0) | payload_type.value);
    store_u16(out + 2, rtp::to_wire(sequence));
    store_u32(out + 4, timestamp);
    store_u32(out + 8, config_.ssrc.value);
    std::size_t header = kFixedHeader;
    if (extended) {
        store_u32(out + header, 0xbede0001);
        out[header + 4] = static_cast<std::uint8_t>(config_.audio_level_id << 4);
        out[header + 5] = packet.has_audio_level ? packet.audio_level : kSilence;
        store_u16(out + header + 6, 0);
        header += kAudioLevelBlock;
    }
    if (packet.payload_size == 0) {
        // A packet of padding only keeps its number, or the subscriber would ask for it for ever.
        constexpr std::uint8_t kOnePaddingByte[1] = {1};
        payload = kOnePaddingByte;
    }
    if (sequence >= highest_out_) {
        highest_out_ = sequence;
        last_timestamp_ = timestamp;
    }
    ++packets_;
    octets_ += static_cast<std::uint32_t>(payload.size());
    return sender.protect_rtp(out, header, payload, sequence);
}

bool OutboundStream::retransmit(Instant now,
                                std::uint16_t sequence_number,
                                std::span<InboundStream* const> streams,
                                const Wire& wire,
                                media::PacketSink& sink,
                                MediaCounters& counters) {
    // Without RTX nothing is sent again: the same number with other padding would reuse an SRTP index.
    if (wire.sender == nullptr || config_.rtx_ssrc.value == 0 || mapping_count_ == 0) return false;
    const auto behind =
        static_cast<std::uint16_t>(rtp::to_wire(highest_out_) - sequence_number);
    if (behind >= 0x8000 || behind > highest_out_) return false;
    const rtp::ExtSeq out_sequence = highest_out_ - behind;
    media::PacketRef packet;
    Mapping mapping;
    for (std::size_t i = 0; i < mapping_count_ && !packet; ++i) {
        mapping = mappings_[i];
        const std::int64_t in = static_cast<std::int64_t>(out_sequence) - mapping.sequence_offset;
        if (in < static_cast<std::int64_t>(mapping.first_in)) continue;
        const InboundStream* stream = streams[index_of(mapping.layer)];
        if (stream == nullptr || mapping.is_over) return false;
        packet = stream->history().find(static_cast<rtp::ExtSeq>(in));
        break;
    }
    if (!packet || packet->payload_size == 0) return false;
    if (now - retransmit_window_ >= kRetransmitWindow) {
        retransmit_window_ = now;
        retransmitted_ = 0;
    }
    retransmitted_ += packet->payload_size;
    if (retransmitted_ > kMaxRetransmitBytes) return false;

    const ByteView payload = packet->payload();
    std::uint8_t* out =
        sink.reserve(kFixedHeader + rtp::kRtxHeaderSize + payload.size() + srtp::kMaxOverhead);
    const rtp::ExtSeq rtx_sequence = next_rtx_sequence_++;
    out[0] = kVersion2;
    out[1] = static_cast<std::uint8_t>((packet->marker ? 0x80 : 0) | config_.rtx_payload_type.value);
    store_u16(out + 2, rtp::to_wire(rtx_sequence));
    store_u32(out + 4, packet->rtp_timestamp + mapping.timestamp_offset);
    store_u32(out + 8, config_.rtx_ssrc.value);
    store_u16(out + kFixedHeader, sequence_number);
    std::memcpy(out + kFixedHeader + rtp::kRtxHeaderSize, payload.data(), payload.size());
    const std::size_t size = wire.sender->protect_rtp(
        out, kFixedHeader, ByteView(out + kFixedHeader, rtp::kRtxHeaderSize + payload.size()), rtx_sequence);
    sink.commit(wire.path, size, size);
    sent_.add_out(1, size);
    ++counters.rtx_packets_out;
    counters.bytes_out += size;
    return true;
}

std::optional<rtcp::SenderInfo> OutboundStream::sender_report(
    Instant now, std::span<InboundStream* const> streams) const {
    if (!current_ || packets_ == 0) return std::nullopt;
    const InboundStream* stream = streams[index_of(*current_)];
    if (stream == nullptr) return std::nullopt;
    const auto point = stream->clock().extrapolate(now);
    if (!point) return std::nullopt;
    return rtcp::SenderInfo{.ntp = point->ntp,
                            .rtp_timestamp = point->rtp_timestamp + mappings_[0].timestamp_offset,
                            .packet_count = packets_,
                            .octet_count = octets_};
}

}  // namespace parley::sfu

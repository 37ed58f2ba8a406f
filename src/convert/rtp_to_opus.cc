#include "convert/rtp_to_opus.h"

#include <utility>

#include "media/opus.h"
#include "rtp/red.h"

namespace parley::convert {

namespace {

std::uint64_t ticks_of(ByteView opus) {
    const auto info = media::parse_opus_packet(opus);
    return info ? static_cast<std::uint64_t>(info->duration.count() * 48 / 1'000'000) : 0;
}

/// A step back of more than this is a restarted sender, not redundancy.
constexpr std::uint64_t kMaxRedundancyTicks = 48'000;

}  // namespace

void RtpToOpus::handle_packet(Instant now, media::PacketRef packet, std::vector<OpusSample>& out) {
    items_.clear();
    reorder_.handle_packet(now, std::move(packet), items_);
    handle_items(out);
}

void RtpToOpus::handle_timeout(Instant now, std::vector<OpusSample>& out) {
    items_.clear();
    reorder_.handle_timeout(now, items_);
    handle_items(out);
}

void RtpToOpus::handle_items(std::vector<OpusSample>& out) {
    for (const RtpReorder::Item& item : items_) {
        const media::Packet& packet = *item.packet;
        lost_ = lost_ || item.after_gap;
        if (packet.payload_size == 0) continue;  // padding
        const bool is_red = config_.red.is_valid() && packet.payload_type == config_.red;
        if (!is_red && packet.payload_type != config_.opus) {
            ++stats_.ignored;
            continue;
        }
        const rtp::ExtTimestamp timestamp = timestamps_.unwrap(packet.rtp_timestamp);
        ByteView primary = packet.payload();
        if (is_red) {
            const auto red = rtp::parse_red(primary);
            if (!red) {
                ++stats_.malformed;
                continue;
            }
            if (lost_) {
                for (const rtp::RedBlockView& block : red->redundant) {
                    const rtp::ExtTimestamp at = timestamp - block.timestamp_offset;
                    if (block.payload_type != config_.opus || !end_ || at < *end_) continue;
                    const std::uint64_t before = stats_.samples;
                    emit(at, at > *end_, packet.received_at, block.data, out);
                    stats_.recovered += stats_.samples - before;
                }
            }
            primary = red->primary;
        }
        emit(timestamp, lost_ && (!end_ || timestamp > *end_), packet.received_at, primary, out);
        lost_ = false;
    }
    items_.clear();
}

void RtpToOpus::emit(rtp::ExtTimestamp timestamp,
                     bool after_loss,
                     Instant at,
                     ByteView data,
                     std::vector<OpusSample>& out) {
    const std::uint64_t ticks = ticks_of(data);
    if (ticks == 0) {
        ++stats_.malformed;
        return;
    }
    if (end_ && timestamp < *end_ && *end_ - timestamp < kMaxRedundancyTicks)
        return;  // has come already
    end_ = timestamp + ticks;
    ++stats_.samples;
    out.push_back({.timestamp = timestamp,
                   .after_loss = after_loss,
                   .arrived_at = at,
                   .data = to_bytes(data)});
}

}  // namespace parley::convert

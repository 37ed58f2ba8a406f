#include "loadgen/subscriber.h"

#include <algorithm>
#include <array>

#include "loadgen/media_stamp.h"
#include "rtp/header_extensions.h"
#include "rtp/rtx.h"

namespace parley::loadgen {

PictureChecker::Result PictureChecker::handle_packet(rtp::ExtSeq sequence, const Packet& packet) {
    Result result;
    if (!next_) next_ = sequence;
    if (sequence < *next_) return result;  // given up before, or twice
    if (sequence == *next_) {
        process(packet, result);
        ++*next_;
    } else {
        waiting_.emplace(sequence, packet);
        if (waiting_.size() > kMaxWaiting) return give_up();
    }
    for (auto it = waiting_.begin(); it != waiting_.end() && it->first == *next_; it = waiting_.erase(it)) {
        process(it->second, result);
        ++*next_;
    }
    return result;
}

PictureChecker::Result PictureChecker::give_up() {
    Result result;
    broken_ = true;
    for (auto it = waiting_.begin(); it != waiting_.end(); it = waiting_.erase(it)) {
        if (it->first != *next_) broken_ = true;
        process(it->second, result);
        next_ = it->first + 1;
    }
    return result;
}

void PictureChecker::process(const Packet& packet, Result& result) {
    if (packet.starts_picture && packet.key_frame) {
        broken_ = false;
        in_key_frame_ = true;
    }
    if (packet.frame && packet.frame != last_frame_) {
        // A key frame may come from another encoding, with another numbering.
        if (last_frame_ && !in_key_frame_) {
            const auto step = static_cast<std::uint16_t>(*packet.frame - *last_frame_);
            if (step != 1 && !broken_) {
                result.vanished += step == 0 ? 0u : step - 1u;
                broken_ = true;
            }
        }
        last_frame_ = packet.frame;
    }
    if (packet.marker) {
        ++(broken_ ? result.undecodable : result.decodable);
        in_key_frame_ = false;
    }
}

Subscriber::Subscriber(PeerConnection& transport, Totals& totals, Rng rng)
    : transport_(transport), totals_(totals), own_ssrc_(rng.next_u32() | 1) {}

void Subscriber::add_stream(const ReceiveStream& settings) {
    remove_stream(settings.ssrc);
    streams_.push_back(std::make_unique<Stream>(
        Stream{.settings = settings, .reception = rtcp::ReceptionStats(settings.is_video ? 90'000 : 48'000)}));
}

void Subscriber::remove_stream(Ssrc ssrc) {
    std::erase_if(streams_, [&](const auto& stream) { return stream->settings.ssrc == ssrc; });
}

bool Subscriber::is_audio_only() const {
    return std::none_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->settings.is_video; });
}

std::int64_t Subscriber::audio_lost() const {
    std::int64_t lost = 0;
    for (const auto& stream : streams_) {
        if (!stream->settings.is_video) lost += stream->reception.cumulative_lost();
    }
    return lost;
}

void Subscriber::handle_connected(Instant now) {
    totals_.connected.add(now - join_start_);
    next_report_ = now + kReportInterval;
}

void Subscriber::handle_rtp(Instant now, WallTime arrival, const rtp::Header& header, ByteView packet,
                            std::uint64_t) {
    Counters& counters = totals_.counters;
    ++counters.received_packets;
    counters.received_bytes += packet.size();
    if (extensions_.transport_cc != 0 && header.has_extension) {
        const auto parsed = rtp::parse_extensions(header, extensions_);
        if (parsed.transport_sequence) feedback_.handle_packet(now, *parsed.transport_sequence);
    }
    const auto size = rtp::payload_size_without_padding(header, packet);
    if (!size) {
        ++counters.malformed;
        return;
    }
    const ByteView payload = packet.subspan(header.header_size, *size);
    for (const auto& stream : streams_) {
        if (stream->settings.ssrc == header.ssrc) {
            ++(stream->settings.is_video ? counters.received_video : counters.received_audio);
            handle_media(*stream, now, arrival, header, payload, header.sequence_number, false);
            return;
        }
        if (stream->settings.rtx_ssrc == header.ssrc && header.ssrc.value != 0) {
            ++counters.received_rtx;
            const auto rtx = rtp::parse_rtx(payload);
            if (!rtx || rtx->payload.empty()) return;  // a bandwidth probe
            handle_media(*stream, now, arrival, header, rtx->payload, rtx->original_sequence_number, true);
            return;
        }
    }
    ++counters.unknown_ssrc;
}

void Subscriber::handle_media(Stream& stream, Instant now, WallTime arrival, const rtp::Header& header,
                              ByteView payload, std::uint16_t sequence_number, bool retransmitted) {
    const auto sequence = stream.unwrapper.unwrap(sequence_number);
    if (!sequence) return;
    if (!retransmitted) stream.reception.handle_packet(now, *sequence, header.timestamp);
    if (!first_packet_seen_) {
        first_packet_seen_ = true;
        totals_.first_packet.add(now - join_start_);
        if (is_audio_only()) totals_.first_frame.add(now - join_start_);
    }
    const auto stamp = payload.empty() ? std::nullopt : find_stamp(payload);
    if (stamp && totals_.measuring && !retransmitted) totals_.delay.add(age_of(*stamp, arrival));
    if (!stream.settings.is_video) return;

    stream.nack.handle_packet(now, *sequence);
    PictureChecker::Packet packet{.marker = header.marker};
    if (stamp) packet.frame = stamp->frame;
    if (!payload.empty()) {
        const H264PayloadInfo info = inspect_h264(payload);
        if (info.malformed) ++totals_.counters.malformed;
        packet.starts_picture = info.starts_picture;
        packet.key_frame = info.has_parameter_sets || info.has_key_frame;
    }
    count(stream.pictures.handle_packet(*sequence, packet), now);
    if (const auto deadline = stream.nack.next_deadline()) next_due_ = std::min(next_due_, *deadline);
    if (stream.pictures.needs_key_frame()) next_due_ = std::min(next_due_, std::max(now, stream.next_pli));
}

void Subscriber::count(const PictureChecker::Result& result, Instant now) {
    totals_.counters.decodable_frames += result.decodable;
    totals_.counters.undecodable_frames += result.undecodable;
    totals_.counters.vanished_frames += result.vanished;
    if (result.decodable > 0 && !first_frame_seen_) {
        first_frame_seen_ = true;
        totals_.first_frame.add(now - join_start_);
    }
}

void Subscriber::handle_rtcp(Instant now, ByteView compound) {
    rtcp::CompoundReader reader(compound);
    while (const auto packet = reader.next()) {
        const auto* report = std::get_if<rtcp::SenderReportView>(&*packet);
        if (report == nullptr) continue;
        for (const auto& stream : streams_) {
            if (stream->settings.ssrc == report->sender) stream->reception.handle_sender_report(now, report->info.ntp);
        }
    }
}

Instant Subscriber::next_deadline() const {
    return std::min({next_report_, next_due_, feedback_.next_deadline().value_or(Instant::max())});
}

void Subscriber::handle_timer(Instant now) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, 1200> memory;
    while (feedback_.next_deadline().value_or(Instant::max()) <= now) {
        ByteWriter out(memory);
        const Ssrc media = streams_.empty() ? Ssrc(0) : streams_.front()->settings.ssrc;
        while (feedback_.take_feedback(now, own_ssrc_, media, out)) {
        }
        if (out.size() == 0) break;
        transport_.send_rtcp(out.written());
    }
    if (next_due_ <= now) send_due(now);
    if (next_report_ <= now) {
        std::vector<rtcp::ReportBlock> blocks;
        for (const auto& stream : streams_) {
            if (blocks.size() == rtcp::kMaxReportBlocks) break;
            if (const auto block = stream->reception.take_report(now, stream->settings.ssrc)) blocks.push_back(*block);
        }
        ByteWriter out(memory);
        if (rtcp::write_receiver_report(out, own_ssrc_, blocks)) transport_.send_rtcp(out.written());
        next_report_ = now + kReportInterval;
    }
}

void Subscriber::send_due(Instant now) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, 1200> memory;
    ByteWriter out(memory);
    Counters& counters = totals_.counters;
    next_due_ = Instant::max();
    for (const auto& stream : streams_) {
        if (!stream->settings.is_video) continue;
        const auto lost = stream->nack.take_due(now);
        if (!lost.empty()) {
            (void)rtcp::write_nack(out, own_ssrc_, stream->settings.ssrc, {lost.begin(), lost.end()});
        }
        if (stream->nack.take_key_frame_request()) count(stream->pictures.give_up(), now);
        const auto& stats = stream->nack.stats();
        counters.nacked += stats.requests - std::exchange(stream->nack_requests, stats.requests);
        counters.recovered += stats.recovered - std::exchange(stream->nack_recovered, stats.recovered);
        counters.lost_packets += stats.given_up - std::exchange(stream->nack_given_up, stats.given_up);
        if (stream->pictures.needs_key_frame()) {
            if (stream->next_pli <= now && rtcp::write_pli(out, own_ssrc_, stream->settings.ssrc)) {
                ++counters.plis_sent;
                stream->next_pli = now + kPliInterval;
            }
            next_due_ = std::min(next_due_, stream->next_pli);
        }
        if (const auto deadline = stream->nack.next_deadline()) next_due_ = std::min(next_due_, *deadline);
    }
    if (out.size() > 0) transport_.send_rtcp(out.written());
}

}  // namespace parley::loadgen

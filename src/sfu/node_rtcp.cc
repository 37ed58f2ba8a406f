// RTCP in both directions, and the timers that send it.
#include <algorithm>
#include <array>

#include "rtcp/packets.h"
#include "rtcp/transport_feedback.h"
#include "sfu/metered_sink.h"
#include "sfu/node.h"

namespace parley::sfu {
namespace {

/// A compound packet stays below the path MTU that WebRTC assumes, SRTCP's addition included.
constexpr std::size_t kMaxCompound = 1'180;
constexpr std::size_t kMaxRetransmitsPerNack = 128;

Bitrate default_bitrate(MediaKind kind) {
    return kind == MediaKind::kAudio ? Bitrate::kbps(64) : Bitrate::kbps(600);
}

void take_earlier(std::optional<Instant>& next, std::optional<Instant> candidate) {
    if (candidate && (!next || *candidate < *next)) next = candidate;
}

}  // namespace

void Node::handle_rtcp(Instant now, Peer& peer, media::Packet& packet, NodeOutputs& out) {
    srtp::Receiver* receiver = peer.transport.receiver();
    if (receiver == nullptr) {
        ++counters_.malformed;
        return;
    }
    const auto size = receiver->unprotect_rtcp(MutableByteView(packet.data.data(), packet.size));
    if (!size) {
        ++counters_.srtp_refused;
        return;
    }
    peer.transport.handle_authenticated(now);
    peer.usage.traffic.add_in(packet.size);
    const auto handle_blocks = [&](const rtcp::ReportBlocksView& blocks) {
        for (const rtcp::ReportBlock& block : blocks) {
            if (Subscription* s = peer.find_subscription_by_ssrc(block.ssrc)) {
                const auto round_trip = s->stream.handle_report_block(now, block);
                if (round_trip) {
                    auto& longest = peer.quality.round_trip;
                    longest = std::max(longest.value_or(*round_trip), *round_trip);
                }
            }
        }
    };
    rtcp::CompoundReader reader(ByteView(packet.data.data(), *size));
    while (const auto view = reader.next()) {
        if (const auto* sr = std::get_if<rtcp::SenderReportView>(&*view)) {
            if (const Peer::Binding* b = peer.find_binding(sr->sender); b != nullptr && !b->is_rtx) {
                Track& track = *b->track;
                InboundStream* stream = track.encodings[static_cast<std::size_t>(b->layer)]->stream.get();
                if (stream != nullptr) {
                    stream->handle_sender_report(now, sr->info);
                    report_soon(now, track);
                }
            }
            handle_blocks(sr->reports);
        } else if (const auto* rr = std::get_if<rtcp::ReceiverReportView>(&*view)) {
            handle_blocks(rr->reports);
        } else if (const auto* nack = std::get_if<rtcp::GenericNackView>(&*view)) {
            Subscription* s = peer.find_subscription_by_ssrc(nack->media);
            if (s == nullptr || !peer.transport.path()) continue;
            const auto streams = s->track->streams();
            const OutboundStream::Wire wire{peer.transport.sender(), *peer.transport.path()};
            std::size_t count = 0;
            nack->for_each([&](std::uint16_t sequence_number) {
                if (++count > kMaxRetransmitsPerNack) return;
                ++counters_.nack_in;
                if (!s->stream.retransmit(now, sequence_number, streams, wire, out.sink, counters_)) {
                    ++counters_.nack_missed;
                }
            });
        } else if (const auto* pli = std::get_if<rtcp::PliView>(&*view)) {
            if (Subscription* s = peer.find_subscription_by_ssrc(pli->media)) {
                ++counters_.pli_in;
                want_key_frame(now, *s->track,
                               s->stream.current_layer().value_or(s->stream.wanted_layer()));
            }
        } else if (const auto* fir = std::get_if<rtcp::FirView>(&*view)) {
            for (const rtcp::FirEntry& entry : fir->entries) {
                if (Subscription* s = peer.find_subscription_by_ssrc(entry.ssrc)) {
                    ++counters_.pli_in;
                    want_key_frame(now, *s->track,
                                   s->stream.current_layer().value_or(s->stream.wanted_layer()));
                }
            }
        } else if (const auto* remb = std::get_if<rtcp::RembView>(&*view)) {
            // For operators; nobody's word makes the sum overflow.
            constexpr Bitrate kMaxBelieved = Bitrate::kbps(10'000'000);
            counters_.heard_bps -= static_cast<std::uint64_t>(peer.heard.bps());
            peer.heard = remb->bitrate.bps() < kMaxBelieved.bps() ? remb->bitrate : kMaxBelieved;
            counters_.heard_bps += static_cast<std::uint64_t>(peer.heard.bps());
        }
        // REMB and transport-wide feedback of subscribers belong to the send-side estimate, a later issue:
        // it takes its place between OutboundStream and the sink.
    }
    if (reader.error()) ++counters_.malformed;
    schedule(peer);
}

void Node::send_rtcp(Peer& peer, MutableByteView memory, std::size_t size, NodeOutputs& out) {
    if (size == 0 || !peer.transport.is_connected()) return;
    const std::size_t protected_size = peer.transport.sender()->protect_rtcp(memory.data(), size);
    if (protected_size == 0) return;
    std::uint8_t* to = out.sink.reserve(protected_size);
    std::copy_n(memory.data(), protected_size, to);
    out.sink.commit(*peer.transport.path(), protected_size, protected_size);
    peer.usage.traffic.add_out(1, protected_size);
}

void Node::send_reports(Instant now, Peer& peer, NodeOutputs& out) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, kMaxCompound + srtp::kMaxOverhead> memory;
    const MutableByteView whole(memory);
    bool retry_soon = false;

    if (!peer.tracks.empty()) {
        ByteWriter writer(whole.first(kMaxCompound));
        std::vector<rtcp::ReportBlock> blocks;
        std::vector<Ssrc> media;
        Bitrate cap;
        for (Track* track : peer.tracks) {
            const Bitrate wanted = track->config.max_bitrate;
            cap = cap + (wanted.bps() > 0 ? wanted : default_bitrate(track->config.kind));
            for (const auto& encoding : track->encodings) {
                if (!encoding->stream) continue;
                media.push_back(encoding->stream->ssrc());
                const auto block = encoding->stream->reception().take_report(now, encoding->stream->ssrc());
                if (block && blocks.size() < rtcp::kMaxReportBlocks) blocks.push_back(*block);
            }
        }
        const bool written = rtcp::write_receiver_report(writer, peer.own_ssrc, blocks) &&
                             rtcp::write_remb(writer, peer.own_ssrc, cap, media);
        if (written) {
            send_rtcp(peer, whole, writer.size(), out);
            counters_.told_bps -= static_cast<std::uint64_t>(peer.told.bps());
            peer.told = cap;
            counters_.told_bps += static_cast<std::uint64_t>(cap.bps());
        }
    }

    ByteWriter writer(whole.first(kMaxCompound));
    for (const auto& s : peer.subscriptions) {
        const auto info = s->stream.sender_report(now, s->track->streams());
        if (!info) {
            retry_soon |= s->stream.has_sent();
            continue;
        }
        for (int attempt = 0; attempt < 2; ++attempt) {
            const bool fits = writer.remaining() > 28 + 12 + s->stream.config().cname.size() + 4;
            if (fits && rtcp::write_sender_report(writer, s->stream.config().ssrc, *info, {})) {
                if (!rtcp::write_sdes_cname(writer, s->stream.config().ssrc, s->stream.config().cname)) {
                    // A CNAME that cannot be written is left out; the report counts all the same.
                }
                s->stream.handle_report_sent(now, info->ntp);
                break;
            }
            send_rtcp(peer, whole, writer.size(), out);
            writer = ByteWriter(whole.first(kMaxCompound));
        }
    }
    if (writer.size() > 0) send_rtcp(peer, whole, writer.size(), out);

    // The publisher's own first SR sets `next_report` too; this only covers what slipped through.
    const bool needed = !peer.tracks.empty() || !peer.subscriptions.empty();
    peer.next_report =
        needed ? std::optional(now + (retry_soon ? kReportInterval / 2 : kReportInterval)) : std::nullopt;
}

void Node::send_feedback(Instant now, Peer& peer, NodeOutputs& out) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled as far as it is read
    std::array<std::uint8_t, kMaxCompound + srtp::kMaxOverhead> memory;
    const MutableByteView whole(memory);
    ByteWriter writer(whole.first(kMaxCompound));
    const auto send = [&] {
        send_rtcp(peer, whole, writer.size(), out);
        writer = ByteWriter(whole.first(kMaxCompound));
    };
    for (Track* track : peer.tracks) {
        for (const auto& encoding : track->encodings) {
            InboundStream* stream = encoding->stream.get();
            if (stream == nullptr) continue;
            if (stream->wants_nack()) {
                auto due = stream->nack().take_due(now);
                std::span<const rtp::ExtSeq> rest(due.data(), due.size());
                counters_.nack_out += rest.size();
                while (!rest.empty()) {
                    const std::size_t written =
                        rtcp::write_nack(writer, peer.own_ssrc, stream->ssrc(), rest);
                    rest = rest.subspan(written);
                    if (written == 0) send();
                }
                if (stream->nack().take_key_frame_request()) stream->key_frames().want(now);
            }
            if (track->is_video() && stream->key_frames().take_due(now)) {
                ++counters_.pli_out;
                if (!rtcp::write_pli(writer, peer.own_ssrc, stream->ssrc())) {
                    send();
                    (void)rtcp::write_pli(writer, peer.own_ssrc, stream->ssrc());
                }
            }
        }
    }
    if (peer.feedback) {
        // Also for packets that belong to no track (any more): what has arrived is due for a report, and a
        // deadline that is not served would keep this worker from ever leaving its loop.
        const Ssrc media = peer.bindings.empty() ? Ssrc() : peer.bindings.front().ssrc;
        while (peer.feedback->take_feedback(now, peer.own_ssrc, media, writer)) {
            if (writer.remaining() < kMaxCompound / 2) send();
        }
    }
    if (writer.size() > 0) send();
}

void Node::handle_timeout(Instant now, NodeOutputs& out) {
    while (const auto entry = timers_.pop_due(now)) {
        Peer* peer = find_peer(entry->peer);
        if (peer == nullptr || peer->scheduled != entry->at) continue;
        peer->scheduled.reset();
        const auto deadline = deadline_of(*peer);
        if (deadline && *deadline <= now) {
            MeteredSink sink(out.sink, peer->usage.traffic);
            const auto change = peer->transport.handle_timeout(now, sink);
            if (change.closed) {
                apply_change(now, *peer, change, Path{}, out);
                continue;
            }
            if (peer->transport.is_connected()) {
                send_feedback(now, *peer, out);
                if (peer->next_report && *peer->next_report <= now) send_reports(now, *peer, out);
            }
            apply_change(now, *peer, change, Path{}, out);
            peer = find_peer(entry->peer);
            if (peer == nullptr) continue;
        }
        schedule(*peer);
    }
}

std::optional<Instant> Node::deadline_of(const Peer& peer) {
    std::optional<Instant> next = peer.transport.next_deadline();
    if (!peer.transport.is_connected()) return next;
    take_earlier(next, peer.next_report);
    if (peer.feedback) take_earlier(next, peer.feedback->next_deadline());
    for (const Track* track : peer.tracks) {
        for (const auto& encoding : track->encodings) {
            if (!encoding->stream) continue;
            if (encoding->stream->wants_nack()) {
                take_earlier(next, encoding->stream->nack().next_deadline());
            }
            if (track->is_video()) take_earlier(next, encoding->stream->key_frames().next_deadline());
        }
    }
    return next;
}

void Node::schedule(Peer& peer) {
    const auto next = deadline_of(peer);
    if (!next || (peer.scheduled && *peer.scheduled <= *next)) return;
    peer.scheduled = next;
    timers_.push(*next, peer.id);
}

}  // namespace parley::sfu

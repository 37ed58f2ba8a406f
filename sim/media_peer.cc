#include "sim/media_peer.h"

#include <algorithm>

#include "ice/stun.h"
#include "rtcp/packets.h"
#include "rtp/header.h"

namespace parley::sim {
namespace {

constexpr PayloadType kOpus{111};
constexpr PayloadType kH264{108};
constexpr PayloadType kRtx{109};
constexpr Duration kFrameInterval = 33ms;
constexpr Duration kAudioInterval = 20ms;
constexpr std::size_t kHistory = 600;
constexpr std::uint32_t kKeyFrameEvery = 300;

std::uint64_t fnv(ByteView bytes) {
    std::uint64_t h = 1469598103934665603ULL;
    for (const std::uint8_t b : bytes) h = (h ^ b) * 1099511628211ULL;
    return h;
}

}  // namespace

Bytes write_part(const FramePart& part, std::size_t size) {
    Bytes out(std::max<std::size_t>(size, 10), 0);
    // First packet of a key frame looks like an SPS, the others like fragments (RFC 6184 sections 5.4, 5.8).
    out[0] = part.part == 0 ? (part.key ? 0x67 : 0x61) : 0x7c;
    out[1] = part.key ? 0x05 : 0x01;
    store_u32(out.data() + 2, part.frame);
    out[6] = part.part;
    out[7] = part.parts;
    out[8] = part.key ? 1 : 0;
    return out;
}

std::optional<FramePart> read_part(ByteView payload) {
    if (payload.size() < 10) return std::nullopt;
    return FramePart{.frame = load_u32(payload.data() + 2), .part = payload[6], .parts = payload[7], .key = payload[8] != 0};
}

void MediaPeer::add_outgoing(bool video, Ssrc ssrc, Ssrc rtx_ssrc, Instant now) {
    Outgoing track;
    track.video = video;
    track.ssrc = ssrc;
    track.rtx_ssrc = rtx_ssrc;
    // Some streams start just below the wrap of the 16-bit number.
    track.next = rng_.chance(0.3) ? 65'500 : rng_.below(30'000);
    track.next_rtx = rng_.below(30'000);
    track.due = now;
    outgoing_[ssrc] = std::move(track);
}

void MediaPeer::remove_outgoing(Ssrc ssrc) { outgoing_.erase(ssrc); }

void MediaPeer::add_incoming(bool video, Ssrc ssrc, Ssrc rtx_ssrc, Instant now) {
    Incoming track;
    track.video = video;
    track.ssrc = ssrc;
    track.rtx_ssrc = rtx_ssrc;
    track.decoded_at = now;
    incoming_[ssrc] = std::move(track);
}

void MediaPeer::retire_incoming(Ssrc ssrc, Instant now) {
    const auto found = incoming_.find(ssrc);
    if (found == incoming_.end()) return;
    found->second.stale = true;
    found->second.stale_since = now;
}

void MediaPeer::take(const dtls::Outputs& out) {
    for (const Bytes& d : out.datagrams) send_(config_.path, d);
    if (out.connected) {
        sender_ = std::move(*srtp::Sender::create(out.connected->profile, out.connected->local, srtp::Backend::kOpenSsl));
        receiver_ = std::move(*srtp::Receiver::create(out.connected->profile, out.connected->remote, srtp::Backend::kOpenSsl));
    }
}

void MediaPeer::handle(Instant now, ByteView datagram) {
    if (ice::is_stun(datagram)) {
        const auto message = ice::parse_stun(datagram);
        if (!message || !message->has_integrity(config_.remote.password)) return;
        answered_ = true;
        if (!started_) {
            started_ = true;
            dtls::Outputs out;
            dtls_->start(now, out);
            take(out);
        }
    } else if (dtls::is_dtls(datagram)) {
        dtls::Outputs out;
        dtls_->handle_datagram(now, datagram, out);
        take(out);
    } else if (!receiver_) {
        return;  // keys are still on their way
    } else if (rtp::is_rtcp(datagram)) {
        handle_rtcp(now, datagram);
    } else {
        handle_rtp(now, datagram);
    }
}

void MediaPeer::handle_rtp(Instant now, ByteView datagram) {
    const auto header = rtp::parse_header(datagram);
    if (!header) {
        checker_.fail("the server sent something that is not RTP");
        return;
    }
    // One (SSRC, index) under one key may carry one packet only; the link may repeat the same bytes.
    const auto index = unwrappers_[header->ssrc.value].unwrap(header->sequence_number);
    if (index) {
        const auto key = std::pair(header->ssrc.value, *index);
        const std::uint64_t hash = fnv(datagram);
        const auto [at, is_new] = seen_.emplace(key, hash);
        if (!is_new && at->second != hash) checker_.fail("an SRTP index was used twice");
        while (seen_.size() > 50'000) seen_.erase(seen_.begin());
    }
    Bytes copy = to_bytes(datagram);
    const auto plain = receiver_->unprotect_rtp(copy, header->header_size);
    if (!plain) {
        if (plain.error().code != Errc::kReplayed) checker_.fail("a packet does not decrypt");
        return;
    }
    const ByteView packet(copy.data(), plain->size);
    const auto size = rtp::payload_size_without_padding(*header, packet);
    if (!size) {
        checker_.fail("bad RTP padding");
        return;
    }
    const ByteView payload = packet.subspan(header->header_size, *size);
    for (auto& [ssrc, track] : incoming_) {
        if (header->ssrc == ssrc) {
            if (track.stale && now - track.stale_since > 2s) checker_.fail("media long after unsubscribing");
            receive(now, track, header->sequence_number, payload);
            return;
        }
        if (header->ssrc == track.rtx_ssrc) {
            if (payload.size() > 2) receive(now, track, load_u16(payload.data()), payload.subspan(2));
            return;
        }
    }
    checker_.fail("media reached a non-subscriber");
}

void MediaPeer::receive(Instant now, Incoming& track, std::uint16_t sequence_number, ByteView payload) {
    ++track.packets;
    rtp::ExtSeq sequence = sequence_number;
    if (!track.highest) {
        sequence += std::uint64_t{1} << 16;
        track.highest = track.first = sequence;
    } else {
        const auto difference = static_cast<std::int16_t>(
            static_cast<std::uint16_t>(sequence_number - static_cast<std::uint16_t>(*track.highest)));
        sequence = *track.highest + static_cast<std::uint64_t>(static_cast<std::int64_t>(difference));
        if (sequence > *track.highest) {
            if (sequence - *track.highest < 1000) {
                for (rtp::ExtSeq i = *track.highest + 1; i < sequence; ++i) track.missing.insert(i);
            }
            track.highest = sequence;
        } else {
            track.missing.erase(sequence);
        }
    }
    while (!track.missing.empty() && *track.missing.begin() + 500 < *track.highest) {
        track.missing.erase(track.missing.begin());
        ++track.gaps;
    }
    if (!track.video) {
        track.decoded_at = now;
        return;
    }
    if (const auto part = read_part(payload)) decode(now, track, *part);
}

void MediaPeer::decode(Instant now, Incoming& track, const FramePart& part) {
    if (track.decoded && part.frame <= *track.decoded) return;
    track.frames[part.frame].insert(part.part);
    track.shapes[part.frame] = part;
    // Decode in order as far as it goes; a complete key frame may skip what is broken before it.
    for (;;) {
        bool progressed = false;
        for (const auto& [frame, parts] : track.frames) {
            const FramePart& shape = track.shapes.at(frame);
            const bool complete = parts.size() == shape.parts;
            const bool follows = track.decoded && frame == *track.decoded + 1;
            if (!complete || !(shape.key || follows)) continue;
            track.decoded = frame;
            track.decoded_at = now;
            progressed = true;
            break;
        }
        if (!progressed) break;
        track.frames.erase(track.frames.begin(), track.frames.upper_bound(*track.decoded));
        track.shapes.erase(track.shapes.begin(), track.shapes.upper_bound(*track.decoded));
    }
    while (track.frames.size() > 300) {
        track.shapes.erase(track.frames.begin()->first);
        track.frames.erase(track.frames.begin());
    }
}

void MediaPeer::handle_rtcp(Instant /*now*/, ByteView datagram) {
    Bytes copy = to_bytes(datagram);
    const auto size = receiver_->unprotect_rtcp(copy);
    if (!size) {
        if (size.error().code != Errc::kReplayed) checker_.fail("an RTCP packet does not decrypt");
        return;
    }
    rtcp::CompoundReader reader(ByteView(copy.data(), *size));
    while (const auto view = reader.next()) {
        if (const auto* pli = std::get_if<rtcp::PliView>(&*view)) {
            const auto found = outgoing_.find(pli->media);
            if (found != outgoing_.end()) found->second.wants_key = true;
        } else if (const auto* nack = std::get_if<rtcp::GenericNackView>(&*view)) {
            const auto found = outgoing_.find(nack->media);
            if (found == outgoing_.end()) continue;
            Outgoing& track = found->second;
            nack->for_each([&](std::uint16_t number) {
                for (const auto& [sequence, packet] : track.history) {
                    if (static_cast<std::uint16_t>(sequence) != number) continue;
                    Bytes payload{static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
                    payload.insert(payload.end(), packet.second.begin(), packet.second.end());
                    Bytes out(12 + payload.size() + srtp::kMaxOverhead);
                    ByteWriter writer(out);
                    rtp::write_header(writer, {.payload_type = kRtx,
                                               .sequence_number = static_cast<std::uint16_t>(track.next_rtx),
                                               .timestamp = packet.first,
                                               .ssrc = track.rtx_ssrc});
                    out.resize(sender_->protect_rtp(out.data(), 12, payload, track.next_rtx++));
                    send_(config_.path, std::move(out));
                    break;
                }
            });
        }
    }
    if (reader.error()) checker_.fail("the server sent malformed RTCP");
}

void MediaPeer::send_rtp(Outgoing& track, std::uint32_t timestamp, bool marker, const Bytes& payload) {
    Bytes out(12 + payload.size() + srtp::kMaxOverhead);
    ByteWriter writer(out);
    rtp::write_header(writer, {.marker = marker,
                               .payload_type = track.video ? kH264 : kOpus,
                               .sequence_number = static_cast<std::uint16_t>(track.next),
                               .timestamp = timestamp,
                               .ssrc = track.ssrc});
    out.resize(sender_->protect_rtp(out.data(), 12, payload, track.next));
    if (track.video) track.history[track.next] = {timestamp, payload};
    while (track.history.size() > kHistory) track.history.erase(track.history.begin());
    ++track.next;
    send_(config_.path, std::move(out));
}

void MediaPeer::send_frame(Instant now, Outgoing& track) {
    const auto ms = static_cast<std::uint64_t>(to_ms(now.time_since_epoch()));
    if (!track.video) {
        track.due = now + kAudioInterval;
        send_rtp(track, static_cast<std::uint32_t>(ms * 48), false, Bytes(60 + rng_.below(60), 1));
        return;
    }
    track.due = now + kFrameInterval;
    const std::uint32_t frame = track.frame++;
    const bool key = track.wants_key || frame % kKeyFrameEvery == 0;
    track.wants_key = false;
    const auto parts = static_cast<std::uint8_t>(key ? 4 + rng_.below(6) : 1 + rng_.below(4));
    const std::size_t size = 300 + rng_.below(800);
    for (std::uint8_t part = 0; part < parts; ++part) {
        send_rtp(track, static_cast<std::uint32_t>(ms * 90), part + 1 == parts,
                 write_part({.frame = frame, .part = part, .parts = parts, .key = key}, size + part % 2));
    }
}

void MediaPeer::send_rtcp(ByteView compound) {
    Bytes out = to_bytes(compound);
    out.resize(compound.size() + srtp::kMaxOverhead);
    out.resize(sender_->protect_rtcp(out.data(), compound.size()));
    send_(config_.path, std::move(out));
}

void MediaPeer::tick(Instant now) {
    if (now >= next_check_) {
        next_check_ = now + (answered_ ? 1s : Duration(50ms));
        ice::TransactionId id{};
        store_u32(id.data(), static_cast<std::uint32_t>(++checks_));
        ice::StunWriter writer(ice::StunType::kBindingRequest, id);
        writer.username(config_.remote.ufrag + ":sim");
        writer.priority(1);
        writer.ice_controlling(1);
        writer.use_candidate();
        note_check_sent(config_.path);
        send_(config_.path, writer.finish(config_.remote.password));
    }
    if (const auto due = dtls_->next_deadline(); due && *due <= now) {
        dtls::Outputs out;
        dtls_->handle_timeout(now, out);
        take(out);
    }
    if (!sender_) return;
    for (auto& [ssrc, track] : outgoing_) {
        if (now >= track.due) send_frame(now, track);
    }
    for (auto& [ssrc, track] : incoming_) {
        if (track.stale || !track.video) continue;
        Bytes memory(256);
        ByteWriter writer(memory);
        if (!track.missing.empty() && now - track.asked_at >= 30ms) {
            track.asked_at = now;
            std::vector<rtp::ExtSeq> wanted(track.missing.begin(), track.missing.end());
            if (wanted.size() > 40) wanted.resize(40);
            (void)rtcp::write_nack(writer, Ssrc(1), ssrc, wanted);
        }
        if (now - track.decoded_at > 300ms && now - track.pli_at > 500ms) {
            track.pli_at = now;
            (void)rtcp::write_pli(writer, Ssrc(1), ssrc);
        }
        if (writer.size() > 0) send_rtcp(writer.written());
    }
}

}  // namespace parley::sim

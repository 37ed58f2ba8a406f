#include "sim/media_peer.h"

#include <algorithm>
#include <utility>

#include "ice/stun.h"
#include "rtcp/packets.h"
#include "rtp/header.h"
#include "rtp/header_extensions.h"

namespace parley::sim {
namespace {

constexpr PayloadType kOpus{111};
constexpr PayloadType kH264{108};
constexpr PayloadType kRtx{109};
// Slower than real media: a world is about order and repair, not about volume.
constexpr Duration kFrameInterval = 66ms;
constexpr Duration kAudioInterval = 60ms;
constexpr Duration kReportInterval = 1s;
constexpr Duration kUnknownFor = 2s;
constexpr Duration kStaleFor = 2s;
constexpr std::size_t kHistory = 400;
constexpr std::size_t kMaxUndecoded = 300;
constexpr std::size_t kMaxRepairs = 500;
constexpr std::uint32_t kKeyFrameEvery = 150;
constexpr std::size_t kUnitSize = 20;
constexpr std::uint8_t kStapA = 0x78;

std::uint32_t clock_rate(bool video) { return video ? 90'000 : 48'000; }

/// Numbers without a zero byte, so that no slice looks as if a start code were in it.
void put_number(std::uint8_t* at, std::uint32_t value) {
    for (int i = 0; i < 5; ++i) at[i] = static_cast<std::uint8_t>(0x80 | (value >> (7 * i) & 0x7f));
}
std::uint32_t get_number(const std::uint8_t* at) {
    std::uint32_t value = 0;
    for (int i = 0; i < 5; ++i) value |= static_cast<std::uint32_t>(at[i] & 0x7f) << (7 * i);
    return value;
}

}  // namespace

Bytes write_unit(const FramePart& part, std::size_t size) {
    Bytes out(std::max(size, kUnitSize), 0xff);
    // A slice as far as anybody looks, or one Opus packet of 60 ms (RFC 6716 section 3.1).
    const bool begins_key = part.key && part.part == 0;
    out[0] = part.audio ? 0x58 : begins_key ? 0x65 : 0x41;
    out[1] = part.key ? 0x88 : 0x9b;
    out[2] = static_cast<std::uint8_t>(0x80 | part.part);
    out[3] = static_cast<std::uint8_t>(0x80 | part.parts);
    out[4] = static_cast<std::uint8_t>(0x80 | (part.key ? 1 : 0) | (part.low ? 2 : 0) |
                                       (part.audio ? 4 : 0));
    put_number(out.data() + 5, part.frame);
    put_number(out.data() + 10, part.source);
    put_number(out.data() + 15, part.captured_ms);
    return out;
}

std::optional<FramePart> read_unit(ByteView unit) {
    if (unit.size() < kUnitSize) return std::nullopt;
    return FramePart{.frame = get_number(unit.data() + 5),
                     .part = static_cast<std::uint8_t>(unit[2] & 0x7f),
                     .parts = static_cast<std::uint8_t>(unit[3] & 0x7f),
                     .key = (unit[4] & 1) != 0,
                     .low = (unit[4] & 2) != 0,
                     .audio = (unit[4] & 4) != 0,
                     .source = get_number(unit.data() + 10),
                     .captured_ms = get_number(unit.data() + 15)};
}

Bytes made_sps() { return {0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x01, 0x40, 0x16, 0x40}; }
Bytes made_pps() { return {0x68, 0xCE, 0x3C, 0x80}; }

Bytes write_part(const FramePart& part, std::size_t size) {
    if (!part.key || part.part != 0) return write_unit(part, size);
    // A key frame begins with its parameter sets, all in one packet (RFC 6184 section 5.7.1).
    Bytes out{kStapA};
    const auto add = [&out](const Bytes& nal) {
        out.push_back(static_cast<std::uint8_t>(nal.size() >> 8));
        out.push_back(static_cast<std::uint8_t>(nal.size()));
        out.insert(out.end(), nal.begin(), nal.end());
    };
    add(made_sps());
    add(made_pps());
    add(write_unit(part, size - std::min(size, out.size() + 2)));
    return out;
}

std::optional<FramePart> read_part(ByteView payload) {
    if (payload.empty() || payload[0] != kStapA) return read_unit(payload);
    ByteReader in(payload.subspan(1));
    while (in.remaining() > 2) {
        const ByteView nal = in.view(in.u16());
        if (!nal.empty() && (nal[0] & 0x1f) <= 5) return read_unit(nal);
    }
    return std::nullopt;
}

// ---- Tracks

MediaPeer::Outgoing& MediaPeer::add_outgoing(Outgoing track, Instant now) {
    // Some streams start just below the wrap of their numbers. (A real sender starts below 2^15:
    // were all packets up to the wrap lost, a receiver could not tell the rollover counter, RFC
    // 3711 section 3.3.1.)
    track.next = config_.starts_near_wrap && rng_.chance(0.3) ? 65'500 : rng_.below(30'000);
    track.next_rtx = rng_.below(30'000);
    track.timestamp_base = rng_.chance(0.3) ? 0xffff'ff00 : rng_.next_u32();
    track.due = now;
    track.report_at = now + 200ms;
    const Ssrc ssrc = track.ssrc;
    return outgoing_[ssrc] = std::move(track);
}

void MediaPeer::remove_outgoing(std::uint32_t source) {
    std::erase_if(outgoing_, [&](const auto& entry) { return entry.second.source == source; });
}

void MediaPeer::add_incoming(bool video, Ssrc ssrc, Ssrc rtx_ssrc, std::string owner, Instant now) {
    unknown_.erase(ssrc);
    unknown_.erase(rtx_ssrc);
    const auto found = incoming_.find(ssrc);
    if (found != incoming_.end() && !found->second.stale) return;  // told again after a reconnect
    Incoming track;
    track.video = video;
    track.ssrc = ssrc;
    track.rtx_ssrc = rtx_ssrc;
    track.owner = std::move(owner);
    track.decoded_at = now;
    incoming_[ssrc] = std::move(track);
}

void MediaPeer::retire_incoming(Ssrc ssrc, Instant now) {
    const auto found = incoming_.find(ssrc);
    if (found == incoming_.end() || found->second.stale) return;
    found->second.stale = true;
    found->second.stale_since = now;
}

// ---- Transport

void MediaPeer::take(const dtls::Outputs& out) {
    for (const Bytes& d : out.datagrams) send_(*this, d);
    if (out.failed || out.closed_by_peer) failed_ = true;
    if (!out.connected) return;
    using srtp::Backend;
    const dtls::Connected& keys = *out.connected;
    sender_ = std::move(*srtp::Sender::create(keys.profile, keys.local, Backend::kOpenSsl));
    receiver_ = std::move(*srtp::Receiver::create(keys.profile, keys.remote, Backend::kOpenSsl));
}

void MediaPeer::handle(Instant now, ByteView datagram) {
    if (ice::is_stun(datagram)) {
        const auto message = ice::parse_stun(datagram);
        if (!message || !message->has_integrity(config_.remote.password)) return;
        if (message->type != ice::StunType::kBindingSuccess) {
            checker_.fail("a good check was refused");
            return;
        }
        checker_.expect(message->xor_mapped_address == config_.path.remote,
                        "a check was answered with another address");
        answered_at_ = now;
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

void MediaPeer::send_check(Instant now) {
    const bool quick = answered_at_ == Instant{} || quick_checks_ > 0;
    if (quick_checks_ > 0) --quick_checks_;
    next_check_ = now + (quick ? Duration(50ms) : Duration(1s));
    ice::TransactionId id{};
    store_u32(id.data(), static_cast<std::uint32_t>(++checks_));
    ice::StunWriter writer(ice::StunType::kBindingRequest, id);
    writer.username(config_.remote.ufrag + ":sim");
    writer.priority(1);
    writer.ice_controlling(1);
    writer.use_candidate();
    send_(*this, writer.finish(config_.remote.password));
}

void MediaPeer::tick(Instant now) {
    if (now >= next_check_) send_check(now);
    if (const auto due = dtls_->next_deadline(); due && *due <= now) {
        dtls::Outputs out;
        dtls_->handle_timeout(now, out);
        take(out);
    }
    if (!sender_) {
        for (auto& [ssrc, track] : outgoing_) track.due = now;
        return;
    }
    for (auto& [ssrc, track] : outgoing_) {
        while (now >= track.due) send_frame(now, track);
        if (now >= track.report_at) send_report(now, track);
    }
    for (auto& [ssrc, track] : incoming_) send_feedback(now, track);
}

// ---- Receiving

void MediaPeer::handle_rtp(Instant now, ByteView datagram) {
    const auto header = rtp::parse_header(datagram);
    if (!header) {
        checker_.fail("the server sent something that is not RTP");
        return;
    }
    Bytes copy = to_bytes(datagram);
    const auto plain = receiver_->unprotect_rtp(copy, header->header_size);
    if (!plain) {
        // The network may repeat a datagram; anything else is the server's doing.
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
        const bool rtx = header->ssrc == track.rtx_ssrc;
        if (header->ssrc != ssrc && !rtx) continue;
        if (track.stale) {
            if (now - track.stale_since > kStaleFor)
                checker_.fail("media long after unsubscribing");
            return;
        }
        if (!rtx) {
            receive(now, track, header->sequence_number, header->timestamp, payload);
        } else if (payload.size() > 2) {
            receive(now, track, load_u16(payload.data()), header->timestamp, payload.subspan(2));
        }
        return;
    }
    // Media may overtake the answer that names its SSRC. But what the server said later has been
    // heard since.
    const auto [at, is_new] = unknown_.emplace(header->ssrc, now);
    if (informed_until_ > at->second + kUnknownFor && now > informed_until_) {
        checker_.fail("media reached a non-subscriber");
    }
}

void MediaPeer::receive(Instant now,
                        Incoming& track,
                        std::uint16_t sequence_number,
                        std::uint32_t timestamp,
                        ByteView payload) {
    ++track.packets;
    if (!track.highest) {
        track.highest = track.first = sequence_number + (rtp::ExtSeq{1} << 16);
    } else {
        const auto difference = static_cast<std::int16_t>(
            static_cast<std::uint16_t>(sequence_number - rtp::to_wire(*track.highest)));
        const rtp::ExtSeq sequence =
            *track.highest + static_cast<rtp::ExtSeq>(static_cast<std::int64_t>(difference));
        if (sequence <= *track.highest) {
            track.missing.erase(sequence);
        } else {
            if (sequence - *track.highest <= kMaxRepairs) {
                for (rtp::ExtSeq i = *track.highest + 1; i < sequence; ++i) track.missing.insert(i);
            } else {
                track.gaps += sequence - *track.highest - 1;
            }
            track.highest = sequence;
        }
    }
    while (!track.missing.empty() && *track.missing.begin() + kMaxRepairs < *track.highest) {
        track.missing.erase(track.missing.begin());
        ++track.gaps;
    }
    const auto part = read_part(payload);
    if (!part || part->parts == 0 || part->part >= part->parts) {
        checker_.fail("a payload arrived changed");
        return;
    }
    if (track.source && *track.source != part->source)
        checker_.fail("a stream carries another source");
    track.source = part->source;
    synchronise(track, timestamp, *part);
    decode(now, track, *part);
}

/// What the server's reports say of the time of capture, against what the publisher wrote into the
/// payload.
void MediaPeer::synchronise(Incoming& track, std::uint32_t timestamp, const FramePart& part) {
    if (track.decoded && track.decoded->low != part.low) track.report.reset();
    if (!track.report) return;
    const std::uint64_t ntp = track.report->ntp.value;
    const auto ticks = static_cast<std::int32_t>(timestamp - track.report->rtp_timestamp);
    const std::int64_t captured_us =
        static_cast<std::int64_t>((ntp >> 32) * 1'000'000 +
                                  ((ntp & 0xffff'ffff) * 1'000'000 >> 32)) +
        std::int64_t{ticks} * 1'000'000 / clock_rate(track.video);
    track.sync_offset_us = captured_us - std::int64_t{part.captured_ms} * 1'000;
}

void MediaPeer::decode(Instant now, Incoming& track, const FramePart& part) {
    const auto is_over = [&](const FramePart& shape) {
        if (!track.decoded) return false;
        return shape.low == track.decoded->low ? shape.frame <= track.decoded->frame
                                               : shape.frame < track.decoded->frame;
    };
    if (is_over(part)) return;
    Incoming::Frame& frame = track.frames[{part.frame, part.low}];
    frame.shape = part;
    frame.parts.insert(part.part);
    // In order as far as it goes; a complete key frame may skip what is broken before it.
    for (bool progressed = true; progressed;) {
        progressed = false;
        for (const auto& [number, candidate] : track.frames) {
            const FramePart shape = candidate.shape;
            if (candidate.parts.size() != shape.parts) continue;
            const bool follows = track.decoded && track.decoded->low == shape.low &&
                                 shape.frame == track.decoded->frame + 1;
            if (!shape.key && !follows && track.video) continue;
            if (track.decoded && shape.frame > track.decoded->frame + 1) {
                track.skipped_frames += shape.frame - track.decoded->frame - 1;
            }
            if (track.decoded)
                track.longest_pause = std::max(track.longest_pause, now - track.decoded_at);
            track.decoded = shape;
            track.decoded_at = now;
            ++track.decoded_frames;
            std::erase_if(track.frames,
                          [&](const auto& entry) { return is_over(entry.second.shape); });
            progressed = true;
            break;
        }
    }
    while (track.frames.size() > kMaxUndecoded) track.frames.erase(track.frames.begin());
}

void MediaPeer::handle_rtcp(Instant now, ByteView datagram) {
    Bytes copy = to_bytes(datagram);
    const auto size = receiver_->unprotect_rtcp(copy);
    if (!size) {
        if (size.error().code != Errc::kReplayed) checker_.fail("an RTCP packet does not decrypt");
        return;
    }
    rtcp::CompoundReader reader(ByteView(copy.data(), *size));
    while (const auto view = reader.next()) {
        if (const auto* pli = std::get_if<rtcp::PliView>(&*view)) {
            handle_pli(now, pli->media);
        } else if (const auto* nack = std::get_if<rtcp::GenericNackView>(&*view)) {
            const auto found = outgoing_.find(nack->media);
            if (found == outgoing_.end()) continue;
            nack->for_each([&](std::uint16_t number) { send_again(found->second, number); });
        } else if (const auto* report = std::get_if<rtcp::SenderReportView>(&*view)) {
            const auto found = incoming_.find(report->sender);
            if (found != incoming_.end()) found->second.report = report->info;
        }
    }
    if (reader.error()) checker_.fail("the server sent malformed RTCP");
}

void MediaPeer::handle_pli(Instant now, Ssrc media) {
    const auto found = outgoing_.find(media);
    if (found == outgoing_.end()) return;
    Outgoing& track = found->second;
    if (strict_ && track.pli_at && now - *track.pli_at < 490ms) {
        checker_.fail("key frames are asked for more often than every 500 ms");
    }
    track.pli_at = now;
    track.wants_key = true;
}

// ---- Sending

std::size_t MediaPeer::write_rtp_header(MutableByteView out,
                                        const Outgoing& track,
                                        bool rtx,
                                        rtp::ExtSeq sequence,
                                        std::uint32_t timestamp,
                                        bool marker) {
    ByteWriter writer(out);
    rtp::write_header(writer,
                      {.marker = marker,
                       .has_extension = true,
                       .payload_type = rtx           ? kRtx
                                       : track.video ? kH264
                                                     : kOpus,
                       .sequence_number = rtp::to_wire(sequence),
                       .timestamp = timestamp,
                       .ssrc = rtx ? track.rtx_ssrc : track.ssrc});
    rtp::ExtensionWriter extensions(writer);
    extensions.add_transport_sequence(config_.extensions, transport_sequence_++);
    extensions.add_mid(config_.extensions, track.mid);
    if (!track.rid.empty()) {
        if (rtx) {
            extensions.add_repaired_rid(config_.extensions, track.rid);
        } else {
            extensions.add_rid(config_.extensions, track.rid);
        }
    }
    extensions.finish();
    return writer.size();
}

void MediaPeer::send_rtp(Outgoing& track, std::uint32_t timestamp, bool marker, Bytes payload) {
    Bytes out(64 + payload.size() + srtp::kMaxOverhead);
    const std::size_t header = write_rtp_header(out, track, false, track.next, timestamp, marker);
    out.resize(sender_->protect_rtp(out.data(), header, payload, track.next));
    ++track.packets;
    track.octets += static_cast<std::uint32_t>(payload.size());
    if (track.video) track.history[track.next] = {timestamp, marker, std::move(payload)};
    while (track.history.size() > kHistory) track.history.erase(track.history.begin());
    ++track.next;
    send_(*this, std::move(out));
}

void MediaPeer::send_again(Outgoing& track, std::uint16_t sequence_number) {
    for (const auto& [sequence, sent] : track.history) {
        if (rtp::to_wire(sequence) != sequence_number) continue;
        Bytes payload{static_cast<std::uint8_t>(sequence_number >> 8),
                      static_cast<std::uint8_t>(sequence_number)};
        payload.insert(payload.end(), sent.payload.begin(), sent.payload.end());
        Bytes out(64 + payload.size() + srtp::kMaxOverhead);
        const std::size_t header =
            write_rtp_header(out, track, true, track.next_rtx, sent.timestamp, sent.marker);
        out.resize(sender_->protect_rtp(out.data(), header, payload, track.next_rtx++));
        send_(*this, std::move(out));
        return;
    }
}

void MediaPeer::send_frame(Instant now, Outgoing& track) {
    const std::int64_t local_us = to_us(config_.clock.local(now).time_since_epoch());
    const auto captured_ms = static_cast<std::uint32_t>(local_us / 1'000);
    const std::uint32_t timestamp =
        track.timestamp_base +
        static_cast<std::uint32_t>(local_us / 1'000 * (clock_rate(track.video) / 1'000));
    const std::uint32_t frame = track.frame++;
    if (!track.video) {
        track.due += kAudioInterval;
        send_rtp(
            track,
            timestamp,
            false,
            write_part(
                {.frame = frame, .audio = true, .source = track.source, .captured_ms = captured_ms},
                30 + rng_.below(60)));
        return;
    }
    track.due += kFrameInterval;
    const bool key = track.wants_key || frame % kKeyFrameEvery == 0;
    track.wants_key = false;
    const auto parts = static_cast<std::uint8_t>(key ? 3 + rng_.below(5) : 1 + rng_.below(3));
    const std::size_t size = 200 + rng_.below(900);
    for (std::uint8_t part = 0; part < parts; ++part) {
        send_rtp(track,
                 timestamp,
                 part + 1 == parts,
                 write_part({.frame = frame,
                             .part = part,
                             .parts = parts,
                             .key = key,
                             .low = track.low,
                             .source = track.source,
                             .captured_ms = captured_ms},
                            size + part % 2));
    }
}

void MediaPeer::send_report(Instant now, Outgoing& track) {
    track.report_at = now + kReportInterval;
    const Duration local = config_.clock.local(now).time_since_epoch();
    const std::int64_t local_ms = to_ms(local);
    Bytes memory(128);
    ByteWriter writer{MutableByteView(memory)};
    const rtcp::SenderInfo info{
        .ntp = NtpTime::from_wall(config_.wall_start + Duration(local_ms * 1'000'000)),
        .rtp_timestamp = track.timestamp_base +
                         static_cast<std::uint32_t>(local_ms * (clock_rate(track.video) / 1'000)),
        .packet_count = track.packets,
        .octet_count = track.octets};
    if (rtcp::write_sender_report(writer, track.ssrc, info, {})) send_rtcp(writer.written());
}

void MediaPeer::send_feedback(Instant now, Incoming& track) {
    if (track.stale || !track.video) return;
    Bytes memory(256);
    ByteWriter writer{MutableByteView(memory)};
    if (!track.missing.empty() && now - track.asked_at >= 30ms) {
        track.asked_at = now;
        std::vector<rtp::ExtSeq> wanted(track.missing.begin(), track.missing.end());
        if (wanted.size() > 40) wanted.resize(40);
        (void)rtcp::write_nack(writer, Ssrc(1), track.ssrc, wanted);
    }
    if (now - track.decoded_at > 500ms && now - track.pli_at > 500ms) {
        track.pli_at = now;
        (void)rtcp::write_pli(writer, Ssrc(1), track.ssrc);
    }
    if (writer.size() > 0) send_rtcp(writer.written());
}

void MediaPeer::send_rtcp(ByteView compound) {
    Bytes out = to_bytes(compound);
    out.resize(compound.size() + srtp::kMaxOverhead);
    out.resize(sender_->protect_rtcp(out.data(), compound.size()));
    send_(*this, std::move(out));
}

}  // namespace parley::sim

#include "sfu/node.h"

#include <algorithm>

#include "ice/stun.h"
#include "rtp/header.h"
#include "rtp/header_extensions.h"
#include "rtp/rtx.h"
#include "sfu/key_frame.h"
#include "sfu/metered_sink.h"

namespace parley::sfu {
namespace {

constexpr std::uint8_t kMaxStunFirstByte = 3;  // RFC 7983 section 7

DisconnectReason to_reason(webrtc::Transport::CloseReason reason) {
    using From = webrtc::Transport::CloseReason;
    switch (reason) {
        case From::kConnectTimeout: return DisconnectReason::kConnectTimeout;
        case From::kIceFailed: return DisconnectReason::kIceFailed;
        case From::kDtlsFailed: return DisconnectReason::kDtlsFailed;
        case From::kFingerprintMismatch: return DisconnectReason::kFingerprintMismatch;
        case From::kClosedByPeer: return DisconnectReason::kClosedByPeer;
    }
    return DisconnectReason::kIceFailed;
}

/// A fan-out visits more memory than the caches keep between two frames, and each subscriber's part hangs on a
/// chain of pointers: start each link a step ahead of the one that needs it.
void prefetch_next(const std::vector<Subscription*>& fan_out, std::size_t i) {
    constexpr std::size_t kCacheLine = 64;
    const auto load = [](const auto* object) {
        const auto* const first = static_cast<const std::byte*>(static_cast<const void*>(object));
        for (std::size_t at = 0; at < sizeof(*object); at += kCacheLine) __builtin_prefetch(first + at);
    };
    if (i + 3 < fan_out.size()) load(fan_out[i + 3]);
    if (i + 2 < fan_out.size()) load(&fan_out[i + 2]->peer->transport);
    if (i + 1 < fan_out.size()) fan_out[i + 1]->peer->transport.prefetch_sender();
}

template <class T>
void erase_value(std::vector<T>& values, const T& value) {
    values.erase(std::remove(values.begin(), values.end(), value), values.end());
}

}  // namespace

Peer* Node::find_peer(PeerId id) const {
    const auto found = peers_.find(id);
    return found == peers_.end() ? nullptr : found->second.get();
}

Track* Node::find_track(TrackId id) const {
    const auto found = tracks_.find(id);
    return found == tracks_.end() ? nullptr : found->second.get();
}

// ---- Commands

void Node::handle_command(Instant now, const MediaCommand& command, NodeOutputs& out) {
    ++counters_.commands;
    std::visit([&](const auto& c) { apply(now, c, out); }, command);
}

void Node::apply(Instant now, const OpenPeer& c, NodeOutputs& out) {
    if (peers_.contains(c.peer)) return;
    if (peers_.size() >= kMaxPeers) {
        out.events.push_back(PeerDisconnected{c.peer, DisconnectReason::kConnectTimeout});
        return;
    }
    auto peer = std::make_unique<Peer>(c, dtls_, now, Ssrc(rng_.next_u32() | 1));
    peer->ufrags.push_back(c.local_ice.ufrag);
    by_ufrag_[c.local_ice.ufrag] = peer.get();
    schedule(*peer);
    peers_.emplace(c.peer, std::move(peer));
    counters_.peers = peers_.size();
}

void Node::apply(Instant /*now*/, const ClosePeer& c, NodeOutputs& out) {
    if (Peer* peer = find_peer(c.peer)) {
        MeteredSink sink(out.sink, peer->usage.traffic);
        peer->transport.close(sink);
        remove_peer(c.peer);
    }
}

void Node::apply(Instant now, const RestartIce& c, NodeOutputs& /*out*/) {
    Peer* peer = find_peer(c.peer);
    if (peer == nullptr) return;
    peer->transport.restart_ice(now, c.local_ice);
    if (peer->ufrags.size() >= ice::LiteAgent::kMaxCredentials) {
        by_ufrag_.erase(peer->ufrags.front());
        peer->ufrags.erase(peer->ufrags.begin());
    }
    peer->ufrags.push_back(c.local_ice.ufrag);
    by_ufrag_[c.local_ice.ufrag] = peer;
    schedule(*peer);
}

void Node::apply(Instant now, const AddTrack& c, NodeOutputs& /*out*/) {
    Peer* peer = find_peer(c.peer);
    if (peer == nullptr || tracks_.contains(c.track) || tracks_.size() >= kMaxTracks) return;
    if (peer->tracks.size() >= Peer::kMaxTracks || c.encodings.size() > kMaxLayers) return;
    auto track = std::make_unique<Track>();
    track->id = c.track;
    track->publisher = peer;
    track->config = c;
    for (const EncodingConfig& e : c.encodings) {
        auto encoding = std::make_unique<Track::Encoding>();
        encoding->rid = e.rid;
        encoding->rtx_ssrc = e.rtx_ssrc;
        track->encodings.push_back(std::move(encoding));
    }
    for (std::size_t i = 0; i < c.encodings.size(); ++i) {
        const EncodingConfig& e = c.encodings[i];
        const auto layer = static_cast<Layer>(i);
        if (e.ssrc.is_valid()) open_encoding(*track, layer, e.ssrc);
        if (e.rtx_ssrc.is_valid()) {
            peer->bindings.push_back({e.rtx_ssrc, track.get(), layer, true});
        }
    }
    if (!peer->feedback) peer->feedback = std::make_unique<rtcp::TransportFeedbackGenerator>();
    peer->tracks.push_back(track.get());
    // The estimate's cap changes with the set of tracks: report soon.
    peer->next_report = now + 50ms;
    Track& added = *track;
    tracks_.emplace(c.track, std::move(track));
    counters_.tracks = tracks_.size();
    // Media may have come before this command; what a decoder missed of it is gone.
    if (added.is_video()) {
        for (std::size_t i = 0; i < added.encodings.size(); ++i) {
            want_key_frame(now, added, static_cast<Layer>(i));
        }
    }
    schedule(*peer);
}

void Node::apply(Instant now, const RemoveTrack& c, NodeOutputs& /*out*/) {
    if (const Track* track = find_track(c.track)) {
        Peer* peer = track->publisher;
        remove_track(c.track);
        if (peer == nullptr) return;
        peer->next_report = now + 50ms;
        schedule(*peer);
    }
}

void Node::apply(Instant now, const Subscribe& c, NodeOutputs& /*out*/) {
    Peer* peer = find_peer(c.peer);
    Track* track = find_track(c.track);
    if (peer == nullptr || track == nullptr) return;
    if (peer->find_subscription(c.track) != nullptr) return;
    if (peer->subscriptions.size() >= Peer::kMaxSubscriptions) return;
    auto subscription = std::make_unique<Subscription>(Subscription{
        .peer = peer,
        .track = track,
        .stream = OutboundStream({
            .peer = c.peer,
            .track = c.track,
            .kind = track->config.kind,
            .ssrc = c.ssrc,
            .rtx_ssrc = c.rtx_ssrc,
            .payload_type = c.payload_type,
            .rtx_payload_type = c.rtx_payload_type,
            .red_payload_type = c.red_payload_type,
            .audio_level_id = track->is_video() ? std::uint8_t{0} : peer->send_extensions.audio_level,
            .layer = c.layer,
            .cname = c.cname,
            .first_sequence = static_cast<std::uint16_t>(rng_.below(0x7000)),
            .first_rtx_sequence = static_cast<std::uint16_t>(rng_.below(0x7000)),
        })});
    track->subscriptions.push_back(subscription.get());
    peer->subscriptions.push_back(std::move(subscription));
    ++counters_.subscriptions;
    start_subscription(now, *peer->subscriptions.back());
}

void Node::apply(Instant /*now*/, const Unsubscribe& c, NodeOutputs& /*out*/) {
    Peer* peer = find_peer(c.peer);
    if (peer == nullptr) return;
    if (Subscription* subscription = peer->find_subscription(c.track)) {
        remove_subscription(*peer, subscription);
    }
}

void Node::apply(Instant now, const SetLayer& c, NodeOutputs& out) {
    const Peer* peer = find_peer(c.peer);
    if (peer == nullptr) return;
    Subscription* subscription = peer->find_subscription(c.track);
    if (subscription == nullptr) return;
    subscription->stream.set_layer(c.layer);
    if (subscription->stream.current_layer() == c.layer) {
        // Already there: the client waits for the confirmation all the same.
        out.events.push_back(LayerChanged{c.peer, c.track, c.layer});
        return;
    }
    start_subscription(now, *subscription);
}

void Node::apply(Instant now, const RequestKeyFrame& c, NodeOutputs& /*out*/) {
    if (Track* track = find_track(c.track)) {
        for (std::size_t i = 0; i < track->encodings.size(); ++i) {
            want_key_frame(now, *track, static_cast<Layer>(i));
        }
    }
}

void Node::apply(Instant now, const SetMuted& c, NodeOutputs& /*out*/) {
    Track* track = find_track(c.track);
    if (track == nullptr || track->is_muted == c.muted) return;
    track->is_muted = c.muted;
    for (std::size_t i = 0; i < track->encodings.size(); ++i) {
        const auto layer = static_cast<Layer>(i);
        // Numbers go on without a gap afterwards, and none leads to a packet of the time between.
        restart_encoding(*track, layer);
        if (!c.muted && track->is_video()) want_key_frame(now, *track, layer);
    }
}

// ---- Tables

InboundStream* Node::open_encoding(Track& track, Layer layer, Ssrc ssrc) {
    Track::Encoding& encoding = *track.encodings[static_cast<std::size_t>(layer)];
    Peer* peer = track.publisher;
    if (peer != nullptr && peer->bindings.size() >= Peer::kMaxBindings) return nullptr;
    if (peer != nullptr && encoding.stream) {
        encoding.stream->take_active(peer->usage.published);
        peer->quality.up += encoding.stream->take_loss();
    }
    encoding.stream = std::make_unique<InboundStream>(
        InboundStream::Config{.ssrc = ssrc,
                              .rtx_ssrc = encoding.rtx_ssrc,
                              .clock_rate = clock_rate(track.config.kind),
                              .is_video = track.is_video(),
                              .nack = track.is_video() && peer != nullptr});
    if (peer != nullptr) peer->bindings.push_back({ssrc, &track, layer, false});
    return encoding.stream.get();
}

void Node::restart_encoding(Track& track, Layer layer) {
    track.encodings[static_cast<std::size_t>(layer)]->burst.clear();
    for (Subscription* s : track.subscriptions) s->stream.restart_layer(layer);
}

void Node::start_subscription(Instant now, Subscription& subscription) {
    if (!subscription.peer->transport.is_connected() || !subscription.track->is_video()) return;
    want_key_frame(now, *subscription.track, subscription.stream.wanted_layer());
}

void Node::want_key_frame(Instant now, Track& track, Layer layer) {
    std::size_t index = static_cast<std::size_t>(layer);
    if (index >= track.encodings.size()) index = 0;
    // A layer that the encoder has switched off cannot answer: ask one that is there.
    if (!track.encodings[index]->stream || !track.encodings[index]->stream->is_active(now)) {
        for (std::size_t i = 0; i < track.encodings.size(); ++i) {
            InboundStream* other = track.encodings[i]->stream.get();
            if (other != nullptr && other->is_active(now)) other->key_frames().want(now);
        }
    }
    if (InboundStream* stream = track.encodings[index]->stream.get()) stream->key_frames().want(now);
    if (track.publisher != nullptr) schedule(*track.publisher);
}

void Node::remove_subscription(Peer& peer, Subscription* subscription) {
    subscription->stream.take_usage(peer.usage);
    peer.quality.down += subscription->stream.take_loss();
    erase_value(subscription->track->subscriptions, subscription);
    std::erase_if(peer.subscriptions, [&](const auto& s) { return s.get() == subscription; });
    --counters_.subscriptions;
}

void Node::remove_track(TrackId id) {
    Track* track = find_track(id);
    while (!track->subscriptions.empty()) {
        Subscription* last = track->subscriptions.back();
        remove_subscription(*last->peer, last);
    }
    if (Peer* publisher = track->publisher) {
        take_published(*track, publisher->usage);
        take_loss(*track, publisher->quality);
        for (const Peer::Binding& b : publisher->bindings) {
            if (b.track == track && publisher->transport.receiver() != nullptr) {
                publisher->transport.receiver()->forget(b.ssrc);
            }
        }
        std::erase_if(publisher->bindings, [&](const Peer::Binding& b) { return b.track == track; });
        erase_value(publisher->tracks, track);
    } else if (track->owner) {
        PeerReport report{.owner = track->owner};
        take_published(*track, report.usage);
        add_last_report(std::move(report));
    }
    std::erase_if(dirty_, [&](const auto& d) { return d.first == track; });
    tracks_.erase(id);
    counters_.tracks = tracks_.size();
}

void Node::remove_peer(PeerId id) {
    Peer* peer = find_peer(id);
    counters_.told_bps -= static_cast<std::uint64_t>(peer->told.bps());
    counters_.heard_bps -= static_cast<std::uint64_t>(peer->heard.bps());
    while (!peer->tracks.empty()) remove_track(peer->tracks.back()->id);
    while (!peer->subscriptions.empty()) {
        remove_subscription(*peer, peer->subscriptions.back().get());
    }
    if (peer->owner) add_last_report({peer->id, peer->owner, peer->usage, peer->quality, true});
    for (const Path& path : peer->paths) {
        const auto found = by_path_.find(path);
        if (found != by_path_.end() && found->second == peer) by_path_.erase(found);
    }
    for (const std::string& ufrag : peer->ufrags) {
        const auto found = by_ufrag_.find(ufrag);
        if (found != by_ufrag_.end() && found->second == peer) by_ufrag_.erase(found);
    }
    peers_.erase(id);
    counters_.peers = peers_.size();
}

void Node::close(NodeOutputs& out) {
    while (!peers_.empty()) {
        MeteredSink sink(out.sink, peers_.begin()->second->usage.traffic);
        peers_.begin()->second->transport.close(sink);
        remove_peer(peers_.begin()->first);
    }
}

// ---- Datagrams

void Node::handle_datagram(Instant now, const Path& from, media::PacketRef packet, NodeOutputs& out) {
    const ByteView bytes = packet->bytes();
    if (bytes.empty()) return;
    if (bytes[0] <= kMaxStunFirstByte) {
        handle_stun(now, from, bytes, out);
        return;
    }
    const auto found = by_path_.find(from);
    if (found == by_path_.end()) {
        ++counters_.unknown_address;
        return;
    }
    Peer& peer = *found->second;
    if (dtls::is_dtls(bytes)) {
        ++counters_.dtls_in;
        peer.usage.traffic.add_in(bytes.size());
        MeteredSink sink(out.sink, peer.usage.traffic);
        const auto change = peer.transport.handle_dtls(now, bytes, sink);
        apply_change(now, peer, change, from, out);
        return;
    }
    if (rtp::is_rtcp(bytes)) {
        handle_rtcp(now, peer, *packet, out);
    } else if (rtp::is_rtp(bytes)) {
        handle_rtp(now, peer, std::move(packet));
        // A stream that was held up comes in one piece: more of it than a burst holds leaves in several.
        if (is_burst_full_) flush(now, out);
    } else {
        ++counters_.malformed;
    }
}

void Node::handle_stun(Instant now, const Path& from, ByteView message, NodeOutputs& out) {
    ++counters_.stun_in;
    const std::string_view ufrag = ice::local_ufrag_of(message);
    const auto found = by_ufrag_.find(ufrag);
    if (ufrag.empty() || found == by_ufrag_.end()) {
        ++counters_.stun_refused;
        return;
    }
    Peer& peer = *found->second;
    MeteredSink sink(out.sink, peer.usage.traffic);
    const auto change = peer.transport.handle_stun(now, from, message, sink);
    if (change.proven) {
        peer.usage.traffic.add_in(message.size());
    } else {
        ++counters_.stun_refused;
    }
    apply_change(now, peer, change, from, out);
}

void Node::apply_change(Instant now,
                        Peer& peer,
                        const webrtc::Transport::Change& change,
                        const Path& from,
                        NodeOutputs& out) {
    if (change.proven && std::find(peer.paths.begin(), peer.paths.end(), from) == peer.paths.end()) {
        if (peer.paths.full()) {
            // Keep the one in use; the oldest other one makes room.
            const std::size_t victim = peer.transport.path() == peer.paths[0] ? 1 : 0;
            by_path_.erase(peer.paths[victim]);
            peer.paths[victim] = peer.paths.back();
            peer.paths.pop_back();
        }
        peer.paths.push_back(from);
        by_path_[from] = &peer;
    }
    if (change.connected) {
        out.events.push_back(PeerConnected{peer.id});
        for (const auto& s : peer.subscriptions) start_subscription(now, *s);
        if (!peer.tracks.empty()) peer.next_report = now;
    }
    if (change.closed) {
        out.events.push_back(PeerDisconnected{peer.id, to_reason(*change.closed)});
        remove_peer(peer.id);
        return;
    }
    schedule(peer);
}

void Node::handle_rtp(Instant now, Peer& peer, media::PacketRef packet) {
    srtp::Receiver* receiver = peer.transport.receiver();
    const auto header = rtp::parse_header(packet->bytes());
    if (receiver == nullptr || !header) {
        ++counters_.malformed;
        return;
    }
    const auto plain =
        receiver->unprotect_rtp(MutableByteView(packet->data.data(), packet->size), header->header_size);
    if (!plain) {
        ++counters_.srtp_refused;
        return;
    }
    peer.transport.handle_authenticated(now);
    peer.usage.traffic.add_in(packet->size);
    packet->size = static_cast<std::uint32_t>(plain->size);
    packet->ext_seq = plain->index;
    const auto payload_size = rtp::payload_size_without_padding(*header, packet->bytes());
    if (!payload_size) {
        ++counters_.malformed;
        return;
    }
    const rtp::ParsedExtensions extensions = rtp::parse_extensions(*header, peer.receive_extensions);
    if (extensions.transport_sequence && peer.feedback) {
        peer.feedback->handle_packet(packet->received_at, *extensions.transport_sequence);
    }
    ++counters_.packets_in;
    counters_.bytes_in += packet->size;
    packet->payload_type = header->payload_type;
    packet->marker = header->marker;
    packet->rtp_timestamp = header->timestamp;
    packet->payload_offset = static_cast<std::uint16_t>(header->header_size);
    packet->payload_size = static_cast<std::uint16_t>(*payload_size);
    if (extensions.audio_level) {
        packet->has_audio_level = true;
        packet->audio_level = static_cast<std::uint8_t>(extensions.audio_level->level |
                                                        (extensions.audio_level->voice ? 0x80 : 0));
    }

    const Peer::Binding* binding = peer.find_binding(header->ssrc);
    if (binding == nullptr) {
        binding = bind(peer, header->ssrc, header->payload_type, extensions.mid, extensions.rid,
                       extensions.repaired_rid);
    }
    if (binding == nullptr) {
        ++counters_.unknown_ssrc;
        return;
    }
    if (!binding->is_rtx) {
        handle_media(now, *binding, packet, false);
        return;
    }
    ++counters_.rtx_packets_in;
    const Track& track = *binding->track;
    const InboundStream* stream =
        track.encodings[static_cast<std::size_t>(binding->layer)]->stream.get();
    const auto rtx = rtp::parse_rtx(packet->payload());
    // An empty original is a bandwidth probe.
    if (!rtx || rtx->payload.empty() || stream == nullptr) return;
    const auto sequence = stream->history().unwrap(rtx->original_sequence_number);
    if (!sequence) return;
    packet->ext_seq = *sequence;
    packet->payload_type = track.config.payload_type;
    packet->payload_offset = static_cast<std::uint16_t>(packet->payload_offset + rtp::kRtxHeaderSize);
    packet->payload_size = static_cast<std::uint16_t>(packet->payload_size - rtp::kRtxHeaderSize);
    handle_media(now, *binding, packet, true);
}

const Peer::Binding* Node::bind(Peer& peer,
                                Ssrc ssrc,
                                PayloadType payload_type,
                                std::string_view mid,
                                std::string_view rid,
                                std::string_view repaired_rid) {
    if (mid.empty() || peer.bindings.size() >= Peer::kMaxBindings) return nullptr;
    for (Track* track : peer.tracks) {
        if (track->config.mid != mid) continue;
        for (std::size_t i = 0; i < track->encodings.size(); ++i) {
            Track::Encoding& encoding = *track->encodings[i];
            const auto layer = static_cast<Layer>(i);
            if (!repaired_rid.empty()) {
                if (encoding.rid != repaired_rid) continue;
                encoding.rtx_ssrc = ssrc;
                if (encoding.stream) encoding.stream->set_rtx_ssrc(ssrc);
                peer.bindings.push_back({ssrc, track, layer, true});
                return &peer.bindings.back();
            }
            if (encoding.rid != rid) continue;
            if (payload_type == track->config.rtx_payload_type && payload_type.is_valid()) {
                // RTX of an unsignalled stream: only the MID says whose it is.
                if (!encoding.rid.empty()) continue;
                peer.bindings.push_back({ssrc, track, layer, true});
                return &peer.bindings.back();
            }
            if (encoding.stream) {
                // A known encoding under a new SSRC: the browser began it anew; the old one is gone.
                restart_encoding(*track, layer);
                std::erase_if(peer.bindings, [&](const Peer::Binding& b) {
                    return b.track == track && b.layer == layer && !b.is_rtx;
                });
            }
            if (open_encoding(*track, layer, ssrc) == nullptr) return nullptr;
            return &peer.bindings.back();
        }
    }
    return nullptr;
}

void Node::handle_media(Instant now,
                        const Peer::Binding& binding,
                        const media::PacketRef& packet,
                        bool recovered) {
    Track& track = *binding.track;
    const AddTrack& config = track.config;
    Track::Encoding& encoding = *track.encodings[static_cast<std::size_t>(binding.layer)];
    if (!encoding.stream) return;
    if (config.red_payload_type.is_valid() && packet->payload_type == config.red_payload_type) {
        const auto primary = red_primary_offset(packet->payload());
        if (!primary) {
            ++counters_.malformed;
            return;
        }
        packet->red_primary_offset = static_cast<std::uint16_t>(*primary);
    } else if (packet->payload_type != config.payload_type) {
        ++counters_.malformed;
        return;
    }
    if (track.is_video()) {
        packet->is_key_frame = is_key_frame(config.codec, packet->payload());
        if (packet->is_key_frame) {
            if (const auto size = video_size(config.codec, packet->payload())) encoding.stream->set_video_size(*size);
        }
        ++counters_.video_packets_in;
        counters_.video_bytes_in += packet->size;
    } else {
        ++counters_.audio_packets_in;
        counters_.audio_bytes_in += packet->size;
    }
    const auto highest = encoding.stream->history().highest();
    if (highest && packet->ext_seq > *highest + kMaxGap) restart_encoding(track, binding.layer);
    const bool was_active = encoding.stream->is_active(now);
    if (!encoding.stream->handle_packet(packet, recovered)) return;
    // What comes again by RTX was loud some time ago.
    if (packet->has_audio_level && !recovered) track.level.handle_packet(packet->received_at, packet->audio_level);
    if (!encoding.burst.add(packet)) return;
    is_burst_full_ |= encoding.burst.full();
    if (!encoding.is_dirty) {
        encoding.is_dirty = true;
        dirty_.emplace_back(&track, binding.layer);
    }
    if (!was_active) encoding.stream->key_frames().handle_return(now);
    if (!was_active && track.is_video() && !packet->is_key_frame) {
        // A layer that (re)starts without a key frame is of no use to anybody yet.
        bool anybody = false;
        for (const Subscription* s : track.subscriptions) {
            anybody |= s->stream.current_layer() != binding.layer;
        }
        if (anybody) encoding.stream->key_frames().want(now);
    }
    if (encoding.stream->wants_nack() && encoding.stream->nack().take_key_frame_request()) {
        encoding.stream->key_frames().want(now);
    }
}

// ---- Forwarding

void Node::flush(Instant now, NodeOutputs& out) {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
        const auto [track, layer] = dirty_[i];
        flush_encoding(now, *track, layer, out);
        if (track->publisher != nullptr) schedule(*track->publisher);
    }
    dirty_.clear();
    is_burst_full_ = false;
}

void Node::flush_encoding(Instant now, Track& track, Layer layer, NodeOutputs& out) {
    Track::Encoding& encoding = *track.encodings[static_cast<std::size_t>(layer)];
    encoding.is_dirty = false;
    if (encoding.burst.empty()) return;  // a restart threw it away
    if (track.is_muted) {
        encoding.burst.clear();
        return;
    }
    if (!track.has_started) {
        track.has_started = true;
        out.events.push_back(TrackStarted{track.id});
    }
    encoding.burst.plan();
    const auto streams = track.streams();
    bool wants_key_frame = false;
    const std::vector<Subscription*>& fan_out = track.subscriptions;
    for (std::size_t i = 0; i < fan_out.size(); ++i) {
        prefetch_next(fan_out, i);
        Subscription* s = fan_out[i];
        webrtc::Transport& transport = s->peer->transport;
        if (!transport.is_connected()) continue;
        const OutboundStream::Wire wire{transport.sender(), *transport.path()};
        const auto result =
            s->stream.forward(now, layer, encoding.burst, streams, wire, out.sink, counters_);
        wants_key_frame |= result.wants_key_frame;
        if (result.switched_to) {
            ++counters_.layer_switches;
            out.events.push_back(LayerChanged{s->peer->id, track.id, *result.switched_to});
            // The first report ties this stream's time to the others' (lip-sync): do not wait a second.
            s->peer->next_report = now;
            schedule(*s->peer);
        }
    }
    if (encoding.taps > 0) {
        for (std::size_t i = 0; i < encoding.burst.size(); ++i) {
            tapped_.push_back({track.id, layer, encoding.burst.reference(i)});
        }
    }
    encoding.burst.clear();
    if (wants_key_frame) want_key_frame(now, track, layer);
}

}  // namespace parley::sfu

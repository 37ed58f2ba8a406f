// Tracks without a publishing peer, consumers without a transport, and what is asked about tracks.
#include <algorithm>

#include "sfu/node.h"

namespace parley::sfu {

void Node::apply(Instant /*now*/, const AddLocalTrack& c, NodeOutputs& /*out*/) {
    if (tracks_.contains(c.track) || tracks_.size() >= kMaxTracks) return;
    auto track = std::make_unique<Track>();
    track->id = c.track;
    track->owner = c.owner;
    track->config.track = c.track;
    track->config.kind = c.kind;
    track->config.codec = c.codec;
    track->encodings.push_back(std::make_unique<Track::Encoding>());
    open_encoding(*track, Layer::kHigh, Ssrc(rng_.next_u32() | 1));
    tracks_.emplace(c.track, std::move(track));
    counters_.tracks = tracks_.size();
}

void Node::handle_local_packet(Instant now, TrackId id, media::PacketRef packet, NodeOutputs& out) {
    Track* track = find_track(id);
    if (track == nullptr || track->publisher != nullptr) return;
    // A key frame may be longer than a burst, and unlike the network it comes in one piece.
    if (track->encodings.front()->burst.full()) flush(now, out);
    packet->payload_type = track->config.payload_type;
    ++counters_.packets_in;
    counters_.bytes_in += packet->size;
    handle_media(now, Peer::Binding{Ssrc{}, track, Layer::kHigh, false}, packet, false);
}

void Node::handle_local_clock(Instant now, TrackId id, NtpTime ntp, std::uint32_t rtp_timestamp) {
    Track* track = find_track(id);
    if (track == nullptr || track->publisher != nullptr) return;
    track->encodings.front()->stream->handle_sender_report(
        now, rtcp::SenderInfo{.ntp = ntp, .rtp_timestamp = rtp_timestamp});
    report_soon(now, *track);
}

void Node::report_soon(Instant now, const Track& track) {
    for (Subscription* s : track.subscriptions) {
        if (s->stream.has_reported() || !s->stream.has_sent()) continue;
        s->peer->next_report = now;
        schedule(*s->peer);
    }
}

bool Node::add_tap(Instant now, TrackId id, Layer layer) {
    Track* track = find_track(id);
    const auto index = static_cast<std::size_t>(layer);
    if (track == nullptr || index >= track->encodings.size()) return false;
    ++track->encodings[index]->taps;
    if (track->is_video()) want_key_frame(now, *track, layer);
    return true;
}

void Node::remove_tap(TrackId id, Layer layer) {
    Track* track = find_track(id);
    const auto index = static_cast<std::size_t>(layer);
    if (track == nullptr || index >= track->encodings.size()) return;
    std::uint32_t& taps = track->encodings[index]->taps;
    if (taps > 0) --taps;
}

void Node::want_key_frame(Instant now, TrackId id, Layer layer) {
    Track* track = find_track(id);
    if (track != nullptr && track->is_video()) want_key_frame(now, *track, layer);
}

const rtcp::ClockMapping* Node::clock_of(TrackId id, Layer layer) const {
    const Track* track = find_track(id);
    const auto index = static_cast<std::size_t>(layer);
    if (track == nullptr || index >= track->encodings.size()) return nullptr;
    const InboundStream* stream = track->encodings[index]->stream.get();
    return stream == nullptr ? nullptr : &stream->clock();
}

bool Node::is_active(Instant now, TrackId id, Layer layer) const {
    const Track* track = find_track(id);
    const auto index = static_cast<std::size_t>(layer);
    if (track == nullptr || index >= track->encodings.size()) return false;
    const InboundStream* stream = track->encodings[index]->stream.get();
    return stream != nullptr && stream->is_active(now);
}

Node::PayloadTypes Node::payload_types_of(TrackId id) const {
    const Track* track = find_track(id);
    if (track == nullptr) return {};
    return {track->config.payload_type, track->config.red_payload_type};
}

bool Node::is_wanted(TrackId id) const {
    const Track* track = find_track(id);
    if (track == nullptr) return false;
    return !track->subscriptions.empty() ||
           std::any_of(track->encodings.begin(), track->encodings.end(),
                       [](const auto& encoding) { return encoding->taps > 0; });
}

bool Node::take_key_frame_request(Instant now, TrackId id) {
    Track* track = find_track(id);
    if (track == nullptr || track->publisher != nullptr || !track->is_video()) return false;
    return track->encodings.front()->stream->key_frames().take_due(now);
}

void Node::append_audio_levels(Instant now, std::vector<TrackLevel>& out) const {
    for (const auto& [id, track] : tracks_) {
        if (track->is_video() || track->is_muted) continue;
        if (const auto level = track->level.read(now)) out.push_back({id, *level});
    }
}

void Node::take_tapped(std::vector<Tapped>& out) {
    out.clear();
    std::swap(out, tapped_);
}

}  // namespace parley::sfu

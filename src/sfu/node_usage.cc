// What peers and local tracks did, for those who bill, and how it went, for those who ask why it was bad.
#include <utility>

#include "sfu/node.h"

namespace parley::sfu {

void Node::take_published(Track& track, Usage& to) {
    for (const auto& encoding : track.encodings) {
        if (encoding->stream) encoding->stream->take_active(to.published);
    }
}

void Node::take_usage(Peer& peer, Usage& to) {
    for (const auto& subscription : peer.subscriptions) subscription->stream.take_usage(peer.usage);
    for (Track* track : peer.tracks) take_published(*track, peer.usage);
    to += peer.usage;
    peer.usage = {};
}

void Node::take_loss(Track& track, QualitySample& to) {
    for (const auto& encoding : track.encodings) {
        if (encoding->stream) to.up += encoding->stream->take_loss();
    }
}

QualitySample Node::take_quality(Peer& peer) {
    QualitySample out = std::exchange(peer.quality, {});
    for (Track* track : peer.tracks) take_loss(*track, out);
    for (const auto& subscription : peer.subscriptions) {
        OutboundStream& stream = subscription->stream;
        out.down += stream.take_loss();
        const Track& track = *subscription->track;
        const auto layer = stream.current_layer();
        if (track.is_video() && track.encodings.size() > 1 && !track.is_muted && layer) {
            QualitySample one;
            one.layer = layer;
            out += one;
        }
    }
    if (peer.heard.bps() > 0) out.estimate = peer.heard;
    return out;
}

void Node::add_last_report(PeerReport report) {
    if (last_reports_.size() >= kMaxLastReports) {
        ++counters_.reports_lost;
        return;
    }
    last_reports_.push_back(std::move(report));
}

void Node::take_last_reports(std::vector<PeerReport>& out) {
    out.insert(out.end(),
               std::make_move_iterator(last_reports_.begin()),
               std::make_move_iterator(last_reports_.end()));
    last_reports_.clear();
}

void Node::take_reports(std::vector<PeerReport>& out) {
    take_last_reports(out);
    const auto add = [&out](PeerReport report) {
        if (!report.usage.is_empty()) out.push_back(std::move(report));
    };
    for (const auto& [id, peer] : peers_) {
        if (!peer->owner) continue;
        PeerReport report{.peer = id, .owner = peer->owner};
        take_usage(*peer, report.usage);
        report.quality = take_quality(*peer);
        add(std::move(report));
    }
    for (const auto& [id, track] : tracks_) {
        if (track->publisher != nullptr || !track->owner) continue;
        PeerReport report{.owner = track->owner};
        take_published(*track, report.usage);
        add(std::move(report));
    }
}

}  // namespace parley::sfu

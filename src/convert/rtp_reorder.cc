#include "convert/rtp_reorder.h"

#include <algorithm>
#include <utility>

namespace parley::convert {

namespace {

/// A step ahead of more than this is a new beginning, not a loss.
constexpr std::uint64_t kMaxSequenceStep = 1 << 15;

}  // namespace

void RtpReorder::handle_packet(Instant now, media::PacketRef packet, std::vector<Item>& out) {
    const std::uint64_t sequence = packet->ext_seq;
    if (next_ && (sequence < *next_ || held_.contains(sequence))) {
        ++stats_.late;
        return;
    }
    if (next_ && sequence - *next_ > kMaxSequenceStep) {
        while (!held_.empty()) give_up_gap(out);
        stats_.lost += sequence - *next_;
        next_ = sequence + 1;
        out.push_back({.packet = std::move(packet), .after_gap = true});
        return;
    }
    if (!next_ || sequence == *next_) {
        next_ = sequence + 1;
        out.push_back({.packet = std::move(packet), .after_gap = false});
        release(out);
        return;
    }
    held_.emplace(sequence, Held{std::move(packet), now});
    while (held_.size() > config_.max_packets) give_up_gap(out);
}

void RtpReorder::release(std::vector<Item>& out) {
    while (!held_.empty() && held_.begin()->first == *next_) {
        out.push_back({.packet = std::move(held_.begin()->second.packet), .after_gap = false});
        held_.erase(held_.begin());
        ++*next_;
    }
}

void RtpReorder::give_up_gap(std::vector<Item>& out) {
    const auto first = held_.begin();
    stats_.lost += first->first - *next_;
    next_ = first->first + 1;
    out.push_back({.packet = std::move(first->second.packet), .after_gap = true});
    held_.erase(first);
    release(out);
}

void RtpReorder::handle_timeout(Instant now, std::vector<Item>& out) {
    while (const auto deadline = next_deadline()) {
        if (now < *deadline) break;
        give_up_gap(out);
    }
}

std::optional<Instant> RtpReorder::next_deadline() const {
    if (held_.empty()) return std::nullopt;
    // The gap is as old as the first packet that arrived behind it.
    Instant oldest = held_.begin()->second.arrived_at;
    for (const auto& [sequence, held] : held_) oldest = std::min(oldest, held.arrived_at);
    return oldest + config_.max_wait;
}

void RtpReorder::reset() {
    next_.reset();
    held_.clear();
}

}  // namespace parley::convert

#include "convert/player_queue.h"

#include <algorithm>
#include <utility>

namespace parley::convert {

namespace {

/// Sound that stays when a player is brought to the live edge and no key frame waits.
constexpr Duration kKeptSound = 300ms;
/// A kind whose newest frame is older than this is not waited for: it has not begun, or has
/// stopped.
constexpr Duration kStoppedKind = 500ms;

std::size_t kind_index(const Frame& frame) { return frame.kind == FrameKind::kAudio ? 0 : 1; }

}  // namespace

void PlayerQueue::set_expected(bool audio, bool video) {
    expects_[0] = audio;
    expects_[1] = video;
}

void PlayerQueue::push_start(Instant now, const std::vector<FrameRef>& frames) {
    for (const FrameRef& frame : frames) {
        if (frame->is_key && !sound_from_) sound_from_ = frame->dts;
        hold(now, frame, true);
    }
    release_held(now);
}

void PlayerQueue::push(Instant now, FrameRef frame) {
    if (close_reason_ != CloseReason::kNone) return;
    if (!frame->is_config) {
        const bool is_picture = frame->kind == FrameKind::kVideo;
        const bool is_useless = is_picture ? waits_for_key_ && !frame->is_key
                                           : sound_from_ && frame->dts < *sound_from_;
        if (is_useless) {
            ++stats_.dropped_frames;
            return;
        }
        if (is_picture) waits_for_key_ = false;
    }
    hold(now, std::move(frame), false);
    release_held(now);
    bound(now);
}

void PlayerQueue::hold(Instant now, FrameRef frame, bool is_start) {
    const std::size_t kind = kind_index(*frame);
    bytes_ += frame->memory_bytes();
    if (!frame->is_config) newest_[kind] = frame->dts;
    const Duration limit = kind == 0 ? config_.max_sound_hold : config_.max_picture_hold;
    held_[kind].push_back({.frame = std::move(frame), .until = now + limit, .is_start = is_start});
}

void PlayerQueue::release_held(Instant now, bool all) {
    while (true) {
        // A configuration goes with what it is for, ahead of the order of times; at equal times the
        // picture is first, because players start with it.
        std::size_t kind = 2;
        for (const std::size_t k : {std::size_t{1}, std::size_t{0}}) {
            if (held_[k].empty()) continue;
            if (kind == 2 || held_[k].front().frame->is_config ||
                held_[k].front().frame->dts < held_[kind].front().frame->dts) {
                kind = k;
            }
            if (held_[k].front().frame->is_config) break;
        }
        if (kind == 2) return;
        const std::size_t other = 1 - kind;
        const Held& first = held_[kind].front();
        const Frame& frame = *first.frame;
        const bool is_awaited = expects_[other] && !(other == 1 && waits_for_key_);
        const bool is_first = frame.is_key && !has_picture_;
        const bool in_order = frame.is_config || is_first || !held_[other].empty() || !is_awaited ||
                              !newest_[other] || *newest_[other] >= frame.dts ||
                              frame.dts - *newest_[other] > kStoppedKind;
        if (!in_order) {
            if (now < first.until && !all) return;
            ++stats_.held_too_long;
        }
        Held next = std::move(held_[kind].front());
        held_[kind].pop_front();
        make_ready(now, std::move(next));
    }
}

void PlayerQueue::make_ready(Instant now, Held held) {
    if (ready_.empty()) stalled_since_ = now;
    if (held.is_start && start_frames_ == ready_.size()) ++start_frames_;
    if (held.frame->kind == FrameKind::kVideo && !held.frame->is_config) has_picture_ = true;
    ++stats_.frames;
    ready_.push_back(std::move(held.frame));
}

void PlayerQueue::bound(Instant now) {
    if (bytes_ + unsent_ > config_.max_bytes) {
        release_held(now, true);
        return drop_to_live_edge(now);
    }
    // The start is behind the live edge by its nature.
    if (ready_.size() <= start_frames_) return;
    const auto live = ready_.begin() + static_cast<std::ptrdiff_t>(start_frames_);
    const auto first =
        std::find_if(live, ready_.end(), [](const FrameRef& f) { return !f->is_config; });
    if (first == ready_.end()) return;
    if (ready_.back()->dts - (*first)->dts > config_.max_delay) drop_to_live_edge(now);
}

void PlayerQueue::drop_to_live_edge(Instant now) {
    std::size_t key = 0;
    for (std::size_t i = ready_.size(); i-- > 1 && key == 0;) {
        if (ready_[i]->is_key) key = i;
    }
    // A key frame that is itself too old would be found again with each frame that follows.
    if (ready_.back()->dts - ready_[key]->dts > config_.max_delay) key = 0;
    std::size_t left = 0;
    for (std::size_t i = key; i < ready_.size(); ++i) left += ready_[i]->memory_bytes();
    if (left + unsent_ > config_.max_bytes) key = 0;
    if (key == 0) waits_for_key_ = true;
    // Nothing before the key frame stays, and without one no picture does; of sound the newest.
    const MediaTime sound_from = key != 0 ? ready_[key]->dts : ready_.back()->dts - kKeptSound;
    std::deque<FrameRef> kept;
    FrameRef config[2];
    for (std::size_t i = 0; i < ready_.size(); ++i) {
        FrameRef& frame = ready_[i];
        const std::size_t kind = kind_index(*frame);
        if (frame->is_config) {
            config[kind] = frame;
        } else if (kind == 1 ? (key != 0 && i >= key) : frame->dts >= sound_from) {
            // Each kind's newest configuration before the first frame that stays.
            for (FrameRef& c : config) {
                if (c) kept.push_back(std::exchange(c, nullptr));
            }
            kept.push_back(frame);
        } else {
            bytes_ -= frame->memory_bytes();
            ++stats_.dropped_frames;
        }
    }
    for (FrameRef& c : config) {
        if (c) kept.push_back(std::move(c));
    }
    ready_ = std::move(kept);
    bytes_ = 0;
    for (const FrameRef& frame : ready_) bytes_ += frame->memory_bytes();
    for (const auto& held : held_) {
        for (const Held& h : held) bytes_ += h.frame->memory_bytes();
    }
    if (waits_for_key_) {
        // What is held up to a key frame among it refers to what has gone.
        std::erase_if(held_[1], [this](const Held& h) {
            if (h.frame->is_key) waits_for_key_ = false;
            if (h.frame->is_config || !waits_for_key_) return false;
            bytes_ -= h.frame->memory_bytes();
            ++stats_.dropped_frames;
            return true;
        });
    }
    start_frames_ = 0;
    ++stats_.drops;
    drops_.push_back(now);
    while (now - drops_.front() > config_.drop_window) drops_.pop_front();
    if (drops_.size() >= config_.max_drops || bytes_ + unsent_ > config_.max_bytes) {
        close_reason_ = CloseReason::kTooSlow;
    }
}

void PlayerQueue::handle_timeout(Instant now) {
    release_held(now);
    bound(now);
    if (stalled_since_ && close_reason_ == CloseReason::kNone &&
        now - *stalled_since_ >= config_.stall_timeout) {
        close_reason_ = CloseReason::kStalled;
    }
}

std::optional<Instant> PlayerQueue::next_deadline() const {
    if (close_reason_ != CloseReason::kNone) return std::nullopt;
    std::optional<Instant> next;
    const auto consider = [&next](Instant at) { next = next ? std::min(*next, at) : at; };
    for (const auto& held : held_) {
        if (!held.empty()) consider(held.front().until);
    }
    if (stalled_since_) consider(*stalled_since_ + config_.stall_timeout);
    return next;
}

FrameRef PlayerQueue::take(Instant now, std::size_t unsent) {
    unsent_ = unsent;
    if (ready_.empty()) return nullptr;
    FrameRef frame = std::move(ready_.front());
    ready_.pop_front();
    bytes_ -= frame->memory_bytes();
    unsent_ += frame->memory_bytes();
    if (start_frames_ != 0) --start_frames_;
    stalled_since_ = ready_.empty() ? std::nullopt : std::optional(now);
    return frame;
}

const char* to_text(PlayerQueue::CloseReason reason) {
    switch (reason) {
        case PlayerQueue::CloseReason::kNone:
            return "none";
        case PlayerQueue::CloseReason::kStalled:
            return "stalled: nothing was read for too long";
        case PlayerQueue::CloseReason::kTooSlow:
            return "too slow for this stream";
    }
    return "";
}

}  // namespace parley::convert

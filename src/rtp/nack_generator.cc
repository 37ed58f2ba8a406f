#include "rtp/nack_generator.h"

#include <algorithm>

namespace parley::rtp {

namespace {

/// How soon the rest follows when more numbers are due than one request takes.
constexpr Duration kNextRequest = 1ms;

}  // namespace

NackGenerator::NackGenerator(const Config& config) : config_(config) {
    config_.max_missing = std::clamp<std::size_t>(config_.max_missing, 1, kMaxMissing);
}

void NackGenerator::set_round_trip(Duration round_trip) {
    round_trip_ = std::clamp<Duration>(round_trip, Duration::zero(), kMaxRoundTrip);
}

void NackGenerator::handle_packet(Instant now, ExtSeq sequence) {
    if (!highest_) {
        highest_ = sequence;
        return;
    }
    if (sequence <= *highest_) {
        const std::size_t i = lower_bound(sequence);
        if (i == size_ || at(i).sequence != sequence || at(i).resolved) return;
        resolve(at(i));
        ++stats_.recovered;
        drop_resolved_front();
        return;
    }
    if (sequence - *highest_ > kMaxJump) {
        for (std::size_t i = 0; i < size_; ++i) {
            if (!at(i).resolved) give_up(at(i));
        }
        drop_resolved_front();
        key_frame_after_ = sequence - 1;
    } else {
        for (ExtSeq missing = *highest_ + 1; missing < sequence; ++missing) add(now, missing);
    }
    highest_ = sequence;
}

void NackGenerator::handle_key_frame(ExtSeq sequence) {
    const std::size_t end = lower_bound(sequence);
    for (std::size_t i = 0; i < end; ++i) {
        if (!at(i).resolved) resolve(at(i));
    }
    drop_resolved_front();
    if (key_frame_after_ && *key_frame_after_ < sequence) key_frame_after_.reset();
}

InlineVector<ExtSeq, NackGenerator::kMaxPerRequest> NackGenerator::take_due(Instant now) {
    InlineVector<ExtSeq, kMaxPerRequest> due;
    if (live_ == 0 || !deadline_ || now < *deadline_) return due;
    const Duration interval = std::max(round_trip_, config_.min_interval);
    deadline_.reset();
    for (std::size_t i = 0; i < size_; ++i) {
        Missing& entry = at(i);
        if (entry.resolved) continue;
        if (entry.due <= now) {
            if (entry.attempts >= config_.max_attempts || now - entry.first_seen > config_.max_age) {
                give_up(entry);
                continue;
            }
            if (due.try_push_back(entry.sequence)) {
                ++entry.attempts;
                ++stats_.requests;
                entry.due = now + interval;
            } else {
                entry.due = now + kNextRequest;
            }
        }
        if (!deadline_ || entry.due < *deadline_) deadline_ = entry.due;
    }
    drop_resolved_front();
    return due;
}

bool NackGenerator::take_key_frame_request() {
    if (!key_frame_after_) return false;
    key_frame_after_.reset();
    ++stats_.key_frame_requests;
    return true;
}

std::optional<Instant> NackGenerator::next_deadline() const {
    if (live_ == 0) return std::nullopt;
    return deadline_;
}

bool NackGenerator::is_missing(ExtSeq sequence) const {
    const std::size_t i = lower_bound(sequence);
    return i < size_ && at(i).sequence == sequence && !at(i).resolved;
}

std::size_t NackGenerator::lower_bound(ExtSeq sequence) const {
    std::size_t low = 0;
    std::size_t high = size_;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (at(middle).sequence < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void NackGenerator::add(Instant now, ExtSeq sequence) {
    ++stats_.missing_total;
    if (live_ >= config_.max_missing) {
        give_up(at(0));  // the front is live, see drop_resolved_front()
        drop_resolved_front();
    }
    if (size_ == kMaxMissing) compact();
    at(size_++) = Missing{.sequence = sequence, .first_seen = now, .due = now + config_.first_delay};
    ++live_;
    if (!deadline_ || now + config_.first_delay < *deadline_) deadline_ = now + config_.first_delay;
}

void NackGenerator::resolve(Missing& entry) {
    entry.resolved = true;
    --live_;
}

void NackGenerator::give_up(Missing& entry) {
    resolve(entry);
    ++stats_.given_up;
    key_frame_after_ = std::max(key_frame_after_.value_or(0), entry.sequence);
}

void NackGenerator::drop_resolved_front() {
    while (size_ > 0 && at(0).resolved) {
        head_ = (head_ + 1) % kMaxMissing;
        --size_;
    }
    if (size_ == 0) deadline_.reset();
}

void NackGenerator::compact() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        if (!at(i).resolved) at(kept++) = at(i);
    }
    size_ = kept;
}

}  // namespace parley::rtp

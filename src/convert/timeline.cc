#include "convert/timeline.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace parley::convert {

namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::size_t index_of(FrameKind kind) { return kind == FrameKind::kAudio ? 0 : 1; }

MediaTime from_ms(std::int64_t ms) { return Duration(ms * 1'000'000); }

std::int64_t to_ns_since_1900(NtpTime ntp) {
    const auto seconds = static_cast<std::int64_t>(ntp.value >> 32);
    const auto fraction = static_cast<std::int64_t>(ntp.value & 0xFFFF'FFFF);
    return seconds * kNsPerSecond + (fraction * kNsPerSecond >> 32);
}

std::int64_t magnitude(Duration d) { return std::abs(d.count()); }

}  // namespace

MediaTime RtmpTimeline::map(Instant now, FrameKind kind, std::int64_t timestamp_ms) {
    Kind& own = kinds_[index_of(kind)];
    if (!own.seen) own.shift_ms = shift_ms_;
    std::int64_t ms = timestamp_ms + own.shift_ms;
    if (!first_ms_) {
        first_ms_ = ms;
    } else {
        const std::int64_t limit = to_ms(kMaxStep);
        const std::int64_t expected =
            newest_ms_ + std::max<std::int64_t>(0, to_ms(now - newest_at_));
        const auto is_far = [&](std::int64_t candidate) {
            return std::abs(candidate - newest_ms_) > limit &&
                   std::abs(candidate - expected) > limit;
        };
        if (is_far(ms)) {
            if (jumps_ == 0 || now - shift_at_ > kJumpWindow || is_far(timestamp_ms + shift_ms_)) {
                shift_ms_ = expected - timestamp_ms;
                shift_at_ = now;
                ++jumps_;
            }
            own.shift_ms = shift_ms_;
            ms = timestamp_ms + shift_ms_;
        }
    }
    if (own.seen) ms = std::max(ms, own.last_ms);
    own.seen = true;
    own.last_ms = ms;
    if (ms >= newest_ms_ || ms == *first_ms_) {
        newest_ms_ = ms;
        newest_at_ = now;
    }
    return from_ms(ms);
}

NtpTime RtmpTimeline::ntp_at(MediaTime time, NtpTime at_first_frame) const {
    const std::int64_t ns = (time - from_ms(first_ms_.value_or(0))).count();
    const std::int64_t fraction = (ns % kNsPerSecond) * (std::int64_t{1} << 32) / kNsPerSecond;
    const std::int64_t whole = (ns / kNsPerSecond) * (std::int64_t{1} << 32);
    return {at_first_frame.value + static_cast<std::uint64_t>(whole + fraction)};
}

SenderClock::SenderClock(NtpTime zero, Instant zero_at)
    : origin_ns_(to_ns_since_1900(zero)), origin_at_(zero_at) {}

std::int64_t RtpTimeline::to_ns(rtp::ExtTimestamp timestamp) const {
    const auto ticks = static_cast<std::int64_t>(timestamp - *first_);
    const std::int64_t rate = clock_rate_;
    return ticks / rate * kNsPerSecond + ticks % rate * kNsPerSecond / rate;
}

MediaTime RtpTimeline::map(Instant now, rtp::ExtTimestamp timestamp) {
    if (!first_) {
        first_ = timestamp;
        last_ = timestamp;
        last_at_ = now;
        if (!sender_.origin_at_) sender_.origin_at_ = now;
        offset_ns_ = (now - *sender_.origin_at_).count();
        if (report_) apply(*report_);
    }
    const std::int64_t rtp_ns = to_ns(timestamp);
    const Duration step = Duration(rtp_ns - to_ns(last_));
    const Duration unexplained = step - (now - last_at_);
    if (magnitude(step) > kMaxJump.count() && magnitude(unexplained) > kMaxJump.count()) {
        offset_ns_ -= unexplained.count();
        has_report_ = false;  // what the last one said is about other RTP times
        report_.reset();
        ++jumps_;
    }
    if (timestamp > last_ || step.count() < -kMaxJump.count()) {
        last_ = timestamp;
        last_at_ = now;
    }
    return Duration(rtp_ns + offset_ns_);
}

void RtpTimeline::handle_sender_report(Instant now, NtpTime ntp, std::uint32_t rtp_timestamp) {
    const Report report{.at = now, .ntp_ns = to_ns_since_1900(ntp), .rtp_timestamp = rtp_timestamp};
    if (first_) apply(report);
    report_ = report;
}

void RtpTimeline::apply(const Report& report) {
    const auto behind =
        static_cast<std::int32_t>(report.rtp_timestamp - static_cast<std::uint32_t>(last_));
    const std::int64_t rtp_ns =
        to_ns(last_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(behind)));
    if (!has_report_) {
        steps_taken_ = sender_.step_count_;
        step_sum_ns_ = sender_.step_sum_ns_;
    }
    // The first report of the sender leaves the mapping by arrival as it is.
    if (!sender_.origin_ns_)
        sender_.origin_ns_ = report.ntp_ns - step_sum_ns_ - rtp_ns - offset_ns_;

    const auto error = [&] {
        return report.ntp_ns - step_sum_ns_ - *sender_.origin_ns_ - rtp_ns - offset_ns_;
    };
    if (!has_report_) {
        offset_ns_ += error();
        has_report_ = true;
        return;
    }
    const std::int64_t ntp_step = report.ntp_ns - report_->ntp_ns;
    const std::int64_t unexplained = ntp_step - (report.at - report_->at).count();
    if (std::abs(unexplained) > kMaxSkew.count() && std::abs(error()) > kMaxSkew.count()) {
        absorb_step(error());
    }
    const std::int64_t left = error();
    if (std::abs(left) > kMaxSkew.count()) {
        offset_ns_ += left;  // RTP time stood still or ran off
        ++jumps_;
        return;
    }
    offset_ns_ += std::clamp(left / 4, -kMaxSlew.count(), kMaxSlew.count());
}

void RtpTimeline::absorb_step(std::int64_t measured_ns) {
    std::vector<std::int64_t>& known = sender_.steps_ns_;
    const std::size_t forgotten = sender_.step_count_ - known.size();
    if (steps_taken_ < forgotten) {
        steps_taken_ = sender_.step_count_;
        step_sum_ns_ += measured_ns;
        return;
    }
    if (steps_taken_ < sender_.step_count_) {
        const std::int64_t noticed = known[steps_taken_ - forgotten];
        if (std::abs(noticed - measured_ns) < kMaxSkew.count() / 2) {
            step_sum_ns_ += noticed;
            ++steps_taken_;
            return;
        }
    }
    known.push_back(measured_ns);
    if (known.size() > SenderClock::kMaxSteps) known.erase(known.begin());
    ++sender_.step_count_;
    sender_.step_sum_ns_ += measured_ns;
    steps_taken_ = sender_.step_count_;
    step_sum_ns_ += measured_ns;
}

PlayerClock::Times PlayerClock::map(const Frame& frame) {
    Kind& own = kinds_[index_of(frame.kind)];
    const Kind& other = kinds_[1 - index_of(frame.kind)];
    const std::int64_t newest_ms = std::max(own.last_ms, other.last_ms);
    if (frame.is_config) {
        return {.dts_ms = static_cast<std::uint32_t>(newest_ms),
                .composition_ms = 0,
                .ext_dts_ms = newest_ms};
    }
    const bool was_seen = own.seen;
    const bool jumped = own.seen && magnitude(frame.dts - own.newest) > kMaxStep.count();
    if (!own.seen || jumped) {
        if (other.seen && magnitude(frame.dts - other.newest) <= kMaxStep.count()) {
            own.origin = other.origin;
        } else {
            own.origin = frame.dts - from_ms(newest_ms);
        }
        if (jumped) ++jumps_;
        own.newest = frame.dts;
        own.seen = true;
    }
    own.newest = std::max(own.newest, frame.dts);
    const std::int64_t dts_ms = to_ms(frame.dts - own.origin);
    const std::int64_t after_own = was_seen ? own.last_ms + 1 : 0;
    const std::int64_t floor_ms =
        config_.monotonic_across_kinds ? std::max(newest_ms, after_own) : after_own;
    const std::int64_t ms = std::max(dts_ms, floor_ms);
    max_lift_ = std::max<Duration>(max_lift_, from_ms(ms - dts_ms));
    own.last_ms = ms;
    const std::int64_t pts_ms = to_ms(frame.pts - own.origin);
    return {.dts_ms = static_cast<std::uint32_t>(ms),
            .composition_ms =
                static_cast<std::int32_t>(std::clamp<std::int64_t>(pts_ms - ms, 0, 0x7F'FFFF)),
            .ext_dts_ms = ms};
}

}  // namespace parley::convert

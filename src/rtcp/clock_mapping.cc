#include "rtcp/clock_mapping.h"

#include <algorithm>

namespace parley::rtcp {

namespace {

/// `count` units of 1/rate s as 32.32 fixed point seconds. |count| <= 2^31, so nothing overflows.
std::int64_t to_fixed_point(std::int64_t count, std::int64_t rate) {
    const std::int64_t seconds = count / rate;
    const std::int64_t remainder = count % rate;
    return seconds * (std::int64_t{1} << 32) + remainder * (std::int64_t{1} << 32) / rate;
}

}  // namespace

void ClockMapping::handle_sender_report(Instant now, NtpTime ntp, std::uint32_t rtp_timestamp) {
    // RFC 3550 section 6.4.1: a sender without a wall clock may say 0, which maps nothing.
    if (ntp.value == 0) return;
    known_ = true;
    ntp_ = ntp;
    rtp_timestamp_ = rtp_timestamp;
    arrival_ = now;
}

std::optional<NtpTime> ClockMapping::ntp_at(std::uint32_t rtp_timestamp) const {
    if (!known_) return std::nullopt;
    const auto ticks = static_cast<std::int32_t>(rtp_timestamp - rtp_timestamp_);
    return NtpTime{ntp_.value + static_cast<std::uint64_t>(to_fixed_point(ticks, clock_rate_))};
}

std::optional<std::uint32_t> ClockMapping::rtp_at(NtpTime ntp) const {
    if (!known_) return std::nullopt;
    // Whole seconds (rounded down) and the fraction apart, so that the product stays within 64 bits. The
    // result is rounded: ntp_at() rounds down, and rtp_at(ntp_at(x)) is x.
    const auto difference = static_cast<std::int64_t>(ntp.value - ntp_.value);
    const auto seconds = static_cast<std::uint64_t>(difference >> 32);
    const std::uint64_t fraction = static_cast<std::uint64_t>(difference) & 0xFFFFFFFF;
    const std::uint64_t ticks =
        seconds * clock_rate_ + ((fraction * clock_rate_ + (std::uint64_t{1} << 31)) >> 32);
    return static_cast<std::uint32_t>(rtp_timestamp_ + ticks);
}

std::optional<ClockPoint> ClockMapping::extrapolate(Instant now) const {
    if (!known_) return std::nullopt;
    const std::int64_t elapsed = std::max(now - arrival_, Duration::zero()).count();
    constexpr std::int64_t kSecond = 1'000'000'000;
    const NtpTime ntp{ntp_.value + (static_cast<std::uint64_t>(elapsed / kSecond) << 32) +
                      (static_cast<std::uint64_t>(elapsed % kSecond) << 32) / kSecond};
    return ClockPoint{.ntp = ntp, .rtp_timestamp = *rtp_at(ntp)};
}

}  // namespace parley::rtcp

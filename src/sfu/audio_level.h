#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/time.h"

namespace parley::sfu {

/// How loud a track is, in dBov (RFC 6464: 0 is full scale, -127 digital silence).
struct TrackLevel {
    TrackId track;
    int level_dbov = 0;
};

/// A meter for people over what a sender says of each packet: it rises at once and falls slowly, so
/// that whoever looks twice a second misses no word. Cheap enough for each packet.
class AudioLevelMeter {
public:
    static constexpr int kSilence = -127;
    static constexpr int kFallPerSecond = 30;  ///< dB
    /// No packet for so long: nothing is known. DTX sends one in 400 ms.
    static constexpr Duration kForgetAfter = 2s;

    /// `level` as on the wire: 0 (loudest) to 127, the V bit is not looked at.
    void handle_packet(Instant at, std::uint8_t level) {
        if (heard_at_) at = std::max(at, *heard_at_);
        const int heard = -static_cast<int>(level & 0x7F);
        if (heard >= fallen(at)) {
            peak_ = heard;
            peak_at_ = at;
        }
        last_ = heard;
        heard_at_ = at;
    }
    /// nullopt: nothing came of late.
    [[nodiscard]] std::optional<int> read(Instant now) const {
        if (!heard_at_ || now - *heard_at_ >= kForgetAfter) return std::nullopt;
        return std::max(last_, fallen(now));
    }

private:
    [[nodiscard]] int fallen(Instant now) const {
        const Duration since = std::clamp(now - peak_at_, Duration::zero(), Duration(10s));
        return std::max(kSilence, peak_ - static_cast<int>(to_ms(since)) * kFallPerSecond / 1'000);
    }

    std::optional<Instant> heard_at_;
    Instant peak_at_;
    int peak_ = kSilence;
    int last_ = kSilence;
};

}  // namespace parley::sfu

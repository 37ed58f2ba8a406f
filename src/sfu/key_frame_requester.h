#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace parley::sfu {

/// Asks one encoder for key frames: at most one request in any `kMinInterval`, however many ask, and again
/// until one comes (the request or the frame may be lost). Gives up growing more frequent after `kQuickTries`,
/// so that a publisher who cannot answer is not asked for ever at full pace.
class KeyFrameRequester {
public:
    static constexpr Duration kMinInterval = 500ms;
    static constexpr Duration kSlowInterval = 3s;
    static constexpr std::uint32_t kQuickTries = 10;

    void want(Instant now) {
        if (wanted_) return;
        wanted_ = true;
        tries_ = 0;
        due_ = last_ && now - *last_ < kMinInterval ? *last_ + kMinInterval : now;
    }
    /// Media comes again after a silence: what the requests before it ran into is over.
    void handle_return(Instant now) {
        if (!wanted_) return;
        tries_ = 0;
        due_ = std::max(now, last_ ? *last_ + kMinInterval : now);
    }
    void handle_key_frame() { wanted_ = false; }
    /// True when a PLI is to be sent now.
    [[nodiscard]] bool take_due(Instant now) {
        if (!wanted_ || now < due_) return false;
        last_ = now;
        ++tries_;
        due_ = now + (tries_ < kQuickTries ? kMinInterval : kSlowInterval);
        return true;
    }
    [[nodiscard]] std::optional<Instant> next_deadline() const {
        return wanted_ ? std::optional(due_) : std::nullopt;
    }
    [[nodiscard]] bool is_wanted() const { return wanted_; }

private:
    bool wanted_ = false;
    std::uint32_t tries_ = 0;
    Instant due_;
    std::optional<Instant> last_;
};

}  // namespace parley::sfu

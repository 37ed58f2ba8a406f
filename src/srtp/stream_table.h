#pragma once

#include <cstdint>
#include <vector>

#include "srtp/replay_window.h"
#include "srtp/session.h"

namespace parley::srtp {

/// Replay windows by SSRC. The keys stand apart from the windows: a search walks a few cache lines at most,
/// and begins with the stream of the packet before.
template <class Window>
class StreamTable {
public:
    Window* find(std::uint32_t ssrc) {
        if (last_ < ssrcs_.size() && ssrcs_[last_] == ssrc) return &windows_[last_];
        for (std::size_t i = 0; i < ssrcs_.size(); ++i) {
            if (ssrcs_[i] != ssrc) continue;
            last_ = i;
            return &windows_[i];
        }
        return nullptr;
    }
    [[nodiscard]] bool full() const { return ssrcs_.size() == kMaxReceiveStreams; }
    Window& add(std::uint32_t ssrc) {
        last_ = ssrcs_.size();
        ssrcs_.push_back(ssrc);
        return windows_.emplace_back();
    }
    void erase(std::uint32_t ssrc) {
        if (find(ssrc) == nullptr) return;
        ssrcs_[last_] = ssrcs_.back();
        windows_[last_] = windows_.back();
        ssrcs_.pop_back();
        windows_.pop_back();
    }

private:
    std::vector<std::uint32_t> ssrcs_;
    std::vector<Window> windows_;
    std::size_t last_ = 0;
};

using RtpWindow = ReplayWindow<17>;  // 1,024 packets
using RtcpWindow = ReplayWindow<3>;  // 128 packets
static_assert(RtpWindow::kSize >= 1024 && RtcpWindow::kSize >= 64);  // RFC 3711 section 3.3.2: at least 64

}  // namespace parley::srtp

#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sfu/audio_level.h"
#include "sfu/burst.h"
#include "sfu/inbound_stream.h"
#include "sfu/media_api.h"
#include "sfu/outbound_stream.h"

namespace parley::sfu {

struct Peer;

/// A subscriber's stream together with whose it is. Owned by the peer; the track holds it for fan-out.
struct Subscription {
    Peer* peer = nullptr;
    struct Track* track = nullptr;
    OutboundStream stream;
};

/// One published source: its encodings and who gets them.
struct Track {
    struct Encoding {
        std::string rid;
        std::unique_ptr<InboundStream> stream;  ///< null until its SSRC is known
        Ssrc rtx_ssrc;                          ///< known before the stream, or 0
        Burst burst;                            ///< what arrived in this turn
        bool is_dirty = false;
        std::uint32_t taps = 0;                 ///< consumers without a transport
    };

    TrackId id;
    Peer* publisher = nullptr;  ///< null: a local track
    OwnerRef owner;             ///< of a local track
    AddTrack config;
    std::vector<std::unique_ptr<Encoding>> encodings;  ///< by Layer
    std::vector<Subscription*> subscriptions;
    AudioLevelMeter level;  ///< audio
    bool has_started = false;
    bool is_muted = false;  ///< by control: what arrives goes to nobody

    [[nodiscard]] bool is_video() const { return config.kind == MediaKind::kVideo; }
    [[nodiscard]] std::array<InboundStream*, kMaxLayers> streams() const {
        std::array<InboundStream*, kMaxLayers> out{};
        for (std::size_t i = 0; i < encodings.size(); ++i) out[i] = encodings[i]->stream.get();
        return out;
    }
};

}  // namespace parley::sfu

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/inline_vector.h"
#include "rtcp/transport_feedback.h"
#include "sfu/track.h"
#include "webrtc/transport.h"

namespace parley::sfu {

/// One peer connection at the node: its transport, what it publishes, what it subscribes to. Plain data that
/// `Node` works on; tracks and subscriptions point at each other and leave the tables together.
struct Peer {
    /// Which stream an SSRC of this peer belongs to.
    struct Binding {
        Ssrc ssrc;
        Track* track = nullptr;
        Layer layer = Layer::kHigh;
        bool is_rtx = false;
    };
    static constexpr std::size_t kMaxPaths = 8;
    static constexpr std::size_t kMaxBindings = 128;
    static constexpr std::size_t kMaxTracks = 32;
    static constexpr std::size_t kMaxSubscriptions = 512;

    Peer(const OpenPeer& command, dtls::Factory& factory, Instant now, Ssrc rtcp_ssrc)
        : id(command.peer),
          transport({.local_ice = command.local_ice,
                     .dtls_role = command.dtls_role,
                     .remote_fingerprint = command.remote_fingerprint,
                     .connect_timeout = command.connect_timeout},
                    factory,
                    now),
          receive_extensions(command.receive_extensions),
          send_extensions(command.send_extensions),
          own_ssrc(rtcp_ssrc),
          owner(command.owner) {}

    PeerId id;
    webrtc::Transport transport;
    rtp::ExtensionIds receive_extensions;
    rtp::ExtensionIds send_extensions;
    Ssrc own_ssrc;  ///< sender of the RTCP that we write
    OwnerRef owner;
    /// Since the last report, without what tracks and subscriptions that are there have counted themselves.
    Usage usage;
    QualitySample quality;  ///< the same
    InlineVector<Path, kMaxPaths> paths;
    std::vector<std::string> ufrags;  ///< newest last, at most two

    std::vector<Track*> tracks;
    std::vector<Binding> bindings;
    std::unique_ptr<rtcp::TransportFeedbackGenerator> feedback;

    std::vector<std::unique_ptr<Subscription>> subscriptions;

    Bitrate told;   ///< REMB that this publisher got from us, 0: none
    Bitrate heard;  ///< REMB that this subscriber sent, 0: none

    std::optional<Instant> next_report;
    std::optional<Instant> scheduled;  ///< the timer queue's entry that counts

    [[nodiscard]] const Binding* find_binding(Ssrc ssrc) const {
        for (const Binding& b : bindings) {
            if (b.ssrc == ssrc) return &b;
        }
        return nullptr;
    }
    [[nodiscard]] Subscription* find_subscription(TrackId track) const {
        for (const auto& s : subscriptions) {
            if (s->stream.config().track == track) return s.get();
        }
        return nullptr;
    }
    [[nodiscard]] Subscription* find_subscription_by_ssrc(Ssrc ssrc) const {
        for (const auto& s : subscriptions) {
            if (s->stream.config().ssrc == ssrc) return s.get();
        }
        return nullptr;
    }
};

}  // namespace parley::sfu

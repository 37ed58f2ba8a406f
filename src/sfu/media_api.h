#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/transport.h"
#include "base/units.h"
#include "dtls/endpoint.h"
#include "ice/lite_agent.h"
#include "rtp/extensions.h"
#include "sfu/layer.h"
#include "sfu/usage.h"

/// What room control asks of a media worker and what it hears back: moved values through bounded mailboxes,
/// no shared state. Control chooses every identifier, SSRC and credential, so that it can answer a client
/// without waiting for the worker; commands for one worker are applied in the order they were given.
namespace parley::sfu {

enum class MediaKind : std::uint8_t { kAudio, kVideo };
/// RTP clock of every codec of a kind that we forward (RFC 7587 section 4.1, RFC 6184 section 8.2.1), in Hz.
[[nodiscard]] constexpr std::uint32_t clock_rate(MediaKind kind) {
    return kind == MediaKind::kAudio ? 48'000 : 90'000;
}
enum class Codec : std::uint8_t { kOpus, kH264, kVp8, kVp9, kAv1 };

/// Opens one peer connection (one transport). `pubpc` and `subpc` of a member are two peers.
struct OpenPeer {
    PeerId peer;
    ice::Credentials local_ice;
    dtls::Role dtls_role = dtls::Role::kServer;
    std::optional<dtls::Fingerprint> remote_fingerprint;  ///< empty: not known, any is accepted
    rtp::ExtensionIds receive_extensions;                 ///< what the client writes
    rtp::ExtensionIds send_extensions;                    ///< what we write
    Duration connect_timeout = 30s;                       ///< ICE and DTLS together
    OwnerRef owner{};                                     ///< null: nobody asks what it does
};
struct ClosePeer {
    PeerId peer;
};
struct RestartIce {
    PeerId peer;
    ice::Credentials local_ice;
};

/// One encoding of a published track. Either the SSRC is known from SDP, or only the RID, which the worker
/// binds to an SSRC when the first packet with the header extensions arrives.
struct EncodingConfig {
    std::string rid;  ///< empty when the SSRC is known
    Ssrc ssrc;
    Ssrc rtx_ssrc;    ///< 0: no RTX (RFC 4588), or learnt by repaired-rtp-stream-id
};

/// Publishes a track on a peer. `encodings[0]` is kHigh, `encodings[1]` (if there) kLow.
struct AddTrack {
    PeerId peer;
    TrackId track;
    MediaKind kind = MediaKind::kAudio;
    Codec codec = Codec::kOpus;
    PayloadType payload_type;          ///< what the publisher sends
    PayloadType rtx_payload_type;      ///< 0: none
    PayloadType red_payload_type;      ///< 0: none (RFC 2198, audio)
    std::string mid;                   ///< m-line of the publisher's offer, for MID demultiplexing
    std::vector<EncodingConfig> encodings;
    Bitrate max_bitrate;               ///< 0: default (64 kb/s audio, 600 kb/s video)
};
/// Publishes a track without a peer: its RTP packets are handed in by what carries `source` on the worker
/// (an RTMP publisher, say). One encoding; RemoveTrack ends it. Its encoder cannot be asked for a key frame.
struct AddLocalTrack {
    TrackId track;
    StreamId source;
    MediaKind kind = MediaKind::kAudio;
    Codec codec = Codec::kOpus;
    OwnerRef owner{};  ///< as for peers
};
struct RemoveTrack {
    TrackId track;
};

/// Forwards a track to a peer. The worker asks the publisher for a key frame as soon as the peer is connected.
struct Subscribe {
    PeerId peer;
    TrackId track;
    Ssrc ssrc;                        ///< announced to the subscriber
    Ssrc rtx_ssrc;                    ///< 0: no RTX
    PayloadType payload_type;
    PayloadType rtx_payload_type;
    PayloadType red_payload_type;     ///< 0: RED packets are not forwarded to this subscriber as RED
    Layer layer = Layer::kHigh;
    std::string cname;                ///< for SDES (RFC 3550 section 6.5.1)
};
struct Unsubscribe {
    PeerId peer;
    TrackId track;
};
struct SetLayer {
    PeerId peer;
    TrackId track;
    Layer layer = Layer::kHigh;
};
struct RequestKeyFrame {
    TrackId track;
};
/// While it is muted nobody gets anything of the track, and nothing of that time is sent again later.
struct SetMuted {
    TrackId track;
    bool muted = false;
};

using MediaCommand = std::variant<OpenPeer, ClosePeer, RestartIce, AddTrack, AddLocalTrack, RemoveTrack,
                                  Subscribe, Unsubscribe, SetLayer, RequestKeyFrame, SetMuted>;

/// ICE and DTLS are up; comes once for each peer.
struct PeerConnected {
    PeerId peer;
};
enum class DisconnectReason : std::uint8_t {
    kConnectTimeout,
    kIceFailed,
    kDtlsFailed,
    kFingerprintMismatch,
    kClosedByPeer,
};
/// The peer is gone and its worker has forgotten it, with its tracks and subscriptions; comes at most once,
/// and not after ClosePeer.
struct PeerDisconnected {
    PeerId peer;
    DisconnectReason reason{};
};
/// The subscriber now receives this layer (comes for the first packet and for every switch).
struct LayerChanged {
    PeerId peer;
    TrackId track;
    Layer layer{};
};
/// The first RTP packet of a published track arrived.
struct TrackStarted {
    TrackId track;
};

using MediaEvent = std::variant<PeerConnected, PeerDisconnected, LayerChanged, TrackStarted>;

/// An address that clients can reach a worker at; becomes an ICE candidate of type host.
struct WorkerEndpoint {
    SocketAddress address;
    bool tcp = false;
};
/// What control must know of a worker.
struct WorkerInfo {
    WorkerId worker;
    std::vector<WorkerEndpoint> endpoints;
};

}  // namespace parley::sfu

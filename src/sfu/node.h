#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "base/transport.h"
#include "dtls/endpoint.h"
#include "media/packet.h"
#include "media/packet_sink.h"
#include "sfu/counters.h"
#include "sfu/media_api.h"
#include "sfu/peer.h"
#include "sfu/timer_queue.h"
#include "sfu/track.h"
#include "sfu/usage.h"

namespace parley::sfu {

/// Where a node's results go. `sink` may drain itself; `events` is taken by the caller after each input.
struct NodeOutputs {
    media::PacketSink& sink;
    std::vector<MediaEvent>& events;
};

/// The media of one worker, without its sockets: peers, tracks, forwarding. A pure core: datagrams, commands
/// and time go in, datagrams and events come out. The simulator drives the very same object.
class Node {
public:
    static constexpr std::size_t kMaxPeers = 20'000;
    static constexpr std::size_t kMaxTracks = 20'000;
    /// Of peers that left; further ones are lost, and counted.
    static constexpr std::size_t kMaxLastReports = 40'000;
    static constexpr Duration kReportInterval = 1s;
    /// A publisher that leaps further ahead begins anew for its subscribers: beyond 2^15 they could not tell
    /// the SRTP index of what follows (RFC 3711 section 3.3.1).
    static constexpr rtp::ExtSeq kMaxGap = 16'384;

    Node(dtls::Factory& dtls, media::PacketPool& pool, Rng rng) : dtls_(dtls), pool_(pool), rng_(rng) {}
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// One received datagram (`packet->size` bytes at `packet->data`, `received_at` set). Media is collected
    /// until `flush`, so that a frame's packets leave together.
    void handle_datagram(Instant now, const Path& from, media::PacketRef packet, NodeOutputs& out);
    /// Forwards what was collected. Call after each batch of datagrams.
    void flush(Instant now, NodeOutputs& out);

    /// One packet of a track made by AddLocalTrack: everything in it is set but `is_key_frame`; `ext_seq`
    /// goes up by one for each. Collected until `flush`.
    void handle_local_packet(Instant now, TrackId track, media::PacketRef packet, NodeOutputs& out);
    /// What a sender report would say of a local track (RFC 3550 section 6.4.1). All local tracks of one
    /// publisher share the NTP clock.
    void handle_local_clock(Instant now, TrackId track, NtpTime ntp, std::uint32_t rtp_timestamp);

    /// A consumer without a transport: from now on every packet of this layer is put on the list that
    /// `take_tapped` gives out, in the order of arrival. Counted: each needs its own `remove_tap`. False: no
    /// such track or layer. A tap ends with its track.
    bool add_tap(Instant now, TrackId track, Layer layer);
    void remove_tap(TrackId track, Layer layer);
    void want_key_frame(Instant now, TrackId track, Layer layer);
    /// The layer's clock as its sender reports state it; null when it is not there (yet).
    [[nodiscard]] const rtcp::ClockMapping* clock_of(TrackId track, Layer layer) const;
    /// Whether packets of the layer came lately.
    [[nodiscard]] bool is_active(Instant now, TrackId track, Layer layer) const;
    struct PayloadTypes {
        PayloadType media;
        PayloadType red;  ///< 0: none
    };
    /// What the packets of a track carry; empty when there is no such track.
    [[nodiscard]] PayloadTypes payload_types_of(TrackId track) const;
    /// Somebody subscribes or taps.
    [[nodiscard]] bool is_wanted(TrackId track) const;
    /// True when somebody who gets a track without a publishing peer waits for a key frame, and its maker shall be
    /// asked now; paced as requests to peers are.
    [[nodiscard]] bool take_key_frame_request(Instant now, TrackId track);
    struct Tapped {
        TrackId track;
        Layer layer{};
        media::PacketRef packet;
    };
    /// Swaps `out`, which is cleared first, with what was tapped. Call after each turn: what waits there holds
    /// slabs of the pool.
    void take_tapped(std::vector<Tapped>& out);

    void handle_command(Instant now, const MediaCommand& command, NodeOutputs& out);
    void handle_timeout(Instant now, NodeOutputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return timers_.next(); }

    /// What each owner's peers and local tracks did since the last call, and how it went; those that did nothing are left out. Out of
    /// the forwarding path: call it every `kReportGrain`.
    void take_reports(std::vector<PeerReport>& out);
    /// Only the last reports, of those that are gone.
    void take_last_reports(std::vector<PeerReport>& out);
    [[nodiscard]] bool has_last_reports() const { return !last_reports_.empty(); }

    /// How loud each audio track is whose sender says so; of those that control has muted nothing. Goes through all
    /// tracks: for a few times a second, and only while somebody looks.
    void append_audio_levels(Instant now, std::vector<TrackLevel>& out) const;

    /// Says goodbye to every peer; the node is empty afterwards.
    void close(NodeOutputs& out);

    /// True when `path` belongs to a peer that has proven it (the shell keeps such TCP connections).
    [[nodiscard]] bool is_proven(const Path& path) const { return by_path_.contains(path); }
    [[nodiscard]] const MediaCounters& counters() const { return counters_; }
    [[nodiscard]] MediaCounters& counters() { return counters_; }

private:
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    struct TextEqual {
        using is_transparent = void;
        bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
    };

    // Commands.
    void apply(Instant now, const OpenPeer& c, NodeOutputs& out);
    void apply(Instant now, const ClosePeer& c, NodeOutputs& out);
    void apply(Instant now, const RestartIce& c, NodeOutputs& out);
    void apply(Instant now, const AddTrack& c, NodeOutputs& out);
    void apply(Instant now, const AddLocalTrack& c, NodeOutputs& out);
    void apply(Instant now, const RemoveTrack& c, NodeOutputs& out);
    void apply(Instant now, const Subscribe& c, NodeOutputs& out);
    void apply(Instant now, const Unsubscribe& c, NodeOutputs& out);
    void apply(Instant now, const SetLayer& c, NodeOutputs& out);
    void apply(Instant now, const RequestKeyFrame& c, NodeOutputs& out);
    void apply(Instant now, const SetMuted& c, NodeOutputs& out);

    // Datagrams.
    void handle_stun(Instant now, const Path& from, ByteView message, NodeOutputs& out);
    void handle_rtp(Instant now, Peer& peer, media::PacketRef packet);
    void handle_rtcp(Instant now, Peer& peer, media::Packet& packet, NodeOutputs& out);
    void handle_media(Instant now, const Peer::Binding& binding, const media::PacketRef& packet,
                      bool recovered);
    [[nodiscard]] const Peer::Binding* bind(Peer& peer, Ssrc ssrc, PayloadType payload_type,
                                            std::string_view mid, std::string_view rid,
                                            std::string_view repaired_rid);
    InboundStream* open_encoding(Track& track, Layer layer, Ssrc ssrc);
    /// The encoding goes on with other numbers: subscribers begin anew at its next key frame.
    void restart_encoding(Track& track, Layer layer);

    // Peers.
    void apply_change(Instant now, Peer& peer, const webrtc::Transport::Change& change, const Path& from,
                      NodeOutputs& out);
    void remove_peer(PeerId id);
    static void take_usage(Peer& peer, Usage& to);
    static void take_published(Track& track, Usage& to);
    static void take_loss(Track& track, QualitySample& to);
    [[nodiscard]] static QualitySample take_quality(Peer& peer);
    void add_last_report(PeerReport report);
    void remove_track(TrackId id);
    void remove_subscription(Peer& peer, Subscription* subscription);
    void want_key_frame(Instant now, Track& track, Layer layer);
    void start_subscription(Instant now, Subscription& subscription);
    /// The publisher's clock is known: subscribers that wait for their first report get it now.
    void report_soon(Instant now, const Track& track);
    void flush_encoding(Instant now, Track& track, Layer layer, NodeOutputs& out);

    // RTCP and timers.
    void send_reports(Instant now, Peer& peer, NodeOutputs& out);
    void send_feedback(Instant now, Peer& peer, NodeOutputs& out);
    void send_rtcp(Peer& peer, MutableByteView memory, std::size_t size, NodeOutputs& out);
    [[nodiscard]] static std::optional<Instant> deadline_of(const Peer& peer);
    void schedule(Peer& peer);
    [[nodiscard]] Peer* find_peer(PeerId id) const;
    [[nodiscard]] Track* find_track(TrackId id) const;

    dtls::Factory& dtls_;
    media::PacketPool& pool_;
    Rng rng_;
    // Ordered, so that iterating it never depends on a hash (same seed, same trace).
    std::map<PeerId, std::unique_ptr<Peer>> peers_;
    std::map<TrackId, std::unique_ptr<Track>> tracks_;
    std::unordered_map<Path, Peer*> by_path_;
    std::unordered_map<std::string, Peer*, TextHash, TextEqual> by_ufrag_;
    std::vector<std::pair<Track*, Layer>> dirty_;
    std::vector<Tapped> tapped_;
    bool is_burst_full_ = false;
    TimerQueue timers_;
    std::vector<PeerReport> last_reports_;
    MediaCounters counters_;
};

}  // namespace parley::sfu

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/transport.h"
#include "dtls/endpoint.h"
#include "ice/lite_agent.h"
#include "rtcp/packets.h"
#include "rtp/extensions.h"
#include "rtp/sequence.h"
#include "sim/checker.h"
#include "sim/clock.h"
#include "srtp/session.h"

namespace parley::sim {

/// Made media: every packet says which frame of which source it belongs to, which part of how many
/// it is, and when it was captured, in a payload that a server takes for H.264 or for Opus.
struct FramePart {
    std::uint32_t frame = 0;
    std::uint8_t part = 0;
    std::uint8_t parts = 1;
    bool key = false;
    bool low = false;  ///< of the low layer
    bool audio = false;
    std::uint32_t source = 0;       ///< unique in the world
    std::uint32_t captured_ms = 0;  ///< on the publisher's clock
};
/// As one NAL unit or one Opus packet.
Bytes write_unit(const FramePart& part, std::size_t size);
std::optional<FramePart> read_unit(ByteView unit);
/// As an RTP payload: a key frame's first one brings its parameter sets.
Bytes write_part(const FramePart& part, std::size_t size);
std::optional<FramePart> read_part(ByteView payload);
Bytes made_sps();
Bytes made_pps();

/// The browser's end of one peer connection: ICE checks, DTLS, SRTP, and on top of it made media
/// with repair on request, and receivers that ask for repair and count decodable frames.
class MediaPeer {
public:
    struct Config {
        ice::Credentials remote;
        dtls::Role role = dtls::Role::kServer;
        std::optional<dtls::Fingerprint> remote_fingerprint;
        Path path;
        std::uint16_t server_port = 0;
        rtp::ExtensionIds extensions;
        NodeClock clock;
        WallTime wall_start;  ///< of the client's NTP clock
        bool starts_near_wrap = false;
        std::uint32_t serial = 0;  ///< unique in the world: names the keys of this connection
    };
    /// One encoding that this peer sends.
    struct Outgoing {
        bool video = false;
        Ssrc ssrc;
        Ssrc rtx_ssrc;
        std::uint32_t source = 0;
        std::string mid;
        std::string rid;  ///< empty: not simulcast
        bool low = false;
        rtp::ExtSeq next = 0;
        rtp::ExtSeq next_rtx = 0;
        std::uint32_t timestamp_base = 0;
        std::uint32_t frame = 0;
        bool wants_key = true;
        Instant due;
        Instant report_at;
        std::optional<Instant> pli_at;
        std::uint32_t packets = 0;
        std::uint32_t octets = 0;
        struct Sent {
            std::uint32_t timestamp = 0;
            bool marker = false;
            Bytes payload;
        };
        std::map<rtp::ExtSeq, Sent> history;
    };
    /// A track that this peer receives.
    struct Incoming {
        bool video = false;
        Ssrc ssrc;
        Ssrc rtx_ssrc;
        std::string owner;  ///< user that it is announced to come from
        std::optional<std::uint32_t> source;
        std::optional<rtp::ExtSeq> highest;
        rtp::ExtSeq first = 0;
        std::set<rtp::ExtSeq> missing;
        /// Undecoded frames by frame number and layer.
        struct Frame {
            FramePart shape;
            std::set<std::uint8_t> parts;
        };
        std::map<std::pair<std::uint32_t, bool>, Frame> frames;
        std::optional<FramePart> decoded;  ///< last decoded frame
        std::uint64_t decoded_frames = 0;
        std::uint64_t skipped_frames = 0;  ///< between decoded ones
        Instant decoded_at;
        Duration longest_pause{};  ///< between two decoded frames
        Instant asked_at;
        Instant pli_at;
        std::uint64_t packets = 0;
        std::uint64_t gaps = 0;  ///< numbers that never came
        std::optional<rtcp::SenderInfo> report;
        std::optional<std::int64_t> sync_offset_us;  ///< NTP capture time less the publisher's own
        bool stale = false;  ///< unsubscribed: packets may still be on the way
        Instant stale_since;
    };
    /// A datagram leaves this peer.
    using Send = std::function<void(const MediaPeer&, Bytes)>;

    MediaPeer(Config config, dtls::Factory& factory, Rng rng, Checker& checker, Send send)
        : config_(std::move(config)),
          dtls_(factory.create(
              {.role = config_.role, .remote_fingerprint = config_.remote_fingerprint})),
          rng_(rng),
          checker_(checker),
          send_(std::move(send)) {}

    void handle(Instant now, ByteView datagram);
    void tick(Instant now);
    /// The whole network is in order: nothing that the server sends needs an excuse.
    void set_strict(bool strict) { strict_ = strict; }
    /// When the client last heard from the server: a word sent with an SSRC's first packet came
    /// before that.
    void set_informed_until(Instant at) { informed_until_ = at; }
    /// A new session: what was said on the old one may have been lost.
    void excuse_unknown() { unknown_.clear(); }

    [[nodiscard]] const Path& path() const { return config_.path; }
    [[nodiscard]] std::uint32_t serial() const { return config_.serial; }
    [[nodiscard]] std::uint16_t server_port() const { return config_.server_port; }
    void move_to(const Path& path) {
        config_.path = path;
        next_check_ = {};
        quick_checks_ = 10;
    }
    void restart_ice(const ice::Credentials& remote) {
        config_.remote = remote;
        next_check_ = {};
    }
    [[nodiscard]] bool is_connected() const { return sender_.has_value(); }
    [[nodiscard]] bool has_failed() const { return failed_; }
    /// The last moment at which the server answered a check.
    [[nodiscard]] Instant answered_at() const { return answered_at_; }

    Outgoing& add_outgoing(Outgoing track, Instant now);
    void remove_outgoing(std::uint32_t source);
    void add_incoming(bool video, Ssrc ssrc, Ssrc rtx_ssrc, std::string owner, Instant now);
    void retire_incoming(Ssrc ssrc, Instant now);
    [[nodiscard]] const std::map<Ssrc, Incoming>& incoming() const { return incoming_; }
    [[nodiscard]] const std::map<Ssrc, Outgoing>& outgoing() const { return outgoing_; }

private:
    void send_check(Instant now);
    void send_rtp(Outgoing& track, std::uint32_t timestamp, bool marker, Bytes payload);
    void send_again(Outgoing& track, std::uint16_t sequence_number);
    void send_frame(Instant now, Outgoing& track);
    void send_report(Instant now, Outgoing& track);
    void send_feedback(Instant now, Incoming& track);
    void send_rtcp(ByteView compound);
    [[nodiscard]] std::size_t write_rtp_header(MutableByteView out,
                                               const Outgoing& track,
                                               bool rtx,
                                               rtp::ExtSeq sequence,
                                               std::uint32_t timestamp,
                                               bool marker);
    void take(const dtls::Outputs& out);
    void handle_rtp(Instant now, ByteView datagram);
    void handle_rtcp(Instant now, ByteView datagram);
    void handle_pli(Instant now, Ssrc media);
    void receive(Instant now,
                 Incoming& track,
                 std::uint16_t sequence_number,
                 std::uint32_t timestamp,
                 ByteView payload);
    void decode(Instant now, Incoming& track, const FramePart& part);
    void synchronise(Incoming& track, std::uint32_t timestamp, const FramePart& part);

    Config config_;
    std::unique_ptr<dtls::Endpoint> dtls_;
    Rng rng_;
    Checker& checker_;
    Send send_;
    bool strict_ = false;
    bool started_ = false;
    bool failed_ = false;
    Instant answered_at_;
    Instant next_check_;
    int quick_checks_ = 0;
    std::uint64_t checks_ = 0;
    std::optional<srtp::Sender> sender_;
    std::optional<srtp::Receiver> receiver_;
    std::map<Ssrc, Outgoing> outgoing_;
    std::map<Ssrc, Incoming> incoming_;
    std::map<Ssrc, Instant> unknown_;  // SSRCs that came before the client was told, since when
    Instant informed_until_;
    std::uint16_t transport_sequence_ = 0;
};

}  // namespace parley::sim

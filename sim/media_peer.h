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
#include "rtp/sequence.h"
#include "srtp/session.h"

namespace parley::sim {

/// Tells a world what broke; the run ends with the seed.
class Checker {
public:
    void fail(const std::string& what) {
        if (failures_.size() < 20) failures_.push_back(what);
    }
    void expect(bool condition, const char* what) {
        if (!condition) fail(what);
    }
    [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

private:
    std::vector<std::string> failures_;
};

/// Made video: a frame is cut into packets that say which frame, which part of how many, and whether it is a
/// key frame, in payloads that an SFU takes for H.264.
struct FramePart {
    std::uint32_t frame = 0;
    std::uint8_t part = 0;
    std::uint8_t parts = 1;
    bool key = false;
};
Bytes write_part(const FramePart& part, std::size_t size);
std::optional<FramePart> read_part(ByteView payload);

/// The browser's end of one peer connection: ICE checks, DTLS, SRTP, and on top of it either made media with
/// repair on request, or a receiver that asks for repair and counts decodable frames.
class MediaPeer {
public:
    struct Config {
        ice::Credentials remote;
        dtls::Role role = dtls::Role::kServer;
        Path path;
    };
    /// A track that this peer sends.
    struct Outgoing {
        bool video = false;
        Ssrc ssrc;
        Ssrc rtx_ssrc;
        rtp::ExtSeq next = 0;
        rtp::ExtSeq next_rtx = 0;
        std::uint32_t frame = 0;
        bool wants_key = true;
        Instant due;
        std::map<rtp::ExtSeq, std::pair<std::uint32_t, Bytes>> history;
    };
    /// A track that this peer receives.
    struct Incoming {
        bool video = false;
        Ssrc ssrc;
        Ssrc rtx_ssrc;
        std::optional<rtp::ExtSeq> highest;
        rtp::ExtSeq first = 0;
        std::set<rtp::ExtSeq> missing;
        std::map<std::uint32_t, std::set<std::uint8_t>> frames;
        std::map<std::uint32_t, FramePart> shapes;
        std::optional<std::uint32_t> decoded;  ///< last decoded frame
        Instant decoded_at;
        Instant asked_at;
        Instant pli_at;
        std::uint64_t packets = 0;
        std::uint64_t gaps = 0;                ///< numbers that never came
        bool stale = false;                    ///< unsubscribed: packets may still be on the way
        Instant stale_since;
    };
    using Send = std::function<void(const Path& from, Bytes)>;

    MediaPeer(const Config& config, dtls::Factory& factory, Rng rng, Checker& checker, Send send)
        : config_(config), dtls_(factory.create({.role = config.role})), rng_(rng), checker_(checker), send_(std::move(send)) {}

    void handle(Instant now, ByteView datagram);
    void tick(Instant now);

    [[nodiscard]] const Path& path() const { return config_.path; }
    void move_to(const Path& path) {
        config_.path = path;
        next_check_ = {};
    }
    void set_remote(const ice::Credentials& remote) { config_.remote = remote; }
    [[nodiscard]] bool is_connected() const { return sender_.has_value(); }
    [[nodiscard]] bool has_proof(const Path& path) const { return proven_.contains(path); }
    void note_check_sent(const Path& path) { proven_.insert(path); }

    void add_outgoing(bool video, Ssrc ssrc, Ssrc rtx_ssrc, Instant now);
    void remove_outgoing(Ssrc ssrc);
    void add_incoming(bool video, Ssrc ssrc, Ssrc rtx_ssrc, Instant now);
    void retire_incoming(Ssrc ssrc, Instant now);
    [[nodiscard]] const std::map<Ssrc, Incoming>& incoming() const { return incoming_; }

private:
    void send_rtp(Outgoing& track, std::uint32_t timestamp, bool marker, const Bytes& payload);
    void send_frame(Instant now, Outgoing& track);
    void send_rtcp(ByteView compound);
    void take(const dtls::Outputs& out);
    void handle_rtp(Instant now, ByteView datagram);
    void handle_rtcp(Instant now, ByteView datagram);
    void receive(Instant now, Incoming& track, std::uint16_t sequence_number, ByteView payload);
    void decode(Instant now, Incoming& track, const FramePart& part);

    Config config_;
    std::unique_ptr<dtls::Endpoint> dtls_;
    Rng rng_;
    Checker& checker_;
    Send send_;
    std::set<Path> proven_;
    bool started_ = false;
    bool answered_ = false;
    Instant next_check_;
    std::uint64_t checks_ = 0;
    std::optional<srtp::Sender> sender_;
    std::optional<srtp::Receiver> receiver_;
    std::map<Ssrc, Outgoing> outgoing_;
    std::map<Ssrc, Incoming> incoming_;
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> seen_;  // (ssrc, index) -> hash of the bytes
    std::map<std::uint32_t, rtp::SequenceUnwrapper> unwrappers_;
};

}  // namespace parley::sim

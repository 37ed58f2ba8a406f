#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"
#include "base/transport.h"
#include "dtls/endpoint.h"
#include "ice/lite_agent.h"
#include "media/packet_sink.h"
#include "srtp/session.h"

namespace parley::webrtc {

/// One bundled transport: ICE-lite proves a path, DTLS agrees on keys over it, SRTP protects what follows.
///
///   kProving --(first authenticated check)--> kHandshaking --(DTLS done)--> kConnected
///      |                                            |                           |
///      +--(connect_timeout, ICE failed)--> kClosed <+--(DTLS failed)------------+--(consent lost, close_notify)
///
/// Only routes between the three machines; each of them is tested on its own.
class Transport {
public:
    enum class State : std::uint8_t { kProving, kHandshaking, kConnected, kClosed };
    enum class CloseReason : std::uint8_t {
        kConnectTimeout,
        kIceFailed,
        kDtlsFailed,
        kFingerprintMismatch,
        kClosedByPeer,
    };
    struct Config {
        ice::Credentials local_ice;
        dtls::Role dtls_role = dtls::Role::kServer;
        std::optional<dtls::Fingerprint> remote_fingerprint;
        Duration connect_timeout = 30s;
    };
    /// What an input changed; filled by the call that caused it.
    struct Change {
        bool connected = false;
        std::optional<Path> path;    ///< everything is sent here from now on
        bool proven = false;         ///< the datagram's path has been proven to belong to the peer
        std::optional<CloseReason> closed;
    };

    Transport(const Config& config, dtls::Factory& factory, Instant now);

    [[nodiscard]] Change handle_stun(Instant now, const Path& from, ByteView message,
                                     media::PacketSink& sink);
    /// The caller has checked that `from` is a proven path of this peer. Answers go to the selected one.
    [[nodiscard]] Change handle_dtls(Instant now, ByteView datagram, media::PacketSink& sink);
    [[nodiscard]] Change handle_timeout(Instant now, media::PacketSink& sink);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// An authenticated packet came: the peer has our last flight, so the handshake's memory (about 70 kB) goes.
    void handle_authenticated(Instant now) {
        if (release_at_ && *release_at_ > now) release_at_ = now;
    }

    void restart_ice(Instant now, const ice::Credentials& local) { ice_.restart(now, local); }
    /// Says goodbye to the peer (close_notify) when there is one to say it to.
    void close(media::PacketSink& sink);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool is_connected() const { return state_ == State::kConnected; }
    [[nodiscard]] const std::optional<Path>& path() const { return ice_.selected(); }
    [[nodiscard]] const ice::LiteAgent& ice() const { return ice_; }

    /// Null before the transport is connected.
    [[nodiscard]] srtp::Sender* sender() { return sender_ ? &*sender_ : nullptr; }
    /// Loads what the next packet to this peer needs into the processor's cache.
    void prefetch_sender() const {
        if (sender_) sender_->prefetch();
    }
    [[nodiscard]] srtp::Receiver* receiver() { return receiver_ ? &*receiver_ : nullptr; }

private:
    void apply_ice(Instant now, const Path& from, media::PacketSink& sink, Change& change);
    void apply_dtls(Instant now, media::PacketSink& sink, Change& change);
    void shut(CloseReason reason, Change& change);

    State state_ = State::kProving;
    Instant created_;
    Duration connect_timeout_;
    ice::LiteAgent ice_;
    ice::Outcome ice_outcome_;
    std::unique_ptr<dtls::Endpoint> dtls_;
    dtls::Outputs dtls_outputs_;
    std::optional<Instant> release_at_;  // when the handshake's memory is given back
    std::optional<srtp::Sender> sender_;
    std::optional<srtp::Receiver> receiver_;
};

}  // namespace parley::webrtc

#include "webrtc/transport.h"

#include <algorithm>
#include <cstring>

namespace parley::webrtc {
namespace {

void send(media::PacketSink& sink, const Path& to, ByteView datagram) {
    std::uint8_t* out = sink.reserve(datagram.size());
    std::memcpy(out, datagram.data(), datagram.size());
    sink.commit(to, datagram.size(), datagram.size());
}

std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) {
    if (!a) return b;
    if (!b) return a;
    return std::min(*a, *b);
}

}  // namespace

Transport::Transport(const Config& config, dtls::Factory& factory, Instant now)
    : created_(now),
      connect_timeout_(config.connect_timeout),
      ice_(ice::Config{.local = config.local_ice}, now),
      dtls_(factory.create(dtls::Config{.role = config.dtls_role,
                                        .remote_fingerprint = config.remote_fingerprint})) {}

void Transport::shut(CloseReason reason, Change& change) {
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    change.closed = reason;
}

void Transport::apply_ice(Instant now, const Path& from, media::PacketSink& sink, Change& change) {
    if (!ice_outcome_.response.empty()) send(sink, from, ice_outcome_.response);
    if (ice_outcome_.selected) change.path = ice_outcome_.selected;
    change.proven = ice_outcome_.proven;
    if (ice_outcome_.state == ice::State::kFailed) {
        shut(CloseReason::kIceFailed, change);
    } else if (state_ == State::kProving && ice_.selected()) {
        state_ = State::kHandshaking;
        dtls_outputs_.clear();
        dtls_->start(now, dtls_outputs_);
        apply_dtls(now, sink, change);
    }
}

void Transport::apply_dtls(Instant now, media::PacketSink& sink, Change& change) {
    if (ice_.selected()) {
        for (const Bytes& datagram : dtls_outputs_.datagrams) send(sink, *ice_.selected(), datagram);
    }
    if (dtls_outputs_.connected && state_ == State::kHandshaking) {
        const dtls::Connected& keys = *dtls_outputs_.connected;
        auto sender = srtp::Sender::create(keys.profile, keys.local);
        auto receiver = srtp::Receiver::create(keys.profile, keys.remote);
        if (!sender || !receiver) {
            shut(CloseReason::kDtlsFailed, change);
            return;
        }
        sender_ = std::move(*sender);
        receiver_ = std::move(*receiver);
        state_ = State::kConnected;
        change.connected = true;
        // The peer may ask for our last flight again until its own timers are content.
        release_at_ = now + 10s;
    }
    if (dtls_outputs_.failed) {
        shut(dtls_outputs_.failed->reason == dtls::FailReason::kFingerprint
                 ? CloseReason::kFingerprintMismatch
                 : CloseReason::kDtlsFailed,
             change);
    }
    if (dtls_outputs_.closed_by_peer) shut(CloseReason::kClosedByPeer, change);
}

Transport::Change Transport::handle_stun(Instant now, const Path& from, ByteView message,
                                         media::PacketSink& sink) {
    Change change;
    if (state_ == State::kClosed) return change;
    ice_outcome_ = {};
    ice_.handle_stun(now, from, message, ice_outcome_);
    apply_ice(now, from, sink, change);
    return change;
}

Transport::Change Transport::handle_dtls(Instant now, ByteView datagram, media::PacketSink& sink) {
    Change change;
    if (state_ == State::kClosed || state_ == State::kProving) return change;
    dtls_outputs_.clear();
    dtls_->handle_datagram(now, datagram, dtls_outputs_);
    apply_dtls(now, sink, change);
    return change;
}

Transport::Change Transport::handle_timeout(Instant now, media::PacketSink& sink) {
    Change change;
    if (state_ == State::kClosed) return change;
    ice_outcome_ = {};
    ice_.handle_timeout(now, ice_outcome_);
    apply_ice(now, Path{}, sink, change);
    if (state_ == State::kClosed) return change;
    if (state_ == State::kHandshaking || state_ == State::kConnected) {
        const auto due = dtls_->next_deadline();
        if (due && *due <= now) {
            dtls_outputs_.clear();
            dtls_->handle_timeout(now, dtls_outputs_);
            apply_dtls(now, sink, change);
        }
    }
    if (release_at_ && *release_at_ <= now) {
        release_at_.reset();
        dtls_->release_handshake_memory();
    }
    if (state_ != State::kConnected && now - created_ >= connect_timeout_) {
        shut(CloseReason::kConnectTimeout, change);
    }
    return change;
}

std::optional<Instant> Transport::next_deadline() const {
    if (state_ == State::kClosed) return std::nullopt;
    std::optional<Instant> next = ice_.next_deadline();
    if (state_ == State::kHandshaking || state_ == State::kConnected) {
        next = earlier(next, dtls_->next_deadline());
    }
    if (state_ != State::kConnected) next = earlier(next, created_ + connect_timeout_);
    return earlier(next, release_at_);
}

void Transport::close(media::PacketSink& sink) {
    if (state_ == State::kClosed) return;
    if (state_ == State::kConnected) {
        dtls_outputs_.clear();
        dtls_->close(dtls_outputs_);
        for (const Bytes& datagram : dtls_outputs_.datagrams) send(sink, *ice_.selected(), datagram);
    }
    state_ = State::kClosed;
}

}  // namespace parley::webrtc

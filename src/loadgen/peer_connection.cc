#include "loadgen/peer_connection.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "io/clock.h"
#include "io/sockaddr.h"

namespace parley::loadgen {
namespace {

constexpr int kSocketBufferBytes = 1 << 20;

/// The kernel's receive time; `fallback` when the message has none.
WallTime arrival_of(msghdr& message, WallTime fallback) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
        timespec at{};
        std::memcpy(&at, CMSG_DATA(c), sizeof(at));
        return WallTime(Duration(at.tv_sec * 1'000'000'000 + at.tv_nsec));
    }
    return fallback;
}

}  // namespace

PeerConnection::PeerConnection(Loop& loop, ReceiveBuffers& buffers, Totals& totals, Rng rng)
    : loop_(loop), buffers_(buffers), totals_(totals), rng_(rng) {}

PeerConnection::~PeerConnection() { close(); }

bool PeerConnection::start(const Config& config, dtls::Factory& factory, Media& media, Instant now) {
    media_ = &media;
    server_ = config.server;
    fd_ = io::Fd(socket(server_.ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_.is_open()) return false;
    const int on = 1;
    setsockopt(fd_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof(int));
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof(int));
    const io::KernelAddress address = io::to_kernel(server_);
    if (connect(fd_.get(), address.get(), address.length) != 0) return false;
    ice_.emplace(config.local, config.remote, rng_.fork(), now);
    dtls_ = factory.create({.role = config.role, .remote_fingerprint = config.remote_fingerprint});
    loop_.add(fd_.get(), *this, false);
    send_checks(now);
    schedule();
    return true;
}

void PeerConnection::close() {
    if (!fd_.is_open()) return;
    loop_.cancel(*this);
    if (dtls_ && dtls_started_) {
        dtls_out_.clear();
        dtls_->close(dtls_out_);
        for (const Bytes& datagram : dtls_out_.datagrams) send_datagram(datagram);
    }
    loop_.remove(fd_.get());
    fd_.reset();
    sender_.reset();
    receiver_.reset();
}

void PeerConnection::handle_io(Instant now, bool readable, bool) {
    if (!readable || !fd_.is_open()) return;
    struct alignas(cmsghdr) Control {
        unsigned char bytes[64];
    };
    std::array<mmsghdr, ReceiveBuffers::kBatch> messages{};
    std::array<iovec, ReceiveBuffers::kBatch> vectors{};
    std::array<Control, ReceiveBuffers::kBatch> controls{};
    for (std::size_t i = 0; i < messages.size(); ++i) {
        vectors[i] = {buffers_.at(i).data(), ReceiveBuffers::kMaxDatagram};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_control = controls[i].bytes;
        messages[i].msg_hdr.msg_controllen = sizeof(controls[i].bytes);
    }
    const int count = recvmmsg(fd_.get(), messages.data(), messages.size(), 0, nullptr);
    if (count <= 0) return;
    const WallTime wall = io::read_wall_clock();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) && fd_.is_open(); ++i) {
        handle_datagram(now, arrival_of(messages[i].msg_hdr, wall), buffers_.at(i).first(messages[i].msg_len));
    }
    schedule();
}

void PeerConnection::handle_datagram(Instant now, WallTime arrival, MutableByteView datagram) {
    ++totals_.counters.datagrams;
    if (rtp::is_rtp_or_rtcp(datagram)) {
        if (!receiver_) return;
        if (rtp::is_rtcp(datagram)) {
            const auto size = receiver_->unprotect_rtcp(datagram);
            if (!size) {
                ++totals_.counters.not_authentic;
                return;
            }
            media_->handle_rtcp(now, datagram.first(*size));
            return;
        }
        const auto header = rtp::parse_header(datagram);
        if (!header) {
            ++totals_.counters.malformed;
            return;
        }
        const auto opened = receiver_->unprotect_rtp(datagram, header->header_size);
        if (!opened) {
            ++totals_.counters.not_authentic;
            return;
        }
        media_->handle_rtp(now, arrival, *header, datagram.first(opened->size), opened->index);
    } else if (ice::is_stun(datagram)) {
        const IceClient::Handled handled = ice_->handle_stun(now, server_, datagram);
        if (!handled.answer.empty()) send_datagram(handled.answer);
        if (handled.connected && !dtls_started_) {
            dtls_started_ = true;
            dtls_out_.clear();
            dtls_->start(now, dtls_out_);
            take_dtls(now);
        }
    } else if (dtls::is_dtls(datagram)) {
        dtls_out_.clear();
        if (!dtls_started_) {  // the server's first flight can overtake its answer to our check
            dtls_started_ = true;
            dtls_->start(now, dtls_out_);
            take_dtls(now);
            dtls_out_.clear();
        }
        dtls_->handle_datagram(now, datagram, dtls_out_);
        take_dtls(now);
    }
}

void PeerConnection::take_dtls(Instant now) {
    for (const Bytes& datagram : dtls_out_.datagrams) send_datagram(datagram);
    if (dtls_out_.failed || dtls_out_.closed_by_peer) failed_ = true;
    if (!dtls_out_.connected) return;
    auto sender = srtp::Sender::create(dtls_out_.connected->profile, dtls_out_.connected->local);
    auto receiver = srtp::Receiver::create(dtls_out_.connected->profile, dtls_out_.connected->remote);
    if (!sender || !receiver) {
        failed_ = true;
        return;
    }
    sender_ = *std::move(sender);
    receiver_ = *std::move(receiver);
    media_->handle_connected(now);
}

void PeerConnection::send_checks(Instant now) {
    while (const auto check = ice_->take_check(now)) send_datagram(*check);
    if (ice_->has_failed(now)) failed_ = true;
}

void PeerConnection::handle_timer(Instant now) {
    if (!fd_.is_open()) return;
    send_checks(now);
    if (dtls_started_ && !sender_) {
        dtls_out_.clear();
        dtls_->handle_timeout(now, dtls_out_);
        take_dtls(now);
    }
    if (sender_ && media_->next_deadline() <= now) media_->handle_timer(now);
    schedule();
}

void PeerConnection::schedule() {
    if (!fd_.is_open()) return;
    Instant next = ice_->next_deadline();
    if (dtls_started_ && !sender_ && !failed_) {
        if (const auto deadline = dtls_->next_deadline()) next = std::min(next, *deadline);
    }
    if (sender_) next = std::min(next, media_->next_deadline());
    loop_.wake_at(*this, next);
}

void PeerConnection::send_datagram(ByteView datagram) {
    if (send(fd_.get(), datagram.data(), datagram.size(), 0) < 0) ++totals_.counters.send_errors;
}

std::uint8_t* PeerConnection::reserve() {
    if (burst_.empty()) burst_.resize(kSlot * kMaxBurst);  // subscribers never need it
    if (burst_count_ == kMaxBurst) flush();
    return burst_.data() + burst_count_ * kSlot;
}

void PeerConnection::commit_rtp(std::size_t header_size, ByteView payload, std::uint64_t index) {
    PARLEY_CHECK(sender_ && header_size + payload.size() + srtp::kMaxOverhead <= kSlot);
    sizes_[burst_count_] =
        sender_->protect_rtp(burst_.data() + burst_count_ * kSlot, header_size, payload, index);
    ++burst_count_;
}

void PeerConnection::flush() {
    std::array<mmsghdr, kMaxBurst> messages{};
    std::array<iovec, kMaxBurst> vectors{};
    for (std::size_t i = 0; i < burst_count_; ++i) {
        vectors[i] = {burst_.data() + i * kSlot, sizes_[i]};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::size_t sent = 0;
    while (sent < burst_count_) {
        const int n = sendmmsg(fd_.get(), messages.data() + sent, static_cast<unsigned>(burst_count_ - sent), 0);
        if (n <= 0) {
            totals_.counters.send_errors += burst_count_ - sent;
            break;
        }
        sent += static_cast<std::size_t>(n);
    }
    totals_.counters.sent_packets += sent;
    burst_count_ = 0;
}

void PeerConnection::send_rtcp(ByteView compound) {
    if (!sender_) return;
    std::array<std::uint8_t, kSlot> packet{};
    if (compound.size() < 8 || compound.size() + srtp::kMaxOverhead > packet.size()) return;
    std::memcpy(packet.data(), compound.data(), compound.size());
    const std::size_t size = sender_->protect_rtcp(packet.data(), compound.size());
    if (size > 0) send_datagram({packet.data(), size});
}

}  // namespace parley::loadgen

#include "srtp/session.h"

#include <openssl/crypto.h>

#include "base/check.h"
#include "srtp/replay_window.h"
#include "srtp/stream_table.h"
#include "srtp/transform.h"

namespace parley::srtp {
namespace {

constexpr std::uint32_t kMaxSrtcpIndex = 0x7fff'ffff;

Result<std::unique_ptr<Transform>> create_from_master(Profile profile, const MasterKey& master,
                                                      Direction direction, Backend backend) {
    SessionKeySet keys = derive_session_keys(profile, master);
    auto transform = create_transform(profile, keys, direction, backend);
    OPENSSL_cleanse(&keys, sizeof(keys));
    return transform;
}

}  // namespace

std::size_t salt_size(Profile profile) { return profile == Profile::kAeadAes128Gcm ? 12 : 14; }
std::size_t rtp_overhead(Profile profile) {
    return profile == Profile::kAeadAes128Gcm ? kGcmTagSize : kCmTagSize;
}
std::size_t rtcp_overhead(Profile profile) { return rtp_overhead(profile) + kSrtcpIndexSize; }

Result<Sender> Sender::create(Profile profile, const MasterKey& master, Backend backend) {
    auto transform = create_from_master(profile, master, Direction::kSeal, backend);
    if (!transform) return tl::unexpected(transform.error());
    return Sender(profile, *std::move(transform));
}

Sender::Sender(Profile profile, std::unique_ptr<Transform> transform)
    : profile_(profile), transform_(std::move(transform)) {}
Sender::Sender(Sender&&) noexcept = default;
Sender& Sender::operator=(Sender&&) noexcept = default;
Sender::~Sender() = default;

void Sender::prefetch() const {
    // Round keys and powers of the hash key, which most packets use all of. Past a smaller object the
    // processor ignores it or loads lines in vain.
    constexpr std::size_t kKeyBytes = 1'152;
    constexpr std::size_t kCacheLine = 64;
    const auto* const first = static_cast<const std::byte*>(static_cast<const void*>(transform_.get()));
    for (std::size_t at = 0; at < kKeyBytes; at += kCacheLine) __builtin_prefetch(first + at);
}

std::size_t Sender::protect_rtp(std::uint8_t* packet, std::size_t header_size, ByteView payload,
                                std::uint64_t index) {
    PARLEY_DCHECK(header_size >= kMinRtpHeader);
    transform_->seal_rtp(packet, header_size, payload, index);
    return header_size + payload.size() + rtp_overhead(profile_);
}

std::size_t Sender::protect_rtcp(std::uint8_t* packet, std::size_t size) {
    PARLEY_DCHECK(size >= kRtcpClearHeader);
    // RFC 3711 section 9.2: a new key is needed after 2^31 SRTCP packets.
    if (next_srtcp_index_ > kMaxSrtcpIndex) return 0;
    transform_->seal_rtcp(packet, size, next_srtcp_index_++);
    return size + rtcp_overhead(profile_);
}

struct Receiver::Impl {
    Profile profile{};
    std::unique_ptr<Transform> transform;
    StreamTable<RtpWindow> rtp;
    StreamTable<RtcpWindow> rtcp;
};

Result<Receiver> Receiver::create(Profile profile, const MasterKey& master, Backend backend) {
    auto transform = create_from_master(profile, master, Direction::kOpen, backend);
    if (!transform) return tl::unexpected(transform.error());
    auto impl = std::make_unique<Impl>();
    impl->profile = profile;
    impl->transform = *std::move(transform);
    return Receiver(std::move(impl));
}

Receiver::Receiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;
Receiver::~Receiver() = default;

Result<UnprotectedRtp> Receiver::unprotect_rtp(MutableByteView packet, std::size_t header_size) {
    const std::size_t overhead = rtp_overhead(impl_->profile);
    if (header_size < kMinRtpHeader || packet.size() < overhead || packet.size() - overhead < header_size) {
        return fail(Errc::kTruncated, "SRTP packet");
    }
    const std::uint32_t ssrc = load_u32(packet.data() + 8);
    const std::uint16_t sequence_number = load_u16(packet.data() + 2);
    RtpWindow* window = impl_->rtp.find(ssrc);
    if (window == nullptr && impl_->rtp.full()) return fail(Errc::kTooLarge, "SRTP streams");

    const std::uint64_t index =
        window == nullptr ? sequence_number : estimate_index(window->highest(), sequence_number);
    if (window != nullptr && !window->is_fresh(index)) return fail(Errc::kReplayed, "SRTP index");
    if (!impl_->transform->open_rtp(packet, header_size, index)) {
        return fail(Errc::kBadIntegrity, "SRTP tag");
    }
    if (window == nullptr) window = &impl_->rtp.add(ssrc);
    window->mark(index);
    return UnprotectedRtp{.size = packet.size() - overhead, .index = index};
}

Result<std::size_t> Receiver::unprotect_rtcp(MutableByteView packet) {
    const std::size_t overhead = rtcp_overhead(impl_->profile);
    if (packet.size() < kRtcpClearHeader + overhead) return fail(Errc::kTruncated, "SRTCP packet");

    const std::uint32_t ssrc = load_u32(packet.data() + 4);
    const std::size_t index_at =
        impl_->profile == Profile::kAeadAes128Gcm ? kSrtcpIndexSize : overhead;  // from the end
    const std::uint32_t index_word = load_u32(packet.data() + packet.size() - index_at);
    // RFC 5764 section 4.1.2: both profiles encrypt SRTCP, so one in clear is not from our peer.
    if ((index_word & kSrtcpEncryptedFlag) == 0) return fail(Errc::kBadIntegrity, "SRTCP in clear");
    const std::uint32_t index = index_word & kMaxSrtcpIndex;
    RtcpWindow* window = impl_->rtcp.find(ssrc);
    if (window == nullptr && impl_->rtcp.full()) return fail(Errc::kTooLarge, "SRTCP streams");

    if (window != nullptr && !window->is_fresh(index)) return fail(Errc::kReplayed, "SRTCP index");
    if (!impl_->transform->open_rtcp(packet, index)) return fail(Errc::kBadIntegrity, "SRTCP tag");
    if (window == nullptr) window = &impl_->rtcp.add(ssrc);
    window->mark(index);
    return packet.size() - overhead;
}

void Receiver::forget(Ssrc ssrc) {
    impl_->rtp.erase(ssrc.value);
    impl_->rtcp.erase(ssrc.value);
}

}  // namespace parley::srtp

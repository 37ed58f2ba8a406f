#pragma once

#include <array>
#include <cstring>

#include "base/encoding.h"
#include "srtp/hmac_sha1.h"
#include "srtp/transform.h"

/// Packet layout and IVs of both profiles, over ciphers that a back-end supplies.
namespace parley::srtp {

/// Makes the IV of one packet from the session salt.
/// GCM (N = 12, RFC 7714 section 8.1): 00 00 | SSRC | index (6 bytes), xor salt. For SRTCP (section 9.1)
/// the upper two index bytes are zero, as they are in a 31-bit index.
/// AES-CM (N = 16, RFC 3711 section 4.1.1): (salt * 2^16) xor (SSRC * 2^64) xor (index * 2^16).
template <std::size_t N>
class Salt {
public:
    using Iv = std::array<std::uint8_t, N>;

    explicit Salt(const SessionKeys& keys) {
        std::memcpy(bytes_.data(), keys.salt.data(), std::min(N, keys.salt.size()));
    }
    [[nodiscard]] Iv iv(std::uint32_t ssrc, std::uint64_t index) const {
        constexpr std::size_t kSsrcAt = N == 12 ? 2 : 4;
        Iv iv{};
        store_u32(iv.data() + kSsrcAt, ssrc);
        store_u16(iv.data() + kSsrcAt + 4, static_cast<std::uint16_t>(index >> 32));
        store_u32(iv.data() + kSsrcAt + 6, static_cast<std::uint32_t>(index));
        for (std::size_t i = 0; i < N; ++i) iv[i] ^= bytes_[i];
        return iv;
    }

private:
    Iv bytes_{};
};
using GcmSalt = Salt<12>;
using CmSalt = Salt<16>;

/// AEAD_AES_128_GCM (RFC 7714). A cipher, made from SessionKeys, has
///   void seal(const GcmSalt::Iv&, ByteView aad, const uint8_t* from, size_t, uint8_t* to, uint8_t* tag);
///   bool open(const GcmSalt::Iv&, ByteView aad, uint8_t* data, size_t, const uint8_t* tag);
template <class RtpCipher, class RtcpCipher>
class GcmTransform final : public Transform {
public:
    template <class... Args>
    explicit GcmTransform(const SessionKeySet& keys, const Args&... args)
        : rtp_(keys.rtp, args...), rtcp_(keys.rtcp, args...), rtp_salt_(keys.rtp), rtcp_salt_(keys.rtcp) {}

    void seal_rtp(std::uint8_t* packet, std::size_t header_size, ByteView payload,
                  std::uint64_t index) override {
        std::uint8_t* const body = packet + header_size;
        rtp_.seal(rtp_salt_.iv(load_u32(packet + 8), index), {packet, header_size},
                  payload.empty() ? body : payload.data(), payload.size(), body, body + payload.size());
    }

    bool open_rtp(MutableByteView packet, std::size_t header_size, std::uint64_t index) override {
        std::uint8_t* const body = packet.data() + header_size;
        const std::size_t size = packet.size() - header_size - kGcmTagSize;
        return rtp_.open(rtp_salt_.iv(load_u32(packet.data() + 8), index), packet.first(header_size), body,
                         size, body + size);
    }

    void seal_rtcp(std::uint8_t* packet, std::size_t size, std::uint32_t index) override {
        std::uint8_t* const body = packet + kRtcpClearHeader;
        const std::size_t body_size = size - kRtcpClearHeader;
        rtcp_.seal(rtcp_salt_.iv(load_u32(packet + 4), index), rtcp_aad(packet, index), body, body_size, body,
                   body + body_size);
        store_u32(packet + size + kGcmTagSize, index | kSrtcpEncryptedFlag);
    }

    bool open_rtcp(MutableByteView packet, std::uint32_t index) override {
        std::uint8_t* const body = packet.data() + kRtcpClearHeader;
        const std::size_t size = packet.size() - kRtcpClearHeader - kGcmTagSize - kSrtcpIndexSize;
        return rtcp_.open(rtcp_salt_.iv(load_u32(packet.data() + 4), index), rtcp_aad(packet.data(), index),
                          body, size, body + size);
    }

private:
    using RtcpAad = std::array<std::uint8_t, kRtcpClearHeader + kSrtcpIndexSize>;

    /// RFC 7714 section 9.2: the clear header, then the index word as it goes on the wire.
    static RtcpAad rtcp_aad(const std::uint8_t* packet, std::uint32_t index) {
        RtcpAad aad{};
        std::memcpy(aad.data(), packet, kRtcpClearHeader);
        store_u32(aad.data() + kRtcpClearHeader, index | kSrtcpEncryptedFlag);
        return aad;
    }

    RtpCipher rtp_;
    RtcpCipher rtcp_;
    GcmSalt rtp_salt_;
    GcmSalt rtcp_salt_;
};

/// AES_128_CM_HMAC_SHA1_80 (RFC 3711 sections 4.1.1 and 4.2.1). A cipher, made from SessionKeys, has
///   void apply(const CmSalt::Iv&, const uint8_t* from, size_t, uint8_t* to);
template <class Cipher>
class CmTransform final : public Transform {
public:
    explicit CmTransform(const SessionKeySet& keys)
        : rtp_(keys.rtp),
          rtcp_(keys.rtcp),
          rtp_salt_(keys.rtp),
          rtcp_salt_(keys.rtcp),
          rtp_mac_(keys.rtp.authentication),
          rtcp_mac_(keys.rtcp.authentication) {}

    void seal_rtp(std::uint8_t* packet, std::size_t header_size, ByteView payload,
                  std::uint64_t index) override {
        std::uint8_t* const body = packet + header_size;
        if (!payload.empty()) {
            rtp_.apply(rtp_salt_.iv(load_u32(packet + 8), index), payload.data(), payload.size(), body);
        }
        const std::size_t size = header_size + payload.size();
        const HmacSha1::Digest digest = rtp_digest({packet, size}, index);
        std::memcpy(packet + size, digest.data(), kCmTagSize);
    }

    bool open_rtp(MutableByteView packet, std::size_t header_size, std::uint64_t index) override {
        const MutableByteView covered = packet.first(packet.size() - kCmTagSize);
        const HmacSha1::Digest digest = rtp_digest(covered, index);
        if (!constant_time_equal(ByteView(digest).first(kCmTagSize), packet.last(kCmTagSize))) return false;
        const MutableByteView body = covered.subspan(header_size);
        if (!body.empty()) {
            rtp_.apply(rtp_salt_.iv(load_u32(packet.data() + 8), index), body.data(), body.size(),
                       body.data());
        }
        return true;
    }

    void seal_rtcp(std::uint8_t* packet, std::size_t size, std::uint32_t index) override {
        apply_rtcp({packet, size}, index);
        store_u32(packet + size, index | kSrtcpEncryptedFlag);
        const HmacSha1::Digest digest = rtcp_mac_.compute({packet, size + kSrtcpIndexSize}, {});
        std::memcpy(packet + size + kSrtcpIndexSize, digest.data(), kCmTagSize);
    }

    bool open_rtcp(MutableByteView packet, std::uint32_t index) override {
        const MutableByteView covered = packet.first(packet.size() - kCmTagSize);
        const HmacSha1::Digest digest = rtcp_mac_.compute(covered, {});
        if (!constant_time_equal(ByteView(digest).first(kCmTagSize), packet.last(kCmTagSize))) return false;
        apply_rtcp(covered.first(covered.size() - kSrtcpIndexSize), index);
        return true;
    }

private:
    /// RFC 3711 section 4.2: the rollover counter is authenticated after the packet.
    HmacSha1::Digest rtp_digest(ByteView packet, std::uint64_t index) const {
        std::array<std::uint8_t, 4> rollover_counter{};
        store_u32(rollover_counter.data(), static_cast<std::uint32_t>(index >> 16));
        return rtp_mac_.compute(packet, rollover_counter);
    }
    void apply_rtcp(MutableByteView packet, std::uint32_t index) {
        const MutableByteView body = packet.subspan(kRtcpClearHeader);
        if (body.empty()) return;
        rtcp_.apply(rtcp_salt_.iv(load_u32(packet.data() + 4), index), body.data(), body.size(), body.data());
    }

    Cipher rtp_;
    Cipher rtcp_;
    CmSalt rtp_salt_;
    CmSalt rtcp_salt_;
    HmacSha1 rtp_mac_;
    HmacSha1 rtcp_mac_;
};

}  // namespace parley::srtp

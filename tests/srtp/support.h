#pragma once

#include <algorithm>
#include <ostream>
#include <string>

#include "base/encoding.h"
#include "base/rng.h"
#include "srtp/session.h"

namespace parley::srtp::test {

struct Variant {
    Profile profile;
    Backend backend;
};
inline void PrintTo(const Variant& v, std::ostream* out) {
    *out << (v.profile == Profile::kAeadAes128Gcm ? "gcm" : "cm_sha1")
         << (v.backend == Backend::kIpsecMb ? "_ipsec_mb" : "_openssl");
}
inline std::string name_of(const Variant& v) {
    return std::string(v.profile == Profile::kAeadAes128Gcm ? "Gcm" : "CmSha1") +
           (v.backend == Backend::kIpsecMb ? "IpsecMb" : "OpenSsl");
}
inline constexpr Variant kVariants[] = {
    {Profile::kAeadAes128Gcm, Backend::kOpenSsl},
    {Profile::kAeadAes128Gcm, Backend::kIpsecMb},
    {Profile::kAes128CmHmacSha1_80, Backend::kOpenSsl},
    {Profile::kAes128CmHmacSha1_80, Backend::kIpsecMb},
};
/// False on a machine without AES-NI, where a test of that back-end is skipped.
inline bool is_available(Backend backend) {
    return Sender::create(Profile::kAeadAes128Gcm, {}, backend).has_value();
}

inline MasterKey random_key(Rng& rng) {
    MasterKey key;
    for (auto& byte : key.key) byte = static_cast<std::uint8_t>(rng.next_u32());
    for (auto& byte : key.salt) byte = static_cast<std::uint8_t>(rng.next_u32());
    return key;
}
inline Bytes random_bytes(Rng& rng, std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next_u32());
    return bytes;
}
inline Bytes from_hex(std::string_view text) {
    std::string compact;
    for (const char c : text) {
        if (c != ' ' && c != '\n') compact.push_back(c);
    }
    return hex_decode(compact).value();
}

struct RtpHeaderFields {
    std::uint32_t ssrc = 0x11223344;
    std::uint16_t sequence_number = 0;
    std::size_t csrc_count = 0;
    std::size_t extension_words = 0;  ///< 0: no extension
};
inline Bytes rtp_header(const RtpHeaderFields& fields) {
    Bytes header(12 + 4 * fields.csrc_count + (fields.extension_words > 0 ? 4 + 4 * fields.extension_words : 0));
    header[0] = static_cast<std::uint8_t>(0x80 | (fields.extension_words > 0 ? 0x10 : 0) | fields.csrc_count);
    header[1] = 96;
    store_u16(header.data() + 2, fields.sequence_number);
    store_u32(header.data() + 4, 0x01020304);
    store_u32(header.data() + 8, fields.ssrc);
    if (fields.extension_words > 0) {
        std::uint8_t* const extension = header.data() + 12 + 4 * fields.csrc_count;
        store_u16(extension, 0xbede);
        store_u16(extension + 2, static_cast<std::uint16_t>(fields.extension_words));
    }
    return header;
}

/// The protected packet, made the way the forwarding code does: from a payload that stays as it is.
inline Bytes protect(Sender& sender, const Bytes& header, ByteView payload, std::uint64_t index) {
    Bytes packet(header.size() + payload.size() + rtp_overhead(sender.profile()));
    std::copy(header.begin(), header.end(), packet.begin());
    packet.resize(sender.protect_rtp(packet.data(), header.size(), payload, index));
    return packet;
}
inline Bytes protect_rtcp(Sender& sender, ByteView plain) {
    Bytes packet = to_bytes(plain);
    packet.resize(plain.size() + rtcp_overhead(sender.profile()));
    packet.resize(sender.protect_rtcp(packet.data(), plain.size()));
    return packet;
}
inline Bytes receiver_report(std::uint32_t ssrc, std::size_t extra_words = 6) {
    Bytes packet(8 + 4 * extra_words);
    packet[0] = 0x81;
    packet[1] = 201;
    store_u16(packet.data() + 2, static_cast<std::uint16_t>(1 + extra_words));
    store_u32(packet.data() + 4, ssrc);
    return packet;
}

}  // namespace parley::srtp::test

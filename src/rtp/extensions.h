#pragma once

#include <cstdint>
#include <string_view>

namespace parley::rtp {

inline constexpr std::string_view kUriAudioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
inline constexpr std::string_view kUriAbsSendTime =
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
inline constexpr std::string_view kUriTransportCc =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
inline constexpr std::string_view kUriMid = "urn:ietf:params:rtp-hdrext:sdes:mid";
inline constexpr std::string_view kUriRid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
inline constexpr std::string_view kUriRepairedRid =
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
inline constexpr std::string_view kUriToffset = "urn:ietf:params:rtp-hdrext:toffset";

/// Header extension ids of one direction of one transport (RFC 8285), 0 = not in use. Ids 1 to 14 travel in
/// one-byte form; larger ones (up to 255) only in two-byte form.
struct ExtensionIds {
    std::uint8_t audio_level = 0;
    std::uint8_t abs_send_time = 0;
    std::uint8_t transport_cc = 0;
    std::uint8_t mid = 0;
    std::uint8_t rid = 0;
    std::uint8_t repaired_rid = 0;
    std::uint8_t toffset = 0;

    friend bool operator==(const ExtensionIds&, const ExtensionIds&) = default;
};

}  // namespace parley::rtp

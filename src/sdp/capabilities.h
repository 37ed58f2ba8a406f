#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "rtp/extensions.h"
#include "sdp/session.h"

/// What a browser can do, read from the offer it shows (`capsdp`, or the offer of WHIP and WHEP),
/// and the choice we make of it (protocol section 4.2).
namespace parley::sdp {

enum class VideoCodec : std::uint8_t { kH264, kVp8, kVp9, kAv1 };

/// One codec with the payload types that the browser shows for it.
struct Format {
    PayloadType payload_type;
    PayloadType rtx_payload_type;  ///< 0: none
    std::vector<Parameter> parameters;
    friend bool operator==(const Format&, const Format&) = default;
};
struct VideoFormat {
    VideoCodec codec = VideoCodec::kH264;
    Format format;
    std::uint32_t packetization_mode = 0;  ///< H.264 (RFC 6184 section 8.1)
    std::uint32_t profile_level_id = 0;    ///< H.264: 0x42e01f
    friend bool operator==(const VideoFormat&, const VideoFormat&) = default;
};

struct Capabilities {
    std::optional<Format> opus;
    PayloadType red_payload_type;    ///< RFC 2198 for opus; 0: none
    std::vector<VideoFormat> video;  ///< in the browser's order
    rtp::ExtensionIds audio_extensions;
    rtp::ExtensionIds video_extensions;
};
/// Over all sections of the offer; the first mention of a payload type or URI counts.
Capabilities read_capabilities(const Session& offer);
/// The same of one section; for answers, which may only use what their own section offers.
Capabilities read_capabilities(const Section& section);

struct CodecPolicy {
    VideoCodec preferred_video = VideoCodec::kH264;  ///< tried first; then H.264, then VP8
    bool allow_red = true;
};

/// "send" and "recv" are the browser's: what it publishes with, and what it is sent.
struct NegotiatedCodec {
    PayloadType send_payload_type;
    PayloadType send_rtx_payload_type;  ///< 0: none
    PayloadType recv_payload_type;
    PayloadType recv_rtx_payload_type;
    std::vector<Parameter> parameters;
};
struct Negotiated {
    NegotiatedCodec opus;
    PayloadType red_send_payload_type;  ///< 0: no RED
    PayloadType red_recv_payload_type;
    VideoCodec video_codec = VideoCodec::kH264;
    NegotiatedCodec video;
    /// By kind, as the browser shows them; both directions use the same ids.
    rtp::ExtensionIds audio_extensions;
    rtp::ExtensionIds video_extensions;
    /// Of the whole transport, for sfu::OpenPeer.
    rtp::ExtensionIds receive_extensions;
    rtp::ExtensionIds send_extensions;
};

/// Payload types of everything we send in offers that the clients fabricate. The same for all
/// clients: RED carries the payload type of Opus inside, so a publisher's RED can be forwarded only
/// to receivers that call Opus the same. 111 is what Chromium and Safari publish with.
inline constexpr PayloadType kRecvOpus{111};
inline constexpr PayloadType kRecvRed{63};
inline constexpr PayloadType kRecvVideo{101};
inline constexpr PayloadType kRecvVideoRtx{102};

/// The best video format of this codec for us; nullptr when there is none. H.264 must have
/// packetization-mode 1; constrained baseline 3.1 comes first, then any constrained baseline, then
/// baseline, then any profile.
const VideoFormat* choose_video(const Capabilities& capabilities, VideoCodec codec);

/// Opus and one video codec. kUnsupported when the browser lacks either (wire code 10054).
Result<Negotiated> negotiate(const Capabilities& capabilities, const CodecPolicy& policy);

}  // namespace parley::sdp

#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "ice/lite_agent.h"
#include "rtp/extensions.h"

namespace parley::loadgen {

/// Payload types and extension ids as Chromium 156 offers them.
inline constexpr std::uint8_t kOfferOpus = 111;
inline constexpr std::uint8_t kOfferH264 = 108;
inline constexpr std::uint8_t kOfferRtx = 109;
inline constexpr rtp::ExtensionIds kOfferExtensions{.audio_level = 1,
                                                    .abs_send_time = 2,
                                                    .transport_cc = 3,
                                                    .mid = 4,
                                                    .rid = 10,
                                                    .repaired_rid = 11,
                                                    .toffset = 14};

/// One m-line of an offer in a browser's words.
struct OfferSection {
    bool is_video = false;
    std::string mid;
    std::string direction;          ///< "sendonly", "recvonly", "inactive"
    Ssrc ssrc;                      ///< 0: none is named
    Ssrc rtx_ssrc;
    std::vector<std::string> rids;  ///< simulcast, largest first
    std::string track_id;           ///< sendonly only
};

/// A browser's offer: BUNDLE, rtcp-mux, H.264 with RTX and Opus, no candidates.
std::string make_offer(const std::vector<OfferSection>& sections,
                       const ice::Credentials& credentials,
                       std::string_view fingerprint,
                       std::string_view cname);

}  // namespace parley::loadgen

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "room/types.h"
#include "sfu/media_api.h"

namespace parley::room {

/// What a publisher says about one track.
struct NewTrack {
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;
    std::string local_id;  ///< the publisher's name for the source; keeps the id over a re-publish
    std::string tag;
    bool master = false;
    bool simulcast = false;
};

/// One published source. `media` names this publication at the worker and changes with every
/// re-publish; `id` and `mid` stay with the source, `versionid` counts its publications (protocol
/// section 3.4).
struct Track {
    std::string id;
    TrackId media;
    MemberId owner;
    std::uint32_t mid = 0;  ///< room-wide; the m-line in every subscriber's receive connection
    std::uint32_t versionid = 1;
    std::uint64_t batch = 0;  ///< tracks of one request are announced in one notification
    bool announced = false;   ///< others know it
    bool muted = false;       ///< as the others see it: one of the next two
    bool self_muted = false;  ///< its owner's last word
    bool stopped = false;     ///< by the app server: the worker forwards nothing of it
    NewTrack info;
};

/// A track on its way to one member.
struct Subscription {
    TrackId media;
    Ssrc ssrc;
    Ssrc rtx_ssrc;
    sfu::Layer layer = sfu::Layer::kHigh;
};

}  // namespace parley::room

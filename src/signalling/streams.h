#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "room/types.h"
#include "sfu/media_api.h"

/// RTMP and FLV connections of mini programs as room control sees them (protocol section 5). The
/// shell parses their URLs, asks what they may do, and carries their media; control knows who they
/// belong to and ends them when their right ends.
namespace parley::signalling {

/// What a publish or play URL says (protocol section 5.1).
struct StreamAddress {
    std::string rtmptoken;
    std::string playerid;               ///< publish: the caller itself; play: the publisher
    std::vector<std::string> trackids;  ///< empty: a publish URL
};

struct PublishGrant {
    WorkerId worker;  ///< where the room's media lives
    room::RoomKey room;
    std::string user_id;
};

struct PlayTrack {
    TrackId track;
    std::string trackid;
    room::MemberId owner;
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;
    bool simulcast = false;
};
struct PlayGrant {
    WorkerId worker;
    room::RoomKey room;
    std::string user_id;  ///< the viewer
    std::vector<PlayTrack> tracks;
};

/// One track of a publishing stream, known by its sequence header.
struct FoundTrack {
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;  ///< as the room gets it
};

enum class StreamEnd : std::uint8_t {
    kReplaced,    ///< the same user publishes anew
    kMemberLeft,  ///< its signalling session ended: leave, kick, timeout, replacement
    kTrackGone,   ///< a track it plays was taken away
    kNotAllowed,  ///< the app server took the right away
};
std::string_view to_string(StreamEnd reason);

/// The worker is to close this stream; nothing more is heard of it from either side.
struct EndStream {
    WorkerId worker;
    StreamId stream;
    StreamEnd reason{};
};

}  // namespace parley::signalling

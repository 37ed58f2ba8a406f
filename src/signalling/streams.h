#pragma once

#include <cstdint>
#include <optional>
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

/// One life of a room: never used again.
using RoomId = StrongId<struct RoomIdTag, std::uint64_t>;

/// What a publish or play URL says (protocol section 5.1).
struct StreamAddress {
    std::string rtmptoken;
    std::string playerid;  ///< publish: the caller itself; play: the publisher
    std::vector<std::string> trackids;
    /// What is to be mixed for the caller: "audio", everybody's sound but his own, whoever comes
    /// and goes. Ours; not of the published protocol.
    std::string mix{};

    [[nodiscard]] bool is_for_playing() const { return !trackids.empty() || !mix.empty(); }
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
    /// It follows the sound of this room, but this listener's own: `Hub::sounds_of` now, and
    /// `RoomSounds` whenever that changes.
    std::optional<RoomId> mixes;
    room::MemberId listener;
};

/// A sound that can be heard in a room: announced, and not muted.
struct RoomSoundTrack {
    TrackId track;
    room::MemberId owner;
};
/// What can be heard in a room has changed, and a stream there follows it.
struct RoomSounds {
    WorkerId worker;
    RoomId room;
    std::vector<RoomSoundTrack> tracks;
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

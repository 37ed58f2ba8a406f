#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "signalling/hub.h"

namespace parley::rest {

/// What WHIP and WHEP ask of room control: signalling::Hub, seen from here without its outputs,
/// which the implementation delivers itself. Errors are those of the Hub's functions of the same
/// names.
class MediaSessions {
public:
    virtual ~MediaSessions() = default;
    virtual Result<signalling::PublisherJoined> join_publisher(
        Instant now, WallTime wall, const signalling::JoinPublisher& request) = 0;
    [[nodiscard]] virtual std::vector<signalling::MediaSource> media_sources(
        const room::RoomKey& room, std::string_view user_or_track) const = 0;
    virtual Result<signalling::ViewerJoined> join_viewer(Instant now,
                                                         WallTime wall,
                                                         const signalling::JoinViewer& request) = 0;
    virtual Result<signalling::PeerParameters> restart(Instant now,
                                                       signalling::MediaSessionId session) = 0;
    virtual Result<void> leave(Instant now, signalling::MediaSessionId session) = 0;
};

}  // namespace parley::rest

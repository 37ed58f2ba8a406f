#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "quality/client_report.h"
#include "sfu/media_api.h"
#include "signalling/streams.h"

namespace parley::signalling {

/// One WebSocket. The shell numbers them; never reused while the process lives.
using SessionId = StrongId<struct SessionTag, std::uint64_t>;
/// One WHIP or WHEP resource.
using MediaSessionId = StrongId<struct MediaSessionTag, std::uint64_t>;

struct SendText {
    SessionId session;
    std::string text;  ///< one text frame
};
/// Send everything queued for the session, then exactly one close frame. The session is forgotten
/// here.
struct CloseSession {
    SessionId session;
    std::uint16_t code = 0;
};
struct ToWorker {
    WorkerId worker;
    sfu::MediaCommand command;
};

enum class RoomEventKind : std::uint8_t {
    kRoomCreated,
    kRoomClosed,
    kUserJoined,
    kUserLeft,
    kUserAway,  ///< the signalling socket is lost, the grace time runs
    kUserReconnected,
    kRoleChanged,
    kTrackPublished,
    kTrackUnpublished,
    kTrackMuted,
    kQualityAlarm,  ///< raised by the shell, which knows the figures
};
/// The event's public name (REST section 12), such as `room_created`.
std::string_view to_string(RoomEventKind kind);

/// What happened in a room: for logs and metrics, later for webhooks.
struct RoomEvent {
    RoomEventKind kind{};
    WallTime at;
    std::string app_id;
    std::string room_name;
    std::string user_id;  ///< empty for room events
    std::string data;     ///< JSON object as in REST section 12, `{}` if there is nothing to say
};

/// What a client says of its own connection.
struct QualityReport {
    quality::MemberKey member;
    quality::ClientReport report;
};

/// Appended to by every entry of the Hub; owned and reused by the caller.
/// Texts of one session and commands to one worker are to be applied in this order; texts before
/// closes.
struct Outputs {
    std::vector<SendText> texts;
    std::vector<CloseSession> closes;
    std::vector<ToWorker> commands;
    std::vector<RoomEvent> events;
    std::vector<MediaSessionId> ended_media_sessions;  ///< gone by themselves: drop the resource
    std::vector<EndStream> ended_streams;              ///< after `commands`
    std::vector<QualityReport> quality;
    std::vector<RoomSounds> room_sounds;               ///< after `commands`

    void clear() {
        texts.clear();
        closes.clear();
        commands.clear();
        events.clear();
        ended_media_sessions.clear();
        ended_streams.clear();
        quality.clear();
        room_sounds.clear();
    }
};

}  // namespace parley::signalling

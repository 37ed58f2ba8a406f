#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace parley::room {

/// One user's presence in one room. Never reused while the process lives.
using MemberId = StrongId<struct MemberTag, std::uint64_t>;

/// How a member talks to us; it decides who hears what (protocol appendix B).
enum class ClientKind : std::uint8_t {
    kWeb,          ///< WebSocket JSON and two peer connections
    kMiniProgram,  ///< WebSocket JSON and RTMP
    kPublisher,    ///< WHIP: one peer connection, no signalling socket
    kViewer,       ///< WHEP: as above, and not shown to other members
};
std::string_view to_string(ClientKind kind);

/// From the room token; decides who may kick.
enum class Permission : std::uint8_t { kUser, kAdmin };

/// What a member says it wants to do (protocol section 3.6); a web audience lacks `publish`.
struct Privileges {
    bool publish = true;
    bool subscribe = true;
    friend bool operator==(const Privileges&, const Privileges&) = default;
};

/// `app_id:name` is the room id of the REST API.
struct RoomKey {
    std::string app_id;
    std::string name;
    friend auto operator<=>(const RoomKey&, const RoomKey&) = default;
};

}  // namespace parley::room

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/room_token.h"
#include "base/time.h"
#include "room/types.h"
#include "sfu/media_api.h"

namespace parley::signalling {

/// The fields of an app that decide about its rooms (REST section 5.1). A living room keeps those
/// it was made with.
struct AppSettings {
    std::uint32_t max_users = 20;    ///< 0: the default
    bool no_auto_kick_user = false;  ///< true: a second join of a connected user is refused (10022)
    bool no_auto_close_room = false;  ///< true: an empty room stays
    bool no_auto_create_room =
        false;                      ///< true: a join to a room that is not there is refused (10012)
    Duration auto_close_ttl = 10s;  ///< how long an empty room lives
    sfu::Codec video_codec = sfu::Codec::kH264;  ///< offered first to the first member of a room
};

/// Where apps are looked up. Called on the control loop only; must not block.
class AppLookup {
public:
    virtual ~AppLookup() = default;
    [[nodiscard]] virtual std::optional<AppSettings> find(std::string_view app_id) const = 0;
    /// The same for one room, which may have bounds of its own.
    [[nodiscard]] virtual std::optional<AppSettings> settings_of(const room::RoomKey& room) const {
        return find(room.app_id);
    }
    /// Whether a room lets new members in, when it is made; later Hub::set_room_open says.
    [[nodiscard]] virtual bool is_room_open(const room::RoomKey&) const { return true; }
    [[nodiscard]] virtual bool is_banned(const room::RoomKey&, std::string_view, WallTime) const {
        return false;
    }
    /// Whose signatures room tokens carry; mini programs bring those to `auth` themselves. Null:
    /// they are refused.
    [[nodiscard]] virtual const auth::KeyLookup* keys() const { return nullptr; }
};

}  // namespace parley::signalling

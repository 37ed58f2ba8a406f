#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/room_token.h"
#include "signalling/hub.h"

namespace parley::rest {

/// What clients may read of an app (REST section 5.1).
struct AppInfo {
    std::string app_id;
    std::string title;
    std::uint32_t max_users = 0;
    bool no_auto_kick_user = false;
    /// Of the account that owns it; signs the tokens of the demo service.
    auth::AccountKey owner;
};

/// What the router asks of the process it runs in. Called on the control loop only; must not block.
class Directory {
public:
    virtual ~Directory() = default;
    /// For room tokens.
    [[nodiscard]] virtual const auth::KeyLookup& keys() const = 0;
    [[nodiscard]] virtual std::optional<AppInfo> app_info(std::string_view app_id) const = 0;
    /// As signalling::Hub::list_rooms and list_users.
    [[nodiscard]] virtual signalling::RoomList list_rooms(std::string_view app_id,
                                                          std::string_view prefix,
                                                          std::size_t offset,
                                                          std::size_t limit) const = 0;
    [[nodiscard]] virtual std::vector<std::string> list_users(const room::RoomKey& room) const = 0;
};

}  // namespace parley::rest

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/room_token.h"
#include "base/result.h"
#include "base/time.h"
#include "rest/app_record.h"
#include "rest/job_record.h"
#include "signalling/hub.h"

namespace parley::rest {

/// A key pair of an account, without its secret.
struct KeyInfo {
    std::string access_key;
    WallTime created_at{};  ///< 1970: not known
    bool disabled = false;
    bool configured = false;  ///< from the configuration or the account file
};

/// A room of v1 or v2 (REST section 15); it is there until it is deleted.
struct V2Room {
    room::RoomKey key;
    std::string owner_id;
    std::uint32_t user_max = 0;  ///< 0: the app's
    bool was_used = false;       ///< somebody has been in it
    WallTime created_at;
};

/// What the management API rules over: accounts and apps with their store, rooms with their
/// members. Called on the control loop only; must not block. Changes take effect at once; whoever
/// sends the answer waits until the store has them (see server/rest_bridge.h).
class Estate {
public:
    virtual ~Estate() = default;
    [[nodiscard]] virtual const auth::KeyLookup& keys() const = 0;
    /// 0: no such key.
    [[nodiscard]] virtual std::int64_t account_of(std::string_view access_key) const = 0;
    /// Whether the account may see the whole node.
    [[nodiscard]] virtual bool is_operator(std::int64_t account) const = 0;
    /// By access key.
    [[nodiscard]] virtual std::vector<KeyInfo> keys_of(std::int64_t account) const = 0;
    virtual Result<void> add_key(std::int64_t account,
                                 const auth::AccountKey& key,
                                 WallTime wall) = 0;
    /// Signatures and tokens of a disabled key are refused. kNotFound.
    virtual Result<void> disable_key(const std::string& access_key, bool disabled) = 0;
    virtual Result<void> erase_key(const std::string& access_key) = 0;
    [[nodiscard]] virtual AppDefaults app_defaults() const = 0;
    [[nodiscard]] virtual const AppRecord* find_app(std::string_view app_id) const = 0;
    /// Sorted by id.
    [[nodiscard]] virtual std::vector<const AppRecord*> apps_of(std::int64_t account) const = 0;
    /// kBusy, and nothing changed: the store cannot keep up.
    virtual Result<void> put_app(const AppRecord& app) = 0;
    /// Closes its rooms, too.
    virtual Result<void> erase_app(Instant now, const std::string& app_id) = 0;

    [[nodiscard]] virtual const JobRecord* find_job(const room::RoomKey& room,
                                                    std::string_view id) const = 0;
    [[nodiscard]] virtual std::vector<const JobRecord*> jobs_of(
        const room::RoomKey& room) const = 0;
    /// Of all rooms of the app.
    [[nodiscard]] virtual std::vector<const JobRecord*> jobs_of_app(
        std::string_view app_id) const = 0;
    virtual Result<void> put_job(const JobRecord& job) = 0;
    virtual Result<void> erase_job(const room::RoomKey& room, const std::string& id) = 0;

    [[nodiscard]] virtual const V2Room* find_v2_room(const room::RoomKey& room) const = 0;
    /// kTooLarge: the account has kMaxV2Rooms.
    virtual Result<void> put_v2_room(const V2Room& room) = 0;
    /// Closes it, too.
    virtual Result<void> erase_v2_room(Instant now, const room::RoomKey& room) = 0;

    // As signalling::Hub's functions of these names.
    [[nodiscard]] virtual signalling::RoomList list_rooms(std::string_view app_id,
                                                          std::string_view prefix,
                                                          std::size_t offset,
                                                          std::size_t limit) const = 0;
    [[nodiscard]] virtual std::vector<std::string> list_users(const room::RoomKey& room) const = 0;
    virtual Result<void> kick_user(Instant now,
                                   const room::RoomKey& room,
                                   std::string_view user) = 0;
    virtual Result<void> create_room(Instant now,
                                     const room::RoomKey& room,
                                     const signalling::RoomOptions& options) = 0;
    virtual Result<void> close_room(Instant now, const room::RoomKey& room) = 0;
};

}  // namespace parley::rest

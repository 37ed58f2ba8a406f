#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "quality/client_report.h"
#include "quality/history.h"
#include "room/types.h"
#include "signalling/hub.h"
#include "signalling/moderation.h"

namespace parley::rest {

/// A user who may not join a room.
struct Ban {
    std::string user_id;
    std::string reason;  ///< for people; clients are not told
    WallTime created_at;
    std::optional<WallTime> until;  ///< absent: for good
};

struct NodeWorker {
    std::uint32_t id = 0;
    std::size_t rooms = 0;
    std::size_t members = 0;
};
struct NodeHealth {
    std::string version;
    WallTime started_at;
    bool draining = false;
    signalling::HubStats hub;
    bool postgresql = false;
    std::size_t pending_writes = 0;
    std::vector<NodeWorker> workers;
};

/// What `/x1/` asks of living rooms, and of the settings of rooms that outlive them. Called on the
/// control loop only; must not block. Errors of the functions that signalling::Hub has too are the
/// Hub's; those that change settings say kBusy when the store cannot keep up.
class RoomControl {
public:
    static constexpr std::size_t kMaxBansPerRoom = 10'000;

    virtual ~RoomControl() = default;
    [[nodiscard]] virtual signalling::RoomPage room_page(std::string_view app_id,
                                                         std::string_view prefix,
                                                         std::string_view after,
                                                         std::size_t limit,
                                                         bool empty) const = 0;
    [[nodiscard]] virtual std::optional<signalling::RoomView> room_view(
        const room::RoomKey& room) const = 0;
    [[nodiscard]] virtual std::optional<signalling::MemberView> member_view(
        const room::RoomKey& room, std::string_view user) const = 0;
    virtual Result<std::vector<signalling::ChangedTrack>> mute_user(
        Instant now,
        const room::RoomKey& room,
        const std::string& user,
        const signalling::MuteOrder& order) = 0;
    virtual Result<std::vector<signalling::ChangedTrack>> mute_room(
        Instant now, const room::RoomKey& room, const signalling::MuteOrder& order) = 0;
    virtual Result<void> change_member(Instant now,
                                       const room::RoomKey& room,
                                       const std::string& user,
                                       const signalling::MemberChange& change) = 0;
    virtual Result<signalling::SentMessage> send_message(Instant now,
                                                         WallTime wall,
                                                         const room::RoomKey& room,
                                                         signalling::ServerMessage message) = 0;
    virtual Result<void> set_max_users(Instant now,
                                       const room::RoomKey& room,
                                       std::uint32_t max_users) = 0;

    /// Whether new members are let in; kept beyond the room's end and the server's.
    [[nodiscard]] virtual bool is_open(const room::RoomKey& room) const = 0;
    virtual Result<void> set_open(Instant now, const room::RoomKey& room, bool open) = 0;

    /// Bans in force, by user id, after `after`.
    [[nodiscard]] virtual std::vector<Ban> bans(const room::RoomKey& room,
                                                WallTime wall,
                                                std::string_view after,
                                                std::size_t limit) const = 0;
    /// kTooLarge: kMaxBansPerRoom.
    virtual Result<void> put_ban(WallTime wall, const room::RoomKey& room, const Ban& ban) = 0;
    /// kNotFound.
    virtual Result<void> erase_ban(WallTime wall,
                                   const room::RoomKey& room,
                                   const std::string& user) = 0;

    /// The newest point of a member; null: none yet. Not to be kept.
    [[nodiscard]] virtual const quality::Point* quality_of(const room::RoomKey& room,
                                                           std::string_view user) const = 0;
    /// What a client says of its playing; nobody has checked it.
    virtual void report_freeze(WallTime wall, const quality::FreezeReport& report) = 0;

    [[nodiscard]] virtual NodeHealth health() const = 0;
};

}  // namespace parley::rest

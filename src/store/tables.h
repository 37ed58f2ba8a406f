#pragma once

#include <string>
#include <vector>

#include "rest/app_record.h"
#include "rest/estate.h"
#include "rest/job_record.h"
#include "rest/room_control.h"
#include "store/event_tables.h"
#include "store/sql.h"

namespace parley::store {

/// What this program makes of an empty database; a newer one is refused.
std::int64_t schema_version();

/// Brings the tables to `schema_version`, one version after another, each in a transaction of its
/// own.
SqlResult<void> migrate(Connection& connection);

/// One key pair of an account. An account may have several, so that keys are exchanged without a
/// gap.
struct KeyRecord {
    std::string access_key;
    std::string secret_key;
    std::int64_t account = 0;
    bool disabled = false;
    WallTime created_at{};  ///< 1970: not known
    friend bool operator==(const KeyRecord&, const KeyRecord&) = default;
};
/// The account whose key is in the configuration or the account file; it has no record.
inline constexpr std::int64_t kFirstAccount = 1;
struct AccountRecord {
    std::int64_t id = 0;
    std::string name;       ///< for people
    bool disabled = false;  ///< none of its keys opens anything
    WallTime created_at{};
    friend bool operator==(const AccountRecord&, const AccountRecord&) = default;
};
struct BanRecord {
    room::RoomKey room;
    rest::Ban ban;
};

Statement put_key(const KeyRecord& key);
Statement erase_key(const std::string& access_key);
Statement put_account(const AccountRecord& account);
Statement put_ban(const room::RoomKey& room, const rest::Ban& ban);
Statement erase_ban(const room::RoomKey& room, const std::string& user);
/// A room that lets nobody new in.
Statement put_closed_room(const room::RoomKey& room);
Statement erase_closed_room(const room::RoomKey& room);
/// Bans, closed rooms and v2 rooms.
std::vector<Statement> erase_rooms_of_app(const std::string& app_id);
Statement put_v2_room(const rest::V2Room& room);
Statement erase_v2_room(const room::RoomKey& room);
Statement put_app(const rest::AppRecord& app);
Statement erase_app(const std::string& app_id);
Statement erase_jobs_of_app(const std::string& app_id);
Statement put_job(const rest::JobRecord& job);
Statement erase_job(const room::RoomKey& room, const std::string& id);

/// Everything that is kept in memory while the server runs.
struct Content {
    std::vector<AccountRecord> accounts;
    std::vector<KeyRecord> keys;
    std::vector<rest::AppRecord> apps;
    std::vector<rest::JobRecord> jobs;
    std::vector<BanRecord> bans;
    std::vector<room::RoomKey> closed_rooms;
    std::vector<rest::V2Room> v2_rooms;
    EventContent events;
    std::int64_t usage_batch = 0;  ///< the newest that was added
};
SqlResult<Content> load_content(Connection& connection);

}  // namespace parley::store

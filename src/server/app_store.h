#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "auth/room_token.h"
#include "base/rng.h"
#include "io/files.h"
#include "rest/app_record.h"
#include "rest/estate.h"
#include "rest/job_record.h"
#include "rest/v2_rooms.h"
#include "server/config.h"
#include "signalling/app_settings.h"
#include "store/accounts.h"
#include "store/store.h"

namespace parley::server {

/// Start-up fails with one line for the operator.
template <class T>
using StartResult = tl::expected<T, std::string>;

/// What `store::open_database` takes.
std::string store_url(const Config& config);

/// Accounts, apps and jobs in memory, in step with the store. `account.json` (the first account's key) and
/// `signing.key` are small files of the data directory with mode 0600, the directory itself has 0700; the
/// rest is in the store: `parley.db` there, or the database that `store.url` names.
class AppStore final : public auth::KeyLookup, public signalling::AppLookup {
public:
    /// Ended jobs that a room remembers.
    static constexpr std::size_t kMaxJobsPerRoom = 256;
    static constexpr std::size_t kMaxClosedRooms = 100'000;  ///< of all apps
    static constexpr std::int64_t kFirstAccount = store::kFirstAccount;

    /// Only reads; for commands that need keys beside a running server.
    static StartResult<AppStore> read(const Config& config);
    /// Locks the directory against a second server and makes what is missing.
    static StartResult<AppStore> open(const Config& config, SecretSource& secrets, WallTime now);

    AppStore(AppStore&&) = default;
    AppStore& operator=(AppStore&&) = default;

    /// True when `open` has just made the account: the caller shows the keys, once.
    [[nodiscard]] bool is_new() const { return is_new_; }
    /// The first account's, of the configuration or the account file; it may be disabled.
    [[nodiscard]] const auth::AccountKey& account() const { return account_; }
    [[nodiscard]] const std::string& signing_key() const { return signing_key_; }
    [[nodiscard]] const rest::AppDefaults& defaults() const { return defaults_; }
    [[nodiscard]] bool is_postgresql() const { return is_postgresql_; }
    /// The log as it was when the store was opened; to be taken once.
    [[nodiscard]] store::EventContent take_events() { return std::move(events_); }
    /// As it was then: the newest batch of usage.
    [[nodiscard]] std::int64_t usage_batch() const { return usage_batch_; }
    /// Null after `read`.
    [[nodiscard]] store::Store* store() const { return store_.get(); }

    [[nodiscard]] std::optional<std::string> secret_key(std::string_view access_key) const override;
    [[nodiscard]] bool owns_app(std::string_view access_key, std::string_view app_id) const override;
    [[nodiscard]] std::optional<signalling::AppSettings> find(std::string_view app_id) const override;
    [[nodiscard]] std::optional<signalling::AppSettings> settings_of(const room::RoomKey& room) const override;
    [[nodiscard]] const auth::KeyLookup* keys() const override { return this; }
    [[nodiscard]] std::optional<std::string> v2_app(std::string_view access_key) const override;

    /// 0: no such key.
    [[nodiscard]] std::int64_t account_of(std::string_view access_key) const;
    /// Some key of the account that works; nullopt when it has none.
    [[nodiscard]] std::optional<auth::AccountKey> key_of(std::int64_t account) const;
    [[nodiscard]] std::vector<rest::KeyInfo> keys_of(std::int64_t account) const;
    Result<void> put_key(store::KeyRecord key);
    /// kNotFound.
    Result<void> disable_key(std::string_view access_key, bool disabled);
    Result<void> erase_key(const std::string& access_key);
    /// Counts changes of keys that this process made, and the write of the last.
    struct KeyChanges {
        std::uint64_t count = 0;
        store::Store::Ticket last = 0;
    };
    [[nodiscard]] const KeyChanges& key_changes() const { return key_changes_; }
    /// What the store holds by now, whoever wrote it; true when it is news.
    bool take_accounts(store::AccountContent content);
    [[nodiscard]] std::vector<std::string> app_ids() const;
    [[nodiscard]] const rest::AppRecord* find_app(std::string_view app_id) const;
    [[nodiscard]] std::vector<const rest::AppRecord*> apps_of(std::int64_t account) const;
    [[nodiscard]] const rest::JobRecord* find_job(const room::RoomKey& room, std::string_view id) const;
    [[nodiscard]] std::vector<const rest::JobRecord*> jobs_of(const room::RoomKey& room) const;
    [[nodiscard]] std::vector<const rest::JobRecord*> jobs_of_app(std::string_view app_id) const;

    // Changes are seen at once and on their way to the disk. kBusy, and nothing changed: too many wait.
    Result<void> put_app(const rest::AppRecord& app);
    Result<void> erase_app(const std::string& app_id);
    /// `with`: belongs into the same change.
    Result<void> put_job(const rest::JobRecord& job, std::vector<store::Statement> with = {});
    Result<void> erase_job(const room::RoomKey& room, const std::string& id);

    [[nodiscard]] bool is_room_open(const room::RoomKey& room) const override {
        // Nobody makes a v2 room by joining it.
        return !closed_rooms_.contains(room) && (!rest::is_v2_app_id(room.app_id) || find_v2_room(room) != nullptr);
    }
    [[nodiscard]] bool is_banned(const room::RoomKey& room,
                                 std::string_view user,
                                 WallTime wall) const override;
    [[nodiscard]] const rest::V2Room* find_v2_room(const room::RoomKey& room) const;
    /// kTooLarge: too many.
    Result<void> put_v2_room(const rest::V2Room& room);
    Result<void> erase_v2_room(const room::RoomKey& room);
    /// Somebody is in the room; what belongs into the change that says so, if that is news.
    [[nodiscard]] std::optional<store::Statement> note_use(const room::RoomKey& room);
    Result<void> set_room_open(const room::RoomKey& room, bool open);
    [[nodiscard]] std::vector<rest::Ban> bans(const room::RoomKey& room,
                                              WallTime wall,
                                              std::string_view after,
                                              std::size_t limit) const;
    /// Forgets the room's bans that are over, besides. kTooLarge: too many.
    Result<void> put_ban(WallTime wall, const room::RoomKey& room, const rest::Ban& ban);
    /// kNotFound: none in force.
    Result<void> erase_ban(WallTime wall, const room::RoomKey& room, const std::string& user);

private:
    using Bans = std::map<std::string, rest::Ban, std::less<>>;
    using Jobs = std::map<std::string, rest::JobRecord, std::less<>>;
    using V2Rooms = std::map<std::string, rest::V2Room, std::less<>>;

    AppStore() = default;
    static StartResult<AppStore> load_files(const Config& config, SecretSource* secrets);
    void take(store::Content content);
    [[nodiscard]] bool works(const store::KeyRecord& key) const;
    StartResult<void> complete(const Config& config, WallTime now);

    std::optional<io::FileLock> lock_;
    auth::AccountKey account_;
    std::string signing_key_;
    rest::AppDefaults defaults_;
    std::unique_ptr<store::Store> store_;
    std::map<std::string, store::KeyRecord, std::less<>> keys_;
    std::map<std::int64_t, store::AccountRecord> accounts_;  ///< without the first
    KeyChanges key_changes_;
    std::map<std::string, rest::AppRecord, std::less<>> apps_;
    std::map<room::RoomKey, Jobs> jobs_;
    std::map<room::RoomKey, Bans> bans_;
    std::set<room::RoomKey> closed_rooms_;
    std::map<std::string, V2Rooms, std::less<>> v2_rooms_;  ///< by app
    bool takes_v2_tokens_ = false;
    store::EventContent events_;
    std::int64_t usage_batch_ = 0;
    bool is_new_ = false;
    bool is_postgresql_ = false;
};

}  // namespace parley::server

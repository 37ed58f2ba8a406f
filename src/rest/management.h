#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/room_token.h"
#include "base/rng.h"
#include "base/time.h"
#include "rest/app_record.h"
#include "rest/http.h"
#include "rest/job_record.h"
#include "rest/route.h"
#include "signalling/hub.h"

namespace parley::rest {

/// What the management API rules over: accounts and apps with their store, rooms with their
/// members. Called on the control loop only; must not block. Changes take effect at once; whoever
/// sends the answer waits until the store has them (see server/rest_bridge.h).
class Estate {
public:
    virtual ~Estate() = default;
    [[nodiscard]] virtual const auth::KeyLookup& keys() const = 0;
    /// 0: no such key.
    [[nodiscard]] virtual std::int64_t account_of(std::string_view access_key) const = 0;
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
    virtual Result<void> put_job(const JobRecord& job) = 0;

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

/// Failed authentications of one address: some are a mistake, thousands are an attack.
class FailureLimit {
public:
    static constexpr double kPerSecond = 10;
    static constexpr double kBurst = 1'000;
    static constexpr std::size_t kMaxAddresses = 10'000;  ///< beyond: the whole table starts anew

    [[nodiscard]] bool is_blocked(Instant now, const std::string& address) const;
    void count_failure(Instant now, const std::string& address);

private:
    struct Bucket {
        double failures = 0;
        Instant at;
    };
    static double left(const Bucket& bucket, Instant now);
    std::map<std::string, Bucket, std::less<>> buckets_;
};

struct ManagementStats {
    std::uint64_t calls = 0;
    std::uint64_t refused = 0;  ///< authentication failed
    std::uint64_t blocked = 0;  ///< too many failures from one address
};

/// The calls of app servers, signed with `Authorization: Qiniu` (REST sections 2, 5, 6 and 7).
class Management {
public:
    Management(Estate& estate, Rng rng) : estate_(estate), rng_(rng) {}

    /// nullopt: not a management call.
    std::optional<HttpResponse> handle(Instant now,
                                       WallTime wall,
                                       const HttpRequest& request,
                                       const Target& target);
    [[nodiscard]] const ManagementStats& stats() const { return stats_; }

private:
    struct Call {
        Instant now;
        WallTime wall;
        const Target& target;
        std::vector<std::string_view> arguments;
        std::int64_t account = 0;
        boost::json::object body;
        const AppRecord* app = nullptr;  ///< of the path; checked to be the account's

        [[nodiscard]] room::RoomKey room() const;
    };
    using Answer = HttpResponse (Management::*)(Call&);
    /// What the path names, and so what is checked before the call is carried out.
    enum class Scope : std::uint8_t {
        kAccount,
        kApp,   ///< the first argument is an app of the account
        kRoom,  ///< the second is a room name, besides
        kJob,   ///< as kRoom; bad bodies have another text (REST section 4)
    };
    struct Entry {
        Route route;
        Answer answer;
        Scope scope;
    };
    static const std::vector<Entry>& entries();

    HttpResponse answer(const Entry& entry,
                        Instant now,
                        WallTime wall,
                        const HttpRequest& request,
                        const Target& target,
                        std::vector<std::string_view> arguments);

    HttpResponse create_app(Call& call);
    HttpResponse list_apps(Call& call);
    HttpResponse get_app(Call& call);
    HttpResponse update_app(Call& call);
    HttpResponse delete_app(Call& call);

    HttpResponse list_rooms(Call& call);
    HttpResponse create_room(Call& call);
    HttpResponse delete_room(Call& call);
    HttpResponse list_users(Call& call);
    HttpResponse kick_user(Call& call);

    HttpResponse create_job(Call& call);
    HttpResponse update_job(Call& call);
    HttpResponse stop_job(Call& call);
    HttpResponse create_merge_job(Call& call);
    HttpResponse update_merge_tracks(Call& call);
    HttpResponse update_merge_watermarks(Call& call);
    HttpResponse stop_merge_job(Call& call);
    HttpResponse stop_merge(Call& call);
    HttpResponse create_forward_job(Call& call);
    HttpResponse stop_forward_job(Call& call);
    HttpResponse change_job(Call& call,
                            std::string_view id,
                            boost::json::object spec,
                            bool merge_fields);
    HttpResponse end_job(Call& call, std::string_view id);
    HttpResponse start_job(Call& call, std::string id, JobKind kind, boost::json::object spec);

    Estate& estate_;
    Rng rng_;
    FailureLimit failures_;
    ManagementStats stats_;
};

}  // namespace parley::rest

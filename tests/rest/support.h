#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/room_token.h"
#include "rest/directory.h"
#include "rest/management.h"
#include "rest/media_sessions.h"

namespace parley::rest {

inline const auth::AccountKey kKey{"AK-test", "SK-test"};
inline constexpr std::int64_t kNowSeconds = 1'700'000'000;
inline WallTime at_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
inline const WallTime kNow = at_seconds(kNowSeconds);

struct FakeKeys final : auth::KeyLookup {
    std::optional<std::string> secret_key(std::string_view access_key) const override {
        return access_key == kKey.access_key ? std::optional(kKey.secret_key) : std::nullopt;
    }
    bool owns_app(std::string_view access_key, std::string_view app_id) const override {
        return access_key == kKey.access_key && (app_id == "demo" || app_id == "second");
    }
};

struct FakeDirectory final : Directory {
    FakeKeys fake_keys;
    std::vector<std::string> rooms{"a", "b", "c"};

    const auth::KeyLookup& keys() const override { return fake_keys; }
    std::optional<AppInfo> app_info(std::string_view app_id) const override {
        if (!fake_keys.owns_app(kKey.access_key, app_id)) return std::nullopt;
        return AppInfo{std::string(app_id), "Demo", 12, false, kKey};
    }
    signalling::RoomList list_rooms(std::string_view,
                                    std::string_view prefix,
                                    std::size_t offset,
                                    std::size_t limit) const override {
        signalling::RoomList list;
        for (std::size_t i = offset; i < rooms.size() && list.rooms.size() < limit; ++i) {
            if (rooms[i].starts_with(prefix)) list.rooms.push_back(rooms[i]);
        }
        list.offset = offset + list.rooms.size();
        list.end = list.offset >= rooms.size();
        return list;
    }
    std::vector<std::string> list_users(const room::RoomKey& room) const override {
        return room.name == "a" ? std::vector<std::string>{"u1", "u2"} : std::vector<std::string>{};
    }
};

/// Apps, jobs and rooms in plain maps. Account 1 has kKey, account 2 has kOtherKey.
inline const auth::AccountKey kOtherKey{"AK-other", "SK-other"};
struct FakeEstate final : Estate, auth::KeyLookup {
    explicit FakeEstate(FakeDirectory& d) : directory(d) {
        AppRecord demo;
        demo.app_id = "demo";
        demo.title = "Demo";
        demo.uid = 1;
        demo.created_at = demo.updated_at = kNow;
        apps["demo"] = demo;
    }
    FakeDirectory& directory;
    std::map<std::string, AppRecord, std::less<>> apps;
    std::map<std::pair<room::RoomKey, std::string>, JobRecord> jobs;
    std::map<std::string, std::vector<std::string>> users{{"a", {"u1", "u2"}}};
    std::vector<std::string> closed;
    std::vector<std::pair<std::string, signalling::RoomOptions>> created;
    bool store_is_full = false;

    std::optional<std::string> secret_key(std::string_view key) const override {
        if (key == kKey.access_key) return kKey.secret_key;
        if (key == kOtherKey.access_key) return kOtherKey.secret_key;
        return std::nullopt;
    }
    bool owns_app(std::string_view key, std::string_view id) const override {
        return find_app(id) != nullptr && find_app(id)->uid == account_of(key);
    }
    const auth::KeyLookup& keys() const override { return *this; }
    std::int64_t account_of(std::string_view key) const override {
        return key == kKey.access_key ? 1 : key == kOtherKey.access_key ? 2 : 0;
    }
    AppDefaults app_defaults() const override { return {}; }
    const AppRecord* find_app(std::string_view id) const override {
        const auto found = apps.find(id);
        return found == apps.end() ? nullptr : &found->second;
    }
    std::vector<const AppRecord*> apps_of(std::int64_t account) const override {
        std::vector<const AppRecord*> out;
        for (const auto& [id, app] : apps) {
            if (app.uid == account) out.push_back(&app);
        }
        return out;
    }
    Result<void> put_app(const AppRecord& app) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        apps[app.app_id] = app;
        return {};
    }
    Result<void> erase_app(Instant, const std::string& id) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        apps.erase(id);
        return {};
    }
    const JobRecord* find_job(const room::RoomKey& room, std::string_view id) const override {
        const auto found = jobs.find({room, std::string(id)});
        return found == jobs.end() ? nullptr : &found->second;
    }
    std::vector<const JobRecord*> jobs_of(const room::RoomKey& room) const override {
        std::vector<const JobRecord*> out;
        for (const auto& [key, job] : jobs) {
            if (key.first == room) out.push_back(&job);
        }
        return out;
    }
    Result<void> put_job(const JobRecord& job) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        jobs[{job.room, job.id}] = job;
        return {};
    }
    signalling::RoomList list_rooms(std::string_view app,
                                    std::string_view prefix,
                                    std::size_t offset,
                                    std::size_t limit) const override {
        return directory.list_rooms(app, prefix, offset, limit);
    }
    std::vector<std::string> list_users(const room::RoomKey& room) const override {
        const auto found = users.find(room.name);
        return found == users.end() ? std::vector<std::string>{} : found->second;
    }
    Result<void> kick_user(Instant, const room::RoomKey& room, std::string_view user) override {
        std::vector<std::string>& list = users[room.name];
        if (std::erase(list, std::string(user)) == 0) return fail(Errc::kNotFound, "user not found");
        return {};
    }
    Result<void> create_room(Instant,
                             const room::RoomKey& room,
                             const signalling::RoomOptions& options) override {
        created.emplace_back(room.name, options);
        return {};
    }
    Result<void> close_room(Instant, const room::RoomKey& room) override {
        if (users.erase(room.name) == 0) return fail(Errc::kNotFound, "room not found");
        closed.push_back(room.name);
        return {};
    }
};

/// Remembers what was asked and answers as told.
struct FakeSessions final : MediaSessions {
    std::optional<Error> refusal;
    std::vector<signalling::MediaSource> sources;
    std::deque<signalling::JoinPublisher> published;
    std::deque<signalling::JoinViewer> viewed;
    std::vector<signalling::MediaSessionId> left;
    std::uint64_t next_session = 1;
    int restarts = 0;
    bool without_tracks = false;

    signalling::PeerParameters peer() {
        signalling::PeerParameters p;
        p.ice = {"ufrag" + std::to_string(restarts), "password0123456789abcdef"};
        p.candidates = {{"udp1", 2130706431, {*IpAddress::parse("203.0.113.7"), 7700}, false},
                        {"tcp1", 1677721855, {*IpAddress::parse("2001:db8::7"), 7700}, true}};
        return p;
    }
    Result<signalling::PublisherJoined> join_publisher(
        Instant, WallTime, const signalling::JoinPublisher& request) override {
        if (refusal) return tl::unexpected(*refusal);
        published.push_back(request);
        return signalling::PublisherJoined{signalling::MediaSessionId(next_session++), peer()};
    }
    std::vector<signalling::MediaSource> media_sources(const room::RoomKey& room,
                                                       std::string_view wanted) const override {
        std::vector<signalling::MediaSource> found;
        for (const signalling::MediaSource& s : sources) {
            if (room.name == "room" && (s.user_id == wanted || s.trackid == wanted)) {
                found.push_back(s);
            }
        }
        return found;
    }
    Result<signalling::ViewerJoined> join_viewer(Instant,
                                                 WallTime,
                                                 const signalling::JoinViewer& request) override {
        if (refusal) return tl::unexpected(*refusal);
        viewed.push_back(request);
        signalling::ViewerJoined joined;
        joined.session = signalling::MediaSessionId(next_session++);
        joined.peer = peer();
        for (const signalling::WantedTrack& track : request.tracks) {
            if (without_tracks) break;
            joined.tracks.push_back({track.trackid, Ssrc(100), Ssrc(101), "s-user", "c-user"});
        }
        return joined;
    }
    Result<signalling::PeerParameters> restart(Instant, signalling::MediaSessionId) override {
        if (refusal) return tl::unexpected(*refusal);
        ++restarts;
        return peer();
    }
    Result<void> leave(Instant, signalling::MediaSessionId session) override {
        left.push_back(session);
        return {};
    }
};

inline std::string room_token(std::string user,
                              std::string room = "room",
                              std::int64_t expire_at = kNowSeconds + 60,
                              std::string app = "demo") {
    return auth::mint_room_token(
        kKey, {std::move(app), std::move(room), std::move(user), at_seconds(expire_at), {}});
}

}  // namespace parley::rest

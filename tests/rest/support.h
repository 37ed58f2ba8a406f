#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/qiniu_signature.h"
#include "auth/room_token.h"
#include "rest/directory.h"
#include "rest/history.h"
#include "rest/management.h"
#include "rest/media_sessions.h"
#include "rest/room_control.h"
#include "rest/router.h"

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
    struct FakeKey {
        std::string secret;
        std::int64_t account = 0;
        bool disabled = false;
    };
    std::map<std::string, FakeKey, std::less<>> key_pairs{
        {kKey.access_key, {kKey.secret_key, 1}}, {kOtherKey.access_key, {kOtherKey.secret_key, 2}}};
    bool store_is_full = false;

    std::optional<std::string> secret_key(std::string_view key) const override {
        const auto found = key_pairs.find(key);
        if (found == key_pairs.end() || found->second.disabled) return std::nullopt;
        return found->second.secret;
    }
    bool is_operator(std::int64_t account) const override { return account == 1; }
    std::vector<KeyInfo> keys_of(std::int64_t account) const override {
        std::vector<KeyInfo> out;
        for (const auto& [name, key] : key_pairs) {
            if (key.account != account) continue;
            out.push_back({name, kNow, key.disabled, name == kKey.access_key});
        }
        return out;
    }
    Result<void> add_key(std::int64_t account, const auth::AccountKey& key, WallTime) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        key_pairs[key.access_key] = {key.secret_key, account};
        return {};
    }
    Result<void> disable_key(const std::string& access_key, bool disabled) override {
        key_pairs[access_key].disabled = disabled;
        return {};
    }
    Result<void> erase_key(const std::string& access_key) override {
        key_pairs.erase(access_key);
        return {};
    }
    bool owns_app(std::string_view key, std::string_view id) const override {
        return find_app(id) != nullptr && find_app(id)->uid == account_of(key);
    }
    const auth::KeyLookup& keys() const override { return *this; }
    std::int64_t account_of(std::string_view key) const override {
        const auto found = key_pairs.find(key);
        return found == key_pairs.end() ? 0 : found->second.account;
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
    std::vector<const JobRecord*> jobs_of_app(std::string_view app) const override {
        std::vector<const JobRecord*> out;
        for (const auto& [key, job] : jobs) {
            if (key.first.app_id == app) out.push_back(&job);
        }
        return out;
    }
    Result<void> put_job(const JobRecord& job) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        jobs[{job.room, job.id}] = job;
        return {};
    }
    std::map<room::RoomKey, V2Room> v2_rooms;
    std::size_t most_v2_rooms = 100;
    const V2Room* find_v2_room(const room::RoomKey& room) const override {
        const auto found = v2_rooms.find(room);
        return found == v2_rooms.end() ? nullptr : &found->second;
    }
    Result<void> put_v2_room(const V2Room& room) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        if (v2_rooms.size() >= most_v2_rooms) return fail(Errc::kTooLarge, "too many");
        v2_rooms[room.key] = room;
        return {};
    }
    Result<void> erase_v2_room(Instant, const room::RoomKey& room) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        v2_rooms.erase(room);
        users.erase(room.name);
        return {};
    }
    Result<void> erase_job(const room::RoomKey& room, const std::string& id) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        jobs.erase({room, id});
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
        if (std::erase(list, std::string(user)) == 0)
            return fail(Errc::kNotFound, "user not found");
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

/// Room "a" lives, with u1 and u2; u1 has a track. Orders are remembered and not carried out.
struct FakeRooms final : RoomControl {
    std::vector<std::string> names{"a", "b", "c", "d"};
    std::vector<signalling::MuteOrder> mutes;
    std::vector<signalling::MemberChange> changes;
    std::vector<signalling::ServerMessage> messages;
    std::map<std::string, Ban> banned;
    std::map<std::string, bool> open;
    bool store_is_full = false;

    signalling::RoomPage room_page(std::string_view,
                                   std::string_view prefix,
                                   std::string_view after,
                                   std::size_t limit,
                                   bool) const override {
        signalling::RoomPage page;
        for (const std::string& name : names) {
            if (name <= after || !name.starts_with(prefix)) continue;
            if (page.rooms.size() == limit) {
                page.end = false;
                break;
            }
            page.rooms.push_back({name, 2, 1, true, kNow});
        }
        return page;
    }
    std::optional<signalling::RoomView> room_view(const room::RoomKey& room) const override {
        if (room.name != "a") return std::nullopt;
        signalling::RoomView view;
        view.key = room;
        view.open = is_open(room);
        view.max_users = 20;
        view.users = 2;
        view.created_at = kNow;
        view.members = {member("u1"), member("u2")};
        signalling::TrackView track;
        track.trackid = "t1";
        track.user_id = "u1";
        track.audio_level_dbov = -23;
        view.tracks = {track};
        return view;
    }
    static signalling::MemberView member(std::string user) {
        signalling::MemberView view;
        view.user_id = std::move(user);
        view.joined_at = kNow;
        return view;
    }
    static Result<void> check(const room::RoomKey& room, std::string_view user = "u1") {
        if (room.name != "a") return fail(Errc::kNotFound, "room not active");
        if (user != "u1" && user != "u2") return fail(Errc::kNotFound, "user not found");
        return {};
    }
    std::optional<signalling::MemberView> member_view(const room::RoomKey& room,
                                                      std::string_view user) const override {
        return check(room, user) ? std::optional(member(std::string(user))) : std::nullopt;
    }
    Result<std::vector<signalling::ChangedTrack>> mute_user(
        Instant,
        const room::RoomKey& room,
        const std::string& user,
        const signalling::MuteOrder& order) override {
        if (auto ok = check(room, user); !ok) return tl::unexpected(ok.error());
        mutes.push_back(order);
        return std::vector<signalling::ChangedTrack>{{user, "t1", order.muted, order.locked}};
    }
    Result<std::vector<signalling::ChangedTrack>> mute_room(
        Instant, const room::RoomKey& room, const signalling::MuteOrder& order) override {
        if (auto ok = check(room); !ok) return tl::unexpected(ok.error());
        mutes.push_back(order);
        return std::vector<signalling::ChangedTrack>{};
    }
    Result<void> change_member(Instant,
                               const room::RoomKey& room,
                               const std::string& user,
                               const signalling::MemberChange& change) override {
        if (auto ok = check(room, user); !ok) return ok;
        changes.push_back(change);
        return {};
    }
    Result<signalling::SentMessage> send_message(Instant,
                                                 WallTime,
                                                 const room::RoomKey& room,
                                                 signalling::ServerMessage message) override {
        if (auto ok = check(room); !ok) return tl::unexpected(ok.error());
        messages.push_back(std::move(message));
        return signalling::SentMessage{"server-1", 2};
    }
    Result<void> set_max_users(Instant, const room::RoomKey& room, std::uint32_t) override {
        if (room.name != "a") return fail(Errc::kNotFound, "room not found");
        return {};
    }
    bool is_open(const room::RoomKey& room) const override {
        const auto found = open.find(room.name);
        return found == open.end() || found->second;
    }
    Result<void> set_open(Instant, const room::RoomKey& room, bool value) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        open[room.name] = value;
        return {};
    }
    std::vector<Ban> bans(const room::RoomKey&,
                          WallTime,
                          std::string_view after,
                          std::size_t limit) const override {
        std::vector<Ban> out;
        for (const auto& [user, ban] : banned) {
            if (user > after && out.size() < limit) out.push_back(ban);
        }
        return out;
    }
    std::size_t most_bans = kMaxBansPerRoom;
    Result<void> put_ban(WallTime, const room::RoomKey&, const Ban& ban) override {
        if (store_is_full) return fail(Errc::kBusy, "full");
        if (banned.size() >= most_bans) return fail(Errc::kTooLarge, "too many bans");
        banned[ban.user_id] = ban;
        return {};
    }
    Result<void> erase_ban(WallTime, const room::RoomKey&, const std::string& user) override {
        if (banned.erase(user) == 0) return fail(Errc::kNotFound, "ban not found");
        return {};
    }
    std::map<std::string, quality::Point, std::less<>> quality;  ///< by user
    std::vector<quality::FreezeReport> freezes;
    const quality::Point* quality_of(const room::RoomKey&, std::string_view user) const override {
        const auto found = quality.find(user);
        return found == quality.end() ? nullptr : &found->second;
    }
    void report_freeze(WallTime, const quality::FreezeReport& report) override {
        freezes.push_back(report);
    }
    NodeHealth health() const override { return {}; }
};

/// Remembers what was asked; answers at once with what it has, or with `refusal`.
struct FakeHistory final : History {
    std::vector<webhook::Event> events;
    std::vector<webhook::DeliveryRecord> deliveries;
    std::vector<webhook::PastRoom> past_rooms;
    std::vector<webhook::PastRoomQuery> past_room_queries;
    std::optional<Error> refusal;
    std::vector<webhook::EventQuery> event_queries;
    std::vector<webhook::DeliveryQuery> delivery_queries;

    template <class T>
    Result<T> answer(T value) const {
        return refusal ? Result<T>(tl::unexpected(*refusal)) : Result<T>(std::move(value));
    }
    void read_events(webhook::EventQuery query, Events done) override {
        event_queries.push_back(std::move(query));
        done(answer(events));
    }
    void read_past_rooms(webhook::PastRoomQuery query, PastRooms done) override {
        past_room_queries.push_back(std::move(query));
        done(answer(past_rooms));
    }
    void read_deliveries(webhook::DeliveryQuery query, Deliveries done) override {
        delivery_queries.push_back(std::move(query));
        done(answer(deliveries));
    }
    std::vector<quality::MemberHistory> quality;
    std::vector<quality::HistoryQuery> quality_queries;
    void read_quality(quality::HistoryQuery query, Quality done) override {
        quality_queries.push_back(std::move(query));
        done(answer(quality));
    }
    std::vector<UsageRow> usage;
    std::vector<UsageQuery> usage_queries;
    void read_usage(UsageQuery query, Usage done) override {
        usage_queries.push_back(std::move(query));
        done(answer(usage));
    }
    void replay_events(webhook::EventQuery query, Queued done) override {
        event_queries.push_back(std::move(query));
        done(answer(events.size()));
    }
    void replay_deliveries(webhook::DeliveryQuery query, Queued done) override {
        delivery_queries.push_back(std::move(query));
        done(answer(deliveries.size()));
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

/// A call as an SDK would sign it. `extra` are X-Qiniu headers that are signed, too.
inline HttpRequest signed_request(const std::string& method,
                                  const std::string& target,
                                  const std::string& body = "",
                                  const std::string& type = "application/json",
                                  const auth::AccountKey& key = kKey,
                                  const std::vector<Header>& extra = {}) {
    HttpRequest out;
    out.method = method;
    out.target = target;
    out.host = "rtc.example.org";
    out.peer = "192.0.2.1";
    out.body = body;
    out.headers = extra;
    if (!type.empty()) out.headers.emplace_back("Content-Type", type);
    const std::size_t mark = target.find('?');
    auth::SignedRequestView view;
    view.method = method;
    view.path = std::string_view(target).substr(0, mark);
    if (mark != std::string::npos) view.query = std::string_view(target).substr(mark + 1);
    view.host = out.host;
    view.content_type = type;
    view.body = body;
    for (const Header& header : extra) view.headers.emplace_back(header.first, header.second);
    out.headers.emplace_back("Authorization", auth::sign_request(key, view));
    return out;
}

inline std::string room_token(std::string user,
                              std::string room = "room",
                              std::int64_t expire_at = kNowSeconds + 60,
                              std::string app = "demo") {
    return auth::mint_room_token(
        kKey, {std::move(app), std::move(room), std::move(user), at_seconds(expire_at), {}});
}

/// The router and all that it asks, in one piece.
struct RoutedFakes {
    explicit RoutedFakes(const RouterConfig& config = {.signing_key = "signing-key"})
        : router(config, Rng(7), secrets, directory, sessions, estate, rooms, history) {}

    SeededSecretSource secrets{1};
    FakeDirectory directory;
    FakeSessions sessions;
    FakeEstate estate{directory};
    FakeRooms rooms;
    FakeHistory history;
    Router router;
};

}  // namespace parley::rest

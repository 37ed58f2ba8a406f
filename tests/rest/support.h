#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/room_token.h"
#include "rest/directory.h"
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
    std::optional<AppInfo> find_app(std::string_view app_id) const override {
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

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "room/rulings.h"
#include "room/types.h"
#include "sfu/media_api.h"

/// What an app server sees of a room, and what it can do to it while it lives.
namespace parley::signalling {

struct RoomSummary {
    std::string name;
    std::size_t users = 0;  ///< visible members
    std::size_t tracks = 0;
    bool open = true;
    WallTime created_at;
};
struct RoomPage {
    std::vector<RoomSummary> rooms;
    bool end = true;
};
struct SubscriptionView {
    std::string trackid;
    sfu::Layer layer = sfu::Layer::kHigh;
};
struct MemberView {
    std::string user_id;
    room::ClientKind kind = room::ClientKind::kWeb;
    std::string agent;
    std::string playerdata;
    room::Permission permission = room::Permission::kUser;
    room::Privileges privileges;
    bool away = false;
    WallTime joined_at;
    room::Kinds locked;
    std::vector<std::string> tracks;
    std::vector<SubscriptionView> subscriptions;
};
struct TrackView {
    std::string trackid;
    std::string user_id;
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;
    std::string tag;
    bool master = false;
    bool simulcast = false;
    bool muted = false;
    bool locked = false;
    std::size_t subscribers = 0;
    TrackId media;
    std::optional<int> audio_level_dbov = std::nullopt;  ///< the hub does not know it
};
struct RoomView {
    room::RoomKey key;
    bool open = true;
    std::size_t max_users = 0;
    std::size_t users = 0;
    WallTime created_at;
    room::Kinds locked;
    std::vector<MemberView> members;
    std::vector<TrackView> tracks;
    WorkerId worker;
};

/// Mutes or unmutes. A lock keeps the owner from unmuting; it is over with the next unmute.
struct MuteOrder {
    bool muted = true;
    bool locked = false;
    room::Kinds kinds{true, true};
    std::string trackid;              ///< of one member: only this track
    std::vector<std::string> spared;  ///< of everybody: who is left alone
};
struct ChangedTrack {
    std::string user_id;
    std::string trackid;
    bool muted = false;
    bool locked = false;
};

struct MemberChange {
    std::optional<room::Permission> permission;
    std::optional<bool> publish;
    std::optional<bool> subscribe;
};

struct ServerMessage {
    std::string sender;
    std::string text;
    std::vector<std::string> targets;  ///< empty: everybody
};
struct SentMessage {
    std::string msgid;
    std::size_t told = 0;
};

}  // namespace parley::signalling

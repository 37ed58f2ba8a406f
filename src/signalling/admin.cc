#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/check.h"
#include "signalling/handlers.h"

/// What operators and the REST API ask of control.
namespace parley::signalling {
namespace json = boost::json;
namespace {

json::value connection_json(const std::optional<room::PeerConnection>& peer) {
    if (!peer) return nullptr;
    return json::object{
        {"peer", peer->peer.value}, {"pcid", peer->pcid}, {"connected", peer->connected}};
}

json::object member_json(const HubState& hub, const room::Member& member) {
    const auto at = hub.presences.find(member.id);
    PARLEY_CHECK(at != hub.presences.end());
    const Presence& presence = at->second;
    json::array subscriptions;
    for (const auto& [id, subscription] : member.subscriptions) {
        subscriptions.push_back(
            json::object{{"trackid", id},
                         {"ssrc", subscription.ssrc.value},
                         {"profile", to_json_view(profile_name(subscription.layer))}});
    }
    const bool admin = member.info.permission == room::Permission::kAdmin;
    const bool away = !presence.session.is_valid() && !presence.media_session.is_valid();
    return {{"userId", member.info.user_id},
            {"kind", to_json_view(room::to_string(member.info.kind))},
            {"agent", member.info.agent},
            {"permission", admin ? "admin" : "user"},
            {"publish", member.info.privileges.publish},
            {"subscribe", member.info.privileges.subscribe},
            {"away", away},
            {"pubpc", connection_json(member.pubpc)},
            {"subpc", connection_json(member.subpc)},
            {"subscriptions", std::move(subscriptions)}};
}

json::object room_json(const HubState& hub, const RoomEntry& entry) {
    json::array members;
    for (const auto& [id, member] : entry.room.members()) {
        members.push_back(member_json(hub, member));
    }
    json::array tracks;
    for (const auto& [id, track] : entry.room.tracks()) {
        const room::Member* owner = entry.room.find(track.owner);
        PARLEY_CHECK(owner != nullptr);
        json::object object = track_json(track, *owner);
        object["track"] = track.media.value;
        object["announced"] = track.announced;
        tracks.push_back(std::move(object));
    }
    return {{"appId", entry.key.app_id},
            {"roomName", entry.key.name},
            {"worker", entry.worker.value},
            {"members", std::move(members)},
            {"tracks", std::move(tracks)},
            {"messages", entry.room.messages().size()}};
}

}  // namespace

RoomList Hub::list_rooms(std::string_view app_id,
                         std::string_view prefix,
                         std::size_t offset,
                         std::size_t limit) const {
    const HubState& hub = *state_;
    RoomList list;
    list.rooms = hub.active_rooms.page(app_id, prefix, offset, limit + 1);
    list.end = list.rooms.size() <= limit;
    if (!list.end) list.rooms.pop_back();
    list.offset = offset + list.rooms.size();
    return list;
}

std::vector<std::string> Hub::all_rooms(std::string_view app_id) const {
    std::vector<std::string> names;
    for (auto at = state_->room_ids.lower_bound({std::string(app_id), std::string()});
         at != state_->room_ids.end() && at->first.app_id == app_id;
         ++at) {
        names.push_back(at->first.name);
    }
    return names;
}

std::vector<std::string> Hub::list_users(const room::RoomKey& key) const {
    const RoomEntry* entry = state_->find_room(key);
    std::vector<std::string> users;
    if (entry == nullptr) return users;
    for (const auto& [id, member] : entry->room.members()) {
        if (member.is_visible()) users.push_back(member.info.user_id);
    }
    std::sort(users.begin(), users.end());
    return users;
}

Result<void> Hub::kick_user(Instant now,
                            const room::RoomKey& key,
                            std::string_view user,
                            std::string_view kicked_by,
                            Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not active");
    const room::Member* member = entry->room.find_user(user);
    if (member == nullptr) return fail(Errc::kNotFound, "user not found");
    hub.expel(member->id, kKicked, "kicked out of the room", kicked_by, LeaveReason::kKicked, out);
    return {};
}

Result<void> Hub::create_room(Instant now,
                              const room::RoomKey& key,
                              const RoomOptions& options,
                              Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const std::optional<AppSettings> settings = hub.apps.settings_of(key);
    if (!settings) return fail(Errc::kNotFound, "app not found");
    const Result<RoomEntry*> entry = hub.open_room(key, *settings, true, out);
    if (!entry) return tl::unexpected(entry.error());
    RoomEntry& room = **entry;
    room.is_open = options.open;
    if (options.max_users != 0) room.room.set_max_users(options.max_users);
    if (options.auto_close_ttl != Duration{}) room.settings.auto_close_ttl = options.auto_close_ttl;
    if (options.enter_ttl != Duration{} && room.room.empty()) room.enter_ttl = options.enter_ttl;
    hub.watch_room(room);
    return {};
}

Result<void> Hub::close_room(Instant now, const room::RoomKey& key, Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not found");
    std::vector<room::MemberId> members;
    for (const auto& [id, member] : entry->room.members()) members.push_back(id);
    // Everybody is told before anybody leaves, so that nobody hears of the others going one by one.
    for (const room::MemberId id : members) {
        Presence* presence = hub.find_presence(id);
        PARLEY_CHECK(presence != nullptr);
        hub.tell(id, "disconnect", {{"code", int{kRoomClosed}}, {"error", "room was closed"}}, out);
        if (Session* session = hub.find_session(presence->session)) hub.end_session(*session);
        presence->session = {};
        if (presence->media_session.is_valid()) {
            out.ended_media_sessions.push_back(presence->media_session);
        }
    }
    for (const room::MemberId id : members) hub.leave(id, LeaveReason::kRoomClosed, out);
    hub.erase_room(*entry, out);
    return {};
}

std::vector<WorkerLoad> Hub::worker_loads() const {
    std::vector<WorkerLoad> loads;
    for (const WorkerState& worker : state_->workers) {
        loads.push_back({worker.info.worker, worker.rooms, worker.members});
    }
    return loads;
}

HubStats Hub::stats() const {
    const HubState& hub = *state_;
    HubStats stats = hub.counters;
    stats.sessions = hub.sessions.size();
    stats.rooms = hub.rooms.size();
    stats.peers = hub.peers.size();
    for (const auto& [id, stream] : hub.streams) {
        ++(stream.publishes ? stats.publishing_streams : stats.playing_streams);
    }
    for (const auto& [id, entry] : hub.rooms) {
        stats.tracks += entry.room.tracks().size();
        for (const auto& [member_id, member] : entry.room.members()) {
            stats.subscriptions += member.subscriptions.size();
            if (!member.is_visible()) {
                ++stats.viewers;
                continue;
            }
            ++stats.members;
            if (member.info.kind == room::ClientKind::kMiniProgram) ++stats.mini_programs;
            const auto at = hub.presences.find(member_id);
            PARLEY_CHECK(at != hub.presences.end());
            if (!at->second.session.is_valid() && !at->second.media_session.is_valid()) {
                ++stats.away;
            }
        }
    }
    return stats;
}

std::string Hub::dump_state() const {
    const HubState& hub = *state_;
    json::array rooms;
    for (const auto& [id, entry] : hub.rooms) rooms.push_back(room_json(hub, entry));
    return json::serialize(json::object{{"rooms", std::move(rooms)},
                                        {"sessions", hub.sessions.size()},
                                        {"draining", hub.draining}});
}

}  // namespace parley::signalling

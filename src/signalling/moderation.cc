#include "signalling/moderation.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "signalling/handlers.h"

/// What the app server does to a room that lives, and to those in it.
namespace parley::signalling {
namespace json = boost::json;
namespace {

/// Brings one track to what the order says; whether anything changed for anybody.
bool apply_order(
    HubState& hub, const RoomEntry& entry, room::Track& track, bool muted, Outputs& out) {
    hub.stop_track(entry, track, muted, out);
    const bool seen = track.muted;
    track.muted = track.self_muted || track.stopped;
    return seen != track.muted;
}

/// Mutes or unmutes these tracks of one room, tells the others of each owner, and lists them.
std::vector<ChangedTrack> mute_tracks(HubState& hub,
                                      RoomEntry& entry,
                                      const std::vector<std::string>& ids,
                                      bool muted,
                                      Outputs& out) {
    std::vector<ChangedTrack> changed;
    std::map<room::MemberId, json::array> told;
    for (const std::string& id : ids) {
        room::Track* track = entry.room.find_track(id);
        const room::Member* owner = track == nullptr ? nullptr : entry.room.find(track->owner);
        if (owner == nullptr) continue;
        const bool was_stopped = track->stopped;
        const bool seen = apply_order(hub, entry, *track, muted, out);
        const bool locked =
            entry.room.rulings().is_locked(owner->info.user_id, track->info.kind, track->id);
        if (seen || was_stopped != track->stopped) {
            changed.push_back({owner->info.user_id, track->id, track->muted, locked});
        }
        // Receivers stop at the first id they do not know (quirk Q11).
        if (!seen || !track->announced) continue;
        told[owner->id].push_back(json::object{{"trackid", track->id}, {"muted", track->muted}});
        hub.raise(RoomEventKind::kTrackMuted,
                  entry,
                  owner->info.user_id,
                  {{"trackId", track->id}, {"muted", track->muted}, {"by", "server"}},
                  out);
    }
    for (auto& [owner, tracks] : told) {
        hub.tell_others(entry, owner, "mute-tracks", {{"tracks", std::move(tracks)}}, out);
    }
    if (!told.empty()) hub.refresh_mixes(entry, out);
    return changed;
}

void withdraw_tracks(HubState& hub, RoomEntry& entry, const room::Member& member, Outputs& out) {
    std::vector<StreamId> streams;
    for (const auto& [id, stream] : hub.streams) {
        if (stream.member == member.id && stream.publishes) streams.push_back(id);
    }
    for (const StreamId id : streams) hub.drop_stream(id, StreamEnd::kNotAllowed, out);
    // unpublish_all returns what others knew; the worker has to forget the rest, too.
    for (const room::Track* track : entry.room.tracks_of(member.id)) {
        hub.command(entry.worker, sfu::RemoveTrack{track->media}, out);
    }
    hub.announce_removed(entry, member, entry.room.unpublish_all(member.id), out);
}

void withdraw_subscriptions(HubState& hub, RoomEntry& entry, room::Member& member, Outputs& out) {
    std::vector<StreamId> streams;
    for (const auto& [id, stream] : hub.streams) {
        if (stream.member == member.id && !stream.publishes) streams.push_back(id);
    }
    for (const StreamId id : streams) hub.drop_stream(id, StreamEnd::kNotAllowed, out);
    std::vector<std::string> ids;
    ids.reserve(member.subscriptions.size());
    for (const auto& [id, subscription] : member.subscriptions) ids.push_back(id);
    for (const std::string& id : ids) {
        const std::optional<room::Subscription> gone = entry.room.unsubscribe(member.id, id);
        if (!gone || !member.subpc) continue;
        hub.command(entry.worker, sfu::Unsubscribe{member.subpc->peer, gone->media}, out);
    }
}

/// A member, and the room it is in.
struct Place {
    RoomEntry& entry;
    room::Member& member;
};

Result<Place> place_of(HubState& hub, const room::RoomKey& key, std::string_view user) {
    RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not active");
    room::Member* member = entry->room.find_user(user);
    if (member == nullptr) return fail(Errc::kNotFound, "user not found");
    return Place{*entry, *member};
}

}  // namespace

void HubState::stop_track(const RoomEntry& entry, room::Track& track, bool stopped, Outputs& out) {
    if (track.stopped == stopped) return;
    track.stopped = stopped;
    command(entry.worker, sfu::SetMuted{track.media, stopped}, out);
}

void HubState::apply_locks(RoomEntry& entry,
                           const room::Member& owner,
                           room::Track& track,
                           Outputs& out) {
    const bool locked =
        entry.room.rulings().is_locked(owner.info.user_id, track.info.kind, track.id);
    if (!locked) return;
    stop_track(entry, track, true, out);
    track.muted = true;
}

std::size_t HubState::post(const RoomEntry& entry,
                           room::MemberId sender,
                           room::MessageLog& log,
                           room::Message message,
                           Outputs& out) {
    const json::object notification{{"messages", json::array{message_json(message)}}};
    std::size_t told = 0;
    if (message.targets.empty()) {
        const std::size_t before = out.texts.size();
        tell_others(entry, sender, "on-messages", notification, out);
        told = out.texts.size() - before;
    } else {
        std::vector<std::string> done;
        for (const std::string& target : message.targets) {
            const room::Member* member = entry.room.find_user(target);
            const bool again = std::find(done.begin(), done.end(), target) != done.end();
            if (member == nullptr || member->id == sender || again) continue;
            done.push_back(target);
            const std::size_t before = out.texts.size();
            tell(member->id, "on-messages", notification, out);
            told += out.texts.size() - before;
        }
    }
    log.add(std::move(message));
    return told;
}

Result<std::vector<ChangedTrack>> Hub::mute_user(Instant now,
                                                 const room::RoomKey& key,
                                                 const std::string& user,
                                                 const MuteOrder& order,
                                                 Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const auto place = place_of(hub, key, user);
    if (!place) return tl::unexpected(place.error());
    auto& [entry, member] = *place;
    std::vector<std::string> ids;
    for (const room::Track* track : entry.room.tracks_of(member.id)) {
        const bool meant =
            order.trackid.empty() ? order.kinds.has(track->info.kind) : track->id == order.trackid;
        if (meant) ids.push_back(track->id);
    }
    if (!order.trackid.empty() && ids.empty()) return fail(Errc::kNotFound, "track not found");

    room::Rulings& rulings = entry.room.rulings();
    Result<void> ruled;
    if (!order.muted) {
        for (const std::string& id : ids) rulings.unlock_track(id);
        if (order.trackid.empty()) ruled = rulings.unlock_user(user, order.kinds);
    } else if (order.locked) {
        ruled = order.trackid.empty() ? rulings.lock_user(user, order.kinds)
                                      : rulings.lock_track(order.trackid);
    }
    if (!ruled) return tl::unexpected(ruled.error());
    return mute_tracks(hub, entry, ids, order.muted, out);
}

Result<std::vector<ChangedTrack>> Hub::mute_room(Instant now,
                                                 const room::RoomKey& key,
                                                 const MuteOrder& order,
                                                 Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not active");
    room::Rulings& rulings = entry->room.rulings();
    Result<void> ruled;
    if (!order.muted) {
        ruled = rulings.unlock_all(order.kinds, order.spared);
    } else if (order.locked) {
        ruled = rulings.lock_all(order.kinds, order.spared);
    }
    if (!ruled) return tl::unexpected(ruled.error());
    std::vector<std::string> ids;
    for (const auto& [id, track] : entry->room.tracks()) {
        const room::Member* owner = entry->room.find(track.owner);
        PARLEY_CHECK(owner != nullptr);
        const bool spared =
            std::find(order.spared.begin(), order.spared.end(), owner->info.user_id) !=
            order.spared.end();
        if (order.kinds.has(track.info.kind) && !spared) ids.push_back(id);
    }
    if (!order.muted) {
        for (const std::string& id : ids) rulings.unlock_track(id);
    }
    return mute_tracks(hub, *entry, ids, order.muted, out);
}

Result<void> Hub::change_member(Instant now,
                                const room::RoomKey& key,
                                const std::string& user,
                                const MemberChange& change,
                                Outputs& out) {
    HubState& hub = *state_;
    hub.advance(now);
    const auto place = place_of(hub, key, user);
    if (!place) return tl::unexpected(place.error());
    auto& [entry, member] = *place;
    room::Rulings& rulings = entry.room.rulings();
    auto ruled = rulings.set_rights(user, change.permission, change.publish, change.subscribe);
    if (!ruled) return ruled;
    const room::Privileges before = member.info.privileges;
    room::Privileges now_allowed = before;
    // What is given back takes effect at once: the client has asked for it when it joined.
    if (change.publish) now_allowed.publish = *change.publish;
    if (change.subscribe) now_allowed.subscribe = *change.subscribe;
    const room::Permission permission = change.permission.value_or(member.info.permission);
    if (now_allowed == before && permission == member.info.permission) return {};
    member.info.permission = permission;
    member.info.privileges = now_allowed;
    if (before.publish && !now_allowed.publish) withdraw_tracks(hub, entry, member, out);
    if (before.subscribe && !now_allowed.subscribe) {
        withdraw_subscriptions(hub, entry, member, out);
    }
    const bool admin = permission == room::Permission::kAdmin;
    hub.raise(RoomEventKind::kRoleChanged,
              entry,
              user,
              {{"publish", now_allowed.publish},
               {"subscribe", now_allowed.subscribe},
               {"permission", admin ? "admin" : "user"},
               {"by", "server"}},
              out);
    return {};
}

Result<SentMessage> Hub::send_message(
    Instant now, WallTime wall, const room::RoomKey& key, ServerMessage request, Outputs& out) {
    HubState& hub = *state_;
    hub.set_wall(now, wall);
    RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not active");
    room::MessageLog& log = entry->room.messages();
    room::Message message;
    message.msgsn = log.take_number();
    message.msgid = "server-" + std::to_string(message.msgsn);
    message.sender = std::move(request.sender);
    message.type = "normal";
    message.text = std::move(request.text);
    message.targets = std::move(request.targets);
    message.msgts = unix_ms(hub.wall());
    SentMessage sent{message.msgid, 0};
    sent.told = hub.post(*entry, {}, log, std::move(message), out);
    return sent;
}

Result<void> Hub::set_room_open(Instant now, const room::RoomKey& key, bool open) {
    HubState& hub = *state_;
    hub.advance(now);
    RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not found");
    entry->is_open = open;
    return {};
}

Result<void> Hub::set_max_users(Instant now, const room::RoomKey& key, std::uint32_t max_users) {
    HubState& hub = *state_;
    hub.advance(now);
    RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return fail(Errc::kNotFound, "room not found");
    entry->room.set_max_users(max_users);
    return {};
}

// ---- Views

namespace {

MemberView view_of(const HubState& hub, const RoomEntry& entry, const room::Member& member) {
    const auto at = hub.presences.find(member.id);
    PARLEY_CHECK(at != hub.presences.end());
    const Presence& presence = at->second;
    MemberView view;
    view.user_id = member.info.user_id;
    view.kind = member.info.kind;
    view.agent = member.info.agent;
    view.playerdata = member.info.playerdata;
    view.permission = member.info.permission;
    view.privileges = member.info.privileges;
    view.away = !presence.session.is_valid() && !presence.media_session.is_valid();
    view.joined_at = presence.joined_at;
    view.locked = entry.room.rulings().locked_for(member.info.user_id);
    for (const room::Track* track : entry.room.tracks_of(member.id)) {
        view.tracks.push_back(track->id);
    }
    for (const auto& [id, subscription] : member.subscriptions) {
        view.subscriptions.push_back({id, subscription.layer});
    }
    return view;
}

}  // namespace

RoomPage Hub::room_page(std::string_view app_id,
                        std::string_view prefix,
                        std::string_view after,
                        std::size_t limit,
                        bool empty) const {
    const HubState& hub = *state_;
    RoomPage page;
    const auto add = [&](const std::string& name) {
        const RoomEntry* entry = hub.find_room(room::RoomKey{std::string(app_id), name});
        PARLEY_CHECK(entry != nullptr);
        page.rooms.push_back({name,
                              entry->room.visible_count(),
                              entry->room.tracks().size(),
                              entry->is_open,
                              entry->created_at});
    };
    if (!empty) {
        std::vector<std::string> names =
            hub.active_rooms.page_after(app_id, prefix, after, limit + 1);
        page.end = names.size() <= limit;
        if (!page.end) names.pop_back();
        for (const std::string& name : names) add(name);
        return page;
    }
    const std::string from(std::max(prefix, after));
    for (auto at = hub.room_ids.lower_bound({std::string(app_id), from});
         at != hub.room_ids.end() && at->first.app_id == app_id &&
         at->first.name.starts_with(prefix);
         ++at) {
        if (at->first.name == after) continue;
        if (page.rooms.size() == limit) {
            page.end = false;
            break;
        }
        add(at->first.name);
    }
    return page;
}

std::optional<RoomView> Hub::room_view(const room::RoomKey& key) const {
    const HubState& hub = *state_;
    const RoomEntry* entry = hub.find_room(key);
    if (entry == nullptr) return std::nullopt;
    RoomView view;
    view.key = key;
    view.open = entry->is_open;
    view.max_users = entry->room.limits().max_users;
    view.users = entry->room.visible_count();
    view.created_at = entry->created_at;
    view.worker = entry->worker;
    view.locked = entry->room.rulings().locked_for_all();
    std::map<std::string_view, std::size_t> subscribers;
    for (const auto& [id, member] : entry->room.members()) {
        view.members.push_back(view_of(hub, *entry, member));
        for (const auto& [track, subscription] : member.subscriptions) ++subscribers[track];
    }
    for (const auto& [id, track] : entry->room.tracks()) {
        const room::Member* owner = entry->room.find(track.owner);
        PARLEY_CHECK(owner != nullptr);
        const auto count = subscribers.find(id);
        view.tracks.push_back(
            {id,
             owner->info.user_id,
             track.info.kind,
             track.info.codec,
             track.info.tag,
             track.info.master,
             track.info.simulcast,
             track.muted,
             entry->room.rulings().is_locked(owner->info.user_id, track.info.kind, id),
             (count == subscribers.end() ? 0 : count->second) + hub.players.count(id),
             track.media});
    }
    return view;
}

std::optional<MemberView> Hub::member_view(const room::RoomKey& key, std::string_view user) const {
    const RoomEntry* entry = state_->find_room(key);
    const room::Member* member = entry == nullptr ? nullptr : entry->room.find_user(user);
    if (member == nullptr) return std::nullopt;
    return view_of(*state_, *entry, *member);
}

}  // namespace parley::signalling

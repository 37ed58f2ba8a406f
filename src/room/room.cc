#include "room/room.h"

#include <algorithm>
#include <utility>

namespace parley::room {

std::string_view to_string(ClientKind kind) {
    switch (kind) {
        case ClientKind::kWeb:
            return "web";
        case ClientKind::kMiniProgram:
            return "mini_program";
        case ClientKind::kPublisher:
            return "whip";
        case ClientKind::kViewer:
            return "whep";
    }
    return "";
}

Room::Room(const Limits& limits, std::int64_t first_msgsn)
    : limits_(limits), messages_(first_msgsn, limits.max_message_log) {}

Result<Member*> Room::join(MemberId id, NewMember info) {
    const bool visible = info.kind != ClientKind::kViewer;
    if (visible && users_.contains(info.user_id)) {
        return fail(Errc::kConflict, "user is in the room already");
    }
    if (members_.size() >= limits_.max_members || (visible && users_.size() >= limits_.max_users)) {
        return fail(Errc::kBusy, "room is full");
    }
    if (visible) users_.emplace(info.user_id, id);
    Member& member = members_[id];
    member.id = id;
    member.info = std::move(info);
    member.joined_msgsn = messages_.last_number();
    return &member;
}

std::vector<Track> Room::leave(MemberId id) {
    const auto at = members_.find(id);
    if (at == members_.end()) return {};
    std::vector<Track> gone = unpublish_all(id);
    std::erase_if(gone, [](const Track& track) { return !track.announced; });
    if (at->second.is_visible()) users_.erase(at->second.info.user_id);
    members_.erase(at);
    sources_.erase(id);
    return gone;
}

Member* Room::find(MemberId id) {
    const auto at = members_.find(id);
    return at == members_.end() ? nullptr : &at->second;
}

const Member* Room::find(MemberId id) const {
    const auto at = members_.find(id);
    return at == members_.end() ? nullptr : &at->second;
}

Member* Room::find_user(std::string_view user_id) {
    const auto at = users_.find(user_id);
    return at == users_.end() ? nullptr : find(at->second);
}

const Member* Room::find_user(std::string_view user_id) const {
    const auto at = users_.find(user_id);
    return at == users_.end() ? nullptr : find(at->second);
}

Result<Track*> Room::publish(
    MemberId owner, TrackId media, std::uint64_t batch, std::string fresh_id, NewTrack info) {
    if (find(owner) == nullptr) return fail(Errc::kNotFound, "no such member");
    const std::vector<const Track*> present = tracks_of(owner);
    if (present.size() >= limits_.max_tracks_per_member) {
        return fail(Errc::kTooLarge, "too many tracks");
    }
    for (const Track* track : present) {
        if (!info.local_id.empty() && track->info.local_id == info.local_id &&
            track->info.kind == info.kind) {
            return fail(Errc::kConflict, "track is published already");
        }
    }

    Track track;
    track.id = std::move(fresh_id);
    std::vector<Source>& retired = sources_[owner];
    const auto known = std::find_if(retired.begin(), retired.end(), [&](const Source& source) {
        return source.local_id == info.local_id && source.kind == info.kind;
    });
    if (known != retired.end()) {
        track.id = known->track_id;
        track.mid = known->mid;
        track.versionid = known->versionid + 1;
        retired.erase(known);
    } else {
        track.mid = next_mid_++;
    }
    track.media = media;
    track.owner = owner;
    track.batch = batch;
    track.info = std::move(info);
    const auto [at, inserted] = tracks_.emplace(track.id, std::move(track));
    if (!inserted) return fail(Errc::kConflict, "track id is in use");
    track_by_media_.emplace(media, at->first);
    return &at->second;
}

Track Room::take_track(std::map<std::string, Track, std::less<>>::iterator at) {
    Track track = std::move(at->second);
    tracks_.erase(at);
    track_by_media_.erase(track.media);
    for (auto& [id, member] : members_) member.subscriptions.erase(track.id);
    if (!track.info.local_id.empty()) {
        std::vector<Source>& retired = sources_[track.owner];
        if (retired.size() == kMaxRetiredSources) retired.erase(retired.begin());
        retired.push_back(
            {track.info.local_id, track.info.kind, track.id, track.mid, track.versionid});
    }
    return track;
}

std::vector<Track> Room::unpublish(MemberId owner, std::span<const std::string> ids) {
    std::vector<Track> gone;
    for (const std::string& id : ids) {
        const auto at = tracks_.find(id);
        if (at == tracks_.end() || at->second.owner != owner) continue;
        gone.push_back(take_track(at));
    }
    return gone;
}

std::vector<Track> Room::unpublish_all(MemberId owner) {
    std::vector<std::string> ids;
    for (const Track* track : tracks_of(owner)) ids.push_back(track->id);
    return unpublish(owner, ids);
}

std::vector<std::vector<const Track*>> Room::announce(MemberId owner) {
    std::map<std::uint64_t, std::vector<const Track*>> batches;
    for (const Track* known : tracks_of(owner)) {
        if (known->announced) continue;
        Track& track = tracks_.find(known->id)->second;
        track.announced = true;
        batches[track.batch].push_back(&track);
    }
    std::vector<std::vector<const Track*>> out;
    out.reserve(batches.size());
    for (auto& [batch, tracks] : batches) out.push_back(std::move(tracks));
    return out;
}

Track* Room::find_track(std::string_view id) {
    const auto at = tracks_.find(id);
    return at == tracks_.end() ? nullptr : &at->second;
}

const Track* Room::find_track(std::string_view id) const {
    const auto at = tracks_.find(id);
    return at == tracks_.end() ? nullptr : &at->second;
}

const Track* Room::find_track(TrackId media) const {
    const auto at = track_by_media_.find(media);
    return at == track_by_media_.end() ? nullptr : find_track(at->second);
}

std::vector<const Track*> Room::tracks_of(MemberId owner) const {
    std::vector<const Track*> out;
    for (const auto& [id, track] : tracks_) {
        if (track.owner == owner) out.push_back(&track);
    }
    // In the order of publication: ids are random, and a list that changes its order confuses
    // people.
    std::sort(
        out.begin(), out.end(), [](const Track* a, const Track* b) { return a->media < b->media; });
    return out;
}

Result<Room::Subscribed> Room::subscribe(MemberId subscriber, std::string_view track_id) {
    Member* member = find(subscriber);
    const Track* track = find_track(track_id);
    if (member == nullptr || track == nullptr || !track->announced || track->owner == subscriber) {
        return fail(Errc::kNotFound, "no such track");
    }
    if (const auto at = member->subscriptions.find(track_id); at != member->subscriptions.end()) {
        return Subscribed{&at->second, track, false};
    }
    if (member->subscriptions.size() >= limits_.max_subscriptions_per_member) {
        return fail(Errc::kTooLarge, "too many subscriptions");
    }
    Subscription& subscription = member->subscriptions[track->id];
    subscription.media = track->media;
    return Subscribed{&subscription, track, true};
}

std::optional<Subscription> Room::unsubscribe(MemberId subscriber, std::string_view track_id) {
    Member* member = find(subscriber);
    if (member == nullptr) return std::nullopt;
    const auto at = member->subscriptions.find(track_id);
    if (at == member->subscriptions.end()) return std::nullopt;
    const Subscription subscription = at->second;
    member->subscriptions.erase(at);
    return subscription;
}

}  // namespace parley::room

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "room/message_log.h"
#include "room/rulings.h"
#include "room/track.h"
#include "room/types.h"

namespace parley::room {

struct Limits {
    std::size_t max_users = 20;      ///< visible members
    std::size_t max_members = 2000;  ///< viewers included
    std::size_t max_tracks_per_member = 32;
    std::size_t max_subscriptions_per_member = 256;
    std::size_t max_message_log = 256;
};

/// One transport of a member. `pcid` is the client's name for it.
struct PeerConnection {
    PeerId peer;
    std::string pcid;
    bool connected = false;
};

struct NewMember {
    std::string user_id;
    ClientKind kind = ClientKind::kWeb;
    Permission permission = Permission::kUser;
    Privileges privileges;
    std::string playerdata;
    std::string agent;
};

struct Member {
    MemberId id;
    NewMember info;
    std::int64_t joined_msgsn = 0;  ///< messages up to this number were before its time
    std::optional<PeerConnection> pubpc;
    std::optional<PeerConnection> subpc;
    std::map<std::string, Subscription, std::less<>> subscriptions;  ///< by track id

    /// Viewers (WHEP) take media but are nobody's company.
    [[nodiscard]] bool is_visible() const { return info.kind != ClientKind::kViewer; }
};

/// Members, tracks and subscriptions of one room, and the rules that hold between them:
///
/// - one visible member for each user id;
/// - a track belongs to one member, a subscription to an announced track of another member;
/// - when a track goes, every subscription to it goes;
/// - a source (member, local id, kind) that is published again keeps its track id and mid and gets
/// the
///   next versionid; a mid is never given to two sources.
///
/// It knows no messages and no time; what others must hear is the caller's business.
class Room {
public:
    /// Remembered ids of sources that are not published now, for each member.
    static constexpr std::size_t kMaxRetiredSources = 32;

    Room(const Limits& limits, std::int64_t first_msgsn);

    /// kConflict: the user is here already. kBusy: full.
    Result<Member*> join(MemberId id, NewMember info);
    /// Takes the member out with its tracks and subscriptions; returns the tracks that others knew.
    std::vector<Track> leave(MemberId id);

    [[nodiscard]] Member* find(MemberId id);
    [[nodiscard]] const Member* find(MemberId id) const;
    /// Visible members only.
    [[nodiscard]] Member* find_user(std::string_view user_id);
    [[nodiscard]] const Member* find_user(std::string_view user_id) const;

    /// `fresh_id` is used if the source is new. The track is not announced. kTooLarge: too many
    /// tracks; kConflict: this source is published already; kNotFound: no such member.
    Result<Track*> publish(
        MemberId owner, TrackId media, std::uint64_t batch, std::string fresh_id, NewTrack info);
    /// Takes these tracks of this owner away, with every subscription to them; others are ignored.
    std::vector<Track> unpublish(MemberId owner, std::span<const std::string> ids);
    std::vector<Track> unpublish_all(MemberId owner);
    /// Lets others know the tracks of this owner that they do not know; returns them by request, in
    /// the order of requests.
    std::vector<std::vector<const Track*>> announce(MemberId owner);

    [[nodiscard]] Track* find_track(std::string_view id);
    [[nodiscard]] const Track* find_track(std::string_view id) const;
    [[nodiscard]] const Track* find_track(TrackId media) const;
    [[nodiscard]] std::vector<const Track*> tracks_of(MemberId owner) const;

    /// A subscription to an announced track of another member, or the one that is there already
    /// (`is_new` false). kNotFound: no such track for this member; kTooLarge: too many.
    struct Subscribed {
        Subscription* subscription = nullptr;
        const Track* track = nullptr;
        bool is_new = false;
    };
    Result<Subscribed> subscribe(MemberId subscriber, std::string_view track_id);
    /// What the subscription was, if there was one.
    std::optional<Subscription> unsubscribe(MemberId subscriber, std::string_view track_id);

    [[nodiscard]] const std::map<MemberId, Member>& members() const { return members_; }
    [[nodiscard]] const std::map<std::string, Track, std::less<>>& tracks() const {
        return tracks_;
    }
    [[nodiscard]] std::size_t visible_count() const { return users_.size(); }
    [[nodiscard]] bool empty() const { return members_.empty(); }
    [[nodiscard]] MessageLog& messages() { return messages_; }
    [[nodiscard]] const MessageLog& messages() const { return messages_; }
    [[nodiscard]] Rulings& rulings() { return rulings_; }
    [[nodiscard]] const Rulings& rulings() const { return rulings_; }
    [[nodiscard]] const Limits& limits() const { return limits_; }
    void set_max_users(std::size_t max_users) { limits_.max_users = max_users; }

private:
    /// What stays of a source while it is not published.
    struct Source {
        std::string local_id;
        sfu::MediaKind kind{};
        std::string track_id;
        std::uint32_t mid = 0;
        std::uint32_t versionid = 0;
    };
    Track take_track(std::map<std::string, Track, std::less<>>::iterator at);

    Limits limits_;
    std::map<MemberId, Member> members_;
    std::map<std::string, MemberId, std::less<>> users_;
    std::map<std::string, Track, std::less<>> tracks_;
    std::map<TrackId, std::string> track_by_media_;
    std::map<MemberId, std::vector<Source>> sources_;  // oldest first
    std::uint32_t next_mid_ = 1;
    MessageLog messages_;
    Rulings rulings_;
};

}  // namespace parley::room

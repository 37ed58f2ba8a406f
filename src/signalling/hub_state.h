#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "room/room.h"
#include "signalling/active_rooms.h"
#include "signalling/codes.h"
#include "signalling/deadline_queue.h"
#include "signalling/hub.h"
#include "signalling/media_offer.h"
#include "signalling/messages.h"

namespace parley::signalling {

/// One WebSocket. kNew waits for `auth`; kMember speaks for a member; kEnding was told to leave (or
/// left) and has only to close.
struct Session {
    enum class State : std::uint8_t { kNew, kMember, kEnding };

    SessionId id;
    ConnectionInfo info;
    State state = State::kNew;
    room::MemberId member;
    Instant last_pong;
    Instant next_ping;
    RateLimit requests;
    std::uint32_t auth_attempts = 0;
};

/// What control keeps of a member beside the room's own record: how to reach it.
struct Presence {
    room::MemberId id;
    RoomId room;
    SessionId session;                 ///< 0: away, or a member without a socket
    MediaSessionId media_session;      ///< WHIP and WHEP
    std::uint64_t reconntoken = 0;     ///< 0: none
    std::string rtmptoken;             ///< mini programs: session secret and reconnect key in one
    std::int64_t away_msgsn = 0;       ///< mini programs: messages after this number were missed
    bool local_tracks_untold = false;  ///< mini programs: tracks were published while it was away
    ClientCaps caps;
    WallTime joined_at;
    RateLimit messages;
    RateLimit qos;
    /// Connections that failed while the member was away; it hears of them when it is back.
    std::optional<std::string> lost_pubpc;
    std::optional<std::string> lost_subpc;
    Policy publish_policy = Policy::kPreferUdp;
    Policy subscribe_policy = Policy::kPreferUdp;
    dtls::Role media_role = dtls::Role::kServer;  ///< of a WHIP or WHEP session's connection
};

struct RoomEntry {
    RoomId id;
    room::RoomKey key;
    room::Room room;
    AppSettings settings;
    WorkerId worker;
    sfu::Codec video_codec = sfu::Codec::kH264;  ///< of the first member; offered first to the next
    std::optional<Duration> enter_ttl{};  ///< made by the app server, and nobody has joined yet
    bool is_open = true;
    WallTime created_at{};
};

/// Whom a member's media is counted for.
[[nodiscard]] sfu::OwnerRef owner_of(const RoomEntry& entry, const room::Member& member);

struct PeerOwner {
    room::MemberId member;
    WorkerId worker;
    bool publishes = false;
};

/// An RTMP or FLV connection of a mini program.
struct StreamEntry {
    room::MemberId member;
    WorkerId worker;
    bool publishes = false;
    std::vector<std::string> trackids;  ///< published or played
    RoomId mixes{};                     ///< the room whose sound it follows, if any
};

struct WorkerState {
    sfu::WorkerInfo info;
    std::vector<IceCandidate> candidates;
    std::size_t members = 0;
    std::size_t rooms = 0;
};

/// The member that a request came from.
struct Caller {
    Session& session;
    Presence& presence;
    RoomEntry& entry;
    room::Member& member;
};

/// What a request is answered with; sent by the dispatcher, and only if the request had an rpcid.
struct Reply {
    int code = kOk;
    std::string error;
    boost::json::object fields;

    static Reply refuse(int code, std::string_view error) { return {code, std::string(error), {}}; }
    /// With `tracks`, which the client reads before the code (quirk Q3).
    static Reply refuse_tracks(int code, std::string_view error) {
        return {code, std::string(error), {{"tracks", boost::json::array()}}};
    }
};

/// Why a member left, for events.
enum class LeaveReason : std::uint8_t {
    kLeft,
    kKicked,
    kTimeout,
    kReplaced,
    kRoomClosed,
    kMediaLost
};
std::string_view to_string(LeaveReason reason);

/// All of control's tables, and the moves that every part needs: telling, opening and closing
/// connections, leaving. The parts (joining, publishing, subscribing, ...) are free functions over
/// it.
class HubState {
public:
    HubState(const HubConfig& config,
             Rng rng,
             SecretSource& secrets,
             const AppLookup& apps,
             std::string access_key,
             std::vector<sfu::WorkerInfo> workers,
             const dtls::Fingerprint& fingerprint,
             Instant now,
             WallTime wall);

    const HubConfig config;
    Rng rng;
    SecretSource& secrets;
    const AppLookup& apps;
    const std::string access_key;
    const dtls::Fingerprint fingerprint;

    std::map<SessionId, Session> sessions;
    std::unordered_map<room::MemberId, Presence> presences;
    std::map<RoomId, RoomEntry> rooms;
    std::map<room::RoomKey, RoomId> room_ids;
    ActiveRooms active_rooms;  ///< those with visible members
    std::unordered_map<std::uint64_t, room::MemberId> reconntokens;
    std::unordered_map<PeerId, PeerOwner> peers;
    std::map<MediaSessionId, room::MemberId> media_sessions;
    std::unordered_map<std::string, room::MemberId> rtmptokens;
    std::map<StreamId, StreamEntry> streams;
    std::multimap<std::string, StreamId, std::less<>> players;  ///< by track id
    std::set<std::pair<RoomId, StreamId>> mixers;               ///< streams that follow a room
    std::vector<WorkerState> workers;
    DeadlineQueue deadlines;
    HubStats counters;
    bool draining = false;
    Instant drain_patience_ends;  ///< members still there then are closed

    // Time. A `now` before the last one counts as the last one; the wall clock runs on between its
    // readings.
    Instant advance(Instant now);
    void set_wall(Instant now, WallTime wall);
    [[nodiscard]] WallTime wall() const { return wall_ + (now_ - wall_read_at_); }
    [[nodiscard]] Instant now() const { return now_; }

    // Fresh names.
    room::MemberId fresh_member() { return room::MemberId(++last_member_); }
    PeerId fresh_peer() { return PeerId(++last_peer_); }
    TrackId fresh_track() { return TrackId(++last_track_); }
    MediaSessionId fresh_media_session() { return MediaSessionId(++last_media_session_); }
    std::uint64_t fresh_batch() { return ++last_batch_; }
    std::uint64_t fresh_reconntoken();
    ice::Credentials fresh_credentials();
    std::string fresh_name() { return secrets.alphanumeric(16); }  ///< track and connection ids
    Ssrc fresh_ssrc(const room::Member& member);

    // Looking up.
    Session* find_session(SessionId id);
    Presence* find_presence(room::MemberId id);
    RoomEntry* find_room(RoomId id);
    RoomEntry* find_room(const room::RoomKey& key);
    [[nodiscard]] const RoomEntry* find_room(const room::RoomKey& key) const;
    WorkerState& worker(WorkerId id);

    // Telling.
    void send(SessionId session,
              std::string_view name,
              const boost::json::object& body,
              Outputs& out);
    /// To one member, if its socket is there.
    void tell(room::MemberId member,
              std::string_view name,
              const boost::json::object& body,
              Outputs& out);
    /// To every member of the room with a socket but `except`.
    void tell_others(const RoomEntry& entry,
                     room::MemberId except,
                     std::string_view name,
                     const boost::json::object& body,
                     Outputs& out);
    /// Logs the message and tells its targets (empty: everybody); returns how many were told now.
    std::size_t post(const RoomEntry& entry,
                     room::MemberId sender,
                     room::MessageLog& log,
                     room::Message message,
                     Outputs& out);
    void announce_removed(const RoomEntry& entry,
                          const room::Member& owner,
                          const std::vector<room::Track>& gone,
                          Outputs& out);
    /// Lets the others know the owner's new tracks: one notification for each request that
    /// published them.
    void announce_added(RoomEntry& entry, const room::Member& owner, Outputs& out);
    void raise(RoomEventKind kind,
               const RoomEntry& entry,
               std::string_view user,
               const boost::json::object& data,
               Outputs& out);

    // Rooms.
    /// The room, made if need be. kNotFound: the app wants it made first; kBusy: too many rooms.
    Result<RoomEntry*> open_room(const room::RoomKey& key,
                                 const AppSettings& settings,
                                 bool explicitly,
                                 Outputs& out);
    /// An empty room waits for its end; one with members does not.
    void watch_room(RoomEntry& entry);
    void erase_room(RoomEntry& entry, Outputs& out);

    // Members.
    Presence& add_presence(RoomEntry& entry, room::MemberId member);
    /// Takes the member out and tells the others: tracks first, then the member. Its session, if
    /// any, is left to the caller; the references to its records are dead afterwards.
    void leave(room::MemberId member, LeaveReason reason, Outputs& out);
    /// `disconnect` to the member's client, then `leave`.
    void expel(room::MemberId member,
               int code,
               std::string_view error,
               std::string_view kicked_by,
               LeaveReason reason,
               Outputs& out);
    /// The member's socket is gone; its grace time begins.
    void away(room::MemberId member, Outputs& out);

    // Sessions.
    /// Ends the session with a close frame; its member is away from now on.
    void close_session(SessionId id, CloseCode code, Outputs& out);
    /// The session's socket is gone already.
    void forget_session(SessionId id, Outputs& out);
    /// Closes the socket of a member that speaks through another one already.
    void drop_socket(SessionId id, CloseCode code, Outputs& out);
    /// The next ping goes out one interval from now.
    void schedule_ping(Session& session);
    /// Wakes the session for its next ping, or earlier when it will have been silent for too long.
    void watch_pongs(const Session& session);
    void end_grace(room::MemberId member);
    /// The conversation is over: whatever the client still says has no effect, and it gets some
    /// time to close.
    void end_session(Session& session);

    // Streams of mini programs.
    [[nodiscard]] StreamEntry* find_stream(StreamId id);
    void add_stream(StreamId id, StreamEntry entry);
    /// Forgets the stream and, if it published, takes its tracks away: from the worker, the others
    /// and the publisher itself. With a `reason` the worker is told to close it.
    void drop_stream(StreamId id, std::optional<StreamEnd> reason, Outputs& out);
    /// What streams that follow this room are to mix from now on, if there are any. Called whenever
    /// a sound is announced, taken away, muted or unmuted.
    void refresh_mixes(const RoomEntry& entry, Outputs& out);
    /// All of a member that leaves; its tracks leave the room with it.
    void end_streams(room::MemberId member, Outputs& out);

    // Connections.
    [[nodiscard]] PeerParameters peer_parameters(const RoomEntry& entry,
                                                 const ice::Credentials& ice,
                                                 dtls::Role role,
                                                 Policy policy) const;
    void add_peer(const RoomEntry& entry,
                  room::MemberId member,
                  bool publishes,
                  sfu::OpenPeer open,
                  Outputs& out);
    void close_peer(std::optional<room::PeerConnection>& peer, Outputs& out);
    [[nodiscard]] bool owns(WorkerId worker, PeerId peer) const;
    void command(WorkerId worker, sfu::MediaCommand command, Outputs& out);

    // Decisions of the app server.
    /// A track that has just been published: muted at once if its owner may not unmute it.
    void apply_locks(RoomEntry& entry, const room::Member& owner, room::Track& track, Outputs& out);
    /// Starts or ends the server's own mute of a track; the others are told by the caller.
    void stop_track(const RoomEntry& entry, room::Track& track, bool stopped, Outputs& out);

private:
    WorkerId choose_worker() const;
    void forget_player(StreamId id, const StreamEntry& entry);

    Instant now_;
    WallTime wall_;
    Instant wall_read_at_;
    std::uint64_t last_member_ = 0;
    std::uint64_t last_room_ = 0;
    std::uint64_t last_media_session_ = 0;
    std::uint64_t last_batch_ = 0;
    std::uint32_t last_peer_ = 0;
    std::uint32_t last_track_ = 0;
};

}  // namespace parley::signalling

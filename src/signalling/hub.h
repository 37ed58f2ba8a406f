#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "dtls/endpoint.h"
#include "room/types.h"
#include "sfu/media_api.h"
#include "signalling/app_settings.h"
#include "signalling/moderation.h"
#include "signalling/outputs.h"

namespace parley::signalling {

/// Every bound and timer of room control. Durations as in protocol appendix A.
struct HubConfig {
    Duration ping_interval = 3s;
    Duration pong_timeout = 10s;  ///< silence after which the socket counts as lost
    Duration auth_timeout = 10s;
    Duration grace = 30s;               ///< how long a member whose socket is lost keeps its place
    Duration mini_program_grace = 15s;  ///< the same for mini programs, which give up sooner
    Duration linger = 5s;  ///< a client that was told to leave closes by itself within this time
    Duration connect_timeout = 30s;  ///< ICE and DTLS of one peer connection

    std::size_t max_sessions = 50'000;  ///< further sockets are closed with 1013
    std::size_t max_rooms = 10'000;     ///< further rooms are refused with 10011
    std::size_t max_members_per_room =
        2'000;  ///< hard limit above the app's maxUsers; viewers included
    std::size_t max_tracks_per_member = 32;
    std::size_t max_subscriptions_per_member = 256;
    std::size_t max_message_bytes = std::size_t{1} << 20;  ///< a longer one closes its connection
    std::size_t max_json_depth = 16;
    std::size_t max_playerdata_bytes = 8'192;
    std::size_t max_text_bytes = 4'096;  ///< of a custom message
    std::size_t max_qos_bytes = 16'384;
    std::uint32_t max_messages_per_second = 20;  ///< custom messages of one user; more are dropped
    std::uint32_t max_requests_per_second =
        200;                            ///< everything else of one connection; more close it
    std::size_t max_message_log = 256;  ///< custom messages kept for each room, for replay
    std::size_t max_message_targets = 256;
    std::size_t max_pending_texts = 1'024;    ///< see handle_backlog
    std::size_t max_streams_per_member = 64;  ///< RTMP and FLV connections of one mini program
};

/// What the shell knows of a new WebSocket.
struct ConnectionInfo {
    std::string remote;  ///< address for logs; never sent to clients
    std::string path;
    std::string rtmp_host;  ///< `host` or `host:port` that this client reaches our RTMP port by
};

/// Who opens a WHIP or WHEP session, from a verified room token.
struct MediaSessionOwner {
    room::RoomKey room;
    std::string user_id;
    room::Permission permission = room::Permission::kUser;
    std::string agent;
};
/// What the client's offer says about its transport.
struct MediaTransport {
    dtls::Role local_role = dtls::Role::kServer;
    std::optional<dtls::Fingerprint> remote_fingerprint;
    rtp::ExtensionIds receive_extensions;
    rtp::ExtensionIds send_extensions;
};
struct OfferedTrack {
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;
    PayloadType payload_type;
    PayloadType rtx_payload_type;
    PayloadType red_payload_type;
    std::string mid;                             ///< of the offer
    std::vector<sfu::EncodingConfig> encodings;  ///< [0] high, [1] low
    Bitrate max_bitrate;
};
struct JoinPublisher {
    MediaSessionOwner owner;
    MediaTransport transport;
    std::vector<OfferedTrack> tracks;
};
/// A published track that a viewer may ask for.
struct MediaSource {
    std::string trackid;
    std::string user_id;
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    sfu::Codec codec = sfu::Codec::kOpus;
    bool simulcast = false;
};
struct WantedTrack {
    std::string trackid;
    PayloadType payload_type;
    PayloadType rtx_payload_type;  ///< 0: no RTX
    PayloadType red_payload_type;
    sfu::Layer layer = sfu::Layer::kHigh;
};
struct JoinViewer {
    MediaSessionOwner owner;
    MediaTransport transport;
    std::vector<WantedTrack> tracks;
};
struct IceCandidate {
    std::string foundation;
    std::uint32_t priority = 0;
    SocketAddress address;
    bool tcp = false;  ///< passive (RFC 6544)
};
/// Our side of one peer connection.
struct PeerParameters {
    ice::Credentials ice;
    std::vector<IceCandidate> candidates;
    dtls::Role role = dtls::Role::kServer;
    dtls::Fingerprint fingerprint;
};
struct PublisherJoined {
    MediaSessionId session;
    PeerParameters peer;
};
struct SentTrack {
    std::string trackid;
    Ssrc ssrc;
    Ssrc rtx_ssrc;  ///< 0: none
    std::string msid;
    std::string cname;
};
struct ViewerJoined {
    MediaSessionId session;
    PeerParameters peer;
    std::vector<SentTrack> tracks;  ///< in the order asked for
};

struct RoomList {
    std::vector<std::string> rooms;
    std::size_t offset = 0;  ///< mark of the next page
    bool end = true;
};

/// What an app server may say of one room (REST section 6); 0 and absent mean the app's setting.
struct RoomOptions {
    std::uint32_t max_users = 0;
    Duration auto_close_ttl{};  ///< how long it lives when everybody has left
    Duration enter_ttl{};       ///< how long it waits for its first user
    bool open = true;           ///< false: joins are refused with 10012 until it is opened
};

struct WorkerLoad {
    WorkerId worker;
    std::size_t rooms = 0;
    std::size_t members = 0;
};

struct HubStats {
    std::size_t sessions = 0;
    std::size_t rooms = 0;
    std::size_t members = 0;  ///< visible ones, those away included
    std::size_t away = 0;
    std::size_t viewers = 0;
    std::size_t tracks = 0;
    std::size_t subscriptions = 0;
    std::size_t peers = 0;
    std::size_t mini_programs = 0;       ///< members among the visible ones
    std::size_t publishing_streams = 0;  ///< RTMP, of mini programs
    std::size_t playing_streams = 0;     ///< RTMP and FLV, of mini programs

    std::uint64_t joins = 0;
    std::uint64_t joins_refused = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t messages_in = 0;
    std::uint64_t malformed = 0;
    std::uint64_t rate_limited = 0;
    std::uint64_t slow_consumers = 0;
    std::uint64_t pong_timeouts = 0;
    std::uint64_t auth_timeouts = 0;
    std::uint64_t grace_expired = 0;
    std::uint64_t peers_failed = 0;
};

class HubState;

/// Room control: every WebSocket conversation of web clients and mini programs (QNRTC protocol
/// sections 2 and 3) over the rooms of this process. One control loop owns it. It decides; the
/// shell moves its texts to sockets and its commands to media workers, and tells it what comes
/// back.
///
/// A session: open -> (auth) -> member -> ended by `disconnect` either way, or lost -> member away
/// -> back by `reconntoken`, or gone after `grace`. Requests are answered exactly once, in order; a
/// notification has no rpcid.
class Hub {
public:
    /// `access_key` signs access tokens (auth/access_token.h) and must survive restarts. `secrets`
    /// and `apps` must outlive the Hub. `workers` must not be empty.
    Hub(const HubConfig& config,
        Rng rng,
        SecretSource& secrets,
        const AppLookup& apps,
        std::string access_key,
        std::vector<sfu::WorkerInfo> workers,
        const dtls::Fingerprint& local_fingerprint,
        Instant now,
        WallTime wall);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    void handle_open(Instant now, SessionId session, const ConnectionInfo& info, Outputs& out);
    /// One complete text frame. Binary frames: `handle_binary`, which closes the connection.
    void handle_text(
        Instant now, WallTime wall, SessionId session, std::string_view text, Outputs& out);
    void handle_binary(Instant now, SessionId session, Outputs& out);
    /// The socket is gone, whoever closed it. Also to be called after a CloseSession; then it does
    /// nothing.
    void handle_closed(Instant now, SessionId session, Outputs& out);
    /// The shell's send queue of this session holds `pending` texts. Above `max_pending_texts` the
    /// session is closed with 1013 and the member may come back by its reconnect token. Call it
    /// whenever the queue grows.
    void handle_backlog(Instant now, SessionId session, std::size_t pending, Outputs& out);
    void handle_media_event(Instant now,
                            WorkerId worker,
                            const sfu::MediaEvent& event,
                            Outputs& out);
    void handle_timeout(Instant now, WallTime wall, Outputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// Tells every web member `disconnect` 10052, so that it closes and looks for the next process;
    /// one that does not is closed with 1001 after some seconds. Sockets of mini programs are
    /// closed with 1001 at once (10052 would end their session). Web sockets that open from now on
    /// get no answer until `finish_drain`: a client has few attempts, and would waste them on a
    /// process that is about to end. WHIP and WHEP sessions run on until the process ends.
    void begin_drain(Instant now, Outputs& out);
    [[nodiscard]] bool is_draining() const;
    /// Draining, and no member has a socket any more.
    [[nodiscard]] bool is_drained() const;
    /// Closes every socket with 1001. The process ends right after.
    void finish_drain(Instant now, Outputs& out);

    /// WHIP: a member that publishes these tracks. Errors: kNotFound (app, or room that must be
    /// created first), kConflict (the user is connected and the app refuses a second join), kBusy
    /// (room full, or draining), kTooLarge (more tracks than allowed), kMalformed (no track).
    Result<PublisherJoined> join_publisher(Instant now,
                                           WallTime wall,
                                           const JoinPublisher& request,
                                           Outputs& out);
    /// WHEP, first step: announced tracks of this user, or the one track of this id; empty when
    /// there is none.
    [[nodiscard]] std::vector<MediaSource> media_sources(const room::RoomKey& room,
                                                         std::string_view user_or_track) const;
    /// WHEP, second step. Errors as above; kNotFound also when none of the tracks is there any more
    /// (those that are not are left out of the answer). A viewer is not shown to members; it counts
    /// against `max_members_per_room`.
    Result<ViewerJoined> join_viewer(Instant now,
                                     WallTime wall,
                                     const JoinViewer& request,
                                     Outputs& out);
    /// New ICE credentials for the session's peer connection (RFC 9725 section 4.3.1).
    Result<PeerParameters> restart_media_session(Instant now, MediaSessionId session, Outputs& out);
    /// DELETE of the resource. kNotFound when it is gone already.
    Result<void> leave_media_session(Instant now, MediaSessionId session, Outputs& out);

    /// A mini program's RTMP or FLV connection wants to publish (protocol section 5.2). An older
    /// publish of the same session is ended. kNotFound: the token is unknown or over;
    /// kForbidden: `playerid` is not the token's owner, or the URL is one for playing.
    Result<PublishGrant> open_publish(Instant now,
                                      StreamId stream,
                                      const StreamAddress& address,
                                      Outputs& out);
    /// Its sequence headers showed these tracks; those published already are ignored. They become
    /// tracks of the room: an AddLocalTrack for each goes to the worker, `on-add-local-tracks` to
    /// the publisher, one `on-add-tracks` to the others.
    void handle_stream_tracks(Instant now,
                              StreamId stream,
                              std::span<const FoundTrack> found,
                              Outputs& out);
    /// Wants to play (protocol section 5.4). kNotFound: unknown token, or one of the tracks is not
    /// in the room or not of `playerid`; kForbidden: nothing to play in the URL, or a mix that is
    /// not one; kBusy: too many streams.
    Result<PlayGrant> open_play(Instant now,
                                StreamId stream,
                                const StreamAddress& address,
                                Outputs& out);
    /// What can be heard in a room now, oldest first; nothing when there is no such room.
    [[nodiscard]] std::vector<RoomSoundTrack> sounds_of(RoomId room) const;
    /// The stream's connection is gone, or it stopped publishing or playing by itself.
    void handle_stream_closed(Instant now, StreamId stream, Outputs& out);

    /// Rooms of an app that have members, sorted by name.
    [[nodiscard]] RoomList list_rooms(std::string_view app_id,
                                      std::string_view prefix,
                                      std::size_t offset,
                                      std::size_t limit) const;
    /// Names of all rooms of an app, empty ones too.
    [[nodiscard]] std::vector<std::string> all_rooms(std::string_view app_id) const;
    /// Visible members, sorted; empty also when there is no such room.
    [[nodiscard]] std::vector<std::string> list_users(const room::RoomKey& room) const;
    /// `disconnect` 10006. kNotFound: no such room or user.
    Result<void> kick_user(Instant now,
                           const room::RoomKey& room,
                           std::string_view user,
                           std::string_view kicked_by,
                           Outputs& out);
    /// Makes a room that a join finds; a room that is there gets the new options. kBusy: too many
    /// rooms; kNotFound: no such app.
    Result<void> create_room(Instant now,
                             const room::RoomKey& room,
                             const RoomOptions& options,
                             Outputs& out);
    /// Closed to new members, or open again. kNotFound: no such room now.
    Result<void> set_room_open(Instant now, const room::RoomKey& room, bool open);
    Result<void> set_max_users(Instant now, const room::RoomKey& room, std::uint32_t max_users);
    /// Everybody gets `disconnect` 10005. kNotFound: no such room.
    Result<void> close_room(Instant now, const room::RoomKey& room, Outputs& out);

    /// Rooms of an app whose names come after `after`, sorted by name; `empty`: also those without
    /// members.
    [[nodiscard]] RoomPage room_page(std::string_view app_id,
                                     std::string_view prefix,
                                     std::string_view after,
                                     std::size_t limit,
                                     bool empty) const;
    [[nodiscard]] std::optional<RoomView> room_view(const room::RoomKey& room) const;
    /// The user's member that others see. nullopt: no such room or user.
    [[nodiscard]] std::optional<MemberView> member_view(const room::RoomKey& room,
                                                        std::string_view user) const;
    /// The tracks that changed. The worker stops what is muted, whatever the client does; the other
    /// members are told. kNotFound: no such room, or user, or track of the user; kTooLarge.
    Result<std::vector<ChangedTrack>> mute_user(Instant now,
                                                const room::RoomKey& room,
                                                const std::string& user,
                                                const MuteOrder& order,
                                                Outputs& out);
    Result<std::vector<ChangedTrack>> mute_room(Instant now,
                                                const room::RoomKey& room,
                                                const MuteOrder& order,
                                                Outputs& out);
    /// What the user may do from now on, and when it comes again. Tracks and subscriptions that it
    /// may not have any more end at once. kNotFound, kTooLarge.
    Result<void> change_member(Instant now,
                               const room::RoomKey& room,
                               const std::string& user,
                               const MemberChange& change,
                               Outputs& out);
    /// kNotFound: no such room.
    Result<SentMessage> send_message(
        Instant now, WallTime wall, const room::RoomKey& room, ServerMessage message, Outputs& out);

    [[nodiscard]] std::vector<WorkerLoad> worker_loads() const;
    [[nodiscard]] HubStats stats() const;
    /// Rooms, members, peer connections and tracks as JSON text, for operators. No secret in it.
    [[nodiscard]] std::string dump_state() const;

private:
    std::unique_ptr<HubState> state_;
};

}  // namespace parley::signalling

#include "signalling/hub_state.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/check.h"
#include "signalling/envelope.h"

namespace parley::signalling {
namespace json = boost::json;
namespace {

constexpr std::size_t kUfragLength = 16;
constexpr std::size_t kPasswordLength = 32;
/// A machine with many addresses must not make its clients check for ever.
constexpr std::size_t kMaxCandidates = 32;

/// RFC 8445 section 5.1.2.1 and, for TCP, RFC 6544 section 4.2: passive candidates rank below every
/// UDP one. Earlier endpoints come first; every candidate has its own foundation.
std::vector<IceCandidate> make_candidates(const std::vector<sfu::WorkerEndpoint>& endpoints) {
    std::vector<IceCandidate> out;
    std::uint32_t index = 0;
    for (const sfu::WorkerEndpoint& endpoint : endpoints) {
        if (out.size() == kMaxCandidates) break;
        constexpr std::uint32_t kHostUdp = 126;
        constexpr std::uint32_t kHostTcp = 90;
        constexpr std::uint32_t kPassiveDirection = 4u << 13;
        const std::uint32_t type = endpoint.tcp ? kHostTcp : kHostUdp;
        const std::uint32_t local =
            endpoint.tcp ? kPassiveDirection | (8191 - index) : 65535 - index;
        IceCandidate candidate;
        candidate.foundation = (endpoint.tcp ? "tcp" : "udp") + std::to_string(index);
        candidate.priority = type << 24 | local << 8 | 255;
        candidate.address = endpoint.address;
        candidate.tcp = endpoint.tcp;
        out.push_back(std::move(candidate));
        ++index;
    }
    return out;
}

/// What mini programs know of what is told to everybody (protocol appendix B); the rest they would
/// at best ignore.
bool is_for_mini_programs(std::string_view name) {
    constexpr std::array<std::string_view, 7> kNames{"disconnect",
                                                     "mute-tracks",
                                                     "on-add-tracks",
                                                     "on-messages",
                                                     "on-player-in",
                                                     "on-player-out",
                                                     "on-remove-tracks"};
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

DeadlineQueue::Key session_key(SessionId id) { return {DeadlineQueue::Kind::kSession, id.value}; }
DeadlineQueue::Key member_key(room::MemberId id) {
    return {DeadlineQueue::Kind::kMember, id.value};
}
DeadlineQueue::Key room_key(RoomId id) { return {DeadlineQueue::Kind::kRoom, id.value}; }

}  // namespace

std::string_view to_string(RoomEventKind kind) {
    switch (kind) {
        case RoomEventKind::kRoomCreated:
            return "room_created";
        case RoomEventKind::kRoomClosed:
            return "room_closed";
        case RoomEventKind::kUserJoined:
            return "user_joined";
        case RoomEventKind::kUserLeft:
            return "user_left";
        case RoomEventKind::kUserAway:
            return "user_away";
        case RoomEventKind::kUserReconnected:
            return "user_reconnected";
        case RoomEventKind::kRoleChanged:
            return "role_changed";
        case RoomEventKind::kTrackPublished:
            return "track_published";
        case RoomEventKind::kTrackUnpublished:
            return "track_unpublished";
        case RoomEventKind::kTrackMuted:
            return "track_muted";
        case RoomEventKind::kQualityAlarm:
            return "quality_alarm";
    }
    return "";
}

std::string_view to_string(LeaveReason reason) {
    switch (reason) {
        case LeaveReason::kLeft:
            return "leave";
        case LeaveReason::kKicked:
            return "kicked";
        case LeaveReason::kTimeout:
            return "timeout";
        case LeaveReason::kReplaced:
        case LeaveReason::kRoomClosed:
            return "kicked";
        case LeaveReason::kMediaLost:
            return "error";
    }
    return "";
}

HubState::HubState(const HubConfig& config_in,
                   Rng rng_in,
                   SecretSource& secrets_in,
                   const AppLookup& apps_in,
                   std::string access_key_in,
                   std::vector<sfu::WorkerInfo> workers_in,
                   const dtls::Fingerprint& fingerprint_in,
                   Instant now,
                   WallTime wall)
    : config(config_in),
      rng(rng_in),
      secrets(secrets_in),
      apps(apps_in),
      access_key(std::move(access_key_in)),
      fingerprint(fingerprint_in),
      now_(now),
      wall_(wall),
      wall_read_at_(now) {
    PARLEY_CHECK(!workers_in.empty());
    for (sfu::WorkerInfo& info : workers_in) {
        WorkerState state;
        state.candidates = make_candidates(info.endpoints);
        state.info = std::move(info);
        workers.push_back(std::move(state));
    }
}

Instant HubState::advance(Instant now) {
    now_ = std::max(now_, now);
    return now_;
}

void HubState::set_wall(Instant now, WallTime wall) {
    advance(now);
    wall_ = wall;
    wall_read_at_ = now_;
}

std::uint64_t HubState::fresh_reconntoken() {
    for (;;) {
        std::array<std::uint8_t, 8> bytes{};
        secrets.fill(bytes);
        // Below 2^53: the client keeps it as a JavaScript number.
        std::uint64_t token = 0;
        for (const std::uint8_t byte : bytes) token = token << 8 | byte;
        token >>= 11;
        if (token != 0 && !reconntokens.contains(token)) return token;
    }
}

ice::Credentials HubState::fresh_credentials() {
    return {secrets.alphanumeric(kUfragLength), secrets.alphanumeric(kPasswordLength)};
}

Ssrc HubState::fresh_ssrc(const room::Member& member) {
    for (;;) {
        const Ssrc ssrc(rng.next_u32());
        if (!ssrc.is_valid()) continue;
        const bool taken = std::any_of(
            member.subscriptions.begin(), member.subscriptions.end(), [&](const auto& entry) {
                return entry.second.ssrc == ssrc || entry.second.rtx_ssrc == ssrc;
            });
        if (!taken) return ssrc;
    }
}

Session* HubState::find_session(SessionId id) {
    const auto at = sessions.find(id);
    return at == sessions.end() ? nullptr : &at->second;
}

Presence* HubState::find_presence(room::MemberId id) {
    const auto at = presences.find(id);
    return at == presences.end() ? nullptr : &at->second;
}

RoomEntry* HubState::find_room(RoomId id) {
    const auto at = rooms.find(id);
    return at == rooms.end() ? nullptr : &at->second;
}

RoomEntry* HubState::find_room(const room::RoomKey& key) {
    const auto at = room_ids.find(key);
    return at == room_ids.end() ? nullptr : find_room(at->second);
}

const RoomEntry* HubState::find_room(const room::RoomKey& key) const {
    const auto id = room_ids.find(key);
    if (id == room_ids.end()) return nullptr;
    const auto at = rooms.find(id->second);
    return at == rooms.end() ? nullptr : &at->second;
}

WorkerState& HubState::worker(WorkerId id) {
    const auto at = std::find_if(workers.begin(), workers.end(), [id](const WorkerState& worker) {
        return worker.info.worker == id;
    });
    PARLEY_CHECK(at != workers.end());
    return *at;
}

WorkerId HubState::choose_worker() const {
    const auto least = std::min_element(
        workers.begin(), workers.end(), [](const WorkerState& a, const WorkerState& b) {
            return std::pair(a.members, a.rooms) < std::pair(b.members, b.rooms);
        });
    return least->info.worker;
}

void HubState::send(SessionId session,
                    std::string_view name,
                    const json::object& body,
                    Outputs& out) {
    out.texts.push_back({session, write_envelope(name, body)});
}

void HubState::tell(room::MemberId member,
                    std::string_view name,
                    const json::object& body,
                    Outputs& out) {
    const Presence* presence = find_presence(member);
    if (presence == nullptr || !presence->session.is_valid()) return;
    send(presence->session, name, body, out);
}

void HubState::tell_others(const RoomEntry& entry,
                           room::MemberId except,
                           std::string_view name,
                           const json::object& body,
                           Outputs& out) {
    std::string text;
    const bool web_only = !is_for_mini_programs(name);
    for (const auto& [id, member] : entry.room.members()) {
        if (id == except) continue;
        if (web_only && member.info.kind == room::ClientKind::kMiniProgram) continue;
        const Presence* presence = find_presence(id);
        if (presence == nullptr || !presence->session.is_valid()) continue;
        if (text.empty()) text = write_envelope(name, body);
        out.texts.push_back({presence->session, text});
    }
}

void HubState::announce_removed(const RoomEntry& entry,
                                const room::Member& owner,
                                const std::vector<room::Track>& gone,
                                Outputs& out) {
    json::array tracks;
    for (const room::Track& track : gone) {
        if (!track.announced) continue;
        tracks.push_back(track_json(track, owner));
        raise(RoomEventKind::kTrackUnpublished,
              entry,
              owner.info.user_id,
              {{"trackId", track.id}},
              out);
    }
    if (tracks.empty()) return;
    tell_others(entry, owner.id, "on-remove-tracks", {{"tracks", std::move(tracks)}}, out);
    refresh_mixes(entry, out);
    for (const room::Track& track : gone) {
        while (true) {
            const auto player = players.find(track.id);
            if (player == players.end()) break;
            drop_stream(player->second, StreamEnd::kTrackGone, out);
        }
    }
}

void HubState::announce_added(RoomEntry& entry, const room::Member& owner, Outputs& out) {
    for (const std::vector<const room::Track*>& batch : entry.room.announce(owner.id)) {
        json::array tracks;
        for (const room::Track* track : batch) {
            tracks.push_back(track_json(*track, owner));
            const bool audio = track->info.kind == sfu::MediaKind::kAudio;
            raise(RoomEventKind::kTrackPublished,
                  entry,
                  owner.info.user_id,
                  {{"trackId", track->id},
                   {"kind", audio ? "audio" : "video"},
                   {"tag", track->info.tag}},
                  out);
        }
        tell_others(entry, owner.id, "on-add-tracks", {{"tracks", std::move(tracks)}}, out);
    }
    refresh_mixes(entry, out);
}

void HubState::raise(RoomEventKind kind,
                     const RoomEntry& entry,
                     std::string_view user,
                     const json::object& data,
                     Outputs& out) {
    out.events.push_back(
        {kind, wall(), entry.key.app_id, entry.key.name, std::string(user), json::serialize(data)});
}

Result<RoomEntry*> HubState::open_room(const room::RoomKey& key,
                                       const AppSettings& settings,
                                       bool explicitly,
                                       Outputs& out) {
    if (RoomEntry* entry = find_room(key)) return entry;
    if (settings.no_auto_create_room && !explicitly) {
        return fail(Errc::kNotFound, "room does not exist");
    }
    if (rooms.size() >= config.max_rooms) return fail(Errc::kBusy, "too many rooms");

    room::Limits limits;
    limits.max_users = settings.max_users == 0 ? AppSettings{}.max_users : settings.max_users;
    limits.max_members = config.max_members_per_room;
    limits.max_tracks_per_member = config.max_tracks_per_member;
    limits.max_subscriptions_per_member = config.max_subscriptions_per_member;
    limits.max_message_log = config.max_message_log;
    const RoomId id(++last_room_);
    const auto [at, inserted] = rooms.emplace(id,
                                              RoomEntry{id,
                                                        key,
                                                        room::Room(limits, unix_ms(wall())),
                                                        settings,
                                                        choose_worker(),
                                                        settings.video_codec});
    PARLEY_CHECK(inserted);
    RoomEntry& entry = at->second;
    entry.is_open = apps.is_room_open(key);
    entry.created_at = wall();
    room_ids.emplace(key, id);
    ++worker(entry.worker).rooms;
    raise(RoomEventKind::kRoomCreated, entry, "", {}, out);
    watch_room(entry);
    return &entry;
}

void HubState::watch_room(RoomEntry& entry) {
    if (!entry.room.empty() || entry.settings.no_auto_close_room) {
        deadlines.clear(room_key(entry.id));
    } else {
        deadlines.set(room_key(entry.id),
                      now_ + entry.enter_ttl.value_or(entry.settings.auto_close_ttl));
    }
}

void HubState::erase_room(RoomEntry& entry, Outputs& out) {
    PARLEY_CHECK(entry.room.empty());
    raise(RoomEventKind::kRoomClosed, entry, "", {}, out);
    deadlines.clear(room_key(entry.id));
    --worker(entry.worker).rooms;
    room_ids.erase(entry.key);
    rooms.erase(RoomId(entry.id));
}

Presence& HubState::add_presence(RoomEntry& entry, room::MemberId member) {
    Presence& presence = presences[member];
    presence.id = member;
    presence.room = entry.id;
    presence.joined_at = wall();
    ++worker(entry.worker).members;
    entry.enter_ttl.reset();
    deadlines.clear(room_key(entry.id));
    return presence;
}

void HubState::leave(room::MemberId id, LeaveReason reason, Outputs& out) {
    Presence* presence = find_presence(id);
    if (presence == nullptr) return;
    RoomEntry* entry = find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    room::Member* member = entry->room.find(id);
    PARLEY_CHECK(member != nullptr);

    close_peer(member->pubpc, out);
    close_peer(member->subpc, out);
    end_streams(id, out);
    const room::Member copy = *member;
    const std::vector<room::Track> gone = entry->room.leave(id);
    if (presence->reconntoken != 0) reconntokens.erase(presence->reconntoken);
    if (presence->media_session.is_valid()) media_sessions.erase(presence->media_session);
    if (!presence->rtmptoken.empty()) rtmptokens.erase(presence->rtmptoken);
    deadlines.clear(member_key(id));
    presences.erase(id);
    --worker(entry->worker).members;

    announce_removed(*entry, copy, gone, out);
    if (copy.is_visible()) {
        tell_others(*entry, id, "on-player-out", {{"playerid", copy.info.user_id}}, out);
        json::object data{{"reason", to_json_view(to_string(reason))}};
        if (reason == LeaveReason::kReplaced) data["detail"] = "replaced";
        if (reason == LeaveReason::kRoomClosed) data["detail"] = "room_closed";
        raise(RoomEventKind::kUserLeft, *entry, copy.info.user_id, data, out);
    }
    if (entry->room.visible_count() == 0) {
        active_rooms.set(entry->key.app_id, entry->key.name, false);
    }
    if (entry->room.empty()) watch_room(*entry);
}

void HubState::expel(room::MemberId id,
                     int code,
                     std::string_view error,
                     std::string_view kicked_by,
                     LeaveReason reason,
                     Outputs& out) {
    const Presence* presence = find_presence(id);
    if (presence == nullptr) return;
    json::object body{{"code", code}, {"error", to_json_view(error)}};
    if (!kicked_by.empty()) body["kickedid"] = to_json_view(kicked_by);
    tell(id, "disconnect", body, out);
    if (presence->media_session.is_valid()) {
        out.ended_media_sessions.push_back(presence->media_session);
    }
    if (Session* session = find_session(presence->session)) end_session(*session);
    leave(id, reason, out);
}

void HubState::away(room::MemberId id, Outputs& out) {
    Presence* presence = find_presence(id);
    if (presence == nullptr) return;
    presence->session = {};
    const RoomEntry* entry = find_room(presence->room);
    PARLEY_CHECK(entry != nullptr);
    const room::Member* member = entry->room.find(id);
    PARLEY_CHECK(member != nullptr);
    const bool mini_program = member->info.kind == room::ClientKind::kMiniProgram;
    deadlines.set(member_key(id), now_ + (mini_program ? config.mini_program_grace : config.grace));
    presence->away_msgsn = entry->room.messages().last_number();
    tell_others(*entry, id, "on-player-reconnect", {{"playerid", member->info.user_id}}, out);
    raise(RoomEventKind::kUserAway, *entry, member->info.user_id, {}, out);
}

void HubState::close_session(SessionId id, CloseCode code, Outputs& out) {
    const auto at = sessions.find(id);
    if (at == sessions.end()) return;
    const room::MemberId member = at->second.member;
    drop_socket(id, code, out);
    if (member.is_valid()) away(member, out);
}

void HubState::forget_session(SessionId id, Outputs& out) {
    const auto at = sessions.find(id);
    if (at == sessions.end()) return;
    const room::MemberId member = at->second.member;
    deadlines.clear(session_key(id));
    sessions.erase(at);
    if (member.is_valid()) away(member, out);
}

void HubState::drop_socket(SessionId id, CloseCode code, Outputs& out) {
    if (sessions.erase(id) == 0) return;
    deadlines.clear(session_key(id));
    out.closes.push_back({id, static_cast<std::uint16_t>(code)});
}

void HubState::schedule_ping(Session& session) {
    session.next_ping = now_ + config.ping_interval;
    watch_pongs(session);
}

void HubState::watch_pongs(const Session& session) {
    const Instant silent = session.last_pong + config.pong_timeout;
    deadlines.set(session_key(session.id), std::min(session.next_ping, silent));
}

void HubState::end_grace(room::MemberId member) { deadlines.clear(member_key(member)); }

void HubState::end_session(Session& session) {
    session.state = Session::State::kEnding;
    session.member = {};
    deadlines.set(session_key(session.id), now_ + config.linger);
}

PeerParameters HubState::peer_parameters(const RoomEntry& entry,
                                         const ice::Credentials& ice,
                                         dtls::Role role,
                                         Policy policy) const {
    PeerParameters out;
    out.ice = ice;
    out.role = role;
    out.fingerprint = fingerprint;
    for (const WorkerState& worker : workers) {
        if (worker.info.worker != entry.worker) continue;
        for (const IceCandidate& candidate : worker.candidates) {
            if (policy == Policy::kForceUdp && candidate.tcp) continue;
            if (policy == Policy::kForceTcp && !candidate.tcp) continue;
            out.candidates.push_back(candidate);
        }
    }
    return out;
}

sfu::OwnerRef owner_of(const RoomEntry& entry, const room::Member& member) {
    return std::make_shared<const sfu::Owner>(
        sfu::Owner{entry.key.app_id, entry.key.name, member.info.user_id});
}

void HubState::add_peer(const RoomEntry& entry,
                        room::MemberId member,
                        bool publishes,
                        sfu::OpenPeer open,
                        Outputs& out) {
    open.connect_timeout = config.connect_timeout;
    const room::Member* owner = entry.room.find(member);
    PARLEY_CHECK(owner != nullptr);
    open.owner = owner_of(entry, *owner);
    peers.emplace(open.peer, PeerOwner{member, entry.worker, publishes});
    command(entry.worker, std::move(open), out);
}

void HubState::close_peer(std::optional<room::PeerConnection>& peer, Outputs& out) {
    if (!peer) return;
    const auto at = peers.find(peer->peer);
    if (at != peers.end()) {
        command(at->second.worker, sfu::ClosePeer{peer->peer}, out);
        peers.erase(at);
    }
    peer.reset();
}

bool HubState::owns(WorkerId worker, PeerId peer) const {
    const auto at = peers.find(peer);
    return at != peers.end() && at->second.worker == worker;
}

void HubState::command(WorkerId worker, sfu::MediaCommand command, Outputs& out) {
    out.commands.push_back({worker, std::move(command)});
}

}  // namespace parley::signalling

#include "sim/world.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <iterator>
#include <utility>

#include "auth/access_token.h"
#include "dtls/fake_endpoint.h"
#include "ice/stun.h"
#include "rtp/header.h"

namespace parley::sim {
namespace json = boost::json;
namespace {

constexpr Duration kTick = 10ms;
constexpr Duration kCleanFor = 6s;
/// After recovery everything must stay well for this long.
constexpr Duration kStaysWell = 1500ms;
/// A goodbye may still be held up by the last blackout (8 s); then the empty room lives for 10 s.
constexpr Duration kEmptyAfter = 25s;
constexpr Duration kLipSync = 40ms;
constexpr std::size_t kRecentIndexes = 4'000;

std::string token_of(const Plan::Member& member, bool admin) {
    auth::AccessClaims claims;
    claims.app_id = "app";
    claims.room_name = member.room;
    claims.user_id = member.user;
    claims.permission = admin ? auth::Permission::kAdmin : auth::Permission::kUser;
    claims.expire_at = kWallStart + 48h;
    return auth::mint_access_token(Server::kAccessKey, claims, "ws://sim/");
}

std::string rpcid_of(std::string_view text) {
    constexpr std::string_view kKey = "\"rpcid\":\"";
    const std::size_t at = text.find(kKey);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + kKey.size());
    return std::string(rest.substr(0, rest.find('"')));
}

bool is_media(ByteView datagram) { return rtp::is_rtp(datagram); }

}  // namespace

World::World(const Plan& plan, Sabotage sabotage, bool print)
    : plan_(plan), sabotage_(sabotage), rng_(plan.seed ^ 0x5eed'5eed'5eed'5eed), trace_(print) {
    std::uint32_t source_id = 0;
    for (const Plan::Member& member : plan_.members) {
        Seat seat;
        seat.plan = member;
        seat.up = std::make_unique<Link>(member.up, rng_.fork());
        seat.down = std::make_unique<Link>(member.down, rng_.fork());
        auto dtls = dtls::create_fake_factory(rng_.next_u64());
        WebClient::Config config;
        config.user = member.user;
        config.room = member.room;
        config.token = token_of(member, seats_.empty());
        config.tcp = member.tcp;
        config.clock = NodeClock(std::chrono::seconds(100 + rng_.below(10'000)), member.drift_ppm);
        config.starts_near_wrap =
            std::none_of(plan_.incidents.begin(), plan_.incidents.end(), [](Incident i) {
                return i == Incident::kBlackout || i == Incident::kLongBlackout;
            });
        config.fingerprint = dtls->local_fingerprint().to_string();
        const auto add = [&](const char* localid, bool video, bool simulcast) {
            WebClient::Source source;
            source.localid = localid;
            source.video = video;
            source.simulcast = simulcast;
            source.id = ++source_id;
            owners_[source.id] = {member.user, member.room, config.clock, false};
            config.sources.push_back(std::move(source));
        };
        if (member.audio) add("mic", false, false);
        if (member.video) add("camera", true, member.simulcast);
        Network& network = *this;
        seat.client = std::make_unique<WebClient>(
            std::move(config), std::move(dtls), rng_.fork(), network, checker_);
        seat.client->set_strict(plan_.is_clean);
        seats_.push_back(std::move(seat));
    }
    incidents_end_ = Instant(plan_.heals_at);
    add_phones(source_id);
    start_server();
    for (std::size_t i = 0; i < seats_.size(); ++i) {
        queue_.at(now_ + seats_[i].plan.joins_at, [this, i] { tick(i); });
    }
    queue_.at(now_ + 1s, [this] { plan_incident(); });
    queue_.at(now_ + plan_.heals_at, [this] { heal(); });
}

void World::start_server() {
    ++generation_;
    Server::Config config;
    config.seed = rng_.next_u64();
    config.workers = plan_.workers;
    config.clock = NodeClock(std::chrono::seconds(1'000 + generation_), plan_.server_drift_ppm);
    config.wall_start = kWallStart;
    ServerHost& host = *this;
    server_ = std::make_unique<Server>(config, host, checker_, now_);
    if (sabotage_ == Sabotage::kStuckDeadline) server_->sabotage_deadlines();
    sabotage_streams();
}

void World::stop_server(bool politely) {
    if (politely) server_->stop(now_);
    server_.reset();
    ++generation_;
    proven_.clear();
    for (auto& [id, socket] : sockets_) {
        if (!socket.server_knows) continue;
        socket.server_knows = false;
        if (socket.is_cut) continue;
        const Instant at = seats_[socket.client].down->transmit_stream(now_);
        queue_.at(at, [this, socket_id = id, client = socket.client] {
            seats_[client].client->handle_close(now_, socket_id, 0);
        });
    }
    cut_phones();
}

// ---- Time

void World::run_until(Instant end) {
    for (;;) {
        const auto next = queue_.next();
        if (!next || *next > end) break;
        auto [when, action] = queue_.pop();
        now_ = when;
        checker_.set_time(now_);
        action();
    }
    now_ = end;
    checker_.set_time(now_);
}

void World::tick(std::size_t seat) {
    if (seats_[seat].has_left) return;
    seats_[seat].client->tick(now_);
    queue_.at(now_ + kTick, [this, seat] { tick(seat); });
}

void World::wake_at(Instant at) {
    queue_.at(at, [this, generation = generation_] {
        if (generation == generation_ && server_) server_->wake(now_);
    });
}

// ---- Sockets

std::size_t World::seat_of(const WebClient& client) const {
    for (std::size_t i = 0; i < seats_.size(); ++i) {
        if (seats_[i].client.get() == &client) return i;
    }
    return 0;
}

std::uint64_t World::open_socket(WebClient& client) {
    const std::uint64_t id = ++last_socket_;
    const std::size_t seat = seat_of(client);
    sockets_[id].client = seat;
    queue_.at(seats_[seat].up->transmit_stream(now_), [this, id, seat] {
        Socket& socket = sockets_[id];
        const bool refused = !server_;
        if (!refused) {
            socket.generation = generation_;
            socket.server_knows = true;
        }
        // The client's side first: nothing that the server says may overtake the opening.
        queue_.at(seats_[seat].down->transmit_stream(now_), [this, id, seat, refused] {
            if (refused) {
                seats_[seat].client->handle_close(now_, id, 0);
            } else {
                seats_[seat].client->handle_open(now_, id);
            }
        });
        if (!refused) server_->handle_open(now_, signalling::SessionId(id));
    });
    return id;
}

void World::send_text(std::uint64_t id, std::string text) {
    const Socket& socket = sockets_[id];
    queue_.at(seats_[socket.client].up->transmit_stream(now_), [this, id, text = std::move(text)] {
        const Socket& at = sockets_[id];
        if (at.is_cut || !at.server_knows || !server_) return;
        trace_.add(now_, "say " + std::to_string(id), as_bytes_view(text));
        asked_ = rpcid_of(text);
        answered_ = 0;
        server_->handle_text(now_, signalling::SessionId(id), text);
        // Answers come at once, exactly one for each request, unless the session was closed
        // instead. (A process that is about to end leaves a join to the next one.)
        const bool joins_too_late = text.starts_with("auth=") && server_->hub().is_draining();
        if (!asked_.empty() && answered_ == 0 && sockets_[id].server_knows && !joins_too_late) {
            checker_.fail("a request was not answered");
        }
        if (answered_ > 1) checker_.fail("a request was answered twice");
        asked_.clear();
    });
}

void World::close_socket(std::uint64_t id) {
    Socket& socket = sockets_[id];
    if (socket.is_cut) return;
    queue_.at(seats_[socket.client].up->transmit_stream(now_), [this, id] {
        Socket& at = sockets_[id];
        if (at.is_cut || !at.server_knows || !server_) return;
        at.server_knows = false;
        server_->handle_closed(now_, signalling::SessionId(id));
    });
}

void World::send_text(signalling::SessionId session, std::string text) {
    if (PhoneSeat* phone = seat_of_session(session)) {
        return tell_phone(*phone, session.value, std::move(text));
    }
    Socket& socket = sockets_[session.value];
    checker_.expect(socket.server_knows, "a text for a session that is closed");
    const std::string_view name = std::string_view(text).substr(0, text.find('='));
    const bool is_answer = name.ends_with("-res") && name != "auth-res";
    if (name.ends_with("-res") && !(is_answer && strikes(Sabotage::kLoseAnswer, 3))) {
        const std::string rpcid = rpcid_of(text);
        if (asked_.empty() || rpcid != asked_) checker_.fail("an answer to nothing");
        ++answered_;
    }
    const bool is_event = name == "on-player-in" || name == "on-add-tracks";
    if (is_event && strikes(Sabotage::kLoseRoomEvent, 2)) return;
    const bool mutes = name == "mute-tracks" && text.find("\"muted\":true") != std::string::npos;
    if (sabotage_ == Sabotage::kLoseMute && mutes) return;
    const bool twice = (is_answer && strikes(Sabotage::kRepeatAnswer, 3)) ||
                       (is_event && strikes(Sabotage::kRepeatRoomEvent, 2));
    if (socket.is_cut) {
        ++socket.undelivered;
        queue_.at(now_, [this, session, generation = generation_, pending = socket.undelivered] {
            if (generation == generation_ && server_)
                server_->handle_backlog(now_, session, pending);
        });
        return;
    }
    for (int i = 0; i < (twice ? 2 : 1); ++i) {
        queue_.at(seats_[socket.client].down->transmit_stream(now_),
                  [this, id = session.value, text] {
                      const Socket& at = sockets_[id];
                      if (at.is_cut) return;
                      trace_.add(now_, "hear " + std::to_string(id), as_bytes_view(text));
                      seats_[at.client].client->handle_text(now_, id, text);
                  });
    }
}

void World::close_session(signalling::SessionId session, std::uint16_t code) {
    if (PhoneSeat* phone = seat_of_session(session)) return close_phone(*phone, session.value);
    Socket& socket = sockets_[session.value];
    checker_.expect(socket.server_knows, "a session was closed twice");
    socket.server_knows = false;
    if (socket.is_cut) return;
    queue_.at(seats_[socket.client].down->transmit_stream(now_), [this, id = session.value, code] {
        const Socket& at = sockets_[id];
        if (at.is_cut) return;
        seats_[at.client].client->handle_close(now_, id, code);
    });
    queue_.at(now_ + 1ms, [this, session, generation = generation_] {
        if (generation == generation_ && server_) server_->handle_closed(now_, session);
    });
}

void World::cut(std::uint64_t id, bool tell) {
    const auto at = sockets_.find(id);
    if (at == sockets_.end() || at->second.is_cut) return;
    at->second.is_cut = true;
    if (!tell) return;
    queue_.at(now_ + 5ms, [this, id] {
        Socket& socket = sockets_[id];
        seats_[socket.client].client->handle_close(now_, id, 0);
        if (!socket.server_knows || !server_) return;
        socket.server_knows = false;
        server_->handle_closed(now_, signalling::SessionId(id));
    });
}

// ---- Datagrams

Path World::fresh_path(const WebClient& client, bool tcp) {
    const std::size_t seat = seat_of(client);
    Path path;
    path.remote = {IpAddress::v4(0x0a000001 + static_cast<std::uint32_t>(seat)), ++last_port_};
    if (tcp) path.connection = ++last_connection_;
    owner_of_path_[path] = seat;
    return path;
}

Ssrc World::fresh_ssrc(std::uint32_t source) {
    const Ssrc ssrc(++last_ssrc_);
    source_of_ssrc_[ssrc] = source;
    return ssrc;
}

void World::count_lost(ByteView datagram) {
    if (!is_media(datagram)) return;
    const auto source = source_of_ssrc_.find(Ssrc(load_u32(datagram.data() + 8)));
    if (source != source_of_ssrc_.end()) ++lost_[source->second];
}

void World::send_datagram(const WebClient& client, const MediaPeer& peer, Bytes datagram) {
    Seat& seat = seats_[seat_of(client)];
    const Path path = peer.path();
    serial_of_path_[path] = peer.serial();
    Link::Arrivals arrivals;
    if (path.is_tcp()) {
        arrivals.push_back(seat.up->transmit_stream(now_));
    } else {
        arrivals = seat.up->transmit(now_, datagram.size());
    }
    if (arrivals.empty()) count_lost(datagram);
    for (const Instant at : arrivals) {
        queue_.at(at, [this, generation = generation_, port = peer.server_port(), path, datagram] {
            deliver_up(generation, port, path, datagram);
        });
    }
}

void World::deliver_up(std::uint64_t generation,
                       std::uint16_t port,
                       const Path& from,
                       const Bytes& datagram) {
    // A TCP connection does not outlive the process; a datagram finds whoever listens there now.
    if (!server_ || (from.is_tcp() && generation != generation_)) return count_lost(datagram);
    trace_.add(now_, "up", datagram);
    if (ice::is_stun(datagram)) {
        proven_.insert(from);
        ++questions_[from];
    }
    server_->handle_datagram(now_, port - Server::kFirstPort, from, datagram);
}

void World::refuse_datagram(const Path&, ByteView datagram) { count_lost(datagram); }

void World::send_datagram(std::size_t worker, const Path& to, ByteView datagram) {
    if (sabotage_ != Sabotage::kNone && sabotage_datagram(worker, to, datagram)) return;
    check_sent(to, datagram);
    const auto owner = owner_of_path_.find(to);
    if (owner == owner_of_path_.end()) return;
    Seat& seat = seats_[owner->second];
    if (is_media(datagram) && datagram.size() > 150) {
        if (strikes(Sabotage::kLosePacket, 50)) return;
        if (sabotage_ == Sabotage::kStarve && healed_ && owner->second == 0) return;
    }
    Link::Arrivals arrivals;
    if (to.is_tcp()) {
        arrivals.push_back(seat.down->transmit_stream(now_));
    } else {
        arrivals = seat.down->transmit(now_, datagram.size());
    }
    for (const Instant at : arrivals) {
        queue_.at(at, [this, client = owner->second, to, copy = to_bytes(datagram)] {
            deliver_down(client, to, copy);
        });
    }
}

void World::deliver_down(std::size_t seat, const Path& to, const Bytes& datagram) {
    trace_.add(now_, "down", datagram);
    seats_[seat].client->handle_datagram(now_, to, datagram);
}

/// At the moment of sending, whatever the network makes of it.
void World::check_sent(const Path& to, ByteView datagram) {
    if (datagram.size() > LinkConfig{}.mtu) checker_.fail("a datagram is larger than the MTU");
    if (ice::is_stun(datagram)) {
        if (++answers_[to] > questions_[to]) checker_.fail("a STUN answer without a question");
        return;
    }
    if (!proven_.contains(to)) {
        checker_.fail("something was sent to an address that nobody has proven");
        return;
    }
    const std::uint32_t serial = serial_of_path_[to];
    if (is_media(datagram)) {
        check_sent_rtp(serial, datagram);
    } else if (rtp::is_rtcp(datagram) && datagram.size() >= 12) {
        // AEAD_AES_128_GCM puts the SRTCP index last (RFC 7714 section 9.2).
        const std::uint32_t ssrc = load_u32(datagram.data() + 4);
        const std::uint32_t index = load_u32(datagram.data() + datagram.size() - 4) & 0x7fff'ffff;
        const auto [at, is_new] = rtcp_index_.emplace(std::pair(serial, ssrc), index);
        if (!is_new && index <= at->second) checker_.fail("an SRTCP index was used twice");
        at->second = index;
    }
}

void World::check_sent_rtp(std::uint32_t serial, ByteView datagram) {
    SentStream& stream = sent_[serial][Ssrc(load_u32(datagram.data() + 8))];
    const auto index = stream.unwrapper.unwrap(load_u16(datagram.data() + 2));
    if (!index) return;
    if (!stream.recent.insert(*index).second) checker_.fail("an SRTP index was used twice");
    if (stream.recent.size() > kRecentIndexes) stream.recent.erase(stream.recent.begin());
    if (!stream.first || *index < *stream.first) stream.first = *index;
    stream.highest = std::max(stream.highest, *index);
    ++stream.count;
}

// ---- What happens

void World::plan_incident() {
    if (now_ >= incidents_end_) return;
    if (!plan_.incidents.empty()) {
        const std::size_t seat = rng_.below(seats_.size());
        happen(plan_.incidents[rng_.below(plan_.incidents.size())], seat);
    }
    queue_.at(now_ + std::chrono::milliseconds(100 + rng_.below(700)), [this] { plan_incident(); });
}

void World::happen(Incident incident, std::size_t index) {
    Seat& seat = seats_[index];
    WebClient& client = *seat.client;
    trace_.add(now_, to_string(incident), as_bytes_view(seat.plan.user));
    switch (incident) {
        case Incident::kBlackout:
        case Incident::kLongBlackout: {
            const bool is_long =
                incident == Incident::kLongBlackout && std::exchange(consent_may_be_lost_, false);
            const Instant until =
                now_ + (is_long ? Duration(34s)
                                : Duration(std::chrono::milliseconds(100 + rng_.below(8'000))));
            seat.up->black_out(until);
            if (is_long || rng_.chance(0.7)) seat.down->black_out(until);
            // Sockets are held up as long; only then is the network in order.
            plan_.heals_at = std::max(plan_.heals_at, until.time_since_epoch());
            break;
        }
        case Incident::kAddressChange:
            client.change_address();
            break;
        case Incident::kSocketReset:
        case Incident::kSocketHalfOpen:
            cut(client.socket(), incident == Incident::kSocketReset);
            break;
        case Incident::kDrain:
        case Incident::kKill: {
            if (!server_ || !server_may_stop_) break;
            server_may_stop_ = false;
            const bool politely = incident == Incident::kDrain;
            if (politely) server_->begin_drain(now_);
            const Instant stops = now_ + (politely ? 500ms : 0ms);
            queue_.at(stops, [this, politely] { stop_server(politely); });
            queue_.at(stops + std::chrono::milliseconds(200 + rng_.below(2'000)),
                      [this] { start_server(); });
            // The new process must be there before the world may heal.
            plan_.heals_at = std::max(plan_.heals_at, (stops + 3s).time_since_epoch());
            break;
        }
        case Incident::kClockLeap:
            if (server_) server_->leap_clock(std::chrono::milliseconds(rng_.below(3'000)));
            break;
        case Incident::kWallLeap:
            if (server_) server_->leap_wall(std::chrono::seconds(rng_.below(7'200)));
            break;
        case Incident::kGarbage:
            send_garbage();
            break;
        case Incident::kLeave:
            client.leave(now_, true);
            break;
        case Incident::kToggleSource:
            client.toggle_source();
            break;
        case Incident::kToggleSubscription:
            client.toggle_subscription();
            break;
        case Incident::kSwitchProfile:
            client.switch_profile();
            break;
        case Incident::kMute:
            client.mute();
            break;
        case Incident::kMessage:
            client.send_message();
            break;
        case Incident::kRestartIce:
            client.restart_ice();
            break;
        case Incident::kKick: {
            const Seat& victim = seats_[rng_.below(seats_.size())];
            if (victim.plan.room == seats_[0].plan.room && &victim != &seats_[0]) {
                seats_[0].client->kick(victim.plan.user);
            }
            break;
        }
    }
}

/// From addresses that nobody has proven, and from those of members.
void World::send_garbage() {
    if (!server_) return;
    for (int i = 0; i < 20; ++i) {
        Bytes bytes(rng_.below(300));
        for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next_u32());
        if (bytes.size() > 20 && rng_.chance(0.3)) {
            store_u16(bytes.data(), 1);
            store_u16(bytes.data() + 2,
                      static_cast<std::uint16_t>((bytes.size() - 20) & ~std::size_t{3}));
            store_u32(bytes.data() + 4, ice::kMagicCookie);
        } else if (bytes.size() > 12 && rng_.chance(0.5)) {
            bytes[0] = static_cast<std::uint8_t>(rng_.chance(0.5) ? 0x80 : 20 + rng_.below(44));
        }
        // An SSRC of a member's source would count as its loss.
        if (rtp::is_rtp(bytes)) store_u32(bytes.data() + 8, 7);
        Path from{.remote = {IpAddress::v4(0xc6336401),
                             static_cast<std::uint16_t>(1 + rng_.below(60'000))}};
        if (!proven_.empty() && rng_.chance(0.5)) {
            from = *std::next(proven_.begin(),
                              static_cast<std::ptrdiff_t>(rng_.below(proven_.size())));
        }
        // Close-notify of the DTLS double is not authenticated; the real one would be ignored.
        if (!bytes.empty() && bytes[0] == 21) bytes[0] = 22;
        server_->handle_datagram(now_, rng_.below(plan_.workers), from, bytes);
    }
}

void World::heal() {
    if (now_ < Instant(plan_.heals_at) || (!server_ && !healed_)) {
        queue_.at(std::max(Instant(plan_.heals_at), now_ + 100ms), [this] { heal(); });
        return;
    }
    healed_ = true;
    for (const Seat& seat : seats_) {
        seat.up->heal();
        seat.down->heal();
    }
    heal_phones();
}

// ---- What must hold

std::string World::missing_media(const Seat& seat) const {
    const WebClient& client = *seat.client;
    if (client.state() != WebClient::State::kMember) return "is not in the room";
    if (sockets_.at(client.socket()).is_cut) return "does not know that its socket is dead";
    if (!client.is_quiet()) return "waits for an answer";
    const MediaPeer* sub = client.subscriber();
    for (const Seat& other : seats_) {
        if (&other == &seat || other.plan.room != seat.plan.room) continue;
        for (const WebClient::Source& source : other.client->config().sources) {
            if (!source.wanted) continue;
            const std::string name = other.plan.user + "'s " + source.localid;
            if (source.state != WebClient::Source::State::kUp) return name + " is not published";
            if (!client.belief().tracks.contains(source.trackid)) return "has not heard of " + name;
            if (client.has_declined(source.trackid)) continue;
            const auto subscribed = client.subscribed().find(source.trackid);
            if (subscribed == client.subscribed().end() || sub == nullptr) {
                return "is not subscribed to " + name;
            }
            const auto track = sub->incoming().find(subscribed->second);
            if (track == sub->incoming().end() || !track->second.decoded)
                return "never decoded " + name;
            if (now_ - track->second.decoded_at > 1s) return "does not decode " + name;
        }
    }
    return missing_phones(seat);
}

/// The room as the server knows it, against what each client believes.
std::string World::missing_truth() const {
    const json::value state = json::parse(server_->hub().dump_state());
    std::map<std::string, Belief> truth;
    for (const json::value& value : list_of(state.as_object(), "rooms")) {
        const json::object& room = value.as_object();
        Belief& belief = truth[text_of(room, "roomName")];
        for (const json::value& member : list_of(room, "members")) {
            belief.players.insert(text_of(member.as_object(), "userId"));
        }
        for (const json::value& track : list_of(room, "tracks")) {
            const json::object& t = track.as_object();
            if (!t.at("announced").as_bool()) continue;
            belief.tracks[text_of(t, "trackid")] = {text_of(t, "playerid"),
                                                    number_of(t, "versionid"),
                                                    t.at("muted").as_bool(),
                                                    text_of(t, "kind") == "audio"};
        }
    }
    for (const Seat& seat : seats_) {
        Belief expected = truth[seat.plan.room];
        const Belief& believed = seat.client->belief();
        expected.players.erase(seat.plan.user);
        std::erase_if(expected.tracks,
                      [&](const auto& t) { return t.second.owner == seat.plan.user; });
        if (believed.players != expected.players)
            return seat.plan.user + " believes in other players";
        if (believed.tracks != expected.tracks) return seat.plan.user + " believes in other tracks";
    }
    for (const PhoneSeat& seat : phones_) {
        Belief expected = truth[seat.plan.room];
        expected.players.erase(seat.plan.user);
        std::erase_if(expected.tracks,
                      [&](const auto& t) { return t.second.owner == seat.plan.user; });
        if (seat.phone->belief().players != expected.players ||
            seat.phone->belief().tracks != expected.tracks) {
            return seat.plan.user + " believes in another room";
        }
    }
    const signalling::HubStats stats = server_->hub().stats();
    const sfu::MediaCounters media = server_->counters();
    if (media.peers != stats.peers) return "workers and control differ in connections";
    if (media.tracks != stats.tracks) return "workers and control differ in tracks";
    if (media.subscriptions != stats.subscriptions)
        return "workers and control differ in subscriptions";
    const gateway::GatewayCounters streams = server_->streams().counters();
    if (streams.publishers != stats.publishing_streams || streams.players != stats.playing_streams)
        return "workers and control differ in streams";
    if (stats.peers > 2 * seats_.size()) return "too many connections";
    return {};
}

std::string World::what_is_missing() const {
    for (const Seat& seat : seats_) {
        if (std::string missing = missing_media(seat); !missing.empty())
            return seat.plan.user + " " + missing;
    }
    for (const PhoneSeat& seat : phones_) {
        if (std::string missing = missing_of(seat); !missing.empty())
            return seat.plan.user + " " + missing;
    }
    return missing_truth();
}

/// Content, gaps and lip-sync of every stream, at the end.
void World::check_streams() {
    for (const Seat& seat : seats_) {
        const MediaPeer* sub = seat.client->subscriber();
        if (sub == nullptr) continue;
        std::map<std::string, std::int64_t> offset_of_owner;
        for (const auto& [ssrc, track] : sub->incoming()) {
            if (track.stale || !track.source) continue;
            const Owner& owner = owners_.at(*track.source);
            if (owner.room != seat.plan.room) checker_.fail("media crossed from another room");
            if (owner.user != track.owner) checker_.fail("a stream carries another member's media");
            const auto& streams = sent_[sub->serial()];
            if (const auto at = streams.find(ssrc); at != streams.end() && at->second.first) {
                const SentStream& sent = at->second;
                const std::uint64_t gaps = sent.highest - *sent.first + 1 - sent.count;
                if (gaps > lost_[*track.source]) {
                    checker_.fail("a gap that nothing explains: " + std::to_string(gaps) +
                                  " numbers of SSRC " + std::to_string(ssrc.value) + ", " +
                                  std::to_string(lost_[*track.source]) + " lost");
                }
            }
            if (!track.sync_offset_us) continue;
            const auto [at, is_new] = offset_of_owner.emplace(track.owner, *track.sync_offset_us);
            if (!is_new && std::abs(at->second - *track.sync_offset_us) > to_us(kLipSync)) {
                checker_.fail("audio and video drift apart");
            }
        }
    }
}

/// Without faults nothing is lost, repaired, refused or asked for twice.
void World::check_clean() {
    for (const Seat& seat : seats_) {
        const MediaPeer* sub = seat.client->subscriber();
        if (sub == nullptr) continue;
        for (const auto& [ssrc, track] : sub->incoming()) {
            checker_.expect(track.gaps == 0 && track.missing.empty(),
                            "a packet was lost without a fault");
            if (track.source && owners_.at(*track.source).suffers) continue;
            checker_.expect(track.skipped_frames == 0, "a frame was lost without a fault");
        }
    }
    const sfu::MediaCounters counters = server_->counters();
    checker_.expect(counters.nack_in == 0 && counters.nack_out == 0,
                    "a packet was lost without a fault");
    checker_.expect(counters.stun_refused == 0, "a check was refused without a fault");
    checker_.expect(counters.unknown_ssrc == 0 && counters.unknown_address == 0 &&
                        counters.malformed == 0 && counters.srtp_refused == 0,
                    "a datagram was refused without a fault");
}

void World::check_empty() {
    const signalling::HubStats stats = server_->hub().stats();
    const sfu::MediaCounters media = server_->counters();
    checker_.expect(stats.sessions == 0 && stats.members == 0,
                    "sessions stay when everybody has left");
    checker_.expect(stats.rooms == 0 && stats.tracks == 0, "rooms stay when everybody has left");
    checker_.expect(
        stats.peers == 0 && media.peers == 0 && media.tracks == 0 && media.subscriptions == 0,
        "connections stay when everybody has left");
    checker_.expect(server_->packets_in_use() == 0, "packets stay when everybody has left");
}

Outcome World::run() {
    Outcome outcome;
    const Instant clean_end(kCleanFor);
    if (plan_.is_clean) {
        run_until(clean_end);
        healed_ = true;
    }
    while (!healed_ && checker_.failures().empty()) run_until(now_ + 100ms);
    const Instant healed_at = now_;
    const Instant deadline = healed_at + plan_.recovers_within;
    std::string missing = "?";
    while (checker_.failures().empty() && !(missing = what_is_missing()).empty() &&
           now_ < deadline) {
        run_until(now_ + 200ms);
    }
    outcome.recovered_after = now_ - healed_at;
    if (checker_.failures().empty() && missing.empty()) {
        run_until(now_ + kStaysWell);
        missing = what_is_missing();
        check_streams();
        check_players();
        if (plan_.is_clean) {
            check_clean();
            check_untouched();
        }
    }
    if (checker_.failures().empty() && !missing.empty()) {
        checker_.fail("not well " + std::to_string(to_ms(now_ - healed_at)) +
                      " ms after healing: " + missing);
    }
    if (checker_.failures().empty()) {
        for (Seat& seat : seats_) {
            seat.client->leave(now_, false);
            seat.has_left = true;
        }
        for (PhoneSeat& seat : phones_) seat.phone->leave();
        run_until(now_ + kEmptyAfter);
        check_empty();
        check_no_streams();
    }
    outcome.failures = checker_.failures();
    outcome.trace_hash = trace_.hash();
    outcome.events = trace_.events();
    return outcome;
}

Outcome run_seed(std::uint64_t seed, Sabotage sabotage, bool print) {
    return World(Plan::from_seed(seed), sabotage, print).run();
}

}  // namespace parley::sim

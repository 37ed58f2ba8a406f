// Mini programs in a world: their RTMP connections, what happens to these, and what must hold.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "auth/room_token.h"
#include "sim/world.h"

namespace parley::sim {
namespace {

constexpr Duration kPhoneTick = 10ms;
/// A player is at the live edge: what it shows is no older.
constexpr Duration kMaxAge = 2s;
/// Nobody beside a phone in trouble waits longer for the next picture.
constexpr Duration kMaxPause = 500ms;
constexpr std::int64_t kSlowLink = 60'000;
constexpr std::size_t kReadAtOnce = 64 * 1'024;

}  // namespace

void World::add_phones(std::uint32_t& last_source) {
    Rng rng(plan_.seed ^ 0xf0f0'f0f0'f0f0'f0f0);
    for (const Plan::Phone& planned : plan_.phones) {
        Phone::Config config;
        config.user = planned.user;
        config.room = planned.room;
        config.token =
            auth::mint_room_token({std::string(Server::kAppKey), std::string(Server::kAppSecret)},
                                  {.app_id = "app",
                                   .room_name = planned.room,
                                   .user_id = planned.user,
                                   .expire_at = kWallStart + 48h});
        config.clock = NodeClock(std::chrono::seconds(50 + rng.below(9'000)), planned.drift_ppm);
        if (planned.audio) config.audio_source = ++last_source;
        if (planned.video) config.video_source = ++last_source;
        for (const std::uint32_t source : {config.audio_source, config.video_source}) {
            if (source != 0)
                owners_[source] = {planned.user, planned.room, config.clock, planned.suffers};
        }
        PhoneNetwork& network = *this;
        PhoneSeat seat;
        seat.plan = planned;
        seat.phone = std::make_unique<Phone>(std::move(config), rng.fork(), network, checker_);
        phones_.push_back(std::move(seat));
        queue_.at(now_ + planned.joins_at, [this, i = phones_.size() - 1] { tick_phone(i); });
    }
    if (phones_.empty()) return;
    phone_rng_ = rng.fork();
    queue_.at(now_ + 2s, [this] { plan_phone_incident(); });
}

World::PhoneSeat& World::seat_of(const Phone& phone) {
    return *std::find_if(phones_.begin(), phones_.end(), [&](const PhoneSeat& seat) {
        return seat.phone.get() == &phone;
    });
}

// ---- Signalling

std::uint64_t World::open_session(const Phone& phone) {
    PhoneSeat& seat = seat_of(phone);
    const std::uint64_t id = kPhoneSession | ++last_socket_;
    seat.sessions.insert(id);
    queue_.at(now_ + seat.plan.delay, [this, id, &seat] {
        if (!server_) return seat.phone->handle_close(now_, id);
        seat.known.insert(id);
        server_->handle_open(now_, signalling::SessionId(id));
    });
    return id;
}

void World::say(const Phone& phone, std::uint64_t session, std::string text) {
    PhoneSeat& seat = seat_of(phone);
    queue_.at(now_ + seat.plan.delay, [this, session, &seat, said = std::move(text)] {
        if (!server_ || !seat.known.contains(session)) return;
        trace_.add(now_, "phone says", as_bytes_view(said));
        server_->handle_text(now_, signalling::SessionId(session), said);
    });
}

World::PhoneSeat* World::seat_of_session(signalling::SessionId session) {
    if ((session.value & kPhoneSession) == 0) return nullptr;
    for (PhoneSeat& seat : phones_) {
        if (seat.sessions.contains(session.value)) return &seat;
    }
    return nullptr;
}

void World::tell_phone(PhoneSeat& seat, std::uint64_t session, std::string text) {
    queue_.at(now_ + seat.plan.delay, [this, session, &seat, heard = std::move(text)] {
        trace_.add(now_, "phone hears", as_bytes_view(heard));
        seat.phone->handle_text(now_, session, heard);
    });
}

void World::close_phone(PhoneSeat& seat, std::uint64_t session) {
    checker_.expect(seat.known.erase(session) == 1, "a phone's session was closed twice");
    queue_.at(now_ + seat.plan.delay,
              [this, session, &seat] { seat.phone->handle_close(now_, session); });
    queue_.at(now_ + 1ms, [this, session, generation = generation_] {
        if (generation == generation_ && server_)
            server_->handle_closed(now_, signalling::SessionId(session));
    });
}

/// The process is gone, and with it every connection.
void World::cut_phones() {
    for (PhoneSeat& seat : phones_) {
        for (const std::uint64_t session : std::exchange(seat.known, {})) {
            queue_.at(now_ + seat.plan.delay,
                      [this, session, &seat] { seat.phone->handle_close(now_, session); });
        }
    }
    for (auto& [id, link] : links_) {
        queue_.at(now_ + phones_[link.phone].plan.delay, [this, stream = id, phone = link.phone] {
            phones_[phone].phone->handle_gone(now_, stream);
        });
    }
    links_.clear();
}

// ---- Streams

std::uint64_t World::open_stream(const Phone& phone) {
    const auto index = static_cast<std::size_t>(&seat_of(phone) - phones_.data());
    const Duration delay = phones_[index].plan.delay;
    const std::uint64_t id = ++last_stream_;
    links_.emplace(id, StreamLink{index, Pipe(delay), Pipe(delay), false, false});
    queue_.at(now_ + delay, [this, id] {
        const auto at = links_.find(id);
        if (at == links_.end()) return;
        if (!server_) return lose_stream(id, true);
        at->second.is_open = true;
        server_->open_stream(now_, id);
    });
    return id;
}

void World::close_stream(std::uint64_t id) {
    const auto at = links_.find(id);
    if (at == links_.end()) return;
    const bool is_open = at->second.is_open;
    const Duration delay = phones_[at->second.phone].plan.delay;
    links_.erase(at);
    if (!is_open) return;
    queue_.at(now_ + delay, [this, id, generation = generation_] {
        if (generation == generation_ && server_) server_->cut_stream(now_, id);
    });
}

/// The phone sees its connection end; the server as well, or nothing comes any more.
void World::lose_stream(std::uint64_t id, bool tell) {
    const auto at = links_.find(id);
    if (at == links_.end() || at->second.is_lost) return;
    const std::size_t phone = at->second.phone;
    if (tell) {
        close_stream(id);
    } else {
        at->second.is_lost = true;
    }
    phones_[phone].phone->handle_gone(now_, id);
}

void World::tick_phone(std::size_t index) {
    PhoneSeat& seat = phones_[index];
    if (seat.has_left) return;
    seat.phone->tick(now_);
    std::vector<std::uint64_t> ids;
    for (const auto& [id, link] : links_) {
        if (link.phone == index && link.is_open) ids.push_back(id);
    }
    for (const std::uint64_t id : ids) carry(id);
    queue_.at(now_ + kPhoneTick, [this, index] { tick_phone(index); });
}

void World::carry(std::uint64_t id) {
    if (!server_) return;
    StreamLink& link = links_.at(id);
    Phone& phone = *phones_[link.phone].phone;
    if (!link.is_lost) {
        link.up.push(now_, phone.output(id, link.up.room()));
        while (server_->has_stream(id)) {
            const Bytes bytes = link.up.pop(now_, server_->stream_budget(id));
            if (bytes.empty()) break;
            trace_.add(now_, "stream up", bytes);
            server_->handle_stream(now_, id, bytes);
        }
    }
    link.down.push(now_, server_->take_from_stream(now_, id, link.down.room()));
    if (link.is_lost) {
        // Only the server's own patience ends it.
        if (!server_->has_stream(id)) links_.erase(id);
        return;
    }
    if (phone.is_stalled(now_)) return;
    const Bytes bytes = link.down.pop(now_, kReadAtOnce);
    if (!bytes.empty()) {
        trace_.add(now_, "stream down", bytes);
        phone.input(now_, id, bytes);
    }
    const auto at = links_.find(id);
    if (at == links_.end() || server_->has_stream(id) || !at->second.down.empty()) return;
    links_.erase(at);
    phone.handle_gone(now_, id);
}

// ---- What happens

void World::plan_phone_incident() {
    if (now_ >= incidents_end_ - 500ms) return;
    std::vector<std::size_t> victims;
    for (std::size_t i = 0; i < phones_.size(); ++i) {
        if (phones_[i].plan.suffers) victims.push_back(i);
    }
    if (!victims.empty() && !plan_.phone_incidents.empty()) {
        happen(plan_.phone_incidents[phone_rng_.below(plan_.phone_incidents.size())],
               victims[phone_rng_.below(victims.size())]);
    }
    queue_.at(now_ + std::chrono::milliseconds(300 + phone_rng_.below(900)),
              [this] { plan_phone_incident(); });
}

void World::happen(PhoneIncident incident, std::size_t index) {
    PhoneSeat& seat = phones_[index];
    trace_.add(now_, to_string(incident), as_bytes_view(seat.plan.user));
    std::vector<std::uint64_t> streams = seat.phone->streams();
    switch (incident) {
        case PhoneIncident::kStall:
        case PhoneIncident::kLongStall: {
            const bool is_long = incident == PhoneIncident::kLongStall;
            const Instant until =
                now_ + std::chrono::milliseconds(is_long ? 11'000 : 300 + phone_rng_.below(4'000));
            seat.phone->stall(until);
            plan_.heals_at = std::max(plan_.heals_at, until.time_since_epoch());
            break;
        }
        case PhoneIncident::kSlow:
            for (auto& [id, link] : links_) {
                if (link.phone != index) continue;
                link.up.slow_down(kSlowLink);
                link.down.slow_down(kSlowLink);
            }
            queue_.at(now_ + std::chrono::milliseconds(500 + phone_rng_.below(3'000)),
                      [this, index] { quicken(index); });
            break;
        case PhoneIncident::kCut:
        case PhoneIncident::kVanish:
            for (const std::uint64_t id : streams) {
                if (phone_rng_.chance(0.7)) lose_stream(id, incident == PhoneIncident::kCut);
            }
            break;
        case PhoneIncident::kSessionLoss:
            if (const std::uint64_t session = seat.phone->session(); session != 0) {
                seat.phone->handle_close(now_, session);
                if (seat.known.erase(session) == 1 && server_)
                    server_->handle_closed(now_, signalling::SessionId(session));
            }
            break;
    }
}

void World::quicken(std::size_t index) {
    for (auto& [id, link] : links_) {
        if (link.phone != index) continue;
        link.up.speed_up(now_);
        link.down.speed_up(now_);
    }
}

void World::heal_phones() {
    for (std::size_t i = 0; i < phones_.size(); ++i) quicken(i);
}

// ---- What must hold

std::string World::missing_of(const PhoneSeat& seat) const {
    const Phone& phone = *seat.phone;
    const bool has_media = phone.config().audio_source != 0 || phone.config().video_source != 0;
    if (!phone.is_member()) return "is not in the room";
    if (has_media && !phone.is_pushing()) return "does not push";
    for (const auto& [owner, playing] : phone.playing()) {
        if (playing == nullptr || !playing->started) return "does not play " + owner;
        for (const std::string& id : playing->tracks) {
            const auto track = phone.belief().tracks.find(id);
            if (track == phone.belief().tracks.end()) return "plays what is not there";
            const bool audio = track->second.audio;
            const auto& last = audio ? playing->sound : playing->picture;
            if (!last || now_ - (audio ? playing->sound_at : playing->picture_at) > 1s)
                return std::string(audio ? "does not hear " : "does not see ") + owner;
            const Owner& source = owners_.at(last->source);
            const Duration age =
                now_ - source.clock.world(Instant(std::chrono::milliseconds(last->captured_ms)));
            if (age > kMaxAge) return "is " + std::to_string(to_ms(age)) + " ms behind " + owner;
        }
    }
    return {};
}

/// What a web member lacks of the phones in its room.
std::string World::missing_phones(const Seat& seat) const {
    const WebClient& client = *seat.client;
    for (const PhoneSeat& other : phones_) {
        if (other.plan.room != seat.plan.room) continue;
        for (const bool audio : {true, false}) {
            if (!(audio ? other.plan.audio : other.plan.video)) continue;
            const std::string name = other.plan.user + (audio ? "'s sound" : "'s picture");
            const auto& tracks = client.belief().tracks;
            const auto track = std::find_if(tracks.begin(), tracks.end(), [&](const auto& entry) {
                return entry.second.owner == other.plan.user && entry.second.audio == audio;
            });
            if (track == tracks.end()) return "has not heard of " + name;
            if (client.has_declined(track->first)) continue;
            const auto subscribed = client.subscribed().find(track->first);
            if (subscribed == client.subscribed().end() || client.subscriber() == nullptr)
                return "is not subscribed to " + name;
            const auto& incoming = client.subscriber()->incoming();
            const auto stream = incoming.find(subscribed->second);
            if (stream == incoming.end() || !stream->second.decoded) return "never decoded " + name;
            // It may wait for the encoder's next key frame: nobody can ask for one.
            if (now_ - stream->second.decoded_at > 1s) return "does not decode " + name;
        }
    }
    return {};
}

void World::check_players() {
    for (const PhoneSeat& seat : phones_) {
        for (const auto& [owner, playing] : seat.phone->playing()) {
            if (playing == nullptr) continue;
            for (const auto& last : {playing->picture, playing->sound}) {
                if (last && owners_.at(last->source).user != owner)
                    checker_.fail("a player got another member's media");
            }
        }
    }
}

/// In a world where only some phones are in trouble, nobody else notices.
void World::check_untouched() {
    for (const PhoneSeat& seat : phones_) {
        if (seat.plan.suffers) continue;
        for (const auto& [owner, playing] : seat.phone->playing()) {
            if (playing == nullptr || !playing->picture) continue;
            if (owners_.at(playing->picture->source).suffers) continue;
            checker_.expect(playing->longest_pause <= kMaxPause,
                            "a player beside a stalled one was held up");
        }
    }
    for (const Seat& seat : seats_) {
        if (seat.client->subscriber() == nullptr) continue;
        for (const auto& [ssrc, track] : seat.client->subscriber()->incoming()) {
            if (!track.source || owners_.at(*track.source).suffers) continue;
            checker_.expect(track.longest_pause <= kMaxPause,
                            "a web member beside a stalled player was held up");
        }
    }
}

void World::check_no_streams() {
    const signalling::HubStats stats = server_->hub().stats();
    checker_.expect(stats.publishing_streams == 0 && stats.playing_streams == 0,
                    "streams stay when everybody has left");
    const gateway::GatewayCounters media = server_->streams().counters();
    checker_.expect(media.publishers == 0 && media.players == 0,
                    "players stay when everybody has left");
    checker_.expect(server_->streams().open_codecs() == 0, "codecs stay when everybody has left");
}

// ---- Breaches

void World::handle_play(std::vector<gateway::PlayTrack>& tracks) {
    if (sabotage_ != Sabotage::kForeignPlay) return;
    for (gateway::PlayTrack& track : tracks) {
        for (const gateway::PlayTrack& other : allowed_) {
            if (other.publisher == track.publisher || other.kind != track.kind) continue;
            if (strikes(Sabotage::kForeignPlay, 1)) track = other;
        }
        allowed_.push_back(track);
    }
}

/// The first may be a push, which a new one replaces.
bool World::handle_stream_closed() { return !strikes(Sabotage::kLeakStream, 2); }

void World::sabotage_streams() {
    server_->sabotage_streams({.one_stalls_all = sabotage_ == Sabotage::kStallAll,
                               .repeats_played = sabotage_ == Sabotage::kRepeatPlayed,
                               .loses_played = sabotage_ == Sabotage::kLosePlayed,
                               .loses_pushed = sabotage_ == Sabotage::kLosePushed});
}

}  // namespace parley::sim

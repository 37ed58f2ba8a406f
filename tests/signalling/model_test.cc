/// Random commands from many clients against simple models of what each of them must know.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "world.h"

namespace parley::signalling {
namespace {

using std::string;

/// What one web client believes, from nothing but the messages it got. Any gap or repeat in the
/// room's events makes it differ from what the Hub says to a newcomer.
struct Belief {
    struct Track {
        string owner;
        std::int64_t versionid = 0;
        bool muted = false;
        string mid;
        bool operator==(const Track&) const = default;
    };
    std::set<string> players;
    std::map<string, Track> tracks;

    void add_tracks(const json::array& list, bool strict) {
        for (const json::value& value : list) {
            const json::object& track = value.as_object();
            const string id = text_of(track.at("trackid"));
            const Track entry{text_of(track.at("playerid")),
                              track.at("versionid").to_number<std::int64_t>(),
                              track.at("muted").as_bool(),
                              text_of(track.at("mid"))};
            if (strict) {
                EXPECT_FALSE(tracks.contains(id)) << "track added twice";
                EXPECT_TRUE(players.contains(entry.owner)) << "track before its owner";
            }
            tracks[id] = entry;
        }
    }
    void start(const json::object& auth_res, const string& self) {
        players.clear();
        tracks.clear();
        for (const json::value& player : auth_res.at("players").as_array()) {
            const string id = text_of(player.at("playerid"));
            EXPECT_TRUE(players.insert(id).second) << "two players of one id";
        }
        EXPECT_EQ(players.erase(self), 1u);
        add_tracks(auth_res.at("tracks").as_array(), true);
    }
    void apply(const Message& message) {
        if (message.name == "on-player-in") {
            EXPECT_TRUE(players.insert(text_of(message.body.at("playerid"))).second)
                << "joined twice";
        } else if (message.name == "on-player-out") {
            const string id = text_of(message.body.at("playerid"));
            EXPECT_EQ(players.erase(id), 1u) << "left without being there";
            for (const auto& [track, entry] : tracks) {
                EXPECT_NE(entry.owner, id) << "left before its tracks were removed";
            }
        } else if (message.name == "on-add-tracks") {
            add_tracks(message.body.at("tracks").as_array(), true);
        } else if (message.name == "on-remove-tracks") {
            std::set<string> owners;
            for (const json::value& track : message.body.at("tracks").as_array()) {
                const auto at = tracks.find(text_of(track.at("trackid")));
                ASSERT_NE(at, tracks.end()) << "removal of an unknown track";
                owners.insert(at->second.owner);
                tracks.erase(at);
            }
            EXPECT_EQ(owners.size(), 1u);
        } else if (message.name == "mute-tracks") {
            for (const json::value& entry : message.body.at("tracks").as_array()) {
                const auto at = tracks.find(text_of(entry.at("trackid")));
                ASSERT_NE(at, tracks.end()) << "mute of an unknown track";
                at->second.muted = entry.at("muted").as_bool();
            }
        } else if (message.name == "on-player-reconnect" ||
                   message.name == "on-player-reconnect-in") {
            EXPECT_TRUE(players.contains(text_of(message.body.at("playerid"))));
        } else if (message.name == "on-messages" || message.name == "on-qos-messages") {
            EXPECT_FALSE(message.body.at("messages").as_array().empty());
        }
    }
};

struct Actor {
    string user;
    string room;
    Client* client = nullptr;  // its socket, if any
    std::uint64_t reconntoken = 0;
    bool may_come_back = false;
    Belief belief;
    std::vector<string> own_tracks;
    Instant away_at{};
    std::int64_t last_msgsn = 0;
};

class Model {
public:
    explicit Model(std::uint64_t seed) : rng_(seed), world_(config(), seed) {
        world_.apps.apps["app1"].max_users = 5;
        for (const char* room : {"r1", "r2"}) {
            for (int i = 0; i < 4; ++i) {
                Actor actor;
                actor.user = "u" + std::to_string(i);
                actor.room = room;
                actors_.push_back(actor);
            }
        }
    }

    void step() {
        Actor& actor = actors_[rng_.below(actors_.size())];
        if (actor.client == nullptr) {
            arrive(actor);
        } else {
            act(actor);
        }
        if (rng_.chance(0.3)) world_.connect_peers();
        if (rng_.chance(0.05)) fail_a_peer();
        if (rng_.chance(0.2)) world_.run_for(std::chrono::milliseconds(rng_.below(4000)));
        settle();
        check();
    }

private:
    static HubConfig config() {
        HubConfig config;
        config.max_requests_per_second = 100'000;
        return config;
    }

    void arrive(Actor& actor) {
        Client& client = world_.connect();
        const TokenOptions options{.room = actor.room, .admin = actor.user == "u0"};
        json::object answer;
        if (actor.reconntoken != 0 && rng_.chance(0.7)) {
            json::object more;
            if (actor.last_msgsn > 0) more["msgsn"] = actor.last_msgsn;
            answer = client.reconnect(actor.user, actor.reconntoken, options, more);
            ASSERT_EQ(code_of(answer) == 0, actor.may_come_back) << json::serialize(answer);
            ASSERT_TRUE(code_of(answer) == 0 || code_of(answer) == 10052);
        } else {
            answer = client.auth(actor.user, options);
            ASSERT_EQ(code_of(answer), 0) << json::serialize(answer);
            actor.own_tracks.clear();
            actor.last_msgsn = 0;
        }
        actor.reconntoken = 0;
        actor.may_come_back = false;
        if (code_of(answer) != 0) return;
        actor.client = &client;
        actor.reconntoken = client.reconntoken;
        actor.belief.start(answer, actor.user);
    }

    void act(Actor& actor) {
        Client& client = *actor.client;
        switch (rng_.below(13)) {
            case 0:
                client.lose_socket();
                depart(actor, true);
                break;
            case 1:
                client.send("disconnect", {});
                depart(actor, false);
                break;
            case 2:
            case 3: {
                std::vector<OfferTrack> tracks;
                if (rng_.chance(0.7)) tracks.push_back(mic("0", "mic", 10));
                if (rng_.chance(0.7)) tracks.push_back(camera("1", "cam", 20));
                if (rng_.chance(0.3)) tracks.push_back(camera("2", "screen", 30));
                const json::object answer = client.request("pubpc", publish_body(tracks, tracks));
                if (code_of(answer) == 0) actor.own_tracks = ids_of(answer);
                break;
            }
            case 4: {
                const OfferTrack extra = mic("7", "extra" + std::to_string(rng_.below(3)), 70);
                const json::object answer =
                    client.request("pub-tracks", publish_body({extra}, {extra}));
                for (const string& id : ids_of(answer)) {
                    if (!id.empty()) actor.own_tracks.push_back(id);
                }
                break;
            }
            case 5:
                client.request("unpub-tracks", {{"tracks", track_refs(some_tracks())}});
                break;
            case 6:
                client.request("subpc", {{"tracks", track_refs(some_tracks())}});
                break;
            case 7:
                client.request("sub-tracks", {{"tracks", track_refs(some_tracks())}});
                break;
            case 8:
                client.request("unsub-tracks", {{"tracks", track_refs(some_tracks())}});
                break;
            case 9: {
                json::array entries;
                for (const string& id : some_tracks()) {
                    entries.push_back(json::object{{"trackid", id}, {"muted", rng_.chance(0.5)}});
                }
                client.send("mute-tracks", {{"tracks", entries}});
                break;
            }
            case 10:
                client.send("send-message",
                            {{"msgid", "m" + std::to_string(++messages_)}, {"text", actor.room}});
                break;
            case 11: {
                const string victim = "u" + std::to_string(rng_.below(4));
                const json::object answer =
                    client.request("control", {{"command", "kickplayer"}, {"playerid", victim}});
                for (Actor& other : actors_) {
                    const bool hit = other.room == actor.room && other.user == victim;
                    if (hit && code_of(answer) == 0) other.may_come_back = false;
                }
                break;
            }
            case 12:
                client.send_raw(rng_.chance(0.1) ? "broken" : "whatever={}");
                break;
        }
    }

    void depart(Actor& actor, bool may_come_back) {
        actor.client = nullptr;
        actor.may_come_back = may_come_back;
        actor.away_at = world_.now;
        if (!may_come_back) actor.reconntoken = 0;
    }

    std::vector<string> some_tracks() {
        std::vector<string> ids;
        for (const Actor& actor : actors_) {
            for (const string& id : actor.own_tracks) {
                if (rng_.chance(0.3)) ids.push_back(id);
            }
        }
        if (rng_.chance(0.2)) ids.push_back("nonsense");
        return ids;
    }

    void fail_a_peer() {
        if (world_.open_peers.empty()) return;
        const auto at =
            std::next(world_.open_peers.begin(),
                      static_cast<std::ptrdiff_t>(rng_.below(world_.open_peers.size())));
        world_.media_event(sfu::PeerDisconnected{PeerId(*at), sfu::DisconnectReason::kIceFailed});
    }

    /// Lets every client read what came.
    void settle() {
        for (Actor& actor : actors_) {
            if (actor.client == nullptr) {
                if (actor.may_come_back && world_.now - actor.away_at >= 30s) {
                    actor.may_come_back = false;
                }
                continue;
            }
            bool ended = false;
            while (!actor.client->inbox.empty()) {
                const Message message = actor.client->inbox.front();
                actor.client->inbox.pop_front();
                if (message.name == "ping") {
                    actor.client->send("pong", {});
                    continue;
                }
                if (message.name == "disconnect") {
                    ended = true;
                    break;
                }
                if (message.name == "on-messages") {
                    for (const json::value& entry : message.body.at("messages").as_array()) {
                        const std::int64_t number = entry.at("msgsn").to_number<std::int64_t>();
                        EXPECT_GT(number, actor.last_msgsn) << "a message came twice";
                        actor.last_msgsn = number;
                        EXPECT_EQ(text_of(entry.at("text")), actor.room) << "other room's message";
                        EXPECT_NE(text_of(entry.at("playerid")), actor.user);
                    }
                }
                actor.belief.apply(message);
            }
            if (ended) {
                depart(actor, false);
            } else if (actor.client->close_code) {
                depart(actor, true);
            }
        }
    }

    void check() {
        const json::value state = json::parse(world_.hub->dump_state());
        std::map<string, Belief> truth;
        std::size_t peers = 0;
        for (const json::value& room : state.at("rooms").as_array()) {
            Belief& belief = truth[text_of(room.at("roomName"))];
            for (const json::value& member : room.at("members").as_array()) {
                ASSERT_TRUE(belief.players.insert(text_of(member.at("userId"))).second);
                peers += member.at("pubpc").is_object() + member.at("subpc").is_object();
            }
            std::set<string> mids;
            for (const json::value& track : room.at("tracks").as_array()) {
                ASSERT_TRUE(mids.insert(text_of(track.at("mid"))).second) << "mid used twice";
                if (track.at("announced").as_bool()) {
                    belief.add_tracks(json::array{track}, false);
                }
            }
        }
        ASSERT_EQ(peers, world_.open_peers.size()) << "a connection leaked";
        for (const Actor& actor : actors_) {
            if (actor.client == nullptr) continue;
            Belief expected = truth[actor.room];
            expected.players.erase(actor.user);
            std::erase_if(expected.tracks,
                          [&](const auto& entry) { return entry.second.owner == actor.user; });
            ASSERT_EQ(actor.belief.players, expected.players) << actor.user;
            ASSERT_TRUE(actor.belief.tracks == expected.tracks)
                << actor.user << " in " << actor.room << " has missed or imagined something";
        }
    }

    Rng rng_;
    World world_;
    std::vector<Actor> actors_;
    std::uint64_t messages_ = 0;
};

TEST(HubModel, EveryMemberKnowsExactlyItsRoomUnderRandomCommands) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Model model(seed);
        for (int step = 0; step < 250; ++step) {
            model.step();
            if (testing::Test::HasFatalFailure() || testing::Test::HasNonfatalFailure()) {
                FAIL() << "seed " << seed << " step " << step;
            }
        }
    }
}

TEST(HubModel, SameSeedGivesTheSameBytes) {
    const auto run = [](std::uint64_t seed) {
        World world(HubConfig{}, seed);
        string trace;
        Rng rng(seed);
        std::vector<Client*> clients;
        for (int i = 0; i < 4; ++i) clients.push_back(&world.join("u" + std::to_string(i)));
        for (int i = 0; i < 40; ++i) {
            Client& client = *clients[rng.below(clients.size())];
            client.publish({mic("0", "l" + std::to_string(rng.below(3)))});
            client.send("send-message", {{"msgid", "m"}, {"text", "x"}});
        }
        for (Client* client : clients) {
            for (const Message& message : client->inbox) {
                trace += message.name + json::serialize(message.body) + "\n";
            }
        }
        return trace;
    };
    EXPECT_EQ(run(5), run(5));
    EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace parley::signalling

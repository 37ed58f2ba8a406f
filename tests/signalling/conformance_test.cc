/// The conformance checklist of the protocol (section 7), for the statements about web clients
/// other than publishing and subscribing (conformance_media_test.cc). Each test is named by its number there.
#include <gtest/gtest.h>

#include <algorithm>

#include "world.h"

namespace parley::signalling {
namespace {

using std::string;

// 7.1

TEST(Conformance, S01_WrongTokenIsRefusedWith10001) {
    World world;
    Client& client = world.connect();
    string token = world.token("ann");
    token[token.size() / 2] = token[token.size() / 2] == 'A' ? 'B' : 'A';
    const json::object answer =
        client.request("auth", {{"token", token}, {"capsdp", chrome_capsdp()}});
    EXPECT_EQ(code_of(answer), 10001);
    EXPECT_EQ(code_of(client.request("auth", {{"token", "rubbish"}})), 10001);
    EXPECT_EQ(code_of(client.request("auth", {{"token", 5}})), 10001);
    EXPECT_EQ(code_of(client.request("auth", {})), 10001);
    EXPECT_EQ(world.hub->stats().members, 0u);
}

TEST(Conformance, S02_ExpiredTokenIsRefusedWith10002) {
    World world;
    EXPECT_EQ(code_of(world.connect().auth("ann", {.expires_in_s = -10})), 10002);
}

TEST(Conformance, S09_SocketThatNeverAuthenticatesIsClosedAndNoSessionIsMade) {
    World world;
    Client& used = world.join("ann");
    Client& idle = world.connect();
    world.run_for(11s);
    EXPECT_TRUE(idle.close_code);
    EXPECT_FALSE(used.close_code);
    EXPECT_EQ(world.hub->stats().members, 1u);
}

TEST(Conformance, S13_RefusalInsideTheAccessTokenIsAnsweredInAuthRes) {
    World world;
    EXPECT_EQ(code_of(world.connect().auth("ann", {.refusal = 10001})), 10001);
    EXPECT_EQ(code_of(world.connect().auth("ann", {.refusal = 10002})), 10002);
}

// 7.2

TEST(Conformance, S16_MessageOf64KiBIsAccepted) {
    World world;
    Client& client = world.join("ann");
    client.send("pong", {{"filler", string(65'536, 'x')}});
    EXPECT_FALSE(client.close_code);
}

TEST(Conformance, S17_FirstPingComesWithTheAnswerAndThenEvery3Seconds) {
    World world;
    Client& client = world.join("ann");
    EXPECT_EQ(client.count("ping"), 1u);
    client.take("ping");
    client.send("pong", {});
    for (int i = 0; i < 5; ++i) {
        client.answers_pings = false;
        world.run_for(4s);
        EXPECT_GE(client.count("ping"), 1u);
        client.forget();
        client.send("pong", {});
    }
}

TEST(Conformance, S18_ClientThatStopsAnsweringIsDroppedAndTheRoomIsTold) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.answers_pings = false;
    world.run_for(9s);
    EXPECT_FALSE(ann.close_code);
    world.run_for(2s);
    EXPECT_EQ(ann.close_code, 1001);
    EXPECT_EQ(text_of(bob.take("on-player-reconnect").at("playerid")), "ann");
    world.run_for(31s);
    EXPECT_EQ(text_of(bob.take("on-player-out").at("playerid")), "ann");
}

TEST(Conformance, S18_ClientThatAnswersStaysHoweverShortTheTimeout) {
    HubConfig config;
    config.pong_timeout = config.ping_interval + 1s;
    World world(config);
    Client& ann = world.join("ann");
    world.run_for(60s);
    EXPECT_FALSE(ann.close_code);
}

TEST(Conformance, S19_PongIsHarmlessAtAnyTime) {
    World world;
    Client& client = world.connect();
    client.send("pong", {});
    EXPECT_EQ(code_of(client.auth("ann")), 0);
    for (int i = 0; i < 5; ++i) client.send("pong", {});
    EXPECT_FALSE(client.close_code);
}

TEST(Conformance, S20_UnknownMessagesAreIgnoredAndUnknownRequestsAnswered) {
    World world;
    Client& client = world.join("ann");
    client.forget();
    client.send("make-coffee", {{"milk", true}});
    EXPECT_TRUE(client.inbox.empty());
    EXPECT_EQ(code_of(client.request("make-coffee", {{"milk", true}})), 10053);
}

TEST(Conformance, S21_MalformedJsonClosesOnlyItsConnection) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.send_raw("mute-tracks={\"tracks\":[");
    EXPECT_EQ(ann.close_code, 1008);
    EXPECT_FALSE(bob.close_code);
    EXPECT_TRUE(bob.has("on-player-reconnect"));
    const Client& third = world.connect();
    world.hub->handle_binary(world.now, third.id(), world.out);
    world.deliver();
    EXPECT_EQ(third.close_code, 1008);
}

TEST(Conformance, S22_SocketWithoutAuthIsClosedAfter10Seconds) {
    World world;
    Client& client = world.connect();
    world.run_for(9900ms);
    EXPECT_FALSE(client.close_code);
    world.run_for(200ms);
    EXPECT_TRUE(client.close_code);
}

TEST(Conformance, S23_NothingButAuthHasAnEffectBeforeAuth) {
    World world;
    Client& ann = world.join("ann");
    ann.publish({mic()});
    Client& stranger = world.connect();
    for (const char* name : {"pubpc", "subpc", "sub-tracks", "control", "set-privileges"}) {
        EXPECT_EQ(code_of(stranger.request(name, {})), 10001) << name;
    }
    stranger.send("send-message", {{"msgid", "1"}, {"text", "hi"}});
    stranger.send("disconnect", {});
    EXPECT_TRUE(stranger.inbox.empty());
    EXPECT_FALSE(ann.has("on-messages"));
    EXPECT_EQ(world.hub->stats().members, 1u);
}

TEST(Conformance, S24_EveryRequestIsAnsweredOnceWithItsRpcid) {
    World world;
    Client& client = world.join("ann");
    for (const char* name : {"auth",
                             "pubpc",
                             "pub-tracks",
                             "unpub-tracks",
                             "pubpc-restart",
                             "subpc",
                             "sub-tracks",
                             "unsub-tracks",
                             "subpc-restart",
                             "set-sub-profile",
                             "mute-tracks",
                             "send-message",
                             "control",
                             "send-qos-message",
                             "set-privileges",
                             "create-merge-job",
                             "stop-merge",
                             "update-merge-tracks",
                             "create-forward-job",
                             "stop-forward",
                             "start-media-relay",
                             "update-media-relay",
                             "stop-media-relay",
                             "whatever"}) {
        client.forget();
        client.send(name, {{"rpcid", "abc"}});
        ASSERT_EQ(client.inbox.size(), 1u) << name;
        EXPECT_EQ(client.inbox[0].name, string(name) + "-res");
        EXPECT_EQ(text_of(client.inbox[0].body.at("rpcid")), "abc");
        client.forget();
        client.send(name, {});
        EXPECT_TRUE(client.inbox.empty()) << name << " without rpcid is no request";
        client.send(name, {{"rpcid", ""}});
        EXPECT_TRUE(client.inbox.empty()) << name << " with an empty rpcid cannot be answered";
    }
}

// S25 to S28 are checked for every message of every test, in World::deliver; here is what a client sees of S26 and S28.

TEST(Conformance, S26_CodeIsANumberAndErrorSaysWhetherItWentWell) {
    World world;
    Client& client = world.join("ann");
    const json::object good = client.request("set-privileges", {{"privileges", json::array{"subscribe"}}});
    EXPECT_TRUE(good.at("code").is_int64());
    EXPECT_EQ(code_of(good), 0);
    EXPECT_EQ(text_of(good.at("error")), "");
    const json::object bad = client.request("control", {{"command", "kickplayer"}, {"playerid", "bob"}});
    EXPECT_TRUE(bad.at("code").is_int64());
    EXPECT_NE(code_of(bad), 0);
    EXPECT_NE(text_of(bad.at("error")), "");
}

TEST(Conformance, S28_AFaultyConnectionIsClosedOnceAndHearsNothingMore) {
    World world;
    Client& client = world.join("ann");
    client.forget();
    world.hub->handle_text(world.now, world.wall, client.id(), "no message at all", world.out);
    world.hub->handle_text(world.now, world.wall, client.id(), "pong={}", world.out);
    world.hub->handle_text(world.now, world.wall, client.id(), "control={\"rpcid\":\"1\"}", world.out);
    EXPECT_EQ(world.out.closes.size(), 1u);
    EXPECT_TRUE(world.out.texts.empty());
    world.deliver();
    ASSERT_TRUE(client.close_code.has_value());
    EXPECT_EQ(*client.close_code, 1008);
}

TEST(Conformance, S27_DrainTellsWebMembersAndUses1001) {
    World world;
    Client& ann = world.join("ann");
    Client& joining = world.connect();
    world.hub->begin_drain(world.now, world.out);
    world.deliver();
    EXPECT_EQ(code_of(ann.take("disconnect")), 10052);
    EXPECT_TRUE(world.hub->is_draining());
    world.hub->begin_drain(world.now, world.out);
    world.deliver();
    EXPECT_FALSE(ann.has("disconnect")) << "told once";

    Client& late = world.connect();
    for (Client* client : {&joining, &late}) {
        client->send("auth", {{"rpcid", "1"}, {"token", world.token("bob")}});
        EXPECT_TRUE(client->inbox.empty()) << "a refusal would end the join";
        EXPECT_FALSE(client->close_code) << "an attempt that fails at once is wasted";
    }
    EXPECT_FALSE(world.hub->is_drained());
    ann.lose_socket();
    EXPECT_TRUE(world.hub->is_drained()) << "those who only wait do not hold it back";
    world.hub->finish_drain(world.now, world.out);
    world.deliver();
    EXPECT_EQ(joining.close_code, 1001);
    EXPECT_EQ(late.close_code, 1001);
}

TEST(Conformance, S27_DrainClosesMembersThatDoNotLeave) {
    World world;
    Client& stuck = world.join("stuck");
    Client& waiting = world.connect();
    world.hub->begin_drain(world.now, world.out);
    world.deliver();
    world.run_for(2s);
    EXPECT_FALSE(world.hub->is_drained());
    world.run_for(5s);
    EXPECT_EQ(stuck.close_code, 1001);
    EXPECT_TRUE(world.hub->is_drained());
    world.run_for(10s);
    EXPECT_EQ(waiting.close_code, 1001) << "also when its time for auth runs out";
}

// 7.3

TEST(Conformance, S29_AuthResHasPlayersTracksRtpcapsAndNumericReconntoken) {
    World world;
    const json::object answer = world.connect().auth("ann");
    EXPECT_TRUE(answer.at("players").is_array());
    EXPECT_TRUE(answer.at("tracks").is_array());
    EXPECT_TRUE(answer.at("rtpcaps").is_object());
    const std::uint64_t token = answer.at("reconntoken").to_number<std::uint64_t>();
    EXPECT_GT(token, 0u);
    EXPECT_LT(token, std::uint64_t{1} << 53);
}

TEST(Conformance, S30_OthersHearOfTheJoinerAndItDoesNot) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob", {}, {{"playerdata", "{\"nick\":\"B\"}"}});
    const json::object in = ann.take("on-player-in");
    EXPECT_EQ(text_of(in.at("playerid")), "bob");
    EXPECT_EQ(text_of(in.at("playerdata")), "{\"nick\":\"B\"}");
    EXPECT_FALSE(bob.has("on-player-in"));
    EXPECT_FALSE(ann.has("on-player-in")) << "once";
}

TEST(Conformance, S31_JoinerSeesUsersAndTracks) {
    World world;
    Client& ann = world.join("ann");
    ann.publish({mic(), camera()});
    const json::object answer = world.connect().auth("bob");
    json::array players = answer.at("players").as_array();
    ASSERT_EQ(players.size(), 2u);
    EXPECT_EQ(text_of(players[0].at("playerdata")), "data of ann");
    const json::array tracks = answer.at("tracks").as_array();
    ASSERT_EQ(tracks.size(), 2u);
    std::set<string> mids;
    for (const json::value& track : tracks) {
        EXPECT_EQ(text_of(track.at("playerid")), "ann");
        EXPECT_EQ(track.at("muted"), false);
        EXPECT_EQ(track.at("master"), true);
        EXPECT_EQ(track.at("versionid"), 1);
        EXPECT_EQ(text_of(track.at("trackid")).size(), 16u);
        const string mid = text_of(track.at("mid"));
        EXPECT_TRUE(!mid.empty() && mid.find_first_not_of("0123456789") == string::npos) << mid;
        EXPECT_TRUE(mids.insert(mid).second);
        const bool audio = text_of(track.at("kind")) == "audio";
        EXPECT_EQ(text_of(track.at("tag")), audio ? "voice" : "");
    }
}

TEST(Conformance, S32_LeavingRemovesTracksThenTheUserAtOnce) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic(), camera()});
    bob.forget();
    ann.send("disconnect", {});
    ASSERT_EQ(bob.inbox.size(), 2u);
    EXPECT_EQ(bob.inbox[0].name, "on-remove-tracks");
    EXPECT_EQ(bob.inbox[0].body.at("tracks").as_array().size(), 2u);
    EXPECT_EQ(bob.inbox[1].name, "on-player-out");
    EXPECT_EQ(text_of(bob.inbox[1].body.at("playerid")), "ann");
    EXPECT_EQ(world.hub->stats().members, 1u);
    EXPECT_EQ(world.hub->stats().peers, 0u);
}

TEST(Conformance, S33_TracksOfOneRequestComeInOneNotificationAfterTheirOwner) {
    World world;
    Client& bob = world.join("bob");
    Client& ann = world.join("ann");
    ann.request("pubpc", publish_body({mic(), camera()}, {mic(), camera()}));
    EXPECT_FALSE(bob.has("on-add-tracks")) << "not before the connection is up";
    world.connect_peers();
    ASSERT_EQ(bob.count("on-add-tracks"), 1u);
    const auto in = std::find_if(
        bob.inbox.begin(), bob.inbox.end(), [](auto& m) { return m.name == "on-player-in"; });
    const auto add = std::find_if(
        bob.inbox.begin(), bob.inbox.end(), [](auto& m) { return m.name == "on-add-tracks"; });
    EXPECT_LT(in, add);
    EXPECT_EQ(add->body.at("tracks").as_array().size(), 2u);
    EXPECT_FALSE(ann.has("on-add-tracks"));
}

TEST(Conformance, S34_RemovalsNeverMixPublishers) {
    World world;
    Client& viewer = world.join("viewer");
    Client& ann = world.join("ann", {.admin = true});
    Client& bob = world.join("bob");
    ann.publish({mic(), camera()});
    bob.publish({mic("2", "m"), camera("3", "c")});
    viewer.forget();
    ann.send("disconnect", {});
    bob.lose_socket();
    world.run_for(31s);
    ASSERT_EQ(viewer.count("on-remove-tracks"), 2u);
    for (const Message& message : viewer.inbox) {
        if (message.name != "on-remove-tracks") continue;
        std::set<string> owners;
        for (const json::value& track : message.body.at("tracks").as_array()) {
            owners.insert(text_of(track.at("playerid")));
        }
        EXPECT_EQ(owners.size(), 1u);
    }
}

TEST(Conformance, S35_SameUserAgainReplacesTheOldSession) {
    World world;
    Client& watcher = world.join("watcher");
    Client& first = world.join("ann");
    first.publish({mic()});
    watcher.forget();
    Client& second = world.join("ann");
    EXPECT_EQ(code_of(first.take("disconnect")), 10022);
    std::vector<string> names;
    for (const Message& message : watcher.inbox) names.push_back(message.name);
    EXPECT_EQ(names, (std::vector<string>{"on-remove-tracks", "on-player-out", "on-player-in"}));
    EXPECT_EQ(world.hub->list_users({"app1", "room1"}).size(), 2u);
    EXPECT_FALSE(second.has("disconnect"));
    first.lose_socket();
    EXPECT_FALSE(watcher.has("on-player-reconnect")) << "the replaced session is nobody's";
    world.run_for(60s);
    EXPECT_EQ(world.hub->list_users({"app1", "room1"}).size(), 2u);
}

TEST(Conformance, S35_AppMayRefuseTheSecondJoin) {
    World world;
    world.apps.apps["app1"].no_auto_kick_user = true;
    Client& first = world.join("ann");
    EXPECT_EQ(code_of(world.connect().auth("ann")), 10022);
    EXPECT_FALSE(first.has("disconnect"));
    first.lose_socket();
    EXPECT_EQ(code_of(world.connect().auth("ann")), 0) << "an absent one keeps nobody out";
}

TEST(Conformance, S36_FullRoomRefusesWith10011) {
    World world;
    world.apps.apps["app1"].max_users = 2;
    Client& ann = world.join("ann");
    world.join("bob");
    EXPECT_EQ(code_of(world.connect().auth("cat")), 10011);
    EXPECT_EQ(code_of(world.connect().auth("ann")), 0) << "who replaces himself needs no place";
    world.join("other", {.room = "room2"});
    ann.send("disconnect", {});
    EXPECT_EQ(world.event_count(RoomEventKind::kUserJoined), 4u);
}

TEST(Conformance, S37_ClosingTheRoomSendsEverybody10005) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic()});
    ann.forget();
    bob.forget();
    ASSERT_TRUE(world.hub->close_room(world.now, {"app1", "room1"}, world.out));
    world.deliver();
    for (Client* client : {&ann, &bob}) {
        ASSERT_EQ(client->inbox.size(), 1u);
        EXPECT_EQ(code_of(client->take("disconnect")), 10005);
    }
    EXPECT_EQ(world.hub->stats().rooms, 0u);
    EXPECT_EQ(world.hub->stats().peers, 0u);
    EXPECT_FALSE(world.hub->close_room(world.now, {"app1", "room1"}, world.out));
    EXPECT_EQ(code_of(world.connect().auth("ann")), 0) << "a later join opens it again";
}

TEST(Conformance, S39_KickReachesTheVictimWithTheKickersId) {
    World world;
    Client& admin = world.join("admin", {.admin = true});
    Client& bob = world.join("bob");
    Client& cat = world.join("cat");
    bob.publish({mic()});
    cat.forget();
    const json::object answer =
        admin.request("control", {{"command", "kickplayer"}, {"playerid", "bob"}});
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(text_of(answer.at("command")), "kickplayer");
    EXPECT_EQ(text_of(answer.at("playerid")), "bob");
    const json::object told = bob.take("disconnect");
    EXPECT_EQ(code_of(told), 10006);
    EXPECT_EQ(text_of(told.at("kickedid")), "admin");
    ASSERT_EQ(cat.inbox.size(), 2u);
    EXPECT_EQ(cat.inbox[0].name, "on-remove-tracks");
    EXPECT_EQ(cat.inbox[1].name, "on-player-out");
    world.run_for(10s);
    EXPECT_TRUE(bob.close_code) << "a client that stays is closed in the end";
    const json::object unknown =
        admin.request("control", {{"command", "kickplayer"}, {"playerid", "nobody"}});
    EXPECT_NE(code_of(unknown), 0);
    EXPECT_NE(text_of(unknown.at("error")), "");
}

TEST(Conformance, S40_KickWithoutPermissionIs10051WithText) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const json::object answer =
        ann.request("control", {{"command", "kickplayer"}, {"playerid", "bob"}});
    EXPECT_EQ(code_of(answer), 10051);
    EXPECT_NE(text_of(answer.at("error")), "");
    EXPECT_FALSE(bob.has("disconnect"));
}

TEST(Conformance, S41_CustomMessageReachesAllButSender) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    Client& cat = world.join("cat");
    Client& elsewhere = world.join("dan", {.room = "room2"});
    Client& foreign = world.join("eve", {.app = "app2"});
    ann.send("send-message", {{"msgid", "m1"}, {"type", "normal"}, {"text", "hello"}});
    for (Client* client : {&bob, &cat}) {
        const json::object told = client->take("on-messages");
        const json::array messages = told.at("messages").as_array();
        ASSERT_EQ(messages.size(), 1u);
        EXPECT_EQ(text_of(messages[0].at("msgid")), "m1");
        EXPECT_EQ(text_of(messages[0].at("playerid")), "ann");
        EXPECT_EQ(text_of(messages[0].at("type")), "normal");
        EXPECT_EQ(text_of(messages[0].at("text")), "hello");
        EXPECT_EQ(messages[0].at("msgts").to_number<std::int64_t>(), unix_ms(world.wall));
    }
    EXPECT_FALSE(ann.has("on-messages"));
    EXPECT_FALSE(elsewhere.has("on-messages"));
    EXPECT_FALSE(foreign.has("on-messages"));
}

TEST(Conformance, S42_TargetsAndEmptyTargets) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    Client& cat = world.join("cat");
    ann.send(
        "send-message",
        {{"msgid", "1"}, {"text", "t"}, {"target", json::array{"cat", "cat", "nobody", "ann"}}});
    EXPECT_FALSE(bob.has("on-messages"));
    EXPECT_FALSE(ann.has("on-messages"));
    EXPECT_EQ(cat.count("on-messages"), 1u);
    ann.send("send-message", {{"msgid", "2"}, {"text", "t"}, {"target", json::array{}}});
    EXPECT_EQ(bob.count("on-messages"), 1u);
    EXPECT_EQ(cat.count("on-messages"), 2u);
}

TEST(Conformance, S43_MessageNumbersGrowAndListsAreNeverEmpty) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    std::int64_t last = 0;
    for (int i = 0; i < 6; ++i) {
        if (i % 2 == 0) {
            ann.send("send-message", {{"msgid", "m"}, {"text", "x"}});
        } else {
            ann.send("send-qos-message", {{"qos", "{\"networkGrade\":1}"}});
        }
        const json::object told = bob.take(i % 2 == 0 ? "on-messages" : "on-qos-messages");
        ASSERT_EQ(told.at("messages").as_array().size(), 1u);
        const std::int64_t number =
            told.at("messages").as_array()[0].at("msgsn").to_number<std::int64_t>();
        EXPECT_GT(number, last);
        last = number;
    }
}

TEST(Conformance, S44_MuteReachesOthersAndLaterJoiners) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    ann.send("mute-tracks",
             {{"tracks", json::array{json::object{{"trackid", ids[0]}, {"muted", true}}}}});
    const json::object told = bob.take("mute-tracks");
    ASSERT_EQ(told.at("tracks").as_array().size(), 1u);
    EXPECT_EQ(text_of(told.at("tracks").as_array()[0].at("trackid")), ids[0]);
    EXPECT_EQ(told.at("tracks").as_array()[0].at("muted"), true);
    EXPECT_FALSE(ann.has("mute-tracks"));
    const json::object answer = world.connect().auth("cat");
    for (const json::value& track : answer.at("tracks").as_array()) {
        EXPECT_EQ(track.at("muted"), text_of(track.at("trackid")) == ids[0]);
    }
}

TEST(Conformance, S44_MuteBeforeTheTrackIsKnownIsShownWhenItIs) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.request("pubpc", publish_body({mic()}, {mic()})));
    ann.send("mute-tracks",
             {{"tracks", json::array{json::object{{"trackid", ids[0]}, {"muted", true}}}}});
    EXPECT_FALSE(bob.has("mute-tracks")) << "bob does not know the track yet";
    world.connect_peers();
    EXPECT_EQ(bob.take("on-add-tracks").at("tracks").as_array()[0].at("muted"), true);
}

TEST(Conformance, S45_EmptyMuteListIsAcceptedSilently) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.forget();
    bob.forget();
    ann.send("mute-tracks", {{"tracks", json::array{}}});
    EXPECT_TRUE(ann.inbox.empty());
    EXPECT_TRUE(bob.inbox.empty());
    EXPECT_FALSE(ann.close_code);
}

TEST(Conformance, S46_MutingForeignOrUnknownTracksHasNoEffect) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    ann.forget();
    bob.send("mute-tracks",
             {{"tracks",
               json::array{json::object{{"trackid", ids[0]}, {"muted", true}},
                           json::object{{"trackid", "nonsense"}, {"muted", true}}}}});
    EXPECT_TRUE(ann.inbox.empty());
    const json::object answer = world.connect().auth("cat");
    EXPECT_EQ(answer.at("tracks").as_array()[0].at("muted"), false);
}

// 7.6

TEST(Conformance, S80_S81_ReconnectKeepsTracksMidsAndConnections) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic(), camera()});
    ann.subscribe(ids_of(bob.publish({mic("0", "b")})));
    const std::size_t commands = world.all_commands.size();
    bob.forget();
    ann.lose_socket();
    EXPECT_EQ(text_of(bob.take("on-player-reconnect").at("playerid")), "ann");
    world.run_for(2s);
    Client& back = world.connect();
    const json::object answer = back.reconnect("ann", ann.reconntoken);
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_NE(back.reconntoken, ann.reconntoken);
    EXPECT_EQ(answer.at("tracks").as_array().size(), 1u);
    EXPECT_EQ(text_of(bob.take("on-player-reconnect-in").at("playerid")), "ann");
    EXPECT_FALSE(bob.has("on-player-in"));
    EXPECT_FALSE(bob.has("on-player-out"));
    EXPECT_FALSE(bob.has("on-remove-tracks"));
    EXPECT_EQ(world.all_commands.size(), commands) << "nothing changed at the workers";
    EXPECT_EQ(back.count("ping"), 1u);
    world.run_for(60s);
    EXPECT_EQ(world.hub->stats().members, 2u) << "the grace timer is off";
    EXPECT_EQ(code_of(world.connect().reconnect("ann", ann.reconntoken)), 10052) << "single use";
}

TEST(Conformance, S81_ReconnectBeforeTheOldSocketIsKnownToBeDead) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    bob.forget();
    Client& back = world.connect();
    EXPECT_EQ(code_of(back.reconnect("ann", ann.reconntoken)), 0);
    EXPECT_TRUE(ann.close_code);
    EXPECT_TRUE(bob.inbox.empty()) << "nobody ever missed ann";
    ann.lose_socket();
    EXPECT_TRUE(bob.inbox.empty());
}

TEST(Conformance, S82_UnknownReconntokenIs10052) {
    World world;
    Client& ann = world.join("ann");
    const std::uint64_t token = ann.reconntoken;
    EXPECT_EQ(code_of(world.connect().reconnect("ann", 12345)), 10052);
    EXPECT_EQ(code_of(world.connect().reconnect("bob", token)), 10052) << "another's token";
    EXPECT_EQ(code_of(world.connect().reconnect("ann", token, {.room = "room2"})), 10052);
    EXPECT_EQ(code_of(world.connect().auth("ann", {}, {{"reconntoken", "text"}})), 10052);
    EXPECT_EQ(code_of(world.connect().reconnect("ann", token)), 0) << "still good";
}

TEST(Conformance, S83_WhatWasMissedShowsUpAfterReAuth) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    Client& cat = world.join("cat");
    const std::vector<string> cats = ids_of(cat.publish({mic("0", "c1"), camera("1", "c2")}));
    ann.lose_socket();
    bob.send("disconnect", {});
    world.join("dan");
    cat.request("unpub-tracks", {{"tracks", track_refs({cats[1]})}});
    cat.send("mute-tracks",
             {{"tracks", json::array{json::object{{"trackid", cats[0]}, {"muted", true}}}}});
    const json::object answer = world.connect().reconnect("ann", ann.reconntoken);
    std::set<string> players;
    for (const json::value& player : answer.at("players").as_array()) {
        players.insert(text_of(player.at("playerid")));
    }
    EXPECT_EQ(players, (std::set<string>{"ann", "cat", "dan"}));
    const json::array tracks = answer.at("tracks").as_array();
    ASSERT_EQ(tracks.size(), 1u);
    EXPECT_EQ(text_of(tracks[0].at("trackid")), cats[0]);
    EXPECT_EQ(tracks[0].at("muted"), true);
}

TEST(Conformance, S83_ConnectionsThatFailedMeanwhileAreToldAfterReAuth) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const json::object published = ann.publish({mic()});
    const PeerId pub = world.last_command<sfu::OpenPeer>().peer;
    const json::object subscribed = ann.subscribe(ids_of(bob.publish({mic("0", "b")})));
    const PeerId sub = world.last_command<sfu::OpenPeer>().peer;
    ann.lose_socket();
    world.media_event(sfu::PeerDisconnected{pub, sfu::DisconnectReason::kIceFailed});
    world.media_event(sfu::PeerDisconnected{sub, sfu::DisconnectReason::kIceFailed});
    Client& back = world.connect();
    back.reconnect("ann", ann.reconntoken);
    EXPECT_EQ(back.take("on-pubpc-disconnected").at("pcid"), published.at("pcid"));
    EXPECT_EQ(back.take("on-subpc-disconnected").at("pcid"), subscribed.at("pcid"));
}

TEST(Conformance, S84_NotReturningInTimeRemovesTracksUserAndMedia) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic()});
    bob.forget();
    ann.lose_socket();
    world.run_for(29s);
    EXPECT_FALSE(bob.has("on-player-out"));
    world.run_for(2s);
    ASSERT_GE(bob.inbox.size(), 3u);
    bob.take("on-player-reconnect");
    const auto removed = std::find_if(
        bob.inbox.begin(), bob.inbox.end(), [](auto& m) { return m.name == "on-remove-tracks"; });
    const auto gone = std::find_if(
        bob.inbox.begin(), bob.inbox.end(), [](auto& m) { return m.name == "on-player-out"; });
    ASSERT_NE(removed, bob.inbox.end());
    ASSERT_NE(gone, bob.inbox.end());
    EXPECT_LT(removed, gone);
    EXPECT_EQ(world.commands<sfu::ClosePeer>().size(), 1u);
    EXPECT_EQ(code_of(world.connect().reconnect("ann", ann.reconntoken)), 10052);
    EXPECT_EQ(code_of(world.connect().auth("ann")), 0);
}

TEST(Conformance, S85_MissedCustomMessagesAreReplayedOnce) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    bob.send("send-message", {{"msgid", "seen"}, {"text", "x"}});
    const std::int64_t seen =
        ann.take("on-messages").at("messages").as_array()[0].at("msgsn").to_number<std::int64_t>();
    // The socket is dead, but we do not know it yet: this one goes nowhere.
    bob.send("send-message", {{"msgid", "lost"}, {"text", "x"}});
    ann.lose_socket();
    bob.send("send-message", {{"msgid", "away"}, {"text", "x"}});
    bob.send("send-message",
             {{"msgid", "not-mine"}, {"text", "x"}, {"target", json::array{"cat"}}});
    bob.send("send-qos-message", {{"qos", "{}"}});
    Client& back = world.connect();
    back.reconnect("ann", ann.reconntoken, {}, {{"msgsn", seen}});
    ASSERT_EQ(back.count("on-messages"), 1u);
    const json::object told = back.take("on-messages");
    const json::array messages = told.at("messages").as_array();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(text_of(messages[0].at("msgid")), "lost");
    EXPECT_EQ(text_of(messages[1].at("msgid")), "away");
    EXPECT_FALSE(back.has("on-qos-messages"));
    const std::int64_t last = messages[1].at("msgsn").to_number<std::int64_t>();
    back.lose_socket();
    Client& again = world.connect();
    again.reconnect("ann", back.reconntoken, {}, {{"msgsn", last}});
    EXPECT_FALSE(again.has("on-messages"));
}

TEST(Conformance, S85_NothingFromBeforeTheJoinIsReplayed) {
    World world;
    Client& bob = world.join("bob");
    bob.send("send-message", {{"msgid", "old"}, {"text", "x"}});
    Client& ann = world.join("ann");
    ann.lose_socket();
    Client& back = world.connect();
    back.reconnect("ann", ann.reconntoken);
    EXPECT_FALSE(back.has("on-messages"));
}

TEST(Conformance, S86_AfterAServerRestartTheClientComesBackByItself) {
    World before(HubConfig{}, 1);
    Client& ann = before.join("ann");
    const string access_token = before.token("ann");
    World after(HubConfig{}, 2);
    after.wall = before.wall + 5s;
    const json::object refused =
        after.connect().reconnect("ann", ann.reconntoken, {}, {{"token", access_token}});
    EXPECT_EQ(code_of(refused), 10052);
    Client& back = after.connect();
    EXPECT_EQ(code_of(back.auth("ann", {}, {{"token", access_token}})), 0);
    EXPECT_EQ(code_of(back.request("pubpc-restart", {{"pcid", "of-the-old-server"}})), 10061);
    EXPECT_EQ(code_of(back.publish({mic()})), 0);
}

// 7.7

TEST(Conformance, S95_LiveModeAudienceCannotPublishBeforeItIsBroadcaster) {
    World world;
    Client& ann = world.join("ann", {}, {{"privileges", json::array{"subscribe"}}});
    EXPECT_EQ(code_of(ann.request("set-privileges", {{"privileges", json::array{"subscribe"}}})),
              0);
    EXPECT_EQ(code_of(ann.request("pubpc", publish_body({mic()}, {mic()}))), 10051);
    EXPECT_EQ(code_of(ann.request("set-privileges",
                                  {{"privileges", json::array{"subscribe", "publish"}}})),
              0);
    EXPECT_EQ(code_of(ann.publish({mic()})), 0);
    EXPECT_EQ(code_of(ann.request("set-privileges", {})), 10053);
}

TEST(Conformance, S99_QosReportReachesOtherWebClients) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    const string plain = "{\"networkGrade\":2,\"tracks_qos\":[]}";
    ann.send("send-qos-message", {{"qos", plain}});
    const json::object told = bob.take("on-qos-messages");
    EXPECT_EQ(text_of(told.at("messages").as_array()[0].at("qos")), plain) << "unchanged";
    EXPECT_EQ(text_of(told.at("messages").as_array()[0].at("playerid")), "ann");
    EXPECT_FALSE(ann.has("on-qos-messages"));
    ann.send(
        "send-qos-message",
        {{"qos",
          "{\"networkGrade\":1,\"tracks_qos\":[{\"kind\":\"video\",\"lostRate\":0,\"rtt\":5}]}"}});
    const json::object filled = bob.take("on-qos-messages");
    const json::value qos = json::parse(text_of(filled.at("messages").as_array()[0].at("qos")));
    EXPECT_EQ(text_of(qos.at("tracks_qos").as_array()[0].at("track")), ids[1]);
    ann.send("send-qos-message", {{"qos", "not json"}});
    EXPECT_FALSE(bob.has("on-qos-messages"));
}

// 7.8

TEST(Conformance, S100_Web2JoinsWithoutPrivilegesAndMayPublish) {
    World world;
    Client& client = world.connect();
    const json::object answer = client.request("auth",
                                               {{"token", world.token("ann")},
                                                {"agent", "chrome"},
                                                {"sdkversion", "2.5.2"},
                                                {"capsdp", chrome_capsdp()},
                                                {"supportdomain", true}});
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(code_of(client.publish({mic()})), 0);
}

TEST(Conformance, S101_MasterIsRelayedAsGiven) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    json::object body = publish_body({mic(), camera()}, {mic(), camera()});
    body["tracks"].as_array()[0].as_object()["master"] = false;
    ann.request("pubpc", body);
    world.connect_peers();
    const json::object told = bob.take("on-add-tracks");
    EXPECT_EQ(told.at("tracks").as_array()[0].at("master"), false);
    EXPECT_EQ(told.at("tracks").as_array()[1].at("master"), true);
}

TEST(Conformance, S103_UnsubTracksIsAcceptedAtAnyTime) {
    World world;
    Client& ann = world.join("ann");
    EXPECT_EQ(code_of(ann.request("unsub-tracks", {{"tracks", track_refs({"x"})}})), 0);
    ann.send("unsub-tracks", {{"tracks", track_refs({"x"})}});
    EXPECT_FALSE(ann.close_code);
}

}  // namespace
}  // namespace parley::signalling

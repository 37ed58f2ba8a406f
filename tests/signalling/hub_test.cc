/// What the checklist does not number: bounds, hostile input, WHIP and WHEP members,
/// administration.
#include <gtest/gtest.h>

#include <algorithm>

#include "world.h"

namespace parley::signalling {
namespace {

using std::string;

TEST(HubBounds, OversizedMessageClosesItsConnection) {
    World world;
    Client& ann = world.join("ann");
    ann.send("pong", {{"x", string((std::size_t{1} << 20) + 1, 'x')}});
    EXPECT_EQ(ann.close_code, 1008);
}

TEST(HubBounds, SdpOfOneMebibyteIsAnsweredWithAnError) {
    World world;
    Client& ann = world.join("ann");
    json::object body = publish_body({mic()}, {mic()});
    body["sdp"] = "v=0\r\n" + string(1'000'000, 'a');
    EXPECT_EQ(code_of(ann.request("pubpc", body)), 10053);
    EXPECT_FALSE(ann.close_code);
}

TEST(HubBounds, SessionsAreBounded) {
    HubConfig config;
    config.max_sessions = 2;
    World world(config);
    world.connect();
    Client& second = world.connect();
    EXPECT_EQ(world.connect().close_code, 1013);
    second.lose_socket();
    EXPECT_FALSE(world.connect().close_code);
}

TEST(HubBounds, RoomsAreBounded) {
    HubConfig config;
    config.max_rooms = 1;
    World world(config);
    Client& ann = world.join("ann");
    EXPECT_EQ(code_of(world.connect().auth("bob", {.room = "room2"})), 10011);
    ann.send("disconnect", {});
    world.run_for(11s);
    EXPECT_EQ(world.hub->stats().rooms, 0u);
    EXPECT_EQ(code_of(world.connect().auth("bob", {.room = "room2"})), 0);
}

TEST(HubBounds, TracksOfAMemberAreBounded) {
    HubConfig config;
    config.max_tracks_per_member = 3;
    World world(config);
    Client& ann = world.join("ann");
    std::vector<OfferTrack> four;
    for (std::uint32_t i = 0; i < 4; ++i) {
        four.push_back(mic(std::to_string(i), "m" + std::to_string(i), 100 + i));
    }
    EXPECT_EQ(code_of(ann.request("pubpc", publish_body(four, four))), 10053);
    EXPECT_EQ(code_of(ann.publish({four[0], four[1]})), 0);
    EXPECT_EQ(code_of(ann.request("pub-tracks", publish_body(four, {four[2], four[3]}))), 10053);
    EXPECT_EQ(code_of(ann.request("pub-tracks", publish_body(four, {four[2]}))), 0);
    EXPECT_EQ(world.hub->stats().tracks, 3u);
}

TEST(HubBounds, SubscriptionsOfAMemberAreBounded) {
    HubConfig config;
    config.max_subscriptions_per_member = 1;
    World world(config);
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const json::object answer = bob.subscribe(ids_of(ann.publish({mic(), camera()})));
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_EQ(answer.at("tracks").as_array()[0].at("status"), true);
    EXPECT_EQ(answer.at("tracks").as_array()[1].at("status"), false);
    EXPECT_EQ(world.hub->stats().subscriptions, 1u);
}

TEST(HubBounds, CustomMessagesAreBoundedInSizeAndRate) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const auto say = [&](std::size_t size) {
        return code_of(ann.request("send-message", {{"msgid", "m"}, {"text", string(size, 'x')}}));
    };
    EXPECT_EQ(say(4097), 10053);
    EXPECT_EQ(say(4096), 0);
    for (int i = 0; i < 19; ++i) EXPECT_EQ(say(1), 0) << i;
    EXPECT_EQ(say(1), 10053);
    ann.send("send-message", {{"msgid", "m"}, {"text", "x"}});
    EXPECT_EQ(bob.count("on-messages"), 20u);
    EXPECT_EQ(world.hub->stats().rate_limited, 2u);
    world.run_for(1s);
    EXPECT_EQ(say(1), 0);
    EXPECT_FALSE(ann.close_code);
}

TEST(HubBounds, FloodOfRequestsClosesTheConnection) {
    World world;
    Client& ann = world.join("ann");
    for (int i = 0; i < 300 && !ann.close_code; ++i) ann.send("pong", {});
    EXPECT_EQ(ann.close_code, 1008);
    Client& stranger = world.connect();
    for (int i = 0; i < 20 && !stranger.close_code; ++i) {
        stranger.send("auth", {{"token", "x"}, {"rpcid", "1"}});
    }
    EXPECT_EQ(stranger.close_code, 1008);
}

TEST(HubBounds, SlowConsumerIsClosedAndMayComeBack) {
    World world;
    Client& ann = world.join("ann");
    world.hub->handle_backlog(world.now, ann.id(), 1024, world.out);
    world.deliver();
    EXPECT_FALSE(ann.close_code);
    world.hub->handle_backlog(world.now, ann.id(), 1025, world.out);
    world.deliver();
    EXPECT_EQ(ann.close_code, 1013);
    EXPECT_EQ(code_of(world.connect().reconnect("ann", ann.reconntoken)), 0);
}

TEST(HubBounds, PlayerdataIsBounded) {
    World world;
    EXPECT_EQ(code_of(world.connect().auth("ann", {}, {{"playerdata", string(8193, 'x')}})), 10053);
    EXPECT_EQ(code_of(world.connect().auth("ann", {}, {{"playerdata", string(8192, 'x')}})), 0);
}

TEST(HubBounds, MessageLogForgetsTheOldest) {
    HubConfig config;
    config.max_message_log = 2;
    World world(config);
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.lose_socket();
    for (const char* id : {"1", "2", "3"}) {
        bob.send("send-message", {{"msgid", id}, {"text", "x"}});
    }
    Client& back = world.connect();
    back.reconnect("ann", ann.reconntoken);
    const json::object told = back.take("on-messages");
    ASSERT_EQ(told.at("messages").as_array().size(), 2u);
    EXPECT_EQ(text_of(told.at("messages").as_array()[0].at("msgid")), "2");
}

TEST(HubRooms, EmptyRoomClosesAfterItsTimeUnlessTheAppKeepsIt) {
    World world;
    world.apps.apps["app2"].no_auto_close_room = true;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob", {.app = "app2"});
    ann.send("disconnect", {});
    bob.send("disconnect", {});
    world.run_for(9s);
    EXPECT_EQ(world.hub->stats().rooms, 2u);
    world.run_for(2s);
    EXPECT_EQ(world.hub->stats().rooms, 1u);
    world.run_for(3600s);
    EXPECT_EQ(world.hub->stats().rooms, 1u);
    EXPECT_EQ(world.event_count(RoomEventKind::kRoomClosed), 1u);
}

TEST(HubRooms, JoinInTimeKeepsTheRoom) {
    World world;
    world.join("ann").send("disconnect", {});
    world.run_for(9s);
    world.join("bob");
    world.run_for(20s);
    EXPECT_EQ(world.event_count(RoomEventKind::kRoomCreated), 1u);
    EXPECT_EQ(world.event_count(RoomEventKind::kRoomClosed), 0u);
}

TEST(HubRooms, AppMayWantRoomsMadeFirst) {
    World world;
    world.apps.apps["app1"].no_auto_create_room = true;
    EXPECT_EQ(code_of(world.connect().auth("ann")), 10012);
    ASSERT_TRUE(world.hub->create_room(world.now, {"app1", "room1"}, {}, world.out));
    world.deliver();
    EXPECT_EQ(code_of(world.connect().auth("ann")), 0);
    EXPECT_FALSE(world.hub->create_room(world.now, {"nonsense", "room1"}, {}, world.out));
}

TEST(HubRooms, UnknownAppIsATokenError) {
    World world;
    EXPECT_EQ(code_of(world.connect().auth("ann", {.app = "nonsense"})), 10001);
}

TEST(HubRooms, SettingsOfALivingRoomStay) {
    World world;
    world.join("ann");
    world.apps.apps["app1"].max_users = 1;
    EXPECT_EQ(code_of(world.connect().auth("bob")), 0);
    world.join("cat", {.room = "new"});
    EXPECT_EQ(code_of(world.connect().auth("dan", {.room = "new"})), 10011);
}

TEST(HubRooms, RoomsSpreadOverWorkersAndStayOnOne) {
    World world;
    Client& ann = world.join("ann", {.room = "a"});
    Client& bob = world.join("bob", {.room = "b"});
    ann.publish({mic()});
    bob.publish({mic()});
    Client& cat = world.join("cat", {.room = "a"});
    cat.publish({mic()});
    const auto opened = world.commands<sfu::OpenPeer>();
    ASSERT_EQ(opened.size(), 3u);
    EXPECT_NE(world.worker_of[opened[0].peer.value], world.worker_of[opened[1].peer.value]);
    EXPECT_EQ(world.worker_of[opened[0].peer.value], world.worker_of[opened[2].peer.value]);
}

TEST(HubAuth, BrowserWithoutCommonCodecsIs10054) {
    World world;
    EXPECT_EQ(code_of(world.connect().auth("ann", {}, {{"capsdp", "v=0\r\n"}})), 10054);
    EXPECT_EQ(code_of(world.connect().auth("ann", {}, {{"capsdp", ""}})), 10054);
    EXPECT_EQ(world.hub->stats().members, 0u);
}

TEST(HubAuth, FirstMemberWithoutH264MakesItAVp8Room) {
    World world;
    const json::object first = world.connect().auth("fox", {}, {{"capsdp", vp8_only_capsdp()}});
    ASSERT_EQ(code_of(first), 0);
    const auto video = [](const json::object& answer) {
        return text_of(answer.at("rtpcaps").at("codecs").as_array()[1].at("name"));
    };
    EXPECT_EQ(video(first), "VP8");
    EXPECT_EQ(video(world.connect().auth("ann")), "VP8");
    EXPECT_EQ(video(world.connect().auth("bob", {.room = "other"})), "H264");
}

TEST(HubAuth, TrackInAnotherCodecThanTheSubscribersIsRefusedAlone) {
    World world;
    Client& ann = world.join("ann");
    Client& fox = world.join("fox", {}, {{"capsdp", vp8_only_capsdp()}});
    const json::object answer = fox.subscribe(ids_of(ann.publish({mic(), camera()})));
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_EQ(answer.at("tracks").as_array()[0].at("status"), true);
    EXPECT_EQ(answer.at("tracks").as_array()[1].at("status"), false);
}

TEST(HubAuth, ExpiredAccessTokenStillBringsAMemberBack) {
    World world;
    Client& ann = world.join("ann", {.expires_in_s = 60});
    world.run_for(50s);
    const string token = world.token("ann", {.expires_in_s = 1});
    world.run_for(5s);
    ann.lose_socket();
    EXPECT_EQ(code_of(world.connect().reconnect("ann", ann.reconntoken, {}, {{"token", token}})),
              0);
    EXPECT_EQ(code_of(world.connect().auth("ann", {}, {{"token", token}})), 10002);
}

TEST(HubAuth, TokensOfTheOtherKindOfClientAreRefused) {
    World world;
    // Each kind of client has its own kind of token.
    EXPECT_EQ(code_of(world.connect().request("auth", {{"roomtoken", world.token("ann")}})), 10001);
    EXPECT_EQ(code_of(world.connect().request("auth", {{"token", world.room_token("ann")}})),
              10001);
}

TEST(HubAuth, PrivilegesOfAReAuthCount) {
    World world;
    Client& ann = world.join("ann");
    ann.lose_socket();
    Client& back = world.connect();
    back.reconnect("ann", ann.reconntoken, {}, {{"privileges", json::array{"subscribe"}}});
    EXPECT_EQ(code_of(back.request("pubpc", publish_body({mic()}, {mic()}))), 10051);
}

TEST(HubAuth, MessageNumbersGrowOverAServerRestart) {
    const auto number = [](World& world) {
        Client& ann = world.join("ann");
        Client& bob = world.join("bob");
        ann.send("send-message", {{"msgid", "m"}, {"text", "x"}});
        return bob.take("on-messages")
            .at("messages")
            .as_array()[0]
            .at("msgsn")
            .to_number<std::int64_t>();
    };
    World first;
    const std::int64_t before = number(first);
    World second;
    second.wall += 10s;
    EXPECT_GT(number(second), before);
    EXPECT_LT(before, std::int64_t{1} << 53);
}

TEST(HubAuth, WithoutSubscribePrivilegeNothingIsReceived) {
    World world;
    Client& ann = world.join("ann");
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    Client& bob = world.join("bob", {}, {{"privileges", json::array{}}});
    EXPECT_EQ(code_of(bob.request("subpc", {{"tracks", track_refs(ids)}})), 10051);
}

TEST(HubPublish, FailedPublishLeavesTheOldConnectionAlone) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic()});
    bob.forget();
    EXPECT_NE(code_of(ann.request("pubpc", publish_body({mic()}, {camera()}))), 0);
    string sdp = offer_sdp({mic()});
    for (auto at = sdp.find("a=fingerprint"); at != string::npos; at = sdp.find("a=fingerprint")) {
        sdp.erase(at, sdp.find("\r\n", at) + 2 - at);
    }
    json::object body = publish_body({mic()}, {mic()});
    body["sdp"] = sdp;
    EXPECT_EQ(code_of(ann.request("pubpc", body)), 10053);
    EXPECT_TRUE(bob.inbox.empty());
    EXPECT_EQ(world.hub->stats().tracks, 1u);
}

TEST(HubPublish, SameSourceOnAnotherSectionReplacesItsTrack) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    bob.forget();
    const json::object answer =
        ann.request("pub-tracks", publish_body({mic("9", "mic-1", 77)}, {mic("9", "mic-1", 77)}));
    EXPECT_EQ(ids_of(answer), ids);
    ASSERT_EQ(bob.inbox.size(), 2u);
    EXPECT_EQ(bob.inbox[0].name, "on-remove-tracks");
    EXPECT_EQ(bob.inbox[1].name, "on-add-tracks");
    EXPECT_EQ(world.commands<sfu::RemoveTrack>().size(), 1u);
}

TEST(HubPublish, TracksPublishedBeforeTheConnectionIsUpAreAnnouncedByRequest) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.request("pubpc", publish_body({mic()}, {mic()}));
    ann.request("pub-tracks", publish_body({mic(), camera()}, {camera()}));
    EXPECT_FALSE(bob.has("on-add-tracks"));
    EXPECT_TRUE(world.connect().auth("late").at("tracks").as_array().empty());
    world.connect_peers();
    EXPECT_EQ(bob.count("on-add-tracks"), 2u);
}

TEST(HubPublish, LateEventsOfAClosedConnectionAreIgnored) {
    World world;
    Client& ann = world.join("ann");
    ann.request("pubpc", publish_body({mic()}, {mic()}));
    const PeerId old = world.last_command<sfu::OpenPeer>().peer;
    const WorkerId worker = world.worker_of[old.value];
    ann.request("pubpc", publish_body({mic()}, {mic()}));
    ann.forget();
    world.hub->handle_media_event(world.now, worker, sfu::PeerConnected{old}, world.out);
    world.hub->handle_media_event(world.now, worker, sfu::PeerDisconnected{old, {}}, world.out);
    world.hub->handle_media_event(world.now, WorkerId(9), sfu::PeerConnected{PeerId(2)}, world.out);
    world.hub->handle_media_event(
        world.now, worker, sfu::LayerChanged{old, TrackId(1), {}}, world.out);
    world.hub->handle_media_event(world.now, worker, sfu::TrackStarted{TrackId(1)}, world.out);
    world.deliver();
    EXPECT_TRUE(ann.inbox.empty());
    EXPECT_EQ(world.hub->stats().peers, 1u);
}

TEST(HubPublish, KbpsIsPassedOnWithinReason) {
    World world;
    Client& ann = world.join("ann");
    json::object body = publish_body({mic()}, {mic()});
    body["tracks"].as_array()[0].as_object()["kbps"] = 1e12;
    ann.request("pubpc", body);
    EXPECT_EQ(world.last_command<sfu::AddTrack>().max_bitrate, Bitrate::kbps(50'000));
    body["tracks"].as_array()[0].as_object()["kbps"] = -5;
    ann.request("pubpc", body);
    EXPECT_EQ(world.last_command<sfu::AddTrack>().max_bitrate, Bitrate());
}

TEST(HubPublish, CredentialsAreLongAndNeverRepeat) {
    World world;
    Client& ann = world.join("ann");
    std::set<string> seen;
    for (int i = 0; i < 20; ++i) {
        ann.request("pubpc", publish_body({mic()}, {mic()}));
        const sfu::OpenPeer open = world.last_command<sfu::OpenPeer>();
        EXPECT_EQ(open.local_ice.ufrag.size(), 16u) << "the worker finds the peer by its length";
        EXPECT_EQ(open.local_ice.password.size(), 32u);
        EXPECT_TRUE(seen.insert(open.local_ice.ufrag).second);
        EXPECT_TRUE(seen.insert(open.local_ice.password).second);
    }
}

TEST(HubRoomsIsolation, IdsOfOtherRoomsAreUnknown) {
    World world;
    Client& ann = world.join("ann");
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    const string pcid = text_of(ann.publish({mic()}).at("pcid"));
    ann.forget();
    Client& eve = world.join("eve", {.room = "room2", .admin = true});
    EXPECT_EQ(code_of(eve.request("subpc", {{"tracks", track_refs(ids)}})), 10041);
    EXPECT_EQ(code_of(eve.request("pubpc-restart", {{"pcid", pcid}})), 10061);
    EXPECT_NE(code_of(eve.request("control", {{"command", "kickplayer"}, {"playerid", "ann"}})), 0);
    eve.request("unpub-tracks", {{"tracks", track_refs(ids)}});
    eve.send("send-message", {{"msgid", "m"}, {"text", "x"}, {"target", json::array{"ann"}}});
    eve.send("mute-tracks",
             {{"tracks", json::array{json::object{{"trackid", ids[0]}, {"muted", true}}}}});
    EXPECT_TRUE(ann.inbox.empty());
    EXPECT_EQ(world.hub->stats().tracks, 1u);
}

TEST(HubAdmin, RoomsAreListedSortedByPrefixAndPage) {
    World world;
    for (const char* room : {"b2", "a1", "b1", "c1"}) world.join("ann", {.room = room});
    world.join("ann", {.app = "app2", .room = "b9"});
    const auto list = [&](const char* prefix, std::size_t offset, std::size_t limit) {
        return world.hub->list_rooms("app1", prefix, offset, limit);
    };
    EXPECT_EQ(list("", 0, 100).rooms, (std::vector<string>{"a1", "b1", "b2", "c1"}));
    EXPECT_TRUE(list("", 0, 100).end);
    EXPECT_EQ(list("b", 0, 100).rooms, (std::vector<string>{"b1", "b2"}));
    const RoomList page = list("", 1, 2);
    EXPECT_EQ(page.rooms, (std::vector<string>{"b1", "b2"}));
    EXPECT_FALSE(page.end);
    EXPECT_EQ(page.offset, 3u);
    EXPECT_TRUE(list("", 3, 2).end);
    EXPECT_TRUE(list("", 9, 2).rooms.empty());
    EXPECT_TRUE(world.hub->list_rooms("nonsense", "", 0, 10).rooms.empty());
}

TEST(HubAdmin, UsersAreListedAndKicked) {
    World world;
    Client& bob = world.join("bob");
    world.join("ann");
    EXPECT_EQ(world.hub->list_users({"app1", "room1"}), (std::vector<string>{"ann", "bob"}));
    EXPECT_TRUE(world.hub->list_users({"app1", "nonsense"}).empty());
    EXPECT_FALSE(world.hub->kick_user(world.now, {"app1", "room1"}, "nobody", "", world.out));
    EXPECT_FALSE(world.hub->kick_user(world.now, {"app1", "none"}, "bob", "", world.out));
    ASSERT_TRUE(world.hub->kick_user(world.now, {"app1", "room1"}, "bob", "", world.out));
    world.deliver();
    const json::object told = bob.take("disconnect");
    EXPECT_EQ(code_of(told), 10006);
    EXPECT_FALSE(told.contains("kickedid"));
    EXPECT_EQ(code_of(world.connect().auth("bob")), 0) << "a kick does not ban";
}

TEST(HubAdmin, DumpTellsTheStateButNoSecret) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    bob.subscribe(ids_of(ann.publish({mic(), camera()})));
    const string dump = world.hub->dump_state();
    const json::value state = json::parse(dump);
    EXPECT_EQ(state.at("rooms").as_array().size(), 1u);
    EXPECT_EQ(state.at("rooms").as_array()[0].at("members").as_array().size(), 2u);
    EXPECT_EQ(state.at("rooms").as_array()[0].at("tracks").as_array().size(), 2u);
    for (const sfu::OpenPeer& open : world.commands<sfu::OpenPeer>()) {
        EXPECT_EQ(dump.find(open.local_ice.password), string::npos);
    }
    EXPECT_EQ(dump.find(std::to_string(ann.reconntoken)), string::npos);
}

TEST(HubAdmin, EventsTellTheLifeOfARoom) {
    World world;
    Client& ann = world.join("ann", {.admin = true});
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    ann.send("mute-tracks",
             {{"tracks", json::array{json::object{{"trackid", ids[0]}, {"muted", true}}}}});
    ann.lose_socket();
    Client& back = world.connect();
    back.reconnect("ann", ann.reconntoken);
    back.request("set-privileges", {{"privileges", json::array{"subscribe"}}});
    back.send("disconnect", {});
    world.run_for(11s);
    std::vector<string> names;
    for (const RoomEvent& event : world.all_events) {
        names.emplace_back(to_string(event.kind));
        EXPECT_EQ(event.app_id, "app1");
        EXPECT_EQ(event.room_name, "room1");
        EXPECT_TRUE(json::parse(event.data).is_object());
    }
    EXPECT_EQ(names,
              (std::vector<string>{"room_created",
                                   "user_joined",
                                   "track_published",
                                   "track_muted",
                                   "user_away",
                                   "user_reconnected",
                                   "role_changed",
                                   "track_unpublished",
                                   "user_left",
                                   "room_closed"}));
    EXPECT_NE(world.all_events[1].data.find("\"permission\":\"admin\""), string::npos);
    EXPECT_NE(world.all_events[8].data.find("\"reason\":\"leave\""), string::npos);
}

// WHIP and WHEP

JoinPublisher whip(const string& user) {
    JoinPublisher request;
    request.owner.room = {"app1", "room1"};
    request.owner.user_id = user;
    dtls::Fingerprint fingerprint;
    fingerprint.sha256.fill(1);
    request.transport.remote_fingerprint = fingerprint;
    for (const bool video : {false, true}) {
        OfferedTrack track;
        track.kind = video ? sfu::MediaKind::kVideo : sfu::MediaKind::kAudio;
        track.codec = video ? sfu::Codec::kH264 : sfu::Codec::kOpus;
        track.payload_type = PayloadType(video ? 102 : 111);
        track.mid = video ? "1" : "0";
        track.encodings = {{"", Ssrc(video ? 20u : 10u), Ssrc(video ? 21u : 0u)}};
        request.tracks.push_back(track);
    }
    return request;
}

JoinViewer whep(const std::vector<MediaSource>& sources) {
    JoinViewer request;
    request.owner.room = {"app1", "room1"};
    request.owner.user_id = "watcher";
    for (const MediaSource& source : sources) {
        WantedTrack track;
        track.trackid = source.trackid;
        track.payload_type = PayloadType(96);
        if (source.kind == sfu::MediaKind::kVideo) track.rtx_payload_type = PayloadType(97);
        request.tracks.push_back(track);
    }
    return request;
}

TEST(HubMediaSessions, WhipPublisherIsAMemberLikeAnyOther) {
    World world;
    Client& ann = world.join("ann");
    const auto joined = world.hub->join_publisher(world.now, world.wall, whip("cam"), world.out);
    ASSERT_TRUE(joined);
    world.deliver();
    EXPECT_EQ(text_of(ann.take("on-player-in").at("playerid")), "cam");
    EXPECT_EQ(joined->peer.candidates.size(), 4u);
    EXPECT_EQ(world.last_command<sfu::OpenPeer>().local_ice.ufrag, joined->peer.ice.ufrag);
    EXPECT_EQ(world.commands<sfu::AddTrack>().size(), 2u);
    world.connect_peers();
    const json::object added = ann.take("on-add-tracks");
    EXPECT_EQ(added.at("tracks").as_array().size(), 2u);
    std::vector<string> ids;
    for (const json::value& track : added.at("tracks").as_array()) {
        ids.push_back(text_of(track.at("trackid")));
    }
    EXPECT_EQ(code_of(ann.subscribe(ids)), 0);
    ASSERT_TRUE(world.hub->leave_media_session(world.now, joined->session, world.out));
    world.deliver();
    EXPECT_TRUE(ann.has("on-remove-tracks"));
    EXPECT_TRUE(ann.has("on-player-out"));
    EXPECT_FALSE(world.hub->leave_media_session(world.now, joined->session, world.out));
    EXPECT_TRUE(world.ended.empty()) << "who leaves knows it";
}

TEST(HubMediaSessions, LostTransportEndsTheSession) {
    World world;
    Client& ann = world.join("ann");
    const auto joined = world.hub->join_publisher(world.now, world.wall, whip("cam"), world.out);
    world.deliver();
    world.media_event(sfu::PeerDisconnected{world.last_command<sfu::OpenPeer>().peer,
                                            sfu::DisconnectReason::kIceFailed});
    EXPECT_EQ(world.ended, std::vector<MediaSessionId>{joined->session});
    EXPECT_TRUE(ann.has("on-player-out"));
    EXPECT_FALSE(world.hub->restart_media_session(world.now, joined->session, world.out));
}

TEST(HubMediaSessions, SameUserElsewhereReplacesThePublisher) {
    World world;
    const auto joined = world.hub->join_publisher(world.now, world.wall, whip("cam"), world.out);
    world.deliver();
    world.join("cam");
    EXPECT_EQ(world.ended, std::vector<MediaSessionId>{joined->session});
    world.apps.apps["app2"].no_auto_kick_user = true;
    JoinPublisher again = whip("x");
    again.owner.room.app_id = "app2";
    ASSERT_TRUE(world.hub->join_publisher(world.now, world.wall, again, world.out));
    const auto refused = world.hub->join_publisher(world.now, world.wall, again, world.out);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kConflict);
}

TEST(HubMediaSessions, PublisherRequestsAreChecked) {
    World world;
    const auto code = [&](const JoinPublisher& request) {
        const auto joined = world.hub->join_publisher(world.now, world.wall, request, world.out);
        world.deliver();
        return joined ? Errc::kInternal : joined.error().code;
    };
    JoinPublisher request = whip("cam");
    request.tracks.clear();
    EXPECT_EQ(code(request), Errc::kMalformed);
    request = whip("cam");
    request.tracks[0].encodings.clear();
    EXPECT_EQ(code(request), Errc::kMalformed);
    request = whip("cam");
    request.tracks.resize(100, request.tracks[0]);
    EXPECT_EQ(code(request), Errc::kTooLarge);
    request = whip("cam");
    request.owner.room.app_id = "nonsense";
    EXPECT_EQ(code(request), Errc::kNotFound);
    world.hub->begin_drain(world.now, world.out);
    EXPECT_EQ(code(whip("cam")), Errc::kBusy);
    EXPECT_EQ(world.hub->stats().members, 0u);
}

TEST(HubMediaSessions, WhepViewerReceivesAndIsNotSeen) {
    World world;
    Client& ann = world.join("ann");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    ann.forget();
    EXPECT_TRUE(world.hub->media_sources({"app1", "room1"}, "nobody").empty());
    EXPECT_TRUE(world.hub->media_sources({"app1", "none"}, "ann").empty());
    EXPECT_EQ(world.hub->media_sources({"app1", "room1"}, ids[1]).size(), 1u);
    const auto sources = world.hub->media_sources({"app1", "room1"}, "ann");
    ASSERT_EQ(sources.size(), 2u);
    const auto joined = world.hub->join_viewer(world.now, world.wall, whep(sources), world.out);
    ASSERT_TRUE(joined);
    world.deliver();
    ASSERT_EQ(joined->tracks.size(), 2u);
    EXPECT_EQ(joined->tracks[0].cname, joined->tracks[1].cname);
    EXPECT_TRUE(joined->tracks[1].rtx_ssrc.is_valid());
    EXPECT_FALSE(joined->tracks[0].rtx_ssrc.is_valid());
    EXPECT_EQ(world.commands<sfu::Subscribe>().size(), 2u);
    EXPECT_TRUE(ann.inbox.empty()) << "viewers are nobody's company";
    EXPECT_EQ(world.connect().auth("bob").at("players").as_array().size(), 2u);
    EXPECT_EQ(world.hub->stats().viewers, 1u);
    const auto restarted = world.hub->restart_media_session(world.now, joined->session, world.out);
    ASSERT_TRUE(restarted);
    EXPECT_NE(restarted->ice.ufrag, joined->peer.ice.ufrag);
    EXPECT_EQ(restarted->role, dtls::Role::kServer);
    ann.send("disconnect", {});
    const auto late = world.hub->join_viewer(world.now, world.wall, whep(sources), world.out);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::kNotFound);
}

TEST(HubMediaSessions, ClosingTheRoomEndsThem) {
    World world;
    const auto joined = world.hub->join_publisher(world.now, world.wall, whip("cam"), world.out);
    world.deliver();
    world.connect_peers();
    const auto viewer = world.hub->join_viewer(
        world.now, world.wall, whep(world.hub->media_sources({"app1", "room1"}, "cam")), world.out);
    ASSERT_TRUE(viewer);
    ASSERT_TRUE(world.hub->close_room(world.now, {"app1", "room1"}, world.out));
    world.deliver();
    EXPECT_EQ(world.ended, (std::vector<MediaSessionId>{joined->session, viewer->session}));
    EXPECT_EQ(world.hub->stats().peers, 0u);
}

TEST(HubTime, OldOrRepeatedTimesDoNoHarm) {
    World world;
    Client& ann = world.join("ann");
    world.run_for(5s);
    world.hub->handle_timeout(world.now, world.wall, world.out);
    const Instant past = world.now - 4s;
    world.hub->handle_timeout(past, world.wall, world.out);
    world.hub->handle_timeout(past, world.wall - 3600s, world.out);
    world.hub->handle_closed(past, SessionId(999), world.out);
    world.hub->handle_closed(past, ann.id(), world.out);
    world.hub->handle_closed(past, ann.id(), world.out);
    world.deliver();
    EXPECT_EQ(world.event_count(RoomEventKind::kUserAway), 1u);
    world.run_for(29s);
    EXPECT_EQ(world.hub->stats().members, 1u) << "the grace time began at the latest known time";
    world.run_for(2s);
    EXPECT_EQ(world.hub->stats().members, 0u);
}

TEST(HubTime, NothingIsLeftWhenEverybodyIsGone) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    bob.subscribe(ids_of(ann.publish({mic(), camera()})));
    ann.lose_socket();
    bob.lose_socket();
    world.run_for(120s);
    const HubStats stats = world.hub->stats();
    EXPECT_EQ(stats.sessions, 0u);
    EXPECT_EQ(stats.rooms, 0u);
    EXPECT_EQ(stats.members, 0u);
    EXPECT_EQ(stats.peers, 0u);
    EXPECT_FALSE(world.hub->next_deadline()) << "nothing to wait for";
    EXPECT_TRUE(world.open_peers.empty());
}

TEST(HubInput, WrongTypesEverywhereAreAnsweredAndHarmless) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    bob.subscribe(ids);
    const std::vector<json::value> values = {nullptr,
                                             true,
                                             -1,
                                             1e300,
                                             "text",
                                             json::array{},
                                             json::array{1, "x", nullptr, json::array{}},
                                             json::array{json::object{}},
                                             json::object{}};
    for (const char* name : {"pubpc",
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
                             "send-qos-message",
                             "control",
                             "set-privileges"}) {
        for (const char* field : {"tracks",
                                  "sdp",
                                  "policy",
                                  "pcid",
                                  "text",
                                  "target",
                                  "qos",
                                  "command",
                                  "playerid",
                                  "privileges",
                                  "msgid",
                                  "type"}) {
            for (const json::value& value : values) {
                json::object body{{"sdp", offer_sdp({mic(), camera()})},
                                  {"tracks", track_refs(ids)},
                                  {"text", "x"},
                                  {"qos", "{}"}};
                body[field] = value;
                Client& client = name[0] == 'p' || name[0] == 'u' ? ann : bob;
                world.run_for(10ms);
                client.request(name, body);
                ASSERT_FALSE(client.close_code) << name << " " << field;
            }
        }
    }
}

}  // namespace
}  // namespace parley::signalling

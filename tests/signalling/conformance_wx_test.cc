/// The conformance checklist of the protocol (section 7) for mini programs: statements 104 to 121,
/// and what 14 to 46 say about them. Media itself is judged end to end.
#include <gtest/gtest.h>

#include <algorithm>

#include "signalling/merge_job.h"
#include "world.h"

namespace parley::signalling {
namespace {

using std::string;

constexpr FoundTrack kSound{sfu::MediaKind::kAudio, sfu::Codec::kOpus};
constexpr FoundTrack kPicture{sfu::MediaKind::kVideo, sfu::Codec::kH264};

/// A mini program whose RTMP publish has shown both tracks.
Client& join_publishing(World& world, const string& user, std::uint64_t stream) {
    Client& client = world.join_mini(user);
    EXPECT_TRUE(world.publish_stream(stream, {client.rtmptoken, user, {}}));
    world.find_tracks(stream, {kSound, kPicture});
    return client;
}

std::vector<string> ids_in(const json::object& body) {
    std::vector<string> ids;
    for (const json::value& track : body.at("tracks").as_array()) {
        ids.push_back(text_of(track.at("trackid")));
    }
    return ids;
}

/// In the order audio, video.
std::vector<string> tracks_of(const World& world, const string& user) {
    std::vector<string> ids(2);
    for (const MediaSource& source : world.hub->media_sources({"app1", "room1"}, user)) {
        ids[source.kind == sfu::MediaKind::kAudio ? 0 : 1] = source.trackid;
    }
    return ids;
}

TEST(ConformanceWx, S15_EqualsSignsInValuesAreRead) {
    World world;
    Client& wx = world.connect();
    EXPECT_EQ(code_of(wx.mini_auth("ann", {}, {{"playerdata", "a=b=c"}})), 0);
    Client& web = world.connect();
    const json::object answer = web.auth("bob");
    EXPECT_EQ(text_of(answer.at("players").at(0).at("playerdata")), "a=b=c");
}

TEST(ConformanceWx, S17_FirstPingComesWithTheAnswer) {
    World world;
    Client& wx = world.join_mini("ann");
    EXPECT_EQ(wx.count("ping"), 1u);
    wx.send("pong", {});
    wx.forget();
    wx.answers_pings = false;
    world.run_for(4s);
    EXPECT_GE(wx.count("ping"), 1u);
}

TEST(ConformanceWx, S18_SilentClientIsAwayAndAfter15SecondsGone) {
    World world;
    Client& wx = world.join_mini("ann");
    Client& web = world.join("bob");
    wx.answers_pings = false;
    world.run_for(11s);
    EXPECT_EQ(wx.close_code, 1001);
    EXPECT_TRUE(web.has("on-player-reconnect"));
    EXPECT_FALSE(web.has("on-player-out"));
    world.run_for(15s);
    EXPECT_EQ(text_of(web.take("on-player-out").at("playerid")), "ann");
}

TEST(ConformanceWx, S20_UnknownRequestsAreAnswered) {
    World world;
    Client& wx = world.join_mini("ann");
    wx.forget();
    wx.send("make-coffee", {});
    EXPECT_TRUE(wx.inbox.empty());
    EXPECT_EQ(code_of(wx.request("make-coffee", {})), 10053);
}

TEST(ConformanceWx, S23_NothingButAuthHasAnEffectBeforeAuth) {
    World world;
    Client& wx = world.connect();
    EXPECT_EQ(code_of(wx.request("mute-tracks", {{"tracks", json::array()}})), 10001);
    EXPECT_EQ(code_of(wx.mini_auth("ann")), 0);
}

TEST(ConformanceWx, S24_EveryRequestOfTheSdkIsAnsweredWithItsRpcid) {
    World world;
    Client& wx = world.join_mini("ann");
    for (const char* name : {"mute-tracks",
                             "send-message",
                             "create-merge-job",
                             "update-merge-tracks",
                             "stop-merge",
                             "create-forward-job",
                             "stop-forward"}) {
        // request() fails the test when the answer is not there.
        (void)wx.request(name, {{"tracks", json::array()}, {"id", "j"}});
        EXPECT_EQ(wx.count(string(name) + "-res"), 0u) << "answered twice";
    }
}

TEST(ConformanceWx, S27_DrainClosesWith1001WithoutADisconnect) {
    World world;
    Client& wx = world.join_mini("ann");
    const Client& web = world.join("bob");
    Client& joining = world.connect();
    world.hub->begin_drain(world.now, world.out);
    world.deliver();
    EXPECT_FALSE(wx.has("disconnect")) << "10052 would be final for this client";
    EXPECT_EQ(wx.close_code, 1001);
    EXPECT_TRUE(web.has("disconnect"));
    // Its join would hang for ever without an answer (quirk M2).
    EXPECT_EQ(code_of(joining.mini_auth("cid")), 10052);
    EXPECT_EQ(joining.close_code, 1001);
}

TEST(ConformanceWx, S30_OthersHearOfTheJoinerAndTheJoinerDoesNot) {
    World world;
    Client& web = world.join("bob");
    Client& wx = world.join_mini("ann");
    const json::object in = web.take("on-player-in");
    EXPECT_EQ(text_of(in.at("playerid")), "ann");
    EXPECT_EQ(text_of(in.at("playerdata")), "data of ann");
    EXPECT_FALSE(wx.has("on-player-in"));
    world.join("cid");
    EXPECT_EQ(text_of(wx.take("on-player-in").at("playerid")), "cid");
}

TEST(ConformanceWx, S31_JoinerSeesUsersAndTracks) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic(), camera()});
    Client& wx = world.connect();
    const json::object answer = wx.mini_auth("ann");
    ASSERT_EQ(answer.at("players").as_array().size(), 1u) << "WX1 does not filter itself out";
    EXPECT_EQ(text_of(answer.at("players").at(0).at("playerdata")), "data of bob");
    ASSERT_EQ(answer.at("tracks").as_array().size(), 2u);
    for (const json::value& track : answer.at("tracks").as_array()) {
        EXPECT_EQ(text_of(track.at("playerid")), "bob");
        EXPECT_TRUE(track.at("mid").is_string());
        EXPECT_EQ(track.at("muted"), false);
        EXPECT_EQ(track.at("versionid"), 1);
    }
}

TEST(ConformanceWx, S32_LeavingRemovesTracksThenTheUser) {
    World world;
    Client& web = world.join("bob");
    Client& wx = join_publishing(world, "ann", 1);
    web.forget();
    wx.send("disconnect", {});
    ASSERT_EQ(web.inbox.size(), 2u);
    EXPECT_EQ(web.inbox[0].name, "on-remove-tracks");
    EXPECT_EQ(web.inbox[1].name, "on-player-out");
    EXPECT_EQ(world.hub->stats().publishing_streams, 0u);
}

TEST(ConformanceWx, S33_TracksOfOneRequestArriveTogether) {
    World world;
    Client& wx = world.join_mini("ann");
    Client& web = world.join("bob");
    wx.forget();
    web.publish({mic(), camera()});
    ASSERT_EQ(wx.count("on-add-tracks"), 1u);
    EXPECT_EQ(ids_in(wx.take("on-add-tracks")).size(), 2u);
}

TEST(ConformanceWx, S35_UserIsReplacedAcrossKindsOfClients) {
    World world;
    Client& wx = world.join_mini("ann");
    Client& web = world.join("bob");
    web.forget();
    EXPECT_EQ(code_of(world.connect().auth("ann")), 0);
    EXPECT_EQ(wx.take("disconnect").at("code"), 10022);
    EXPECT_EQ(web.count("on-player-out"), 1u);
    EXPECT_EQ(web.count("on-player-in"), 1u);
    EXPECT_EQ(world.hub->list_users({"app1", "room1"}).size(), 2u);
}

TEST(ConformanceWx, S36_FullRoomRefusesWith10011) {
    World world;
    world.apps.apps["app1"].max_users = 1;
    world.join_mini("ann");
    EXPECT_EQ(code_of(world.connect().mini_auth("bob")), 10011);
}

TEST(ConformanceWx, S37_ClosingTheRoomSends10005AndEndsStreams) {
    World world;
    Client& wx = join_publishing(world, "ann", 1);
    ASSERT_TRUE(world.hub->close_room(world.now, {"app1", "room1"}, world.out));
    world.deliver();
    EXPECT_EQ(wx.take("disconnect").at("code"), 10005);
    EXPECT_EQ(world.end_of(1), StreamEnd::kMemberLeft);
}

TEST(ConformanceWx, S41_MessagesGoBothWaysAndNotToTheSender) {
    World world;
    Client& wx = world.join_mini("ann");
    Client& web = world.join("bob");
    const json::object sent{{"msgid", "m1"}, {"type", "normal"}, {"text", "hello"}};
    web.send("send-message", sent);
    const json::value got = wx.take("on-messages").at("messages").at(0);
    EXPECT_EQ(text_of(got.at("playerid")), "bob");
    EXPECT_EQ(text_of(got.at("text")), "hello");
    json::object back = sent;
    back["target"] = json::array();
    EXPECT_EQ(code_of(wx.request("send-message", back)), 0);
    EXPECT_EQ(web.count("on-messages"), 1u) << "an empty target means everybody (S42)";
    EXPECT_FALSE(wx.has("on-messages"));
}

TEST(ConformanceWx, S44_MuteReachesOthersAndLaterJoiners) {
    World world;
    Client& web = world.join("bob");
    Client& wx = join_publishing(world, "ann", 1);
    const string audio = tracks_of(world, "ann")[0];
    web.forget();
    const json::object muted{{"trackid", audio}, {"muted", true}};
    EXPECT_EQ(code_of(wx.request("mute-tracks", {{"tracks", json::array{muted}}})), 0);
    EXPECT_EQ(web.take("mute-tracks").at("tracks").at(0).at("trackid"), json::value(audio));
    EXPECT_FALSE(wx.has("mute-tracks"));
    Client& late = world.connect();
    const json::object answer = late.mini_auth("cid");
    for (const json::value& track : answer.at("tracks").as_array()) {
        EXPECT_EQ(track.at("muted").as_bool(), text_of(track.at("trackid")) == audio);
    }
}

TEST(ConformanceWx, S46_MutingForeignTracksHasNoEffectButIsAnswered) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic()});
    Client& wx = world.join_mini("ann");
    web.forget();
    const json::object muted{{"trackid", tracks_of(world, "bob")[0]}, {"muted", true}};
    EXPECT_EQ(code_of(wx.request("mute-tracks", {{"tracks", json::array{muted}}})), 0);
    EXPECT_FALSE(web.has("mute-tracks"));
}

// 7.9

TEST(ConformanceWx, S104_RoomTokenIsAnsweredWithRtmpTokenAndHost) {
    World world;
    const json::object answer = world.connect().mini_auth("ann");
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(text_of(answer.at("rtmphost")), "rtmp.example.org:1935");
    const string token = text_of(answer.at("rtmptoken"));
    EXPECT_GE(token.size(), 16u);
    EXPECT_TRUE(std::all_of(token.begin(), token.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    })) << "goes into URLs as it is";
}

TEST(ConformanceWx, S104_WrongAndExpiredRoomTokensAreRefused) {
    World world;
    string token = world.room_token("ann");
    token[token.size() - 3] ^= 1;
    EXPECT_EQ(code_of(world.connect().mini_auth("ann", {}, {{"roomtoken", token}})), 10001);
    EXPECT_EQ(code_of(world.connect().mini_auth("ann", {}, {{"roomtoken", 7}})), 10001);
    EXPECT_EQ(code_of(world.connect().mini_auth("ann", {.expires_in_s = -5})), 10002);
    EXPECT_EQ(code_of(world.connect().mini_auth("ann", {.app = "other"})), 10001);
    EXPECT_EQ(world.hub->stats().members, 0u);
}

TEST(ConformanceWx, S105_AnswerExcludesOwnTracksAndPingFollows) {
    World world;
    Client& wx = join_publishing(world, "ann", 1);
    Client& web = world.join("bob");
    web.publish({mic()});
    wx.lose_socket();
    Client& back = world.connect();
    const json::object answer = back.mini_return(wx.rtmptoken);
    ASSERT_EQ(answer.at("tracks").as_array().size(), 1u);
    EXPECT_EQ(text_of(answer.at("tracks").at(0).at("playerid")), "bob");
    EXPECT_EQ(back.count("ping"), 1u);
}

TEST(ConformanceWx, S106_ReturnKeepsTokenAndPublish) {
    World world;
    Client& web = world.join("bob");
    Client& wx = join_publishing(world, "ann", 1);
    web.forget();
    wx.lose_socket();
    EXPECT_TRUE(web.has("on-player-reconnect"));
    world.run_for(10s);
    Client& back = world.connect();
    const json::object answer = back.mini_return(wx.rtmptoken);
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(text_of(answer.at("rtmptoken")), wx.rtmptoken);
    EXPECT_EQ(text_of(answer.at("rtmphost")), "rtmp.example.org:1935");
    EXPECT_TRUE(web.has("on-player-reconnect-in"));
    EXPECT_FALSE(web.has("on-remove-tracks"));
    EXPECT_FALSE(world.end_of(1));
    EXPECT_FALSE(back.has("on-add-local-tracks")) << "nothing new to tell";
    world.run_for(60s);
    EXPECT_EQ(world.hub->stats().publishing_streams, 1u);
}

TEST(ConformanceWx, S106_WhatWasMissedIsToldAfterTheReturn) {
    World world;
    Client& web = world.join("bob");
    Client& wx = world.join_mini("ann");
    ASSERT_TRUE(world.publish_stream(1, {wx.rtmptoken, "ann", {}}));
    web.send("send-message", {{"msgid", "1"}, {"type", "normal"}, {"text", "before"}});
    wx.lose_socket();
    web.send("send-message", {{"msgid", "2"}, {"type", "normal"}, {"text", "while away"}});
    world.find_tracks(1, {kSound});
    Client& back = world.connect();
    EXPECT_EQ(code_of(back.mini_return(wx.rtmptoken)), 0);
    EXPECT_EQ(ids_in(back.take("on-add-local-tracks")).size(), 1u);
    const json::object missed = back.take("on-messages");
    ASSERT_EQ(missed.at("messages").as_array().size(), 1u);
    EXPECT_EQ(text_of(missed.at("messages").at(0).at("text")), "while away");
}

TEST(ConformanceWx, S106_SecondSocketWithOneTokenTakesTheFirstOnesPlace) {
    World world;
    Client& web = world.join("bob");
    Client& wx = world.join_mini("ann");
    web.forget();
    Client& second = world.connect();
    EXPECT_EQ(code_of(second.mini_return(wx.rtmptoken)), 0);
    EXPECT_TRUE(wx.close_code);
    EXPECT_TRUE(web.inbox.empty()) << "nobody was away";
}

TEST(ConformanceWx, S107_UnknownRtmpTokenIs10001) {
    World world;
    EXPECT_EQ(code_of(world.connect().mini_return("unknown")), 10001);
    Client& wx = world.join_mini("ann");
    wx.lose_socket();
    world.run_for(16s);
    EXPECT_EQ(code_of(world.connect().mini_return(wx.rtmptoken)), 10001) << "after the grace time";
    Client& left = world.join_mini("bob");
    left.send("disconnect", {});
    EXPECT_EQ(code_of(world.connect().mini_return(left.rtmptoken)), 10001) << "after leaving";
}

TEST(ConformanceWx, S108_FreshAuthReplacesTheSessionAndItsStreams) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic(), camera()});
    Client& old = join_publishing(world, "ann", 1);
    ASSERT_TRUE(world.play_stream(2, {old.rtmptoken, "bob", tracks_of(world, "bob")}));
    old.lose_socket();
    Client& fresh = world.join_mini("ann");
    EXPECT_NE(fresh.rtmptoken, old.rtmptoken);
    EXPECT_EQ(world.end_of(1), StreamEnd::kMemberLeft);
    EXPECT_EQ(world.end_of(2), StreamEnd::kMemberLeft);
    EXPECT_EQ(world.commands<sfu::RemoveTrack>().size(), 2u);
    EXPECT_EQ(code_of(world.connect().mini_return(old.rtmptoken)), 10001) << "a ghost (quirk M4)";
    EXPECT_FALSE(world.publish_stream(3, {old.rtmptoken, "ann", {}}));
}

TEST(ConformanceWx, S109_RequestsAreAnsweredAndNotificationsAreNot) {
    World world;
    Client& wx = world.join_mini("ann");
    EXPECT_EQ(code_of(wx.request("mute-tracks", {{"tracks", json::array()}})), 0);
    const json::object message{
        {"msgid", "1"}, {"type", "normal"}, {"text", "x"}, {"target", json::array()}};
    EXPECT_EQ(code_of(wx.request("send-message", message)), 0);
    EXPECT_NE(code_of(wx.request("create-merge-job", {{"id", "a"}})), -1);
    EXPECT_NE(code_of(wx.request("stop-forward", {{"id", "a"}, {"delayMillisecond", 0}})), -1);
}

TEST(ConformanceWx, S110_ErrorsCarryCodeAndText) {
    World world;
    Client& wx = world.join_mini("ann");
    const json::object answer = wx.request("send-message", {{"msgid", "1"}});
    EXPECT_EQ(code_of(answer), 10053);
    EXPECT_FALSE(text_of(answer.at("error")).empty());
    // WebRTC is nothing for them, and must not break anything either.
    for (const char* name : {"pubpc", "subpc", "pub-tracks", "sub-tracks", "pubpc-restart"}) {
        EXPECT_EQ(code_of(wx.request(name, publish_body({mic()}, {mic()}))), 10053) << name;
    }
}

TEST(ConformanceWx, S111_PublishIsToldOnceToEachSide) {
    World world;
    Client& web = world.join("bob");
    Client& other = world.join_mini("cid");
    Client& wx = world.join_mini("ann");
    for (Client* client : {&web, &other, &wx}) client->forget();
    ASSERT_TRUE(world.publish_stream(1, {wx.rtmptoken, "ann", {}}));
    EXPECT_TRUE(wx.inbox.empty()) << "no tracks yet (quirk M6)";
    world.find_tracks(1, {kSound, kPicture});
    ASSERT_EQ(wx.count("on-add-local-tracks"), 1u);
    const json::object local = wx.take("on-add-local-tracks");
    ASSERT_EQ(local.at("tracks").as_array().size(), 2u);
    EXPECT_EQ(text_of(local.at("tracks").at(0).at("kind")), "audio");
    EXPECT_EQ(text_of(local.at("tracks").at(1).at("kind")), "video");
    EXPECT_EQ(text_of(local.at("tracks").at(0).at("playerid")), "ann");
    EXPECT_FALSE(wx.has("on-add-tracks"));
    for (Client* client : {&web, &other}) {
        ASSERT_EQ(client->count("on-add-tracks"), 1u);
        const json::object added = client->take("on-add-tracks");
        ASSERT_EQ(added.at("tracks").as_array().size(), 2u);
        for (const json::value& track : added.at("tracks").as_array()) {
            EXPECT_TRUE(track.at("mid").is_string()) << "web clients need it";
            EXPECT_EQ(track.at("versionid"), 1);
        }
    }
    ASSERT_EQ(world.commands<sfu::AddLocalTrack>().size(), 2u);
    EXPECT_EQ(world.commands<sfu::AddLocalTrack>()[0].source, StreamId(1));
    const json::object answer = web.subscribe(tracks_of(world, "ann"));
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(world.commands<sfu::Subscribe>().size(), 2u);
}

TEST(ConformanceWx, S111_LateAudioIsALateTrack) {
    World world;
    Client& web = world.join("bob");
    Client& wx = world.join_mini("ann");
    ASSERT_TRUE(world.publish_stream(1, {wx.rtmptoken, "ann", {}}));
    world.find_tracks(1, {kPicture});
    world.find_tracks(1, {kPicture, kSound});
    EXPECT_EQ(wx.count("on-add-local-tracks"), 2u);
    EXPECT_EQ(web.count("on-add-tracks"), 2u);
    web.take("on-add-tracks");
    EXPECT_EQ(text_of(web.take("on-add-tracks").at("tracks").at(0).at("kind")), "audio");
}

TEST(ConformanceWx, S111_NewPublishTakesTheOldOnesPlace) {
    World world;
    Client& web = world.join("bob");
    Client& wx = join_publishing(world, "ann", 1);
    const std::vector<string> before = tracks_of(world, "ann");
    web.forget();
    ASSERT_TRUE(world.publish_stream(2, {wx.rtmptoken, "ann", {}}));
    EXPECT_EQ(world.end_of(1), StreamEnd::kReplaced);
    world.find_tracks(2, {kSound, kPicture});
    world.close_stream(1);  // late news of the old one
    EXPECT_EQ(web.count("on-remove-tracks"), 1u);
    EXPECT_EQ(web.count("on-add-tracks"), 1u);
    const std::vector<string> after = tracks_of(world, "ann");
    EXPECT_NE(before[0], after[0]);
    EXPECT_NE(before[1], after[1]);
}

TEST(ConformanceWx, S112_WrongTokenOrForeignUserIsRefused) {
    World world;
    Client& wx = world.join_mini("ann");
    world.join_mini("bob");
    EXPECT_EQ(world.publish_stream(1, {"wrong", "ann", {}}).error().code, Errc::kNotFound);
    EXPECT_EQ(world.publish_stream(1, {"", "ann", {}}).error().code, Errc::kNotFound);
    EXPECT_EQ(world.publish_stream(1, {wx.rtmptoken, "bob", {}}).error().code, Errc::kForbidden);
    EXPECT_EQ(world.publish_stream(1, {wx.rtmptoken, "", {}}).error().code, Errc::kForbidden);
    EXPECT_EQ(world.publish_stream(1, {wx.rtmptoken, "ann", {"t"}}).error().code, Errc::kForbidden);
    EXPECT_EQ(world.hub->stats().publishing_streams, 0u);
}

TEST(ConformanceWx, S113_PlayGivesTheTracksOfTheUrl) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic(), camera()});
    Client& wx = world.join_mini("ann");
    const std::vector<string> ids = tracks_of(world, "bob");
    const auto both = world.play_stream(1, {wx.rtmptoken, "bob", {ids[1], ids[0], ids[1]}});
    ASSERT_TRUE(both);
    ASSERT_EQ(both->tracks.size(), 2u) << "an id twice counts once";
    EXPECT_EQ(both->tracks[0].kind, sfu::MediaKind::kVideo);
    EXPECT_EQ(both->tracks[0].codec, sfu::Codec::kH264);
    const auto sound = world.play_stream(2, {wx.rtmptoken, "bob", {ids[0]}});
    ASSERT_TRUE(sound);
    ASSERT_EQ(sound->tracks.size(), 1u);
    EXPECT_EQ(sound->tracks[0].kind, sfu::MediaKind::kAudio);
    EXPECT_EQ(world.hub->stats().playing_streams, 2u);
    web.send("disconnect", {});
    EXPECT_EQ(world.end_of(1), StreamEnd::kTrackGone);
    EXPECT_EQ(world.end_of(2), StreamEnd::kTrackGone);
}

/// Several members' sound in one URL is a mix for the viewer, who is not in it himself.
TEST(ConformanceWx, S120_AMixLeavesOutTheSoundOfItsViewer) {
    World world;
    Client& bob = world.join("bob");
    bob.publish({mic(), camera()});
    Client& cid = world.join("cid");
    cid.publish({mic("2", "mic-c", 4444)});
    Client& ann = world.join_mini("ann");
    ASSERT_TRUE(world.publish_stream(1, {ann.rtmptoken, "ann", {}}));
    world.find_tracks(1, {{sfu::MediaKind::kAudio, sfu::Codec::kOpus}});
    const string own = tracks_of(world, "ann")[0];
    const std::vector<string> bobs = tracks_of(world, "bob");
    const string cids = tracks_of(world, "cid")[0];
    const auto mix = world.play_stream(2, {ann.rtmptoken, "", {own, bobs[0], bobs[1], cids}});
    ASSERT_TRUE(mix);
    std::vector<string> granted;
    for (const PlayTrack& track : mix->tracks) granted.push_back(track.trackid);
    EXPECT_EQ(granted, (std::vector<string>{bobs[0], bobs[1], cids}));
    const auto alone = world.play_stream(3, {ann.rtmptoken, "", {own}});
    ASSERT_TRUE(alone);
    EXPECT_EQ(alone->tracks.size(), 1u) << "what he asks for alone is his to have";
    cid.send("disconnect", {});
    EXPECT_EQ(world.end_of(2), StreamEnd::kTrackGone);
    EXPECT_FALSE(world.end_of(3));
}

TEST(ConformanceWx, S113_PlayOfWhatIsNotThereIsRefused) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic()});
    Client& elsewhere = world.join("zoe", {.room = "room2"});
    elsewhere.publish({mic("2", "mic-z", 4444)});
    Client& wx = world.join_mini("ann");
    const string id = tracks_of(world, "bob")[0];
    const string foreign = world.hub->media_sources({"app1", "room2"}, "zoe")[0].trackid;
    const auto refused = [&](const StreamAddress& address) {
        const auto grant = world.play_stream(9, address);
        return grant ? Errc::kInternal : grant.error().code;
    };
    EXPECT_EQ(refused({wx.rtmptoken, "bob", {"unknown"}}), Errc::kNotFound);
    EXPECT_EQ(refused({wx.rtmptoken, "zoe", {foreign}}), Errc::kNotFound);
    EXPECT_EQ(refused({wx.rtmptoken, "cid", {id}}), Errc::kNotFound);
    EXPECT_EQ(refused({"wrong", "bob", {id}}), Errc::kNotFound);
    EXPECT_EQ(refused({wx.rtmptoken, "bob", {}}), Errc::kForbidden);
    EXPECT_EQ(world.hub->stats().playing_streams, 0u);
}

TEST(ConformanceWx, S113_StreamsOfOneMemberAreBounded) {
    HubConfig config;
    config.max_streams_per_member = 3;
    World world(config);
    Client& web = world.join("bob");
    web.publish({mic()});
    Client& wx = world.join_mini("ann");
    const string id = tracks_of(world, "bob")[0];
    for (std::uint64_t stream = 1; stream <= 3; ++stream) {
        EXPECT_TRUE(world.play_stream(stream, {wx.rtmptoken, "bob", {id}}));
    }
    EXPECT_EQ(world.play_stream(4, {wx.rtmptoken, "bob", {id}}).error().code, Errc::kBusy);
    world.close_stream(2);
    EXPECT_TRUE(world.play_stream(5, {wx.rtmptoken, "bob", {id}}));
}

TEST(ConformanceWx, S116_EndOfPublishIsToldAndTheSessionStays) {
    World world;
    Client& web = world.join("bob");
    Client& wx = join_publishing(world, "ann", 1);
    const std::vector<string> ids = tracks_of(world, "ann");
    wx.forget();
    web.forget();
    world.close_stream(1);
    const json::object removed = web.take("on-remove-tracks");
    ASSERT_EQ(ids_in(removed).size(), 2u);
    EXPECT_EQ(text_of(removed.at("tracks").at(0).at("playerid")), "ann");
    EXPECT_EQ(ids_in(wx.take("on-remove-local-tracks")).size(), 2u);
    EXPECT_FALSE(web.has("on-player-out"));
    EXPECT_FALSE(world.end_of(1)) << "the worker knows it already";
    EXPECT_EQ(world.commands<sfu::RemoveTrack>().size(), 2u);
    ASSERT_TRUE(world.publish_stream(2, {wx.rtmptoken, "ann", {}}));
    world.find_tracks(2, {kSound, kPicture});
    EXPECT_EQ(wx.count("on-add-local-tracks"), 1u);
}

TEST(ConformanceWx, S117_KickAndLeaveEndTheUsersStreams) {
    World world;
    Client& admin = world.join("bob", {.admin = true});
    admin.publish({mic()});
    Client& wx = join_publishing(world, "ann", 1);
    ASSERT_TRUE(world.play_stream(2, {wx.rtmptoken, "bob", {tracks_of(world, "bob")[0]}}));
    admin.request("control", {{"command", "kickplayer"}, {"playerid", "ann"}});
    const json::object end = wx.take("disconnect");
    EXPECT_EQ(end.at("code"), 10006);
    EXPECT_EQ(text_of(end.at("kickedid")), "bob");
    EXPECT_EQ(world.end_of(1), StreamEnd::kMemberLeft);
    EXPECT_EQ(world.end_of(2), StreamEnd::kMemberLeft);
    EXPECT_FALSE(world.publish_stream(3, {wx.rtmptoken, "ann", {}})) << "token of a kicked user";
}

/// Jobs are read and judged, and nothing carries them out yet: a right one gets a refusal that blames no field.
TEST(ConformanceWx, S118_MergeJobsOfTheTypedApiAreUnderstood) {
    const json::object typed{
        {"id", "a"},
        {"url", "rtmp://cdn/x"},
        {"videoFrameRate", 30},
        {"bitrate", 800},
        {"minBitrate", 200},
        {"maxBitrate", 900},
        {"publishUrl", ""},
        {"fps", ""},
        {"kbps", ""},
        {"minRate", ""},
        {"maxRate", ""},
        {"audioOnly", ""},
        {"holdLastFrame", ""},
        {"stretchMode", ""},
        {"width", 640},
        {"height", ""},
        {"background", json::object{{"url", "http://i/b"}, {"width", 640}, {"height", 720}}},
        {"watermarks",
         json::array{json::object{{"url", "http://i/w"}, {"x", 1}, {"y", 2}, {"w", 3}, {"h", 4}}}}};
    MergeJob expected{
        .id = "a", .publish_url = "rtmp://cdn/x", .width = 640, .fps = 30, .kbps = 800};
    expected.min_kbps = 200;
    expected.max_kbps = 900;
    expected.background = {"http://i/b", 0, 0, 640, 720};
    expected.watermarks = {{"http://i/w", 1, 2, 3, 4}};
    EXPECT_EQ(parse_merge_job(typed).value(), expected);
    // The names of the raw API count first: values of an earlier call can reappear under the
    // others.
    json::object both = typed;
    both["publishUrl"] = "rtmp://cdn/y";
    both["fps"] = 15;
    both["kbps"] = 500;
    expected.publish_url = "rtmp://cdn/y";
    expected.fps = 15;
    expected.kbps = 500;
    EXPECT_EQ(parse_merge_job(both).value(), expected);

    World world;
    Client& wx = world.join_mini("ann");
    const json::object answer = wx.request("create-merge-job", typed);
    EXPECT_EQ(text_of(answer.at("id")), "a");
    EXPECT_EQ(text_of(answer.at("error")), "not available yet");
    const json::object wrong{{"width", 0},
                             {"fps", "fast"},
                             {"kbps", 1.5},
                             {"audioOnly", 1},
                             {"stretchMode", "sideways"},
                             {"publishUrl", std::string(3000, 'x')},
                             {"watermarks", json::array(65, json::object())},
                             {"background", json::object{{"x", 1}}}};
    for (const auto& field : wrong) {
        json::object job = typed;
        job[field.key()] = field.value();
        EXPECT_EQ(text_of(wx.request("create-merge-job", job).at("error")),
                  "invalid " + std::string(field.key()));
    }
    EXPECT_EQ(parse_merge_job({}).value(), MergeJob{});
}

TEST(ConformanceWx, S119_LossOfTheSocketDoesNotTouchStreams) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic()});
    Client& wx = join_publishing(world, "ann", 1);
    ASSERT_TRUE(world.play_stream(2, {wx.rtmptoken, "bob", {tracks_of(world, "bob")[0]}}));
    wx.lose_socket();
    world.run_for(5s);
    EXPECT_TRUE(world.ended_streams.empty());
    EXPECT_TRUE(world.play_stream(3, {wx.rtmptoken, "bob", {tracks_of(world, "bob")[0]}}));
    world.run_for(11s);
    EXPECT_EQ(world.end_of(1), StreamEnd::kMemberLeft) << "not within the grace time";
    EXPECT_EQ(world.end_of(2), StreamEnd::kMemberLeft);
}

// Appendix B

TEST(ConformanceWx, WebOnlyNotificationsDoNotReachMiniPrograms) {
    World world;
    Client& wx = world.join_mini("ann");
    Client& web = world.join("bob");
    web.publish({mic(), camera()});
    wx.forget();
    web.send("send-qos-message", {{"qos", "{\"networkGrade\":1,\"tracks_qos\":[]}"}});
    web.lose_socket();
    Client& back = world.connect();
    EXPECT_EQ(code_of(back.reconnect("bob", web.reconntoken)), 0);
    for (const Message& message : wx.inbox) EXPECT_EQ(message.name, "ping") << message.name;
}

// 7.10

TEST(ConformanceWx, S120_AuthWithoutPlayerdataAndPlayOfMoreThanTwoTracks) {
    World world;
    Client& web = world.join("bob");
    web.publish({mic(), camera("3"), camera("4", "cam-2", 3333)});
    Client& wx = world.connect();
    const json::object answer = wx.request("auth",
                                           {{"app", "app1"},
                                            {"agent", "wechat miniprogram"},
                                            {"roomtoken", world.room_token("ann")},
                                            {"sdkversion", "1.0.0-beta.0"},
                                            {"room", "room1"},
                                            {"user", "ann"}});
    ASSERT_EQ(code_of(answer), 0);
    StreamAddress address{text_of(answer.at("rtmptoken")), "bob", ids_in(answer)};
    ASSERT_EQ(address.trackids.size(), 3u);
    const auto grant = world.play_stream(1, address);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->tracks.size(), 3u);
}

TEST(ConformanceWx, S121_TracksOfMiniProgramsAreMaster) {
    World world;
    Client& web = world.join("bob");
    join_publishing(world, "ann", 1);
    const json::object added = web.take("on-add-tracks");
    for (const json::value& track : added.at("tracks").as_array()) {
        EXPECT_EQ(track.at("master"), true);
    }
}

}  // namespace
}  // namespace parley::signalling

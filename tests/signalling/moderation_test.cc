#include <gtest/gtest.h>

#include "world.h"

// What an app server does to a room that lives.
namespace parley::signalling {
namespace {

const room::RoomKey kRoom{"app1", "room1"};

struct ModerationTest : ::testing::Test {
    std::vector<ChangedTrack> mute(const std::string& user, MuteOrder order) {
        auto changed = world.hub->mute_user(world.now, kRoom, user, order, world.out);
        world.deliver();
        EXPECT_TRUE(changed.has_value());
        return changed.value_or(std::vector<ChangedTrack>{});
    }
    std::vector<ChangedTrack> mute_all(MuteOrder order) {
        auto changed = world.hub->mute_room(world.now, kRoom, order, world.out);
        world.deliver();
        EXPECT_TRUE(changed.has_value());
        return changed.value_or(std::vector<ChangedTrack>{});
    }
    void change(const std::string& user, MemberChange what) {
        EXPECT_TRUE(world.hub->change_member(world.now, kRoom, user, what, world.out).has_value());
        world.deliver();
    }
    static void say_muted(Client& client, const std::string& track, bool muted) {
        client.send("mute-tracks",
                    {{"tracks", json::array{json::object{{"trackid", track}, {"muted", muted}}}}});
    }
    static bool muted_in(const json::object& body) {
        return body.at("tracks").at(0).at("muted").as_bool();
    }

    World world;
};

TEST_F(ModerationTest, AMutedMemberIsStoppedAndMayUnmuteHimself) {
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::string track = ids_of(ann.publish({mic()})).at(0);
    bob.forget();
    ann.forget();
    const auto changed = mute("ann", {});
    ASSERT_EQ(changed.size(), 1U);
    EXPECT_TRUE(changed[0].muted);
    EXPECT_FALSE(changed[0].locked);
    EXPECT_TRUE(muted_in(bob.take("mute-tracks")));
    EXPECT_FALSE(ann.has("mute-tracks")) << "its owner is no receiver of it";
    EXPECT_TRUE(world.last_command<sfu::SetMuted>().muted);
    EXPECT_TRUE(mute("ann", {}).empty()) << "nothing changed";

    say_muted(ann, track, false);
    EXPECT_FALSE(muted_in(bob.take("mute-tracks")));
    EXPECT_FALSE(world.last_command<sfu::SetMuted>().muted);
}

TEST_F(ModerationTest, ALockHoldsForWhatIsPublishedLaterAndAfterARejoin) {
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::string track = ids_of(ann.publish({mic()})).at(0);
    mute("ann", {.locked = true, .kinds = {true, false}});
    bob.forget();
    say_muted(ann, track, false);
    EXPECT_FALSE(bob.has("mute-tracks"));
    EXPECT_EQ(code_of(ann.request(
                  "mute-tracks",
                  {{"tracks", json::array{json::object{{"trackid", track}, {"muted", false}}}}})),
              10051);
    Client& again = world.join("ann");
    bob.forget();
    again.publish({mic(), camera()});
    const json::object added = bob.take("on-add-tracks");
    for (const json::value& one : added.at("tracks").as_array()) {
        EXPECT_EQ(one.at("muted").as_bool(), one.at("kind").as_string() == "audio");
    }
    EXPECT_TRUE(world.last_command<sfu::SetMuted>().muted);
    bob.forget();
    mute("ann", {.muted = false});
    EXPECT_FALSE(muted_in(bob.take("mute-tracks")));
}

TEST_F(ModerationTest, WhatTheOwnerMutedStaysMutedWhenTheServerLetsGo) {
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::string track = ids_of(ann.publish({mic()})).at(0);
    say_muted(ann, track, true);
    bob.forget();
    mute("ann", {});
    mute("ann", {.muted = false});
    EXPECT_FALSE(bob.has("mute-tracks")) << "nobody saw a difference";
    EXPECT_FALSE(world.last_command<sfu::SetMuted>().muted);
    say_muted(ann, track, false);
    EXPECT_FALSE(muted_in(bob.take("mute-tracks")));
}

TEST_F(ModerationTest, EverybodyButTheTeacher) {
    Client& ann = world.join("ann");
    Client& teacher = world.join("teacher");
    ann.publish({mic()});
    teacher.publish({mic("2", "mic-2", 3333)});
    const auto changed = mute_all({.locked = true, .spared = {"teacher"}});
    ASSERT_EQ(changed.size(), 1U);
    EXPECT_EQ(changed[0].user_id, "ann");
    EXPECT_TRUE(changed[0].locked);
    Client& late = world.join("late");
    late.publish({mic("2", "mic-3", 4444)});
    const auto view = world.hub->room_view(kRoom);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->locked, (room::Kinds{true, true}));
    for (const TrackView& track : view->tracks) {
        EXPECT_EQ(track.muted, track.user_id != "teacher") << track.user_id;
        EXPECT_EQ(track.locked, track.user_id != "teacher");
    }
    EXPECT_EQ(mute_all({.muted = false}).size(), 2U);
}

TEST_F(ModerationTest, MuteErrors) {
    Client& ann = world.join("ann");
    ann.publish({mic()});
    const auto code = [&](const room::RoomKey& room, const std::string& user, MuteOrder order) {
        const auto result = world.hub->mute_user(world.now, room, user, order, world.out);
        return result ? Errc{} : result.error().code;
    };
    EXPECT_EQ(code({"app1", "none"}, "ann", {}), Errc::kNotFound);
    EXPECT_EQ(code(kRoom, "none", {}), Errc::kNotFound);
    EXPECT_EQ(code(kRoom, "ann", {.trackid = "none"}), Errc::kNotFound);
}

TEST_F(ModerationTest, WithdrawnRightsEndTracksAndSubscriptionsAtOnce) {
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::string track = ids_of(ann.publish({mic()})).at(0);
    bob.subscribe({track});
    bob.forget();
    change("ann", {.publish = false});
    EXPECT_TRUE(bob.has("on-remove-tracks"));
    EXPECT_EQ(world.hub->stats().tracks, 0U);
    EXPECT_FALSE(world.commands<sfu::RemoveTrack>().empty());
    EXPECT_EQ(code_of(ann.request("pub-tracks", publish_body({camera()}, {camera()}))), 10051);
    EXPECT_EQ(code_of(ann.request("set-privileges",
                                  {{"privileges", json::array{"subscribe", "publish"}}})),
              10051);
    change("ann", {.publish = true});
    const std::string back = ids_of(ann.publish({mic()})).at(0);
    bob.subscribe({back});
    change("bob", {.subscribe = false});
    EXPECT_EQ(world.hub->stats().subscriptions, 0U);
    EXPECT_FALSE(world.commands<sfu::Unsubscribe>().empty());
    EXPECT_EQ(code_of(bob.request("sub-tracks", {{"tracks", track_refs({back})}})), 10051);
    world.join("bob");
    EXPECT_FALSE(world.hub->member_view(kRoom, "bob")->privileges.subscribe) << "no way around it";
}

TEST_F(ModerationTest, WithdrawnRightsEndStreamsOfMiniPrograms) {
    Client& mini = world.join_mini("mini");
    ASSERT_TRUE(world.publish_stream(1, {mini.rtmptoken, "mini", {}}).has_value());
    world.find_tracks(1, {{sfu::MediaKind::kAudio, sfu::Codec::kOpus}});
    change("mini", {.publish = false});
    EXPECT_EQ(world.end_of(1), StreamEnd::kNotAllowed);
    EXPECT_TRUE(mini.has("on-remove-local-tracks"));
    EXPECT_FALSE(world.publish_stream(2, {mini.rtmptoken, "mini", {}}).has_value());
}

TEST_F(ModerationTest, AUserBecomesAdmin) {
    Client& ann = world.join("ann");
    world.join("bob");
    const json::object kick{{"command", "kickplayer"}, {"playerid", "bob"}};
    EXPECT_EQ(code_of(ann.request("control", kick)), 10051);
    change("ann", {.permission = room::Permission::kAdmin});
    EXPECT_EQ(code_of(ann.request("control", kick)), 0);
    EXPECT_EQ(world.event_count(RoomEventKind::kRoleChanged), 1U);
}

TEST_F(ModerationTest, MessagesOfTheServer) {
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const auto send = [&](std::vector<std::string> targets) {
        const auto sent = world.hub->send_message(
            world.now, world.wall, kRoom, {"server", "hi", std::move(targets)}, world.out);
        world.deliver();
        return sent ? sent->told : 99U;
    };
    EXPECT_EQ(send({}), 2U);
    EXPECT_EQ(text_of(ann.take("on-messages").at("messages").at(0).at("playerid")), "server");
    bob.forget();
    EXPECT_EQ(send({"ann", "ann", "nobody"}), 1U);
    EXPECT_FALSE(bob.has("on-messages"));
    bob.lose_socket();
    EXPECT_EQ(send({"bob"}), 0U);
    Client& back = world.connect();
    back.reconnect("bob", bob.reconntoken);
    EXPECT_TRUE(back.has("on-messages")) << "told when it is back";
}

TEST_F(ModerationTest, BansAndClosedRoomsKeepEverybodyOut) {
    world.join("ann");
    world.apps.banned.insert("bob");
    EXPECT_EQ(code_of(world.connect().auth("bob")), 10001);
    EXPECT_EQ(code_of(world.connect().mini_auth("bob")), 10001);
    EXPECT_TRUE(world.hub->set_room_open(world.now, kRoom, false).has_value());
    EXPECT_EQ(code_of(world.connect().auth("cid")), 10012);
    EXPECT_TRUE(world.hub->set_room_open(world.now, kRoom, true).has_value());
    EXPECT_EQ(code_of(world.connect().auth("cid")), 0);
    world.apps.closed.insert({"app1", "room2"});
    EXPECT_EQ(code_of(world.connect().auth("dan", {.room = "room2"})), 10012);
    EXPECT_EQ(world.hub->stats().rooms, 1U) << "a refused join makes no room";
}

TEST_F(ModerationTest, PagesOfRooms) {
    for (int i = 0; i < 25; ++i) {
        world.join("u" + std::to_string(i), {.room = "room-" + std::to_string(100 + i)});
    }
    std::vector<std::string> seen;
    std::string after;
    for (;;) {
        const RoomPage page = world.hub->room_page("app1", "room-", after, 10, false);
        for (const RoomSummary& room : page.rooms) seen.push_back(room.name);
        if (page.end) break;
        after = page.rooms.back().name;
    }
    EXPECT_EQ(seen.size(), 25U);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_EQ(world.hub->room_page("app1", "room-11", "", 100, false).rooms.size(), 10U);
    EXPECT_EQ(world.hub->room_page("app1", "zzz", "", 100, false).rooms.size(), 0U);
    EXPECT_EQ(world.hub->list_rooms("app1", "room-11", 8, 5).rooms.size(), 2U);
    EXPECT_EQ(world.hub->list_rooms("app1", "room-11", 80, 5).rooms.size(), 0U);
    // An empty room is listed only when it is asked for.
    ASSERT_TRUE(world.hub->create_room(world.now, {"app1", "empty"}, {}, world.out).has_value());
    EXPECT_EQ(world.hub->room_page("app1", "", "", 100, false).rooms.size(), 25U);
    EXPECT_EQ(world.hub->room_page("app1", "", "", 100, true).rooms.size(), 26U);
    EXPECT_FALSE(world.hub->room_page("app1", "", "", 25, true).end);
}

}  // namespace
}  // namespace parley::signalling

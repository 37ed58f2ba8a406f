/// Streams that follow the sound of a room: `mix=audio` in a play URL.
#include <gtest/gtest.h>

#include <algorithm>

#include "world.h"

namespace parley::signalling {
namespace {

using std::string;

constexpr FoundTrack kSound{sfu::MediaKind::kAudio, sfu::Codec::kOpus};
constexpr FoundTrack kPicture{sfu::MediaKind::kVideo, sfu::Codec::kH264};
constexpr std::uint64_t kMix = 100;

class MixedPlayTest : public ::testing::Test {
protected:
    Client& join_publishing(const string& user, std::uint64_t stream) {
        Client& client = world.join_mini(user);
        EXPECT_TRUE(world.publish_stream(stream, {client.rtmptoken, user, {}}));
        users[stream] = user;
        world.find_tracks(stream, {kSound, kPicture});
        return client;
    }
    static StreamAddress mix_for(const Client& client) {
        return {client.rtmptoken, "", {}, "audio"};
    }
    const MediaSource& source(const string& user, sfu::MediaKind kind) {
        sources = world.hub->media_sources({"app1", "room1"}, user);
        return *std::ranges::find(sources, kind, &MediaSource::kind);
    }
    /// The users whose sound the worker was last told to mix; and nothing is told for nothing.
    std::vector<string> told() {
        EXPECT_EQ(world.room_sounds.size(), 1u);
        const std::vector<RoomSoundTrack> tracks = world.room_sounds.back().tracks;
        world.room_sounds.clear();
        return names_of(tracks);
    }
    std::vector<string> names_of(const std::vector<RoomSoundTrack>& tracks) {
        std::vector<string> names;
        for (const RoomSoundTrack& one : tracks) {
            for (const ToWorker& to : world.all_commands) {
                const auto* added = std::get_if<sfu::AddLocalTrack>(&to.command);
                if (added == nullptr || added->track != one.track) continue;
                EXPECT_EQ(added->kind, sfu::MediaKind::kAudio);
                names.push_back(users.at(added->source.value));
            }
        }
        std::ranges::sort(names);
        return names;
    }
    using Names = std::vector<string>;

    World world;
    std::map<std::uint64_t, string> users;  ///< by publishing stream
    std::vector<MediaSource> sources;
};

TEST_F(MixedPlayTest, FollowsWhoComesAndGoesAndWhoIsMuted) {
    Client& ann = join_publishing("ann", 1);
    Client& bob = join_publishing("bob", 2);
    EXPECT_TRUE(world.room_sounds.empty()) << "nobody plays the mix";
    const auto grant = world.play_stream(kMix, mix_for(ann));
    ASSERT_TRUE(grant);
    ASSERT_TRUE(grant->mixes);
    EXPECT_TRUE(grant->tracks.empty());
    const std::vector<RoomSoundTrack> sounds = world.hub->sounds_of(*grant->mixes);
    EXPECT_EQ(names_of(sounds), (Names{"ann", "bob"}));
    EXPECT_TRUE(std::ranges::any_of(sounds, [&](const RoomSoundTrack& one) {
        return one.owner == grant->listener;
    })) << "the gateway leaves out what is the listener's";

    join_publishing("cat", 3);
    EXPECT_EQ(told(), (Names{"ann", "bob", "cat"}));
    const string sound = source("bob", sfu::MediaKind::kAudio).trackid;
    const string picture = source("bob", sfu::MediaKind::kVideo).trackid;
    const auto mute = [&](const string& id, bool muted) {
        bob.send("mute-tracks", {{"tracks", json::array{{{"trackid", id}, {"muted", muted}}}}});
    };
    mute(sound, true);
    EXPECT_EQ(told(), (Names{"ann", "cat"}));
    mute(sound, true);
    EXPECT_TRUE(world.room_sounds.empty()) << "nothing changed";
    mute(sound, false);
    EXPECT_EQ(told(), (Names{"ann", "bob", "cat"}));
    world.close_stream(3);
    EXPECT_EQ(told(), (Names{"ann", "bob"}));
    bob.send("disconnect", {});
    EXPECT_EQ(told(), (Names{"ann"}));
    EXPECT_FALSE(world.end_of(kMix)) << "it goes on when it is silent";
    world.close_stream(kMix);
    join_publishing("dan", 4);
    EXPECT_TRUE(world.room_sounds.empty());
}

TEST_F(MixedPlayTest, OnePictureMayGoWithItAndEndsItWhenItGoes) {
    Client& ann = join_publishing("ann", 1);
    join_publishing("bob", 2);
    StreamAddress address = mix_for(ann);
    address.playerid = "bob";
    address.trackids = {source("bob", sfu::MediaKind::kVideo).trackid};
    const auto grant = world.play_stream(kMix, address);
    ASSERT_TRUE(grant);
    EXPECT_TRUE(grant->mixes);
    ASSERT_EQ(grant->tracks.size(), 1u);
    EXPECT_EQ(grant->tracks[0].kind, sfu::MediaKind::kVideo);
    world.close_stream(2);
    EXPECT_EQ(world.end_of(kMix), StreamEnd::kTrackGone);
}

TEST_F(MixedPlayTest, WhatIsNotAMixIsRefused) {
    Client& ann = join_publishing("ann", 1);
    join_publishing("bob", 2);
    const auto why = [&](const StreamAddress& address) {
        const auto grant = world.play_stream(kMix, address);
        EXPECT_FALSE(grant);
        return grant ? Errc::kInternal : grant.error().code;
    };
    EXPECT_EQ(why({"unknown", "", {}, "audio"}), Errc::kNotFound);
    EXPECT_EQ(why({"", "", {}, "audio"}), Errc::kNotFound);
    EXPECT_EQ(why({ann.rtmptoken, "", {}, "mosaic"}), Errc::kForbidden);
    EXPECT_EQ(why({ann.rtmptoken, "", {"no-such-track"}, "audio"}), Errc::kNotFound);
    EXPECT_EQ(why({ann.rtmptoken, "", {source("bob", sfu::MediaKind::kAudio).trackid}, "audio"}),
              Errc::kForbidden);
    EXPECT_EQ(why({ann.rtmptoken, "ann", {source("bob", sfu::MediaKind::kVideo).trackid}, "audio"}),
              Errc::kNotFound);
    const auto publish = world.publish_stream(9, {ann.rtmptoken, "ann", {}, "audio"});
    ASSERT_FALSE(publish);
    EXPECT_EQ(publish.error().code, Errc::kForbidden);
}

TEST_F(MixedPlayTest, EndsWithTheSessionOfItsListener) {
    Client& ann = join_publishing("ann", 1);
    Client& cat = world.join_mini("cat");
    ASSERT_TRUE(world.play_stream(kMix, mix_for(ann)));
    ASSERT_TRUE(world.play_stream(kMix + 1, mix_for(cat)));
    const string token = ann.rtmptoken;
    ann.send("disconnect", {});
    EXPECT_EQ(world.end_of(kMix), StreamEnd::kMemberLeft);
    EXPECT_FALSE(world.end_of(kMix + 1));
    EXPECT_EQ(told(), Names{}) << "told for the other one";
    EXPECT_FALSE(world.play_stream(kMix, {token, "", {}, "audio"}));
}

}  // namespace
}  // namespace parley::signalling

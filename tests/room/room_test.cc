#include "room/room.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"

namespace parley::room {
namespace {

Limits small_limits() {
    return {.max_users = 3,
            .max_members = 5,
            .max_tracks_per_member = 4,
            .max_subscriptions_per_member = 3,
            .max_message_log = 4};
}

NewMember user(std::string id, ClientKind kind = ClientKind::kWeb) {
    NewMember info;
    info.user_id = std::move(id);
    info.kind = kind;
    return info;
}

NewTrack source(std::string local_id, sfu::MediaKind kind = sfu::MediaKind::kAudio) {
    NewTrack info;
    info.local_id = std::move(local_id);
    info.kind = kind;
    return info;
}

constexpr MemberId kAnn{1};
constexpr MemberId kBob{2};

class RoomTest : public testing::Test {
protected:
    RoomTest() {
        EXPECT_TRUE(room_.join(kAnn, user("ann")));
        EXPECT_TRUE(room_.join(kBob, user("bob")));
    }
    Track* publish(MemberId owner, std::string local_id, std::string fresh_id) {
        const auto track = room_.publish(
            owner, TrackId(++media_), ++batch_, std::move(fresh_id), source(std::move(local_id)));
        return track ? *track : nullptr;
    }

    Room room_{small_limits(), 100};
    std::uint32_t media_ = 0;
    std::uint64_t batch_ = 0;
};

TEST_F(RoomTest, OneVisibleMemberForEachUser) {
    const auto again = room_.join(MemberId(3), user("ann"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::kConflict);
    EXPECT_TRUE(room_.join(MemberId(3), user("ann", ClientKind::kViewer)));
    EXPECT_EQ(room_.find_user("ann")->id, kAnn);
    EXPECT_EQ(room_.visible_count(), 2u);
}

TEST_F(RoomTest, UsersAndViewersHaveTheirOwnLimits) {
    EXPECT_TRUE(room_.join(MemberId(3), user("cat")));
    const auto fourth = room_.join(MemberId(4), user("dan"));
    ASSERT_FALSE(fourth);
    EXPECT_EQ(fourth.error().code, Errc::kBusy);
    EXPECT_TRUE(room_.join(MemberId(5), user("v", ClientKind::kViewer)));
    EXPECT_TRUE(room_.join(MemberId(6), user("v", ClientKind::kViewer)));
    EXPECT_FALSE(room_.join(MemberId(7), user("v", ClientKind::kViewer)));
    room_.leave(MemberId(3));
    EXPECT_TRUE(room_.join(MemberId(8), user("dan")));
}

TEST_F(RoomTest, SourceKeepsItsIdAndMidOverARepublish) {
    const Track* first = publish(kAnn, "cam", "t1");
    ASSERT_NE(first, nullptr);
    const std::uint32_t mid = first->mid;
    EXPECT_EQ(first->versionid, 1u);
    EXPECT_EQ(publish(kAnn, "cam", "t2"), nullptr) << "published already";
    room_.unpublish_all(kAnn);
    const Track* again = publish(kAnn, "cam", "t3");
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->id, "t1");
    EXPECT_EQ(again->mid, mid);
    EXPECT_EQ(again->versionid, 2u);
    EXPECT_FALSE(again->announced);
    const Track* other = publish(kBob, "cam", "t4");
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(other->id, "t4") << "local ids of two members have nothing to do with each other";
    EXPECT_NE(other->mid, mid);
}

TEST_F(RoomTest, OtherKindOfTheSameSourceIsAnotherTrack) {
    ASSERT_NE(publish(kAnn, "x", "t1"), nullptr);
    const auto video =
        room_.publish(kAnn, TrackId(90), 90, "t2", source("x", sfu::MediaKind::kVideo));
    ASSERT_TRUE(video);
    EXPECT_EQ((*video)->id, "t2");
}

TEST_F(RoomTest, TracksPerMemberAreBounded) {
    for (int i = 0; i < 4; ++i) {
        ASSERT_NE(publish(kAnn, "s" + std::to_string(i), "t" + std::to_string(i)), nullptr);
    }
    EXPECT_EQ(publish(kAnn, "s4", "t4"), nullptr);
    EXPECT_NE(publish(kBob, "s4", "t4"), nullptr);
}

TEST_F(RoomTest, RetiredSourcesAreBoundedAndTheOldestIsForgotten) {
    for (std::size_t i = 0; i <= Room::kMaxRetiredSources; ++i) {
        ASSERT_NE(publish(kAnn, "s" + std::to_string(i), "t" + std::to_string(i)), nullptr);
        room_.unpublish_all(kAnn);
    }
    EXPECT_EQ(publish(kAnn, "s0", "fresh")->id, "fresh");
    EXPECT_EQ(publish(kAnn, "s1", "fresh1")->id, "t1");
}

TEST_F(RoomTest, AnnouncesByRequestAndOnlyOnce) {
    room_.publish(kAnn, TrackId(11), 1, "a", source("1"));
    room_.publish(kAnn, TrackId(12), 1, "b", source("2"));
    room_.publish(kAnn, TrackId(13), 2, "c", source("3"));
    const auto batches = room_.announce(kAnn);
    ASSERT_EQ(batches.size(), 2u);
    EXPECT_EQ(batches[0].size(), 2u);
    EXPECT_EQ(batches[1].size(), 1u);
    EXPECT_TRUE(room_.announce(kAnn).empty());
}

TEST_F(RoomTest, OnlyAnnouncedTracksOfOthersCanBeSubscribed) {
    publish(kAnn, "cam", "t1");
    EXPECT_FALSE(room_.subscribe(kBob, "t1")) << "not announced";
    room_.announce(kAnn);
    EXPECT_FALSE(room_.subscribe(kAnn, "t1")) << "own";
    EXPECT_FALSE(room_.subscribe(kBob, "t2")) << "unknown";
    const auto first = room_.subscribe(kBob, "t1");
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->is_new);
    const auto again = room_.subscribe(kBob, "t1");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->is_new);
    EXPECT_EQ(again->subscription, first->subscription);
    EXPECT_TRUE(room_.unsubscribe(kBob, "t1"));
    EXPECT_FALSE(room_.unsubscribe(kBob, "t1"));
}

TEST_F(RoomTest, SubscriptionsAreBoundedAndEndWithTheirTrack) {
    for (int i = 0; i < 4; ++i) publish(kAnn, std::to_string(i), "t" + std::to_string(i));
    room_.announce(kAnn);
    EXPECT_TRUE(room_.subscribe(kBob, "t0"));
    EXPECT_TRUE(room_.subscribe(kBob, "t1"));
    EXPECT_TRUE(room_.subscribe(kBob, "t2"));
    const auto fourth = room_.subscribe(kBob, "t3");
    ASSERT_FALSE(fourth);
    EXPECT_EQ(fourth.error().code, Errc::kTooLarge);
    const std::vector<std::string> ids{"t1", "nonsense"};
    EXPECT_EQ(room_.unpublish(kAnn, ids).size(), 1u);
    EXPECT_EQ(room_.find(kBob)->subscriptions.size(), 2u);
    EXPECT_TRUE(room_.unpublish(kBob, std::vector<std::string>{"t0"}).empty()) << "not his";
    room_.leave(kAnn);
    EXPECT_TRUE(room_.find(kBob)->subscriptions.empty());
    EXPECT_TRUE(room_.tracks().empty());
}

TEST_F(RoomTest, LeavingTellsOnlyOfTracksThatOthersKnew) {
    publish(kAnn, "1", "t1");
    room_.announce(kAnn);
    publish(kAnn, "2", "t2");
    const std::vector<Track> gone = room_.leave(kAnn);
    ASSERT_EQ(gone.size(), 1u);
    EXPECT_EQ(gone[0].id, "t1");
    EXPECT_EQ(room_.find_user("ann"), nullptr);
    EXPECT_TRUE(room_.leave(kAnn).empty());
}

TEST(MessageLog, ReplaysWhatWasMissedAndForgetsTheOldest) {
    MessageLog log(100, 3);
    for (int i = 0; i < 4; ++i) {
        Message message;
        message.sender = i == 3 ? "bob" : "ann";
        message.msgsn = log.take_number();
        if (i == 2) message.targets = {"cat"};
        log.add(message);
    }
    EXPECT_EQ(log.size(), 3u);
    EXPECT_EQ(log.last_number(), 103);
    const auto for_bob = log.missed("bob", 0);
    ASSERT_EQ(for_bob.size(), 1u) << "not the forgotten one, not another's, not his own";
    EXPECT_EQ(for_bob[0].msgsn, 101);
    EXPECT_EQ(log.missed("cat", 101).size(), 2u);
    EXPECT_TRUE(log.missed("cat", 103).empty());
}

/// A slow, obvious room beside the real one under random operations.
TEST(RoomModel, AgreesWithASimpleModel) {
    struct Model {
        std::map<std::uint64_t, std::string> members;
        std::map<std::string, std::uint64_t> owner;  // track id -> member
        std::set<std::pair<std::uint64_t, std::string>> subscriptions;
    };
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Rng rng(seed);
        Room room({.max_users = 4,
                   .max_members = 6,
                   .max_tracks_per_member = 3,
                   .max_subscriptions_per_member = 4,
                   .max_message_log = 4},
                  1);
        Model model;
        std::map<std::string, std::uint32_t> mid_of;
        std::uint64_t next_member = 1;
        std::uint32_t next_media = 1;
        const auto any_member = [&]() -> std::uint64_t {
            if (model.members.empty()) return 999;
            return std::next(model.members.begin(),
                             static_cast<std::ptrdiff_t>(rng.below(model.members.size())))
                ->first;
        };
        for (int step = 0; step < 400; ++step) {
            switch (rng.below(6)) {
                case 0: {
                    const std::string name = "u" + std::to_string(rng.below(6));
                    bool taken = false;
                    for (const auto& [id, user_id] : model.members) taken |= user_id == name;
                    const bool fits = model.members.size() < 4 && !taken;
                    ASSERT_EQ(room.join(MemberId(next_member), user(name)).has_value(), fits);
                    if (fits) model.members[next_member] = name;
                    ++next_member;
                    break;
                }
                case 1: {
                    const std::uint64_t id = any_member();
                    room.leave(MemberId(id));
                    model.members.erase(id);
                    std::erase_if(model.owner, [&](const auto& e) { return e.second == id; });
                    std::erase_if(model.subscriptions,
                                  [&](const auto& e) { return e.first == id; });
                    break;
                }
                case 2: {
                    const std::uint64_t id = any_member();
                    const std::string local = "l" + std::to_string(rng.below(5));
                    const auto track = room.publish(MemberId(id),
                                                    TrackId(next_media),
                                                    next_media,
                                                    "t" + std::to_string(next_media),
                                                    source(local));
                    ++next_media;
                    if (!track) break;
                    ASSERT_TRUE(model.members.contains(id));
                    ASSERT_FALSE(model.owner.contains((*track)->id));
                    model.owner[(*track)->id] = id;
                    const auto [at, fresh] = mid_of.emplace((*track)->id, (*track)->mid);
                    ASSERT_EQ(at->second, (*track)->mid) << "a track keeps its mid";
                    break;
                }
                case 3: {
                    const std::uint64_t id = any_member();
                    std::vector<std::string> ids;
                    for (const auto& [track, owner] : model.owner) {
                        if (rng.chance(0.3)) ids.push_back(track);
                    }
                    room.unpublish(MemberId(id), ids);
                    for (const std::string& track : ids) {
                        if (model.owner[track] == id) model.owner.erase(track);
                    }
                    break;
                }
                case 4:
                    room.announce(MemberId(any_member()));
                    break;
                case 5: {
                    if (model.owner.empty()) break;
                    const std::string track =
                        std::next(model.owner.begin(),
                                  static_cast<std::ptrdiff_t>(rng.below(model.owner.size())))
                            ->first;
                    const std::uint64_t id = any_member();
                    if (room.subscribe(MemberId(id), track)) {
                        model.subscriptions.emplace(id, track);
                    }
                    break;
                }
            }
            std::erase_if(model.subscriptions,
                          [&](const auto& e) { return !model.owner.contains(e.second); });
            ASSERT_EQ(room.members().size(), model.members.size());
            ASSERT_EQ(room.visible_count(), model.members.size());
            ASSERT_EQ(room.tracks().size(), model.owner.size());
            std::set<std::uint32_t> mids;
            for (const auto& [id, track] : room.tracks()) {
                ASSERT_EQ(track.owner.value, model.owner.at(id));
                ASSERT_TRUE(mids.insert(track.mid).second) << "mids are unique";
                ASSERT_EQ(room.find_track(track.media), &track);
            }
            std::set<std::pair<std::uint64_t, std::string>> subscriptions;
            for (const auto& [id, member] : room.members()) {
                ASSERT_LE(room.tracks_of(id).size(), 3u);
                ASSERT_LE(member.subscriptions.size(), 4u);
                for (const auto& [track, subscription] : member.subscriptions) {
                    subscriptions.emplace(id.value, track);
                    ASSERT_EQ(subscription.media, room.find_track(track)->media);
                    ASSERT_NE(room.find_track(track)->owner, id);
                }
            }
            ASSERT_EQ(subscriptions, model.subscriptions) << "seed " << seed;
        }
    }
}

}  // namespace
}  // namespace parley::room

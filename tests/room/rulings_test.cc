#include "room/rulings.h"

#include <gtest/gtest.h>

namespace parley::room {
namespace {

constexpr auto kAudio = sfu::MediaKind::kAudio;
constexpr auto kVideo = sfu::MediaKind::kVideo;
const Kinds kBoth{true, true};
const Kinds kSound{true, false};
const Kinds kPicture{false, true};

TEST(Rulings, ALockOnEverybodyHoldsForThoseWhoComeLater) {
    Rulings rulings;
    EXPECT_FALSE(rulings.is_locked("a", kAudio, "t"));
    ASSERT_TRUE(rulings.lock_all(kSound, {"teacher"}).has_value());
    EXPECT_TRUE(rulings.is_locked("whoever", kAudio, "t"));
    EXPECT_FALSE(rulings.is_locked("whoever", kVideo, "t"));
    EXPECT_FALSE(rulings.is_locked("teacher", kAudio, "t"));
    ASSERT_TRUE(rulings.unlock_user("a", kBoth).has_value());
    EXPECT_FALSE(rulings.is_locked("a", kAudio, "t")) << "one may speak";
    ASSERT_TRUE(rulings.lock_all(kSound, {}).has_value());
    EXPECT_TRUE(rulings.is_locked("a", kAudio, "t")) << "earlier exceptions are over";
    EXPECT_TRUE(rulings.is_locked("teacher", kAudio, "t"));
}

TEST(Rulings, UnlockingEverybodyLeavesTheSparedAlone) {
    Rulings rulings;
    ASSERT_TRUE(rulings.lock_all(kBoth, {}).has_value());
    ASSERT_TRUE(rulings.lock_user("b", kSound).has_value());
    ASSERT_TRUE(rulings.unlock_all(kSound, {"loud"}).has_value());
    EXPECT_TRUE(rulings.is_locked("loud", kAudio, "t"));
    EXPECT_FALSE(rulings.is_locked("b", kAudio, "t"));
    EXPECT_TRUE(rulings.is_locked("b", kVideo, "t"));
    EXPECT_EQ(rulings.locked_for_all(), kPicture);
}

TEST(Rulings, OneUserAndOneTrack) {
    Rulings rulings;
    ASSERT_TRUE(rulings.lock_user("a", kPicture).has_value());
    ASSERT_TRUE(rulings.lock_track("t1").has_value());
    EXPECT_EQ(rulings.locked_for("a"), kPicture);
    EXPECT_TRUE(rulings.is_locked("b", kAudio, "t1"));
    EXPECT_FALSE(rulings.is_locked("b", kAudio, "t2"));
    rulings.unlock_track("t1");
    ASSERT_TRUE(rulings.unlock_user("a", kPicture).has_value());
    EXPECT_FALSE(rulings.is_locked("a", kVideo, "t1"));
}

TEST(Rulings, RightsAreTheMostThatAClientGets) {
    Rulings rulings;
    ASSERT_TRUE(rulings.set_rights("a", Permission::kAdmin, false, std::nullopt).has_value());
    EXPECT_EQ(rulings.permission("a", Permission::kUser), Permission::kAdmin);
    EXPECT_EQ(rulings.permission("b", Permission::kUser), Permission::kUser);
    EXPECT_EQ(rulings.allowed("a", {true, true}), (Privileges{false, true}));
    EXPECT_EQ(rulings.allowed("a", {true, false}), (Privileges{false, false}));
    ASSERT_TRUE(rulings.set_rights("a", std::nullopt, true, std::nullopt).has_value());
    EXPECT_EQ(rulings.allowed("a", {true, true}), (Privileges{true, true}));
    EXPECT_EQ(rulings.permission("a", Permission::kUser), Permission::kAdmin);
}

TEST(Rulings, TheTableIsBounded) {
    Rulings rulings;
    for (std::size_t i = 0; i < Rulings::kMaxUsers; ++i) {
        ASSERT_TRUE(rulings.lock_user("u" + std::to_string(i), kBoth).has_value());
        ASSERT_TRUE(rulings.lock_track("t" + std::to_string(i)).has_value());
    }
    EXPECT_FALSE(rulings.lock_user("more", kBoth).has_value());
    EXPECT_FALSE(rulings.lock_track("more").has_value());
    EXPECT_FALSE(rulings.lock_all(kBoth, {"more"}).has_value());
    EXPECT_FALSE(rulings.set_rights("more", {}, false, {}).has_value());
    EXPECT_TRUE(rulings.lock_user("u1", kSound).has_value()) << "who is there already";
}

}  // namespace
}  // namespace parley::room

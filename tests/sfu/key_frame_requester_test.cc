#include "sfu/key_frame_requester.h"

#include <gtest/gtest.h>

namespace parley::sfu {
namespace {

/// Requests that are due until `end`, the clock going on by 100 ms.
int requests(KeyFrameRequester& requester, Instant& now, Instant end) {
    int count = 0;
    for (; now < end; now += 100ms) count += requester.take_due(now) ? 1 : 0;
    return count;
}

TEST(KeyFrameRequester, AsksAtMostTwiceASecondAndSlowerWhenNobodyAnswers) {
    KeyFrameRequester requester;
    Instant now(10s);
    EXPECT_EQ(requests(requester, now, Instant(11s)), 0) << "nobody wants one";
    requester.want(now);
    requester.want(now);
    EXPECT_EQ(requests(requester, now, Instant(16s)), 10);
    EXPECT_EQ(requests(requester, now, Instant(25s)), 3);
    requester.handle_key_frame();
    EXPECT_FALSE(requester.next_deadline().has_value());
}

TEST(KeyFrameRequester, MediaThatComesBackIsAskedQuicklyAgain) {
    KeyFrameRequester requester;
    Instant now(10s);
    requester.handle_return(now);
    EXPECT_FALSE(requester.is_wanted()) << "nobody wants one";
    requester.want(now);
    requests(requester, now, Instant(16s));
    requester.handle_return(now);
    EXPECT_EQ(requests(requester, now, Instant(18s)), 4) << "the pace of a first request";
}

TEST(KeyFrameRequester, NeverTwiceWithinHalfASecond) {
    KeyFrameRequester requester;
    Instant now(10s);
    requester.want(now);
    EXPECT_TRUE(requester.take_due(now));
    requester.handle_return(now + 100ms);
    requester.handle_key_frame();
    requester.want(now + 200ms);
    EXPECT_FALSE(requester.take_due(now + 400ms));
    EXPECT_TRUE(requester.take_due(now + 500ms));
}

}  // namespace
}  // namespace parley::sfu

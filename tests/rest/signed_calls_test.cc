#include "rest/signed_calls.h"

#include <gtest/gtest.h>

#include "rest/router.h"
#include "support.h"

// Who may call at all: replays, dates, guesses, headers that come twice.
namespace parley::rest {
namespace {

constexpr const char* kDateNow = "20231114T221320Z";  // kNow

struct SignedCallsTest : ::testing::Test, RoutedFakes {
    SignedCallsTest() : RoutedFakes(config()) {}

    unsigned call(Router& to,
                  std::vector<Header> extra,
                  const std::string& target = "/x1/account",
                  WallTime wall = kNow) {
        return to.handle(Instant{}, wall, signed_request("GET", target, "", "", kKey, extra))
            .status;
    }
    static RouterConfig config(SignedCallRules rules = {}, bool trust_proxy = false) {
        RouterConfig out;
        out.signing_key = "signing-key";
        out.signed_calls = rules;
        out.trust_proxy = trust_proxy;
        return out;
    }
};

TEST_F(SignedCallsTest, ANonceIsTakenOnce) {
    const Header date{"X-Qiniu-Date", kDateNow};
    const Header nonce{"X-Qiniu-Nonce", "0123456789abcdef"};
    EXPECT_EQ(call(router, {date, nonce}), 200U);
    EXPECT_EQ(call(router, {date, nonce}), 401U);
    EXPECT_EQ(call(router, {date, nonce}, "/v3/apps"), 401U) << "whatever it calls";
    EXPECT_EQ(call(router, {date, {"X-Qiniu-Nonce", "0123456789abcdeg"}}), 200U);
    EXPECT_EQ(call(router, {nonce}), 401U) << "a date has to bound how long it is remembered";
    EXPECT_EQ(call(router, {date, {"X-Qiniu-Nonce", "short"}}), 401U);
    EXPECT_EQ(call(router, {date, {"X-Qiniu-Nonce", "0123456789abcde "}}), 401U);
    // When it is forgotten, its date is too old.
    EXPECT_EQ(call(router, {date, nonce}, "/x1/account", kNow + 15min + 2s), 401U);
}

TEST_F(SignedCallsTest, DatesWithinTheWindow) {
    const Header date{"X-Qiniu-Date", kDateNow};
    for (const Duration off : {Duration(-15min), Duration(0s), Duration(15min)}) {
        EXPECT_EQ(call(router, {date}, "/x1/account", kNow + off), 200U);
    }
    for (const Duration off : {Duration(-15min - 1s), Duration(15min + 1s)}) {
        EXPECT_EQ(call(router, {date}, "/x1/account", kNow + off), 401U);
    }
    EXPECT_EQ(call(router, {{"X-Qiniu-Date", "2023-11-14"}}), 401U);
    EXPECT_EQ(call(router, {}), 200U) << "published SDKs send none";
    Router strict{config({.signature = {.max_age = 10s, .needs_date = true}, .needs_nonce = true}),
                  Rng(7),
                  secrets,
                  directory,
                  sessions,
                  estate,
                  rooms,
                  history};
    EXPECT_EQ(call(strict, {}), 401U);
    EXPECT_EQ(call(strict, {date}), 401U) << "no nonce";
    EXPECT_EQ(call(strict, {date}, "/v3/apps"), 200U) << "published calls have none";
    const Header nonce{"X-Qiniu-Nonce", "0123456789abcdef"};
    EXPECT_EQ(call(strict, {date, nonce}, "/x1/account", kNow + 11s), 401U);
    EXPECT_EQ(call(strict, {date, nonce}), 200U);
}

TEST_F(SignedCallsTest, HeadersThatDecideComeOnce) {
    for (const char* name :
         {"Authorization", "authorization", "Content-Type", "Host", "X-Qiniu-A"}) {
        HttpRequest request =
            signed_request("GET", "/x1/account", "", "", kKey, {{"X-Qiniu-A", "1"}});
        request.headers.emplace_back("Host", request.host);
        if (std::string(name) == "Content-Type") request.headers.emplace_back(name, "");
        request.headers.emplace_back(name, std::string(name) == "Host" ? request.host : "");
        EXPECT_EQ(router.handle(Instant{}, kNow, request).status, 401U) << name;
    }
}

TEST_F(SignedCallsTest, FailuresCountForTheAddressThatAProxyNames) {
    Router behind{config({}, true), Rng(7), secrets, directory, sessions, estate, rooms, history};
    const auto fail_from = [&](const std::string& chain) {
        HttpRequest request;
        request.method = "GET";
        request.target = "/x1/account";
        request.peer = "10.0.0.1";
        request.headers = {{"X-Forwarded-For", chain}};
        return behind.handle(Instant{}, kNow, request).status;
    };
    for (int i = 0; i < FailureLimit::kBurst; ++i) {
        ASSERT_EQ(fail_from(std::to_string(i) + ".0.0.1, 2001:db8:1:2::" + std::to_string(i)), 401U)
            << "what clients put in front means nothing, and a /64 is one";
    }
    EXPECT_EQ(fail_from("2001:db8:1:2::ffff"), 429U);
    EXPECT_EQ(fail_from("2001:db8:1:3::ffff"), 401U);
    EXPECT_EQ(fail_from("192.0.2.9"), 401U);
}

TEST(FailureLimit, ManyAddressesDoNotFreeTheBlockedOne) {
    FailureLimit limit;
    const Instant now{};
    for (int i = 0; i <= FailureLimit::kBurst; ++i) limit.count_failure(now, "bad");
    ASSERT_TRUE(limit.is_blocked(now, "bad"));
    for (std::size_t i = 0; i < 3 * FailureLimit::kMaxAddresses; ++i) {
        limit.count_failure(now, "a" + std::to_string(i));
        ASSERT_LE(limit.size(), FailureLimit::kMaxAddresses);
    }
    EXPECT_TRUE(limit.is_blocked(now, "bad"));
}

TEST(ReplayGuard, IsBoundedAndForgets) {
    ReplayGuard guard;
    using Verdict = ReplayGuard::Verdict;
    for (std::size_t i = 0; i < ReplayGuard::kMaxNonces; ++i) {
        ASSERT_EQ(guard.take(kNow, "ak", std::to_string(i), kNow + 10s), Verdict::kFresh);
    }
    EXPECT_EQ(guard.take(kNow, "ak", "more", kNow + 10s), Verdict::kFull);
    EXPECT_EQ(guard.take(kNow, "ak", "7", kNow + 10s), Verdict::kSeen);
    EXPECT_EQ(guard.take(kNow + 10s, "ak", "more", kNow + 20s), Verdict::kFresh);
    EXPECT_EQ(guard.size(), 1U);
    EXPECT_EQ(guard.take(kNow + 10s, "other", "more", kNow + 20s), Verdict::kFresh)
        << "each key has nonces of its own";
}

}  // namespace
}  // namespace parley::rest

#include "auth/room_token.h"

#include <gtest/gtest.h>

#include "auth/hmac.h"
#include "base/encoding.h"
#include "support.h"

namespace parley::auth {
namespace {

constexpr std::string_view kB1 =
    "AK-test-0123456789:WxMtDYunyqGALAPG-QZazXP0PaU=:"
    "eyJhcHBJZCI6ImRlc2xzODNzMiIsInJvb21OYW1lIjoibWVldGluZy0wMDEiLCJ1c2VySWQiOiJ1c2VyMSIsImV4cGlyZU"
    "F0I"
    "joxNzAwMDAwMDAwLCJwZXJtaXNzaW9uIjoidXNlciJ9";
constexpr std::string_view kB2 =
    "AK-test-0123456789:2MnFGbsG8eoDyAGwfubnYl4EaKg=:"
    "eyJhcHBJZCI6ImRlc2xzODNzMiIsInJvb21OYW1lIjoibWVldGluZy0wMDEiLCJ1c2VySWQiOiJhZG1pbjEiLCJleHBpcm"
    "VBd"
    "CI6MTcwMDAwMDAwMCwicGVybWlzc2lvbiI6ImFkbWluIn0=";
constexpr std::string_view kB3 =
    "AK-test-0123456789:WWPIS7kzGW6CQ6xHkDjmlBatgXU=:"
    "eyJhcHBJZCI6ICJkZXNsczgzczIiLCAicm9vbU5hbWUiOiAibWVldGluZy0wMDEiLCAidXNlcklkIjogInVzZXIxIiwgIm"
    "V4c"
    "GlyZUF0IjogMTcwMDAwMDAwMCwgInBlcm1pc3Npb24iOiAidXNlciJ9";
constexpr std::string_view kB4 =
    "AK-test-0123456789:W5z3b8JsRS3e3XHgM6dv1B39dGs=:"
    "eyJhcHBJZCI6ImRlc2xzODNzMiIsInVzZXJJZCI6InVzZXIxIiwicm9vbU5hbWUiOiJtZWV0aW5nLTAwMSIsInBlcm1pc3"
    "Npb"
    "24iOiJ1c2VyIiwiZXhwaXJlQXQiOjE3MDAwMDAwMDB9";
constexpr std::string_view kB5 =
    "AK-test-0123456789:5pRGsx5DJiwJ39zttB2XXcieHWs=:"
    "eyJhcHBJZCI6ImRlc2xzODNzMiIsInJvb21OYW1lIjoibWVldGluZy0wMDEiLCJ1c2VySWQiOiJ1c2VyMSIsImV4cGlyZU"
    "F0I"
    "joxNzAwMDAwMDAwLCJwZXJtaXNzaW9uIjoiIn0=";

constexpr std::string_view kB6 =
    "AK-test-0123456789:zIBfkO4jRXa1U7kpMKzdMdmr2KY=:"
    "eyJ2ZXJzaW9uIjoiMi4wIiwicm9vbV9uYW1lIjoibWVldGluZy0wMDEiLCJ1c2VyX2lkIjoidXNlcjEiLCJwZXJtIjoiYW"
    "RtaW4iLCJleHBpcmVfYXQiOjE3MDAwMDAwMDB9";

constexpr std::int64_t kExpiry = 1'700'000'000;

RoomClaims claims(std::string user, Permission permission) {
    return {"desls83s2", "meeting-001", std::move(user), at_seconds(kExpiry), permission};
}

/// Signs any payload, so that wrong payloads can be told from wrong signatures.
std::string signed_payload(std::string_view payload) {
    const std::string encoded = base64_encode(as_bytes_view(payload), Base64Alphabet::kUrlSafe);
    const auto mac = hmac_sha1(as_bytes_view(kTestKey.secret_key), as_bytes_view(encoded));
    return kTestKey.access_key + ":" + base64_encode(mac, Base64Alphabet::kUrlSafe) + ":" + encoded;
}

Result<RoomClaims> verify(std::string_view token, std::int64_t now = kExpiry - 1) {
    return verify_room_token(token, FakeKeys{}, at_seconds(now));
}

TEST(Hmac, Rfc2202AndRfc4231Vectors) {
    const Bytes key(20, 0x0b);
    EXPECT_EQ(hex_encode(hmac_sha1(key, as_bytes_view("Hi There"))),
              "b617318655057264e28bc0b6fb378c8ef146be00");
    EXPECT_EQ(hex_encode(hmac_sha256(key, as_bytes_view("Hi There"))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(
        hex_encode(hmac_sha1(as_bytes_view("Jefe"), as_bytes_view("what do ya want for nothing?"))),
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    const Bytes long_key(131, 0xaa);
    EXPECT_EQ(
        hex_encode(hmac_sha256(
            long_key, as_bytes_view("Test Using Larger Than Block-Size Key - Hash Key First"))),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(hex_encode(hmac_sha1({}, {})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

TEST(RoomToken, R2_PublishedVectors) {
    const struct {
        std::string_view token;
        RoomClaims claims;
    } cases[] = {{kB1, claims("user1", Permission::kUser)},
                 {kB2, claims("admin1", Permission::kAdmin)},
                 {kB3, claims("user1", Permission::kUser)},
                 {kB4, claims("user1", Permission::kUser)},
                 {kB5, claims("user1", Permission::kUser)}};
    for (const auto& c : cases) {
        const Result<RoomClaims> result = verify(c.token);
        ASSERT_TRUE(result.has_value()) << result.error().what;
        EXPECT_EQ(*result, c.claims);
    }
    EXPECT_EQ(mint_room_token(kTestKey, claims("user1", Permission::kUser)), kB1);
    EXPECT_EQ(mint_room_token(kTestKey, claims("admin1", Permission::kAdmin)), kB2);
}

TEST(RoomToken, SignMayComeUnpadded) {
    std::string token(kB1);
    token.erase(token.find("=:"), 1);
    EXPECT_TRUE(verify(token).has_value());
    token.erase(token.find("U:"), 1);
    EXPECT_FALSE(verify(token).has_value());
}

TEST(RoomToken, R2_ExpiryIsAClockLaterAndOneCodeOfItsOwn) {
    EXPECT_TRUE(verify(kB1, kExpiry - 1).has_value());
    for (const std::int64_t now : {kExpiry, kExpiry + 1, kExpiry + 1'000'000}) {
        const Result<RoomClaims> late = verify(kB1, now);
        ASSERT_FALSE(late.has_value());
        EXPECT_EQ(late.error().code, Errc::kExpired);
        EXPECT_EQ(wire_code(late.error()), kCodeTokenExpired);
    }
}

TEST(RoomToken, R2_EveryOneByteMutationIsRefused) {
    for (const std::string_view vector : {kB1, kB2, kB3}) {
        for (std::size_t i = 0; i < vector.size(); ++i) {
            for (const int flip : {1, 2, 4, 32, 128}) {
                std::string token(vector);
                token[i] = static_cast<char>(token[i] ^ flip);
                const Result<RoomClaims> result = verify(token);
                ASSERT_FALSE(result.has_value()) << "byte " << i << " of " << vector;
                EXPECT_EQ(wire_code(result.error()), kCodeTokenWrong);
            }
        }
    }
}

TEST(RoomToken, EveryTruncationIsRefused) {
    for (std::size_t n = 0; n < kB1.size(); ++n) {
        ASSERT_FALSE(verify(kB1.substr(0, n)).has_value());
        ASSERT_FALSE(verify(kB1.substr(kB1.size() - n)).has_value());
    }
    EXPECT_FALSE(verify(std::string(kB1) + ":").has_value());
    EXPECT_FALSE(verify(std::string(kMaxRoomTokenBytes + 1, 'a')).has_value());
}

TEST(RoomToken, R2_AnotherKeySignsNothing) {
    const AccountKey wrong{kTestKey.access_key, "SK-other"};
    const Result<RoomClaims> result =
        verify(mint_room_token(wrong, claims("user1", Permission::kUser)));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::kBadIntegrity);
    const AccountKey unknown{"AK-unknown", kTestKey.secret_key};
    EXPECT_EQ(verify(mint_room_token(unknown, claims("user1", Permission::kUser))).error().code,
              Errc::kNotFound);
}

TEST(RoomToken, PayloadForms) {
    const std::string head = R"({"appId":"desls83s2","roomName":"r","userId":"u","expireAt":)";
    const struct {
        std::string payload;
        bool ok;
    } cases[] = {
        {head + "1700000000}", true},
        {head + R"(1700000000,"permission":null})", true},
        {head + R"(1700000000,"permission":"root"})", true},
        {head + R"(1700000000,"privileges":"all","scenario":1})", true},
        {head + "1.7e9}", true},
        {head + "1700000000000}", true},        // milliseconds
        {head + "99999999999}", true},          // the largest seconds
        {head + "9223372036854775807}", true},  // end of time
        {head + "18446744073709551615}", true},
        {head + "1700000000.5}", false},
        {head + R"("1700000000"})", false},
        {head + "null}", false},
        {head + "-1}", false},
        {head + "0}", false},
        {R"({"appId":"desls83s2","roomName":"r","userId":"u"})", false},
        {R"({"appId":"other","roomName":"r","userId":"u","expireAt":1700000000})", false},
        {R"({"appId":"desls83s2","roomName":"","userId":"u","expireAt":1700000000})", false},
        {R"({"appId":"desls83s2","roomName":"a b","userId":"u","expireAt":1700000000})", false},
        {R"({"appId":"desls83s2","roomName":"r","userId":"u:v","expireAt":1700000000})", false},
        {R"({"appId":"desls83s2","roomName":"r","userId":7,"expireAt":1700000000})", false},
        {R"({"appId":"desls83s2","roomName":")" + std::string(65, 'r') +
             R"(","userId":"u","expireAt":1700000000})",
         false},
        {R"({"appId":"desls83s2","roomName":"r","userId":")" + std::string(51, 'u') +
             R"(","expireAt":1700000000})",
         false},
        {"[]", false},
        {"", false},
        {std::string(100, '['), false},
    };
    for (const auto& c : cases) {
        const Result<RoomClaims> result = verify(signed_payload(c.payload));
        EXPECT_EQ(result.has_value(), c.ok) << c.payload;
        if (result) {
            EXPECT_EQ(result->permission, Permission::kUser);
        }
    }
    EXPECT_EQ(verify(signed_payload(head + "1700000000123}"))->expire_at, at_seconds(kExpiry));
    EXPECT_EQ(verify(signed_payload(head + "-1}")).error().code, Errc::kExpired);
}

TEST(RoomToken, S15_VectorB6IsOfTheAccountsAppOfV2Rooms) {
    FakeKeys keys;
    const WallTime now = at_seconds(kExpiry - 1);
    EXPECT_EQ(wire_code(verify_room_token(kB6, keys, now).error()), kCodeTokenWrong)
        << "module off";
    keys.app_of_v2 = "v2-1";
    EXPECT_EQ(wire_code(verify_room_token(kB6, keys, now).error()), kCodeTokenWrong)
        << "no room was ever made";
    keys.apps.insert("v2-1");
    RoomClaims expected = claims("user1", Permission::kAdmin);
    expected.app_id = "v2-1";
    const Result<RoomClaims> result = verify_room_token(kB6, keys, now);
    ASSERT_TRUE(result.has_value()) << result.error().what;
    EXPECT_EQ(*result, expected);
    EXPECT_EQ(wire_code(verify_room_token(kB6, keys, at_seconds(kExpiry)).error()),
              kCodeTokenExpired);
    std::string changed(kB6);
    changed.back() = 'A';
    EXPECT_EQ(verify_room_token(changed, keys, now).error().code, Errc::kBadIntegrity);
}

TEST(RoomToken, S15_PayloadFormsOfV1AndV2) {
    FakeKeys keys;
    keys.app_of_v2 = "v2-1";
    keys.apps.insert("v2-1");
    const std::string rest =
        R"("room_name":"r","user_id":"u","perm":"user","expire_at":1700000000)";
    const struct {
        std::string payload;
        bool ok;
    } cases[] = {
        {"{" + rest + "}", true},  // v1 says no version
        {R"({"version":"2.0",)" + rest + "}", true},
        {R"({"version":"3.0",)" + rest + "}", false},
        {R"({"version":2,)" + rest + "}", false},
        {R"({"version":null,)" + rest + "}", false},
        {R"({"version":"2.0","room_name":"r","user_id":"u","expire_at":1700000000})", true},
        {R"({"version":"2.0","room_name":"r","userId":"u","expire_at":1700000000})", false},
        {R"({"version":"2.0","room_name":"r","user_id":"u","expireAt":1700000000})", false},
        {R"({"version":"2.0","room_name":"a b","user_id":"u","expire_at":1700000000})", false},
        {R"({"room_name": "r", "user_id": "u", "perm": "user", "expire_at": "1700000000"})", true},
        {R"({"room_name":"r","user_id":"u","perm":"user","expire_at":"1700000000x"})", false},
        {R"({"room_name":"r","user_id":"u","perm":"user","expire_at":""})", false},
        // Names both ways: it is a token of an app, and the old names say nothing.
        {R"({"appId":"v2-1",)" + rest + "}", false},
    };
    for (const auto& c : cases) {
        const auto result =
            verify_room_token(signed_payload(c.payload), keys, at_seconds(kExpiry - 1));
        EXPECT_EQ(result.has_value(), c.ok) << c.payload;
        if (result) {
            EXPECT_EQ(result->permission, Permission::kUser) << c.payload;
        }
    }
}

TEST(RoomToken, AWrongTokenIsNeverCalledExpired) {
    // Wrong app and late at once: the check that comes first decides.
    const Result<RoomClaims> result =
        verify(signed_payload(R"({"appId":"x","roomName":"r","userId":"u","expireAt":1})"));
    EXPECT_EQ(wire_code(result.error()), kCodeTokenWrong);
}

}  // namespace
}  // namespace parley::auth

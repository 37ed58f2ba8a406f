#include "auth/access_token.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "auth/relay_token.h"
#include "base/encoding.h"
#include "base/rng.h"
#include "support.h"

namespace parley::auth {
namespace {

constexpr std::string_view kKey = "a key that survives restarts";
constexpr std::string_view kUrl = "wss://rtc.example.org/signalling";

AccessClaims claims() {
    return {"desls83s2", "meeting-001", "user1", Permission::kUser, 0, at_seconds(1'700'000'000)};
}

TEST(AccessToken, IsReadBackAsItWas) {
    AccessClaims admin = claims();
    admin.permission = Permission::kAdmin;
    AccessClaims refused = claims();
    refused.refusal = kCodeTokenExpired;
    AccessClaims nobody;
    nobody.refusal = kCodeTokenWrong;
    nobody.expire_at = claims().expire_at;
    for (const AccessClaims& c : {claims(), admin, refused, nobody}) {
        const Result<AccessClaims> result =
            verify_access_token(kKey, mint_access_token(kKey, c, kUrl), at_seconds(1'699'999'999));
        ASSERT_TRUE(result.has_value());
        EXPECT_EQ(*result, c);
    }
}

/// The payload as a browser reads it: `atob` with the standard alphabet, padding not needed.
std::string payload_of(const std::string& token) {
    const std::size_t first = token.find('.');
    const std::string part = token.substr(first + 1, token.rfind('.') - first - 1);
    EXPECT_EQ(
        part.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
        std::string::npos)
        << part;
    const Result<Bytes> bytes = base64_decode(part);
    EXPECT_TRUE(bytes.has_value());
    return std::string(as_text_view(*bytes));
}

TEST(AccessToken, PayloadIsSafeForBrowsers) {
    // All the characters that Base64 turns into `+ / - _`, at every distance from the start.
    for (const char* awkward : {"", ">", "?", "~", "\x7f", ">>>", "???", "~~~", "?>~?>~?"}) {
        for (int shift = 0; shift < 3; ++shift) {
            AccessClaims c = claims();
            c.user_id = std::string(static_cast<std::size_t>(shift), 'u');
            const std::string url = std::string("ws://h/") + awkward + "tail" + awkward;
            const std::string payload = payload_of(mint_access_token(kKey, c, url));
            EXPECT_NE(payload.find("\"signalingurl2\":\"ws://h/"), std::string::npos) << payload;
            EXPECT_NE(payload.find("tail"), std::string::npos);
        }
    }
    EXPECT_NE(payload_of(mint_access_token(kKey, claims(), kUrl)).find(kUrl), std::string::npos);
}

TEST(AccessToken, EveryOneByteMutationIsRefused) {
    const std::string token = mint_access_token(kKey, claims(), kUrl);
    for (std::size_t i = 0; i < token.size(); ++i) {
        for (const int flip : {1, 2, 4, 32, 128}) {
            std::string changed = token;
            changed[i] = static_cast<char>(changed[i] ^ flip);
            ASSERT_FALSE(verify_access_token(kKey, changed, at_seconds(1)).has_value()) << i;
        }
    }
    for (std::size_t n = 0; n < token.size(); ++n) {
        ASSERT_FALSE(verify_access_token(kKey, token.substr(0, n), at_seconds(1)).has_value());
    }
}

TEST(AccessToken, AnotherKeyAndAnotherTime) {
    const std::string token = mint_access_token(kKey, claims(), kUrl);
    EXPECT_EQ(verify_access_token("other", token, at_seconds(1)).error().code, Errc::kBadIntegrity);
    EXPECT_EQ(verify_access_token(kKey, token, at_seconds(1'700'000'000)).error().code,
              Errc::kExpired);
    EXPECT_GE(kAccessTokenLifetime, 24h);
}

TEST(AccessToken, FormsThatAreNoToken) {
    for (const char* text : {"",
                             ".",
                             "..",
                             "a.b",
                             "a.b.c",
                             "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..",
                             "eyJhbGciOiJub25lIn0.e30."}) {
        EXPECT_FALSE(verify_access_token(kKey, text, at_seconds(1)).has_value()) << text;
    }
    EXPECT_EQ(verify_access_token(kKey, std::string(kMaxAccessTokenBytes + 1, '.'), at_seconds(1))
                  .error()
                  .code,
              Errc::kTooLarge);
}

TEST(RelayToken, IsReadBackAndIsNoAccessToken) {
    for (const Permission permission : {Permission::kUser, Permission::kAdmin}) {
        const RoomClaims destination{
            "desls83s2", "other-room", "user1", at_seconds(1'700'000'000), permission};
        const std::string token = mint_relay_token(kKey, destination);
        const Result<RoomClaims> result =
            verify_relay_token(kKey, token, at_seconds(1'699'999'999));
        ASSERT_TRUE(result.has_value());
        EXPECT_EQ(*result, destination);
        EXPECT_FALSE(verify_access_token(kKey, token, at_seconds(1)).has_value());
        EXPECT_FALSE(
            verify_relay_token(kKey, mint_access_token(kKey, claims(), kUrl), at_seconds(1))
                .has_value());
        EXPECT_EQ(verify_relay_token(kKey, token, at_seconds(1'700'000'000)).error().code,
                  Errc::kExpired);
        EXPECT_EQ(verify_relay_token("other", token, at_seconds(1)).error().code,
                  Errc::kBadIntegrity);
    }
}

}  // namespace
}  // namespace parley::auth

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <functional>

#include "base/rng.h"
#include "dtls/endpoint.h"

namespace parley::dtls {
namespace {

/// Two endpoints joined in memory, with a link that a test may disturb.
struct Pair {
    std::unique_ptr<Factory> factory_a = std::move(*create_openssl_factory());
    std::unique_ptr<Factory> factory_b = std::move(*create_openssl_factory());
    std::unique_ptr<Endpoint> a;
    std::unique_ptr<Endpoint> b;
    Outputs out_a;
    Outputs out_b;
    Instant now{10s};
    std::function<bool(const Bytes&)> loses = [](const Bytes&) { return false; };
    bool duplicates = false;

    void create(Role role_a, std::optional<Fingerprint> wanted_by_a = {}, std::optional<Fingerprint> wanted_by_b = {}) {
        a = factory_a->create({.role = role_a, .remote_fingerprint = wanted_by_a});
        b = factory_b->create({.role = role_a == Role::kClient ? Role::kServer : Role::kClient,
                               .remote_fingerprint = wanted_by_b});
    }
    void move() {
        while (!out_a.datagrams.empty() || !out_b.datagrams.empty()) {
            transfer(out_a, *b, out_b);
            transfer(out_b, *a, out_a);
        }
    }
    void transfer(Outputs& from, Endpoint& to, Outputs& out) {
        for (const Bytes& d : std::exchange(from.datagrams, {})) {
            EXPECT_LE(d.size(), 1200U);
            if (loses(d)) continue;
            to.handle_datagram(now, d, out);
            if (duplicates) to.handle_datagram(now, d, out);
        }
    }
    void start() {
        a->start(now, out_a);
        b->start(now, out_b);
        move();
    }
    void expect_keys() {
        ASSERT_TRUE(out_a.connected.has_value());
        ASSERT_TRUE(out_b.connected.has_value());
        EXPECT_EQ(out_a.connected->local.key, out_b.connected->remote.key);
        EXPECT_EQ(out_a.connected->local.salt, out_b.connected->remote.salt);
        EXPECT_EQ(out_a.connected->remote.key, out_b.connected->local.key);
        EXPECT_EQ(out_a.connected->remote.salt, out_b.connected->local.salt);
        EXPECT_NE(out_a.connected->local.key, out_a.connected->remote.key);
        EXPECT_EQ(out_a.connected->profile, srtp::Profile::kAeadAes128Gcm);
        EXPECT_EQ(out_a.connected->remote_fingerprint, factory_b->local_fingerprint());
        EXPECT_EQ(out_b.connected->remote_fingerprint, factory_a->local_fingerprint());
    }
};

TEST(OpenSslEndpoint, AgreesOnKeysInBothRoles) {
    for (const Role role : {Role::kClient, Role::kServer}) {
        Pair pair;
        pair.create(role, pair.factory_b->local_fingerprint(), pair.factory_a->local_fingerprint());
        pair.start();
        pair.expect_keys();
    }
}

TEST(OpenSslEndpoint, RefusesAnotherCertificate) {
    Pair pair;
    pair.create(Role::kClient, pair.factory_a->local_fingerprint());
    pair.start();
    ASSERT_TRUE(pair.out_a.failed.has_value());
    EXPECT_EQ(pair.out_a.failed->reason, FailReason::kFingerprint);
    EXPECT_FALSE(pair.out_a.connected.has_value()) << "no keys for a stranger";
}

TEST(OpenSslEndpoint, RepeatsItsFlightsWhenTheyAreLost) {
    Pair pair;
    pair.create(Role::kClient);
    Rng rng(11);
    int lost = 0;
    pair.loses = [&](const Bytes&) { return rng.chance(0.3) && ++lost > 0; };
    pair.start();
    // The library measures time by its own clock, so the test waits as long as it says.
    for (int i = 0; i < 200 && !(pair.out_a.connected && pair.out_b.connected); ++i) {
        timespec wait{0, 20'000'000};
        nanosleep(&wait, nullptr);
        pair.now += 20ms;
        pair.a->handle_timeout(pair.now, pair.out_a);
        pair.b->handle_timeout(pair.now, pair.out_b);
        pair.move();
    }
    pair.expect_keys();
    EXPECT_GT(lost, 0);
}

TEST(OpenSslEndpoint, BearsDuplicatesAndGarbage) {
    Pair pair;
    pair.create(Role::kServer);
    pair.duplicates = true;
    Rng rng(3);
    for (int i = 0; i < 100; ++i) {
        Bytes garbage(rng.below(300));
        for (auto& byte : garbage) byte = static_cast<std::uint8_t>(rng.next_u32());
        if (!garbage.empty()) garbage[0] = static_cast<std::uint8_t>(20 + rng.below(44));
        pair.a->handle_datagram(pair.now, garbage, pair.out_a);
    }
    ASSERT_FALSE(pair.out_a.failed.has_value()) << "garbage ends no handshake";
    pair.out_a.clear();
    pair.start();
    pair.expect_keys();
}

TEST(OpenSslEndpoint, GivesUpInTime) {
    Pair pair;
    pair.create(Role::kClient);
    pair.a->start(pair.now, pair.out_a);
    ASSERT_TRUE(pair.a->next_deadline().has_value());
    pair.now += 31s;
    pair.a->handle_timeout(pair.now, pair.out_a);
    ASSERT_TRUE(pair.out_a.failed.has_value());
    EXPECT_EQ(pair.out_a.failed->reason, FailReason::kTimeout);
    EXPECT_FALSE(pair.a->next_deadline().has_value());
}

TEST(OpenSslEndpoint, SaysGoodbyeAndHearsIt) {
    for (const bool released : {false, true}) {
        Pair pair;
        pair.create(Role::kClient);
        pair.start();
        ASSERT_TRUE(pair.out_a.connected.has_value());
        pair.out_a.clear();
        pair.out_b.clear();
        if (released) pair.a->release_handshake_memory();
        pair.a->close(pair.out_a);
        pair.move();
        EXPECT_TRUE(pair.out_b.closed_by_peer) << "released " << released;
    }
}

TEST(OpenSslEndpoint, HoldsLittleMemoryOnceConnected) {
    Pair pair;
    constexpr int kPairs = 50;
    std::vector<std::unique_ptr<Endpoint>> kept;
    pair.create(Role::kClient);
    pair.start();
    const auto before = mallinfo2().uordblks;
    for (int i = 0; i < kPairs; ++i) {
        pair.create(Role::kClient);
        pair.out_a.clear();
        pair.out_b.clear();
        pair.start();
        ASSERT_TRUE(pair.out_b.connected.has_value());
        kept.push_back(std::move(pair.b));
    }
    pair.a.reset();
    const auto connected = mallinfo2().uordblks;
    for (auto& e : kept) e->release_handshake_memory();
    const auto released = mallinfo2().uordblks;
    const auto each = [&](std::size_t now_bytes) { return (static_cast<double>(now_bytes) - static_cast<double>(before)) / kPairs; };
    RecordProperty("bytes_connected", std::to_string(each(connected)));
    RecordProperty("bytes_released", std::to_string(each(released)));
    std::printf("server endpoint: %.0f bytes connected, %.0f bytes released\n", each(connected), each(released));
    EXPECT_LT(each(released), 4'096);
}

TEST(Fingerprint, ReadsWhatItWritesAndRefusesOthers) {
    Rng rng(9);
    for (int i = 0; i < 100; ++i) {
        Fingerprint f;
        for (auto& b : f.sha256) b = static_cast<std::uint8_t>(rng.next_u32());
        EXPECT_EQ(*Fingerprint::parse("SHA-256", f.to_string()), f);
        std::string lower = f.to_string();
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
        EXPECT_EQ(*Fingerprint::parse("sha-256", lower), f);
        EXPECT_FALSE(Fingerprint::parse("sha-1", lower).has_value());
        EXPECT_FALSE(Fingerprint::parse("sha-256", lower.substr(1)).has_value());
        lower[5] = 'g';
        EXPECT_FALSE(Fingerprint::parse("sha-256", lower).has_value());
    }
}

}  // namespace
}  // namespace parley::dtls

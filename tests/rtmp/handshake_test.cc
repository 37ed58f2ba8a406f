#include "rtmp/handshake.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace parley::rtmp {
namespace {

Bytes captured(const char* name) {
    std::ifstream in(std::string(PARLEY_SOURCE_DIR) + "/tests/rtmp/data/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
ByteView c1_of(const Bytes& capture) { return ByteView(capture).subspan(1, kHandshakePacketSize); }

// Foreign vectors: ffmpeg signs its C1, rtmpdump without RTMPE does not.
TEST(Handshake, FindsTheDigestOfForeignClients) {
    const Bytes ffmpeg = captured("ffmpeg_publish.bin");
    ASSERT_GT(ffmpeg.size(), 3073u);
    EXPECT_TRUE(find_digest(c1_of(ffmpeg), HandshakeSide::kClient));
    EXPECT_FALSE(find_digest(c1_of(ffmpeg), HandshakeSide::kServer));
    const Bytes rtmpdump = captured("rtmpdump_play.bin");
    ASSERT_GT(rtmpdump.size(), 3073u);
    EXPECT_FALSE(find_digest(c1_of(rtmpdump), HandshakeSide::kClient));
}

TEST(Handshake, DigestsOfBothSchemesAndSidesAndAnyChangeBreaksThem) {
    Rng rng(4);
    for (int round = 0; round < 40; ++round) {
        const auto scheme = round % 2 == 0 ? DigestScheme::kKeyFirst : DigestScheme::kDigestFirst;
        const auto side = round % 4 < 2 ? HandshakeSide::kClient : HandshakeSide::kServer;
        HandshakePacket packet{};
        for (auto& b : packet) b = static_cast<std::uint8_t>(rng.next_u32());
        const HandshakeDigest digest = put_digest(packet, scheme, side);
        const auto found = find_digest(packet, side);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->scheme, scheme);
        EXPECT_EQ(found->digest, digest);
        packet[rng.below(packet.size())] ^= 1;
        EXPECT_FALSE(find_digest(packet, side));
    }
}

Bytes client_bytes(std::uint32_t version, std::optional<DigestScheme> scheme) {
    HandshakePacket c1{};
    for (std::size_t i = 8; i < c1.size(); ++i) c1[i] = static_cast<std::uint8_t>(i * 7);
    store_u32(c1.data() + 4, version);
    if (scheme) put_digest(c1, *scheme, HandshakeSide::kClient);
    Bytes bytes{3};
    bytes.insert(bytes.end(), c1.begin(), c1.end());
    return bytes;
}

TEST(Handshake, AnswersInTheFormOfTheClient) {
    struct FormCase {
        std::uint32_t version;
        std::optional<DigestScheme> scheme;
        bool signed_answer;
    };
    for (const FormCase& c : {FormCase{0, {}, false},
                              FormCase{0x09007C02, {}, false},
                              FormCase{0x09007C02, DigestScheme::kKeyFirst, true},
                              FormCase{0x0A002D02, DigestScheme::kDigestFirst, true},
                              FormCase{0, DigestScheme::kKeyFirst, false}}) {
        ServerHandshake server{Rng(1)};
        flv::GatherList out;
        const Bytes bytes = client_bytes(c.version, c.scheme);
        ByteView in(bytes);
        ASSERT_EQ(server.handle(in, out), Result<bool>(false));
        const Bytes answer = out.flatten();
        ASSERT_EQ(answer.size(), 1 + 2 * kHandshakePacketSize);
        EXPECT_EQ(answer[0], 3);
        const auto s1 =
            find_digest(ByteView(answer).subspan(1, kHandshakePacketSize), HandshakeSide::kServer);
        const ByteView s2 = ByteView(answer).subspan(1 + kHandshakePacketSize);
        EXPECT_EQ(s1.has_value(), c.signed_answer);
        EXPECT_EQ(std::equal(s2.begin(), s2.end(), bytes.begin() + 1), !c.signed_answer);
        if (c.signed_answer) {
            EXPECT_EQ(s1->scheme, *c.scheme);
            HandshakePacket expected{};
            std::copy(s2.begin(), s2.end(), expected.begin());
            put_answer(expected,
                       find_digest(ByteView(bytes).subspan(1), HandshakeSide::kClient)->digest,
                       HandshakeSide::kServer);
            EXPECT_TRUE(std::equal(s2.begin(), s2.end(), expected.begin()));
        }
        EXPECT_EQ(server.memory_bytes(), 0u);
        // C2 may be anything; what follows it is left.
        const Bytes rest(kHandshakePacketSize + 5, 0xAA);
        ByteView more(rest);
        ASSERT_EQ(server.handle(more, out), Result<bool>(true));
        EXPECT_EQ(more.size(), 5u);
    }
}

TEST(Handshake, ClientAndServerInSingleBytes) {
    for (const bool digest : {false, true}) {
        flv::GatherList to_server;
        flv::GatherList to_client;
        ClientHandshake client(Rng(1), digest, to_server);
        ServerHandshake server{Rng(2)};
        bool client_done = false;
        bool server_done = false;
        for (int i = 0; i < 10'000 && !(client_done && server_done); ++i) {
            const auto one = [](flv::GatherList& from, auto& to, flv::GatherList& out, bool& done) {
                std::array<ByteView, 1> view;
                if (from.views(view) == 0) return;
                const Bytes byte(view[0].begin(), view[0].begin() + 1);
                from.consume(1);
                ByteView in(byte);
                const Result<bool> result = to.handle(in, out);
                ASSERT_TRUE(result);
                done = *result;
            };
            one(to_server, server, to_client, server_done);
            one(to_client, client, to_server, client_done);
        }
        EXPECT_TRUE(client_done && server_done);
        EXPECT_TRUE(to_server.empty() && to_client.empty());
    }
}

}  // namespace
}  // namespace parley::rtmp

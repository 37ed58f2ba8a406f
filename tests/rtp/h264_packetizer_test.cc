#include "rtp/h264_packetizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"
#include "media/h264.h"
#include "rtp/h264_depacketizer.h"

namespace parley::rtp {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

struct Packet {
    Bytes payload;
    bool marker = false;
};

std::vector<Packet> packetize(const std::vector<Bytes>& nals, std::size_t max_size) {
    const std::vector<ByteView> views(nals.begin(), nals.end());
    H264PacketizerView packetizer(views, max_size);
    std::vector<Packet> packets;
    for (;;) {
        Bytes memory(std::max(max_size, H264PacketizerView::kMinPayloadSize));
        ByteWriter out{MutableByteView(memory)};
        const auto payload = packetizer.next(out);
        if (!payload) return packets;
        EXPECT_TRUE(out.ok());
        EXPECT_EQ(out.size(), payload->size);
        packets.push_back({to_bytes(out.written()), payload->last});
    }
}

Bytes annex_b(const std::vector<Bytes>& nals) {
    Bytes stream;
    for (const Bytes& nal : nals) {
        if (nal.empty()) continue;
        stream.insert(stream.end(), {0, 0, 0, 1});
        stream.insert(stream.end(), nal.begin(), nal.end());
    }
    return stream;
}

TEST(H264Packetizer, Forms) {
    const std::vector<Bytes> nals{hex("6742001e"), hex("68ce"), {}, Bytes(40, 0x65), hex("41aa")};
    const auto packets = packetize(nals, 20);
    ASSERT_EQ(packets.size(), 5u);
    EXPECT_EQ(packets[0].payload, hex("78" "0004" "6742001e" "0002" "68ce"));  // STAP-A, NRI 3
    EXPECT_EQ(hex_encode(ByteView(packets[1].payload).first(3)), "7c8565");    // FU-A start of type 5
    EXPECT_EQ(hex_encode(ByteView(packets[2].payload).first(3)), "7c0565");
    EXPECT_EQ(hex_encode(ByteView(packets[3].payload).first(3)), "7c4565");    // end
    EXPECT_EQ(packets[1].payload.size(), 15u);  // 39 bytes in three equal parts
    EXPECT_EQ(packets[3].payload.size(), 15u);
    EXPECT_EQ(packets[4].payload, hex("41aa"));
    EXPECT_FALSE(packets[3].marker);
    EXPECT_TRUE(packets[4].marker);
    EXPECT_TRUE(packetize({}, 100).empty());
    EXPECT_TRUE(packetize({{}, {}}, 100).empty());
}

TEST(H264Packetizer, OneUnitAtTheLimitIsNotFragmented) {
    EXPECT_EQ(packetize({Bytes(100, 0x65)}, 100).size(), 1u);
    const auto two = packetize({Bytes(101, 0x65)}, 100);
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[0].payload.size(), 52u);
    EXPECT_EQ(two[1].payload.size(), 52u);
}

TEST(H264Packetizer, WhatIsCutIsPutTogether) {
    Rng rng(3);
    H264Depacketizer depacketizer;
    ExtSeq sequence = 65'530;
    for (int i = 0; i < 500; ++i) {
        std::vector<Bytes> nals(1 + rng.below(5));
        for (Bytes& nal : nals) {
            nal.resize(rng.chance(0.05) ? 0 : 1 + rng.below(rng.chance(0.3) ? 6'000 : 60));
            for (auto& byte : nal) byte = static_cast<std::uint8_t>(1 + rng.below(255));
            if (!nal.empty()) nal[0] = static_cast<std::uint8_t>(0x60 | (1 + rng.below(12)));
        }
        const std::size_t max_size = 10 + rng.below(1'400);
        const auto packets = packetize(nals, max_size);
        std::optional<H264AccessUnit> unit;
        for (const Packet& packet : packets) {
            ASSERT_LE(packet.payload.size(), std::max(max_size, H264PacketizerView::kMinPayloadSize));
            ASSERT_FALSE(unit);
            unit = depacketizer.handle_payload(
                {sequence++, static_cast<std::uint32_t>(i * 3000), packet.marker, packet.payload});
        }
        if (annex_b(nals).empty()) continue;
        ASSERT_TRUE(unit) << i;
        EXPECT_EQ(unit->annex_b, annex_b(nals));
        EXPECT_EQ(unit->timestamp, static_cast<std::uint32_t>(i * 3000));
    }
    EXPECT_EQ(depacketizer.stats().malformed, 0u);
    EXPECT_EQ(depacketizer.stats().damaged, 0u);
}

/// Three pictures of three packets each; `without` leaves packets out.
std::vector<std::uint32_t> pictures_left(const std::vector<std::size_t>& without, H264Depacketizer& d) {
    std::vector<std::uint32_t> whole;
    ExtSeq sequence = 0;
    for (std::uint32_t picture = 0; picture < 3; ++picture) {
        std::vector<Bytes> nals{Bytes(40, 0x80)};
        nals[0][0] = 0x65;  // IDR; the next byte's first bit says first_mb_in_slice 0
        for (const Packet& packet : packetize(nals, 16)) {
            const bool lost = std::find(without.begin(), without.end(), sequence) != without.end();
            if (!lost) {
                const auto unit = d.handle_payload({sequence, picture, packet.marker, packet.payload});
                if (unit) whole.push_back(unit->timestamp);
            }
            ++sequence;
        }
    }
    EXPECT_EQ(sequence, 9u);
    return whole;
}

TEST(H264Depacketizer, ALostPacketCostsItsPictureOnly) {
    using Pictures = std::vector<std::uint32_t>;
    for (const auto& [without, left] : std::vector<std::pair<std::vector<std::size_t>, Pictures>>{
             {{}, {0, 1, 2}},
             {{0}, {1, 2}},
             {{1}, {1, 2}},
             {{2}, {1, 2}},
             {{3}, {0, 2}},
             {{4}, {0, 2}},
             {{5}, {0, 2}},
             {{5, 6}, {0}},
             {{3, 4, 5}, {0, 2}},
             {{8}, {0, 1}}}) {
        H264Depacketizer d;
        EXPECT_EQ(pictures_left(without, d), left);
    }
}

TEST(H264Depacketizer, RepeatedAndLatePacketsAreDropped) {
    H264Depacketizer d;
    EXPECT_TRUE(d.handle_payload({10, 1, true, hex("6580")}));
    EXPECT_FALSE(d.handle_payload({10, 1, true, hex("6580")}));
    EXPECT_FALSE(d.handle_payload({9, 1, true, hex("6580")}));
    EXPECT_EQ(d.stats().late, 2u);
}

TEST(H264Depacketizer, BadPayloadsDamageTheAccessUnit) {
    for (const std::string_view bad : {"", "7c85", "7cc580ff", "7c0580", "7c4580", "7800", "780002ff", "780000", "79ff"}) {
        H264Depacketizer d;
        EXPECT_FALSE(d.handle_payload({1, 1, true, hex(bad)})) << bad;
        EXPECT_EQ(d.stats().malformed, 1u) << bad;
        EXPECT_TRUE(d.handle_payload({2, 2, true, hex("6580")})) << bad;
    }
    H264Depacketizer d;  // a fragment that never ends
    EXPECT_FALSE(d.handle_payload({1, 1, true, hex("7c8580")}));
    EXPECT_EQ(d.stats().damaged, 1u);
}

TEST(H264Depacketizer, SizeIsBounded) {
    H264Depacketizer d;
    const Bytes start = hex("7c8580");
    Bytes middle(1200, 0x80);
    middle[0] = 0x7C;
    middle[1] = 0x05;
    EXPECT_FALSE(d.handle_payload({1, 1, false, start}));
    ExtSeq sequence = 2;
    for (std::size_t size = 0; size < H264Depacketizer::kMaxAccessUnitSize; size += 1198) {
        EXPECT_FALSE(d.handle_payload({sequence++, 1, false, middle}));
    }
    EXPECT_EQ(d.stats().too_large, 1u);
    EXPECT_FALSE(d.handle_payload({sequence++, 1, true, hex("7c4580")}));
    EXPECT_TRUE(d.handle_payload({sequence++, 2, true, hex("6580")}));
}

}  // namespace
}  // namespace parley::rtp

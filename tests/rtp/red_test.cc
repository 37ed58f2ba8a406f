#include "rtp/red.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace parley::rtp {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

// Two redundant blocks of type 111 (1920 samples back with 3 bytes, 960 back with 2), then the primary.
const Bytes kRed = hex("ef1e0003" "ef0f0002" "6f" "a1a2a3" "b1b2" "c1c2c3c4");

TEST(Red, ParsesBlocksAndPrimary) {
    const auto red = parse_red(kRed);
    ASSERT_TRUE(red);
    ASSERT_EQ(red->redundant.size(), 2u);
    EXPECT_EQ(red->redundant[0].payload_type, PayloadType(111));
    EXPECT_EQ(red->redundant[0].timestamp_offset, 1920);
    EXPECT_EQ(to_bytes(red->redundant[0].data), hex("a1a2a3"));
    EXPECT_EQ(red->redundant[1].timestamp_offset, 960);
    EXPECT_EQ(to_bytes(red->redundant[1].data), hex("b1b2"));
    EXPECT_EQ(red->primary_payload_type, PayloadType(111));
    EXPECT_EQ(red->primary_offset, 14u);
    EXPECT_EQ(to_bytes(red->primary), hex("c1c2c3c4"));
}

TEST(Red, EveryTruncationFailsUntilThePrimaryHasAByte) {
    for (std::size_t size = 0; size < kRed.size(); ++size) {
        const Bytes cut(kRed.begin(), kRed.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(parse_red(cut).has_value(), size > 14) << size;
    }
}

TEST(Red, BlocksAreBounded) {
    const auto packet = [](std::size_t blocks) {
        Bytes bytes;
        for (std::size_t i = 0; i < blocks; ++i) {
            bytes.insert(bytes.end(), {0xEF, 0x00, 0x00, 0x00});
        }
        bytes.push_back(0x6F);
        bytes.push_back(0x01);
        return bytes;
    };
    EXPECT_TRUE(parse_red(packet(0)));
    EXPECT_TRUE(parse_red(packet(kMaxRedundantBlocks)));
    const auto red = parse_red(packet(kMaxRedundantBlocks + 1));
    ASSERT_FALSE(red);
    EXPECT_EQ(red.error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace parley::rtp

#include "rtp/rtx.h"

#include <gtest/gtest.h>

#include <array>

namespace parley::rtp {
namespace {

TEST(Rtx, OriginalSequenceNumberGoesThroughUnchanged) {
    for (const unsigned value : {0u, 1u, 32767u, 32768u, 32769u, 65535u}) {
        const auto osn = static_cast<std::uint16_t>(value);
        std::array<std::uint8_t, 5> memory{};
        ByteWriter out(memory);
        write_rtx_header(out, osn);
        out.text("abc");
        const auto rtx = parse_rtx(out.written());
        ASSERT_TRUE(rtx);
        EXPECT_EQ(rtx->original_sequence_number, osn);
        EXPECT_EQ(as_text_view(rtx->payload), "abc");
        EXPECT_TRUE(parse_rtx(out.written().first(2))->payload.empty());
        EXPECT_FALSE(parse_rtx(out.written().first(1)));
        EXPECT_FALSE(parse_rtx({}));
    }
}

}  // namespace
}  // namespace parley::rtp

#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "base/time.h"

namespace parley {
namespace {

TEST(ByteReader, ReadsBigEndianAndFailsStickily) {
    const Bytes bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    ByteReader in(bytes);
    EXPECT_EQ(in.u8(), 1);
    EXPECT_EQ(in.u16(), 0x0203);
    EXPECT_EQ(in.u24(), 0x040506U);
    EXPECT_EQ(in.remaining(), 4U);
    EXPECT_EQ(in.u64(), 0U);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.u8(), 0) << "a failed reader stays failed";
    EXPECT_EQ(in.remaining(), 0U);
}

TEST(ByteWriter, WritesWhatTheReaderReads) {
    std::uint8_t memory[32];
    ByteWriter out(memory);
    out.u8(7);
    out.u16(65535);
    out.u24(0x010203);
    out.u32(0xdeadbeef);
    out.u64(0x0102030405060708);
    out.text("hi");
    out.patch_u16(1, 258);
    ASSERT_TRUE(out.ok());
    ByteReader in(out.written());
    EXPECT_EQ(in.u8(), 7);
    EXPECT_EQ(in.u16(), 258);
    EXPECT_EQ(in.u24(), 0x010203U);
    EXPECT_EQ(in.u32(), 0xdeadbeefU);
    EXPECT_EQ(in.u64(), 0x0102030405060708U);
    EXPECT_EQ(as_text_view(in.rest()), "hi");
    EXPECT_TRUE(in.ok());
}

TEST(ByteWriter, NeverWritesPastTheEnd) {
    std::uint8_t memory[4] = {0xaa, 0xaa, 0xaa, 0xaa};
    ByteWriter out(MutableByteView(memory, 3));
    out.u32(0);
    EXPECT_FALSE(out.ok());
    out.u8(1);
    EXPECT_FALSE(out.ok());
    EXPECT_EQ(memory[0], 0xaa);
    EXPECT_EQ(memory[3], 0xaa);
}

TEST(NtpTime, CountsFrom1900) {
    const NtpTime t = NtpTime::from_wall(WallTime(std::chrono::milliseconds(500)));
    EXPECT_EQ(t.value >> 32, 2208988800U);
    EXPECT_EQ(t.value & 0xffffffff, 0x80000000U);
    EXPECT_EQ(to_ntp_middle(1500ms), 0x00018000U);
    EXPECT_EQ(from_ntp_middle(0x00018000U), Duration(1500ms));
}

TEST(Rng, IsTheSameForOneSeedAndUniformEnough) {
    Rng a(42);
    Rng b(42);
    Rng c(43);
    EXPECT_EQ(a.next_u64(), b.next_u64());
    EXPECT_NE(a.next_u64(), c.next_u64());
    int counts[10] = {};
    for (int i = 0; i < 100000; ++i) ++counts[a.below(10)];
    for (const int n : counts) EXPECT_NEAR(n, 10000, 500);
}

TEST(SecretSource, MakesAlphanumericText) {
    SeededSecretSource secrets(1);
    const std::string text = secrets.alphanumeric(32);
    EXPECT_EQ(text.size(), 32U);
    for (const char c : text) EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) != 0);
    EXPECT_NE(text, secrets.alphanumeric(32));
}

}  // namespace
}  // namespace parley

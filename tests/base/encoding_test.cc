#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace parley {
namespace {

struct Base64Case {
    std::string plain;
    std::string standard;
};

// RFC 4648 section 10.
TEST(Base64, EncodesAndDecodesTheRfcVectors) {
    const Base64Case cases[] = {{"", ""},          {"f", "Zg=="},        {"fo", "Zm8="},
                                {"foo", "Zm9v"},   {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
                                {"foobar", "Zm9vYmFy"}};
    for (const auto& c : cases) {
        EXPECT_EQ(base64_encode(as_bytes_view(c.plain), Base64Alphabet::kStandard), c.standard);
        const auto decoded = base64_decode(c.standard);
        ASSERT_TRUE(decoded.has_value()) << c.standard;
        EXPECT_EQ(as_text_view(*decoded), c.plain);
        std::string unpadded = c.standard;
        while (!unpadded.empty() && unpadded.back() == '=') unpadded.pop_back();
        ASSERT_TRUE(base64_decode(unpadded).has_value());
        EXPECT_EQ(as_text_view(*base64_decode(unpadded)), c.plain);
    }
}

TEST(Base64, AcceptsBothAlphabetsAndRefusesOthers) {
    const Bytes bytes{0xfb, 0xff, 0xbf};
    EXPECT_EQ(base64_encode(bytes, Base64Alphabet::kStandard), "+/+/");
    EXPECT_EQ(base64_encode(bytes, Base64Alphabet::kUrlSafe), "-_-_");
    EXPECT_EQ(*base64_decode("+/+/"), bytes);
    EXPECT_EQ(*base64_decode("-_-_"), bytes);
    for (const char* bad : {"A", "A===", "Zg=", "Z g=", "Zg==Zg==", "Zm9v*"}) {
        EXPECT_FALSE(base64_decode(bad).has_value()) << bad;
    }
}

TEST(Base64, RoundTripsRandomBytes) {
    Rng rng(1);
    for (int i = 0; i < 500; ++i) {
        Bytes bytes(rng.below(70));
        for (auto& b : bytes) b = static_cast<std::uint8_t>(rng.next_u32());
        for (const auto alphabet : {Base64Alphabet::kStandard, Base64Alphabet::kUrlSafe}) {
            EXPECT_EQ(*base64_decode(base64_encode(bytes, alphabet)), bytes);
        }
        EXPECT_EQ(*hex_decode(hex_encode(bytes)), bytes);
        const std::string raw(as_text_view(bytes));
        EXPECT_EQ(*percent_decode(percent_encode(raw)), raw);
    }
}

TEST(Crc32, MatchesTheCheckValue) {
    EXPECT_EQ(crc32(as_bytes_view("123456789")), 0xcbf43926U);
}

TEST(PercentDecode, KeepsPlusAndRefusesBadEscapes) {
    EXPECT_EQ(*percent_decode("a+b%2Bc%20d"), "a+b+c d");
    for (const char* bad : {"%", "%1", "%zz", "abc%2"}) {
        EXPECT_FALSE(percent_decode(bad).has_value()) << bad;
    }
}

TEST(ConstantTimeEqual, ComparesContentAndLength) {
    EXPECT_TRUE(constant_time_equal(as_bytes_view("abc"), as_bytes_view("abc")));
    EXPECT_FALSE(constant_time_equal(as_bytes_view("abc"), as_bytes_view("abd")));
    EXPECT_FALSE(constant_time_equal(as_bytes_view("abc"), as_bytes_view("ab")));
}

}  // namespace
}  // namespace parley

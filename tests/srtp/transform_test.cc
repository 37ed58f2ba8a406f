#include "srtp/transform.h"

#include <gtest/gtest.h>

#include "srtp/hmac_sha1.h"
#include "support.h"

namespace parley::srtp {
namespace {

using test::from_hex;

template <std::size_t N>
std::array<std::uint8_t, N> array_from_hex(std::string_view text) {
    const Bytes bytes = from_hex(text);
    std::array<std::uint8_t, N> out{};
    std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
    return out;
}

class TransformVectors : public testing::TestWithParam<Backend> {
protected:
    void SetUp() override {
        if (!test::is_available(GetParam())) GTEST_SKIP() << "back-end not in this processor";
    }
    std::unique_ptr<Transform> make(Profile profile, const SessionKeySet& keys, Direction direction) {
        return create_transform(profile, keys, direction, GetParam()).value();
    }
};
INSTANTIATE_TEST_SUITE_P(Backends, TransformVectors, testing::Values(Backend::kOpenSsl, Backend::kIpsecMb),
                         [](const auto& test_case) { return test_case.param == Backend::kOpenSsl ? "OpenSsl" : "IpsecMb"; });

TEST(KeyDerivation, Rfc3711AppendixB3) {
    MasterKey master;
    master.key = array_from_hex<16>("E1F97A0D3E018BE0D64FA32C06DE4139");
    master.salt = array_from_hex<14>("0EC675AD498AFEEBB6960B3AABE6");
    const SessionKeySet keys = derive_session_keys(Profile::kAes128CmHmacSha1_80, master);
    EXPECT_EQ(hex_encode(keys.rtp.cipher), "c61e7a93744f39ee10734afe3ff7a087");
    EXPECT_EQ(hex_encode(keys.rtp.salt), "30cbbc08863d8c85d49db34a9ae1");
    EXPECT_EQ(hex_encode(keys.rtp.authentication), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

TEST(HmacSha1, Rfc2202Vectors) {
    std::array<std::uint8_t, 20> key{};
    key.fill(0x0b);
    EXPECT_EQ(hex_encode(HmacSha1(key).compute(as_bytes_view("Hi There"), {})),
              "b617318655057264e28bc0b6fb378c8ef146be00");
    EXPECT_EQ(hex_encode(HmacSha1(key).compute(as_bytes_view("Hi "), as_bytes_view("There"))),
              "b617318655057264e28bc0b6fb378c8ef146be00");
    key.fill(0xaa);
    EXPECT_EQ(hex_encode(HmacSha1(key).compute(Bytes(50, 0xdd), {})),
              "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
}

TEST_P(TransformVectors, Rfc3711AppendixB2Keystream) {
    SessionKeySet keys;
    keys.rtp.cipher = array_from_hex<16>("2B7E151628AED2A6ABF7158809CF4F3C");
    keys.rtp.salt = array_from_hex<14>("F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
    const Bytes header = test::rtp_header({.ssrc = 0});
    // The vectors go up to block 0xff01; what is sealed here is longer than any datagram.
    const Bytes zeros(0xff02 * 16);
    Bytes packet = header;
    packet.resize(header.size() + zeros.size() + kCmTagSize);
    make(Profile::kAes128CmHmacSha1_80, keys, Direction::kSeal)->seal_rtp(packet.data(), 12, zeros, 0);

    const auto block = [&](std::size_t i) { return hex_encode(ByteView(packet).subspan(12 + 16 * i, 16)); };
    EXPECT_EQ(block(0), "e03ead0935c95e80e166b16dd92b4eb4");
    EXPECT_EQ(block(1), "d23513162b02d0f72a43a2fe4a5f97ab");
    EXPECT_EQ(block(2), "41e95b3bb0a2e8dd477901e4fca894c0");
    EXPECT_EQ(block(0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
    EXPECT_EQ(block(0xff00), "362b7c3c6773516318a077d7fc5073ae");
    EXPECT_EQ(block(0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
}

SessionKeySet rfc7714_keys() {
    SessionKeySet keys;
    keys.rtp.cipher = array_from_hex<16>("000102030405060708090a0b0c0d0e0f");
    keys.rtp.salt = array_from_hex<14>("517569642070726f2071756f");
    keys.rtcp = keys.rtp;
    return keys;
}

constexpr std::string_view kRfc7714Plain =
    "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465"
    "73207472 6573";
constexpr std::string_view kRfc7714Sealed =
    "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b"
    "36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";

TEST_P(TransformVectors, Rfc7714Section16Rtp) {
    const Bytes plain = from_hex(kRfc7714Plain);
    const Bytes sealed = from_hex(kRfc7714Sealed);
    const std::uint64_t index = load_u16(plain.data() + 2);

    Bytes packet = plain;
    packet.resize(sealed.size());
    make(Profile::kAeadAes128Gcm, rfc7714_keys(), Direction::kSeal)
        ->seal_rtp(packet.data(), 12, ByteView(plain).subspan(12), index);
    EXPECT_EQ(hex_encode(packet), hex_encode(sealed));

    const auto opener = make(Profile::kAeadAes128Gcm, rfc7714_keys(), Direction::kOpen);
    ASSERT_TRUE(opener->open_rtp(packet, 12, index));
    packet.resize(plain.size());
    EXPECT_EQ(hex_encode(packet), hex_encode(plain));

    Bytes other = sealed;
    EXPECT_FALSE(opener->open_rtp(other, 12, index + 1));
}

TEST_P(TransformVectors, Rfc7714Section17Rtcp) {
    const Bytes plain = from_hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef"
        "deadbeef deadbeef");
    const Bytes sealed = from_hex(
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46"
        "86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4");
    Bytes packet = plain;
    packet.resize(sealed.size());
    make(Profile::kAeadAes128Gcm, rfc7714_keys(), Direction::kSeal)->seal_rtcp(packet.data(), plain.size(), 0x5d4);
    EXPECT_EQ(hex_encode(packet), hex_encode(sealed));

    ASSERT_TRUE(make(Profile::kAeadAes128Gcm, rfc7714_keys(), Direction::kOpen)->open_rtcp(packet, 0x5d4));
    packet.resize(plain.size());
    EXPECT_EQ(hex_encode(packet), hex_encode(plain));
}

TEST_P(TransformVectors, UnknownProfileIsRefused) {
    const auto transform = create_transform(static_cast<Profile>(0x0008), {}, Direction::kSeal, GetParam());
    ASSERT_FALSE(transform.has_value());
    EXPECT_EQ(transform.error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace parley::srtp

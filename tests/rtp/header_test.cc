#include "rtp/header.h"

#include <gtest/gtest.h>

#include <array>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::rtp {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

// Version 2, extension, two CSRCs, marker, payload type 96, one-byte extension block of 8 bytes, 3 bytes of
// payload and 2 of padding.
const Bytes kFull = hex(
    "b2e0abcd" "01020304" "11223344"
    "aaaaaaaa" "bbbbbbbb"
    "bede0002" "10ff51beef000000"
    "010203" "0002");

TEST(Header, ParsesEveryField) {
    const auto header = parse_header(kFull);
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->marker);
    EXPECT_TRUE(header->has_padding);
    EXPECT_EQ(header->payload_type, PayloadType(96));
    EXPECT_EQ(header->sequence_number, 0xABCD);
    EXPECT_EQ(header->timestamp, 0x01020304u);
    EXPECT_EQ(header->ssrc, Ssrc(0x11223344));
    EXPECT_EQ(header->csrc_count, 2);
    EXPECT_EQ(header->header_size, 12u + 8 + 4 + 8);
    EXPECT_EQ(header->extension_profile, 0xBEDE);
    EXPECT_EQ(to_bytes(header->extension), hex("10ff51beef000000"));
    EXPECT_EQ(payload_size_without_padding(*header, kFull).value(), 3u);
}

TEST(Header, EveryTruncationOfTheHeaderFails) {
    const std::size_t header_size = parse_header(kFull)->header_size;
    for (std::size_t size = 0; size < header_size; ++size) {
        // A copy of its own size, so that the address sanitizer sees a read past the end.
        const Bytes cut(kFull.begin(), kFull.begin() + static_cast<std::ptrdiff_t>(size));
        const auto header = parse_header(cut);
        ASSERT_FALSE(header) << size;
        EXPECT_EQ(header.error().code, Errc::kTruncated) << size;
    }
    for (std::size_t size = header_size; size <= kFull.size(); ++size) {
        const Bytes cut(kFull.begin(), kFull.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_TRUE(parse_header(cut)) << size;
    }
}

TEST(Header, OtherVersionsFail) {
    for (const int version : {0, 1, 3}) {
        Bytes packet = kFull;
        packet[0] = static_cast<std::uint8_t>((packet[0] & 0x3F) | version << 6);
        const auto header = parse_header(packet);
        ASSERT_FALSE(header);
        EXPECT_EQ(header.error().code, Errc::kBadCookie);
    }
}

TEST(Header, PaddingIsCheckedAgainstThePayload) {
    struct Case {
        std::string_view tail;  ///< payload and padding behind the 12 fixed bytes
        std::optional<std::size_t> size;
    };
    for (const Case& c : {Case{"0102030405", 0},  // nothing but padding
                          Case{"01020300", std::nullopt},
                          Case{"01020305", std::nullopt},
                          Case{"", std::nullopt},
                          Case{"01020301", 3},
                          Case{"01020304", 0}}) {
        Bytes packet = hex("a0600001" "00000001" "00000001");
        const Bytes tail = hex(c.tail);
        packet.insert(packet.end(), tail.begin(), tail.end());
        const auto header = parse_header(packet);
        ASSERT_TRUE(header);
        const auto size = payload_size_without_padding(*header, packet);
        if (c.size) {
            ASSERT_TRUE(size) << c.tail;
            EXPECT_EQ(size.value(), *c.size) << c.tail;
        } else {
            ASSERT_FALSE(size) << c.tail;
            EXPECT_EQ(size.error().code, Errc::kMalformed);
        }
    }
}

TEST(Header, Rfc7983AndRfc5761TellRtpFromRtcp) {
    std::array<std::uint8_t, 12> datagram{};
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            datagram[0] = static_cast<std::uint8_t>(first);
            datagram[1] = static_cast<std::uint8_t>(second);
            const bool in_range = first >= 128 && first <= 191;
            const bool rtcp_type = second >= 192 && second <= 223;
            // Payload types 64 to 95 without the marker bit are not used for RTP either (RFC 5761 section 4).
            const bool reserved = second >= 64 && second <= 95;
            EXPECT_EQ(is_rtcp(datagram), in_range && (rtcp_type || reserved));
            EXPECT_EQ(is_rtp(datagram), in_range && !rtcp_type && !reserved);
        }
    }
    datagram[0] = 0x80;
    datagram[1] = 96;
    EXPECT_FALSE(is_rtp(ByteView(datagram).first(11)));
    datagram[1] = 200;
    EXPECT_TRUE(is_rtcp(ByteView(datagram).first(8)));
    EXPECT_FALSE(is_rtcp(ByteView(datagram).first(7)));
    EXPECT_FALSE(is_rtp({}));
}

TEST(Header, WhatIsWrittenIsRead) {
    Rng rng(1);
    for (int i = 0; i < 10'000; ++i) {
        const HeaderFields fields{.marker = rng.chance(0.5),
                                  .has_padding = rng.chance(0.5),
                                  .payload_type = PayloadType(static_cast<std::uint8_t>(rng.below(128))),
                                  .sequence_number = static_cast<std::uint16_t>(rng.next_u32()),
                                  .timestamp = rng.next_u32(),
                                  .ssrc = Ssrc(rng.next_u32())};
        std::array<std::uint8_t, kFixedHeaderSize> memory{};
        ByteWriter out(memory);
        write_header(out, fields);
        ASSERT_TRUE(out.ok());
        const auto header = parse_header(out.written());
        ASSERT_TRUE(header);
        EXPECT_EQ(header->marker, fields.marker);
        EXPECT_EQ(header->has_padding, fields.has_padding);
        EXPECT_EQ(header->payload_type, fields.payload_type);
        EXPECT_EQ(header->sequence_number, fields.sequence_number);
        EXPECT_EQ(header->timestamp, fields.timestamp);
        EXPECT_EQ(header->ssrc, fields.ssrc);
        EXPECT_EQ(header->header_size, kFixedHeaderSize);
    }
}

}  // namespace
}  // namespace parley::rtp

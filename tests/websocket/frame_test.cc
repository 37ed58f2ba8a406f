#include "websocket/frame.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "websocket/control_reader.h"

namespace parley::websocket {
namespace {

using Mask = std::array<std::uint8_t, 4>;

Bytes header_bytes(const FrameHeader& header) {
    Bytes memory(kMaxFrameHeader);
    ByteWriter out(memory);
    write_frame_header(out, header);
    EXPECT_TRUE(out.ok());
    return to_bytes(out.written());
}

Bytes frame(Opcode opcode, std::string_view payload, Mask mask = {1, 2, 3, 4}, bool final = true) {
    Bytes out = header_bytes({opcode, final, mask, payload.size()});
    Bytes body = to_bytes(as_bytes_view(payload));
    apply_mask(mask, 0, body);
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

// RFC 6455 section 1.3.
TEST(Handshake, KeyIsAnsweredAsInTheRfc) {
    EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

// RFC 6455 section 5.7.
TEST(FrameHeader, ExamplesOfTheRfc) {
    const Bytes masked{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    const auto hello = parse_frame_header(masked);
    ASSERT_TRUE(hello && *hello);
    EXPECT_EQ((*hello)->header,
              (FrameHeader{Opcode::kText, true, Mask{0x37, 0xfa, 0x21, 0x3d}, 5}));
    Bytes payload(masked.begin() + static_cast<std::ptrdiff_t>((*hello)->size), masked.end());
    apply_mask(*(*hello)->header.mask, 0, payload);
    EXPECT_EQ(as_text_view(payload), "Hello");
    EXPECT_EQ(header_bytes({Opcode::kText, false, {}, 3}), (Bytes{0x01, 0x03}));
    EXPECT_EQ(header_bytes({Opcode::kBinary, true, {}, 256}), (Bytes{0x82, 0x7E, 0x01, 0x00}));
    EXPECT_EQ(header_bytes({Opcode::kBinary, true, {}, 65536}),
              (Bytes{0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST(FrameHeader, WhatIsWrittenIsReadAndEveryTruncationWaits) {
    for (const std::uint64_t size : {0ull, 1ull, 125ull, 126ull, 65535ull, 65536ull, 1ull << 62}) {
        for (const bool with_mask : {false, true}) {
            FrameHeader header{Opcode::kBinary, true, {}, size};
            if (with_mask) header.mask = Mask{9, 8, 7, 6};
            const Bytes bytes = header_bytes(header);
            const auto parsed = parse_frame_header(bytes);
            ASSERT_TRUE(parsed && *parsed) << size;
            EXPECT_EQ((*parsed)->header, header);
            EXPECT_EQ((*parsed)->size, bytes.size());
            for (std::size_t n = 0; n < bytes.size(); ++n) {
                const auto cut = parse_frame_header(ByteView(bytes).first(n));
                ASSERT_TRUE(cut);
                EXPECT_FALSE(*cut) << size << " cut at " << n;
            }
        }
    }
}

TEST(FrameHeader, WhatTheRfcForbidsIsRefused) {
    for (const Bytes& bytes :
         std::vector<Bytes>{{0xC2, 0x00},              // a reserved bit
                            {0x83, 0x00},              // a reserved opcode
                            {0x8B, 0x00},              // a reserved control opcode
                            {0x09, 0x00},              // a ping in pieces
                            {0x89, 0x7E, 0x00, 0x7E},  // a ping of 126 bytes
                            {0x82, 0x7E, 0x00, 0x7D},  // not the shortest form
                            {0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF},  // nor this
                            {0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0}}) {  // the sign bit
        const auto parsed = parse_frame_header(bytes);
        ASSERT_FALSE(parsed);
        EXPECT_EQ(parsed.error().code, Errc::kMalformed);
    }
}

/// What comes out of `bytes` that arrive in pieces of `piece`.
std::vector<std::pair<Opcode, std::string>> read_all(const Bytes& bytes, std::size_t piece) {
    ControlReader reader;
    std::vector<std::pair<Opcode, std::string>> out;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        ByteView in = ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at));
        for (;;) {
            const auto control = reader.next(in);
            EXPECT_TRUE(control);
            if (!control || !*control) break;
            out.emplace_back((*control)->opcode, as_text_view((*control)->payload));
        }
    }
    return out;
}

TEST(ControlReader, ControlFramesComeOutBetweenThePiecesOfMessages) {
    Bytes bytes;
    for (const Bytes& one : {frame(Opcode::kText, std::string(70'000, 'x'), {5, 6, 7, 8}, false),
                             frame(Opcode::kPing, "are you there?"),
                             frame(Opcode::kContinuation, "end"),
                             frame(Opcode::kPing, ""),
                             frame(Opcode::kPong, std::string(125, 'p')),
                             frame(Opcode::kClose, "\x03\xE8")}) {
        bytes.insert(bytes.end(), one.begin(), one.end());
    }
    const std::vector<std::pair<Opcode, std::string>> expected{
        {Opcode::kPing, "are you there?"},
        {Opcode::kPing, ""},
        {Opcode::kPong, std::string(125, 'p')},
        {Opcode::kClose, "\x03\xE8"}};
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{3}, std::size_t{1000}, bytes.size()}) {
        EXPECT_EQ(read_all(bytes, piece), expected) << piece;
    }
}

TEST(ControlReader, AFrameWithoutAMaskEndsIt) {
    ControlReader reader;
    const Bytes bytes{0x89, 0x00};
    ByteView in(bytes);
    ASSERT_FALSE(reader.next(in));
    const Bytes good = frame(Opcode::kPing, "x");
    in = good;
    EXPECT_FALSE(reader.next(in)) << "it cannot go on";
}

TEST(ControlReader, RandomBytesDoNoHarm) {
    Rng rng(20);
    for (int round = 0; round < 2000; ++round) {
        ControlReader reader;
        Bytes bytes(rng.next_u32() % 300);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next_u32());
        ByteView in(bytes);
        for (;;) {
            const auto control = reader.next(in);
            if (!control || !*control) break;
            EXPECT_LE((*control)->payload.size(), kMaxControlPayload);
        }
    }
}

}  // namespace
}  // namespace parley::websocket

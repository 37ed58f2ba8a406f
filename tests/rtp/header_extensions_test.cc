#include "rtp/header_extensions.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::rtp {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

/// A packet whose extension block is `profile`, length and `elements`, padded to 32 bits.
Bytes packet_with(std::uint16_t profile, std::string_view elements) {
    Bytes block = hex(elements);
    while (block.size() % 4 != 0) block.push_back(0);
    Bytes packet = hex("906000010000000100000001");
    packet.push_back(static_cast<std::uint8_t>(profile >> 8));
    packet.push_back(static_cast<std::uint8_t>(profile));
    packet.push_back(0);
    packet.push_back(static_cast<std::uint8_t>(block.size() / 4));
    packet.insert(packet.end(), block.begin(), block.end());
    return packet;
}

using Elements = std::vector<std::pair<int, Bytes>>;

struct Read {
    Elements elements;
    bool malformed = false;
};

Read read_all(const Bytes& packet) {
    Read read;
    const auto header = parse_header(packet);
    if (!header) return read;
    ExtensionReader reader(*header);
    while (const auto element = reader.next()) {
        read.elements.emplace_back(element->id, to_bytes(element->data));
    }
    read.malformed = reader.malformed();
    return read;
}

TEST(HeaderExtensions, Rfc8285Examples) {
    struct Case {
        const char* name;
        std::uint16_t profile;
        std::string_view elements;
        Elements expected;
        bool malformed = false;
    };
    const std::vector<Case> cases{
        // RFC 8285 section 4.2, the figure: lengths 1, 2 (L = 1) and 4 (L = 3) with padding between.
        {"one-byte form", 0xBEDE, "10aa21bbbb000033cccccccc", {{1, hex("aa")}, {2, hex("bbbb")}, {3, hex("cccccccc")}}},
        // Section 4.3, the figure: lengths 0, 1 and 4.
        {"two-byte form", 0x1000, "0100" "0201bb" "00" "0304cccccccc", {{1, {}}, {2, hex("bb")}, {3, hex("cccccccc")}}},
        {"two-byte form with appbits", 0x100F, "ff01aa", {{255, hex("aa")}}},
        {"id 15 ends the one-byte form", 0xBEDE, "10aaf0bb21cccc", {{1, hex("aa")}}},
        {"id 0 with a length is skipped", 0xBEDE, "01ffff10aa", {{1, hex("aa")}}},
        {"element over the end", 0xBEDE, "10aa2fbb", {{1, hex("aa")}}, true},
        {"two-byte element over the end", 0x1000, "0101aa02", {{1, hex("aa")}}, true},
        {"two-byte size over the end", 0x1000, "0105aabb", {}, true},
        {"unknown profile", 0x2000, "10aa2000", {}},
        {"only padding", 0xBEDE, "00000000", {}},
        {"empty block", 0xBEDE, "", {}},
    };
    for (const Case& c : cases) {
        const Read read = read_all(packet_with(c.profile, c.elements));
        EXPECT_EQ(read.elements, c.expected) << c.name;
        EXPECT_EQ(read.malformed, c.malformed) << c.name;
    }
}

const ExtensionIds kIds{.audio_level = 1,
                        .abs_send_time = 2,
                        .transport_cc = 3,
                        .mid = 4,
                        .rid = 5,
                        .repaired_rid = 6,
                        .toffset = 7};

TEST(HeaderExtensions, KnownOnesAreNamed) {
    const Bytes packet = packet_with(
        0xBEDE, "1085" "22010203" "31abcd" "4061" "516869" "626c6f31" "72fffffe");
    const auto header = parse_header(packet);
    ASSERT_TRUE(header);
    const ParsedExtensions parsed = parse_extensions(*header, kIds);
    ASSERT_TRUE(parsed.audio_level);
    EXPECT_EQ(parsed.audio_level->level, 5);
    EXPECT_TRUE(parsed.audio_level->voice);
    EXPECT_EQ(parsed.abs_send_time, 0x010203u);
    EXPECT_EQ(parsed.transport_sequence, 0xABCD);
    EXPECT_EQ(parsed.mid, "a");
    EXPECT_EQ(parsed.rid, "hi");
    EXPECT_EQ(parsed.repaired_rid, "lo1");
    EXPECT_EQ(parsed.toffset, -2);
}

TEST(HeaderExtensions, WrongSizesAndUnusedIdsAreLeftOut) {
    const Bytes packet = packet_with(0xBEDE, "118585" "21ffff" "30aa" "70ff" "8161ff");
    const auto header = parse_header(packet);
    ASSERT_TRUE(header);
    const ParsedExtensions parsed = parse_extensions(*header, kIds);
    EXPECT_FALSE(parsed.audio_level);
    EXPECT_FALSE(parsed.abs_send_time);
    EXPECT_FALSE(parsed.transport_sequence);
    EXPECT_FALSE(parsed.toffset);
    EXPECT_EQ(parsed.mid, "");

    // No id is in use: an element must not match the 0 of an unused one.
    const ParsedExtensions none = parse_extensions(*header, ExtensionIds{});
    EXPECT_FALSE(none.audio_level);
    EXPECT_EQ(none.mid, "");
}

TEST(HeaderExtensions, WhatIsWrittenIsRead) {
    Rng rng(2);
    for (int i = 0; i < 5'000; ++i) {
        const ExtensionForm form = rng.chance(0.5) ? ExtensionForm::kOneByte : ExtensionForm::kTwoByte;
        std::array<std::uint8_t, 400> memory{};
        ByteWriter out(MutableByteView(memory).first(12 + rng.below(380)));
        write_header(out, {.has_extension = true});
        ExtensionWriter writer(out, form);
        if (!out.ok()) continue;  // not even the head of the block fits
        Elements expected;
        for (std::uint64_t n = rng.below(10); n > 0; --n) {
            const auto id = static_cast<std::uint8_t>(rng.below(form == ExtensionForm::kOneByte ? 17 : 256));
            Bytes data(rng.below(20));
            for (auto& byte : data) byte = static_cast<std::uint8_t>(rng.next_u32());
            const std::size_t offset = writer.add(id, data);
            if (offset == 0) continue;
            EXPECT_EQ(to_bytes(ByteView(memory).subspan(offset, data.size())), data);
            expected.emplace_back(id, data);
        }
        writer.finish();
        ASSERT_TRUE(out.ok());
        ASSERT_EQ(out.size() % 4, 0u);
        const Read read = read_all(to_bytes(out.written()));
        EXPECT_EQ(read.elements, expected);
        EXPECT_FALSE(read.malformed);
    }
}

TEST(HeaderExtensions, WriterRefusesWhatItsFormCannotCarry) {
    std::array<std::uint8_t, 600> memory{};
    const Bytes long_data(17, 1);
    {
        ByteWriter out(memory);
        ExtensionWriter writer(out);
        EXPECT_EQ(writer.add(0, hex("01")), 0u);
        EXPECT_EQ(writer.add(15, hex("01")), 0u);
        EXPECT_EQ(writer.add(1, {}), 0u);
        EXPECT_EQ(writer.add(1, long_data), 0u);
        EXPECT_EQ(writer.add(14, hex("01")), 5u);
        writer.finish();
        EXPECT_EQ(to_bytes(out.written()), hex("bede0001e0010000"));
    }
    {
        ByteWriter out(memory);
        ExtensionWriter writer(out, ExtensionForm::kTwoByte);
        EXPECT_EQ(writer.add(0, hex("01")), 0u);
        EXPECT_EQ(writer.add(1, Bytes(256, 1)), 0u);
        EXPECT_EQ(writer.add(15, hex("01")), 6u);
        writer.finish();
        EXPECT_EQ(to_bytes(out.written()), hex("100000010f010100"));
    }
}

TEST(HeaderExtensions, NamedWritersRoundTrip) {
    std::array<std::uint8_t, 200> memory{};
    ByteWriter out(memory);
    write_header(out, {.has_extension = true});
    ExtensionWriter writer(out);
    EXPECT_NE(writer.add_mid(kIds, "video0"), 0u);
    EXPECT_NE(writer.add_rid(kIds, "hi"), 0u);
    EXPECT_NE(writer.add_repaired_rid(kIds, "lo"), 0u);
    EXPECT_NE(writer.add_audio_level(kIds, {.level = 127, .voice = false}), 0u);
    const std::size_t at = writer.add_transport_sequence(kIds, 1);
    ASSERT_NE(at, 0u);
    EXPECT_NE(writer.add_abs_send_time(kIds, 0xFEDCBA), 0u);
    EXPECT_NE(writer.add_toffset(kIds, -70'000), 0u);
    EXPECT_EQ(writer.add_mid(ExtensionIds{}, "x"), 0u);
    writer.finish();
    store_u16(memory.data() + at, 0x1234);  // as just before sending

    const auto header = parse_header(out.written());
    ASSERT_TRUE(header);
    const ParsedExtensions parsed = parse_extensions(*header, kIds);
    EXPECT_EQ(parsed.mid, "video0");
    EXPECT_EQ(parsed.rid, "hi");
    EXPECT_EQ(parsed.repaired_rid, "lo");
    EXPECT_EQ(parsed.audio_level->level, 127);
    EXPECT_FALSE(parsed.audio_level->voice);
    EXPECT_EQ(parsed.transport_sequence, 0x1234);
    EXPECT_EQ(parsed.abs_send_time, 0xFEDCBAu);
    EXPECT_EQ(parsed.toffset, -70'000);
}

TEST(HeaderExtensions, AbsSendTimeWrapsAfter64Seconds) {
    const auto at = [](Duration d) { return to_abs_send_time(Instant(d)); };
    EXPECT_EQ(at(0s), 0u);
    EXPECT_EQ(at(1s), 1u << 18);
    EXPECT_EQ(at(500ms), 1u << 17);
    EXPECT_EQ(at(64s), 0u);
    EXPECT_EQ(at(63999999999ns), 0xFFFFFFu);
    EXPECT_EQ(at(-1s), 63u << 18);
}

}  // namespace
}  // namespace parley::rtp

#include "flv/stream.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::flv {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

Message message(MediaKind kind, std::int64_t timestamp_ms, Bytes payload) {
    return {
        .kind = kind, .timestamp_ms = timestamp_ms, .payload = make_payload(std::move(payload))};
}

struct ReadBack {
    std::vector<Message> messages;
    std::optional<Error> error;
};
ReadBack read_all(ByteView bytes, std::size_t piece, StreamReader& reader) {
    ReadBack result;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        ByteView in = bytes.subspan(at, std::min(piece, bytes.size() - at));
        while (true) {
            auto m = reader.next(in);
            if (!m) {
                result.error = m.error();
                return result;
            }
            if (!*m) break;
            result.messages.push_back(std::move(**m));
        }
        EXPECT_TRUE(in.empty());
    }
    return result;
}

// FLV 10.1 annex E: header with audio and video, then a script tag of one byte, a video tag of two
// at 0x01020304 ms.
const Bytes kFile =
    hex("464c5601"
        "05"
        "00000009"
        "00000000"
        "12"
        "000001"
        "000000"
        "00"
        "000000"
        "02"
        "0000000c"
        "09"
        "000002"
        "020304"
        "01"
        "000000"
        "1701"
        "0000000d");

TEST(FlvStream, ReadsTheVectorInPiecesOfAnySize) {
    for (std::size_t piece = 1; piece <= kFile.size(); ++piece) {
        StreamReader reader;
        const ReadBack got = read_all(kFile, piece, reader);
        ASSERT_FALSE(got.error) << piece;
        ASSERT_EQ(got.messages.size(), 2u) << piece;
        EXPECT_EQ(got.messages[0].kind, MediaKind::kData);
        EXPECT_EQ(got.messages[1].kind, MediaKind::kVideo);
        EXPECT_EQ(got.messages[1].timestamp_ms, 0x01020304);
        EXPECT_EQ(*got.messages[1].payload, hex("1701"));
        EXPECT_TRUE(reader.announces_audio());
        EXPECT_TRUE(reader.announces_video());
    }
}

TEST(FlvStream, WritesTheVector) {
    GatherList out;
    StreamWriter writer;
    writer.write_file_header(true, true, out);
    EXPECT_TRUE(writer.write(message(MediaKind::kData, 5, {2}), 0, out));
    EXPECT_TRUE(writer.write(message(MediaKind::kVideo, 5, {0x17, 0x01}), 0x01020304, out));
    EXPECT_FALSE(writer.write(message(MediaKind::kVideo, 5, {}), 0, out));
    EXPECT_EQ(out.flatten(), kFile);
    EXPECT_EQ(out.size_bytes(), kFile.size());
}

TEST(FlvStream, EveryTruncationGivesOnlyWholeTags) {
    for (std::size_t size = 0; size < kFile.size(); ++size) {
        StreamReader reader;
        const ReadBack got = read_all(ByteView(kFile).first(size), 64, reader);
        EXPECT_FALSE(got.error) << size;
        const std::size_t whole = size < 25 ? 0 : size < 42 ? 1 : 2;
        EXPECT_EQ(got.messages.size(), whole) << size;
    }
}

TEST(FlvStream, ReadsWhatItWrites) {
    Rng rng(5);
    for (int round = 0; round < 200; ++round) {
        GatherList out;
        StreamWriter writer;
        writer.write_file_header(round % 2 == 0, round % 3 == 0, out);
        std::vector<Message> sent;
        std::int64_t time = 0;
        for (std::uint64_t n = rng.below(20); n != 0; --n) {
            Bytes payload(1 + rng.below(40'000));
            for (auto& b : payload) b = static_cast<std::uint8_t>(rng.next_u32());
            constexpr MediaKind kKinds[] = {MediaKind::kAudio, MediaKind::kVideo, MediaKind::kData};
            sent.push_back(message(kKinds[rng.below(3)], time, std::move(payload)));
            EXPECT_TRUE(writer.write(sent.back(), time, out));
            time += static_cast<std::int64_t>(rng.below(1'500'000'000));
        }
        StreamReader reader;
        const ReadBack got = read_all(out.flatten(), 1 + rng.below(9000), reader);
        ASSERT_FALSE(got.error);
        ASSERT_EQ(got.messages.size(), sent.size());
        for (std::size_t i = 0; i < sent.size(); ++i) {
            EXPECT_EQ(got.messages[i].kind, sent[i].kind);
            EXPECT_EQ(*got.messages[i].payload, *sent[i].payload);
            EXPECT_EQ(got.messages[i].timestamp_ms, sent[i].timestamp_ms);
        }
    }
}

TEST(FlvStream, ToleratesWhatWritersGetWrong) {
    // An unknown tag type, a stream id, wrong PreviousTagSize fields, a longer file header.
    const Bytes file =
        hex("464c5601"
            "00"
            "0000000b"
            "ffff"
            "00000000"
            "13"
            "000002"
            "000000"
            "00"
            "000000"
            "aabb"
            "ffffffff"
            "08"
            "000001"
            "000000"
            "00"
            "000007"
            "aa"
            "ffffffff"
            "08"
            "000000"
            "000000"
            "00"
            "000000"
            "00000000"
            "08"
            "000001"
            "000005"
            "00"
            "000000"
            "bb"
            "ffffffff");
    StreamReader reader;
    const ReadBack got = read_all(file, 3, reader);
    ASSERT_FALSE(got.error);
    ASSERT_EQ(got.messages.size(), 1u);
    EXPECT_EQ(*got.messages[0].payload, Bytes{0xBB});
    EXPECT_EQ(got.messages[0].timestamp_ms, 5);
}

TEST(FlvStream, RefusesAndStaysRefused) {
    const std::pair<const char*, Errc> cases[] = {
        {"464c5701050000000900000000", Errc::kMalformed},  // FLW
        {"464c5602050000000900000000", Errc::kMalformed},  // version 2
        {"464c5601050000000800000000", Errc::kMalformed},  // header of 8 bytes
        {"464c5601057fffffff00000000", Errc::kMalformed},  // header of 2 GiB
        {"464c560105000000090000000009400001000000000000000000", Errc::kTooLarge},     // 4 MiB + 1
        {"464c560105000000090000000029000001000000000000000000", Errc::kUnsupported},  // encrypted
    };
    for (const auto& [text, code] : cases) {
        StreamReader reader;
        const Bytes bytes = hex(text);
        const ReadBack got = read_all(bytes, 64, reader);
        ASSERT_TRUE(got.error) << text;
        EXPECT_EQ(got.error->code, code) << text;
        ByteView more = kFile;
        EXPECT_FALSE(reader.next(more)) << text;
    }
}

TEST(FlvTimestamps, UnwrapTakesTheNearest) {
    struct Step {
        std::uint32_t wire;
        std::int64_t expected;
    };
    for (const std::vector<Step>& steps : {
             std::vector<Step>{{0, 0}, {40, 40}, {20, 20}, {0xFFFF'FFFF, -1}, {5, 5}},
             std::vector<Step>{
                 {0xFFFF'FFF0, 0xFFFF'FFF0}, {0x10, 0x1'0000'0010}, {0xFFFF'FFFF, 0xFFFF'FFFF}},
             std::vector<Step>{{0x7FFF'FFFF, 0x7FFF'FFFF},
                               {0x8000'0000, 0x8000'0000},
                               {0x7FFF'FFFF, 0x7FFF'FFFF}},
         }) {
        TimestampUnwrapper unwrapper;
        for (const Step& s : steps) EXPECT_EQ(unwrapper.unwrap(s.wire), s.expected) << s.wire;
    }
}

/// Against the obvious model: one flat buffer.
TEST(GatherList, MatchesAFlatBufferUnderRandomOperations) {
    Rng rng(9);
    GatherList list;
    Bytes model;
    const SharedPayload payload = make_payload(Bytes(300, 0x77));
    for (int i = 0; i < 20'000; ++i) {
        const auto small = [&](std::size_t max) {
            Bytes b(rng.below(max + 1));
            for (auto& x : b) x = static_cast<std::uint8_t>(rng.next_u32());
            return b;
        };
        switch (rng.below(5)) {
            case 0: {
                const Bytes b = small(40);
                list.append_copy(b);
                model.insert(model.end(), b.begin(), b.end());
                break;
            }
            case 1: {
                const Bytes head = small(GatherList::kMaxHead);
                const Bytes tail = small(GatherList::kMaxTail);
                const std::size_t offset = rng.below(300);
                const std::size_t size = rng.below(300 - offset + 1);
                list.append(head, payload, offset, size, tail);
                model.insert(model.end(), head.begin(), head.end());
                model.insert(model.end(), size, 0x77);
                model.insert(model.end(), tail.begin(), tail.end());
                break;
            }
            case 2: {
                GatherList other;
                const Bytes b = small(50);
                other.append_copy(b);
                const std::size_t gone = rng.below(b.size() + 1);
                other.consume(gone);
                list.append(std::move(other));
                model.insert(model.end(), b.begin() + static_cast<std::ptrdiff_t>(gone), b.end());
                break;
            }
            default: {
                const std::size_t gone = rng.below(std::min<std::size_t>(model.size(), 400) + 1);
                list.consume(gone);
                model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(gone));
            }
        }
        ASSERT_EQ(list.size_bytes(), model.size());
        ASSERT_EQ(list.empty(), model.empty());
        std::array<ByteView, 5> views;
        Bytes seen;
        for (std::size_t v = 0, n = list.views(views); v < n; ++v)
            seen.insert(seen.end(), views[v].begin(), views[v].end());
        ASSERT_LE(seen.size(), model.size());
        ASSERT_TRUE(std::equal(seen.begin(), seen.end(), model.begin()));
        ASSERT_EQ(seen.empty(), model.empty());
        if (i % 64 == 0) {
            ASSERT_EQ(list.flatten(), model);
        }
    }
    list.clear();
    EXPECT_EQ(payload.use_count(), 1);
}

}  // namespace
}  // namespace parley::flv

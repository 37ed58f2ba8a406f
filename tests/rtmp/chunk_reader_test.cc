#include "rtmp/chunk_reader.h"

#include <gtest/gtest.h>

#include <map>

#include "base/encoding.h"
#include "base/rng.h"
#include "rtmp/chunk_writer.h"

namespace parley::rtmp {
namespace {

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Bytes hex(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c != ' ') digits.push_back(c);
    }
    return *hex_decode(digits);
}

struct ReadResult {
    std::vector<RawMessage> messages;
    std::optional<Error> error;
};
ReadResult read_all(ChunkReader& reader, ByteView bytes, std::size_t piece = 1 << 20) {
    ReadResult result;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        ByteView in = bytes.subspan(at, std::min(piece, bytes.size() - at));
        while (true) {
            auto message = reader.next(in);
            if (!message) {
                result.error = message.error();
                return result;
            }
            if (!*message) break;
            result.messages.push_back(std::move(**message));
        }
    }
    return result;
}

// Adobe RTMP 1.0 section 5.3.2.1: four audio messages of 32 bytes at 1000, 1020, 1040 and 1060 ms.
TEST(ChunkReader, Example1OfTheSpecification) {
    const std::string body(64, '5');
    const Bytes bytes =
        hex("03 0003e8 000020 08 39300000" + body + "83 000014" + body + "c3" + body + "c3" + body);
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        ChunkReader reader({});
        const ReadResult got = read_all(reader, bytes, piece);
        ASSERT_FALSE(got.error) << piece;
        ASSERT_EQ(got.messages.size(), 4u) << piece;
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_EQ(got.messages[i].timestamp_ms, 1000 + 20 * i);
            EXPECT_EQ(got.messages[i].message_stream_id, 12345u);
            EXPECT_EQ(got.messages[i].type, MessageType::kAudio);
            EXPECT_EQ(got.messages[i].payload, Bytes(32, 0x55));
        }
    }
}

// Section 5.3.2.2: a video message of 307 bytes in three chunks.
TEST(ChunkReader, Example2OfTheSpecification) {
    const Bytes payload(307, 0xAB);
    Bytes bytes = hex("04 0003e8 000133 09 3a300000");
    bytes.insert(bytes.end(), 128, 0xAB);
    bytes.push_back(0xC4);
    bytes.insert(bytes.end(), 128, 0xAB);
    bytes.push_back(0xC4);
    bytes.insert(bytes.end(), 51, 0xAB);
    ChunkReader reader({});
    const ReadResult got = read_all(reader, bytes, 13);
    ASSERT_EQ(got.messages.size(), 1u);
    EXPECT_EQ(got.messages[0].payload, payload);
    EXPECT_EQ(got.messages[0].message_stream_id, 12346u);

    flv::GatherList out;
    ChunkWriter{}.write({MessageType::kVideo, 4, 12346, 1000}, payload, out);
    EXPECT_EQ(out.flatten(), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ChunkReader cut({});
        EXPECT_TRUE(read_all(cut, ByteView(bytes).first(size)).messages.empty()) << size;
    }
}

TEST(ChunkReader, ChunkStreamIdsOfOneTwoAndThreeBytes) {
    const Bytes bytes =
        hex("02 000000 000001 08 00000000 01"
            "3f 000000 000001 08 00000000 02"
            "00 00 000000 000001 08 00000000 03"     // 64
            "00 ff 000000 000001 08 00000000 04"     // 319
            "01 00 01 000000 000001 08 00000000 05"  // 320
            "01 ff ff 000000 000001 08 00000000 06"  // 65599
            "c0 ff 07 c1 0001 08 c1 ffff 09 c2 0a");
    ChunkReader reader({});
    const ReadResult got = read_all(reader, bytes, 1);
    ASSERT_FALSE(got.error);
    ASSERT_EQ(got.messages.size(), 10u);
    for (std::size_t i = 0; i < 10; ++i)
        EXPECT_EQ(got.messages[i].payload, Bytes{static_cast<std::uint8_t>(i + 1)});
}

/// A message of 300 bytes at 0x01000000 ms; type 3 chunks with and without the timestamp
/// (section 5.3.1.3 wants it).
TEST(ChunkReader, ExtendedTimestampsRepeatedAndNot) {
    for (const bool repeated : {true, false}) {
        Bytes bytes = hex("06 ffffff 00012c 09 01000000 01000000");
        bytes.insert(bytes.end(), 128, 0x01);  // payload that begins like the timestamp
        for (const std::size_t part : {128, 44}) {
            bytes.push_back(0xC6);
            if (repeated) {
                bytes = std::move(bytes) + hex("01000000");
            }
            bytes.insert(bytes.end(), part, 0x01);
        }
        bytes = std::move(bytes) + hex("46 000014 000002 09 aabb");
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
            ChunkReader reader({});
            const ReadResult got = read_all(reader, bytes, piece);
            ASSERT_FALSE(got.error);
            ASSERT_EQ(got.messages.size(), 2u) << repeated << piece;
            EXPECT_EQ(got.messages[0].timestamp_ms, 0x01000000u);
            EXPECT_EQ(got.messages[0].payload, Bytes(300, 0x01)) << repeated << piece;
            EXPECT_EQ(got.messages[1].timestamp_ms, 0x01000014u);
            EXPECT_EQ(got.messages[1].payload, hex("aabb"));
        }
    }
}

TEST(ChunkReader, LibrtmpBeginsWithType1) {
    ChunkReader reader({});
    const ReadResult got = read_all(reader, hex("42 000000 000006 04 000600000001"));
    ASSERT_EQ(got.messages.size(), 1u);
    EXPECT_EQ(got.messages[0].type, MessageType::kUserControl);
    EXPECT_EQ(got.messages[0].message_stream_id, 0u);
}

TEST(ChunkReader, AHeaderInTheMiddleDropsWhatWasBegun) {
    ChunkReader reader({});
    Bytes bytes = hex("04 000000 000100 09 01000000");
    bytes.insert(bytes.end(), 128, 0xEE);
    bytes = std::move(bytes) + hex("04 000007 000002 09 01000000 aabb");
    const ReadResult got = read_all(reader, bytes);
    ASSERT_EQ(got.messages.size(), 1u);
    EXPECT_EQ(got.messages[0].payload, hex("aabb"));
    EXPECT_EQ(got.messages[0].timestamp_ms, 7u);
}

TEST(ChunkReader, TheLargestMessageFitsHoweverItIsRead) {
    for (const std::size_t piece : {1'000u, 65'536u, 700'000u, 1'300'000u, 1'600'000u}) {
        ChunkReader reader({});
        ASSERT_TRUE(reader.set_chunk_size(kMaxChunkSize));
        Bytes bytes = hex("04 000000 280000 09 01000000");
        bytes.resize(bytes.size() + kMaxMessage, 0x11);
        std::size_t got = 0;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            ByteView in = ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at));
            const auto message = reader.next(in);
            ASSERT_TRUE(message) << piece << " at " << at;
            if (*message) got = (*message)->payload.size();
        }
        EXPECT_EQ(got, kMaxMessage);
    }
}

TEST(ChunkReader, AbortForgetsWhatWasBegun) {
    ChunkReader reader({});
    Bytes bytes = hex("04 000000 000100 09 01000000");
    bytes.insert(bytes.end(), 128, 0xEE);
    EXPECT_TRUE(read_all(reader, bytes).messages.empty());
    const std::size_t before = reader.memory_bytes();
    reader.abort(4);
    reader.abort(99);
    EXPECT_LT(reader.memory_bytes(), before);
    const ReadResult got = read_all(reader, hex("c4") + Bytes(128, 1) + hex("c4") + Bytes(128, 2));
    ASSERT_EQ(got.messages.size(), 1u);
    EXPECT_EQ(got.messages[0].payload, Bytes(128, 1) + Bytes(128, 2));
}

TEST(ChunkReader, EmptyMessagesAreWholeAtOnce) {
    ChunkReader reader({});
    const ReadResult got = read_all(reader, hex("04 000000 000000 09 01000000 c4 c4"), 1);
    EXPECT_EQ(got.messages.size(), 3u);
}

TEST(ChunkReader, Refused) {
    const std::pair<const char*, Errc> cases[] = {
        {"84 000000", Errc::kMalformed},                    // type 2 first
        {"c4", Errc::kMalformed},                           // type 3 first
        {"04 000000 280001 09 01000000", Errc::kTooLarge},  // 2.5 MiB + 1
    };
    for (const auto& [text, code] : cases) {
        ChunkReader reader({});
        const ReadResult got = read_all(reader, hex(text));
        ASSERT_TRUE(got.error) << text;
        EXPECT_EQ(got.error->code, code) << text;
    }
}

/// A sender that uses every header type where it fits, interleaves its chunk streams and changes
/// its chunk size.
class WildSender {
public:
    explicit WildSender(std::uint64_t seed) : rng_(seed) {}

    void begin(std::uint32_t id, RawMessage message) {
        Stream& s = streams_[id];
        const std::uint32_t delta = message.timestamp_ms - s.last.timestamp_ms;
        int format = 0;
        const bool forward = s.used && message.timestamp_ms >= s.last.timestamp_ms &&
                             message.message_stream_id == s.last.message_stream_id;
        if (forward && rng_.chance(0.8)) {
            format = 1;
            if (message.payload.size() == s.last.payload.size() && message.type == s.last.type &&
                rng_.chance(0.9)) {
                format = s.delta == delta && !s.extended && delta < 0xFF'FFFF ? 3 : 2;
            }
        }
        const std::uint32_t time = format == 0 ? message.timestamp_ms : delta;
        if (format != 3) {
            s.delta = time;
            s.extended = time >= 0xFF'FFFF;
            s.field = time;
        }
        basic(format, id);
        if (format <= 2) put(s.extended ? 0xFF'FFFF : time, 3);
        if (format <= 1) {
            put(static_cast<std::uint32_t>(message.payload.size()), 3);
            put(static_cast<std::uint32_t>(message.type), 1);
        }
        if (format == 0) {
            for (int i = 0; i < 4; ++i) put(message.message_stream_id >> (8 * i) & 0xFF, 1);
        }
        if (s.extended) put(s.field, 4);
        s.used = true;
        s.last = std::move(message);
        s.sent = 0;
        payload(s);
    }
    [[nodiscard]] bool busy(std::uint32_t id) {
        return streams_[id].used && streams_[id].sent < streams_[id].last.payload.size();
    }
    /// True when that was the last chunk.
    bool go_on(std::uint32_t id) {
        Stream& s = streams_[id];
        basic(3, id);
        if (s.extended) put(s.field, 4);
        payload(s);
        return s.sent == s.last.payload.size();
    }
    std::uint32_t chunk_size = 128;
    Bytes out;

private:
    struct Stream {
        RawMessage last;
        std::size_t sent = 0;
        std::uint32_t delta = 0;
        std::uint32_t field = 0;
        bool extended = false;
        bool used = false;
    };
    void put(std::uint32_t value, int bytes) {
        for (int i = bytes - 1; i >= 0; --i)
            out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    void basic(int format, std::uint32_t id) {
        const std::uint32_t top = static_cast<std::uint32_t>(format) << 6;
        if (id < 64) {
            put(top | id, 1);
        } else if (id < 320) {
            put(top, 1);
            put(id - 64, 1);
        } else {
            put(top | 1, 1);
            put((id - 64) & 0xFF, 1);
            put((id - 64) >> 8, 1);
        }
    }
    void payload(Stream& s) {
        const std::size_t part = std::min<std::size_t>(chunk_size, s.last.payload.size() - s.sent);
        const auto at = s.last.payload.begin() + static_cast<std::ptrdiff_t>(s.sent);
        out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(part));
        s.sent += part;
    }

    Rng rng_;
    std::map<std::uint32_t, Stream> streams_;
};

TEST(ChunkReader, ReadsWhatAWildSenderInterleaves) {
    constexpr std::uint32_t kIds[] = {3, 4, 63, 64, 319, 320, 4000};
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Rng rng(seed);
        WildSender sender(seed);
        ChunkReader reader({});
        const std::uint32_t chunk_size =
            std::array<std::uint32_t, 5>{1, 5, 128, 4096, 100'000}[rng.below(5)];
        ASSERT_TRUE(reader.set_chunk_size(chunk_size));
        sender.chunk_size = chunk_size;
        std::map<std::uint32_t, RawMessage> begun;
        std::map<std::uint32_t, std::uint32_t> clocks;
        std::vector<RawMessage> expected;
        for (int step = 0; step < 300; ++step) {
            const std::uint32_t id = kIds[rng.below(std::size(kIds))];
            if (sender.busy(id)) {
                if (sender.go_on(id)) expected.push_back(begun[id]);
                continue;
            }
            std::uint32_t& clock = clocks[id];
            clock += static_cast<std::uint32_t>(rng.chance(0.05) ? rng.below(0x200'0000)
                                                                 : 20 * rng.below(2));
            RawMessage m{.type = rng.chance(0.5) ? MessageType::kAudio : MessageType::kVideo,
                         .message_stream_id = static_cast<std::uint32_t>(rng.below(2)),
                         .timestamp_ms = clock,
                         .payload = Bytes(rng.chance(0.5) ? 7 : 1 + rng.below(600),
                                          static_cast<std::uint8_t>(step))};
            begun[id] = m;
            sender.begin(id, m);
            if (!sender.busy(id)) expected.push_back(m);
        }
        const ReadResult got = read_all(reader, sender.out, 1 + rng.below(700));
        ASSERT_FALSE(got.error) << seed;
        ASSERT_EQ(got.messages.size(), expected.size()) << seed;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_EQ(got.messages[i].timestamp_ms, expected[i].timestamp_ms) << seed << " " << i;
            ASSERT_EQ(got.messages[i].type, expected[i].type) << seed << " " << i;
            ASSERT_EQ(got.messages[i].message_stream_id, expected[i].message_stream_id)
                << seed << " " << i;
            ASSERT_EQ(got.messages[i].payload, expected[i].payload) << seed << " " << i;
        }
    }
}

}  // namespace
}  // namespace parley::rtmp

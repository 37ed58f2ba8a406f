#include "flv/amf.h"
#include "row.h"
#include "rtmp/command.h"

namespace parley::corpus {
namespace {

void both(Input& in) {
    add_pictures(in);
    add_sound(in);
}
std::function<void(Input&)> in_chunks_of(std::uint32_t size, std::size_t write_size = 1 << 20) {
    return [=](Input& in) {
        in.chunk_size = size;
        in.write_size = write_size;
        both(in);
    };
}
/// A message again and again between the media.
std::function<void(Input&)> among(MessageType type, const Bytes& payload) {
    return [=](Input& in) {
        for (std::int64_t ms = 0; ms < 2'000; ms += 50)
            in.message(Duration(ms * 1'000'000), type, ms, Bytes(payload));
        both(in);
    };
}
/// Bytes in the middle of the stream.
std::function<void(Input&)> broken_by(const Bytes& bytes) {
    return [=](Input& in) {
        both(in);
        in.raw(1s, bytes);
    };
}

Bytes u32(std::uint32_t value) {
    Bytes out(4);
    store_u32(out.data(), value);
    return out;
}

/// One chunk header of type 0 and `body`.
Bytes chunk(std::uint8_t id, std::uint32_t size, MessageType type, const Bytes& body) {
    Bytes out{id,
              0,
              0,
              0,
              static_cast<std::uint8_t>(size >> 16),
              static_cast<std::uint8_t>(size >> 8),
              static_cast<std::uint8_t>(size),
              static_cast<std::uint8_t>(type),
              1,
              0,
              0,
              0};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

Bytes text(std::string_view value) {
    Bytes out{
        2, static_cast<std::uint8_t>(value.size() >> 8), static_cast<std::uint8_t>(value.size())};
    out.insert(out.end(), value.begin(), value.end());
    return out;
}
Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}
Bytes repeated(const Bytes& part, std::size_t count) {
    Bytes out;
    for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), part.begin(), part.end());
    return out;
}

/// What an encoder says of itself: `@setDataFrame`, `onMetaData`, and a list.
Bytes metadata(double width, double video_codec) {
    const auto number = [](std::string_view name, double value) {
        Bytes out{static_cast<std::uint8_t>(name.size() >> 8),
                  static_cast<std::uint8_t>(name.size())};
        out.insert(out.end(), name.begin(), name.end());
        out.push_back(0);
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        for (int shift = 56; shift >= 0; shift -= 8)
            out.push_back(static_cast<std::uint8_t>(bits >> shift));
        return out;
    };
    return joined({text("@setDataFrame"),
                   text("onMetaData"),
                   {8, 0, 0, 0, 2},
                   number("width", width),
                   number("videocodecid", video_codec),
                   {0, 0, 9}});
}
std::function<void(Input&)> announced(const Bytes& data, Duration at = {}) {
    return [=](Input& in) {
        in.message(at, MessageType::kDataAmf0, to_ms(at), Bytes(data));
        both(in);
    };
}

/// All media in aggregates of half a second, FLV tags inside.
void aggregates(Input& in) {
    Input plain;
    both(plain);
    std::map<std::int64_t, Bytes> parts;
    for (const Input::Step& step : plain.steps()) {
        Bytes& out = parts[step.timestamp_ms / 500];
        const auto size = static_cast<std::uint32_t>(step.payload.size());
        const auto time = static_cast<std::uint32_t>(step.timestamp_ms);
        const std::initializer_list<std::uint32_t> head{
            static_cast<std::uint32_t>(step.type) << 24 | size, time << 8 | time >> 24, 0};
        Bytes tag;
        for (const std::uint32_t word : head) tag = joined({tag, u32(word)});
        tag.pop_back();  // a stream id of three bytes
        out = joined({out, tag, step.payload, u32(size + 11)});
    }
    for (auto& [half, payload] : parts) {
        const std::int64_t ms = half * 500;
        in.message(Duration(ms * 1'000'000), MessageType::kAggregate, ms, std::move(payload));
    }
}

void unfinished_messages_on_many_chunk_streams(Input& in) {
    both(in);
    Bytes bytes;
    for (std::uint8_t id = 3; id < 64; ++id)
        bytes = joined({bytes, chunk(id, 1 << 20, MessageType::kVideo, Bytes(60'000, 0x27))});
    for (std::uint8_t id = 0; id < 64; ++id) {
        Bytes far = chunk(0, 1 << 20, MessageType::kVideo, Bytes(60'000, 0x27));
        far.insert(far.begin() + 1, id);
        bytes = joined({bytes, far});
    }
    in.raw(1s, std::move(bytes));
}

/// The rest of a picture that was begun is taken back.
void aborted_message(Input& in) {
    both(in);
    in.raw(1s,
           joined({chunk(50, 100'000, MessageType::kVideo, Bytes(60'000, 0x17)),
                   chunk(2, 4, MessageType{2}, u32(50))}));
}

class CorpusWire : public Corpus {};
TEST_P(CorpusWire, PlaysOrIsRefused) { check(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Chunks,
    CorpusWire,
    ::testing::Values(Row{"ChunksOf128", in_chunks_of(128), 28, 1800ms},
                      Row{"ChunksOf128KiB", in_chunks_of(128 * 1'024), 28, 1800ms},
                      Row{"ChunksOfOneByte", in_chunks_of(1), 28, 1800ms},
                      Row{"ChunksOfTwoGiB", in_chunks_of(0x7FFF'FFFF), 28, 1800ms},
                      Row{"WritesOfOneByte", in_chunks_of(60'000, 1), 28, 1800ms},
                      Row{"ChunksAndWritesOfSevenBytes", in_chunks_of(7, 7), 28, 1800ms},
                      Row{"Aggregates", aggregates, 28, 1300ms},
                      Row{"AbortedMessage", aborted_message, 28, 1800ms},
                      Row{.name = "ChunkSizeZero",
                          .make = among(MessageType::kSetChunkSize, u32(0)),
                          .refusal = "malformed",
                          .told = false},
                      Row{.name = "ChunkSizeAboveTwoGiB",
                          .make = among(MessageType::kSetChunkSize, u32(0x8000'0000)),
                          .refusal = "malformed",
                          .told = false},
                      Row{.name = "ContinuationOfNothing",
                          .make = broken_by({0xC0 | 33, 1, 2, 3}),
                          .refusal = "malformed",
                          .told = false},
                      Row{.name = "MessageOf16MiBPromised",
                          .make = broken_by(chunk(33, 0xFF'FFFF, MessageType::kVideo, {0x17})),
                          .refusal = "too_large",
                          .told = false},
                      Row{.name = "UnfinishedMessagesOnManyChunkStreams",
                          .make = unfinished_messages_on_many_chunk_streams,
                          .refusal = "too_large",
                          .told = false}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Messages,
    CorpusWire,
    ::testing::Values(
        Row{"UnknownTypes", among(MessageType{99}, Bytes(10, 7)), 28, 1800ms},
        Row{"UnknownUserControl",
            among(MessageType::kUserControl, {0, 31, 0, 0, 0, 0}),
            28,
            1800ms},
        Row{"PingsAndAcknowledgements",
            [](Input& in) {
                among(MessageType::kUserControl, {0, 6, 0, 0, 0, 1})(in);
                in.message(500ms, MessageType::kAcknowledgement, 0, u32(0xFFFF'FFFF));
                in.message(600ms, MessageType::kWindowAcknowledgementSize, 0, u32(0));
                in.message(700ms, MessageType::kSetPeerBandwidth, 0, {0, 0, 0, 0, 9});
            },
            28,
            1800ms},
        Row{"SharedObjects", among(MessageType::kSharedObjectAmf0, Bytes(10, 7)), 28, 1800ms},
        Row{"UnknownCommands",
            among(MessageType::kCommandAmf0,
                  joined({text("whoAreYou"), {0, 0, 0, 0, 0, 0, 0, 0, 0, 5}})),
            28,
            1800ms},
        Row{.name = "CommandsOfJunk",
            .make = among(MessageType::kCommandAmf0, Bytes(40, 0xEE)),
            .refusal = "malformed: AMF0",
            .told = false},
        Row{.name = "CommandsOfJunkInAmf3",
            .make = among(MessageType::kCommandAmf3, Bytes(40, 0x11)),
            .refusal = "unsupported: AMF3",
            .told = false}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Data,
    CorpusWire,
    ::testing::Values(
        Row{"Metadata", announced(metadata(64, 7)), 28, 1800ms},
        Row{"MetadataOneSecondLate", announced(metadata(64, 7), 1s), 28, 1800ms},
        Row{"MetadataThatLies", announced(metadata(7'680, 2)), 28, 1800ms},
        Row{"MetadataAgainAndAgain", among(MessageType::kDataAmf0, metadata(64, 7)), 28, 1800ms},
        Row{"MetadataCutShort",
            announced([] {
                Bytes data = metadata(64, 7);
                data.resize(data.size() - 20);
                return data;
            }()),
            28,
            1800ms},
        Row{"JunkAsData", among(MessageType::kDataAmf0, Bytes(300, 0xEE)), 28, 1800ms},
        Row{"EmptyData", among(MessageType::kDataAmf0, {}), 28, 1800ms},
        Row{"DataOfAmf3",
            among(MessageType::kDataAmf3, joined({{0}, metadata(64, 7)})),
            28,
            1800ms},
        Row{"JunkAsAmf3", among(MessageType::kDataAmf3, Bytes(300, 0x0A)), 28, 1800ms},
        Row{"ObjectsOfGreatDepth",
            among(MessageType::kDataAmf0,
                  joined({text("onMetaData"), repeated({3, 0, 1, 'a'}, 5'000)})),
            28,
            1800ms},
        Row{"ArrayThatPromisesBillions",
            among(MessageType::kDataAmf0,
                  joined({text("onMetaData"), {0x0A, 0xFF, 0xFF, 0xFF, 0xFF}})),
            28,
            1800ms},
        Row{"TextThatPromisesMore",
            among(MessageType::kDataAmf0,
                  joined({text("onMetaData"), {0x0C, 0x7F, 0xFF, 0xFF, 0xFF, 'x'}})),
            28,
            1800ms},
        Row{"DataOfOneMegabyte",
            announced(joined({text("onMetaData"), Bytes(1 << 20, 0x05)})),
            28,
            1800ms},
        Row{"CuePointsAndTexts",
            among(MessageType::kDataAmf0, joined({text("onTextData"), {5}})),
            28,
            1800ms}),
    row_name);

}  // namespace
}  // namespace parley::corpus

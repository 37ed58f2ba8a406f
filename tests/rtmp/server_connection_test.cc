#include "rtmp/server_connection.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "flv/aac_config.h"
#include "rtmp/channel.h"
#include "rtmp/handshake.h"
#include "rtmp/stream_parameters.h"
#include "support.h"

// Foreign and hostile clients, written byte by byte.
namespace parley::rtmp {
namespace {

Bytes read_file(const std::string& name) {
    std::ifstream in(std::string(PARLEY_SOURCE_DIR) + "/tests/rtmp/data/" + name, std::ios::binary);
    EXPECT_TRUE(in) << name;
    return {std::istreambuf_iterator<char>(in), {}};
}

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// C0, C1 and C2 of a client that knows only the simple handshake.
Bytes simple_handshake() {
    Bytes bytes{3};
    bytes.resize(1 + 2 * kHandshakePacketSize);
    return bytes;
}

struct Chunk {
    MessageType type = MessageType::kCommandAmf0;
    std::uint32_t stream = 0;
    std::uint8_t chunk_stream_id = 3;
    std::uint32_t timestamp_ms = 0;
    std::uint32_t chunk_size = 128;
};
Bytes message(const Chunk& chunk, Bytes payload) {
    ChunkWriter writer;
    writer.set_chunk_size(chunk.chunk_size);
    flv::GatherList out;
    writer.write({chunk.type, chunk.chunk_stream_id, chunk.stream, chunk.timestamp_ms},
                 std::move(payload),
                 out);
    return out.flatten();
}
Bytes command(const char* name,
              double transaction,
              flv::AmfValue object,
              std::vector<flv::AmfValue> arguments = {},
              std::uint32_t stream = 0) {
    return message({.stream = stream},
                   write_command({name, transaction, std::move(object), std::move(arguments)}));
}
Bytes connect_command(const char* app = "live") {
    flv::AmfObject object;
    object.add("app", app).add("tcUrl", "rtmp://h/live");
    return command("connect", 1, object);
}
Bytes create_stream() { return command("createStream", 2, flv::AmfNull{}); }
Bytes publish_command(std::uint32_t stream = 1) {
    return command("publish", 3, flv::AmfNull{}, {"camera", "live"}, stream);
}
Bytes play_command(std::uint32_t stream = 1) {
    return command("play", 3, flv::AmfNull{}, {"camera"}, stream);
}

/// A server with what it said and told.
struct Served {
    explicit Served(const ServerConfig& config = {}) : server(config, Rng(3), kStart) {}

    void feed(const Bytes& bytes, std::size_t piece = 1 << 20) {
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            server.handle_bytes(
                now, ByteView(bytes).subspan(at, std::min(piece, bytes.size() - at)), out);
        }
    }
    void start_publish() {
        feed(simple_handshake() + connect_command() + create_stream() + publish_command());
        ASSERT_TRUE(has<PublishRequested>(out.events));
        server.accept_publish(now, MessageStreamId(1), out);
    }
    void start_play() {
        feed(simple_handshake() + connect_command() + create_stream() + play_command());
        ASSERT_TRUE(has<PlayRequested>(out.events));
        server.accept_play(now, MessageStreamId(1), out);
    }
    /// Everything that the server sent after its handshake.
    [[nodiscard]] std::vector<RawMessage> sent() const {
        const Bytes bytes = out.send.flatten();
        ByteView in = ByteView(bytes).subspan(1 + 2 * kHandshakePacketSize);
        ChunkReader reader({});
        std::vector<RawMessage> messages;
        while (true) {
            auto m = reader.next(in);
            EXPECT_TRUE(m);
            if (!m || !*m) return messages;
            if ((*m)->type == MessageType::kSetChunkSize) {
                EXPECT_TRUE(reader.set_chunk_size(load_u32((*m)->payload.data())));
            }
            messages.push_back(std::move(**m));
        }
    }
    [[nodiscard]] std::vector<Command> sent_commands() const {
        std::vector<Command> commands;
        for (const RawMessage& m : sent()) {
            if (m.type == MessageType::kCommandAmf0)
                commands.push_back(*parse_command(m.type, m.payload));
        }
        return commands;
    }
    [[nodiscard]] std::string last_status() const {
        std::string code;
        for (const Command& c : sent_commands()) {
            if (const auto* info = c.argument(0).object();
                c.name == "onStatus" && info != nullptr) {
                code = info->find("code")->text();
            }
        }
        return code;
    }
    [[nodiscard]] std::optional<CloseReason> closed() const {
        const auto events = all<Closed>(out.events);
        EXPECT_LE(events.size(), 1u);
        return events.empty() ? std::nullopt : std::optional(events[0].reason);
    }

    Instant now = kStart;
    Outputs out;
    ServerConnection server;
};

// --- captures of real clients

TEST(Captured, FfmpegPublishes) {
    const Bytes capture = read_file("ffmpeg_publish.bin");
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{1500}, capture.size()}) {
        Served s;
        std::size_t media = 0;
        for (std::size_t at = 0; at < capture.size(); at += piece) {
            s.feed(Bytes(capture.begin() + static_cast<std::ptrdiff_t>(at),
                         capture.begin() +
                             static_cast<std::ptrdiff_t>(std::min(capture.size(), at + piece))));
            if (s.server.read_budget() == 0 && !s.server.is_closed()) {
                s.server.accept_publish(s.now, MessageStreamId(1), s.out);
            }
        }
        ASSERT_EQ(s.closed(), std::nullopt) << piece;
        const auto requests = all<PublishRequested>(s.out.events);
        ASSERT_EQ(requests.size(), 1u);
        EXPECT_EQ(requests[0].app, "live/camera?token=a");
        media = all<MediaMessage>(s.out.events).size();
        EXPECT_GE(media, 5u) << piece;
        EXPECT_EQ(all<MediaMessage>(s.out.events)[0].message.kind, flv::MediaKind::kData);
    }
}

TEST(Captured, RtmpdumpPlays) {
    const Bytes capture = read_file("rtmpdump_play.bin");
    for (const std::size_t piece : {std::size_t{1}, capture.size()}) {
        Served s;
        s.feed(capture, piece);
        ASSERT_EQ(s.closed(), std::nullopt);
        const auto requests = all<PlayRequested>(s.out.events);
        ASSERT_EQ(requests.size(), 1u);
        const auto p =
            parse_stream_parameters(requests[0].app, requests[0].tc_url, requests[0].stream_name);
        EXPECT_EQ(p.rtmp_token, "T0ken");
        EXPECT_EQ(p.track_ids, (std::vector<std::string>{"v1", "a1"}));
        EXPECT_EQ(p.player_id, "user");
        s.server.accept_play(s.now, requests[0].stream, s.out);
        EXPECT_TRUE(s.server.send_media(requests[0].stream, video(0), 0, s.out));
    }
}

/// OBS and its kind: release, FCPublish and createStream at once, with headers of type 1 and 3
/// where they fit, and media that does not wait for the answer to publish.
TEST(Conversation, PipelinedPublisherLosesNothing) {
    Served s;
    const Bytes media = message({MessageType::kAudio, 1, 4, 0},
                                flv::write_aac_sequence_header(flv::write_aac_config({}))) +
                        message({MessageType::kVideo, 1, 6, 0}, *video(0, 900, true).payload) +
                        message({MessageType::kAudio, 1, 4, 20}, *audio(20).payload);
    s.feed(simple_handshake() + connect_command() +
           command("releaseStream", 2, flv::AmfNull{}, {"camera"}) +
           command("FCPublish", 3, flv::AmfNull{}, {"camera"}) +
           command("createStream", 4, flv::AmfNull{}) + command("_checkbw", 5, flv::AmfNull{}) +
           publish_command() + media);
    ASSERT_EQ(all<PublishRequested>(s.out.events).size(), 1u);
    EXPECT_FALSE(has<MediaMessage>(s.out.events));
    EXPECT_EQ(s.server.read_budget(), 0u);
    s.server.accept_publish(s.now, MessageStreamId(1), s.out);
    const auto got = all<MediaMessage>(s.out.events);
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[2].message.timestamp_ms, 20);
    EXPECT_EQ(s.server.read_budget(), kReadBudget);
    std::vector<double> answered;
    for (const Command& c : s.sent_commands()) {
        if (c.name == "_result") answered.push_back(c.transaction_id);
    }
    EXPECT_EQ(answered, (std::vector<double>{1, 2, 3, 4, 5}));
    EXPECT_EQ(s.last_status(), "NetStream.Publish.Start");
}

TEST(Conversation, Amf3CommandsAreUnderstood) {
    Served s;
    const auto amf3 = [](Bytes amf0) {
        amf0.insert(amf0.begin(), 0);
        return message({.type = MessageType::kCommandAmf3}, std::move(amf0));
    };
    // The command object in AMF3 behind its marker, as Flash players with objectEncoding 3 send it.
    Bytes connect;
    flv::write_amf0(connect, "connect");
    flv::write_amf0(connect, 1.0);
    flv::AmfObject object;
    object.add("app", "live").add("tcUrl", "rtmp://h/live").add("objectEncoding", 3.0);
    connect.push_back(0x11);
    flv::write_amf3(connect, object);
    s.feed(simple_handshake() + amf3(connect) +
           amf3(write_command({"createStream", 2, flv::AmfNull{}, {}})) +
           amf3(write_command({"play", 0, flv::AmfNull{}, {"camera"}})));
    const auto connected = all<Connected>(s.out.events);
    ASSERT_EQ(connected.size(), 1u);
    EXPECT_EQ(connected[0].app, "live");
    EXPECT_EQ(connected[0].object_encoding, 3);
    EXPECT_EQ(all<PlayRequested>(s.out.events).size(), 1u);  // on stream 0: there is only one
}

TEST(Conversation, EnhancedClientsLearnWhatIsForwarded) {
    Served s;
    flv::AmfObject object;
    flv::AmfArray list;
    list.items = {"hvc1", "av01", "*"};
    object.add("app", "live").add("tcUrl", "rtmp://h/live").add("fourCcList", list);
    s.feed(simple_handshake() + command("connect", 1, object));
    ASSERT_EQ(all<Connected>(s.out.events).size(), 1u);
    EXPECT_EQ(all<Connected>(s.out.events)[0].four_cc_list,
              (std::vector<std::string>{"hvc1", "av01", "*"}));
    const auto commands = s.sent_commands();
    ASSERT_FALSE(commands.empty());
    const auto* map = commands[0].object.object()->find("videoFourCcInfoMap");
    ASSERT_NE(map, nullptr);
    EXPECT_NE(map->object()->find("hvc1"), nullptr);
}

TEST(Conversation, AggregatesComeApart) {
    Served s;
    s.start_publish();
    Bytes aggregate;
    const auto add = [&](std::uint8_t type, std::uint32_t time, const Bytes& body) {
        const auto size = static_cast<std::uint32_t>(body.size());
        aggregate = aggregate +
                    Bytes{type,
                          0,
                          static_cast<std::uint8_t>(size >> 8),
                          static_cast<std::uint8_t>(size),
                          0,
                          static_cast<std::uint8_t>(time >> 8),
                          static_cast<std::uint8_t>(time),
                          0,
                          0,
                          0,
                          0} +
                    body + Bytes{0, 0, 0, static_cast<std::uint8_t>(size + 11)};
    };
    add(9, 500, *video(0).payload);
    add(8, 523, *audio(0).payload);
    add(9, 540, *video(40).payload);
    s.feed(message({MessageType::kAggregate, 1, 7, 10'000}, aggregate));
    const auto got = all<MediaMessage>(s.out.events);
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[0].message.timestamp_ms, 10'000);
    EXPECT_EQ(got[1].message.timestamp_ms, 10'023);
    EXPECT_EQ(got[1].message.kind, flv::MediaKind::kAudio);
    EXPECT_EQ(got[2].message.timestamp_ms, 10'040);
}

TEST(Conversation, ReceiveVideoOffLeavesAudio) {
    Served s;
    s.start_play();
    s.feed(command("receiveVideo", 0, flv::AmfNull{}, {false}, 1));
    ASSERT_EQ(all<ReceiveChanged>(s.out.events).size(), 1u);
    EXPECT_FALSE(all<ReceiveChanged>(s.out.events)[0].video);
    EXPECT_FALSE(s.server.send_media(MessageStreamId(1), video(0), 0, s.out));
    EXPECT_TRUE(s.server.send_media(MessageStreamId(1), audio(0), 0, s.out));
    s.feed(command("receiveVideo", 0, flv::AmfNull{}, {true}, 1));
    EXPECT_TRUE(s.server.send_media(MessageStreamId(1), video(0), 0, s.out));
}

TEST(Conversation, EveryEndOfAPublishIsToldOnce) {
    const std::vector<Bytes> ends = {command("FCUnpublish", 6, flv::AmfNull{}, {"camera"}),
                                     command("closeStream", 0, flv::AmfNull{}, {}, 1),
                                     command("deleteStream", 0, flv::AmfNull{}, {1.0})};
    for (const Bytes& end : ends) {
        Served s;
        s.start_publish();
        s.feed(end + end);
        EXPECT_EQ(all<Unpublished>(s.out.events).size(), 1u);
        EXPECT_EQ(s.closed(), std::nullopt);
        // Media behind it belongs to nobody.
        s.feed(message({MessageType::kVideo, 1, 6, 0}, *video(0).payload));
        EXPECT_FALSE(has<MediaMessage>(s.out.events));
        // And a client that then does nothing is closed.
        s.now += 3s;
        s.server.handle_timeout(s.now, s.out);
        EXPECT_EQ(s.closed(), CloseReason::kHandshakeTimeout);
    }
}

TEST(Conversation, PublishesAgainOnTheSameConnection) {
    Served s;
    s.start_publish();
    s.feed(command("FCUnpublish", 6, flv::AmfNull{}, {"camera"}) +
           command("deleteStream", 0, flv::AmfNull{}, {1.0}) + create_stream() +
           publish_command(2));
    const auto requests = all<PublishRequested>(s.out.events);
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[1].stream, MessageStreamId(2));
    s.server.accept_publish(s.now, MessageStreamId(2), s.out);
    s.feed(message({MessageType::kVideo, 2, 6, 7}, *video(7).payload));
    ASSERT_EQ(all<MediaMessage>(s.out.events).size(), 1u);
    EXPECT_EQ(all<MediaMessage>(s.out.events)[0].message.timestamp_ms, 7);
}

TEST(Conversation, PingsAreAnswered) {
    Served s;
    s.start_play();
    s.feed(message({MessageType::kUserControl, 0, 2}, {0, 6, 1, 2, 3, 4}));
    const auto sent = s.sent();
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent.back().type, MessageType::kUserControl);
    EXPECT_EQ(sent.back().payload, (Bytes{0, 7, 1, 2, 3, 4}));
}

// --- bad input

TEST(BadInput, WhatIsNoRtmpIsRefusedAtTheFirstByte) {
    for (const auto& [first, reason] : {std::pair{0x47, CloseReason::kMalformed},
                                        {0x06, CloseReason::kUnsupported},
                                        {0x00, CloseReason::kMalformed},
                                        {0x16, CloseReason::kMalformed}}) {
        Served s;
        s.feed({static_cast<std::uint8_t>(first)});
        EXPECT_EQ(s.closed(), reason) << first;
        EXPECT_TRUE(s.out.send.empty());
    }
}

/// Each point where a client can stall, and how long it then has.
TEST(BadInput, EveryStallEndsInThreeSeconds) {
    const Bytes whole = simple_handshake() + connect_command() + create_stream();
    const std::size_t marks[] = {0,
                                 1,
                                 100,
                                 1537,
                                 2000,
                                 3073,
                                 3080,
                                 simple_handshake().size() + connect_command().size(),
                                 whole.size()};
    for (const std::size_t size : marks) {
        Served s;
        s.feed(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        const auto due = s.server.next_deadline();
        ASSERT_TRUE(due) << size;
        EXPECT_LE(*due, s.now + 3s) << size;
        s.server.handle_timeout(*due - 1ns, s.out);
        EXPECT_EQ(s.closed(), std::nullopt) << size;
        s.server.handle_timeout(*due, s.out);
        EXPECT_EQ(s.closed(), CloseReason::kHandshakeTimeout) << size;
        EXPECT_EQ(s.server.next_deadline(), std::nullopt);
    }
}

TEST(BadInput, TheClientIsToldWhy) {
    const auto status_after = [](const Bytes& bytes, bool stalls = false) {
        Served s;
        s.feed(simple_handshake() + bytes);
        if (stalls) {
            s.now += 3s;
            s.server.handle_timeout(s.now, s.out);
        }
        EXPECT_TRUE(s.server.is_closed());
        return s.last_status();
    };
    const Bytes zero = message({MessageType::kSetChunkSize, 0, 2}, {0, 0, 0, 0});
    EXPECT_EQ(status_after({}, true), kConnectRejected);
    EXPECT_EQ(status_after(zero), kConnectRejected);
    EXPECT_EQ(status_after(create_stream()), kConnectRejected) << "before connect";
    EXPECT_EQ(status_after(connect_command(), true), kConnectClosed);
    EXPECT_EQ(status_after(connect_command() + zero), kConnectClosed);
    EXPECT_EQ(status_after(connect_command() + connect_command()), kConnectClosed);
    Served publisher;
    publisher.start_publish();
    publisher.feed(zero);
    EXPECT_EQ(publisher.last_status(), kConnectClosed);
}

TEST(BadInput, NobodyDecides) {
    Served s;
    s.feed(simple_handshake() + connect_command() + create_stream() + publish_command());
    s.now = *s.server.next_deadline();
    EXPECT_LE(s.now, kStart + 3s);
    s.server.handle_timeout(s.now, s.out);
    EXPECT_EQ(s.closed(), CloseReason::kDecisionTimeout);
    EXPECT_EQ(s.last_status(), kPublishDenied);
    s.server.accept_publish(s.now, MessageStreamId(1), s.out);  // too late
    EXPECT_FALSE(s.server.is_authenticated());
}

TEST(BadInput, SilentPublisherEndsAfterTheIdleTimeout) {
    Served s;
    s.start_publish();
    EXPECT_EQ(s.server.next_deadline(), kStart + 60s);
    s.now += 40s;
    s.server.handle_timeout(s.now, s.out);
    s.feed(message({MessageType::kAudio, 1, 4, 0}, *audio(0).payload));
    EXPECT_EQ(s.server.next_deadline(), kStart + 100s);
    s.server.handle_timeout(kStart + 100s, s.out);
    EXPECT_EQ(s.closed(), CloseReason::kIdle);
    EXPECT_EQ(all<Unpublished>(s.out.events).size(), 1u);
}

TEST(BadInput, ChunkSizes) {
    struct SizeCase {
        std::uint32_t size;
        bool ok;
    };
    for (const SizeCase c : {SizeCase{0, false},
                             SizeCase{0x8000'0000, false},
                             SizeCase{0xFFFF'FFFF, false},
                             SizeCase{1, true},
                             SizeCase{0x7FFF'FFFF, true},
                             SizeCase{131'072, true}}) {
        Served s;
        s.start_publish();
        Bytes payload(4);
        store_u32(payload.data(), c.size);
        s.feed(message({MessageType::kSetChunkSize, 0, 2}, payload) +
               message({MessageType::kVideo, 1, 6, 0, c.size == 0 ? 1 : c.size},
                       *video(0, 3000).payload));
        EXPECT_EQ(s.closed(), c.ok ? std::nullopt : std::optional(CloseReason::kMalformed))
            << c.size;
        EXPECT_EQ(all<MediaMessage>(s.out.events).size(), c.ok ? 1u : 0u) << c.size;
    }
}

/// A header that promises `length` bytes on a chunk stream of its own, and the first of them.
Bytes promise(std::uint32_t chunk_stream_id, std::uint32_t length, std::size_t sent) {
    Bytes bytes{0x01,
                static_cast<std::uint8_t>(chunk_stream_id - 64),
                static_cast<std::uint8_t>((chunk_stream_id - 64) >> 8)};
    bytes = bytes + Bytes{0,
                          0,
                          0,
                          static_cast<std::uint8_t>(length >> 16),
                          static_cast<std::uint8_t>(length >> 8),
                          static_cast<std::uint8_t>(length),
                          9,
                          1,
                          0,
                          0,
                          0};
    bytes.resize(bytes.size() + sent, 0x55);
    return bytes;
}

TEST(BadInput, PromisesOnManyChunkStreamsBeforeConnect) {
    Served s;
    s.feed(simple_handshake());
    for (std::uint32_t i = 0; i < 4000 && !s.server.is_closed(); ++i) {
        s.feed(promise(64 + i, 2000, 128));
        EXPECT_LE(s.server.memory_bytes(), kMaxUnauthenticatedMemory);
    }
    EXPECT_EQ(s.closed(), CloseReason::kTooLarge);
}

TEST(BadInput, PromisesOnManyChunkStreamsAfterAccept) {
    for (const std::uint32_t length : {0xFF'FFFFu, static_cast<std::uint32_t>(kMaxMessage)}) {
        Served s;
        s.start_publish();
        std::size_t highest = 0;
        for (std::uint32_t i = 0; i < 4000 && !s.server.is_closed(); ++i) {
            s.feed(promise(64 + i, length, 128));
            highest = std::max(highest, s.server.memory_bytes());
        }
        EXPECT_EQ(s.closed(), CloseReason::kTooLarge);
        EXPECT_LE(highest, 1u << 20);  // promises alone cost next to nothing
    }
}

TEST(BadInput, ManyLargeMessagesAtOnceStayBelowTheBound) {
    Served s;
    s.start_publish();
    s.feed(message({MessageType::kSetChunkSize, 0, 2}, {0x00, 0x10, 0x00, 0x00}));
    std::size_t highest = 0;
    for (std::uint32_t i = 0; i < 64 && !s.server.is_closed(); ++i) {
        s.feed(promise(64 + i, kMaxMessage, 0));
        s.feed(Bytes(1 << 20), 16'384);
        highest = std::max(highest, s.server.memory_bytes());
    }
    EXPECT_EQ(s.closed(), CloseReason::kTooLarge);
    EXPECT_LE(highest, kMaxAuthenticatedMemory);
    EXPECT_GE(highest, 2u << 20);
}

TEST(BadInput, APlayerHasNothingLargeToSay) {
    for (const bool in_parts : {false, true}) {
        Served s;
        s.start_play();
        std::size_t highest = 0;
        for (std::uint32_t i = 0; i < 4000 && !s.server.is_closed(); ++i) {
            s.feed(promise(64 + i % 60, in_parts ? kMaxPlayerMessage : kMaxPlayerMessage + 1, 128));
            highest = std::max(highest, s.server.memory_bytes());
        }
        EXPECT_EQ(s.closed(), CloseReason::kTooLarge);
        EXPECT_LE(highest, kMaxPlayerAssembly + kMaxUnauthenticatedMemory);
    }
}

TEST(BadInput, MemoryBeforeAcceptIsBoundedWhateverComes) {
    const Bytes name(900, 'n');
    const std::string text(as_text_view(name));
    flv::AmfObject object;
    object.add("app", text).add("tcUrl", "rtmp://h/" + text);
    Served s;
    const Bytes flood = simple_handshake() + command("connect", 1, object) + create_stream() +
                        command("publish", 3, flv::AmfNull{}, {text, "live"}, 1) +
                        Bytes(100'000, 0x42);
    std::size_t at = 0;
    while (at < flood.size() && s.server.read_budget() != 0) {
        const std::size_t size = std::min(s.server.read_budget(), flood.size() - at);
        s.feed(Bytes(flood.begin() + static_cast<std::ptrdiff_t>(at),
                     flood.begin() + static_cast<std::ptrdiff_t>(at + size)));
        at += size;
        EXPECT_LE(s.server.memory_bytes(), kMaxUnauthenticatedMemory) << at;
    }
    EXPECT_EQ(all<PublishRequested>(s.out.events).size(), 1u);
    // A shell that reads on all the same is cut off.
    s.feed(Bytes(kReadBudget + 1));
    EXPECT_EQ(s.closed(), CloseReason::kTooLarge);
}

TEST(BadInput, CommandsOutOfOrder) {
    const std::vector<std::pair<const char*, Bytes>> cases = {
        {"createStream before connect", create_stream()},
        {"publish before createStream", connect_command() + publish_command()},
        {"connect twice", connect_command() + connect_command()},
        {"connect without object", command("connect", 1, flv::AmfNull{})},
        {"publish on a foreign stream", connect_command() + create_stream() + publish_command(9)},
        {"chunk without header", Bytes{0xC3, 0x00}},
        {"AMF junk", message({}, {0xFF, 0x00, 0x01})},
        {"AMF length lie", message({}, {0x02, 0xFF, 0xFF, 'c'})},
        {"no name", message({}, {0x05})},
    };
    for (const auto& [name, bytes] : cases) {
        Served s;
        s.feed(simple_handshake() + bytes);
        EXPECT_EQ(s.closed(), CloseReason::kMalformed) << name;
    }
}

TEST(BadInput, AmfThatNestsTooDeep) {
    Bytes deep;
    flv::write_amf0(deep, "connect");
    flv::write_amf0(deep, 1.0);
    for (int i = 0; i < 300; ++i) deep = deep + Bytes{0x03, 0x00, 0x01, 'a'};
    Served s;
    s.feed(simple_handshake() + message({}, deep));
    EXPECT_EQ(s.closed(), CloseReason::kTooLarge);
}

TEST(BadInput, TooManyStreamsAndTooLongNames) {
    Served s;
    Bytes many = simple_handshake() + connect_command();
    for (int i = 0; i < 20; ++i) many = many + create_stream();
    s.feed(many);
    EXPECT_EQ(s.closed(), CloseReason::kTooLarge);

    Served t;
    t.feed(simple_handshake() + connect_command(std::string(kMaxNameBytes + 1, 'a').c_str()));
    EXPECT_EQ(t.closed(), CloseReason::kTooLarge);
    const auto commands = t.sent_commands();
    ASSERT_FALSE(commands.empty());
    EXPECT_EQ(commands.back().name, "_error");
}

TEST(BadInput, AsksAndDoesNotRead) {
    const Bytes question = command("_checkbw", 9, flv::AmfNull{});
    for (const bool reads : {false, true}) {
        Served s;
        s.feed(simple_handshake() + connect_command());
        std::size_t highest = 0;
        for (int i = 0; i < 1000; ++i) {
            s.feed(question);
            highest = std::max(highest, s.out.send.size_bytes());
            if (reads) s.out.send.clear();
        }
        EXPECT_EQ(s.closed(), reads ? std::nullopt : std::optional(CloseReason::kTooLarge));
        EXPECT_LE(highest, kMaxUnauthenticatedUnsent + 200);
    }
}

TEST(BadInput, ChangedBytesNeverBreakTheServer) {
    const Bytes whole = simple_handshake() + connect_command() + create_stream() +
                        publish_command() +
                        message({MessageType::kVideo, 1, 6, 0}, *video(0, 400, true).payload) +
                        command("deleteStream", 0, flv::AmfNull{}, {1.0});
    Rng rng(11);
    for (int round = 0; round < 3000; ++round) {
        Bytes bytes = whole;
        for (int i = 0; i < 3; ++i) {
            bytes[3073 + rng.below(bytes.size() - 3073)] =
                static_cast<std::uint8_t>(rng.next_u32());
        }
        Served s;
        const std::size_t cut = 3073 + rng.below(bytes.size() - 3073);
        s.feed(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut)));
        s.server.accept_publish(s.now, MessageStreamId(1), s.out);
        s.feed(Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end()));
        s.server.accept_publish(s.now, MessageStreamId(1), s.out);
        // Whatever happened, it ends: at a deadline at the latest.
        while (const auto due = s.server.next_deadline()) s.server.handle_timeout(*due, s.out);
        EXPECT_TRUE(s.closed());
        EXPECT_LE(all<Unpublished>(s.out.events).size(),
                  all<PublishRequested>(s.out.events).size());
    }
}

TEST(FanOut, PayloadIsSharedAndOnlyHeadersDiffer) {
    Served a;
    Served b;
    a.start_play();
    b.start_play();
    a.out.send.clear();
    b.out.send.clear();
    const flv::Message m = video(1000, 50'000, true);
    const long before = m.payload.use_count();
    ASSERT_TRUE(a.server.send_media(MessageStreamId(1), m, 0, a.out));
    ASSERT_TRUE(b.server.send_media(MessageStreamId(1), m, 1'000'000'000, b.out));
    EXPECT_EQ(m.payload.use_count(), before + 2);
    std::array<ByteView, 4> views;
    ASSERT_EQ(a.out.send.views(views), 2u);
    EXPECT_EQ(views[0].size(), 12u);
    EXPECT_EQ(views[1].data(), m.payload->data());
    ASSERT_EQ(b.out.send.views(views), 2u);
    EXPECT_EQ(views[0].size(), 16u);  // extended timestamp
    EXPECT_EQ(views[1].data(), m.payload->data());
}

}  // namespace
}  // namespace parley::rtmp

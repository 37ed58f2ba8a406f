#include <gtest/gtest.h>

#include "flv/metadata.h"
#include "support.h"

// Our client against our server, joined in memory with an explicit clock.
namespace parley::rtmp {
namespace {

ClientConfig config(ClientMode mode, bool digest = false) {
    return {.mode = mode,
            .app = "live",
            .tc_url = "rtmp://example.test/live",
            .stream_name = "camera?token=x",
            .digest_handshake = digest};
}

void expect_same(const std::vector<MediaMessage>& got, const std::vector<flv::Message>& sent) {
    ASSERT_EQ(got.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
        EXPECT_EQ(got[i].message.kind, sent[i].kind) << i;
        EXPECT_EQ(got[i].message.timestamp_ms, sent[i].timestamp_ms) << i;
        EXPECT_EQ(*got[i].message.payload, *sent[i].payload) << i;
    }
}

struct Case {
    const char* name;
    bool digest;
    std::size_t piece;
    std::uint32_t chunk_size;
};

class Joining : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(All,
                         Joining,
                         testing::Values(Case{"simple", false, 1 << 20, 60'000},
                                         Case{"digest", true, 1 << 20, 60'000},
                                         Case{"single_bytes", true, 1, 60'000},
                                         Case{"odd_pieces", false, 1447, 4096},
                                         Case{"chunk_1", false, 1 << 20, 1},
                                         Case{"chunk_127", false, 333, 127},
                                         Case{"chunk_128", false, 1 << 20, 128},
                                         Case{"chunk_129", true, 1 << 20, 129},
                                         Case{"chunk_65536", false, 5000, 65'536},
                                         Case{"chunk_huge", false, 5000, 0x7FFF'FFFF}),
                         [](const auto& c) { return c.param.name; });

TEST_P(Joining, PublishesEveryMessageAsItWasSent) {
    ClientConfig client = config(ClientMode::kPublish, GetParam().digest);
    client.chunk_size = GetParam().chunk_size;
    Joined j(client, GetParam().piece);
    j.start();
    const auto requests = all<PublishRequested>(j.server_events());
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].app, "live");
    EXPECT_EQ(requests[0].tc_url, "rtmp://example.test/live");
    EXPECT_EQ(requests[0].stream_name, "camera?token=x");
    EXPECT_EQ(requests[0].publish_type, "live");
    ASSERT_TRUE(has<Started>(j.client_events()));

    const std::vector<flv::Message> sent = {audio(0),
                                            video(0, 70'000, true),
                                            audio(23),
                                            video(40, 1),
                                            video(0xFF'FFFE, 300),
                                            video(0xFF'FFFF, 300),
                                            audio(0x100'0000, 200),
                                            video(0x7000'0000),
                                            audio(0xE000'0000),
                                            video(0xFFFF'FFFF, 400),
                                            video(0x1'0000'0027, 128),
                                            audio(0x1'0000'0028, 1)};
    for (const flv::Message& m : sent) {
        EXPECT_TRUE(j.client().send_media(m, m.timestamp_ms, j.client_out()));
        j.run();
    }
    expect_same(all<MediaMessage>(j.server_events()), sent);

    j.client().close(j.now(), j.client_out());
    j.run();
    EXPECT_EQ(all<Unpublished>(j.server_events()).size(), 1u);
    EXPECT_FALSE(has<Closed>(j.server_events()));
}

TEST_P(Joining, PlaysEveryMessageAsItWasSent) {
    ServerConfig server;
    server.chunk_size = GetParam().chunk_size;
    Joined j(config(ClientMode::kPlay, GetParam().digest), GetParam().piece, server);
    const MessageStreamId stream = j.start();
    ASSERT_TRUE(has<Started>(j.client_events()));
    const std::vector<flv::Message> sent = {video(0, 70'000, true),
                                            audio(1),
                                            video(33),
                                            audio(0x100'0000, 300),
                                            video(0x100'0001, 70'000)};
    for (const flv::Message& m : sent) {
        EXPECT_TRUE(j.server().send_media(stream, m, m.timestamp_ms, j.server_out()));
        j.run();
    }
    expect_same(all<MediaMessage>(j.client_events()), sent);
    EXPECT_EQ(j.server().stats().media_messages_sent, sent.size());
    EXPECT_EQ(j.server().stats().buffer_length_ms, 100u);
}

TEST(Joined, MetadataGoesAsSetDataFrameAndArrivesWithoutIt) {
    Joined j(config(ClientMode::kPublish));
    j.start();
    const Bytes metadata = flv::write_metadata({.width = 640, .height = 360});
    ASSERT_TRUE(j.client().send_media(
        {.kind = flv::MediaKind::kData, .payload = flv::make_payload(metadata)},
        0,
        j.client_out()));
    j.run();
    const auto got = all<MediaMessage>(j.server_events());
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].message.kind, flv::MediaKind::kData);
    EXPECT_EQ(*got[0].message.payload, metadata);
}

TEST(Joined, PauseStopsMediaUntilItEnds) {
    Joined j(config(ClientMode::kPlay));
    const MessageStreamId stream = j.start();
    j.client().pause(true, 0, j.client_out());
    j.run();
    ASSERT_EQ(all<Paused>(j.take_server_events()).size(), 1u);
    EXPECT_FALSE(j.server().send_media(stream, video(0), 0, j.server_out()));
    j.client().pause(false, 0, j.client_out());
    j.run();
    const auto paused = all<Paused>(j.server_events());
    ASSERT_EQ(paused.size(), 1u);
    EXPECT_FALSE(paused[0].on);
    EXPECT_TRUE(j.server().send_media(stream, video(0), 0, j.server_out()));
}

TEST(Joined, RejectedPublishTellsWhyAndCloses) {
    Joined j(config(ClientMode::kPublish));
    j.run();
    const auto requests = all<PublishRequested>(j.server_events());
    ASSERT_EQ(requests.size(), 1u);
    j.server().reject(
        j.now(), requests[0].stream, kPublishDenied, "Unknown token.", j.server_out());
    j.collect();
    j.run();
    const auto status = all<StatusReceived>(j.client_events());
    ASSERT_FALSE(status.empty());
    EXPECT_EQ(status.back().level, "error");
    EXPECT_EQ(status.back().code, kPublishDenied);
    EXPECT_EQ(status.back().description, "Unknown token.");
    ASSERT_EQ(all<Closed>(j.server_events()).size(), 1u);
    EXPECT_EQ(all<Closed>(j.server_events())[0].reason, CloseReason::kRejected);
    EXPECT_EQ(all<Closed>(j.client_events()).size(), 1u);
    EXPECT_FALSE(has<Unpublished>(j.server_events()));
    EXPECT_TRUE(j.server().is_closed());
    EXPECT_EQ(j.server().read_budget(), 0u);
    EXPECT_EQ(j.server().next_deadline(), std::nullopt);
}

TEST(Joined, WarningReachesThePublisherAndItGoesOn) {
    Joined j(config(ClientMode::kPublish));
    const MessageStreamId stream = j.start();
    j.server().warn(j.now(), stream, "no codec is free", j.server_out());
    j.run();
    const auto status = all<StatusReceived>(j.client_events());
    ASSERT_FALSE(status.empty());
    EXPECT_EQ(status.back().level, "warning");
    EXPECT_EQ(status.back().code, kPublishWarning);
    EXPECT_EQ(status.back().description, "no codec is free");
    EXPECT_TRUE(j.client().send_media(video(0), 0, j.client_out()));
    j.run();
    EXPECT_EQ(all<MediaMessage>(j.server_events()).size(), 1u);
    j.server().warn(j.now(), MessageStreamId(77), "nobody", j.server_out());
    EXPECT_TRUE(j.server_out().send.empty());
}

TEST(Joined, EndOfPlayReachesThePlayer) {
    Joined j(config(ClientMode::kPlay));
    const MessageStreamId stream = j.start();
    j.server().end_play(j.now(), stream, {}, "The publisher left.", j.server_out());
    j.run();
    const auto closed = all<Closed>(j.client_events());
    ASSERT_EQ(closed.size(), 1u);
    EXPECT_EQ(closed[0].reason, CloseReason::kEnded);
    EXPECT_FALSE(has<PlayStopped>(j.server_events()));
    EXPECT_FALSE(j.server().send_media(stream, video(0), 0, j.server_out()));
}

TEST(Joined, ClosingEndsWhatIsOpenFirst) {
    Joined j(config(ClientMode::kPublish));
    j.start();
    (void)j.take_server_events();
    j.server().close(j.now(), CloseReason::kLocal, j.server_out());
    j.collect();
    ASSERT_EQ(j.server_events().size(), 2u);
    EXPECT_TRUE(std::holds_alternative<Unpublished>(j.server_events()[0]));
    EXPECT_TRUE(std::holds_alternative<Closed>(j.server_events()[1]));
}

TEST(Joined, AcknowledgesByTheWindowOfThePeer) {
    ServerConfig server;
    server.window_ack_size = 20'000;
    Joined j(config(ClientMode::kPlay), 4096, server);
    const MessageStreamId stream = j.start();
    for (int i = 0; i < 20; ++i)
        j.server().send_media(stream, video(i * 40, 5000), i * 40, j.server_out());
    j.run();
    EXPECT_GE(j.server().stats().acknowledged_bytes, 80'000u);
    EXPECT_LE(j.server().stats().acknowledged_bytes, 110'000u);
}

}  // namespace
}  // namespace parley::rtmp

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "flv/aac_config.h"
#include "flv/avc_config.h"
#include "flv/metadata.h"
#include "flv/stream.h"
#include "loopback.h"
#include "rtmp/stream_parameters.h"

// A foreign client as peer: ffmpeg pushes to and plays from ServerConnection over loopback.
namespace parley::rtmp {
namespace {

std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// 3 s of 25 pictures and AAC, pushed as fast as it goes.
std::vector<std::string> push(const std::string& url) {
    return {"ffmpeg",
            "-nostdin",
            "-hide_banner",
            "-loglevel",
            "warning",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=160x120:rate=25:duration=3",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=44100:duration=3",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "25",
            "-bf",
            "0",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-b:a",
            "64k",
            "-flvflags",
            "no_duration_filesize",
            "-f",
            "flv",
            url};
}

/// Of a framemd5 file: one line for each packet, beginning with the number of its stream.
void expect_all_frames(const std::string& lines, const std::string& log) {
    int pictures = 0;
    int audio_frames = 0;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
        pictures += line.starts_with("0,");
        audio_frames += line.starts_with("1,");
    }
    EXPECT_EQ(pictures, 75) << log;
    EXPECT_NEAR(audio_frames, 3 * 44'100 / 1024, 4) << log;
}

class Ffmpeg : public testing::Test {
protected:
    ~Ffmpeg() override {
        for (const char* name : {"push", "play", "read"}) unlink(log(name).c_str());
    }
    std::string log(const char* name) {
        return testing::TempDir() + "/parley_rtmp_" + std::to_string(getpid()) + name;
    }
};

TEST_F(Ffmpeg, PushesToTheServer) {
    LoopbackServer server;
    Child pusher(push(server.url("/live/camera?token=a/b&serialnum=1")), log("push"));
    ASSERT_TRUE(server.run_until([&] { return has<Closed>(server.events); }))
        << text_of(log("push"));
    ASSERT_TRUE(server.run_until([&] { return pusher.exit_code().has_value(); }));
    EXPECT_EQ(*pusher.exit_code(), 0) << text_of(log("push"));

    const auto requests = all<PublishRequested>(server.events);
    ASSERT_EQ(requests.size(), 1u);
    // ffmpeg cuts at every slash, also at that in the token.
    EXPECT_EQ(requests[0].app, "live/camera?token=a");
    const auto parameters =
        parse_stream_parameters(requests[0].app, requests[0].tc_url, requests[0].stream_name);
    EXPECT_EQ(parameters.app, "live");
    EXPECT_EQ(parameters.stream_name, "camera");
    EXPECT_EQ(parameters.other("token"), "a/b");
    EXPECT_EQ(parameters.other("serialnum"), "1");
    EXPECT_EQ(requests[0].publish_type, "live");
    EXPECT_EQ(all<Unpublished>(server.events).size(), 1u);

    int pictures = 0;
    int key_pictures = 0;
    int audio_frames = 0;
    std::optional<flv::AvcConfig> avc;
    std::optional<flv::AacConfig> aac;
    std::optional<flv::Metadata> metadata;
    std::int64_t last_ms = 0;
    for (const flv::Message& m : server.published) {
        EXPECT_GE(m.timestamp_ms, last_ms - 100);
        last_ms = m.timestamp_ms;
        if (m.kind == flv::MediaKind::kVideo) {
            const auto tag = flv::parse_video_tag(m.bytes());
            ASSERT_TRUE(tag);
            EXPECT_EQ(tag->codec, flv::VideoCodec::kAvc);
            if (tag->is_sequence_header()) avc = *flv::parse_avc_config(tag->data);
            pictures += tag->packet_type == flv::VideoPacketType::kFrame;
            key_pictures += tag->is_key_frame();
        } else if (m.kind == flv::MediaKind::kAudio) {
            const auto tag = flv::parse_audio_tag(m.bytes());
            ASSERT_TRUE(tag);
            if (tag->is_sequence_header()) {
                aac = *flv::parse_aac_config(tag->data);
            } else {
                ++audio_frames;
            }
        } else if (const auto found = flv::parse_metadata(m.bytes())) {
            metadata = *found;
        }
    }
    EXPECT_EQ(pictures, 75);
    EXPECT_EQ(key_pictures, 3);
    EXPECT_NEAR(audio_frames, 3 * 44'100 / 1024, 4);
    ASSERT_TRUE(avc);
    EXPECT_EQ(avc->nal_length_size, 4);
    ASSERT_TRUE(aac);
    EXPECT_EQ(aac->sample_rate_hz, 44'100u);
    EXPECT_EQ(aac->output_channels(), 1);
    ASSERT_TRUE(metadata);
    EXPECT_EQ(metadata->width, 160);
    EXPECT_EQ(metadata->video_codec_id, 7);
    EXPECT_EQ(metadata->audio_codec_id, 10);
    // How data/ffmpeg_publish.bin was made: the first 9,000 bytes of this.
    if (const char* path = std::getenv("PARLEY_CAPTURE")) {
        std::ofstream(path, std::ios::binary) << as_text_view(server.captured);
    }
}

TEST_F(Ffmpeg, PlaysFromTheServerWhatAnotherPushes) {
    LoopbackServer server;
    const std::string played =
        testing::TempDir() + "/parley_rtmp_" + std::to_string(getpid()) + ".md5";
    // The room's form of URL (protocol section 5.1): all of it a query.
    Child player({"ffmpeg",
                  "-nostdin",
                  "-hide_banner",
                  "-loglevel",
                  "warning",
                  "-rw_timeout",
                  "20000000",
                  "-i",
                  server.url("/?rtmptoken=T0ken&trackid=v1&trackid=a1&playerid=user/one"),
                  "-map",
                  "0:v",
                  "-map",
                  "0:a",
                  "-c",
                  "copy",
                  "-f",
                  "framemd5",
                  "-y",
                  played},
                 log("play"));
    ASSERT_TRUE(server.run_until([&] { return has<PlayRequested>(server.events); }))
        << text_of(log("play"));
    Child pusher(push(server.url("/live/camera")), log("push"));
    ASSERT_TRUE(server.run_until([&] { return player.exit_code() && pusher.exit_code(); }))
        << text_of(log("play")) << text_of(log("push"));
    EXPECT_EQ(*player.exit_code(), 0) << text_of(log("play"));

    expect_all_frames(text_of(played), text_of(log("play")));

    const auto requests = all<PlayRequested>(server.events);
    ASSERT_EQ(requests.size(), 1u);
    const auto parameters =
        parse_stream_parameters(requests[0].app, requests[0].tc_url, requests[0].stream_name);
    EXPECT_EQ(parameters.rtmp_token, "T0ken");
    EXPECT_EQ(parameters.player_id, "user/one");
    EXPECT_EQ(parameters.track_ids, (std::vector<std::string>{"v1", "a1"}));
    unlink(played.c_str());
}

TEST_F(Ffmpeg, ReadsTheFlvThatIsMadeOfAPublish) {
    LoopbackServer server;
    Child pusher(push(server.url("/live/camera")), log("push"));
    ASSERT_TRUE(server.run_until([&] { return has<Closed>(server.events); }))
        << text_of(log("push"));
    flv::GatherList out;
    flv::StreamWriter writer;
    writer.write_file_header(true, true, out);
    // As for a player that came late in a stream past the 24 bits of the time field.
    for (const flv::Message& m : server.published)
        EXPECT_TRUE(writer.write(m, m.timestamp_ms + 0xFF'FF00, out));
    const std::string file = log(".flv");
    const Bytes bytes = out.flatten();
    std::ofstream(file, std::ios::binary)
        .write(as_text_view(bytes).data(), static_cast<std::streamsize>(bytes.size()));

    const std::string frames = log(".md5");
    Child reader({"ffmpeg",
                  "-nostdin",
                  "-hide_banner",
                  "-loglevel",
                  "warning",
                  "-copyts",
                  "-i",
                  file,
                  "-map",
                  "0:v",
                  "-map",
                  "0:a",
                  "-c",
                  "copy",
                  "-f",
                  "framemd5",
                  "-y",
                  frames},
                 log("read"));
    ASSERT_TRUE(server.run_until([&] { return reader.exit_code().has_value(); }));
    EXPECT_EQ(*reader.exit_code(), 0) << text_of(log("read"));
    expect_all_frames(text_of(frames), text_of(log("read")));
    unlink(file.c_str());
    unlink(frames.c_str());
}

}  // namespace
}  // namespace parley::rtmp

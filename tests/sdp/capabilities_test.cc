#include "sdp/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "sdp/rtpcaps_json.h"
#include "support.h"

namespace parley::sdp {
namespace {

Capabilities chromium() {
    const Result<Session> s = parse(read_offer("chromium_capsdp"));
    EXPECT_TRUE(s.has_value());
    return read_capabilities(s.value_or(Session{}));
}

/// An offer with opus and the given lines of a video section with these payload types.
Result<Negotiated> negotiate_video(const std::string& types,
                                   const std::string& lines,
                                   const CodecPolicy& policy = {}) {
    const Result<Session> s =
        parse("v=0\nm=audio 9 RTP/SAVPF 109\na=rtpmap:109 opus/48000/2\nm=video 9 RTP/SAVPF " +
              types + "\n" + lines);
    EXPECT_TRUE(s.has_value());
    return negotiate(read_capabilities(s.value_or(Session{})), policy);
}

TEST(Capabilities, OfChromium) {
    const Capabilities c = chromium();
    ASSERT_TRUE(c.opus);
    EXPECT_EQ(c.opus->payload_type, PayloadType(111));
    EXPECT_EQ(c.red_payload_type, PayloadType(63));
    EXPECT_EQ(c.audio_extensions.audio_level, 1);
    EXPECT_EQ(c.audio_extensions.abs_send_time, 2);
    EXPECT_EQ(c.audio_extensions.transport_cc, 3);
    EXPECT_EQ(c.audio_extensions.mid, 4);
    EXPECT_EQ(c.audio_extensions.rid, 0);
    EXPECT_EQ(c.video_extensions.toffset, 14);
    EXPECT_EQ(c.video_extensions.rid, 10);
    EXPECT_EQ(c.video_extensions.repaired_rid, 11);
    EXPECT_EQ(c.video_extensions.audio_level, 0);

    const VideoFormat* h264 = choose_video(c, VideoCodec::kH264);
    ASSERT_NE(h264, nullptr);
    EXPECT_EQ(h264->format.payload_type, PayloadType(108));
    EXPECT_EQ(h264->format.rtx_payload_type, PayloadType(109));
    EXPECT_EQ(h264->profile_level_id, 0x42e01fU);
    const VideoFormat* vp8 = choose_video(c, VideoCodec::kVp8);
    ASSERT_NE(vp8, nullptr);
    EXPECT_EQ(vp8->format.payload_type, PayloadType(96));
    EXPECT_EQ(vp8->format.rtx_payload_type, PayloadType(97));
    const VideoFormat* vp9 = choose_video(c, VideoCodec::kVp9);
    ASSERT_NE(vp9, nullptr);
    EXPECT_NE(choose_video(c, VideoCodec::kAv1), nullptr);
}

TEST(Negotiate, ChromiumGetsH264AndItsOwnNumbers) {
    const Result<Negotiated> n = negotiate(chromium(), {});
    ASSERT_TRUE(n.has_value());
    EXPECT_EQ(n->video_codec, VideoCodec::kH264);
    EXPECT_EQ(n->video.send_payload_type, PayloadType(108));
    EXPECT_EQ(n->video.send_rtx_payload_type, PayloadType(109));
    EXPECT_EQ(n->video.recv_payload_type, kRecvVideo);
    EXPECT_EQ(n->video.recv_rtx_payload_type, kRecvVideoRtx);
    EXPECT_EQ(n->opus.send_payload_type, PayloadType(111));
    EXPECT_EQ(n->red_send_payload_type, PayloadType(63));
    EXPECT_EQ(n->receive_extensions.audio_level, 1);
    EXPECT_EQ(n->receive_extensions.rid, 10);
    EXPECT_EQ(n->receive_extensions.toffset, 14);
    EXPECT_EQ(n->send_extensions.rid, 0);
    EXPECT_EQ(n->send_extensions.mid, 4);
}

TEST(Negotiate, PolicyChoosesTheCodec) {
    const Capabilities c = chromium();
    for (const VideoCodec codec :
         {VideoCodec::kH264, VideoCodec::kVp8, VideoCodec::kVp9, VideoCodec::kAv1}) {
        const Result<Negotiated> n = negotiate(c, {.preferred_video = codec});
        ASSERT_TRUE(n.has_value());
        EXPECT_EQ(n->video_codec, codec);
    }
    const Result<Negotiated> plain = negotiate(c, {.allow_red = false});
    EXPECT_EQ(plain->red_send_payload_type, PayloadType());
}

TEST(Negotiate, H264ProfilesInOrder) {
    const std::string all =
        "a=rtpmap:100 H264/90000\na=fmtp:100 packetization-mode=1;profile-level-id=640032\n"
        "a=rtpmap:101 H264/90000\na=fmtp:101 packetization-mode=1;profile-level-id=42001f\n"
        "a=rtpmap:102 H264/90000\na=fmtp:102 packetization-mode=1;profile-level-id=42c01e\n"
        "a=rtpmap:103 H264/90000\na=fmtp:103 packetization-mode=0;profile-level-id=42e01f\n"
        "a=rtpmap:104 H264/90000\na=fmtp:104 packetization-mode=1;profile-level-id=42E01F\n"
        "a=rtpmap:105 VP8/90000\n";
    const struct {
        const char* types;
        std::uint8_t chosen;
    } cases[] = {{"100 101 102 103 104 105", 104},
                 {"100 101 102 103 105", 102},
                 {"100 101 103 105", 101},
                 {"100 103 105", 100},
                 {"103 105", 105}};
    for (const auto& c : cases) {
        const Result<Negotiated> n = negotiate_video(c.types, all);
        ASSERT_TRUE(n.has_value()) << c.types;
        EXPECT_EQ(n->video.send_payload_type, PayloadType(c.chosen)) << c.types;
        EXPECT_EQ(n->video.recv_rtx_payload_type, PayloadType()) << "no RTX was shown";
    }
}

TEST(Negotiate, NothingInCommon) {
    for (const char* lines :
         {"", "a=rtpmap:96 H264/90000\n", "a=rtpmap:96 H265/90000\n", "a=rtpmap:96 VP8/8000\n"}) {
        const Result<Negotiated> n = negotiate_video("96", lines);
        ASSERT_FALSE(n.has_value()) << lines;
        EXPECT_EQ(n.error().code, Errc::kUnsupported);
    }
    const Result<Session> video_only =
        parse("v=0\nm=video 9 RTP/SAVPF 96\na=rtpmap:96 VP8/90000\n");
    EXPECT_FALSE(negotiate(read_capabilities(*video_only), {}).has_value());
}

TEST(Negotiate, RedOnlyWhereItsInnerPayloadTypeMatches) {
    const Result<Session> s = parse(
        "v=0\nm=audio 9 RTP/SAVPF 109 63\na=rtpmap:109 opus/48000/2\na=rtpmap:63 red/48000/2\n"
        "m=video 9 RTP/SAVPF 96\na=rtpmap:96 VP8/90000\n");
    const Result<Negotiated> n = negotiate(read_capabilities(*s), {});
    ASSERT_TRUE(n.has_value());
    EXPECT_EQ(n->opus.send_payload_type, PayloadType(109));
    EXPECT_EQ(n->red_send_payload_type, PayloadType());
}

TEST(Rtpcaps, OfChromium) {
    const boost::json::object caps = to_rtpcaps(*negotiate(chromium(), {}));
    const boost::json::array& codecs = caps.at("codecs").as_array();
    ASSERT_EQ(codecs.size(), 3U);
    EXPECT_EQ(
        boost::json::serialize(codecs[0]),
        R"({"name":"opus","mimeType":"audio/opus","kind":"audio","clockRate":48000,"channels":2,)"
        R"("sendPayloadType":111,"recvPayloadType":111,"rtcpFeedback":[{"type":"transport-cc"}],)"
        R"("parameters":{"minptime":10,"useinbandfec":1}})");
    EXPECT_EQ(
        boost::json::serialize(codecs[1]),
        R"({"name":"H264","mimeType":"video/H264","kind":"video","clockRate":90000,)"
        R"("sendPayloadType":108,"recvPayloadType":101,"rtcpFeedback":[{"type":"transport-cc"},)"
        R"({"type":"goog-remb"},{"type":"ccm","parameter":"fir"},{"type":"nack"},)"
        R"({"type":"nack","parameter":"pli"}],"parameters":{"level-asymmetry-allowed":1,)"
        R"("packetization-mode":1,"profile-level-id":"42e01f"},"sendRtxPayloadType":109,)"
        R"("recvRtxPayloadType":102})");
    EXPECT_EQ(codecs[2].at("name").as_string(), "red");
    EXPECT_EQ(codecs[2].at("sendPayloadType").to_number<int>(), 63);
    EXPECT_TRUE(codecs[2].at("parameters").is_object());
    EXPECT_TRUE(caps.at("fecMechanisms").as_array().empty());

    std::vector<std::string> extensions;
    for (const boost::json::value& e : caps.at("headerExtensions").as_array()) {
        EXPECT_EQ(e.at("sendId"), e.at("recvId"));
        extensions.push_back(std::string(e.at("kind").as_string()) + " " +
                             std::to_string(e.at("sendId").to_number<int>()) + " " +
                             std::string(e.at("uri").as_string()));
    }
    EXPECT_THAT(
        extensions,
        ::testing::ElementsAre(
            "audio 1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "audio 2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "audio 3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "audio 4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "video 14 urn:ietf:params:rtp-hdrext:toffset",
            "video 2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "video 3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "video 4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "video 10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            "video 11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"));
}

TEST(Rtpcaps, ProfileOfDigitsOnlyStaysText) {
    const Result<Negotiated> n = negotiate_video(
        "96", "a=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1;profile-level-id=640032\n");
    ASSERT_TRUE(n.has_value());
    const boost::json::object caps = to_rtpcaps(*n);
    const boost::json::value& video = caps.at("codecs").as_array()[1];
    EXPECT_EQ(video.at("parameters").at("profile-level-id").as_string(), "640032");
    EXPECT_EQ(caps.at("codecs").as_array().size(), 2U);
    EXPECT_TRUE(caps.at("headerExtensions").as_array().empty());
    EXPECT_FALSE(video.as_object().contains("sendRtxPayloadType"));
    EXPECT_EQ(video.at("rtcpFeedback").as_array().size(), 4U) << "no transport-cc without its id";
}

}  // namespace
}  // namespace parley::sdp

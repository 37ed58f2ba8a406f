#include "rest/whip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "rest/router.h"
#include "sdp/session.h"
#include "support.h"

namespace parley::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string read_offer(const std::string& name) {
    std::ifstream file(std::string(PARLEY_SOURCE_DIR) + "/tests/sdp/data/" + name + ".sdp",
                       std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct WhipTest : ::testing::Test, RoutedFakes {
    struct Call {
        std::string method = "POST";
        std::string target = "/whip/demo/room/u1";
        std::string token = room_token("u1");
        std::string type = "application/sdp";
        std::string body = read_offer("chromium_publish");
        std::string if_match;
        std::string accept;
    };
    HttpResponse send(const Call& call) {
        HttpRequest request;
        request.method = call.method;
        request.target = call.target;
        request.host = "h";
        request.body = call.body;
        if (!call.token.empty())
            request.headers.emplace_back("Authorization", "Bearer " + call.token);
        if (!call.type.empty()) request.headers.emplace_back("content-type", call.type);
        if (!call.if_match.empty()) request.headers.emplace_back("If-Match", call.if_match);
        if (!call.accept.empty()) request.headers.emplace_back("Accept", call.accept);
        HttpResponse response = router.handle(Instant{}, kNow, request);
        EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
        EXPECT_THAT(std::string(response.header("Access-Control-Expose-Headers")),
                    HasSubstr("Location, ETag"));
        return response;
    }
    void publish_sources() {
        sessions.sources = {{"track-a", "u1", sfu::MediaKind::kAudio, sfu::Codec::kOpus, false},
                            {"track-v", "u1", sfu::MediaKind::kVideo, sfu::Codec::kVp8, false},
                            {"track-s", "u1", sfu::MediaKind::kVideo, sfu::Codec::kH264, false}};
    }
    static Call view(std::string what = "u1") {
        Call call;
        call.target = "/whep/demo/room/" + what;
        call.token = room_token("viewer");
        call.body = read_offer("chromium_whep");
        return call;
    }
    /// A fragment with the credentials of the offer, as trickling sends it.
    static std::string trickle(const std::string& offer_text) {
        const sdp::Session offer = *sdp::parse(offer_text);
        return "a=ice-ufrag:" + offer.sections[0].ice_ufrag +
               "\r\na=ice-pwd:" + offer.sections[0].ice_pwd +
               "\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
               "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"
               "a=end-of-candidates\r\n";
    }
    static Call patch(const HttpResponse& created) {
        Call call;
        call.method = "PATCH";
        call.target = created.header("Location");
        call.type = "application/trickle-ice-sdpfrag";
        call.if_match = created.header("ETag");
        call.body = trickle(read_offer("chromium_publish"));
        return call;
    }
};

TEST_F(WhipTest, PublishIsAnswered) {
    const HttpResponse response = send({});
    ASSERT_EQ(response.status, 201U) << response.body;
    EXPECT_EQ(response.header("Content-Type"), "application/sdp");
    EXPECT_EQ(response.header("Accept-Post"), "application/sdp");
    EXPECT_THAT(std::string(response.header("Location")),
                ::testing::MatchesRegex("/whip/demo/room/u1/[A-Za-z0-9]+"));
    EXPECT_THAT(std::string(response.header("ETag")), ::testing::MatchesRegex("\"[A-Za-z0-9]+\""));
    const Result<sdp::Session> answer = sdp::parse(response.body);
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->ice_lite);
    ASSERT_THAT(answer->sections, SizeIs(4));
    const sdp::Section& video = answer->sections[3];
    EXPECT_EQ(video.direction, sdp::Direction::kRecvOnly);
    EXPECT_EQ(video.setup, sdp::Setup::kPassive);
    EXPECT_EQ(video.ice_ufrag, "ufrag0");
    ASSERT_THAT(video.candidates, SizeIs(2));
    EXPECT_EQ(video.candidates[0].address, "203.0.113.7");
    EXPECT_EQ(video.candidates[1].tcp_type, "passive");

    ASSERT_THAT(sessions.published, SizeIs(1));
    const signalling::JoinPublisher& join = sessions.published[0];
    EXPECT_EQ(join.owner.user_id, "u1");
    EXPECT_EQ(join.owner.room.app_id, "demo");
    EXPECT_EQ(join.transport.local_role, dtls::Role::kServer);
    const sdp::Session offer = *sdp::parse(read_offer("chromium_publish"));
    ASSERT_TRUE(join.transport.remote_fingerprint);
    EXPECT_EQ(join.transport.remote_fingerprint->to_string(), offer.sections[0].fingerprint->value);
    ASSERT_THAT(join.tracks, SizeIs(2));
    EXPECT_EQ(join.tracks[0].codec, sfu::Codec::kOpus);
    EXPECT_EQ(join.tracks[0].mid, "2");
    EXPECT_EQ(join.tracks[1].codec, sfu::Codec::kH264);
    EXPECT_EQ(join.tracks[1].payload_type, PayloadType(108));
    EXPECT_EQ(join.tracks[1].encodings[0].ssrc, offer.sections[3].sources[0].ssrc);
    EXPECT_GT(join.tracks[1].max_bitrate.kbps(), 2'500);
    EXPECT_EQ(router.whip().stats().published, 1U);
    EXPECT_EQ(router.whip().stats().resources, 1U);
}

TEST_F(WhipTest, SimulcastIsTaken) {
    Call call;
    call.body = read_offer("chromium_simulcast");
    ASSERT_EQ(send(call).status, 201U);
    const auto& encodings = sessions.published[0].tracks[1].encodings;
    ASSERT_THAT(encodings, SizeIs(2));
    EXPECT_EQ(encodings[0].rid, "hi");
    EXPECT_EQ(encodings[1].rid, "lo");
}

TEST_F(WhipTest, WhatAPostIsRefusedFor) {
    const auto with = [](auto change) {
        Call call;
        change(call);
        return call;
    };
    const struct {
        const char* name;
        Call call;
        unsigned status;
    } cases[] = {
        {"no token", with([](Call& c) { c.token = ""; }), 401},
        {"wrong token", with([](Call& c) { c.token += "x"; }), 401},
        {"late", with([](Call& c) { c.token = room_token("u1", "room", kNowSeconds); }), 401},
        {"other user", with([](Call& c) { c.token = room_token("u2"); }), 403},
        {"other room", with([](Call& c) { c.token = room_token("u1", "x"); }), 403},
        {"other app",
         with([](Call& c) { c.token = room_token("u1", "room", kNowSeconds + 9, "second"); }),
         403},
        {"type", with([](Call& c) { c.type = "application/json"; }), 415},
        {"no type", with([](Call& c) { c.type = ""; }), 415},
        {"accept", with([](Call& c) { c.accept = "text/html, application/json;q=1"; }), 406},
        {"not SDP", with([](Call& c) { c.body = "hello"; }), 400},
        {"empty", with([](Call& c) { c.body = ""; }), 400},
        {"no codec", with([](Call& c) { c.body = read_offer("chromium_whep"); }), 406},
        {"large", with([](Call& c) { c.body.append(kMaxOfferBytes, '\n'); }), 413},
        {"short path", with([](Call& c) { c.target = "/whip/demo/room"; }), 404},
        {"long path", with([](Call& c) { c.target = "/whip/demo/room/u1/x/y"; }), 404},
        {"GET", with([](Call& c) { c.method = "GET"; }), 405},
        {"POST to a session", with([](Call& c) { c.target += "/x"; }), 405},
        {"GET of a session",
         with([](Call& c) {
             c.target += "/x";
             c.method = "GET";
         }),
         405},
    };
    for (const auto& c : cases) {
        const HttpResponse response = send(c.call);
        EXPECT_EQ(response.status, c.status) << c.name;
        EXPECT_THAT(response.body, HasSubstr("\"error\"")) << c.name;
        if (c.status == 401) {
            EXPECT_EQ(response.header("WWW-Authenticate"), "Bearer");
        }
        if (c.status == 405) {
            EXPECT_THAT(std::string(response.header("Allow")), HasSubstr("OPTIONS"));
        }
    }
    EXPECT_THAT(sessions.published, IsEmpty());
    EXPECT_EQ(router.whip().stats().resources, 0U);
}

TEST_F(WhipTest, AcceptHeaders) {
    for (const char* accept :
         {"application/sdp", "*/*", "text/html, application/*;q=0.1", "Application/SDP;q=1"}) {
        Call call;
        call.accept = accept;
        EXPECT_EQ(send(call).status, 201U) << accept;
    }
}

TEST_F(WhipTest, RoomControlsRefusals) {
    const struct {
        Errc code;
        unsigned status;
    } cases[] = {{Errc::kNotFound, 404},
                 {Errc::kConflict, 409},
                 {Errc::kBusy, 503},
                 {Errc::kForbidden, 403},
                 {Errc::kMalformed, 400},
                 {Errc::kInternal, 500}};
    for (const auto& c : cases) {
        sessions.refusal = Error{c.code, "told so"};
        const HttpResponse response = send({});
        EXPECT_EQ(response.status, c.status);
        EXPECT_EQ(response.header("Retry-After").empty(), c.code != Errc::kBusy);
    }
}

TEST_F(WhipTest, Options) {
    Call call;
    call.method = "OPTIONS";
    call.token = "";
    HttpResponse response = send(call);
    EXPECT_EQ(response.status, 204U);
    EXPECT_EQ(response.header("Accept-Post"), "application/sdp");
    EXPECT_EQ(response.header("Access-Control-Allow-Methods"), "POST, OPTIONS");
    EXPECT_THAT(std::string(response.header("Access-Control-Allow-Headers")),
                HasSubstr("authorization"));
    call.target += "/id";
    response = send(call);
    EXPECT_EQ(response.header("Access-Control-Allow-Methods"), "PATCH, DELETE, OPTIONS");
    EXPECT_THAT(std::string(response.header("Access-Control-Allow-Headers")),
                HasSubstr("if-match"));
}

TEST_F(WhipTest, DeleteEndsTheSession) {
    const HttpResponse created = send({});
    Call call;
    call.method = "DELETE";
    call.target = created.header("Location");
    EXPECT_EQ(send(call).status, 200U);
    EXPECT_THAT(sessions.left, ElementsAre(signalling::MediaSessionId(1)));
    EXPECT_EQ(send(call).status, 404U);
    EXPECT_EQ(router.whip().stats().resources, 0U);
}

TEST_F(WhipTest, ASessionObeysItsOwnerOnly) {
    const HttpResponse created = send({});
    Call call;
    call.method = "DELETE";
    call.target = created.header("Location");
    for (const std::string& token : {std::string(),
                                     std::string("x"),
                                     room_token("u2"),
                                     room_token("u1", "other"),
                                     room_token("u1", "room", kNowSeconds - 5)}) {
        call.token = token;
        EXPECT_EQ(send(call).status, 401U);
    }
    std::string elsewhere(created.header("Location"));
    elsewhere.replace(1, 4, "whep");
    call.target = elsewhere;
    call.token = room_token("u1");
    EXPECT_EQ(send(call).status, 404U) << "a WHIP session is no WHEP session";
    call.target = created.header("Location");
    call.token = room_token("u1", "room", kNowSeconds + 600);
    EXPECT_EQ(send(call).status, 200U) << "a later token of the same user will do";
}

TEST_F(WhipTest, ASessionOutlivesItsToken) {
    const HttpResponse created = send({});
    HttpRequest request;
    request.method = "DELETE";
    request.target = created.header("Location");
    request.headers = {{"Authorization", "Bearer " + room_token("u1")}};
    EXPECT_EQ(router.handle(Instant{}, kNow + 24h, request).status, 200U);
}

TEST_F(WhipTest, SessionsThatEndedAreGone) {
    const HttpResponse created = send({});
    router.handle_ended(signalling::MediaSessionId(99));
    router.handle_ended(signalling::MediaSessionId(1));
    Call call;
    call.method = "DELETE";
    call.target = created.header("Location");
    EXPECT_EQ(send(call).status, 404U);
    EXPECT_THAT(sessions.left, IsEmpty());
}

TEST_F(WhipTest, TrickleNeedsTheEntityTag) {
    const HttpResponse created = send({});
    Call call = patch(created);
    EXPECT_EQ(send(call).status, 204U);
    call.if_match = "*";
    EXPECT_EQ(send(call).status, 204U);
    call.if_match = "";
    EXPECT_EQ(send(call).status, 428U);
    call.if_match = "\"other\"";
    EXPECT_EQ(send(call).status, 412U);
    call.if_match = created.header("ETag");
    call.type = "application/sdp";
    EXPECT_EQ(send(call).status, 415U);
    call.type = "application/trickle-ice-sdpfrag";
    call.body = "nonsense";
    EXPECT_EQ(send(call).status, 400U);
    call.body = std::string(kMaxFragmentBytes + 1, ' ');
    EXPECT_EQ(send(call).status, 413U);
    EXPECT_EQ(sessions.restarts, 0);
}

TEST_F(WhipTest, IceRestartGivesNewCredentialsAndTag) {
    const HttpResponse created = send({});
    Call call = patch(created);
    call.body = "a=ice-ufrag:newu\r\na=ice-pwd:newpassword\r\n";
    EXPECT_EQ(send(call).status, 412U) << "a restart is asked for with *";
    EXPECT_EQ(sessions.restarts, 0);
    call.if_match = "*";
    const HttpResponse restarted = send(call);
    ASSERT_EQ(restarted.status, 200U);
    EXPECT_EQ(restarted.header("Content-Type"), "application/trickle-ice-sdpfrag");
    EXPECT_NE(restarted.header("ETag"), created.header("ETag"));
    const Result<sdp::IceFragment> fragment = sdp::parse_fragment(restarted.body);
    ASSERT_TRUE(fragment.has_value());
    EXPECT_EQ(fragment->ice_ufrag, "ufrag1");
    EXPECT_THAT(fragment->candidates, SizeIs(2));
    EXPECT_THAT(restarted.body, HasSubstr("a=mid:2\r\n")) << "the first accepted section";
    // Trickling for the new ICE session needs the new tag.
    EXPECT_EQ(send(call).status, 204U);
    call.if_match = created.header("ETag");
    EXPECT_EQ(send(call).status, 412U);
    call.if_match = restarted.header("ETag");
    EXPECT_EQ(send(call).status, 204U);
    EXPECT_EQ(sessions.restarts, 1);
}

TEST_F(WhipTest, ViewOfAUser) {
    publish_sources();
    const HttpResponse response = send(view());
    ASSERT_EQ(response.status, 201U) << response.body;
    EXPECT_THAT(std::string(response.header("Location")), HasSubstr("/whep/demo/room/u1/"));
    ASSERT_THAT(sessions.viewed, SizeIs(1));
    const signalling::JoinViewer& join = sessions.viewed[0];
    EXPECT_EQ(join.owner.user_id, "viewer");
    ASSERT_THAT(join.tracks, SizeIs(2));
    EXPECT_EQ(join.tracks[0].trackid, "track-a");
    EXPECT_EQ(join.tracks[1].trackid, "track-v");
    EXPECT_EQ(join.tracks[1].payload_type, PayloadType(96)) << "VP8, as it is published";
    EXPECT_EQ(join.tracks[1].rtx_payload_type, PayloadType(97));
    EXPECT_EQ(join.transport.send_extensions.rid, 0);
    const sdp::Session answer = *sdp::parse(response.body);
    EXPECT_EQ(answer.sections[1].direction, sdp::Direction::kSendOnly);
    EXPECT_THAT(answer.sections[1].msids, ElementsAre(sdp::Msid{"s-user", "track-v"}));
    EXPECT_EQ(answer.sections[1].rtx_of(Ssrc(100)), Ssrc(101));
    EXPECT_EQ(router.whip().stats().viewed, 1U);
}

TEST_F(WhipTest, ViewOfOneTrack) {
    publish_sources();
    const HttpResponse response = send(view("track-s"));
    ASSERT_EQ(response.status, 201U);
    ASSERT_THAT(sessions.viewed[0].tracks, SizeIs(1));
    EXPECT_EQ(sessions.viewed[0].tracks[0].trackid, "track-s");
    EXPECT_EQ(sessions.viewed[0].tracks[0].payload_type, PayloadType(108));
    const sdp::Session answer = *sdp::parse(response.body);
    EXPECT_TRUE(answer.sections[0].is_rejected());
}

TEST_F(WhipTest, ViewsThatFail) {
    EXPECT_EQ(send(view()).status, 404U) << "nothing is published";
    publish_sources();
    EXPECT_EQ(send(view("nobody")).status, 404U);
    Call publisher_offer = view();
    publisher_offer.body = read_offer("chromium_publish");
    EXPECT_EQ(send(publisher_offer).status, 406U);
    sessions.without_tracks = true;
    const HttpResponse vanished = send(view());
    ASSERT_EQ(vanished.status, 201U);
    EXPECT_EQ(sdp::parse(vanished.body)->sections[0].direction, sdp::Direction::kInactive);
}

TEST_F(WhipTest, SecretsAreUnguessableAndDiffer) {
    const std::string first(send({}).header("Location"));
    const std::string second(send({}).header("Location"));
    EXPECT_NE(first, second);
    EXPECT_GE(first.size() - std::string("/whip/demo/room/u1/").size(), 22U) << "128 bits and more";
}

}  // namespace
}  // namespace parley::rest

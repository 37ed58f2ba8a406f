#include "sdp/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support.h"

namespace parley::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Session offer_of(const std::string& name) {
    Result<Session> offer = parse(read_offer(name));
    EXPECT_TRUE(offer.has_value());
    return offer.value_or(Session{});
}

LocalTransport local() {
    return {"ourufrag",
            "ourpassword0123456789ab",
            {"sha-256", "AA:BB"},
            {{"udp1", 1, "udp", 2130706431, "203.0.113.7", 7700, "host", ""},
             {"tcp1", 1, "tcp", 1677721855, "203.0.113.7", 7700, "host", "passive"}}};
}

std::vector<std::string> names(const Section& section) {
    std::vector<std::string> out;
    for (const Codec& codec : section.codecs) out.push_back(codec.name);
    return out;
}

TEST(PlanPublish, OfABrowser) {
    const Session offer = offer_of("chromium_publish");
    const Result<AnswerPlan> plan = plan_publish(offer, {});
    ASSERT_TRUE(plan.has_value()) << plan.error().what;
    ASSERT_THAT(plan->sections, SizeIs(2));
    const PlannedSection& audio = plan->sections[0];
    EXPECT_EQ(audio.index, 2U) << "the inactive sections before it send nothing";
    EXPECT_EQ(audio.payload_type, PayloadType(111));
    ASSERT_THAT(audio.encodings, SizeIs(1));
    EXPECT_EQ(audio.encodings[0].ssrc, offer.sections[2].sources[0].ssrc);
    const PlannedSection& video = plan->sections[1];
    EXPECT_EQ(video.mid, "3");
    EXPECT_EQ(video.video_codec, VideoCodec::kH264);
    EXPECT_EQ(video.payload_type, PayloadType(108));
    EXPECT_EQ(video.rtx_payload_type, PayloadType(109));
    ASSERT_THAT(video.encodings, SizeIs(1));
    EXPECT_EQ(video.encodings[0].ssrc, offer.sections[3].sources[0].ssrc);
    EXPECT_EQ(video.encodings[0].rtx_ssrc, offer.sections[3].sources[1].ssrc);
    EXPECT_EQ(plan->receive_extensions.transport_cc, 3);
    EXPECT_EQ(plan->receive_extensions.audio_level, 1);
}

TEST(PlanPublish, SimulcastHighAndLow) {
    const Result<AnswerPlan> plan = plan_publish(offer_of("chromium_simulcast"), {});
    ASSERT_TRUE(plan.has_value());
    const std::vector<PlannedEncoding>& encodings = plan->sections[1].encodings;
    ASSERT_THAT(encodings, SizeIs(2));
    EXPECT_EQ(encodings[0].rid, "hi");
    EXPECT_EQ(encodings[1].rid, "lo");
    EXPECT_EQ(plan->receive_extensions.rid, 10);
    EXPECT_EQ(plan->receive_extensions.repaired_rid, 11);
    EXPECT_EQ(plan->send_extensions.rid, 0);
}

TEST(PlanPublish, LayersByTheirCommonNames) {
    const struct {
        std::vector<std::string> offered;
        const char* high;
        const char* low;
    } cases[] = {{{"q", "h", "f"}, "f", "q"},
                 {{"h", "q"}, "h", "q"},
                 {{"l", "m", "h"}, "h", "l"},
                 {{"low", "high"}, "high", "low"},
                 {{"lo", "hi"}, "hi", "lo"},
                 {{"0", "1", "2"}, "0", "2"}};
    for (const auto& c : cases) {
        Session offer = offer_of("chromium_simulcast");
        offer.sections[1].simulcast_send = c.offered;
        const Result<AnswerPlan> plan = plan_publish(offer, {});
        ASSERT_TRUE(plan.has_value());
        EXPECT_EQ(plan->sections[1].encodings[0].rid, c.high);
        EXPECT_EQ(plan->sections[1].encodings[1].rid, c.low);
    }
}

TEST(PlanPublish, AnEncoderWithoutSsrcLines) {
    Session offer = offer_of("chromium_publish");
    offer.sections[3].sources.clear();
    offer.sections[3].ssrc_groups.clear();
    const Result<AnswerPlan> plan = plan_publish(offer, {});
    ASSERT_TRUE(plan.has_value());
    ASSERT_THAT(plan->sections[1].encodings, SizeIs(1));
    EXPECT_FALSE(plan->sections[1].encodings[0].ssrc.is_valid());
    EXPECT_EQ(plan->sections[1].encodings[0].rid, "");
}

TEST(PlanPublish, WhatJsepForbids) {
    const auto refused = [](auto change) {
        Session offer = offer_of("chromium_publish");
        change(offer);
        const Result<AnswerPlan> plan = plan_publish(offer, {});
        EXPECT_FALSE(plan.has_value());
        return plan ? Errc::kInternal : plan.error().code;
    };
    const auto each = [](Session& offer, auto change) {
        for (Section& section : offer.sections) change(section);
    };
    EXPECT_EQ(refused([&](Session& o) { each(o, [](Section& s) { s.ice_ufrag.clear(); }); }),
              Errc::kMalformed);
    EXPECT_EQ(refused([&](Session& o) { each(o, [](Section& s) { s.ice_pwd.clear(); }); }),
              Errc::kMalformed);
    EXPECT_EQ(refused([&](Session& o) { each(o, [](Section& s) { s.fingerprint.reset(); }); }),
              Errc::kMalformed);
    EXPECT_EQ(refused([&](Session& o) {
                  each(o, [](Section& s) { s.fingerprint->algorithm = "sha-1"; });
              }),
              Errc::kMalformed);
    EXPECT_EQ(refused([&](Session& o) { each(o, [](Section& s) { s.setup = Setup::kPassive; }); }),
              Errc::kMalformed);
    EXPECT_EQ(refused([&](Session& o) { each(o, [](Section& s) { s.mid.clear(); }); }),
              Errc::kMalformed);
    EXPECT_EQ(refused([](Session& o) { o.bundle.clear(); }), Errc::kMalformed);
    EXPECT_EQ(refused([&](Session& o) {
                  each(o, [](Section& s) { s.direction = Direction::kRecvOnly; });
              }),
              Errc::kUnsupported);
    EXPECT_EQ(refused([&](Session& o) { each(o, [](Section& s) { s.codecs.clear(); }); }),
              Errc::kUnsupported);
    EXPECT_EQ(refused([](Session& o) { o.sections.clear(); }), Errc::kMalformed);
}

TEST(PlanPublish, AudioAloneNeedsNoBundle) {
    Session offer = offer_of("chromium_publish");
    offer.bundle.clear();
    offer.sections.erase(offer.sections.begin() + 3);
    const Result<AnswerPlan> plan = plan_publish(offer, {});
    ASSERT_TRUE(plan.has_value());
    EXPECT_THAT(plan->sections, SizeIs(1));
}

TEST(AnswerPublish, OfABrowser) {
    const Session offer = offer_of("chromium_publish");
    const AnswerPlan plan = *plan_publish(offer, {});
    const Session answer = answer_publish(offer, plan, local());
    EXPECT_TRUE(answer.ice_lite);
    EXPECT_THAT(answer.bundle, ElementsAre("2", "3"));
    ASSERT_THAT(answer.sections, SizeIs(4));
    EXPECT_TRUE(answer.sections[0].is_rejected());
    EXPECT_TRUE(answer.sections[1].is_rejected());
    EXPECT_EQ(answer.sections[1].mid, "1");
    const Section& audio = answer.sections[2];
    EXPECT_EQ(audio.direction, Direction::kRecvOnly);
    EXPECT_EQ(audio.setup, Setup::kPassive);
    EXPECT_TRUE(audio.rtcp_mux);
    EXPECT_EQ(audio.ice_ufrag, "ourufrag");
    EXPECT_THAT(audio.candidates, SizeIs(2));
    EXPECT_TRUE(audio.end_of_candidates);
    EXPECT_THAT(names(audio), ElementsAre("opus", "red"));
    EXPECT_THAT(audio.codecs[0].parameters,
                ElementsAre(Parameter{"minptime", "10"}, Parameter{"useinbandfec", "1"}));
    EXPECT_TRUE(audio.codecs[0].has_feedback("transport-cc"));
    EXPECT_THAT(audio.extmaps, SizeIs(4));
    const Section& video = answer.sections[3];
    EXPECT_THAT(names(video), ElementsAre("H264", "rtx"));
    EXPECT_EQ(video.codecs[0].parameter("profile-level-id"), "42e01f");
    EXPECT_EQ(video.codecs[1].number("apt"), 108U);
    EXPECT_TRUE(video.codecs[0].has_feedback("nack", "pli"));
    EXPECT_TRUE(video.codecs[0].has_feedback("goog-remb"));
    for (const Extmap& extmap : video.extmaps) {
        EXPECT_THAT(offer.sections[3].extmaps, ::testing::Contains(extmap));
    }
    EXPECT_THAT(video.sources, IsEmpty());
    const Result<Session> read = parse(write(answer));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, answer);
}

TEST(AnswerPublish, RedStandsWhereTheClientPutIt) {
    Session offer = offer_of("chromium_publish");
    std::vector<Codec>& codecs = offer.sections[2].codecs;
    const auto red =
        std::find_if(codecs.begin(), codecs.end(), [](const Codec& c) { return c.is("red"); });
    ASSERT_NE(red, codecs.end());
    EXPECT_THAT(names(answer_publish(offer, *plan_publish(offer, {}), local()).sections[2]),
                ElementsAre("opus", "red"));
    std::rotate(codecs.begin(), red, red + 1);
    const AnswerPlan plan = *plan_publish(offer, {});
    EXPECT_EQ(plan.sections[0].red_payload_type, codecs[0].payload_type);
    const Session answer = answer_publish(offer, plan, local());
    EXPECT_THAT(names(answer.sections[2]), ElementsAre("red", "opus"));
    EXPECT_THAT(write(answer), ::testing::HasSubstr("a=fmtp:63 111/111\r\n"));
}

TEST(PlanPublish, NoRedWhoseBlocksOtherClientsCouldNotRead) {
    Session offer = offer_of("chromium_publish");
    for (Codec& codec : offer.sections[2].codecs) {
        if (codec.is("opus")) codec.payload_type = PayloadType(109);
    }
    EXPECT_FALSE(plan_publish(offer, {})->sections[0].red_payload_type.is_valid());
}

TEST(AnswerPublish, SimulcastTakesTwoLayersInTheOfferedOrder) {
    Session offer = offer_of("chromium_simulcast");
    offer.sections[1].simulcast_send = {"q", "h", "f"};
    const AnswerPlan plan = *plan_publish(offer, {});
    const Session answer = answer_publish(offer, plan, local());
    EXPECT_THAT(answer.sections[1].simulcast_recv, ElementsAre("q", "f"));
    ASSERT_THAT(answer.sections[1].rids, SizeIs(2));
    EXPECT_FALSE(answer.sections[1].rids[0].is_send);
    EXPECT_THAT(write(answer), ::testing::HasSubstr("a=simulcast:recv q;f\r\n"));
}

TEST(AnswerView, OfABrowser) {
    const Session offer = offer_of("chromium_whep");
    const Result<AnswerPlan> plan = plan_view(offer, {true, true, VideoCodec::kVp8});
    ASSERT_TRUE(plan.has_value()) << plan.error().what;
    ASSERT_THAT(plan->sections, SizeIs(2));
    const Session answer = answer_view(offer,
                                       *plan,
                                       local(),
                                       {{Ssrc(11), Ssrc(), "s-user", "track-a", "c-user"},
                                        {Ssrc(21), Ssrc(22), "s-user", "track-v", "c-user"}});
    const Section& audio = answer.sections[0];
    EXPECT_EQ(audio.direction, Direction::kSendOnly);
    EXPECT_THAT(audio.msids, ElementsAre(Msid{"s-user", "track-a"}));
    EXPECT_THAT(audio.sources, ElementsAre(SourceInfo{Ssrc(11), "c-user", {}}));
    const Section& video = answer.sections[1];
    EXPECT_THAT(names(video), ElementsAre("VP8", "rtx"));
    EXPECT_EQ(video.rtx_of(Ssrc(21)), Ssrc(22));
    for (const Extmap& extmap : video.extmaps) EXPECT_NE(extmap.uri, rtp::kUriRid);
    const Result<Session> read = parse(write(answer));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, answer);
}

TEST(AnswerView, OnlyWhatIsThere) {
    const Session offer = offer_of("chromium_whep");
    const Result<AnswerPlan> audio_only = plan_view(offer, {true, false, VideoCodec::kH264});
    ASSERT_TRUE(audio_only.has_value());
    ASSERT_THAT(audio_only->sections, SizeIs(1));
    const Session answer =
        answer_view(offer, *audio_only, local(), {{Ssrc(11), Ssrc(), "s", "t", "c"}});
    EXPECT_TRUE(answer.sections[1].is_rejected());
    EXPECT_THAT(answer.bundle, ElementsAre("0"));
    // The track vanished between the two steps.
    const Session silent = answer_view(offer, *audio_only, local(), {SentSource{}});
    EXPECT_EQ(silent.sections[0].direction, Direction::kInactive);
    EXPECT_EQ(plan_view(offer, {false, false, VideoCodec::kH264}).error().code, Errc::kUnsupported);
    EXPECT_EQ(plan_view(offer_of("chromium_publish"), {true, true, VideoCodec::kH264}).error().code,
              Errc::kUnsupported)
        << "a section that only sends can receive nothing";
}

TEST(AnswerView, BundleOnlySectionsBorrowTheTransport) {
    Session offer = offer_of("chromium_whep");
    Section& video = offer.sections[1];
    video.port = 0;
    video.bundle_only = true;
    video.ice_ufrag.clear();
    video.ice_pwd.clear();
    video.fingerprint.reset();
    const Result<AnswerPlan> plan = plan_view(offer, {true, true, VideoCodec::kH264});
    ASSERT_TRUE(plan.has_value());
    EXPECT_THAT(plan->sections, SizeIs(2));
    EXPECT_EQ(transport_section(offer), &offer.sections[0]);
}

TEST(IceFragmentText, AsClientsSendIt) {
    const Result<IceFragment> fragment = parse_fragment(
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
        "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag "
        "EsAw\r\n"
        "a=end-of-candidates\r\n");
    ASSERT_TRUE(fragment.has_value());
    EXPECT_EQ(fragment->ice_ufrag, "EsAw");
    EXPECT_EQ(fragment->ice_pwd, "P2uYro0UCOQ4zxjKXaWCBui1");
    ASSERT_THAT(fragment->candidates, SizeIs(1));
    EXPECT_EQ(fragment->candidates[0].port, 61764);
    EXPECT_TRUE(fragment->end_of_candidates);
}

TEST(IceFragmentText, OursIsReadBack) {
    const std::string text = write_fragment(local(), Kind::kVideo, "7");
    const Result<IceFragment> fragment = parse_fragment(text);
    ASSERT_TRUE(fragment.has_value());
    EXPECT_EQ(fragment->ice_ufrag, "ourufrag");
    EXPECT_EQ(fragment->candidates, local().candidates);
    EXPECT_THAT(text, ::testing::HasSubstr("m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:7\r\n"));
    for (std::size_t n = 0; n < text.size(); ++n) {
        (void)parse_fragment(std::string_view(text).substr(0, n));
    }
}

TEST(IceFragmentText, WhatIsNone) {
    const std::string head = "a=ice-ufrag:u\r\na=ice-pwd:p\r\n";
    EXPECT_TRUE(parse_fragment(head).has_value());
    for (const std::string& text : {std::string(),
                                    std::string("a=ice-ufrag:u\r\n"),
                                    std::string("{}"),
                                    head + "a=candidate:x\r\n",
                                    head + "a=mid:\x01\r\n"}) {
        EXPECT_FALSE(parse_fragment(text).has_value()) << text;
    }
    std::string many = head;
    for (std::size_t i = 0; i <= kMaxCandidates; ++i) {
        many += "a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n";
    }
    EXPECT_EQ(parse_fragment(many).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace parley::sdp

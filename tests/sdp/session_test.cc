#include "sdp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "support.h"

namespace parley::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Session parsed(std::string_view text) {
    Result<Session> session = parse(text);
    EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().what);
    return session.value_or(Session{});
}

std::string without_carriage_returns(std::string text) {
    std::erase(text, '\r');
    return text;
}

constexpr std::string_view kHead = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

TEST(SdpParse, ReadsTheOfferOfAPublishingBrowser) {
    const Session s = parsed(read_offer("chromium_gathered"));
    EXPECT_THAT(s.warnings, IsEmpty());
    EXPECT_THAT(s.bundle, ElementsAre("0", "1", "2", "3"));
    EXPECT_TRUE(s.extmap_allow_mixed);
    EXPECT_TRUE(s.trickle);
    EXPECT_FALSE(s.ice_lite);
    ASSERT_THAT(s.sections, SizeIs(4));
    EXPECT_EQ(s.sections[0].direction, Direction::kInactive);

    const Section* video = s.find_mid("3");
    ASSERT_NE(video, nullptr);
    EXPECT_EQ(video->kind, Kind::kVideo);
    EXPECT_EQ(video->direction, Direction::kSendOnly);
    EXPECT_EQ(video->protocol, "UDP/TLS/RTP/SAVPF");
    EXPECT_EQ(video->setup, Setup::kActPass);
    EXPECT_TRUE(video->rtcp_mux);
    EXPECT_TRUE(video->rtcp_rsize);
    EXPECT_EQ(video->ice_ufrag, "ARbE");
    EXPECT_EQ(video->ice_pwd, "s/BAviOucSLMOKNHAHyL8teg");
    ASSERT_TRUE(video->fingerprint);
    EXPECT_EQ(video->fingerprint->algorithm, "sha-256");
    EXPECT_THAT(video->fingerprint->value, SizeIs(95));
    ASSERT_THAT(video->msids, SizeIs(1));
    EXPECT_FALSE(video->msids[0].track.empty());
    ASSERT_THAT(video->sources, SizeIs(2));
    EXPECT_EQ(video->rtx_of(video->sources[0].ssrc), video->sources[1].ssrc);
    EXPECT_FALSE(video->sources[0].cname.empty());
    ASSERT_FALSE(video->candidates.empty());
    EXPECT_EQ(video->candidates[0].type, "host");

    const Codec* h264 = video->find_codec(PayloadType(108));
    ASSERT_NE(h264, nullptr);
    EXPECT_TRUE(h264->is("h264"));
    EXPECT_EQ(h264->clock_rate, 90'000U);
    EXPECT_EQ(h264->parameter("Profile-Level-Id"), "42e01f");
    EXPECT_EQ(h264->number("packetization-mode"), 1U);
    EXPECT_EQ(h264->number("profile-level-id"), std::nullopt);
    EXPECT_TRUE(h264->has_feedback("nack"));
    EXPECT_TRUE(h264->has_feedback("nack", "pli"));
    EXPECT_FALSE(h264->has_feedback("pli"));
    EXPECT_EQ(video->rtx_of(PayloadType(108)), PayloadType(109));

    const Section* audio = s.find_mid("2");
    ASSERT_NE(audio, nullptr);
    const Codec* opus = audio->find_codec(PayloadType(111));
    ASSERT_NE(opus, nullptr);
    EXPECT_EQ(opus->channels, 2U);
    ASSERT_NE(audio->find_codec(PayloadType(63)), nullptr);
    EXPECT_EQ(audio->find_codec(PayloadType(63))->parameters[0].name, "111/111");
}

TEST(SdpParse, ReadsSimulcastByRid) {
    const Session s = parsed(read_offer("chromium_simulcast"));
    ASSERT_THAT(s.sections, SizeIs(2));
    const Section& video = s.sections[1];
    EXPECT_THAT(video.sources, IsEmpty());
    EXPECT_THAT(video.simulcast_send, ElementsAre("hi", "lo"));
    ASSERT_THAT(video.rids, SizeIs(2));
    EXPECT_TRUE(video.rids[0].is_send);
    EXPECT_EQ(video.rids[1].id, "lo");
}

TEST(SdpParse, NamesOfEncodingsThatAreNoneAreLeftOut) {
    const Session s = parsed(std::string(kHead) +
                             "m=video 9 UDP/TLS/RTP/SAVPF 96\na=rid:hi send\na=rid:l;o send\n"
                             "a=simulcast:send hi;~~~;rid=lo;~low\n");
    ASSERT_THAT(s.sections, SizeIs(1));
    EXPECT_THAT(s.sections[0].rids, SizeIs(1));
    EXPECT_THAT(s.sections[0].simulcast_send, ElementsAre("hi", "low"));
    EXPECT_EQ(parsed(write(s)).sections, s.sections);
}

TEST(SdpParse, LineEndsMakeNoDifference) {
    for (const char* name : {"chromium_capsdp", "chromium_gathered", "chromium_simulcast"}) {
        const std::string text = read_offer(name);
        EXPECT_EQ(parsed(text), parsed(without_carriage_returns(text))) << name;
    }
}

TEST(SdpParse, OrderOfAttributesMakesNoDifference) {
    // What an SDP library does that writes the attributes in its own order.
    const std::string text = without_carriage_returns(read_offer("chromium_publish"));
    std::string shuffled;
    std::vector<std::string> head, attributes;
    std::string m_line;
    std::istringstream in(text + "m=end 0 x\n");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("m=")) {
            std::stable_sort(
                attributes.begin(), attributes.end(), [](const auto& a, const auto& b) {
                    return a.substr(0, a.find(':')) > b.substr(0, b.find(':'));
                });
            for (const std::string& a : attributes) shuffled += a + "\n";
            attributes.clear();
            if (!line.starts_with("m=end")) shuffled += line + "\n";
        } else if (line.starts_with("a=")) {
            attributes.push_back(line);
        } else {
            shuffled += line + "\n";
        }
    }
    ASSERT_NE(shuffled, text);
    EXPECT_EQ(parsed(shuffled), parsed(text));
}

TEST(SdpParse, SessionLevelLinesFillTheSections) {
    const Session s =
        parsed(std::string(kHead) +
               "a=sendonly\r\na=setup:active\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n"
               "a=fingerprint:sha-1 AA\r\na=fingerprint:SHA-256 BB\r\n"
               "a=extmap:4 urn:x\r\n"
               "m=audio 9 RTP/SAVPF 0 8\r\n"
               "m=video 9 RTP/SAVPF 96\r\na=recvonly\r\na=ice-ufrag:own\r\n"
               "a=ice-pwd:ownpwd\r\na=setup:passive\r\na=extmap:5/recvonly urn:y\r\n");
    ASSERT_THAT(s.sections, SizeIs(2));
    const Section& audio = s.sections[0];
    EXPECT_EQ(audio.direction, Direction::kSendOnly);
    EXPECT_EQ(audio.setup, Setup::kActive);
    EXPECT_EQ(audio.ice_ufrag, "abcd");
    EXPECT_EQ(audio.fingerprint->value, "BB");
    EXPECT_EQ(audio.extmaps[0].uri, "urn:x");
    EXPECT_EQ(audio.codecs[0].name, "PCMU");
    EXPECT_EQ(audio.codecs[1].clock_rate, 8000U);
    const Section& video = s.sections[1];
    EXPECT_EQ(video.direction, Direction::kRecvOnly);
    EXPECT_EQ(video.setup, Setup::kPassive);
    EXPECT_EQ(video.ice_ufrag, "own");
    EXPECT_THAT(video.extmaps, SizeIs(1));
    EXPECT_EQ(video.extmaps[0].direction, Direction::kRecvOnly);
}

TEST(SdpParse, GroupAndIceLiteCountWhereverTheyStand) {
    const Session s = parsed(std::string(kHead) +
                             "m=audio 9 RTP/SAVPF 0\na=mid:a\na=ice-lite\na=group:BUNDLE a b\n"
                             "a=group:LS a b\n");
    EXPECT_THAT(s.bundle, ElementsAre("a", "b"));
    EXPECT_TRUE(s.ice_lite);
}

TEST(SdpParse, FeedbackOfAllPayloadTypes) {
    const Session s = parsed(std::string(kHead) +
                             "m=video 9 RTP/SAVPF 96 97\na=rtcp-fb:* nack\na=rtcp-fb:96 nack\n"
                             "a=rtcp-fb:97 ccm fir\n");
    EXPECT_THAT(s.sections[0].codecs[0].feedback, ElementsAre(Feedback{"nack", ""}));
    EXPECT_THAT(s.sections[0].codecs[1].feedback,
                ElementsAre(Feedback{"ccm", "fir"}, Feedback{"nack", ""}));
}

TEST(SdpParse, SimulcastFormsOfTheDrafts) {
    const Session s = parsed(std::string(kHead) +
                             "m=video 9 RTP/SAVPF 96\n"
                             "a=simulcast: send rid=hi;lo\n"
                             "m=video 9 RTP/SAVPF 96\na=simulcast:recv a,b;~c send x\n");
    EXPECT_THAT(s.sections[0].simulcast_send, ElementsAre("hi", "lo"));
    EXPECT_THAT(s.sections[1].simulcast_recv, ElementsAre("a", "c"));
    EXPECT_THAT(s.sections[1].simulcast_send, ElementsAre("x"));
    EXPECT_THAT(s.warnings, ElementsAre("simulcast alternatives"));
}

TEST(SdpParse, BadAttributesCostOnlyThemselves) {
    const std::string good =
        std::string(kHead) + "m=audio 9 RTP/SAVPF 111\na=mid:0\na=rtpmap:111 opus/48000/2\n";
    for (const char* bad : {"a=rtpmap:111 opus",
                            "a=rtpmap:112 opus/48000",
                            "a=rtpmap:x opus/48000",
                            "a=fmtp:112 a=b",
                            "a=rtcp-fb:111",
                            "a=extmap:0 urn:x",
                            "a=extmap:300 urn:x",
                            "a=extmap:3/up urn:x",
                            "a=extmap:3",
                            "a=fingerprint:sha-256",
                            "a=setup:maybe",
                            "a=msid:",
                            "a=ssrc:-1 cname:x",
                            "a=ssrc:4294967296 cname:x",
                            "a=ssrc-group:FID 1 x",
                            "a=ssrc-group:FID",
                            "a=rid:hi",
                            "a=simulcast:both a",
                            "a=candidate:1 1 udp x 1.2.3.4 5 typ host",
                            "a=candidate:1 1 udp 5 1.2.3.4 5 host",
                            "no line",
                            "a=mid:\x01",
                            "a"}) {
        Session s = parsed(good + bad + "\n");
        EXPECT_THAT(s.warnings, SizeIs(1)) << bad;
        s.warnings.clear();
        EXPECT_EQ(s, parsed(good)) << bad;
    }
}

TEST(SdpParse, UnknownLinesAreSkippedSilently) {
    const std::string good = std::string(kHead) + "m=audio 9 RTP/SAVPF 111\na=mid:0\n";
    for (const char* extra : {"b=AS:600",
                              "a=x-google-flag:conference",
                              "a=rtcp:9 IN IP4 0.0.0.0",
                              "k=clear:x",
                              "a=crypto:1 AES inline:x",
                              "i=title"}) {
        EXPECT_EQ(parsed(good + extra + "\n"), parsed(good)) << extra;
    }
}

TEST(SdpParse, WhatIsNotSdp) {
    for (const char* text :
         {"", "\n", "hello", "v=1\n", "o=- 1 1 IN IP4 0\n", "{\"sdp\":\"v=0\"}"}) {
        const Result<Session> s = parse(text);
        ASSERT_FALSE(s.has_value()) << text;
        EXPECT_EQ(s.error().code, Errc::kMalformed) << text;
    }
    for (const char* media : {"m=audio",
                              "m=audio 9",
                              "m=audio x RTP/AVP 0",
                              "m=audio 70000 RTP/AVP 0",
                              "m= 9 RTP/AVP 0"}) {
        const Result<Session> s = parse(std::string(kHead) + media + "\n");
        ASSERT_FALSE(s.has_value()) << media;
        EXPECT_EQ(s.error().code, Errc::kMalformed);
    }
}

std::string repeat(std::string_view line, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += line;
    return out;
}

/// `count` lines with a running number in place of `#`.
std::string numbered(std::string_view line, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        for (const char c : line) {
            if (c == '#') {
                out += std::to_string(i + 1);
            } else {
                out += c;
            }
        }
    }
    return out;
}

TEST(SdpParse, EveryBoundHolds) {
    const std::string section = std::string(kHead) + "m=video 9 RTP/SAVPF 96\n";
    const struct {
        const char* name;
        std::string at, beyond;
    } cases[] = {
        {"sections",
         std::string(kHead) + repeat("m=audio 9 RTP/AVP 0\n", kMaxSections),
         std::string(kHead) + repeat("m=audio 9 RTP/AVP 0\n", kMaxSections + 1)},
        {"parameters",
         section + "a=fmtp:96 " + repeat("a=1;", kMaxParameters) + "\n",
         section + "a=fmtp:96 " + repeat("a=1;", kMaxParameters + 1) + "\n"},
        {"feedback",
         section + numbered("a=rtcp-fb:96 nack #\n", kMaxFeedback),
         section + numbered("a=rtcp-fb:96 nack #\n", kMaxFeedback + 1)},
        {"wildcard feedback",
         section + numbered("a=rtcp-fb:* nack #\n", kMaxFeedback),
         section + numbered("a=rtcp-fb:* nack #\n", kMaxFeedback) + "a=rtcp-fb:96 ack\n"},
        {"extmaps",
         section + repeat("a=extmap:1 urn:x\n", kMaxExtmaps),
         section + repeat("a=extmap:1 urn:x\n", kMaxExtmaps + 1)},
        {"ssrcs",
         section + numbered("a=ssrc:# cname:x\n", kMaxSsrcs),
         section + numbered("a=ssrc:# cname:x\n", kMaxSsrcs + 1)},
        {"ssrc groups",
         section + repeat("a=ssrc-group:FID 1 2\n", kMaxSsrcGroups),
         section + repeat("a=ssrc-group:FID 1 2\n", kMaxSsrcGroups + 1)},
        {"ssrcs of a group",
         section + "a=ssrc-group:SIM" + repeat(" 1", kMaxSsrcsPerGroup) + "\n",
         section + "a=ssrc-group:SIM" + repeat(" 1", kMaxSsrcsPerGroup + 1) + "\n"},
        {"rids",
         section + numbered("a=rid:# send\n", 2 * kMaxRids),
         section + numbered("a=rid:# send\n", 2 * kMaxRids + 1)},
        {"simulcast",
         section + "a=simulcast:send " + numbered("#;", kMaxRids) + "\n",
         section + "a=simulcast:send " + numbered("#;", kMaxRids + 1) + "\n"},
        {"msids",
         section + repeat("a=msid:s t\n", kMaxMsids),
         section + repeat("a=msid:s t\n", kMaxMsids + 1)},
        {"candidates",
         section + repeat("a=candidate:1 1 udp 1 1.2.3.4 5 typ host\n", kMaxCandidates),
         section + repeat("a=candidate:1 1 udp 1 1.2.3.4 5 typ host\n", kMaxCandidates + 1)},
        {"group",
         std::string(kHead) + "a=group:BUNDLE" + repeat(" m", kMaxSections) + "\n",
         std::string(kHead) + "a=group:BUNDLE" + repeat(" m", kMaxSections + 1) + "\n"},
        {"formats",
         std::string(kHead) + "m=application 9 UDP/DTLS/SCTP" + repeat(" f", kMaxFormats) + "\n",
         std::string(kHead) + "m=application 9 UDP/DTLS/SCTP" + repeat(" f", kMaxFormats + 1) +
             "\n"},
        {"line",
         std::string(kHead) + "a=" + repeat("x", kMaxLineBytes - 2) + "\n",
         std::string(kHead) + "a=" + repeat("x", kMaxLineBytes - 1) + "\n"},
        {"text",
         std::string(kHead) + repeat("\n", kMaxBytes - kHead.size()),
         std::string(kHead) + repeat("\n", kMaxBytes - kHead.size() + 1)},
    };
    for (const auto& c : cases) {
        EXPECT_TRUE(parse(c.at).has_value()) << c.name;
        const Result<Session> beyond = parse(c.beyond);
        ASSERT_FALSE(beyond.has_value()) << c.name;
        EXPECT_EQ(beyond.error().code, Errc::kTooLarge) << c.name;
    }
}

TEST(SdpParse, WarningsAreBoundedAndDistinct) {
    const Session s = parsed(std::string(kHead) + repeat("nonsense\n", 1000));
    EXPECT_THAT(s.warnings, SizeIs(1));
}

TEST(SdpParse, EveryTruncationIsReadOrRefused) {
    for (const char* name : {"chromium_gathered", "chromium_simulcast"}) {
        const std::string text = read_offer(name);
        std::size_t readable = 0;
        for (std::size_t n = 0; n <= text.size(); ++n) {
            const Result<Session> s = parse(std::string_view(text).substr(0, n));
            if (!s) continue;
            ++readable;
            EXPECT_EQ(parsed(write(*s)).sections.size(), s->sections.size());
        }
        EXPECT_GT(readable, text.size() / 2);
    }
}

std::string token(Rng& rng) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    std::string out;
    const std::uint64_t length = 1 + rng.below(12);
    for (std::uint64_t i = 0; i < length; ++i) out += kAlphabet[rng.below(kAlphabet.size())];
    return out;
}

/// RFC 8851: no dots.
std::string rid(Rng& rng) {
    std::string out = token(rng);
    std::replace(out.begin(), out.end(), '.', '-');
    return out;
}

Section random_section(Rng& rng) {
    Section s;
    s.kind = static_cast<Kind>(rng.below(4));
    if (s.kind == Kind::kOther) s.media = "m" + token(rng);
    s.mid = token(rng) + std::to_string(rng.next_u64());
    s.port = static_cast<std::uint16_t>(rng.below(65536));
    s.direction = static_cast<Direction>(rng.below(4));
    if (s.kind == Kind::kAudio || s.kind == Kind::kVideo) {
        for (std::uint64_t i = rng.below(5); i > 0; --i) {
            Codec c;
            c.payload_type = PayloadType(static_cast<std::uint8_t>(30 + 10 * i + rng.below(10)));
            c.name = token(rng);
            c.clock_rate = rng.next_u32();
            c.channels = static_cast<std::uint32_t>(rng.below(3));
            for (std::uint64_t k = rng.below(4); k > 0; --k) {
                c.parameters.push_back({token(rng), rng.chance(0.8) ? token(rng) : ""});
            }
            for (std::uint64_t k = rng.below(3); k > 0; --k) {
                c.feedback.push_back(
                    {token(rng) + std::to_string(k), rng.chance(0.5) ? token(rng) : ""});
            }
            s.codecs.push_back(std::move(c));
        }
    } else {
        s.protocol = "UDP/DTLS/SCTP";
        s.formats.push_back(token(rng));
    }
    for (std::uint64_t i = rng.below(4); i > 0; --i) {
        s.extmaps.push_back({static_cast<std::uint8_t>(1 + rng.below(255)),
                             static_cast<Direction>(rng.below(4)),
                             "urn:" + token(rng)});
    }
    s.ice_ufrag = token(rng);
    s.ice_pwd = token(rng);
    if (rng.chance(0.8)) s.fingerprint = Fingerprint{"sha-256", token(rng)};
    if (rng.chance(0.8)) s.setup = static_cast<Setup>(rng.below(4));
    s.rtcp_mux = rng.chance(0.5);
    s.rtcp_rsize = rng.chance(0.5);
    s.bundle_only = rng.chance(0.2);
    for (std::uint64_t i = rng.below(3); i > 0; --i) {
        s.msids.push_back({token(rng), rng.chance(0.8) ? token(rng) : ""});
    }
    for (std::uint64_t i = rng.below(4); i > 0; --i) {
        SourceInfo source{Ssrc(static_cast<std::uint32_t>(i << 24 | rng.below(1 << 24))), "", {}};
        if (rng.chance(0.8)) source.cname = token(rng);
        if (rng.chance(0.3)) source.msid = Msid{token(rng), token(rng)};
        s.sources.push_back(source);
    }
    for (std::uint64_t i = rng.below(3); i > 0; --i) {
        s.ssrc_groups.push_back({"FID", {Ssrc(rng.next_u32()), Ssrc(rng.next_u32())}});
    }
    for (std::uint64_t i = rng.below(3); i > 0; --i) {
        s.rids.push_back({rid(rng), rng.chance(0.5), rng.chance(0.5) ? "pt=" + token(rng) : ""});
        s.simulcast_send.push_back(rid(rng));
        if (rng.chance(0.5)) s.simulcast_recv.push_back(rid(rng));
    }
    for (std::uint64_t i = rng.below(3); i > 0; --i) {
        s.candidates.push_back({token(rng),
                                static_cast<std::uint16_t>(rng.below(3)),
                                rng.chance(0.5) ? "udp" : "tcp",
                                rng.next_u32(),
                                token(rng),
                                static_cast<std::uint16_t>(rng.below(65536)),
                                "host",
                                rng.chance(0.5) ? "passive" : ""});
    }
    s.end_of_candidates = rng.chance(0.5);
    return s;
}

TEST(SdpWrite, IsReadBackAsItWas) {
    Rng rng(20'240'921);
    for (int round = 0; round < 500; ++round) {
        Session s;
        s.id = rng.next_u64();
        s.version = rng.next_u64();
        for (std::uint64_t i = rng.below(4); i > 0; --i) s.bundle.push_back(token(rng));
        s.ice_lite = rng.chance(0.5);
        s.trickle = rng.chance(0.5);
        s.extmap_allow_mixed = rng.chance(0.5);
        for (std::uint64_t i = rng.below(4); i > 0; --i) s.sections.push_back(random_section(rng));
        ASSERT_EQ(parsed(write(s)), s) << write(s);
    }
}

TEST(SdpWrite, BrowserOffersAreReadBackAsTheyWere) {
    for (const char* name : {"chromium_capsdp",
                             "chromium_gathered",
                             "chromium_publish",
                             "chromium_simulcast",
                             "chromium_whep"}) {
        const Session s = parsed(read_offer(name));
        EXPECT_EQ(parsed(write(s)), s) << name;
    }
}

TEST(SdpWrite, TextsCannotStartALineOfTheirOwn) {
    Session s;
    Section section;
    section.mid = "0\r\na=ice-lite";
    section.ice_ufrag = "u\nv";
    section.msids = {{"s", "t\r\nm=audio 9 RTP/AVP 0"}};
    s.sections.push_back(section);
    const Session read = parsed(write(s));
    EXPECT_FALSE(read.ice_lite);
    ASSERT_THAT(read.sections, SizeIs(1));
    EXPECT_EQ(read.sections[0].mid, "");
    EXPECT_THAT(read.sections[0].msids, IsEmpty());
}

TEST(SdpCandidate, AllPrefixesAreRead) {
    const std::string text = "1 1 UDP 2130706431 203.0.113.7 7700 typ host generation 0";
    for (const char* prefix : {"", "candidate:", "a=candidate:"}) {
        const Result<Candidate> c = parse_candidate(prefix + text);
        ASSERT_TRUE(c.has_value());
        EXPECT_EQ(write_candidate(*c), "1 1 udp 2130706431 203.0.113.7 7700 typ host");
    }
}

}  // namespace
}  // namespace parley::sdp

/// The conformance checklist of the protocol, sections 7.4 and 7.5: publishing and subscribing of web clients, as room
/// control sees them. Each test is named by its number there.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "world.h"

namespace parley::signalling {
namespace {

using std::string;

// 7.4

TEST(Conformance, S47_RtpcapsHoldAudioThenVideoWithTheClientsNumbers) {
    World world;
    const json::object answer = world.connect().auth("ann");
    const json::object& caps = answer.at("rtpcaps").as_object();
    const json::array& codecs = caps.at("codecs").as_array();
    ASSERT_GE(codecs.size(), 2u);
    EXPECT_EQ(text_of(codecs[0].at("kind")), "audio");
    EXPECT_EQ(codecs[0].at("sendPayloadType"), 111);
    EXPECT_EQ(text_of(codecs[1].at("kind")), "video");
    EXPECT_EQ(text_of(codecs[1].at("name")), "H264");
    EXPECT_EQ(codecs[1].at("sendPayloadType"), 108);
    EXPECT_EQ(codecs[1].at("sendRtxPayloadType"), 109);
    std::map<string, std::int64_t> ids;
    for (const json::value& extension : caps.at("headerExtensions").as_array()) {
        ids[text_of(extension.at("uri"))] = extension.at("sendId").to_number<std::int64_t>();
    }
    EXPECT_EQ(ids["urn:ietf:params:rtp-hdrext:sdes:mid"], 4);
    EXPECT_EQ(ids["urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"], 10);
}

TEST(Conformance, S48_PubpcResHasClientRoleCandidatesAndAllTracks) {
    World world;
    Client& ann = world.join("ann");
    const json::object answer =
        ann.request("pubpc", publish_body({mic(), camera()}, {mic(), camera()}));
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_FALSE(text_of(answer.at("pcid")).empty());
    EXPECT_EQ(text_of(answer.at("dtlsParameters").at("role")), "client");
    const json::object fingerprint =
        answer.at("dtlsParameters").at("fingerprints").as_array()[0].as_object();
    EXPECT_EQ(text_of(fingerprint.at("algorithm")), "sha-256");
    EXPECT_EQ(text_of(fingerprint.at("value")).size(), 95u);
    const json::object ice = answer.at("iceParameters").as_object();
    EXPECT_GE(text_of(ice.at("usernameFragment")).size(), 8u);
    EXPECT_GE(text_of(ice.at("password")).size(), 24u);
    EXPECT_EQ(ice.at("iceLite"), true);
    std::set<string> foundations;
    std::uint64_t lowest_udp = UINT64_MAX;
    std::uint64_t highest_tcp = 0;
    for (const json::value& candidate : answer.at("iceCandidates").as_array()) {
        EXPECT_TRUE(foundations.insert(text_of(candidate.at("foundation"))).second);
        EXPECT_TRUE(IpAddress::parse(text_of(candidate.at("ip"))));
        EXPECT_EQ(text_of(candidate.at("type")), "host");
        EXPECT_GT(candidate.at("port").to_number<int>(), 0);
        const auto priority = candidate.at("priority").to_number<std::uint64_t>();
        if (text_of(candidate.at("protocol")) == "tcp") {
            EXPECT_EQ(text_of(candidate.at("tcpType")), "passive");
            highest_tcp = std::max(highest_tcp, priority);
        } else {
            EXPECT_FALSE(candidate.as_object().contains("tcpType"));
            lowest_udp = std::min(lowest_udp, priority);
        }
    }
    EXPECT_EQ(foundations.size(), 4u);
    EXPECT_GT(lowest_udp, highest_tcp);
    const json::array tracks = answer.at("tracks").as_array();
    ASSERT_EQ(tracks.size(), 2u);
    EXPECT_EQ(text_of(tracks[0].at("localid")), "mic-1");
    EXPECT_EQ(text_of(tracks[0].at("localmid")), "2");
    EXPECT_EQ(tracks[0].at("status"), true);
    EXPECT_EQ(tracks[0].at("versionid"), 1);

    const sfu::OpenPeer open = world.last_command<sfu::OpenPeer>();
    EXPECT_EQ(open.dtls_role, dtls::Role::kClient);
    ASSERT_TRUE(open.remote_fingerprint);
    EXPECT_EQ(open.remote_fingerprint->to_string(), fingerprint_of_client());
    EXPECT_EQ(open.local_ice.ufrag, text_of(ice.at("usernameFragment")));
    EXPECT_EQ(open.receive_extensions.mid, 4);
    EXPECT_EQ(open.receive_extensions.rid, 10);
    const auto added = world.commands<sfu::AddTrack>();
    ASSERT_EQ(added.size(), 2u);
    EXPECT_EQ(added[0].payload_type, PayloadType(111));
    EXPECT_EQ(added[0].encodings[0].ssrc, Ssrc(1111));
    EXPECT_EQ(added[0].max_bitrate.kbps(), 64);
    EXPECT_EQ(added[1].payload_type, PayloadType(108));
    EXPECT_EQ(added[1].rtx_payload_type, PayloadType(109));
    EXPECT_EQ(added[1].encodings[0].ssrc, Ssrc(2222));
    EXPECT_EQ(added[1].encodings[0].rtx_ssrc, Ssrc(1002222));
    EXPECT_EQ(added[1].mid, "3");
}

TEST(Conformance, S50_ConnectedIsToldAfterTheAnswerAndOnce) {
    World world;
    Client& ann = world.join("ann");
    const json::object answer = ann.request("pubpc", publish_body({mic()}, {mic()}));
    EXPECT_FALSE(ann.has("on-pubpc-connected"));
    const PeerId peer = world.last_command<sfu::OpenPeer>().peer;
    world.media_event(sfu::PeerConnected{peer});
    EXPECT_EQ(ann.take("on-pubpc-connected").at("pcid"), answer.at("pcid"));
    world.media_event(sfu::PeerConnected{peer});
    EXPECT_FALSE(ann.has("on-pubpc-connected"));
}

TEST(Conformance, S51_SecondPublishOnTheSameConnection) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic()});
    bob.forget();
    const json::object answer =
        ann.request("pub-tracks", publish_body({mic(), camera()}, {camera()}));
    ASSERT_EQ(code_of(answer), 0);
    ASSERT_EQ(answer.at("tracks").as_array().size(), 1u);
    EXPECT_FALSE(answer.contains("pcid"));
    EXPECT_EQ(bob.count("on-add-tracks"), 1u);
    EXPECT_EQ(world.commands<sfu::OpenPeer>().size(), 1u);
    EXPECT_EQ(world.last_command<sfu::AddTrack>().encodings[0].ssrc, Ssrc(2222));
}

TEST(Conformance, S52_TracksAreFoundByMidWhenSectionsAreReused) {
    World world;
    Client& ann = world.join("ann");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    EXPECT_EQ(code_of(ann.request("unpub-tracks", {{"tracks", track_refs({ids[0]})}})), 0);
    // The first slot now carries mid 4; a stale section of a failed attempt has the same source.
    OfferTrack again = mic("4", "mic-2", 3333);
    OfferTrack stale = mic("5", "mic-2", 4444);
    const json::object answer =
        ann.request("pub-tracks", publish_body({stale, again, camera()}, {again}));
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_EQ(world.last_command<sfu::AddTrack>().encodings[0].ssrc, Ssrc(3333));
    EXPECT_EQ(world.last_command<sfu::AddTrack>().mid, "4");
}

TEST(Conformance, S53_UnpublishRemovesExactlyThoseTracks) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    bob.forget();
    const json::object answer =
        ann.request("unpub-tracks", {{"tracks", track_refs({ids[1], "nonsense"})}});
    EXPECT_EQ(code_of(answer), 0);
    const json::object told = bob.take("on-remove-tracks");
    ASSERT_EQ(told.at("tracks").as_array().size(), 1u);
    EXPECT_EQ(text_of(told.at("tracks").as_array()[0].at("trackid")), ids[1]);
    EXPECT_EQ(world.commands<sfu::RemoveTrack>().size(), 1u);
    bob.request("unpub-tracks", {{"tracks", track_refs({ids[0]})}});
    EXPECT_EQ(world.hub->stats().tracks, 1u) << "nobody unpublishes another's track";
}

TEST(Conformance, S54_PubTracksErrorsCarryAnEmptyList) {
    World world;
    Client& ann = world.join("ann");
    ann.publish({mic()});
    const std::vector<json::object> bad = {
        {},
        {{"sdp", "rubbish"}, {"tracks", json::array{}}},
        {{"sdp", offer_sdp({mic()})}, {"tracks", "x"}},
        {{"sdp", offer_sdp({mic()})}, {"tracks", json::array{1}}},
        publish_body({mic()}, {camera()}),
        publish_body({mic()}, {camera("2")}),
    };
    for (const json::object& body : bad) {
        const json::object answer = ann.request("pub-tracks", body);
        EXPECT_NE(code_of(answer), 0) << json::serialize(body);
        ASSERT_TRUE(answer.at("tracks").is_array());
        EXPECT_TRUE(answer.at("tracks").as_array().empty());
    }
    EXPECT_EQ(world.hub->stats().tracks, 1u);
}

TEST(Conformance, S55_PubTracksWithoutAConnectionIs10061) {
    World world;
    Client& ann = world.join("ann");
    json::object answer = ann.request("pub-tracks", publish_body({mic()}, {mic()}));
    EXPECT_EQ(code_of(answer), 10061);
    EXPECT_TRUE(answer.at("tracks").as_array().empty());
    ann.publish({mic()});
    world.media_event(sfu::PeerDisconnected{world.last_command<sfu::OpenPeer>().peer,
                                            sfu::DisconnectReason::kIceFailed});
    answer = ann.request("pub-tracks", publish_body({mic(), camera()}, {camera()}));
    EXPECT_EQ(code_of(answer), 10061);
}

TEST(Conformance, S59_RestartGivesNewCredentialsForTheSameConnection) {
    World world;
    Client& ann = world.join("ann");
    const json::object first = ann.publish({mic()});
    const json::object answer = ann.request("pubpc-restart", {{"pcid", first.at("pcid")}});
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_NE(answer.at("iceParameters"), first.at("iceParameters"));
    EXPECT_EQ(answer.at("iceCandidates"), first.at("iceCandidates"));
    const sfu::RestartIce restart = world.last_command<sfu::RestartIce>();
    EXPECT_EQ(restart.peer, world.last_command<sfu::OpenPeer>().peer);
    EXPECT_EQ(restart.local_ice.ufrag, text_of(answer.at("iceParameters").at("usernameFragment")));
    EXPECT_EQ(world.commands<sfu::OpenPeer>().size(), 1u);
}

TEST(Conformance, S60_RestartOfADeadConnectionFailsAndARebuildBringsTheSameTracks) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const json::object first = ann.publish({mic()});
    EXPECT_EQ(code_of(ann.request("pubpc-restart", {{"pcid", "unknown"}})), 10061);
    world.media_event(sfu::PeerDisconnected{world.last_command<sfu::OpenPeer>().peer,
                                            sfu::DisconnectReason::kIceFailed});
    EXPECT_EQ(ann.take("on-pubpc-disconnected").at("pcid"), first.at("pcid"));
    EXPECT_TRUE(bob.has("on-remove-tracks"));
    EXPECT_EQ(code_of(ann.request("pubpc-restart", {{"pcid", first.at("pcid")}})), 10061);
    bob.forget();
    const json::object second = ann.publish({mic("0")});
    EXPECT_EQ(ids_of(second), ids_of(first));
    EXPECT_NE(second.at("pcid"), first.at("pcid"));
    const json::object told = bob.take("on-add-tracks");
    EXPECT_EQ(told.at("tracks").as_array()[0].at("versionid"), 2);
}

TEST(Conformance, S61_RebuildRetiresTheOldConnectionsTracks) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    ann.publish({mic(), camera()});
    bob.forget();
    ann.publish({mic("0")});
    EXPECT_EQ(bob.inbox[0].name, "on-remove-tracks");
    EXPECT_EQ(bob.inbox[0].body.at("tracks").as_array().size(), 2u);
    EXPECT_EQ(bob.inbox[1].name, "on-add-tracks");
    EXPECT_EQ(world.hub->stats().tracks, 1u);
    EXPECT_EQ(world.hub->stats().peers, 1u);
    const json::object answer = world.connect().auth("cat");
    EXPECT_EQ(answer.at("players").as_array().size(), 3u);
    EXPECT_EQ(answer.at("tracks").as_array().size(), 1u);
}

TEST(Conformance, S62_PublishingWithoutThePrivilegeIs10051) {
    World world;
    Client& ann = world.join("ann", {}, {{"privileges", json::array{"subscribe"}}});
    const json::object answer = ann.request("pubpc", publish_body({mic()}, {mic()}));
    EXPECT_EQ(code_of(answer), 10051);
    EXPECT_EQ(world.hub->stats().tracks, 0u);
}

TEST(Conformance, S63_FingerprintMismatchEndsTheConnection) {
    World world;
    Client& ann = world.join("ann");
    const json::object answer = ann.request("pubpc", publish_body({mic()}, {mic()}));
    world.media_event(sfu::PeerDisconnected{world.last_command<sfu::OpenPeer>().peer,
                                            sfu::DisconnectReason::kFingerprintMismatch});
    EXPECT_EQ(ann.take("on-pubpc-disconnected").at("pcid"), answer.at("pcid"));
    EXPECT_EQ(world.hub->stats().tracks, 0u);
}

// 7.5

TEST(Conformance, S64_SubpcResHasServerRoleAndRtpparams) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    const json::object answer = bob.subscribe(ids);
    ASSERT_EQ(code_of(answer), 0);
    EXPECT_EQ(text_of(answer.at("dtlsParameters").at("role")), "server");
    std::set<std::uint32_t> ssrcs;
    for (const json::value& track : answer.at("tracks").as_array()) {
        EXPECT_EQ(track.at("status"), true);
        const json::object& rtp = track.at("rtpparams").as_object();
        const json::object& encoding = rtp.at("encodings").as_array()[0].as_object();
        EXPECT_TRUE(ssrcs.insert(encoding.at("ssrc").to_number<std::uint32_t>()).second);
        const auto rtx = encoding.at("rtx").at("ssrc").to_number<std::uint32_t>();
        const bool video = text_of(track.at("trackid")) == ids[1];
        EXPECT_EQ(rtx != 0, video);
        EXPECT_TRUE(!video || ssrcs.insert(rtx).second);
        EXPECT_EQ(rtp.at("rtcp").at("mux"), true);
    }
    EXPECT_EQ(bob.take("on-subpc-connected").at("pcid"), answer.at("pcid"));
    const auto subscribed = world.commands<sfu::Subscribe>();
    ASSERT_EQ(subscribed.size(), 2u);
    EXPECT_TRUE(ssrcs.contains(subscribed[0].ssrc.value));
    EXPECT_EQ(subscribed[0].cname, "c-ann");
}

TEST(Conformance, S66_TheBrowsersSideOfTheReceiveConnectionIsNeverNeeded) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    bob.subscribe(ids_of(ann.publish({mic()})));
    const sfu::OpenPeer open = world.last_command<sfu::OpenPeer>();
    EXPECT_EQ(open.dtls_role, dtls::Role::kServer);
    EXPECT_FALSE(open.remote_fingerprint);
}

TEST(Conformance, S67_SubAndUnsubTracksOnTheLivingConnection) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    bob.subscribe({ids[0]});
    const json::object more = bob.request("sub-tracks", {{"tracks", track_refs({ids[1]})}});
    ASSERT_EQ(code_of(more), 0);
    EXPECT_EQ(more.at("tracks").as_array()[0].at("status"), true);
    EXPECT_EQ(world.commands<sfu::OpenPeer>().size(), 2u) << "one for ann, one for bob";
    EXPECT_EQ(code_of(bob.request("unsub-tracks", {{"tracks", track_refs({ids[1]})}})), 0);
    EXPECT_EQ(world.commands<sfu::Unsubscribe>().size(), 1u);
    const json::object again = bob.request("sub-tracks", {{"tracks", track_refs({ids[1]})}});
    EXPECT_EQ(again.at("tracks").as_array()[0].at("status"), true);
    EXPECT_EQ(world.commands<sfu::Subscribe>().size(), 3u);
}

TEST(Conformance, S68_MidsStayUniqueOverManySubscriptions) {
    World world;
    Client& bob = world.join("bob");
    std::vector<string> ids;
    for (int user = 0; user < 15; ++user) {
        Client& publisher = world.join("u" + std::to_string(user));
        publisher.publish({mic()});
    }
    std::set<string> mids;
    while (bob.has("on-add-tracks")) {
        const json::object told = bob.take("on-add-tracks");
        const json::object track = told.at("tracks").as_array()[0].as_object();
        EXPECT_TRUE(mids.insert(text_of(track.at("mid"))).second);
        ids.push_back(text_of(track.at("trackid")));
    }
    ASSERT_EQ(ids.size(), 15u);
    EXPECT_EQ(code_of(bob.subscribe({ids.begin(), ids.begin() + 10})), 0);
    bob.request("unsub-tracks", {{"tracks", track_refs({ids.begin(), ids.begin() + 5})}});
    const json::object more =
        bob.request("sub-tracks", {{"tracks", track_refs({ids.begin() + 10, ids.end()})}});
    for (const json::value& track : more.at("tracks").as_array()) {
        EXPECT_EQ(track.at("status"), true);
    }
    EXPECT_EQ(world.hub->stats().subscriptions, 10u);
}

TEST(Conformance, S69_UnknownTracksAreFalseAndOnlyUnknownOnesAnError) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    Client& other = world.join("cat", {.room = "room2"});
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    const json::object bad = bob.request("subpc", {{"tracks", track_refs({"x", "y"})}});
    EXPECT_EQ(code_of(bad), 10041);
    EXPECT_TRUE(bad.at("tracks").as_array().empty());
    EXPECT_EQ(code_of(bob.request("subpc", {{"tracks", json::array{}}})), 10041);
    const json::object foreign = other.request("subpc", {{"tracks", track_refs(ids)}});
    EXPECT_EQ(code_of(foreign), 10041) << "tracks of other rooms do not exist here";
    EXPECT_EQ(code_of(ann.request("subpc", {{"tracks", track_refs(ids)}})), 10041) << "own track";
    const json::object good = bob.subscribe({"x", ids[0], ids[0]});
    ASSERT_EQ(code_of(good), 0);
    ASSERT_EQ(good.at("tracks").as_array().size(), 2u);
    EXPECT_EQ(good.at("tracks").as_array()[0].at("status"), false);
    EXPECT_EQ(good.at("tracks").as_array()[1].at("status"), true);
}

TEST(Conformance, S70_SubTracksErrorsCarryAnEmptyList) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    bob.subscribe(ids_of(ann.publish({mic()})));
    for (const json::object& body : std::vector<json::object>{
             {}, {{"tracks", 1}}, {{"tracks", json::array{"x"}}}, {{"tracks", nullptr}}}) {
        const json::object answer = bob.request("sub-tracks", body);
        EXPECT_NE(code_of(answer), 0);
        EXPECT_TRUE(answer.at("tracks").as_array().empty());
    }
}

TEST(Conformance, S71_SubTracksWithoutALivingConnectionIs10062) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic()}));
    EXPECT_EQ(code_of(bob.request("sub-tracks", {{"tracks", track_refs(ids)}})), 10062);
    const json::object first = bob.subscribe(ids);
    world.media_event(sfu::PeerDisconnected{world.last_command<sfu::OpenPeer>().peer,
                                            sfu::DisconnectReason::kIceFailed});
    EXPECT_EQ(bob.take("on-subpc-disconnected").at("pcid"), first.at("pcid"));
    const json::object answer = bob.request("sub-tracks", {{"tracks", track_refs(ids)}});
    EXPECT_EQ(code_of(answer), 10062);
    EXPECT_TRUE(answer.at("tracks").as_array().empty());
    EXPECT_EQ(code_of(bob.request("subpc-restart", {{"pcid", first.at("pcid")}})), 10062);
    const json::object second = bob.subscribe(ids);
    EXPECT_EQ(code_of(second), 0);
    const json::object restarted = bob.request("subpc-restart", {{"pcid", second.at("pcid")}});
    EXPECT_EQ(code_of(restarted), 0);
    EXPECT_TRUE(restarted.at("iceCandidates").is_array());
}

TEST(Conformance, S72_AudioAndVideoOfOnePublisherShareMsidAndCname) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    Client& viewer = world.join("viewer");
    std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    for (const string& id : ids_of(bob.publish({mic("0", "b")}))) ids.push_back(id);
    const json::object answer = viewer.subscribe(ids);
    const json::array tracks = answer.at("tracks").as_array();
    const auto msid = [&](std::size_t i) { return text_of(tracks[i].at("rtpparams").at("msid")); };
    const auto cname = [&](std::size_t i) {
        return text_of(tracks[i].at("rtpparams").at("rtcp").at("cname"));
    };
    EXPECT_EQ(msid(0), msid(1));
    EXPECT_EQ(cname(0), cname(1));
    EXPECT_NE(msid(0), msid(2));
    EXPECT_NE(cname(0), cname(2));
    EXPECT_EQ(msid(0).find(' '), string::npos);
}

TEST(Conformance, S74_RepublishLeadsToRemoveAndAddForViewers) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    const std::vector<string> ids = ids_of(ann.publish({mic(), camera()}));
    bob.subscribe(ids);
    const string mid_before =
        text_of(bob.take("on-add-tracks").at("tracks").as_array()[0].at("mid"));
    bob.forget();
    const json::object again = ann.publish({mic(), camera()});
    EXPECT_EQ(ids_of(again), ids);
    EXPECT_EQ(bob.inbox[0].name, "on-remove-tracks");
    const json::object added = bob.take("on-add-tracks");
    EXPECT_EQ(added.at("tracks").as_array()[0].at("versionid"), 2);
    EXPECT_EQ(text_of(added.at("tracks").as_array()[0].at("mid")), mid_before);
    EXPECT_EQ(world.hub->stats().subscriptions, 0u) << "a subscription ends with its publication";
    EXPECT_EQ(code_of(bob.request("sub-tracks", {{"tracks", track_refs(ids)}})), 0);
    EXPECT_EQ(world.hub->stats().subscriptions, 2u);
}

TEST(Conformance, S75_SimulcastByRidIsAnnouncedWithProfiles) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    OfferTrack cam = camera();
    cam.rids = true;
    ann.publish({cam});
    const json::object track = bob.take("on-add-tracks").at("tracks").as_array()[0].as_object();
    EXPECT_EQ(track.at("profiles"), (json::array{"high", "low"}));
    const sfu::AddTrack added = world.last_command<sfu::AddTrack>();
    ASSERT_EQ(added.encodings.size(), 2u);
    EXPECT_EQ(added.encodings[0].rid, "hi");
    EXPECT_EQ(added.encodings[1].rid, "lo");
}

TEST(Conformance, S75_MungedSimIsOneStreamWithoutProfiles) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    OfferTrack cam = camera();
    cam.munged_sim = true;
    ann.publish({cam});
    const json::object track = bob.take("on-add-tracks").at("tracks").as_array()[0].as_object();
    EXPECT_FALSE(track.contains("profiles"));
    const sfu::AddTrack added = world.last_command<sfu::AddTrack>();
    ASSERT_EQ(added.encodings.size(), 1u);
    EXPECT_EQ(added.encodings[0].ssrc, Ssrc(2222));
    EXPECT_EQ(added.encodings[0].rtx_ssrc, Ssrc(1002222));
}

TEST(Conformance, S76_ProfileIsSwitchedAndTheDeliveredOneTold) {
    World world;
    Client& ann = world.join("ann");
    Client& bob = world.join("bob");
    OfferTrack cam = camera();
    cam.rids = true;
    const std::vector<string> ids = ids_of(ann.publish({cam}));
    bob.subscribe(ids);
    bob.forget();
    const auto set = [&](const char* profile) {
        bob.send(
            "set-sub-profile",
            {{"tracks", json::array{json::object{{"trackid", ids[0]}, {"profile", profile}}}}});
    };
    set("low");
    const sfu::SetLayer command = world.last_command<sfu::SetLayer>();
    EXPECT_EQ(command.layer, sfu::Layer::kLow);
    EXPECT_TRUE(bob.inbox.empty()) << "only what is delivered is told";
    world.media_event(sfu::LayerChanged{command.peer, command.track, sfu::Layer::kLow});
    const json::object told = bob.take("on-sub-profile-changed");
    EXPECT_EQ(text_of(told.at("trackid")), ids[0]);
    EXPECT_EQ(text_of(told.at("profile")), "low");
    set("medium");
    EXPECT_EQ(world.last_command<sfu::SetLayer>().layer, sfu::Layer::kHigh);
    world.media_event(sfu::LayerChanged{command.peer, command.track, sfu::Layer::kHigh});
    EXPECT_EQ(text_of(bob.take("on-sub-profile-changed").at("profile")), "high");
    set("nonsense");
    EXPECT_EQ(world.commands<sfu::SetLayer>().size(), 2u);
}

TEST(Conformance, S77_S78_PolicyChoosesTheCandidates) {
    World world;
    Client& ann = world.join("ann");
    const auto protocols = [&](const char* policy) {
        json::object body = publish_body({mic()}, {mic()});
        body["policy"] = policy;
        std::set<string> out;
        const json::object answer = ann.request("pubpc", body);
        for (const json::value& candidate : answer.at("iceCandidates").as_array()) {
            out.insert(text_of(candidate.at("protocol")));
        }
        const json::object restarted = ann.request("pubpc-restart", {{"pcid", answer.at("pcid")}});
        EXPECT_EQ(restarted.at("iceCandidates"), answer.at("iceCandidates"));
        return out;
    };
    EXPECT_EQ(protocols("forceTcp"), std::set<string>{"tcp"});
    EXPECT_EQ(protocols("forceUdp"), std::set<string>{"udp"});
    EXPECT_EQ(protocols("preferUdp"), (std::set<string>{"tcp", "udp"}));
}

}  // namespace
}  // namespace parley::signalling

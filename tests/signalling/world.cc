#include "world.h"

#include <gtest/gtest.h>

#include "signalling/envelope.h"
#include "tokens.h"

namespace parley::signalling {

std::string text_of(const json::value& value) {
    const json::string* text = value.if_string();
    return text == nullptr ? std::string("(no string)") : std::string(text->data(), text->size());
}

int code_of(const json::object& body) {
    const json::value* code = body.if_contains("code");
    if (code == nullptr || !code->is_int64()) return -1;
    return static_cast<int>(code->get_int64());
}

std::string chrome_capsdp() {
    return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
           "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"
           "a=rtcp-mux\r\n"
           "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
           "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
           "a=extmap:3 "
           "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
           "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
           "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
           "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
           "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n"
           "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 108 109\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
           "a=recvonly\r\na=rtcp-mux\r\n"
           "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\n"
           "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
           "a=extmap:3 "
           "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
           "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
           "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
           "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"
           "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 nack\r\n"
           "a=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
           "a=rtpmap:102 H264/90000\r\na=rtcp-fb:102 nack pli\r\n"
           "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n"
           "a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n"
           "a=rtpmap:108 H264/90000\r\na=rtcp-fb:108 goog-remb\r\na=rtcp-fb:108 transport-cc\r\n"
           "a=rtcp-fb:108 ccm fir\r\na=rtcp-fb:108 nack\r\na=rtcp-fb:108 nack pli\r\n"
           "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
           "a=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n";
}

std::string vp8_only_capsdp() {
    return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
           "m=audio 9 UDP/TLS/RTP/SAVPF 109\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"
           "a=rtpmap:109 opus/48000/2\r\na=fmtp:109 minptime=10\r\n"
           "m=video 9 UDP/TLS/RTP/SAVPF 120 124\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\n"
           "a=rtpmap:120 VP8/90000\r\na=rtcp-fb:120 nack pli\r\n"
           "a=rtpmap:124 rtx/90000\r\na=fmtp:124 apt=120\r\n";
}

std::string fingerprint_of_client() {
    std::string out;
    for (int i = 0; i < 32; ++i) out += i == 0 ? "AB" : ":CD";
    return out;
}

std::string offer_sdp(const std::vector<OfferTrack>& tracks) {
    std::string sdp = "v=0\r\no=- 4 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE";
    for (const OfferTrack& track : tracks) sdp += " " + track.mid;
    sdp += "\r\n";
    for (const OfferTrack& track : tracks) {
        const bool audio = track.kind == "audio";
        sdp += "m=" + track.kind + " 9 UDP/TLS/RTP/SAVPF " + (audio ? "111" : "108 109") + "\r\n";
        sdp += "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        sdp += "a=fingerprint:sha-256 " + fingerprint_of_client() + "\r\na=setup:actpass\r\n";
        sdp += "a=mid:" + track.mid + "\r\na=rtcp-mux\r\n";
        sdp += track.inactive ? "a=inactive\r\n" : "a=sendonly\r\n";
        sdp += audio
                   ? "a=rtpmap:111 opus/48000/2\r\n"
                   : "a=rtpmap:108 H264/90000\r\na=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n";
        if (track.inactive) continue;
        sdp += "a=msid:stream " + track.localid + "\r\n";
        if (track.rids) {
            sdp += "a=rid:hi send\r\na=rid:lo send\r\na=simulcast:send hi;lo\r\n";
            continue;
        }
        const std::string ssrc = std::to_string(track.ssrc);
        if (track.munged_sim) {
            sdp += "a=ssrc-group:SIM " + ssrc + " " + std::to_string(track.ssrc + 1) + " " +
                   std::to_string(track.ssrc + 2) + "\r\n";
            for (std::uint32_t i = 0; i < 3; ++i) {
                sdp += "a=ssrc-group:FID " + std::to_string(track.ssrc + i) + " " +
                       std::to_string(track.rtx + i) + "\r\n";
            }
            for (std::uint32_t i = 0; i < 3; ++i) {
                sdp += "a=ssrc:" + std::to_string(track.ssrc + i) + " cname:c\r\n";
                sdp += "a=ssrc:" + std::to_string(track.rtx + i) + " cname:c\r\n";
            }
            continue;
        }
        if (track.rtx != 0) {
            sdp += "a=ssrc-group:FID " + ssrc + " " + std::to_string(track.rtx) + "\r\n";
        }
        sdp += "a=ssrc:" + ssrc + " cname:c\r\n";
        if (track.rtx != 0) sdp += "a=ssrc:" + std::to_string(track.rtx) + " cname:c\r\n";
    }
    return sdp;
}

OfferTrack mic(std::string mid, std::string localid, std::uint32_t ssrc) {
    OfferTrack track;
    track.mid = std::move(mid);
    track.kind = "audio";
    track.localid = std::move(localid);
    track.ssrc = ssrc;
    return track;
}

OfferTrack camera(std::string mid, std::string localid, std::uint32_t ssrc) {
    OfferTrack track;
    track.mid = std::move(mid);
    track.kind = "video";
    track.localid = std::move(localid);
    track.ssrc = ssrc;
    track.rtx = ssrc + 1'000'000;
    return track;
}

json::object publish_body(const std::vector<OfferTrack>& offered,
                          const std::vector<OfferTrack>& new_tracks) {
    json::array tracks;
    for (const OfferTrack& track : new_tracks) {
        tracks.push_back(json::object{{"localid", track.localid},
                                      {"localmid", track.mid},
                                      {"kind", track.kind},
                                      {"master", true},
                                      {"kbps", track.kind == "audio" ? 64 : 500},
                                      {"tag", track.kind == "audio" ? "voice" : ""}});
    }
    return {{"sdp", offer_sdp(offered)}, {"tracks", tracks}, {"policy", "preferUdp"}};
}

json::array track_refs(const std::vector<std::string>& ids) {
    json::array tracks;
    for (const std::string& id : ids) tracks.push_back(json::object{{"trackid", id}});
    return tracks;
}

std::vector<std::string> ids_of(const json::object& answer) {
    std::vector<std::string> ids;
    for (const json::value& track : answer.at("tracks").as_array()) {
        ids.push_back(text_of(track.at("trackid")));
    }
    return ids;
}

void Client::send_raw(std::string_view text) {
    world_.hub->handle_text(world_.now, world_.wall, id_, text, world_.out);
    world_.deliver();
}

void Client::send(std::string_view name, const json::object& body) {
    send_raw(write_envelope(name, body));
}

json::object Client::request(std::string_view name, json::object body) {
    const std::string rpcid = "r" + std::to_string(next_rpcid_++);
    body["rpcid"] = rpcid;
    send(name, body);
    const std::string answer_name = std::string(name) + "-res";
    for (auto at = inbox.begin(); at != inbox.end(); ++at) {
        if (at->name != answer_name) continue;
        const json::value* id = at->body.if_contains("rpcid");
        if (id == nullptr || *id != json::value(rpcid)) continue;
        json::object answer = std::move(at->body);
        inbox.erase(at);
        return answer;
    }
    ADD_FAILURE() << "no answer to " << name;
    return {};
}

json::object Client::take(std::string_view name) {
    for (auto at = inbox.begin(); at != inbox.end(); ++at) {
        if (at->name != name) continue;
        json::object body = std::move(at->body);
        inbox.erase(at);
        return body;
    }
    ADD_FAILURE() << "no " << name;
    return {};
}

std::size_t Client::count(std::string_view name) const {
    std::size_t n = 0;
    for (const Message& message : inbox) n += message.name == name ? 1 : 0;
    return n;
}

bool Client::has(std::string_view name) const { return count(name) > 0; }

void Client::lose_socket() {
    world_.hub->handle_closed(world_.now, id_, world_.out);
    world_.deliver();
}

json::object Client::auth(const std::string& user, const TokenOptions& options, json::object more) {
    json::object body{{"token", world_.token(user, options)},
                      {"agent", "chrome156.0.0"},
                      {"sdkversion", "4.3.2"},
                      {"capsdp", chrome_capsdp()},
                      {"supportdomain", true},
                      {"privileges", json::array{"subscribe", "publish"}},
                      {"playerdata", "data of " + user}};
    for (auto& [key, value] : more) body[key] = value;
    json::object answer = request("auth", body);
    if (code_of(answer) == 0) {
        reconntoken = answer.at("reconntoken").to_number<std::uint64_t>();
    }
    return answer;
}

json::object Client::reconnect(const std::string& user,
                               std::uint64_t token,
                               const TokenOptions& options,
                               json::object more) {
    more["reconntoken"] = token;
    return auth(user, options, std::move(more));
}

json::object Client::mini_auth(const std::string& user,
                               const TokenOptions& options,
                               json::object more) {
    json::object body{{"app", options.app},
                      {"agent", "wechat miniprogram"},
                      {"roomtoken", world_.room_token(user, options)},
                      {"sdkversion", "4.0.6"},
                      {"room", options.room},
                      {"user", user},
                      {"playerdata", "data of " + user}};
    for (auto& [key, value] : more) body[key] = value;
    json::object answer = request("auth", body);
    if (code_of(answer) == 0) rtmptoken = text_of(answer.at("rtmptoken"));
    return answer;
}

json::object Client::mini_return(const std::string& token) {
    json::object answer = request("auth", {{"rtmptoken", token}});
    if (code_of(answer) == 0) rtmptoken = text_of(answer.at("rtmptoken"));
    return answer;
}

json::object Client::publish(const std::vector<OfferTrack>& tracks) {
    json::object answer = request("pubpc", publish_body(tracks, tracks));
    world_.connect_peers();
    return answer;
}

json::object Client::subscribe(const std::vector<std::string>& trackids) {
    json::object answer =
        request("subpc", {{"tracks", track_refs(trackids)}, {"policy", "preferUdp"}});
    world_.connect_peers();
    return answer;
}

World::World(HubConfig config, std::uint64_t seed)
    : secrets(seed), wall(WallTime(Duration(1'700'000'000s))) {
    apps.apps["app1"] = {};
    apps.apps["app2"] = {};
    std::vector<sfu::WorkerInfo> workers;
    for (std::uint16_t n = 1; n <= 2; ++n) {
        sfu::WorkerInfo info;
        info.worker = WorkerId(n);
        const std::uint16_t port = static_cast<std::uint16_t>(7700 + n);
        for (const char* ip : {"203.0.113.7", "2001:db8::7"}) {
            info.endpoints.push_back({{*IpAddress::parse(ip), port}, false});
            info.endpoints.push_back({{*IpAddress::parse(ip), port}, true});
        }
        workers.push_back(info);
    }
    dtls::Fingerprint fingerprint;
    fingerprint.sha256.fill(0x5a);
    hub = std::make_unique<Hub>(
        config, Rng(seed), secrets, apps, kAccessKey, workers, fingerprint, now, wall);
}

std::string World::token(const std::string& user, const TokenOptions& options) const {
    return make_access_token(user, options, wall);
}

std::string World::room_token(const std::string& user, const TokenOptions& options) const {
    auth::RoomClaims claims;
    claims.app_id = options.app;
    claims.room_name = options.room;
    claims.user_id = user;
    claims.expire_at = wall + std::chrono::seconds(options.expires_in_s);
    claims.permission = options.admin ? auth::Permission::kAdmin : auth::Permission::kUser;
    return auth::mint_room_token({"ak", "secret of ak"}, claims);
}

Client& World::join_mini(const std::string& user, const TokenOptions& options) {
    Client& client = connect();
    const json::object answer = client.mini_auth(user, options);
    EXPECT_EQ(code_of(answer), 0) << json::serialize(answer);
    return client;
}

Result<PublishGrant> World::publish_stream(std::uint64_t stream, const StreamAddress& address) {
    auto grant = hub->open_publish(now, StreamId(stream), address, out);
    deliver();
    return grant;
}

Result<PlayGrant> World::play_stream(std::uint64_t stream, const StreamAddress& address) {
    auto grant = hub->open_play(now, StreamId(stream), address, out);
    deliver();
    return grant;
}

void World::find_tracks(std::uint64_t stream, const std::vector<FoundTrack>& found) {
    hub->handle_stream_tracks(now, StreamId(stream), found, out);
    deliver();
}

void World::close_stream(std::uint64_t stream) {
    hub->handle_stream_closed(now, StreamId(stream), out);
    deliver();
}

std::optional<StreamEnd> World::end_of(std::uint64_t stream) const {
    std::optional<StreamEnd> found;
    for (const EndStream& end : ended_streams) {
        if (end.stream != StreamId(stream)) continue;
        EXPECT_FALSE(found) << "one stream ended twice";
        found = end.reason;
    }
    return found;
}

Client& World::connect() {
    const SessionId id(++last_session_);
    auto client = std::make_unique<Client>(*this, id);
    Client& out_client = *client;
    clients.emplace(id, std::move(client));
    hub->handle_open(now, id, {"198.51.100.1:4000", "/", "rtmp.example.org:1935"}, out);
    deliver();
    return out_client;
}

Client& World::join(const std::string& user, const TokenOptions& options, json::object more) {
    Client& client = connect();
    const json::object answer = client.auth(user, options, std::move(more));
    EXPECT_EQ(code_of(answer), 0) << json::serialize(answer);
    return client;
}

void World::run_for(Duration duration) {
    const Instant end = now + duration;
    for (;;) {
        const std::optional<Instant> deadline = hub->next_deadline();
        if (!deadline || *deadline > end) break;
        const Instant at = std::max(now, *deadline);
        wall += at - now;
        now = at;
        hub->handle_timeout(now, wall, out);
        const std::optional<Instant> next = hub->next_deadline();
        EXPECT_TRUE(!next || *next > now) << "a deadline that does not move on spins the loop";
        deliver();
        for (auto& [id, client] : clients) {
            if (!client->answers_pings || client->close_code) continue;
            while (client->has("ping")) {
                client->take("ping");
                client->send("pong", {});
            }
        }
    }
    wall += end - now;
    now = end;
}

void World::media_event(const sfu::MediaEvent& event) {
    WorkerId worker(1);
    std::visit(
        [&](const auto& e) {
            if constexpr (requires { e.peer; }) {
                if (worker_of.contains(e.peer.value)) worker = worker_of[e.peer.value];
            }
        },
        event);
    if (const auto* gone = std::get_if<sfu::PeerDisconnected>(&event)) {
        open_peers.erase(gone->peer.value);
        up_peers.erase(gone->peer.value);
    }
    hub->handle_media_event(now, worker, event, out);
    deliver();
}

void World::connect_peers() {
    const std::set<std::uint32_t> peers = open_peers;
    for (const std::uint32_t peer : peers) {
        if (up_peers.insert(peer).second) media_event(sfu::PeerConnected{PeerId(peer)});
    }
}

std::size_t World::event_count(RoomEventKind kind) const {
    std::size_t n = 0;
    for (const RoomEvent& event : all_events) n += event.kind == kind ? 1 : 0;
    return n;
}

void World::deliver() {
    Outputs now_out;
    std::swap(now_out, out);
    for (SendText& text : now_out.texts) {
        const auto at = clients.find(text.session);
        ASSERT_NE(at, clients.end()) << "text for a session that never was";
        Client& client = *at->second;
        EXPECT_FALSE(client.close_code) << "text after a close: " << text.text;
        const auto message = parse_envelope(text.text, 32);
        ASSERT_TRUE(message) << text.text;
        const bool is_answer = message->name.ends_with("-res");
        EXPECT_EQ(is_answer, message->body.contains("rpcid")) << text.text;
        if (is_answer) {
            EXPECT_TRUE(message->body.at("code").is_int64()) << text.text;
            const bool ok = code_of(message->body) == 0;
            EXPECT_EQ(ok, message->body.at("error") == "") << text.text;
        }
        client.inbox.push_back({std::string(message->name), message->body});
    }
    for (const CloseSession& close : now_out.closes) {
        const auto at = clients.find(close.session);
        ASSERT_NE(at, clients.end());
        EXPECT_FALSE(at->second->close_code) << "two closes of one session";
        EXPECT_NE(close.code, 1000);
        EXPECT_NE(close.code, 1012);
        EXPECT_NE(close.code, 1014);
        EXPECT_LT(close.code, 4000);
        at->second->close_code = close.code;
    }
    for (ToWorker& to : now_out.commands) {
        if (const auto* open = std::get_if<sfu::OpenPeer>(&to.command)) {
            open_peers.insert(open->peer.value);
            worker_of[open->peer.value] = to.worker;
        } else if (const auto* close = std::get_if<sfu::ClosePeer>(&to.command)) {
            EXPECT_EQ(open_peers.erase(close->peer.value), 1u) << "closed twice";
            up_peers.erase(close->peer.value);
        } else if (const auto* subscribe = std::get_if<sfu::Subscribe>(&to.command)) {
            EXPECT_EQ(worker_of[subscribe->peer.value], to.worker);
        }
        all_commands.push_back(std::move(to));
    }
    for (RoomEvent& event : now_out.events) all_events.push_back(std::move(event));
    for (const MediaSessionId id : now_out.ended_media_sessions) ended.push_back(id);
    for (const EndStream& end : now_out.ended_streams) ended_streams.push_back(end);
    for (RoomSounds& sounds : now_out.room_sounds) room_sounds.push_back(std::move(sounds));
}

}  // namespace parley::signalling

#include "sim/web_client.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <iterator>
#include <utility>

#include "signalling/codes.h"
#include "signalling/envelope.h"

namespace parley::sim {
namespace json = boost::json;
namespace {

// Timers of the published client (protocol sections 2.3 to 2.5).
constexpr Duration kHeartbeat = 9s;
constexpr Duration kRetry = 1s;
constexpr Duration kConnectTimeout = 5s;
// Ours.
constexpr Duration kThrottle = 200ms;
constexpr Duration kTransportPatience = 8s;

json::array references(const std::vector<std::string>& ids) {
    json::array out;
    for (const std::string& id : ids) out.push_back(json::object{{"trackid", id}});
    return out;
}

}  // namespace

std::string browser_capsdp() {
    return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
           "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n"
           "a=extmap:3 "
           "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
           "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
           "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
           "m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\na=mid:1\r\na=recvonly\r\n"
           "a=extmap:3 "
           "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
           "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
           "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
           "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"
           "a=rtpmap:108 H264/90000\r\na=rtcp-fb:108 nack\r\na=rtcp-fb:108 nack pli\r\n"
           "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
           "a=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n";
}

rtp::ExtensionIds browser_extensions() {
    rtp::ExtensionIds ids;
    ids.transport_cc = 3;
    ids.mid = 4;
    ids.rid = 10;
    ids.repaired_rid = 11;
    return ids;
}

std::string WebClient::offer_of(const std::vector<Source*>& sources) const {
    std::string sdp = "v=0\r\no=- 4 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    for (const Source* source : sources) {
        sdp += source->video ? "m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\n"
                             : "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
        sdp += "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        sdp += "a=fingerprint:sha-256 " + config_.fingerprint + "\r\na=setup:actpass\r\n";
        sdp += "a=mid:" + std::to_string(source->mid) + "\r\na=rtcp-mux\r\na=sendonly\r\n";
        sdp += source->video
                   ? "a=rtpmap:108 H264/90000\r\na=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n"
                   : "a=rtpmap:111 opus/48000/2\r\n";
        sdp += "a=msid:stream " + source->localid + "\r\n";
        if (source->simulcast) {
            sdp += "a=rid:hi send\r\na=rid:lo send\r\na=simulcast:send hi;lo\r\n";
            continue;
        }
        const std::string ssrc = std::to_string(source->ssrc.value);
        const std::string rtx = std::to_string(source->rtx_ssrc.value);
        if (source->video) sdp += "a=ssrc-group:FID " + ssrc + " " + rtx + "\r\n";
        sdp += "a=ssrc:" + ssrc + " cname:c\r\n";
        if (source->video) sdp += "a=ssrc:" + rtx + " cname:c\r\n";
    }
    return sdp;
}

WebClient::Source* WebClient::find_source(const std::string& localid) {
    for (Source& source : config_.sources) {
        if (source.localid == localid) return &source;
    }
    return nullptr;
}

bool WebClient::is_asking(std::string_view name) const {
    return std::any_of(
        pending_.begin(), pending_.end(), [&](const auto& p) { return p.second.name == name; });
}

// ---- The socket

void WebClient::request(std::string_view name,
                        json::object body,
                        std::vector<std::string> subject) {
    const std::string rpcid = config_.user + "-" + std::to_string(next_rpcid_++);
    body["rpcid"] = rpcid;
    pending_[rpcid] = {std::string(name), std::move(subject)};
    say(name, body);
}

void WebClient::say(std::string_view name, const json::object& body) {
    network_.send_text(socket_, signalling::write_envelope(name, body));
}

void WebClient::handle_open(Instant now, std::uint64_t socket) {
    if (socket != socket_ || state_ != State::kConnecting) return;
    state_ = State::kJoining;
    since_ = now;
    authenticate();
}

void WebClient::authenticate() {
    json::object body{{"token", config_.token},
                      {"agent", "sim"},
                      {"sdkversion", "4.3.2"},
                      {"capsdp", browser_capsdp()},
                      {"supportdomain", true},
                      {"privileges", json::array{"publish", "subscribe"}},
                      {"playerdata", "data"}};
    if (reconntoken_ != 0) {
        body["reconntoken"] = reconntoken_;
        if (belief_.last_msgsn > 0) body["msgsn"] = belief_.last_msgsn;
    }
    request("auth", std::move(body));
}

void WebClient::go_away(Instant now, Duration retry_in) {
    // What was asked and not answered may or may not have happened.
    for (const auto& [rpcid, asked] : pending_) {
        if (asked.name == "pubpc") drop_publisher();
        if (asked.name == "subpc") drop_subscriber();
        if (asked.name == "sub-tracks") unsure_.insert(asked.subject.begin(), asked.subject.end());
        if (asked.name != "pub-tracks") continue;
        for (const std::string& localid : asked.subject) {
            Source* source = find_source(localid);
            if (source->state == Source::State::kPending) source->state = Source::State::kDown;
        }
    }
    pending_.clear();
    answered_.clear();
    pinged_at_.reset();
    socket_ = 0;
    state_ = State::kAway;
    since_ = now;
    retry_at_ = now + retry_in;
}

void WebClient::handle_close(Instant now, std::uint64_t socket, std::uint16_t code) {
    if (socket != socket_ || socket == 0) return;
    switch (code) {
        case 0:
        case signalling::kCloseGoingAway:
        case signalling::kCloseTryAgain:
            break;
        case signalling::kClosePolicy:
            // The real client notices when its heartbeat fires.
            return go_away(now, kHeartbeat);
        default:
            checker_.fail("a close code that the client does not expect");
    }
    go_away(now, kRetry);
}

void WebClient::handle_text(Instant now, std::uint64_t socket, std::string_view text) {
    if (socket != socket_ || socket == 0) return;
    const auto message = signalling::parse_envelope(text, 32);
    if (!message) return checker_.fail("the server sent a malformed message");
    if (sub_) sub_->set_informed_until(now);
    if (message->name.ends_with("-res")) {
        return handle_answer(now, message->name, message->body);
    }
    if (message->body.contains("rpcid")) checker_.fail("a notification with an rpcid");
    if (message->name == "ping") return handle_ping(now);
    if (message->name == "disconnect")
        return handle_disconnect(now, number_of(message->body, "code"));
    belief_.apply(message->name, message->body, checker_);
    if (message->name == "on-remove-tracks") {
        for (const json::value& track : list_of(message->body, "tracks")) {
            retire(now, text_of(track.as_object(), "trackid"));
        }
    } else if (message->name == "on-pubpc-disconnected") {
        if (text_of(message->body, "pcid") == pub_pcid_) drop_publisher();
    } else if (message->name == "on-subpc-disconnected") {
        if (text_of(message->body, "pcid") == sub_pcid_) drop_subscriber();
    }
}

void WebClient::handle_ping(Instant now) {
    pinged_at_ = now;
    say("pong", {});
}

void WebClient::handle_disconnect(Instant now, std::int64_t code) {
    network_.close_socket(socket_);
    switch (code) {
        case signalling::kServerUnavailable:
            break;
        case signalling::kKicked:
        case signalling::kUserElsewhere:
        case signalling::kRoomClosed:
            forget_session();
            break;
        default:
            checker_.fail("an unexpected disconnect");
    }
    go_away(now, kRetry);
}

void WebClient::handle_answer(Instant now, std::string_view name, const json::object& body) {
    const std::string rpcid = text_of(body, "rpcid");
    const auto at = pending_.find(rpcid);
    if (at == pending_.end()) {
        return checker_.fail(answered_.contains(rpcid) ? "a request was answered twice"
                                                       : "an answer to nothing");
    }
    const Pending asked = std::move(at->second);
    pending_.erase(at);
    answered_.insert(rpcid);
    checker_.expect(name == asked.name + "-res", "an answer of another name");
    const std::int64_t code = number_of(body, "code");
    checker_.expect(body.contains("code") && body.at("code").is_int64(),
                    "a code that is no number");
    checker_.expect((code == 0) == text_of(body, "error").empty(), "code and error do not agree");
    if (asked.name == "auth") return handle_auth(now, body);
    if (code == signalling::kNoPermission) return;  // the session has ended meanwhile
    if (asked.name == "pubpc" || asked.name == "pub-tracks") {
        return handle_publish(now, asked, body, asked.name == "pubpc");
    }
    if (asked.name == "subpc" || asked.name == "sub-tracks") {
        return handle_subscribe(now, body, asked.name == "subpc");
    }
    if (asked.name == "unpub-tracks") {
        for (const std::string& localid : asked.subject) {
            Source* source = find_source(localid);
            source->state = Source::State::kDown;
            if (pub_) pub_->remove_outgoing(source->id);
        }
    } else if (asked.name == "unsub-tracks") {
        for (const std::string& id : asked.subject) {
            unsure_.erase(id);
            retire(now, id);
        }
    } else if (asked.name == "pubpc-restart" || asked.name == "subpc-restart") {
        const bool publishes = asked.name == "pubpc-restart";
        const std::unique_ptr<MediaPeer>& peer = publishes ? pub_ : sub_;
        if (!peer || asked.subject[0] != (publishes ? pub_pcid_ : sub_pcid_)) return;
        if (code != 0) return publishes ? drop_publisher() : drop_subscriber();
        const json::object& ice = body.at("iceParameters").as_object();
        peer->restart_ice({text_of(ice, "usernameFragment"), text_of(ice, "password")});
    } else if (asked.name == "control") {
        checker_.expect(code == 0 || code == signalling::kInvalidParameter, "a kick was refused");
    } else {
        checker_.expect(code == 0, "refused: " + asked.name);
    }
}

void WebClient::handle_auth(Instant now, const json::object& body) {
    const std::int64_t code = number_of(body, "code");
    if (code == 0) {
        if (reconntoken_ == 0) belief_.last_msgsn = 0;
        reconntoken_ = static_cast<std::uint64_t>(number_of(body, "reconntoken"));
        state_ = State::kMember;
        since_ = now;
        belief_.start(body, config_.user, checker_);
        if (sub_) sub_->excuse_unknown();
        std::vector<std::string> gone;
        for (const auto& [id, version] : versions_) {
            const auto track = belief_.tracks.find(id);
            if (track == belief_.tracks.end() || track->second.versionid != version)
                gone.push_back(id);
        }
        for (const std::string& id : gone) retire(now, id);
        next_publish_ = next_subscribe_ = now;
        return;
    }
    network_.close_socket(socket_);
    if (code == signalling::kServerUnavailable) {
        checker_.expect(reconntoken_ != 0, "a first join was refused with 10052");
    } else {
        checker_.expect(code == signalling::kRoomFull, "a join was refused");
    }
    forget_session();
    go_away(now, kRetry);
}

// ---- Media

void WebClient::forget_session() {
    reconntoken_ = 0;
    drop_publisher();
    drop_subscriber();
    belief_ = {};
    declined_.clear();
}

void WebClient::drop_publisher() {
    pub_.reset();
    pub_pcid_.clear();
    for (Source& source : config_.sources) source.state = Source::State::kDown;
}

void WebClient::drop_subscriber() {
    sub_.reset();
    sub_pcid_.clear();
    subscribed_.clear();
    unsure_.clear();
    versions_.clear();
}

void WebClient::retire(Instant now, const std::string& trackid) {
    const auto at = subscribed_.find(trackid);
    if (at == subscribed_.end()) return;
    if (sub_) sub_->retire_incoming(at->second, now);
    subscribed_.erase(at);
    versions_.erase(trackid);
}

std::unique_ptr<MediaPeer> WebClient::make_peer(const json::object& body, dtls::Role role) {
    MediaPeer::Config config;
    const json::object& ice = body.at("iceParameters").as_object();
    config.remote = {text_of(ice, "usernameFragment"), text_of(ice, "password")};
    config.role = role;
    const json::object& dtls = body.at("dtlsParameters").as_object();
    const json::object& print = list_of(dtls, "fingerprints").at(0).as_object();
    if (const auto parsed =
            dtls::Fingerprint::parse(text_of(print, "algorithm"), text_of(print, "value"))) {
        config.remote_fingerprint = *parsed;
    }
    checker_.expect(text_of(dtls, "role") == (role == dtls::Role::kServer ? "client" : "server"),
                    "a DTLS role that nobody can take");
    for (const json::value& value : list_of(body, "iceCandidates")) {
        const json::object& candidate = value.as_object();
        if ((text_of(candidate, "protocol") == "tcp") != config_.tcp) continue;
        config.server_port = static_cast<std::uint16_t>(number_of(candidate, "port"));
        break;
    }
    config.serial = network_.fresh_serial();
    config.path = network_.fresh_path(*this, config_.tcp);
    config.starts_near_wrap = config_.starts_near_wrap;
    config.extensions = browser_extensions();
    config.clock = config_.clock;
    config.wall_start = WallTime(Duration(1'700'000'000s));
    return std::make_unique<MediaPeer>(
        config, *dtls_, rng_.fork(), checker_, [this](const MediaPeer& peer, Bytes datagram) {
            network_.send_datagram(*this, peer, std::move(datagram));
        });
}

void WebClient::send_source(Instant now, Source& source) {
    MediaPeer::Outgoing track;
    track.video = source.video;
    track.source = source.id;
    track.mid = std::to_string(source.mid);
    track.ssrc = source.ssrc;
    track.rtx_ssrc = source.rtx_ssrc;
    if (!source.simulcast) {
        pub_->add_outgoing(std::move(track), now);
        return;
    }
    track.rid = "hi";
    pub_->add_outgoing(track, now);
    track.rid = "lo";
    track.low = true;
    track.ssrc = network_.fresh_ssrc(source.id);
    track.rtx_ssrc = network_.fresh_ssrc(source.id);
    pub_->add_outgoing(track, now);
}

void WebClient::publish(Instant now) {
    if (now < next_publish_ || is_asking("pubpc") || is_asking("pub-tracks") ||
        is_asking("unpub-tracks")) {
        return;
    }
    next_publish_ = now + kThrottle;
    std::vector<Source*> coming;
    std::vector<std::string> coming_ids;
    std::vector<std::string> leaving;
    std::vector<std::string> leaving_ids;
    for (Source& source : config_.sources) {
        if (source.wanted && source.state == Source::State::kDown) {
            coming.push_back(&source);
            coming_ids.push_back(source.localid);
        } else if (source.state == Source::State::kLeaving ||
                   (!source.wanted && source.state == Source::State::kUp)) {
            source.state = Source::State::kLeaving;
            leaving.push_back(source.trackid);
            leaving_ids.push_back(source.localid);
        }
    }
    if (!leaving.empty()) {
        request("unpub-tracks", {{"tracks", references(leaving)}}, leaving_ids);
        return;
    }
    if (coming.empty()) return;
    json::array tracks;
    for (Source* source : coming) {
        source->state = Source::State::kPending;
        source->mid = next_mid_++;
        source->ssrc = network_.fresh_ssrc(source->id);
        source->rtx_ssrc = source->video ? network_.fresh_ssrc(source->id) : Ssrc();
        source->muted = false;
        tracks.push_back(json::object{{"localid", source->localid},
                                      {"localmid", std::to_string(source->mid)},
                                      {"kind", source->video ? "video" : "audio"},
                                      {"master", true},
                                      {"kbps", source->video ? 500 : 64},
                                      {"tag", ""}});
    }
    request(pub_ ? "pub-tracks" : "pubpc",
            {{"sdp", offer_of(coming)},
             {"tracks", std::move(tracks)},
             {"policy", config_.tcp ? "forceTcp" : "preferUdp"}},
            coming_ids);
}

void WebClient::handle_publish(Instant now,
                               const Pending& asked,
                               const json::object& body,
                               bool fresh) {
    const std::int64_t code = number_of(body, "code");
    if (code != 0) {
        checker_.expect(code == signalling::kPublishPeerGone, "publishing was refused");
        return drop_publisher();
    }
    if (fresh) {
        pub_ = make_peer(body, dtls::Role::kServer);
        pub_->set_strict(strict_);
        pub_pcid_ = text_of(body, "pcid");
        pub_restarted_ = now;
    } else if (!pub_) {
        return;  // lost meanwhile
    }
    for (const json::value& value : list_of(body, "tracks")) {
        const json::object& result = value.as_object();
        Source* source = find_source(text_of(result, "localid"));
        if (source == nullptr || !result.at("status").as_bool()) {
            checker_.fail("a track was not published");
            continue;
        }
        if (source->state != Source::State::kPending) continue;
        source->trackid = text_of(result, "trackid");
        source->state = Source::State::kUp;
        send_source(now, *source);
    }
    checker_.expect(list_of(body, "tracks").size() == asked.subject.size(),
                    "not every track was answered");
}

void WebClient::subscribe(Instant now) {
    if (now < next_subscribe_ || is_asking("subpc") || is_asking("sub-tracks") ||
        is_asking("unsub-tracks")) {
        return;
    }
    next_subscribe_ = now + kThrottle;
    std::vector<std::string> wanted;
    for (const auto& [id, track] : belief_.tracks) {
        if (!declined_.contains(id) && !subscribed_.contains(id)) wanted.push_back(id);
    }
    std::vector<std::string> unwanted;
    for (const auto& [id, ssrc] : subscribed_) {
        if (declined_.contains(id)) unwanted.push_back(id);
    }
    std::erase_if(unsure_, [&](const std::string& id) { return !belief_.tracks.contains(id); });
    for (const std::string& id : unsure_) {
        if (declined_.contains(id) && !subscribed_.contains(id)) unwanted.push_back(id);
    }
    if (!unwanted.empty()) {
        request("unsub-tracks", {{"tracks", references(unwanted)}}, unwanted);
    } else if (!wanted.empty()) {
        request(
            sub_ ? "sub-tracks" : "subpc",
            {{"tracks", references(wanted)}, {"policy", config_.tcp ? "forceTcp" : "preferUdp"}},
            wanted);
    }
}

void WebClient::handle_subscribe(Instant now, const json::object& body, bool fresh) {
    const std::int64_t code = number_of(body, "code");
    if (code == signalling::kTrackNotFound) return;  // all of them went away meanwhile
    if (code != 0) {
        checker_.expect(code == signalling::kSubscribePeerGone, "subscribing was refused");
        return drop_subscriber();
    }
    if (fresh) {
        drop_subscriber();
        sub_ = make_peer(body, dtls::Role::kClient);
        sub_->set_strict(strict_);
        sub_pcid_ = text_of(body, "pcid");
        sub_restarted_ = now;
    } else if (!sub_) {
        return;
    }
    for (const json::value& value : list_of(body, "tracks")) {
        const json::object& result = value.as_object();
        if (!result.at("status").as_bool()) continue;
        const std::string id = text_of(result, "trackid");
        const auto track = belief_.tracks.find(id);
        if (track == belief_.tracks.end()) {
            checker_.fail("subscribed to a track that is not there");
            continue;
        }
        const json::object& encoding =
            list_of(result.at("rtpparams").as_object(), "encodings").at(0).as_object();
        const Ssrc ssrc(static_cast<std::uint32_t>(number_of(encoding, "ssrc")));
        const Ssrc rtx(
            static_cast<std::uint32_t>(number_of(encoding.at("rtx").as_object(), "ssrc")));
        unsure_.erase(id);
        subscribed_[id] = ssrc;
        versions_[id] = track->second.versionid;
        sub_->add_incoming(!track->second.audio, ssrc, rtx, track->second.owner, now);
    }
}

void WebClient::handle_datagram(Instant now, const Path& to, ByteView datagram) {
    if (pub_ && pub_->path() == to) {
        pub_->handle(now, datagram);
    } else if (sub_ && sub_->path() == to) {
        sub_->handle(now, datagram);
    }
}

void WebClient::watch_transport(Instant now,
                                const std::unique_ptr<MediaPeer>& peer,
                                const std::string& pcid,
                                std::string_view name,
                                Instant& restarted_at) {
    if (!peer || state_ != State::kMember || is_asking(name)) return;
    if (now - std::max(peer->answered_at(), restarted_at) < kTransportPatience) return;
    restarted_at = now;
    request(name, {{"pcid", pcid}}, {pcid});
}

void WebClient::tick(Instant now) {
    if (state_ == State::kAway && wants_back_ && now >= retry_at_) {
        state_ = State::kConnecting;
        since_ = now;
        socket_ = network_.open_socket(*this);
    }
    const bool stuck = (state_ == State::kConnecting || state_ == State::kJoining) &&
                       now - since_ > kConnectTimeout;
    if (stuck || (pinged_at_ && now - *pinged_at_ > kHeartbeat)) {
        network_.close_socket(socket_);
        go_away(now, kRetry);
    }
    if (pub_ && pub_->has_failed()) drop_publisher();
    if (sub_ && sub_->has_failed()) drop_subscriber();
    if (state_ == State::kMember) {
        publish(now);
        subscribe(now);
        watch_transport(now, pub_, pub_pcid_, "pubpc-restart", pub_restarted_);
        watch_transport(now, sub_, sub_pcid_, "subpc-restart", sub_restarted_);
    }
    if (pub_) pub_->tick(now);
    if (sub_) sub_->tick(now);
}

// ---- What its user does

void WebClient::leave(Instant now, bool come_back) {
    if (socket_ != 0) {
        if (state_ == State::kMember) say("disconnect", {});
        network_.close_socket(socket_);
    }
    forget_session();
    go_away(now, 2s);
    wants_back_ = come_back;
}

void WebClient::toggle_source() {
    if (config_.sources.empty()) return;
    Source& source = config_.sources[rng_.below(config_.sources.size())];
    source.wanted = !source.wanted;
}

void WebClient::toggle_subscription() {
    if (belief_.tracks.empty()) return;
    const auto at = std::next(belief_.tracks.begin(),
                              static_cast<std::ptrdiff_t>(rng_.below(belief_.tracks.size())));
    if (declined_.erase(at->first) == 0) declined_.insert(at->first);
}

void WebClient::mute() {
    if (state_ != State::kMember) return;
    for (Source& source : config_.sources) {
        if (source.state != Source::State::kUp) continue;
        source.muted = !source.muted;
        say("mute-tracks",
            {{"tracks",
              json::array{json::object{{"trackid", source.trackid}, {"muted", source.muted}}}}});
        return;
    }
}

void WebClient::send_message() {
    if (state_ != State::kMember) return;
    say("send-message", {{"msgid", "m" + std::to_string(++messages_)}, {"text", config_.room}});
}

void WebClient::switch_profile() {
    if (state_ != State::kMember || subscribed_.empty()) return;
    const auto at =
        std::next(subscribed_.begin(), static_cast<std::ptrdiff_t>(rng_.below(subscribed_.size())));
    request("set-sub-profile",
            {{"tracks",
              json::array{json::object{{"trackid", at->first},
                                       {"profile", rng_.chance(0.5) ? "low" : "high"}}}}});
}

void WebClient::restart_ice() {
    if (state_ != State::kMember) return;
    if (pub_ && !is_asking("pubpc-restart"))
        request("pubpc-restart", {{"pcid", pub_pcid_}}, {pub_pcid_});
    if (sub_ && !is_asking("subpc-restart"))
        request("subpc-restart", {{"pcid", sub_pcid_}}, {sub_pcid_});
}

void WebClient::kick(const std::string& user) {
    if (state_ != State::kMember) return;
    request("control", {{"command", "kickplayer"}, {"playerid", user}});
}

void WebClient::change_address() {
    if (pub_) pub_->move_to(network_.fresh_path(*this, config_.tcp));
    if (sub_) sub_->move_to(network_.fresh_path(*this, config_.tcp));
}

}  // namespace parley::sim

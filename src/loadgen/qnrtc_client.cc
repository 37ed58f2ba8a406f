#include "loadgen/qnrtc_client.h"

#include <boost/json.hpp>

#include <algorithm>

#include "base/encoding.h"
#include "io/clock.h"
#include "loadgen/offer_sdp.h"

namespace parley::loadgen {
namespace {

namespace json = boost::json;

// Readers that take what is there and give a default for what is not: a server's mistake must show as a
// failed client, not as an exception.
std::string_view text_of(const json::object& object, std::string_view key) {
    const json::value* const value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view{};
}
std::int64_t number_of(const json::object& object, std::string_view key) {
    const json::value* const value = object.if_contains(key);
    if (value == nullptr) return 0;
    if (value->is_int64()) return value->get_int64();
    return value->is_uint64() ? static_cast<std::int64_t>(value->get_uint64()) : 0;
}
const json::object* object_of(const json::object& object, std::string_view key) {
    const json::value* const value = object.if_contains(key);
    return value != nullptr ? value->if_object() : nullptr;
}
/// The elements of an array that are objects; empty for anything else.
std::vector<const json::object*> objects_in(const json::value* value) {
    std::vector<const json::object*> out;
    if (value == nullptr || !value->is_array()) return out;
    for (const json::value& element : value->get_array()) {
        if (const json::object* const object = element.if_object()) out.push_back(object);
    }
    return out;
}
PayloadType payload_type_of(const json::object& object, std::string_view key) {
    return PayloadType(static_cast<std::uint8_t>(number_of(object, key)));
}

void set_extension(rtp::ExtensionIds& ids, std::string_view uri, std::uint8_t id) {
    if (uri == rtp::kUriTransportCc) ids.transport_cc = id;
    if (uri == rtp::kUriMid) ids.mid = id;
    if (uri == rtp::kUriRid) ids.rid = id;
    if (uri == rtp::kUriRepairedRid) ids.repaired_rid = id;
    if (uri == rtp::kUriAbsSendTime) ids.abs_send_time = id;
}

}  // namespace

ice::Credentials make_credentials(SecretSource& secrets) {
    return {.ufrag = secrets.alphanumeric(4), .password = secrets.alphanumeric(24)};
}

QnrtcClient::QnrtcClient(const ClientContext& context, Config config, Rng rng)
    : context_(context),
      config_(std::move(config)),
      rng_(rng),
      http_(context.loop),
      socket_(context.loop, rng_.fork()),
      publish_credentials_(make_credentials(context.secrets)),
      subscribe_credentials_(make_credentials(context.secrets)),
      publish_transport_(context.loop, context.buffers, context.totals, rng_.fork()),
      subscribe_transport_(context.loop, context.buffers, context.totals, rng_.fork()),
      publisher_(publish_transport_, context.totals, context.files, rng_.fork()),
      subscriber_(subscribe_transport_, context.totals, rng_.fork()) {}

ClientState QnrtcClient::state() const {
    if (!failure_.empty() || publish_transport_.has_failed() || subscribe_transport_.has_failed()) {
        return ClientState::kFailed;
    }
    if (!joined_) return started_ == Instant{} ? ClientState::kIdle : ClientState::kJoining;
    if (config_.role.publish && !publish_transport_.is_connected()) return ClientState::kJoined;
    if (config_.role.subscribe && !subscriber_.has_media()) return ClientState::kJoined;
    return ClientState::kReady;
}

void QnrtcClient::fail(std::string why) {
    if (failure_.empty() && !left_) failure_ = std::move(why);
}

void QnrtcClient::start(Instant now) {
    started_ = now;
    subscriber_.set_join_start(now);
    const auth::RoomClaims& claims = config_.claims;
    Url url = config_.server;
    // Raw, as the SDK does it (protocol section 1.1).
    url.target = "/v3/apps/" + claims.app_id + "/rooms/" + claims.room_name + "/auth?user=" + claims.user_id +
                 "&token=" + config_.room_token;
    http_.request(config_.address, "GET", url, {}, {}, {}, [this](const HttpResponse& r) { handle_token(r); });
}

void QnrtcClient::handle_token(const HttpResponse& response) {
    if (response.status != 200) return fail("auth request: HTTP status " + std::to_string(response.status));
    boost::system::error_code error;
    const json::value body = json::parse(response.body, error);
    if (error || !body.is_object()) return fail("auth request: no JSON object");
    access_token_ = text_of(body.get_object(), "accessToken");
    const std::size_t first_dot = access_token_.find('.');
    if (first_dot == std::string::npos) return fail("access token has no payload");
    const std::size_t second_dot = access_token_.find('.', first_dot + 1);
    const auto payload = base64_decode(std::string_view(access_token_).substr(first_dot + 1, second_dot - first_dot - 1));
    if (!payload) return fail("access token payload is no Base64");
    const json::value claims = json::parse(as_text_view(*payload), error);
    if (error || !claims.is_object()) return fail("access token payload is no JSON");
    const auto url = parse_url(text_of(claims.get_object(), "signalingurl2"));
    if (!url) return fail(std::string("signalling URL: ") + url.error().what);
    open_socket(*url);
}

void QnrtcClient::open_socket(const Url& url) {
    const auto address = resolve(url);
    if (!address) return fail("signalling host");
    socket_.open(*address, url,
                 {.opened = [this] { send_auth(); },
                  .text = [this](std::string_view text) { handle_message(text); },
                  .closed = [this](const char* why) { fail(std::string("signalling: ") + why); }});
}

void QnrtcClient::send(std::string_view name, const json::object& message) {
    socket_.send_text(std::string(name) + "=" + json::serialize(message));
}

std::string QnrtcClient::next_rpcid() {
    std::array<std::uint8_t, 4> bytes{};
    store_u32(bytes.data(), rng_.next_u32());
    return hex_encode(bytes);
}

void QnrtcClient::send_auth() {
    const std::string capabilities = make_offer({{.is_video = false, .mid = "0", .direction = "recvonly"},
                                                 {.is_video = true, .mid = "1", .direction = "recvonly"}},
                                                publish_credentials_, context_.dtls.local_fingerprint().to_string(),
                                                "bench");
    send("auth", {{"rpcid", next_rpcid()},
                  {"token", access_token_},
                  {"agent", "parley-bench"},
                  {"sdkversion", "4.3.2"},
                  {"capsdp", capabilities},
                  {"supportdomain", true},
                  {"privileges", json::array{"subscribe", "publish"}}});
}

void QnrtcClient::handle_message(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return fail("signalling: message without a name");
    const std::string_view name = text.substr(0, equals);
    boost::system::error_code error;
    const json::value body = json::parse(text.substr(equals + 1), error);
    if (error || !body.is_object()) return fail("signalling: message is no JSON object");
    const json::object& message = body.get_object();
    if (name == "ping") {
        send("pong", {});
    } else if (name == "auth-res") {
        handle_auth(message);
    } else if (name == "on-add-tracks") {
        add_room_tracks(message.if_contains("tracks"));
    } else if (name == "on-remove-tracks") {
        remove_room_tracks(message.if_contains("tracks"));
    } else if (name == "pubpc-res") {
        handle_publish(message);
    } else if (name == "subpc-res") {
        handle_subscribe(message);
    } else if (name == "sub-tracks-res") {
        add_subscribed_tracks(message);
    } else if (name == "on-subpc-connected") {
        subscribe_state_ = SubscribeState::kUp;
        subscribe_pending();
    } else if (name == "disconnect") {
        fail("disconnected by the server, code " + std::to_string(number_of(message, "code")));
    }
}

void QnrtcClient::handle_auth(const json::object& message) {
    if (const auto code = number_of(message, "code"); code != 0) {
        return fail("auth refused, code " + std::to_string(code));
    }
    const json::object* const rtpcaps = object_of(message, "rtpcaps");
    if (rtpcaps == nullptr) return fail("auth-res without rtpcaps");
    const auto codecs = objects_in(rtpcaps->if_contains("codecs"));
    if (codecs.size() < 2) return fail("auth-res without two codecs");
    capabilities_.send_audio = payload_type_of(*codecs[0], "sendPayloadType");
    capabilities_.send_video = payload_type_of(*codecs[1], "sendPayloadType");
    capabilities_.send_rtx = payload_type_of(*codecs[1], "sendRtxPayloadType");
    for (const json::object* extension : objects_in(rtpcaps->if_contains("headerExtensions"))) {
        const std::string_view uri = text_of(*extension, "uri");
        set_extension(capabilities_.send_extensions, uri, static_cast<std::uint8_t>(number_of(*extension, "sendId")));
        set_extension(capabilities_.receive_extensions, uri, static_cast<std::uint8_t>(number_of(*extension, "recvId")));
    }
    subscriber_.set_extensions(capabilities_.receive_extensions);
    joined_ = true;
    if (config_.role.subscribe) context_.totals.joined.add(io::read_monotonic_clock() - started_);
    if (config_.role.publish) publish();
    add_room_tracks(message.if_contains("tracks"));
}

void QnrtcClient::publish() {
    const ClientRole& role = config_.role;
    std::vector<OfferSection> sections{{.is_video = false, .mid = "0", .direction = "inactive"},
                                       {.is_video = true, .mid = "1", .direction = "inactive"}};
    json::array tracks;
    publish_config_ = {.audio = {},
                       .video = {},
                       .extensions = capabilities_.send_extensions,
                       .video_bitrate = role.video_bitrate,
                       .audio_bitrate = role.audio_bitrate,
                       .max_packet = role.max_packet,
                       .cname = config_.claims.user_id};
    const auto add = [&](bool is_video, const char* kind, std::int64_t kbps) {
        OfferSection section{.is_video = is_video,
                             .mid = std::to_string(sections.size()),
                             .direction = "sendonly",
                             .ssrc = Ssrc(rng_.next_u32() | 1),
                             .rtx_ssrc = Ssrc(is_video ? (rng_.next_u32() | 1) : 0),
                             .rids = {},
                             .track_id = config_.claims.user_id + "-" + kind};
        if (is_video && role.layers > 1) section.rids = {"hi", "lo"};
        tracks.push_back(json::object{{"localid", section.track_id},
                          {"localmid", section.mid},
                          {"master", true},
                          {"kind", kind},
                          {"kbps", kbps},
                          {"tag", ""}});
        sections.push_back(section);
        return section;
    };
    if (role.audio) {
        const OfferSection section = add(false, "audio", role.audio_bitrate.kbps());
        publish_config_.audio = SendStream{.ssrc = section.ssrc,
                                           .rtx_ssrc = {},
                                           .payload_type = capabilities_.send_audio,
                                           .rtx_payload_type = {},
                                           .mid = section.mid,
                                           .rid = {}};
    }
    if (role.video) {
        const OfferSection section = add(true, "video", role.video_bitrate.kbps());
        for (std::size_t layer = 0; layer < std::max<std::size_t>(section.rids.size(), 1); ++layer) {
            const bool first = layer == 0;
            publish_config_.video.push_back(
                SendStream{.ssrc = first ? section.ssrc : Ssrc(rng_.next_u32() | 1),
                           .rtx_ssrc = first ? section.rtx_ssrc : Ssrc(rng_.next_u32() | 1),
                           .payload_type = capabilities_.send_video,
                           .rtx_payload_type = capabilities_.send_rtx,
                           .mid = section.mid,
                           .rid = section.rids.empty() ? std::string() : section.rids[layer]});
        }
    }
    publisher_.configure(publish_config_);
    send("pubpc", {{"rpcid", next_rpcid()},
                   {"sdp", make_offer(sections, publish_credentials_,
                                      context_.dtls.local_fingerprint().to_string(), config_.claims.user_id)},
                   {"tracks", tracks},
                   {"policy", "preferUdp"}});
}

void QnrtcClient::start_transport(const json::object& message, PeerConnection& transport,
                                  const ice::Credentials& local, PeerConnection::Media& media) {
    if (const auto code = number_of(message, "code"); code != 0) {
        return fail("peer connection refused, code " + std::to_string(code));
    }
    PeerConnection::Config config{.local = local, .remote = {}, .server = {}, .role = {}, .remote_fingerprint = {}};
    if (const json::object* const ice = object_of(message, "iceParameters")) {
        config.remote = {std::string(text_of(*ice, "usernameFragment")), std::string(text_of(*ice, "password"))};
    }
    for (const json::object* candidate : objects_in(message.if_contains("iceCandidates"))) {
        const auto ip = IpAddress::parse(text_of(*candidate, "ip"));
        if (text_of(*candidate, "protocol") != "udp" || !ip || ip->is_v4() != config_.address.ip.is_v4()) continue;
        const SocketAddress address{*ip, static_cast<std::uint16_t>(number_of(*candidate, "port"))};
        // The first, unless one has the address that HTTP came by.
        if (config.server.port == 0 || address.ip == config_.address.ip) config.server = address;
    }
    if (config.server.port == 0) return fail("no UDP candidate of our address family");
    if (const json::object* const dtls = object_of(message, "dtlsParameters")) {
        config.role = text_of(*dtls, "role") == "client" ? dtls::Role::kServer : dtls::Role::kClient;
        for (const json::object* entry : objects_in(dtls->if_contains("fingerprints"))) {
            const auto fingerprint = dtls::Fingerprint::parse(text_of(*entry, "algorithm"), text_of(*entry, "value"));
            if (fingerprint) config.remote_fingerprint = *fingerprint;
        }
    }
    if (!config.remote_fingerprint) return fail("no DTLS fingerprint");
    transport.close();  // a rebuild; nothing to close the first time
    if (!transport.start(config, context_.dtls, media, io::read_monotonic_clock())) fail("no UDP socket");
}

void QnrtcClient::handle_publish(const json::object& message) {
    start_transport(message, publish_transport_, publish_credentials_, publisher_);
}

void QnrtcClient::add_room_tracks(const json::value* tracks) {
    for (const json::object* track : objects_in(tracks)) {
        if (text_of(*track, "playerid") == config_.claims.user_id) continue;
        room_tracks_.push_back({.id = std::string(text_of(*track, "trackid")),
                                .is_video = text_of(*track, "kind") == "video"});
    }
    subscribe_pending();
}

void QnrtcClient::remove_room_tracks(const json::value* tracks) {
    for (const json::object* track : objects_in(tracks)) {
        std::erase_if(room_tracks_, [&](const RoomTrack& t) { return t.id == text_of(*track, "trackid"); });
    }
}

void QnrtcClient::subscribe_pending() {
    // As the SDK does it: while the first subscription is on its way, later ones wait.
    if (!config_.role.subscribe || !joined_ || subscribe_state_ == SubscribeState::kConnecting) return;
    json::array wanted;
    for (RoomTrack& track : room_tracks_) {
        if (track.requested || (track.is_video ? !config_.role.video : !config_.role.audio)) continue;
        track.requested = true;
        wanted.push_back(json::object{{"trackid", track.id}});
    }
    if (wanted.empty()) return;
    const bool first = subscribe_state_ == SubscribeState::kNone;
    json::object message{{"rpcid", next_rpcid()}, {"tracks", wanted}};
    if (first) {
        message["policy"] = "preferUdp";
        subscribe_state_ = SubscribeState::kConnecting;
    }
    send(first ? "subpc" : "sub-tracks", message);
}

void QnrtcClient::handle_subscribe(const json::object& message) {
    add_subscribed_tracks(message);
    start_transport(message, subscribe_transport_, subscribe_credentials_, subscriber_);
}

void QnrtcClient::add_subscribed_tracks(const json::object& message) {
    if (const auto code = number_of(message, "code"); code != 0) {
        return fail("subscription refused, code " + std::to_string(code));
    }
    for (const json::object* track : objects_in(message.if_contains("tracks"))) {
        const json::value* const status = track->if_contains("status");
        const json::object* const params = object_of(*track, "rtpparams");
        if (status == nullptr || !status->is_bool() || !status->get_bool() || params == nullptr) continue;
        const auto encodings = objects_in(params->if_contains("encodings"));
        if (encodings.empty()) continue;
        const json::object* const rtx = object_of(*encodings[0], "rtx");
        const auto known = std::find_if(room_tracks_.begin(), room_tracks_.end(),
                                        [&](const RoomTrack& t) { return t.id == text_of(*track, "trackid"); });
        if (known == room_tracks_.end()) continue;
        subscriber_.add_stream(
            {.ssrc = Ssrc(static_cast<std::uint32_t>(number_of(*encodings[0], "ssrc"))),
             .rtx_ssrc = Ssrc(rtx != nullptr ? static_cast<std::uint32_t>(number_of(*rtx, "ssrc")) : 0),
             .is_video = known->is_video});
    }
}

void QnrtcClient::leave() {
    left_ = true;
    if (joined_) send("disconnect", {});
    socket_.close();
    http_.disconnect();
    publish_transport_.close();
    subscribe_transport_.close();
}

}  // namespace parley::loadgen

#include "rest/whip.h"

#include <algorithm>
#include <utility>

#include "auth/hmac.h"
#include "base/encoding.h"
#include "sdp/text.h"
#include "signalling/media_offer.h"

namespace parley::rest {
namespace {

constexpr std::string_view kSdpType = "application/sdp";
constexpr std::string_view kFragmentType = "application/trickle-ice-sdpfrag";
constexpr std::size_t kEndpointSegments = 4;
constexpr std::size_t kResourceSegments = 5;
/// 190 bits: knowing a resource means having been told of it.
constexpr std::size_t kIdLength = 32;
/// Encoders send what their user configured, unlike browsers, which ask for a target.
constexpr Bitrate kMaxVideoBitrate = Bitrate::kbps(8'000);
constexpr Bitrate kMaxAudioBitrate = Bitrate::kbps(256);

HttpResponse refuse(const Error& error) {
    switch (error.code) {
        case Errc::kUnsupported:
            return error_response(406, error.what);
        case Errc::kTooLarge:
            return error_response(413, error.what);
        case Errc::kNotFound:
            return error_response(404, error.what);
        case Errc::kConflict:
            return error_response(409, error.what);
        case Errc::kForbidden:
            return error_response(403, error.what);
        case Errc::kBusy: {
            HttpResponse response = error_response(503, error.what);
            response.set_header("Retry-After", "5");
            return response;
        }
        case Errc::kTruncated:
        case Errc::kMalformed:
        case Errc::kBadCookie:
        case Errc::kBadIntegrity:
        case Errc::kReplayed:
        case Errc::kExpired:
            return error_response(400, error.what);
        case Errc::kSystem:
        case Errc::kInternal:
            break;
    }
    return error_response(500, "internal error");
}

HttpResponse unauthorized() {
    HttpResponse response = error_response(401, "bad token");
    response.set_header("WWW-Authenticate", "Bearer");
    return response;
}

/// RFC 9110 section 12.5.1, as far as it is about one type that we could send.
bool accepts(std::string_view accept, std::string_view type) {
    if (sdp::trim(accept).empty()) return true;
    const std::string_view family = type.substr(0, type.find('/'));
    while (!accept.empty()) {
        const std::string range = media_type(sdp::trim(sdp::take_until(accept, ',')));
        if (range == "*/*" || range == type || range == std::string(family) + "/*") return true;
    }
    return false;
}

HttpResponse options(bool is_endpoint) {
    HttpResponse response{204, {}, {}};
    const std::string methods = is_endpoint ? "POST, OPTIONS" : "PATCH, DELETE, OPTIONS";
    response.set_header("Allow", methods);
    response.set_header("Access-Control-Allow-Methods", methods);
    response.set_header("Access-Control-Allow-Headers", "authorization, content-type, if-match");
    response.set_header("Access-Control-Max-Age", "86400");
    if (is_endpoint) {
        response.set_header("Accept-Post", std::string(kSdpType));
    } else {
        response.set_header("Accept-Patch", std::string(kFragmentType));
    }
    return response;
}

HttpResponse method_not_allowed(bool is_endpoint) {
    HttpResponse response = error_response(405, "method not allowed");
    response.set_header("Allow", is_endpoint ? "POST, OPTIONS" : "PATCH, DELETE, OPTIONS");
    return response;
}

sfu::MediaKind media_kind(sdp::Kind kind) {
    return kind == sdp::Kind::kVideo ? sfu::MediaKind::kVideo : sfu::MediaKind::kAudio;
}

signalling::OfferedTrack offered_track(const sdp::PlannedSection& planned) {
    signalling::OfferedTrack track;
    track.kind = media_kind(planned.kind);
    const bool video = track.kind == sfu::MediaKind::kVideo;
    track.codec = video ? signalling::to_sfu(planned.video_codec) : sfu::Codec::kOpus;
    track.payload_type = planned.payload_type;
    track.rtx_payload_type = planned.rtx_payload_type;
    track.red_payload_type = planned.red_payload_type;
    track.mid = planned.mid;
    for (const sdp::PlannedEncoding& encoding : planned.encodings) {
        track.encodings.push_back({encoding.rid, encoding.ssrc, encoding.rtx_ssrc});
    }
    track.max_bitrate = video ? kMaxVideoBitrate : kMaxAudioBitrate;
    return track;
}

sdp::LocalTransport local_transport(const signalling::PeerParameters& peer) {
    sdp::LocalTransport local;
    local.ice_ufrag = peer.ice.ufrag;
    local.ice_pwd = peer.ice.password;
    local.fingerprint = {"sha-256", peer.fingerprint.to_string()};
    for (const signalling::IceCandidate& candidate : peer.candidates) {
        local.candidates.push_back({candidate.foundation,
                                    1,
                                    candidate.tcp ? "tcp" : "udp",
                                    candidate.priority,
                                    candidate.address.ip.to_string(),
                                    candidate.address.port,
                                    "host",
                                    candidate.tcp ? "passive" : ""});
    }
    return local;
}

}  // namespace

/// A POST that passed the checks of its headers and token.
struct Whip::Post {
    Instant now;
    WallTime wall;
    const HttpRequest& request;
    const std::vector<std::string>& path;
    const auth::RoomClaims& claims;
    std::string_view token;
    const sdp::Session& offer;

    [[nodiscard]] room::RoomKey room() const { return {claims.app_id, claims.room_name}; }
    [[nodiscard]] signalling::MediaSessionOwner owner() const {
        return {room(),
                claims.user_id,
                claims.permission == auth::Permission::kAdmin ? room::Permission::kAdmin
                                                              : room::Permission::kUser,
                std::string(request.header("User-Agent"))};
    }
    /// kMalformed: the fingerprint cannot be read.
    [[nodiscard]] Result<signalling::MediaTransport> transport(const sdp::AnswerPlan& plan) const {
        const sdp::Section* section = sdp::transport_section(offer);
        if (section == nullptr || !section->fingerprint) {
            return fail(Errc::kMalformed, "offer without a fingerprint");
        }
        const Result<dtls::Fingerprint> fingerprint =
            dtls::Fingerprint::parse(section->fingerprint->algorithm, section->fingerprint->value);
        if (!fingerprint) return tl::unexpected(fingerprint.error());
        return signalling::MediaTransport{
            dtls::Role::kServer, *fingerprint, plan.receive_extensions, plan.send_extensions};
    }
};

Whip::Whip(SecretSource& secrets, const auth::KeyLookup& keys, MediaSessions& sessions)
    : secrets_(secrets),
      keys_(keys),
      sessions_(sessions),
      mac_key_(secrets.alphanumeric(kIdLength)) {}

HttpResponse Whip::handle(Instant now,
                          WallTime wall,
                          const HttpRequest& request,
                          const std::vector<std::string>& path) {
    const bool is_endpoint = path.size() == kEndpointSegments;
    HttpResponse response;
    if (!is_endpoint && path.size() != kResourceSegments) {
        response = error_response(404, "not found");
    } else if (request.method == "OPTIONS") {
        response = options(is_endpoint);
    } else if (is_endpoint) {
        if (request.method == "POST") {
            response = post(now, wall, request, path);
            if (response.status != 201) ++stats_.refused;
        } else {
            response = method_not_allowed(is_endpoint);
        }
    } else if (request.method != "PATCH" && request.method != "DELETE") {
        response = method_not_allowed(is_endpoint);
    } else {
        response = touch(now, wall, request, path);
    }
    response.set_header("Access-Control-Expose-Headers",
                        "Location, ETag, Accept-Post, Accept-Patch");
    return response;
}

HttpResponse Whip::post(Instant now,
                        WallTime wall,
                        const HttpRequest& request,
                        const std::vector<std::string>& path) {
    const std::optional<std::string_view> token = bearer_token(request);
    if (!token) return unauthorized();
    const Result<auth::RoomClaims> claims = auth::verify_room_token(*token, keys_, wall);
    if (!claims) return unauthorized();
    const bool is_whip = path[0] == "whip";
    if (claims->app_id != path[1] || claims->room_name != path[2] ||
        (is_whip && claims->user_id != path[3])) {
        return error_response(403, "token of another room or user");
    }
    if (media_type(request.header("Content-Type")) != kSdpType) {
        HttpResponse response = error_response(415, "application/sdp expected");
        response.set_header("Accept-Post", std::string(kSdpType));
        return response;
    }
    if (!accepts(request.header("Accept"), kSdpType)) {
        return error_response(406, "the answer is application/sdp");
    }
    if (request.body.size() > kMaxOfferBytes) return error_response(413, "offer too large");
    if (resources_.size() >= kMaxMediaResources) {
        return refuse({Errc::kBusy, "too many media sessions"});
    }
    const Result<sdp::Session> offer = sdp::parse(request.body);
    if (!offer) return refuse(offer.error());
    const Post checked{now, wall, request, path, *claims, *token, *offer};
    return is_whip ? publish(checked) : view(checked);
}

HttpResponse Whip::publish(const Post& post) {
    const Result<sdp::AnswerPlan> plan = sdp::plan_publish(post.offer, {});
    if (!plan) return refuse(plan.error());
    const Result<signalling::MediaTransport> transport = post.transport(*plan);
    if (!transport) return refuse(transport.error());
    signalling::JoinPublisher join;
    join.owner = post.owner();
    join.transport = *transport;
    for (const sdp::PlannedSection& planned : plan->sections) {
        join.tracks.push_back(offered_track(planned));
    }
    const Result<signalling::PublisherJoined> joined =
        sessions_.join_publisher(post.now, post.wall, join);
    if (!joined) return refuse(joined.error());
    ++stats_.published;
    return created(post,
                   joined->session,
                   sdp::answer_publish(post.offer, *plan, local_transport(joined->peer)));
}

HttpResponse Whip::view(const Post& post) {
    // The first source of each kind; a user's second camera is asked for by its track id.
    const signalling::MediaSource* audio = nullptr;
    const signalling::MediaSource* video = nullptr;
    const std::vector<signalling::MediaSource> sources =
        sessions_.media_sources(post.room(), post.path[3]);
    for (const signalling::MediaSource& source : sources) {
        const bool is_audio = source.kind == sfu::MediaKind::kAudio;
        const signalling::MediaSource*& place = is_audio ? audio : video;
        if (place == nullptr) place = &source;
    }
    if (sources.empty()) return error_response(404, "nothing is published here");
    sdp::Wanted wanted;
    wanted.audio = audio != nullptr;
    if (video != nullptr) {
        const std::optional<sdp::VideoCodec> codec = signalling::to_sdp(video->codec);
        wanted.video = codec.has_value();
        wanted.video_codec = codec.value_or(wanted.video_codec);
    }
    const Result<sdp::AnswerPlan> plan = sdp::plan_view(post.offer, wanted);
    if (!plan) return refuse(plan.error());
    const Result<signalling::MediaTransport> transport = post.transport(*plan);
    if (!transport) return refuse(transport.error());

    signalling::JoinViewer join;
    join.owner = post.owner();
    join.transport = *transport;
    for (const sdp::PlannedSection& planned : plan->sections) {
        const bool is_audio = planned.kind == sdp::Kind::kAudio;
        signalling::WantedTrack track;
        track.trackid = (is_audio ? audio : video)->trackid;
        track.payload_type = planned.payload_type;
        track.rtx_payload_type = planned.rtx_payload_type;
        track.red_payload_type = planned.red_payload_type;
        join.tracks.push_back(std::move(track));
    }
    const Result<signalling::ViewerJoined> joined =
        sessions_.join_viewer(post.now, post.wall, join);
    if (!joined) return refuse(joined.error());
    ++stats_.viewed;
    std::vector<sdp::SentSource> sent(join.tracks.size());
    for (const signalling::SentTrack& track : joined->tracks) {
        for (std::size_t i = 0; i < sent.size(); ++i) {
            if (join.tracks[i].trackid != track.trackid) continue;
            sent[i] = {track.ssrc, track.rtx_ssrc, track.msid, track.trackid, track.cname};
        }
    }
    return created(post,
                   joined->session,
                   sdp::answer_view(post.offer, *plan, local_transport(joined->peer), sent));
}

HttpResponse Whip::created(const Post& post,
                           signalling::MediaSessionId session,
                           const sdp::Session& answer) {
    const sdp::Section* transport = sdp::transport_section(post.offer);
    const sdp::Section* first = sdp::transport_section(answer);
    Resource resource;
    resource.session = session;
    resource.room = post.room();
    resource.user_id = post.claims.user_id;
    resource.token_mac = mac(post.token);
    resource.path = '/' + post.path[0];
    for (std::size_t i = 1; i < post.path.size(); ++i) {
        resource.path += '/' + percent_encode(post.path[i]);
    }
    const std::string id = secrets_.alphanumeric(kIdLength);
    resource.path += '/' + id;
    resource.etag = fresh_etag();
    if (transport != nullptr) {
        resource.remote_ufrag = transport->ice_ufrag;
        resource.remote_pwd = transport->ice_pwd;
    }
    if (first != nullptr) {
        resource.first_kind = first->kind;
        resource.first_mid = first->mid;
    }
    HttpResponse response{201, {{"Content-Type", std::string(kSdpType)}}, sdp::write(answer)};
    response.set_header("Location", resource.path);
    response.set_header("ETag", resource.etag);
    response.set_header("Accept-Post", std::string(kSdpType));
    response.set_header("Accept-Patch", std::string(kFragmentType));
    ids_[session] = id;
    resources_[id] = std::move(resource);
    return response;
}

HttpResponse Whip::touch(Instant now,
                         WallTime wall,
                         const HttpRequest& request,
                         const std::vector<std::string>& path) {
    const auto at = resources_.find(path[4]);
    const auto same_endpoint = [&](const Resource& resource) {
        // The path is compared whole, so that a WHEP session is no WHIP session.
        std::string own = '/' + path[0];
        for (std::size_t i = 1; i < path.size(); ++i) own += '/' + percent_encode(path[i]);
        return own == resource.path;
    };
    if (at == resources_.end() || !same_endpoint(at->second)) {
        return error_response(404, "no such session");
    }
    Resource& resource = at->second;
    if (!may_touch(wall, request, resource)) return unauthorized();
    if (request.method == "PATCH") return patch(now, request, resource);

    const signalling::MediaSessionId session = resource.session;
    handle_ended(session);
    (void)sessions_.leave(now, session);  // gone already is as good
    return {200, {}, {}};
}

/// RFC 9725 section 4.3: candidates of the ICE session that the entity tag names, or new
/// credentials.
HttpResponse Whip::patch(Instant now, const HttpRequest& request, Resource& resource) {
    if (media_type(request.header("Content-Type")) != kFragmentType) {
        HttpResponse response = error_response(415, "application/trickle-ice-sdpfrag expected");
        response.set_header("Accept-Patch", std::string(kFragmentType));
        return response;
    }
    if (request.body.size() > kMaxFragmentBytes) return error_response(413, "fragment too large");
    const std::string_view condition = sdp::trim(request.header("If-Match"));
    if (condition.empty()) return error_response(428, "If-Match is needed");
    if (condition != "*" && condition != resource.etag) {
        return error_response(412, "another ICE session is in use");
    }
    const Result<sdp::IceFragment> fragment = sdp::parse_fragment(request.body);
    if (!fragment) return refuse(fragment.error());
    const bool same_session =
        fragment->ice_ufrag == resource.remote_ufrag && fragment->ice_pwd == resource.remote_pwd;
    // We are ICE-lite: the client's candidates are learnt from its checks.
    if (same_session) return {204, {}, {}};
    if (condition != "*") return error_response(412, "an ICE restart needs If-Match: *");
    return restart(now, *fragment, resource);
}

HttpResponse Whip::restart(Instant now, const sdp::IceFragment& fragment, Resource& resource) {
    const signalling::MediaSessionId session = resource.session;
    const Result<signalling::PeerParameters> peer = sessions_.restart(now, session);
    // Room control may have ended the session meanwhile, and with it the resource.
    if (!ids_.contains(session)) return error_response(404, "no such session");
    if (!peer) return refuse(peer.error());
    ++stats_.restarts;
    resource.remote_ufrag = fragment.ice_ufrag;
    resource.remote_pwd = fragment.ice_pwd;
    resource.etag = fresh_etag();
    HttpResponse response{
        200,
        {{"Content-Type", std::string(kFragmentType)}},
        sdp::write_fragment(local_transport(*peer), resource.first_kind, resource.first_mid)};
    response.set_header("ETag", resource.etag);
    return response;
}

bool Whip::may_touch(WallTime wall, const HttpRequest& request, const Resource& resource) const {
    const std::optional<std::string_view> token = bearer_token(request);
    if (!token) return false;
    // A session outlives the token that made it, so that one is taken without looking at its
    // expiry.
    if (constant_time_equal(mac(*token), resource.token_mac)) return true;
    const Result<auth::RoomClaims> claims = auth::verify_room_token(*token, keys_, wall);
    return claims && claims->app_id == resource.room.app_id &&
           claims->room_name == resource.room.name && claims->user_id == resource.user_id;
}

std::array<std::uint8_t, 32> Whip::mac(std::string_view token) const {
    return auth::hmac_sha256(as_bytes_view(mac_key_), as_bytes_view(token));
}

std::string Whip::fresh_etag() { return '"' + secrets_.alphanumeric(16) + '"'; }

void Whip::handle_ended(signalling::MediaSessionId session) {
    const auto at = ids_.find(session);
    if (at == ids_.end()) return;
    resources_.erase(at->second);
    ids_.erase(at);
}

Whip::Stats Whip::stats() const {
    Stats stats = stats_;
    stats.resources = resources_.size();
    return stats;
}

}  // namespace parley::rest

#include "loadgen/whip_client.h"

#include <algorithm>

#include "io/clock.h"
#include "loadgen/offer_sdp.h"
#include "sdp/session.h"

namespace parley::loadgen {
namespace {

rtp::ExtensionIds extensions_of(const sdp::Session& session) {
    rtp::ExtensionIds ids;
    for (const sdp::Section& section : session.sections) {
        for (const sdp::Extmap& extmap : section.extmaps) {
            if (extmap.uri == rtp::kUriTransportCc) ids.transport_cc = extmap.id;
            if (extmap.uri == rtp::kUriMid) ids.mid = extmap.id;
            if (extmap.uri == rtp::kUriRid) ids.rid = extmap.id;
            if (extmap.uri == rtp::kUriRepairedRid) ids.repaired_rid = extmap.id;
        }
    }
    return ids;
}

}  // namespace

WhipClient::WhipClient(const ClientContext& context, Config config, Rng rng)
    : context_(context),
      config_(std::move(config)),
      rng_(rng),
      http_(context.loop),
      deletion_(context.loop),
      credentials_(make_credentials(context.secrets)),
      transport_(context.loop, context.buffers, context.totals, rng_.fork()),
      publisher_(transport_, context.totals, context.files, rng_.fork()),
      subscriber_(transport_, context.totals, rng_.fork()) {}

ClientState WhipClient::state() const {
    if (!failure_.empty() || transport_.has_failed()) return ClientState::kFailed;
    if (resource_.empty()) return started_ == Instant{} ? ClientState::kIdle : ClientState::kJoining;
    const bool ready = config_.role.publish ? transport_.is_connected() : subscriber_.has_media();
    return ready ? ClientState::kReady : ClientState::kJoined;
}

void WhipClient::fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
}

void WhipClient::start(Instant now) {
    started_ = now;
    subscriber_.set_join_start(now);
    const ClientRole& role = config_.role;
    std::vector<OfferSection> sections;
    const auto add = [&](bool is_video) {
        OfferSection section{.is_video = is_video,
                             .mid = std::to_string(sections.size()),
                             .direction = role.publish ? "sendonly" : "recvonly",
                             .ssrc = {},
                             .rtx_ssrc = {},
                             .rids = {},
                             .track_id = is_video ? "video" : "audio"};
        if (role.publish) {
            section.ssrc = Ssrc(rng_.next_u32() | 1);
            if (is_video) section.rtx_ssrc = Ssrc(rng_.next_u32() | 1);
            if (is_video && role.layers > 1) section.rids = {"hi", "lo"};
        }
        SendStream stream{.ssrc = section.ssrc, .rtx_ssrc = section.rtx_ssrc, .payload_type = {},
                          .rtx_payload_type = {}, .mid = section.mid, .rid = {}};
        sections.push_back(section);
        if (!is_video) {
            publish_config_.audio = stream;
            return;
        }
        for (std::size_t layer = 0; layer < std::max<std::size_t>(section.rids.size(), 1); ++layer) {
            if (layer > 0) {
                stream.ssrc = Ssrc(rng_.next_u32() | 1);
                stream.rtx_ssrc = Ssrc(rng_.next_u32() | 1);
            }
            if (!section.rids.empty()) stream.rid = section.rids[layer];
            publish_config_.video.push_back(stream);
        }
    };
    if (role.audio) add(false);
    if (role.video) add(true);

    Url url = config_.server;
    const auth::RoomClaims& claims = config_.claims;
    url.target = (role.publish ? "/whip/" : "/whep/") + claims.app_id + "/" + claims.room_name + "/" +
                 (role.publish ? claims.user_id : config_.source);
    const std::string offer =
        make_offer(sections, credentials_, context_.dtls.local_fingerprint().to_string(), claims.user_id);
    http_.request(config_.address, "POST", url, "application/sdp", offer, authorization(),
                  [this](const HttpResponse& response) { handle_answer(response); });
}

void WhipClient::handle_answer(const HttpResponse& response) {
    if (response.status != 201) return fail("POST of the offer: HTTP status " + std::to_string(response.status));
    resource_ = response.header("location");
    if (resource_.empty()) return fail("201 without a Location");
    // Relative to the endpoint or absolute (RFC 9110 section 10.2.2).
    if (const auto absolute = parse_url(resource_)) resource_ = absolute->target;
    if (!config_.role.publish) context_.totals.joined.add(io::read_monotonic_clock() - started_);

    PeerConnection::Config transport{.local = credentials_, .remote = {}, .server = {}, .role = {},
                                     .remote_fingerprint = {}};
    take_streams(response.body, transport);
    if (!failure_.empty()) return;
    PeerConnection::Media& media = config_.role.publish ? static_cast<PeerConnection::Media&>(publisher_)
                                                        : static_cast<PeerConnection::Media&>(subscriber_);
    if (!transport_.start(transport, context_.dtls, media, io::read_monotonic_clock())) fail("no UDP socket");
}

void WhipClient::take_streams(const std::string& answer, PeerConnection::Config& transport) {
    const auto session = sdp::parse(answer);
    if (!session) return fail("the answer is no SDP");
    const rtp::ExtensionIds extensions = extensions_of(*session);
    const ClientRole& role = config_.role;
    for (const sdp::Section& section : session->sections) {
        if (section.is_rejected()) continue;
        if (transport.remote.ufrag.empty()) transport.remote = {section.ice_ufrag, section.ice_pwd};
        if (section.fingerprint && !transport.remote_fingerprint) {
            const auto fingerprint = dtls::Fingerprint::parse(section.fingerprint->algorithm, section.fingerprint->value);
            if (fingerprint) transport.remote_fingerprint = *fingerprint;
        }
        if (section.setup) {
            transport.role = *section.setup == sdp::Setup::kActive ? dtls::Role::kServer : dtls::Role::kClient;
        }
        for (const sdp::Candidate& candidate : section.candidates) {
            const auto ip = IpAddress::parse(candidate.address);
            if (candidate.transport != "udp" || !ip || ip->is_v4() != config_.address.ip.is_v4()) continue;
            if (transport.server.port == 0 || *ip == config_.address.ip) transport.server = {*ip, candidate.port};
        }
        const bool is_video = section.kind == sdp::Kind::kVideo;
        if (!role.publish) {
            if (section.sources.empty()) continue;
            const Ssrc ssrc = section.sources.front().ssrc;
            subscriber_.add_stream({.ssrc = ssrc, .rtx_ssrc = section.rtx_of(ssrc), .is_video = is_video});
            continue;
        }
        if (section.codecs.empty()) continue;
        const PayloadType payload_type = section.codecs.front().payload_type;
        if (!is_video && publish_config_.audio) publish_config_.audio->payload_type = payload_type;
        if (is_video) {
            for (SendStream& stream : publish_config_.video) {
                stream.payload_type = payload_type;
                stream.rtx_payload_type = section.rtx_of(payload_type);
                if (stream.rtx_payload_type.value == 0) stream.rtx_ssrc = {};
            }
        }
    }
    if (transport.server.port == 0) return fail("no UDP candidate of our address family");
    if (!transport.remote_fingerprint) return fail("no DTLS fingerprint");
    subscriber_.set_extensions(extensions);
    if (!role.publish) return;
    publish_config_.extensions = extensions;
    publish_config_.video_bitrate = role.video_bitrate;
    publish_config_.audio_bitrate = role.audio_bitrate;
    publish_config_.max_packet = role.max_packet;
    publish_config_.cname = config_.claims.user_id;
    publisher_.configure(publish_config_);
}

void WhipClient::leave() {
    http_.disconnect();
    if (!resource_.empty()) {
        Url url = config_.server;
        url.target = resource_;
        deletion_.request(config_.address, "DELETE", url, {}, {}, authorization(), nullptr);
    }
    transport_.close();
}

}  // namespace parley::loadgen

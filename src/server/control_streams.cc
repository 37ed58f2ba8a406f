#include <fmt/format.h>

#include <span>

#include "rtmp/stream_parameters.h"
#include "server/control.h"
#include "server/log.h"

/// What control has to do with RTMP and FLV: ports, rights and the way to the worker of a room.
namespace parley::server {
namespace {

/// `text` is one of ours and needs no escapes.
io::HttpReply flv_error(unsigned status, std::string_view text) {
    io::HttpReply reply;
    reply.status = status;
    reply.headers = {{"Content-Type", "application/json"},
                     {"Access-Control-Allow-Origin", "*"},
                     {"Cache-Control", "no-store"}};
    reply.body = fmt::format(R"({{"error":"{}"}})", text);
    return reply;
}

unsigned play_status(Errc why) {
    switch (why) {
        case Errc::kNotFound: return 404;
        case Errc::kForbidden: return 403;
        case Errc::kBusy: return 429;
        default: return 503;
    }
}

std::vector<gateway::MixInput> to_mix_inputs(std::span<const signalling::RoomSoundTrack> tracks) {
    std::vector<gateway::MixInput> inputs;
    for (const signalling::RoomSoundTrack& one : tracks) inputs.push_back({one.track, one.owner.value});
    return inputs;
}

/// A page of another origin may ask before it plays (fetch standard, CORS preflight).
io::HttpReply preflight(const io::HttpRequestView& request) {
    io::HttpReply reply;
    reply.status = 204;
    reply.headers = {{"Access-Control-Allow-Origin", "*"},
                     {"Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"},
                     {"Access-Control-Max-Age", "86400"}};
    const std::string_view wanted = request.header("Access-Control-Request-Headers");
    if (!wanted.empty()) reply.headers.emplace_back("Access-Control-Allow-Headers", wanted);
    return reply;
}

/// Of a PublishGrant or a PlayGrant.
sfu::OwnerRef owner_of(const auto& grant) {
    return std::make_shared<const sfu::Owner>(
        sfu::Owner{grant.room.app_id, grant.room.name, grant.user_id});
}

}  // namespace

StartResult<void> Control::start_rtmp() {
    const auto open = [this](std::uint16_t port, std::string_view setting) -> StartResult<io::ListeningSocket> {
        auto socket = io::listen_tcp(config_.rtmp.host, port);
        if (socket) return std::move(*socket);
        return tl::unexpected(fmt::format("RTMP on {} port {}: {} (setting {})",
                                          config_.rtmp.host,
                                          port,
                                          socket.error().what,
                                          socket.error().code == Errc::kMalformed ? "rtmp.host" : setting));
    };
    auto plain = open(config_.rtmp.port, "rtmp.port");
    if (!plain) return tl::unexpected(plain.error());
    rtmp_ = std::move(*plain);
    if (tls_) {
        auto secure = open(config_.rtmp.tls_port, "rtmp.tls_port");
        if (!secure) return tl::unexpected(secure.error());
        rtmps_ = std::move(*secure);
    }
    codecs_ = std::make_unique<codec::Pool>(codec::Pool::Config{});
    return {};
}

std::string Control::rtmp_host(std::string_view host) const {
    if (!config_.rtmp.public_host.empty()) return config_.rtmp.public_host;
    // An IPv6 literal has colons of its own, inside brackets.
    const std::size_t bracket = host.rfind(']');
    const std::size_t colon = host.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        host = host.substr(0, colon);
    }
    constexpr std::uint16_t kDefaultPort = 1935;
    if (rtmp_.port == kDefaultPort) return std::string(host);
    return fmt::format("{}:{}", host, rtmp_.port);
}

StreamVerdict Control::judge_play(StreamId stream,
                                  const signalling::StreamAddress& address,
                                  bool low,
                                  WorkerId& home) {
    StreamVerdict verdict;
    verdict.stream = stream;
    const auto grant = hub_->open_play(io::read_monotonic_clock(), stream, address, outputs_);
    if (!grant) {
        verdict.reason = grant.error().what;
        verdict.why = grant.error().code;
        return verdict;
    }
    home = grant->worker;
    verdict.granted = true;
    verdict.room = grant->room.app_id + ":" + grant->room.name;
    verdict.owner = owner_of(*grant);
    if (grant->mixes) verdict.room_sound = {grant->mixes->value, grant->listener.value, {}};
    for (const signalling::PlayTrack& track : grant->tracks) {
        verdict.tracks.push_back({track.track,
                                  track.owner.value,
                                  track.kind,
                                  track.codec,
                                  track.simulcast,
                                  low ? sfu::Layer::kLow : sfu::Layer::kHigh});
    }
    return verdict;
}

bool Control::send_verdict(WorkerId home, StreamVerdict verdict) {
    const StreamId stream = verdict.stream;
    const bool granted = verdict.granted;
    const std::size_t index = home.value - 1u;
    // Only now: an FLV connection may have taken its time, and what changed meanwhile is told once.
    if (verdict.room_sound) {
        gateway::RoomSound& sound = *verdict.room_sound;
        sound.inputs = to_mix_inputs(hub_->sounds_of(signalling::RoomId(sound.room)));
    }
    if (index < workers_.size() && workers_[index]->post(StreamCommand(std::move(verdict)))) return true;
    if (granted) hub_->handle_stream_closed(io::read_monotonic_clock(), stream, outputs_);
    return false;
}

void Control::answer_question(WorkerId worker, StreamQuestion question) {
    WorkerId home = worker;
    StreamVerdict verdict;
    if (question.publishes) {
        verdict.stream = question.stream;
        verdict.publishes = true;
        const auto grant =
            hub_->open_publish(io::read_monotonic_clock(), question.stream, question.address, outputs_);
        verdict.granted = grant.has_value();
        if (grant) {
            home = grant->worker;
            verdict.room = grant->room.app_id + ":" + grant->room.name;
            verdict.owner = owner_of(*grant);
        } else {
            verdict.reason = grant.error().what;
            verdict.why = grant.error().code;
        }
    } else {
        verdict = judge_play(question.stream, question.address, question.low, home);
    }
    verdict.connection = std::move(question.connection);
    send_verdict(home, std::move(verdict));
}

io::HttpReply Control::play_flv(std::string_view target, std::string_view websocket_key, bool opens) {
    rtmp::StreamParameters parameters = rtmp::parse_stream_parameters(target);
    if (!parameters.has_token()) return flv_error(401, "rtmptoken is missing");
    const bool low = parameters.other("profile") == "low";
    const signalling::StreamAddress address = to_address(std::move(parameters));
    // Streams that workers name have the worker in the upper bits, and there is no worker 0.
    const StreamId stream(++last_flv_stream_);
    WorkerId home;
    StreamVerdict verdict = judge_play(stream, address, low, home);
    if (!verdict.granted) return flv_error(play_status(verdict.why), verdict.reason);
    io::HttpReply reply;
    if (!opens) {
        hub_->handle_stream_closed(io::read_monotonic_clock(), stream, outputs_);
        deliver();
        reply.headers = {{"Content-Type", "video/x-flv"},
                         {"Access-Control-Allow-Origin", "*"},
                         {"Cache-Control", "no-store"}};
        reply.without_length = true;
        return reply;
    }
    reply.take_over = [this, home, key = std::string(websocket_key), verdict = std::move(verdict)](
                          io::TakenSocket socket) mutable {
        if (socket.fd.is_open()) {
            verdict.connection = std::make_shared<StreamConnection>(std::move(socket), key);
            send_verdict(home, std::move(verdict));
        } else {
            hub_->handle_stream_closed(io::read_monotonic_clock(), verdict.stream, outputs_);
        }
        deliver();
    };
    return reply;
}

io::HttpReply Control::answer_flv(const io::HttpRequestView& request) {
    if (request.method == "GET") return play_flv(request.target, {}, true);
    if (request.method == "HEAD") return play_flv(request.target, {}, false);
    if (request.method == "OPTIONS") return preflight(request);
    io::HttpReply reply = flv_error(405, "GET, HEAD and OPTIONS only");
    reply.headers.emplace_back("Allow", "GET, HEAD, OPTIONS");
    return reply;
}

io::HttpReply Control::upgrade_flv(const io::HttpRequestView& request) {
    constexpr std::size_t kKeySize = 24;  // RFC 6455 section 4.1: 16 bytes in base64
    const std::string_view key = request.header("Sec-WebSocket-Key");
    if (request.header("Sec-WebSocket-Version") != "13" || key.size() != kKeySize) {
        io::HttpReply reply = flv_error(426, "WebSocket version 13 only");
        reply.headers.emplace_back("Sec-WebSocket-Version", "13");
        return reply;
    }
    return play_flv(request.target, key, true);
}

void Control::deliver_room_sound(const signalling::RoomSounds& sounds) {
    const std::size_t index = sounds.worker.value - 1u;
    if (index >= workers_.size()) return;
    workers_[index]->post(StreamCommand(RoomSoundChanged{sounds.room.value, to_mix_inputs(sounds.tracks)}));
}

void Control::on_stream_notice(WorkerId worker, StreamNotice notice) {
    const Instant now = io::read_monotonic_clock();
    if (auto* question = std::get_if<StreamQuestion>(&notice)) {
        answer_question(worker, std::move(*question));
    } else if (const auto* found = std::get_if<StreamTracksFound>(&notice)) {
        std::vector<signalling::FoundTrack> tracks;
        tracks.reserve(found->kinds.size());
        for (const sfu::MediaKind kind : found->kinds) {
            tracks.push_back({kind, kind == sfu::MediaKind::kAudio ? sfu::Codec::kOpus : sfu::Codec::kH264});
        }
        hub_->handle_stream_tracks(now, found->stream, tracks, outputs_);
    } else if (const auto* closed = std::get_if<StreamClosed>(&notice)) {
        hub_->handle_stream_closed(now, closed->stream, outputs_);
    }
    deliver();
}

}  // namespace parley::server

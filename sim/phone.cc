#include "sim/phone.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/avc_config.h"
#include "flv/video_tag.h"
#include "media/h264.h"
#include "signalling/codes.h"
#include "signalling/envelope.h"

namespace parley::sim {
namespace json = boost::json;
namespace {

constexpr Duration kRetry = 1s;
constexpr Duration kPictureInterval = 66ms;
constexpr Duration kSoundInterval = 60ms;
constexpr std::uint32_t kKeyFrameEvery = 20;
/// An encoder whose network does not keep up leaves pictures out until the next key frame.
constexpr std::size_t kMaxUnsent = 32 * 1'024;

Bytes avc_record() { return flv::write_avc_config(*flv::make_avc_config(made_sps(), made_pps())); }

flv::Message message_of(flv::MediaKind kind, std::int64_t ms, Bytes payload) {
    return {.kind = kind, .timestamp_ms = ms, .payload = flv::make_payload(std::move(payload))};
}

}  // namespace

// ---- The room

void Phone::join(Instant now) {
    session_ = network_.open_session(*this);
    retry_session_at_ = now + 5s;
    resumes_ = !rtmptoken_.empty();
    json::object body{{"rpcid", "auth"}};
    if (resumes_) {
        body["rtmptoken"] = rtmptoken_;
    } else {
        body["roomtoken"] = config_.token;
        body["playerdata"] = "";
    }
    network_.say(*this, session_, signalling::write_envelope("auth", body));
}

void Phone::handle_text(Instant now, std::uint64_t session, std::string_view text) {
    if (session != session_ || has_left_) return;
    const auto message = signalling::parse_envelope(text, 32);
    if (!message) return checker_.fail("the server sent a phone a malformed message");
    const json::object& body = message->body;
    if (message->name == "ping") {
        network_.say(*this, session_, "pong={}");
    } else if (message->name == "auth-res") {
        const std::int64_t code = number_of(body, "code");
        if (code == signalling::kServerUnavailable) {
            // The process is about to end: the client, or its app, tries again.
            return handle_close(now, session);
        }
        if (code != 0) {
            checker_.expect(resumes_ && code == signalling::kTokenWrong, "a phone may not join");
            rtmptoken_.clear();
            return join(now);
        }
        if (rtmptoken_ != text_of(body, "rtmptoken")) forget_streams();
        rtmptoken_ = text_of(body, "rtmptoken");
        is_member_ = true;
        // A phone is not told of itself.
        belief_.players.clear();
        belief_.tracks.clear();
        for (const json::value& player : list_of(body, "players"))
            belief_.players.insert(text_of(player.as_object(), "playerid"));
        belief_.add_tracks(list_of(body, "tracks"), checker_);
    } else if (message->name == "disconnect") {
        rtmptoken_.clear();
        handle_close(now, session);
    } else {
        belief_.apply(message->name, body, checker_);
    }
}

void Phone::handle_close(Instant now, std::uint64_t session) {
    if (session != session_ || session == 0) return;
    session_ = 0;
    is_member_ = false;
    retry_session_at_ = now + kRetry;
}

void Phone::leave() {
    if (session_ != 0) network_.say(*this, session_, "disconnect={}");
    has_left_ = true;
    is_member_ = false;
    forget_streams();
}

void Phone::forget_streams() {
    for (const auto& [id, stream] : streams_) network_.close_stream(id);
    streams_.clear();
    retry_at_.clear();
}

void Phone::tick(Instant now) {
    if (has_left_) return;
    if (session_ == 0 && now >= retry_session_at_) join(now);
    if (is_member_) arrange(now);
    if (is_stalled(now)) return;
    push(now);
}

// ---- Connections

std::uint64_t Phone::connect(Instant now, const std::string& query, bool publishes) {
    rtmp::ClientConfig config;
    config.mode = publishes ? rtmp::ClientMode::kPublish : rtmp::ClientMode::kPlay;
    config.tc_url = "rtmp://sim/";
    config.stream_name = query;
    config.digest_handshake = rng_.chance(0.5);
    config.chunk_size = rng_.chance(0.5) ? 128 : 4'096;
    const std::uint64_t id = network_.open_stream(*this);
    streams_[id] = std::make_unique<Stream>(config, rng_.fork(), now);
    streams_[id]->publishes = publishes;
    return id;
}

/// One push, and one player for everybody with something to play.
void Phone::arrange(Instant now) {
    std::map<std::string, std::set<std::string>> wanted;
    for (const auto& [id, track] : belief_.tracks) wanted[track.owner].insert(id);
    bool pushes = config_.audio_source == 0 && config_.video_source == 0;
    std::vector<std::uint64_t> over;
    for (const auto& [id, stream] : streams_) {
        if (stream->publishes) {
            pushes = true;
            continue;
        }
        const auto at = wanted.find(stream->playing.owner);
        if (at == wanted.end() || at->second != stream->playing.tracks) {
            over.push_back(id);
        } else {
            wanted.erase(at);
        }
    }
    for (const std::uint64_t id : over) {
        network_.close_stream(id);
        streams_.erase(id);
    }
    const std::string base = "?rtmptoken=" + rtmptoken_;
    if (!pushes && now >= retry_at_[""]) {
        connect(now, base + "&playerid=" + config_.user, true);
        retry_at_[""] = now + kRetry;
    }
    for (const auto& [owner, tracks] : wanted) {
        if (now < retry_at_[owner]) continue;
        retry_at_[owner] = now + kRetry;
        std::string query = base;
        for (const std::string& track : tracks) query += "&trackid=" + track;
        Playing& playing = streams_[connect(now, query + "&playerid=" + owner, false)]->playing;
        playing.owner = owner;
        playing.tracks = tracks;
        playing.picture_at = playing.sound_at = now;
    }
}

std::vector<std::uint64_t> Phone::streams() const {
    std::vector<std::uint64_t> out;
    for (const auto& [id, stream] : streams_) out.push_back(id);
    return out;
}

Bytes Phone::output(std::uint64_t id, std::size_t size) {
    const auto at = streams_.find(id);
    if (at == streams_.end()) return {};
    flv::GatherList& send = at->second->out.send;
    Bytes out = send.flatten();
    if (out.size() > size) out.resize(size);
    send.consume(out.size());
    return out;
}

void Phone::input(Instant now, std::uint64_t id, ByteView bytes) {
    const auto at = streams_.find(id);
    if (at == streams_.end()) return;
    Stream& stream = *at->second;
    stream.core.handle_bytes(now, bytes, stream.out);
    for (const rtmp::Event& event : std::exchange(stream.out.events, {})) {
        if (std::holds_alternative<rtmp::Started>(event)) {
            stream.started = stream.playing.started = true;
        } else if (const auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
            handle_media(now, stream.playing, media->message);
        }
    }
    if (stream.core.is_closed()) {
        network_.close_stream(id);
        streams_.erase(at);
    }
}

void Phone::handle_gone(Instant now, std::uint64_t id) {
    const auto at = streams_.find(id);
    if (at == streams_.end()) return;
    retry_at_[at->second->publishes ? "" : at->second->playing.owner] = now + kRetry;
    streams_.erase(at);
}

bool Phone::is_pushing() const {
    return std::any_of(streams_.begin(), streams_.end(), [](const auto& entry) {
        return entry.second->publishes && entry.second->has_headers;
    });
}

std::map<std::string, const Phone::Playing*> Phone::playing() const {
    std::map<std::string, const Playing*> out;
    for (const auto& [id, track] : belief_.tracks) out[track.owner] = nullptr;
    for (const auto& [id, stream] : streams_) {
        if (!stream->publishes) out[stream->playing.owner] = &stream->playing;
    }
    return out;
}

// ---- Pushing

void Phone::push(Instant now) {
    const auto at = std::find_if(streams_.begin(), streams_.end(), [](const auto& entry) {
        return entry.second->publishes;
    });
    if (at == streams_.end() || !at->second->started) {
        pushed_since_.reset();
        return;
    }
    Stream& stream = *at->second;
    if (!stream.has_headers) {
        stream.has_headers = true;
        pushed_since_ = picture_due_ = sound_due_ = now;
        wants_key_ = true;
        if (config_.video_source != 0) {
            stream.core.send_media(
                message_of(flv::MediaKind::kVideo, 0, flv::write_avc_sequence_header(avc_record())),
                0,
                stream.out);
        }
        if (config_.audio_source != 0) {
            stream.core.send_media(
                message_of(flv::MediaKind::kAudio,
                           0,
                           flv::write_aac_sequence_header(flv::write_aac_config({}))),
                0,
                stream.out);
        }
    }
    const std::int64_t ms = to_ms(now - *pushed_since_);
    const auto captured_ms =
        static_cast<std::uint32_t>(to_ms(config_.clock.local(now).time_since_epoch()));
    if (config_.video_source != 0 && now >= picture_due_) {
        picture_due_ = std::max(picture_due_ + kPictureInterval, now);
        push_picture(stream, ms, captured_ms);
    }
    if (config_.audio_source != 0 && now >= sound_due_) {
        sound_due_ = std::max(sound_due_ + kSoundInterval, now);
        const Bytes unit = write_unit({.frame = sound_++,
                                       .audio = true,
                                       .source = config_.audio_source,
                                       .captured_ms = captured_ms},
                                      30 + rng_.below(60));
        stream.core.send_media(
            message_of(flv::MediaKind::kAudio, ms, flv::write_aac_frame(unit)), ms, stream.out);
    }
}

void Phone::push_picture(Stream& stream, std::int64_t ms, std::uint32_t captured_ms) {
    const std::uint32_t frame = picture_++;
    wants_key_ = wants_key_ || stream.out.send.size_bytes() > kMaxUnsent;
    const bool key = frame % kKeyFrameEvery == 0 || (wants_key_ && stream.out.send.empty());
    if (wants_key_ && !key) return;
    wants_key_ = false;
    const auto parts = static_cast<std::uint8_t>(1 + rng_.below(3));
    Bytes avcc;
    for (std::uint8_t part = 0; part < parts; ++part) {
        const Bytes unit = write_unit({.frame = frame,
                                       .part = part,
                                       .parts = parts,
                                       .key = key,
                                       .source = config_.video_source,
                                       .captured_ms = captured_ms},
                                      600 + rng_.below(300));
        avcc.resize(avcc.size() + 4);
        store_u32(avcc.data() + avcc.size() - 4, static_cast<std::uint32_t>(unit.size()));
        avcc.insert(avcc.end(), unit.begin(), unit.end());
    }
    stream.core.send_media(
        message_of(flv::MediaKind::kVideo, ms, flv::write_avc_frame(key, 0, avcc)), ms, stream.out);
}

// ---- Playing

void Phone::handle_media(Instant now, Playing& playing, const flv::Message& message) {
    if (message.kind == flv::MediaKind::kData) return;
    checker_.expect(message.timestamp_ms >= playing.last_ms, "a player's time goes back");
    playing.last_ms = message.timestamp_ms;
    if (message.kind == flv::MediaKind::kVideo) {
        const auto tag = flv::parse_video_tag(message.bytes());
        if (!tag) return checker_.fail("a player got a tag that is none");
        if (tag->packet_type == flv::VideoPacketType::kFrame)
            handle_picture(now, playing, tag->data);
    } else {
        const auto tag = flv::parse_audio_tag(message.bytes());
        if (!tag) return checker_.fail("a player got a tag that is none");
        if (tag->packet_type == flv::AudioPacketType::kFrame) handle_sound(now, playing, tag->data);
    }
}

void Phone::handle_picture(Instant now, Playing& playing, ByteView avcc) {
    media::AvccReader reader(avcc, 4);
    std::optional<FramePart> shape;
    std::uint8_t parts = 0;
    while (const auto nal = reader.next()) {
        const auto part = read_unit(*nal);
        if (!part || (shape && part->frame != shape->frame))
            return checker_.fail("a picture arrived changed");
        shape = part;
        ++parts;
    }
    if (!shape || parts != shape->parts) return checker_.fail("a player got a part of a picture");
    const auto& last = playing.picture;
    if (last && last->source != shape->source) return checker_.fail("a player's track changed");
    if (last && last->low == shape->low) {
        checker_.expect(shape->frame > last->frame, "a player got a picture twice");
        if (!shape->key && shape->frame != last->frame + 1) {
            checker_.fail("a player's pictures have a hole: " + std::to_string(shape->frame) +
                          " of " + playing.owner + " came after " + std::to_string(last->frame));
        }
    } else {
        checker_.expect(shape->key, "a player begins without a key frame");
    }
    if (last) playing.longest_pause = std::max(playing.longest_pause, now - playing.picture_at);
    playing.picture = shape;
    playing.picture_at = now;
}

void Phone::handle_sound(Instant now, Playing& playing, ByteView frame) {
    const auto part = read_unit(frame);
    if (!part || !part->audio) return checker_.fail("a sound arrived changed");
    if (playing.sound) {
        checker_.expect(part->source == playing.sound->source, "a player's track changed");
        checker_.expect(part->frame > playing.sound->frame, "a player got a sound twice");
    }
    playing.sound = part;
    playing.sound_at = now;
}

}  // namespace parley::sim

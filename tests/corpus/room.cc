#include "room.h"

#include "../rtmp/support.h"
#include "codec/audio.h"
#include "codecs.h"
#include "dtls/fake_endpoint.h"
#include "flv/metadata.h"
#include "gateway/gateway.h"
#include "rtmp/chunk_writer.h"
#include "rtp/h264_depacketizer.h"

namespace parley::corpus {
namespace {

constexpr StreamId kPush{1};
constexpr std::size_t kMaxPayload = 1'200;
constexpr Duration kTail = 2s;
constexpr Duration kEnd = 15s;  ///< the longest that a refusal may take

/// Order of one track's packets, as a receiver needs it.
class Order {
public:
    void check(const media::Packet& packet, Outcome& outcome) {
        const bool gap = last_ && packet.ext_seq != last_->first + 1;
        const bool back =
            last_ && static_cast<std::int32_t>(packet.rtp_timestamp - last_->second) < 0;
        if (gap || back || packet.payload().size() > kMaxPayload) ++outcome.rtp_breaks;
        last_ = {packet.ext_seq, packet.rtp_timestamp};
    }

private:
    std::optional<std::pair<rtp::ExtSeq, std::uint32_t>> last_;
};

class Eye {
public:
    void handle(const media::Packet& packet, Outcome& outcome) {
        order_.check(packet, outcome);
        const auto unit = depacketizer_.handle_payload(
            {packet.ext_seq, packet.rtp_timestamp, packet.marker, packet.payload()});
        if (unit) show(unit->annex_b, outcome);
    }
    /// Pictures that the decoder still holds.
    void close(Outcome& outcome) {
        if (!decoder_) return;
        avcodec_send_packet(decoder_.get(), nullptr);
        drain(outcome);
    }

private:
    void show(const Bytes& annex_b, Outcome& outcome) {
        if (!decoder_) {
            const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_H264);
            decoder_ = codec::make_context(codec, {});
            if (avcodec_open2(decoder_.get(), codec, nullptr) != 0) return decoder_.reset();
        }
        const codec::AvPacket packet(av_packet_alloc());
        if (!codec::fill_packet(*packet, annex_b)) return;
        if (avcodec_send_packet(decoder_.get(), packet.get()) < 0) ++outcome.undecodable;
        drain(outcome);
    }
    void drain(Outcome& outcome) {
        const codec::AvFrame frame(av_frame_alloc());
        while (avcodec_receive_frame(decoder_.get(), frame.get()) == 0) {
            const int middle = frame->linesize[0] * (frame->height / 2) + frame->width / 2;
            outcome.lumas.push_back(frame->data[0][middle]);
            outcome.width = frame->width;
            outcome.height = frame->height;
        }
    }

    Order order_;
    rtp::H264Depacketizer depacketizer_;
    codec::AvContext decoder_;
};

class Ear {
public:
    Ear() : decoder_(std::move(*codec::OpusDecoder::create(1))) {}
    void handle(const media::Packet& packet, Outcome& outcome) {
        order_.check(packet, outcome);
        if (!decoder_.decode(packet.payload(), pcm_)) ++outcome.undecodable;
    }
    void close(Outcome& outcome) const {
        constexpr std::size_t kWindow = 4'800;
        for (std::size_t at = 0; at + kWindow <= pcm_.size(); at += kWindow) {
            const auto window = std::span(pcm_).subspan(at, kWindow);
            if (codec::testing::level_at(window, codec::kRate, kTone) > kToneLevel / 2)
                outcome.tone += 100ms;
        }
    }

private:
    Order order_;
    codec::OpusDecoder decoder_;
    codec::testing::Samples pcm_;
};

/// What a player is promised: metadata first, configurations before frames, a key frame before
/// other pictures, times from 0 that never go back.
class PlayerCheck {
public:
    void handle(const gateway::PlayMessage& in, Outcome& outcome) {
        if (std::exchange(first_, false) && in.message.kind != flv::MediaKind::kData)
            ++outcome.play_breaks;
        if (in.timestamp_ms < last_ms_) ++outcome.play_breaks;
        last_ms_ = in.timestamp_ms;
        if (in.message.kind == flv::MediaKind::kVideo) {
            const auto tag = flv::parse_video_tag(in.message.bytes());
            if (!tag || tag->codec != flv::VideoCodec::kAvc) {
                ++outcome.play_breaks;
            } else if (tag->is_sequence_header()) {
                has_video_config_ = true;
            } else if (tag->packet_type == flv::VideoPacketType::kFrame) {
                open_ = open_ || tag->is_key_frame();
                if (!has_video_config_ || !open_) ++outcome.play_breaks;
                ++outcome.played_pictures;
            }
        } else if (in.message.kind == flv::MediaKind::kAudio) {
            const auto tag = flv::parse_audio_tag(in.message.bytes());
            if (!tag || tag->codec != flv::AudioCodec::kAac) {
                ++outcome.play_breaks;
            } else if (tag->is_sequence_header()) {
                has_audio_config_ = true;
            } else {
                if (!has_audio_config_) ++outcome.play_breaks;
                ++outcome.played_sounds;
            }
        }
    }

private:
    bool first_ = true;
    bool has_video_config_ = false;
    bool has_audio_config_ = false;
    bool open_ = false;
    std::int64_t last_ms_ = 0;
};

class Room {
public:
    explicit Room(const Input& input)
        : input_(input),
          dtls_(dtls::create_fake_factory(1)),
          pool_(8'192),
          node_(*dtls_, pool_, Rng(1)),
          gateway_(node_, pool_, codecs_, Rng(2)),
          connection_({.mode = rtmp::ClientMode::kPublish,
                       .app = "",
                       .tc_url = "rtmp://parley/",
                       .stream_name = "?rtmptoken=t&playerid=p",
                       .chunk_size = input.chunk_size},
                      input.write_size) {
        writer_.set_chunk_size(input.chunk_size);
    }

    Outcome run() {
        wire_stream_ = connection_.start();
        connection_.take_server_events();
        gateway_.start_publish(connection_.now(), {}, kPush);
        const Instant started = connection_.now();
        for (const Input::Step& step : input_.steps()) {
            while (connection_.now() < started + step.at && is_open()) advance();
            if (!is_open()) break;
            write(step);
        }
        const Instant last = connection_.now();
        while (is_open() && connection_.now() < last + kTail) advance();
        // A publish that shows nothing is given some time.
        while (is_open() && outcome_.video_tracks + outcome_.audio_tracks == 0 &&
               connection_.now() < started + kEnd) {
            advance();
        }
        for (auto& [id, eye] : eyes_) eye.close(outcome_);
        for (auto& [id, ear] : ears_) ear.close(outcome_);
        gateway_.stop_publish(kPush);
        outcome_.unsupported = gateway_.counters().unsupported;
        return std::move(outcome_);
    }

private:
    [[nodiscard]] bool is_open() const { return outcome_.refusal.empty(); }

    void advance() {
        connection_.advance(gateway::Gateway::kTick);
        connection_.server().handle_timeout(connection_.now(), connection_.server_out());
        connection_.collect();
        sfu::NodeOutputs out{sink_, events_};
        gateway_.handle_timeout(connection_.now(), out, gateway_out_);
        turn();
    }

    void write(const Input::Step& step) {
        if (step.is_raw) {
            connection_.client_out().send.append_copy(step.payload);
        } else {
            const bool control = step.type < MessageType::kAudio;
            writer_.write({.type = step.type,
                           .chunk_stream_id = static_cast<std::uint8_t>(
                               control ? rtmp::chunk_stream::kControl
                                       : 20 + static_cast<std::uint8_t>(step.type) % 32),
                           .message_stream_id = control ? 0 : wire_stream_.value,
                           .timestamp_ms = static_cast<std::uint32_t>(step.timestamp_ms)},
                          Bytes(step.payload),
                          connection_.client_out().send);
        }
        connection_.run();
        turn();
    }

    /// Everything that follows from what has happened.
    void turn() {
        sfu::NodeOutputs out{sink_, events_};
        const Instant now = connection_.now();
        for (const rtmp::Event& event : connection_.take_server_events()) {
            if (const auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
                if (media->stream == wire_stream_)
                    gateway_.handle_message(now, kPush, media->message, out, gateway_out_);
            } else if (const auto* closed = std::get_if<rtmp::Closed>(&event)) {
                refuse(std::string(to_string(closed->reason)) + ": " + closed->error.what);
            }
        }
        for (auto& result : codecs_.take())
            gateway_.handle_conversion(now, std::move(result), out, gateway_out_);
        for (const gateway::FoundTracks& found : std::exchange(gateway_out_.found, {})) add(found);
        node_.flush(now, out);
        node_.take_tapped(tapped_);
        for (const sfu::Node::Tapped& one : tapped_) {
            if (const auto eye = eyes_.find(one.track); eye != eyes_.end()) {
                eye->second.handle(*one.packet, outcome_);
            } else {
                ears_.at(one.track).handle(*one.packet, outcome_);
            }
        }
        gateway_.handle_tapped(now, tapped_, gateway_out_);
        for (auto& [stream, check] : players_) {
            while (const auto message = gateway_.take(now, stream))
                check.handle(*message, outcome_);
        }
        gateway_out_.woken.clear();
        for (const gateway::StreamFailed& failed : std::exchange(gateway_out_.failed, {})) {
            if (failed.stream != kPush) {
                ++outcome_.play_breaks;
                continue;
            }
            connection_.server().end_publish(
                now, wire_stream_, rtmp::kPublishBadName, failed.reason, connection_.server_out());
            connection_.run();
            refuse(failed.reason);
        }
    }

    void refuse(std::string reason) {
        if (!is_open()) return;
        outcome_.refusal = std::move(reason);
        for (const rtmp::Event& event : connection_.take_client_events()) {
            const auto* status = std::get_if<rtmp::StatusReceived>(&event);
            if (status == nullptr || status->level != "error") continue;
            outcome_.was_told = outcome_.was_told || status->description == outcome_.refusal;
        }
    }

    /// Room control makes tracks, the member subscribes, a player comes for all that is there.
    void add(const gateway::FoundTracks& found) {
        sfu::NodeOutputs out{sink_, events_};
        const Instant now = connection_.now();
        for (const sfu::MediaKind kind : found.kinds) {
            const bool audio = kind == sfu::MediaKind::kAudio;
            const TrackId id{++last_track_};
            const sfu::Codec codec = audio ? sfu::Codec::kOpus : sfu::Codec::kH264;
            const sfu::AddLocalTrack track{id, found.stream, kind, codec};
            node_.handle_command(now, track, out);
            gateway_.handle_track(track);
            if (audio) {
                ++outcome_.audio_tracks;
                ears_.try_emplace(id);
            } else {
                ++outcome_.video_tracks;
                eyes_.try_emplace(id);
            }
            if (!node_.add_tap(now, id, sfu::Layer::kHigh)) ++outcome_.rtp_breaks;
            tracks_.push_back({id, 1, kind, codec, false});
        }
        const StreamId player{100 + last_track_};
        if (!gateway_.start_play(now, player, tracks_, gateway_out_)) {
            ++outcome_.play_breaks;
            return;
        }
        players_.try_emplace(player);
    }

    const Input& input_;
    Codecs codecs_;
    std::unique_ptr<dtls::Factory> dtls_;
    media::PacketPool pool_;
    NoSink sink_;
    std::vector<sfu::MediaEvent> events_;
    sfu::Node node_;
    gateway::Gateway gateway_;
    gateway::GatewayOutputs gateway_out_;
    rtmp::Joined connection_;
    rtmp::ChunkWriter writer_;
    rtmp::MessageStreamId wire_stream_;
    std::vector<sfu::Node::Tapped> tapped_;
    std::uint32_t last_track_ = 0;
    std::vector<gateway::PlayTrack> tracks_;
    std::map<TrackId, Eye> eyes_;
    std::map<TrackId, Ear> ears_;
    std::map<StreamId, PlayerCheck> players_;
    Outcome outcome_;
};

}  // namespace

std::string Outcome::describe() const {
    std::string out = std::to_string(video_tracks) + "+" + std::to_string(audio_tracks) +
                      " tracks, " + std::to_string(lumas.size()) + " pictures (" +
                      std::to_string(width) + "x" + std::to_string(height) + "), tone " +
                      std::to_string(to_ms(tone)) + " ms, player " +
                      std::to_string(played_pictures) + "+" + std::to_string(played_sounds) +
                      ", undecodable " + std::to_string(undecodable) + ", unsupported " +
                      std::to_string(unsupported) + ", refusal '" + refusal + "', lumas";
    for (const int luma : lumas) out.append(" ").append(std::to_string(luma));
    return out;
}

Outcome publish(const Input& input) { return Room(input).run(); }

}  // namespace parley::corpus

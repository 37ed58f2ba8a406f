#include "loadgen/stream_clients.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <variant>

#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/avc_config.h"
#include "flv/metadata.h"
#include "flv/video_tag.h"
#include "io/clock.h"
#include "media/h264.h"

namespace parley::loadgen {
namespace {

constexpr unsigned kPictureRate = 30;
constexpr std::uint64_t kKeyPictureInterval = 2 * kPictureRate;
constexpr std::uint64_t kSoundRate = 48'000;
constexpr std::uint64_t kSoundSamples = 1024;  // of one frame
/// A stereo AAC-LC frame of silence. What follows it is not looked at by decoders.
constexpr std::array<std::uint8_t, 6> kSilentFrame{0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c};

constexpr Duration picture_time(std::uint64_t n) {
    return Duration(static_cast<std::int64_t>(n * 1'000'000'000 / kPictureRate));
}
constexpr Duration sound_time(std::uint64_t n) {
    return Duration(static_cast<std::int64_t>(n * kSoundSamples * 1'000'000'000 / kSoundRate));
}

rtmp::ClientConfig client_config(const rtmp::RtmpUrl& url, rtmp::ClientMode mode) {
    return {.mode = mode, .app = url.app, .tc_url = url.tc_url, .stream_name = url.stream_name};
}

flv::Message video_message(std::int64_t timestamp_ms, Bytes payload) {
    return {.kind = flv::MediaKind::kVideo,
            .timestamp_ms = timestamp_ms,
            .payload = flv::make_payload(std::move(payload))};
}

void append_length_prefixed(Bytes& out, ByteView nal) {
    const std::size_t at = out.size();
    out.resize(at + 4);
    store_u32(out.data() + at, static_cast<std::uint32_t>(nal.size()));
    out.insert(out.end(), nal.begin(), nal.end());
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) {
        return lower(x) == lower(y);
    });
}

/// Trimmed; empty when the head has no such line.
std::string_view header_value(std::string_view head, std::string_view name) {
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(head.size(), line.size() + 2));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !equals_ignoring_case(line.substr(0, colon), name))
            continue;
        std::string_view value = line.substr(colon + 1);
        while (value.starts_with(' ')) value.remove_prefix(1);
        while (value.ends_with(' ')) value.remove_suffix(1);
        return value;
    }
    return {};
}

}  // namespace

void StreamWatcher::handle(Instant now, const flv::Message& message) {
    ++totals_.messages;
    if (message.kind == flv::MediaKind::kData) return;
    totals_.backward_timestamps += message.timestamp_ms < last_ms_;
    last_ms_ = message.timestamp_ms;
    if (message.kind != flv::MediaKind::kVideo) {
        const std::optional<MediaStamp> stamp = find_stamp(message.bytes());
        if (stamp && totals_.measuring)
            totals_.sound_delay.add(age_of(*stamp, io::read_wall_clock()));
        return;
    }
    const auto tag = flv::parse_video_tag(message.bytes());
    if (!tag || tag->packet_type != flv::VideoPacketType::kFrame) return;
    ++totals_.pictures;
    totals_.key_pictures += tag->is_key_frame();
    if (tag->is_key_frame() && !has_picture_) {
        has_picture_ = true;
        totals_.first_picture.add(now - started_at_);
    }
    const std::optional<MediaStamp> stamp = find_stamp(tag->data);
    if (!stamp) return;
    if (last_frame_)
        totals_.skipped_pictures += static_cast<std::uint16_t>(stamp->frame - *last_frame_ - 1);
    last_frame_ = stamp->frame;
    if (totals_.measuring) totals_.delay.add(age_of(*stamp, io::read_wall_clock()));
}

void StreamPlayer::start(Instant now, const SocketAddress& to) {
    state_ = StreamState::kConnecting;
    watcher_.start(now);
    connect(to);
}

void StreamPlayer::on_closed(const char* why) { fail_with_reason(why); }

void StreamPlayer::fail_with_reason(std::string why) {
    disconnect();
    state_ = StreamState::kFailed;
    if (failure_.empty()) failure_ = std::move(why);
}

void StreamPlayer::take(Instant now, const flv::Message& message) {
    watcher_.handle(now, message);
    if (watcher_.has_picture() && state_ == StreamState::kConnecting)
        state_ = StreamState::kPlaying;
}

void RtmpPlayer::on_connected() {
    const Instant now = io::read_monotonic_clock();
    connection_.emplace(client_config(url_, rtmp::ClientMode::kPlay), rng_, now, out_);
    drain(now);
}

void RtmpPlayer::on_data() {
    const Instant now = io::read_monotonic_clock();
    totals_.bytes += received_.size();
    connection_->handle_bytes(now, as_bytes_view(received_), out_);
    received_.clear();
    drain(now);
}

void RtmpPlayer::drain(Instant now) {
    std::string status;
    for (const rtmp::Event& event : std::exchange(out_.events, {})) {
        if (const auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
            take(now, media->message);
        } else if (const auto* received = std::get_if<rtmp::StatusReceived>(&event)) {
            status = received->code + " " + received->description;
        } else if (const auto* closed = std::get_if<rtmp::Closed>(&event)) {
            return fail_with_reason(std::string(to_string(closed->reason)) + " " + status);
        }
    }
    if (!out_.send.empty()) {
        send(out_.send.flatten());
        out_.send.clear();
    }
}

void FlvPlayer::on_connected() {
    const std::string request = "GET " + url_.target + " HTTP/1.1\r\nHost: " + url_.authority() +
                                "\r\nUser-Agent: parley-bench\r\nAccept: */*\r\n\r\n";
    send(as_bytes_view(request));
}

bool FlvPlayer::read_head() {
    const std::size_t end = received_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    if (head.size() < 12 || head.compare(8, 4, " 200") != 0) {
        fail_with_reason(head.substr(0, head.find("\r\n")));
        return false;
    }
    const bool chunked = equals_ignoring_case(header_value(head, "Transfer-Encoding"), "chunked");
    body_ = chunked ? Body::kChunkSize : Body::kPlain;
    return true;
}

void FlvPlayer::feed(Instant now, std::string_view bytes) {
    ByteView in = as_bytes_view(bytes);
    while (!in.empty()) {
        const auto message = reader_.next(in);
        if (!message) return fail_with_reason(message.error().what);
        if (*message) take(now, **message);
    }
}

void FlvPlayer::on_data() {
    const Instant now = io::read_monotonic_clock();
    totals_.bytes += received_.size() - kept_;
    kept_ = received_.size();
    if (body_ == Body::kHead && !read_head()) return;
    std::string_view rest = received_;
    while (!rest.empty() && state() != StreamState::kFailed) {
        if (body_ == Body::kPlain) {
            feed(now, rest);
            rest = {};
        } else if (body_ == Body::kChunkSize) {
            const std::size_t end = rest.find("\r\n");
            if (end == std::string_view::npos) break;
            const std::string_view size = rest.substr(0, end);
            const auto parsed =
                std::from_chars(size.data(), size.data() + size.size(), chunk_left_, 16);
            if (parsed.ec != std::errc()) return fail_with_reason("chunk size");
            rest.remove_prefix(end + 2);
            if (chunk_left_ == 0) return fail_with_reason("end of the stream");
            body_ = Body::kChunk;
        } else if (body_ == Body::kChunk) {
            const std::string_view part = rest.substr(0, chunk_left_);
            feed(now, part);
            rest.remove_prefix(part.size());
            chunk_left_ -= part.size();
            if (chunk_left_ == 0) body_ = Body::kChunkEnd;
        } else {
            if (rest.size() < 2) break;
            rest.remove_prefix(2);
            body_ = Body::kChunkSize;
        }
    }
    received_.erase(0, received_.size() - rest.size());
    kept_ = received_.size();
}

RtmpPusher::RtmpPusher(
    Loop& loop, const rtmp::RtmpUrl& url, Bitrate pictures, Bitrate sound, Rng rng)
    : TcpClient(loop),
      loop_(loop),
      url_(url),
      sound_(sound),
      rng_(rng),
      source_({.bitrate = pictures, .frames_per_second = kPictureRate}),
      pacer_(*this) {}

void RtmpPusher::on_connected() {
    connection_.emplace(
        client_config(url_, rtmp::ClientMode::kPublish), rng_, io::read_monotonic_clock(), out_);
    drain();
}

void RtmpPusher::on_data() {
    connection_->handle_bytes(io::read_monotonic_clock(), as_bytes_view(received_), out_);
    received_.clear();
    drain();
}

void RtmpPusher::drain() {
    for (const rtmp::Event& event : std::exchange(out_.events, {})) {
        if (std::holds_alternative<rtmp::Started>(event)) {
            const auto& config = source_.config();
            const flv::Metadata metadata{
                .width = config.width,
                .height = config.height,
                .frame_rate = config.frames_per_second,
                .video_codec_id = 7,
                .audio_codec_id = sound_.bps() != 0 ? std::optional<double>(10) : std::nullopt};
            connection_->send_media({.kind = flv::MediaKind::kData,
                                     .payload = flv::make_payload(flv::write_metadata(metadata))},
                                    0,
                                    out_);
            first_at_ = io::read_monotonic_clock();
            send_due(first_at_);
        } else if (const auto* status = std::get_if<rtmp::StatusReceived>(&event)) {
            failure_ =
                status->level == "error" ? status->code + " " + status->description : failure_;
        } else if (const auto* closed = std::get_if<rtmp::Closed>(&event)) {
            if (failure_.empty()) failure_ = to_string(closed->reason);
            loop_.cancel(pacer_);
            return disconnect();
        }
    }
    if (!out_.send.empty()) {
        send(out_.send.flatten());
        out_.send.clear();
    }
}

void RtmpPusher::send_due(Instant now) {
    const bool has_sound = sound_.bps() != 0;
    for (;;) {
        const Duration picture = picture_time(pictures_);
        const bool is_sound = has_sound && sound_time(sounds_) < picture;
        const Instant due = first_at_ + (is_sound ? sound_time(sounds_) : picture);
        if (due > now) {
            drain();
            loop_.wake_at(pacer_, due);
            return;
        }
        if (is_sound) {
            send_sound();
        } else {
            send_picture();
        }
    }
}

void RtmpPusher::send_sound() {
    const auto send_audio = [this](std::int64_t timestamp_ms, Bytes payload) {
        connection_->send_media({.kind = flv::MediaKind::kAudio,
                                 .timestamp_ms = timestamp_ms,
                                 .payload = flv::make_payload(std::move(payload))},
                                timestamp_ms,
                                out_);
    };
    if (sounds_ == 0) {
        const flv::AacConfig config{.sample_rate_hz = kSoundRate, .channel_config = 2};
        send_audio(0, flv::write_aac_sequence_header(flv::write_aac_config(config)));
    }
    const std::uint64_t size = sound_.bps() * kSoundSamples / kSoundRate / 8;
    Bytes frame(std::max<std::uint64_t>(size, kSilentFrame.size() + kStampSize));
    const StampBytes stamp =
        write_stamp(make_stamp(io::read_wall_clock(), static_cast<std::uint16_t>(sounds_)));
    std::copy(kSilentFrame.begin(), kSilentFrame.end(), frame.begin());
    std::copy(stamp.begin(), stamp.end(), frame.begin() + kSilentFrame.size());
    send_audio(to_ms(sound_time(sounds_)), flv::write_aac_frame(frame));
    ++sounds_;
}

void RtmpPusher::send_picture() {
    const auto timestamp_ms = static_cast<std::int64_t>(pictures_ * 1000 / kPictureRate);
    const AccessUnit unit =
        source_.next(pictures_ % kKeyPictureInterval == 0, io::read_wall_clock());
    Bytes sps;
    Bytes pps;
    Bytes slices;
    for (const Bytes& nal : unit.nal_units) {
        switch (media::nal_type(nal[0])) {
            case media::NalType::kSps:
                sps = nal;
                break;
            case media::NalType::kPps:
                pps = nal;
                break;
            default:
                append_length_prefixed(slices, nal);
        }
    }
    if (pictures_ == 0) {
        if (const auto avc = flv::make_avc_config(sps, pps)) {
            connection_->send_media(
                video_message(0, flv::write_avc_sequence_header(flv::write_avc_config(*avc))),
                0,
                out_);
        }
    }
    connection_->send_media(
        video_message(timestamp_ms, flv::write_avc_frame(unit.is_key_frame, 0, slices)),
        timestamp_ms,
        out_);
    ++pictures_;
}

void RtmpPusher::stop(Instant now) {
    loop_.cancel(pacer_);
    if (!connection_ || !is_open()) return;
    connection_->close(now, out_);
    send(out_.send.flatten());
    out_ = {};
}

}  // namespace parley::loadgen

#include "loadgen/publisher.h"

#include <algorithm>

#include "io/clock.h"
#include "rtp/header_extensions.h"
#include "rtp/rtx.h"

namespace parley::loadgen {
namespace {

constexpr unsigned kFramesPerSecond = 30;
constexpr std::uint32_t kVideoClock = 90'000;
constexpr std::uint32_t kAudioClock = 48'000;
constexpr Duration kTooLate = 500ms;

Instant frame_time(Instant start, std::uint64_t frame) {
    return start + Duration(static_cast<std::int64_t>(frame * 1'000'000'000 / kFramesPerSecond));
}

}  // namespace

Publisher::Publisher(PeerConnection& transport, Totals& totals, const MediaFiles& files, Rng rng)
    : transport_(transport), totals_(totals), files_(files), rng_(rng) {}

void Publisher::configure(Config config) {
    config_ = std::move(config);
    if (config_.audio) audio_ = make_stream(*config_.audio);
    for (std::size_t layer = 0; layer < config_.video.size(); ++layer) {
        Stream stream = make_stream(config_.video[layer]);
        stream.history.resize(kHistory);
        if (files_.video.empty()) {
            // The small encoding has a quarter of the pixels and of the bits.
            stream.source.emplace(H264Source::Config{
                .bitrate = Bitrate::bps(config_.video_bitrate.bps() / (layer == 0 ? 1 : 4)),
                .frames_per_second = kFramesPerSecond,
                .width = layer == 0 ? 640u : 320u,
                .height = layer == 0 ? 480u : 240u});
        }
        video_.push_back(std::move(stream));
    }
}

Publisher::Stream Publisher::make_stream(const SendStream& settings) {
    Stream stream;
    stream.settings = settings;
    // In the lower half, so that the first packets cannot be lost across a rollover (RFC 3711 section 3.3.1).
    stream.next_sequence = rng_.below(0x8000);
    stream.next_rtx_sequence = rng_.below(0x8000);
    stream.timestamp_offset = rng_.next_u32();
    return stream;
}

void Publisher::handle_connected(Instant now) {
    // Publishers of many rooms must not send all their frames at the same moment.
    media_start_ = now + Duration(static_cast<std::int64_t>(rng_.below(33'000'000)));
    if (audio_) next_audio_ = media_start_;
    if (!video_.empty()) next_video_ = media_start_;
    next_report_ = media_start_ + 100ms;
}

Instant Publisher::next_deadline() const { return std::min({next_audio_, next_video_, next_report_}); }

void Publisher::handle_timer(Instant now) {
    while (next_audio_ <= now) {
        if (now - next_audio_ < kTooLate) {
            send_audio(now);
        } else {
            ++totals_.counters.late_frames;
        }
        next_audio_ = media_start_ + kAudioInterval * static_cast<std::int64_t>(++audio_frames_);
    }
    while (next_video_ <= now) {
        if (now - next_video_ < kTooLate) {
            for (Stream& stream : video_) send_video(stream, now);
        } else {
            ++totals_.counters.late_frames;
        }
        next_video_ = frame_time(media_start_, ++video_frames_);
    }
    if (next_report_ <= now) {
        send_reports(now);
        next_report_ = now + kReportInterval;
    }
}

AccessUnit Publisher::next_picture(Stream& stream, WallTime wall) {
    if (stream.source) {
        const bool key_frame = std::exchange(stream.key_frame_wanted, false);
        return stream.source->next(key_frame, wall);
    }
    // A file cannot make a key frame: go on at its next one.
    while (stream.key_frame_wanted && !files_.video[stream.file_position].is_key_frame) {
        stream.file_position = (stream.file_position + 1) % files_.video.size();
    }
    stream.key_frame_wanted = false;
    AccessUnit unit = files_.video[stream.file_position];
    stream.file_position = (stream.file_position + 1) % files_.video.size();
    const auto slice = std::find_if(unit.nal_units.begin(), unit.nal_units.end(),
                                    [](const Bytes& nal) { return (nal[0] & 0x1F) <= 5; });
    unit.nal_units.insert(slice, stamp_sei(make_stamp(wall, stream.frame++)));
    return unit;
}

void Publisher::send_video(Stream& stream, Instant) {
    constexpr std::size_t kHeaderRoom = 12 + 4 + 24;
    const AccessUnit unit = next_picture(stream, io::read_wall_clock());
    packetize_h264(unit, config_.max_packet - kHeaderRoom, payloads_);
    const auto timestamp = static_cast<std::uint32_t>(stream.timestamp_offset +
                                                      video_frames_ * (kVideoClock / kFramesPerSecond));
    for (std::size_t i = 0; i < payloads_.pieces.size(); ++i) {
        send_packet(stream, timestamp, i + 1 == payloads_.pieces.size(), payloads_[i]);
    }
    transport_.flush();
    ++totals_.counters.sent_frames;
}

void Publisher::send_audio(Instant) {
    Bytes payload;
    if (files_.audio.empty()) {
        // RFC 6716 section 3.1: full-band CELT, 20 ms, stereo, one frame; a decoder takes any bytes after it.
        const auto size = static_cast<std::size_t>(config_.audio_bitrate.bps() / 8 / 50);
        payload.push_back(31 << 3 | 1 << 2);
        const StampBytes record =
            write_stamp(make_stamp(io::read_wall_clock(), static_cast<std::uint16_t>(audio_frames_)));
        payload.insert(payload.end(), record.begin(), record.end());
        payload.resize(std::max(size, payload.size()), 0x55);
    } else {
        payload = files_.audio[audio_frames_ % files_.audio.size()];
    }
    const auto timestamp = static_cast<std::uint32_t>(audio_->timestamp_offset + audio_frames_ * (kAudioClock / 50));
    send_packet(*audio_, timestamp, audio_frames_ == 0, payload);
    transport_.flush();
}

std::size_t Publisher::write_header(std::uint8_t* slot, const rtp::HeaderFields& fields,
                                    const SendStream& settings, bool with_mid, bool repaired) {
    ByteWriter out({slot, PeerConnection::kSlot});
    const bool transport_cc = config_.extensions.transport_cc != 0;
    const bool names_layer = !settings.rid.empty();
    rtp::HeaderFields with_extension = fields;
    with_extension.has_extension = transport_cc || with_mid || names_layer;
    rtp::write_header(out, with_extension);
    if (with_extension.has_extension) {
        rtp::ExtensionWriter extensions(out);
        if (transport_cc) extensions.add_transport_sequence(config_.extensions, transport_sequence_++);
        if (with_mid || names_layer) extensions.add_mid(config_.extensions, settings.mid);
        if (names_layer && repaired) extensions.add_repaired_rid(config_.extensions, settings.rid);
        if (names_layer && !repaired) extensions.add_rid(config_.extensions, settings.rid);
        extensions.finish();
    }
    return out.size();
}

void Publisher::send_packet(Stream& stream, std::uint32_t timestamp, bool marker, ByteView payload) {
    const rtp::ExtSeq sequence = stream.next_sequence++;
    std::uint8_t* const slot = transport_.reserve();
    const std::size_t header_size = write_header(slot,
                                                 {.marker = marker,
                                                  .payload_type = stream.settings.payload_type,
                                                  .sequence_number = rtp::to_wire(sequence),
                                                  .timestamp = timestamp,
                                                  .ssrc = stream.settings.ssrc},
                                                 stream.settings, stream.packet_count < kPacketsWithMid, false);
    transport_.commit_rtp(header_size, payload, sequence);
    ++stream.packet_count;
    stream.octet_count += static_cast<std::uint32_t>(payload.size());
    stream.last_timestamp = timestamp;
    if (!stream.history.empty()) {
        Stream::Sent& sent = stream.history[sequence % kHistory];
        sent.sequence = sequence;
        sent.timestamp = timestamp;
        sent.marker = marker;
        sent.payload.assign(payload.begin(), payload.end());
    }
}

void Publisher::retransmit(Stream& stream, std::uint16_t sequence_number) {
    if (stream.settings.rtx_ssrc.value == 0 || stream.history.empty() || stream.next_sequence == 0) return;
    const auto back = static_cast<std::uint16_t>(rtp::to_wire(stream.next_sequence - 1) - sequence_number);
    if (back >= kHistory || back >= stream.next_sequence) return;
    const rtp::ExtSeq sequence = stream.next_sequence - 1 - back;
    const Stream::Sent& sent = stream.history[sequence % kHistory];
    if (sent.sequence != sequence) return;
    Bytes payload(rtp::kRtxHeaderSize + sent.payload.size());
    ByteWriter out(payload);
    rtp::write_rtx_header(out, sequence_number);
    out.bytes(sent.payload);
    std::uint8_t* const slot = transport_.reserve();
    const rtp::ExtSeq rtx_sequence = stream.next_rtx_sequence++;
    const std::size_t header_size = write_header(slot,
                                                 {.marker = sent.marker,
                                                  .payload_type = stream.settings.rtx_payload_type,
                                                  .sequence_number = rtp::to_wire(rtx_sequence),
                                                  .timestamp = sent.timestamp,
                                                  .ssrc = stream.settings.rtx_ssrc},
                                                 stream.settings, true, true);
    transport_.commit_rtp(header_size, payload, rtx_sequence);
    ++totals_.counters.retransmitted;
}

Publisher::Stream* Publisher::find(Ssrc media) {
    for (Stream& stream : video_) {
        if (stream.settings.ssrc == media) return &stream;
    }
    return nullptr;
}

void Publisher::handle_rtcp(Instant, ByteView compound) {
    const auto want_key_frame = [this](Ssrc media) {
        Stream* const stream = find(media);
        if (stream == nullptr) return;
        stream->key_frame_wanted = true;
        ++totals_.counters.key_frame_requests;
    };
    rtcp::CompoundReader reader(compound);
    while (const auto packet = reader.next()) {
        if (const auto* pli = std::get_if<rtcp::PliView>(&*packet)) want_key_frame(pli->media);
        if (const auto* fir = std::get_if<rtcp::FirView>(&*packet)) {
            for (const rtcp::FirEntry& entry : fir->entries) want_key_frame(entry.ssrc);
        }
        if (const auto* nack = std::get_if<rtcp::GenericNackView>(&*packet)) {
            if (Stream* const stream = find(nack->media)) {
                nack->for_each([&](std::uint16_t number) { retransmit(*stream, number); });
                transport_.flush();
            }
        }
    }
}

void Publisher::send_reports(Instant) {
    std::array<std::uint8_t, 1200> memory{};
    ByteWriter out(memory);
    const NtpTime ntp = NtpTime::from_wall(io::read_wall_clock());
    const auto report = [&](const Stream& stream) {
        const rtcp::SenderInfo info{.ntp = ntp,
                                    .rtp_timestamp = stream.last_timestamp,
                                    .packet_count = stream.packet_count,
                                    .octet_count = stream.octet_count};
        if (stream.packet_count == 0) return;
        if (!rtcp::write_sender_report(out, stream.settings.ssrc, info, {})) return;
        (void)rtcp::write_sdes_cname(out, stream.settings.ssrc, config_.cname);
    };
    if (audio_) report(*audio_);
    for (const Stream& stream : video_) report(stream);
    if (out.size() > 0) transport_.send_rtcp(out.written());
}

}  // namespace parley::loadgen

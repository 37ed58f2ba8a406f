#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "loadgen/h264_source.h"
#include "loadgen/packetizer.h"
#include "loadgen/peer_connection.h"
#include "rtcp/packets.h"
#include "rtp/extensions.h"
#include "rtp/sequence.h"

namespace parley::loadgen {

/// Media given by the user; shared by all publishers, empty parts are made instead.
struct MediaFiles {
    std::vector<AccessUnit> video;   ///< begins with a key frame
    std::vector<Bytes> audio;        ///< Opus packets of 20 ms
};

/// What was agreed for one sent stream.
struct SendStream {
    Ssrc ssrc;
    Ssrc rtx_ssrc;                ///< 0: no retransmission
    PayloadType payload_type;
    PayloadType rtx_payload_type;
    std::string mid;
    std::string rid;              ///< empty without simulcast
};

/// Sends one audio track and one video track (in one or two encodings) with true frame timing: each frame's
/// packets leave in one burst. Answers NACK with RTX and PLI with a key frame, and writes sender reports.
class Publisher final : public PeerConnection::Media {
public:
    struct Config {
        std::optional<SendStream> audio;
        std::vector<SendStream> video;  ///< the first is the large one
        rtp::ExtensionIds extensions;
        Bitrate video_bitrate;
        Bitrate audio_bitrate;
        std::size_t max_packet = 1200;  ///< RTP header included, protection not
        std::string cname;
    };

    Publisher(PeerConnection& transport, Totals& totals, const MediaFiles& files, Rng rng);
    void configure(Config config);

    void handle_connected(Instant now) override;
    void handle_rtp(Instant, WallTime, const rtp::Header&, ByteView, std::uint64_t) override {}
    void handle_rtcp(Instant now, ByteView compound) override;
    void handle_timer(Instant now) override;
    [[nodiscard]] Instant next_deadline() const override;

private:
    static constexpr Duration kAudioInterval = 20ms;
    static constexpr Duration kReportInterval = 1s;
    static constexpr std::size_t kHistory = 512;
    /// Browsers name the m-line until the first receiver report; so many packets are about as long.
    static constexpr std::uint64_t kPacketsWithMid = 150;

    struct Stream {
        SendStream settings;
        rtp::ExtSeq next_sequence = 0;
        rtp::ExtSeq next_rtx_sequence = 0;
        std::uint32_t timestamp_offset = 0;
        std::uint32_t last_timestamp = 0;
        std::uint32_t packet_count = 0;
        std::uint32_t octet_count = 0;
        bool key_frame_wanted = true;
        std::optional<H264Source> source;  ///< video without a file
        std::size_t file_position = 0;
        std::uint16_t frame = 0;
        struct Sent {
            rtp::ExtSeq sequence = ~rtp::ExtSeq{0};
            std::uint32_t timestamp = 0;
            bool marker = false;
            Bytes payload;
        };
        std::vector<Sent> history;  ///< by sequence number modulo kHistory; video only
    };

    Stream make_stream(const SendStream& settings);
    void send_video(Stream& stream, Instant now);
    void send_audio(Instant now);
    AccessUnit next_picture(Stream& stream, WallTime wall);
    void send_packet(Stream& stream, std::uint32_t timestamp, bool marker, ByteView payload);
    void retransmit(Stream& stream, std::uint16_t sequence_number);
    /// Writes header and extensions into a fresh slot; returns their size.
    std::size_t write_header(std::uint8_t* slot, const rtp::HeaderFields& fields, const SendStream& settings,
                             bool with_mid, bool repaired);
    void send_reports(Instant now);
    Stream* find(Ssrc media);

    PeerConnection& transport_;
    Totals& totals_;
    const MediaFiles& files_;
    Rng rng_;
    Config config_;
    std::optional<Stream> audio_;
    std::vector<Stream> video_;
    std::uint16_t transport_sequence_ = 0;
    Instant media_start_;
    std::uint64_t audio_frames_ = 0;
    std::uint64_t video_frames_ = 0;
    Instant next_audio_ = Instant::max();
    Instant next_video_ = Instant::max();
    Instant next_report_ = Instant::max();
    Payloads payloads_;
};

}  // namespace parley::loadgen

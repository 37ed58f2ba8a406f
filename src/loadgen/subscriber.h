#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "loadgen/packetizer.h"
#include "loadgen/peer_connection.h"
#include "rtcp/packets.h"
#include "rtcp/reception.h"
#include "rtcp/transport_feedback.h"
#include "rtp/extensions.h"
#include "rtp/nack_generator.h"
#include "rtp/sequence.h"

namespace parley::loadgen {

/// What was agreed for one received stream.
struct ReceiveStream {
    Ssrc ssrc;
    Ssrc rtx_ssrc;  ///< 0: none
    bool is_video = false;
};

/// Follows one video stream's pictures in sequence order and says what a decoder could have shown.
class PictureChecker {
public:
    struct Packet {
        bool starts_picture = false;
        bool key_frame = false;
        bool marker = false;
        std::optional<std::uint16_t> frame;  ///< from the stamp
    };
    struct Result {
        std::uint64_t decodable = 0;
        std::uint64_t undecodable = 0;
        std::uint64_t vanished = 0;
    };
    /// Packets that wait for an earlier one; at the bound the oldest gap is given up.
    static constexpr std::size_t kMaxWaiting = 2048;

    Result handle_packet(rtp::ExtSeq sequence, const Packet& packet);
    /// What is missing will not come any more.
    Result give_up();
    /// Nothing can be shown until the next key frame.
    [[nodiscard]] bool needs_key_frame() const { return broken_; }

private:
    void process(const Packet& packet, Result& result);

    std::optional<rtp::ExtSeq> next_;
    std::map<rtp::ExtSeq, Packet> waiting_;
    std::optional<std::uint16_t> last_frame_;
    bool broken_ = true;
    bool in_key_frame_ = false;
};

/// Receives any number of streams as a browser does: checks order and pictures, asks for lost packets and key
/// frames, reports reception and transport-wide arrival times.
class Subscriber final : public PeerConnection::Media {
public:
    Subscriber(PeerConnection& transport, Totals& totals, Rng rng);
    void set_extensions(const rtp::ExtensionIds& ids) { extensions_ = ids; }
    void add_stream(const ReceiveStream& settings);
    void remove_stream(Ssrc ssrc);
    /// When the client began to join; the time to the first packet counts from there.
    void set_join_start(Instant start) { join_start_ = start; }

    void handle_connected(Instant now) override;
    void handle_rtp(Instant now, WallTime arrival, const rtp::Header& header, ByteView packet,
                    std::uint64_t index) override;
    void handle_rtcp(Instant now, ByteView compound) override;
    void handle_timer(Instant now) override;
    [[nodiscard]] Instant next_deadline() const override;

    [[nodiscard]] bool has_media() const { return first_packet_seen_; }
    /// Audio packets that never came; nobody asks for them again.
    [[nodiscard]] std::int64_t audio_lost() const;

private:
    static constexpr Duration kReportInterval = 1s;
    static constexpr Duration kPliInterval = 500ms;

    struct Stream {
        ReceiveStream settings;
        rtp::SequenceUnwrapper unwrapper{1};
        rtcp::ReceptionStats reception;
        rtp::NackGenerator nack;
        PictureChecker pictures;
        Instant next_pli;
        std::uint64_t nack_given_up = 0;
        std::uint64_t nack_requests = 0;
        std::uint64_t nack_recovered = 0;
    };

    void handle_media(Stream& stream, Instant now, WallTime arrival, const rtp::Header& header, ByteView payload,
                      std::uint16_t sequence_number, bool retransmitted);
    void count(const PictureChecker::Result& result, Instant now);
    void send_due(Instant now);
    [[nodiscard]] bool is_audio_only() const;

    PeerConnection& transport_;
    Totals& totals_;
    Ssrc own_ssrc_;
    rtp::ExtensionIds extensions_;
    std::vector<std::unique_ptr<Stream>> streams_;
    rtcp::TransportFeedbackGenerator feedback_;
    Instant join_start_;
    Instant next_report_ = Instant::max();
    Instant next_due_ = Instant::max();
    bool first_packet_seen_ = false;
    bool first_frame_seen_ = false;
};

}  // namespace parley::loadgen

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/ids.h"
#include "base/time.h"
#include "base/transport.h"
#include "media/packet_sink.h"
#include "rtcp/packets.h"
#include "rtcp/reception.h"
#include "rtp/extensions.h"
#include "rtp/sequence.h"
#include "sfu/burst.h"
#include "sfu/counters.h"
#include "sfu/inbound_stream.h"
#include "sfu/media_api.h"
#include "sfu/usage.h"
#include "srtp/session.h"

namespace parley::sfu {

/// One track as one subscriber gets it: layer choice, numbers and timestamps of its own, encryption.
///
/// Sequence numbers follow the source by a constant offset while the layer stays, so that a loss before us
/// shows as a loss behind us and reordering stays reordering. A switch begins at a key frame and continues
/// numbers and time without a gap. Every number goes out at most once, which keeps SRTP indexes unique.
class OutboundStream {
public:
    struct Config {
        PeerId peer;
        TrackId track;
        MediaKind kind = MediaKind::kVideo;
        Ssrc ssrc;
        Ssrc rtx_ssrc;
        PayloadType payload_type;
        PayloadType rtx_payload_type;
        PayloadType red_payload_type;
        std::uint8_t audio_level_id = 0;
        Layer layer = Layer::kHigh;
        std::string cname;
        std::uint16_t first_sequence = 0;      ///< below 2^15, so that the rollover counter starts at 0
        std::uint16_t first_rtx_sequence = 0;
    };
    /// Where the packets go; null sender while the transport is not connected.
    struct Wire {
        srtp::Sender* sender = nullptr;
        Path path;
    };
    /// Retransmissions of one stream for each `kRetransmitWindow`, so that a subscriber cannot make us send
    /// many times the stream.
    static constexpr Duration kRetransmitWindow = 100ms;
    static constexpr std::size_t kMaxRetransmitBytes = 256 * 1024;

    explicit OutboundStream(Config config) : config_(std::move(config)) {
        next_rtx_sequence_ = config_.first_rtx_sequence;
    }

    /// What forwarding a burst did besides sending.
    struct Forwarded {
        std::optional<Layer> switched_to;
        bool wants_key_frame = false;  ///< of the layer that the burst belongs to
    };
    /// Sends what the subscriber should see of a burst of `layer`. `streams[i]` is the inbound side of layer
    /// i, null where there is none. `burst.plan()` has been called.
    Forwarded forward(Instant now,
                      Layer layer,
                      const Burst& burst,
                      std::span<InboundStream* const> streams,
                      const Wire& wire,
                      media::PacketSink& sink,
                      MediaCounters& counters);

    /// Sends packet `sequence_number` (as the subscriber knows it) again by RTX. False: not possible.
    bool retransmit(Instant now,
                    std::uint16_t sequence_number,
                    std::span<InboundStream* const> streams,
                    const Wire& wire,
                    media::PacketSink& sink,
                    MediaCounters& counters);

    void set_layer(Layer layer) { config_.layer = layer; }
    /// The publisher's numbers of this layer begin anew and may repeat: mapped as before they would use SRTP
    /// indexes twice. Ours go on at the next key frame; what was sent of it before is not sent again.
    void restart_layer(Layer layer);
    [[nodiscard]] Layer wanted_layer() const { return config_.layer; }
    [[nodiscard]] std::optional<Layer> current_layer() const { return current_; }
    [[nodiscard]] const Config& config() const { return config_; }
    /// What the subscriber says of this stream; the round trip, if it tells of one.
    std::optional<Duration> handle_report_block(Instant now, const rtcp::ReportBlock& block) {
        const std::uint32_t first = config_.first_sequence;
        if (block.extended_highest >= first && block.extended_highest <= highest_out_) {
            loss_.handle_totals(block.extended_highest - first + 1, block.cumulative_lost);
        }
        return round_trip_.handle_report_block(now, block);
    }
    /// What it said to have lost since the last call.
    LossCount take_loss() { return loss_.take(); }

    /// SR of this stream at `now`; nullopt before media or before the publisher's first SR.
    [[nodiscard]] std::optional<rtcp::SenderInfo> sender_report(
        Instant now, std::span<InboundStream* const> streams) const;
    void handle_report_sent(Instant now, NtpTime ntp) {
        round_trip_.handle_report_sent(now, ntp);
        reported_ = true;
    }
    [[nodiscard]] bool has_reported() const { return reported_; }
    [[nodiscard]] bool has_sent() const { return packets_ > 0; }
    /// Moves what was sent since the last call to `to`: datagrams, and the time of media.
    void take_usage(Usage& to) {
        to.traffic += std::exchange(sent_, {});
        active_.move_to(to.subscribed, config_.kind == MediaKind::kVideo);
    }

private:
    /// How numbers of one layer become ours; older ones are kept for retransmission after a switch.
    struct Mapping {
        Layer layer = Layer::kHigh;
        rtp::ExtSeq first_in = 0;       ///< nothing before it is forwarded
        rtp::ExtSeq end_in = 0;         ///< once replaced: nothing from it on is forwarded
        std::int64_t sequence_offset = 0;
        std::uint32_t timestamp_offset = 0;
        bool is_over = false;           ///< the numbers mean something else now
    };
    static constexpr std::size_t kMappings = 3;
    static constexpr rtp::ExtSeq kMaxOvertakers = 64;
    static constexpr std::size_t kFixedHeader = 12;
    static constexpr std::size_t kAudioLevelBlock = 8;

    /// The number that a packet goes out under.
    static rtp::ExtSeq number_of(const media::Packet& packet, const Mapping& mapping) {
        return static_cast<rtp::ExtSeq>(static_cast<std::int64_t>(packet.ext_seq) + mapping.sequence_offset);
    }
    void switch_to(Instant now,
                   Layer layer,
                   const media::Packet& first,
                   std::span<InboundStream* const> streams);
    /// Where in `burst` forwarding begins, after a switch to `layer` if this is the moment; nullopt: nowhere.
    std::optional<std::size_t> start_of(Instant now,
                                        Layer layer,
                                        const Burst& burst,
                                        std::span<InboundStream* const> streams,
                                        Forwarded& result);
    /// Packets that arrived before the first one of the key frame in `burst` (which was reordered, or repaired)
    /// and belong behind it. Nobody sends them otherwise, and the picture would wait for a repair.
    void send_overtakers(const Burst& burst,
                         std::size_t begin,
                         const InboundStream* stream,
                         const Wire& wire,
                         media::PacketSink& sink,
                         MediaCounters& counters);
    /// Packets of before the last switch that were reordered, or repaired, past it: their numbers are still open,
    /// and a subscriber without RTX could never ask for them.
    void send_late(Layer layer,
                   const Burst& burst,
                   const Wire& wire,
                   media::PacketSink& sink,
                   MediaCounters& counters);
    void send_alone(const media::Packet& packet,
                    const Mapping& mapping,
                    const Wire& wire,
                    media::PacketSink& sink,
                    MediaCounters& counters);
    void send_run(const Burst& burst,
                  std::size_t first,
                  std::size_t count,
                  const Wire& wire,
                  media::PacketSink& sink,
                  MediaCounters& counters);
    [[nodiscard]] std::size_t header_size() const {
        return kFixedHeader + (config_.audio_level_id != 0 ? kAudioLevelBlock : 0);
    }
    std::size_t write_packet(std::uint8_t* out,
                             const media::Packet& packet,
                             const Mapping& mapping,
                             std::size_t padding,
                             srtp::Sender& sender);

    Config config_;
    std::optional<Layer> current_;
    std::array<Mapping, kMappings> mappings_{};  // newest first
    std::size_t mapping_count_ = 0;
    rtp::ExtSeq highest_out_ = 0;
    std::uint32_t last_timestamp_ = 0;
    Instant last_packet_at_;
    rtp::ExtSeq next_rtx_sequence_ = 0;
    std::uint32_t packets_ = 0;
    std::uint32_t octets_ = 0;
    Traffic sent_;
    ActiveTime active_;
    bool reported_ = false;
    Instant retransmit_window_;
    std::size_t retransmitted_ = 0;
    rtcp::RoundTripEstimator round_trip_;
    LossMeter loss_;
};

}  // namespace parley::sfu

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "convert/frame.h"
#include "convert/rtp_to_opus.h"
#include "gateway/conversions.h"
#include "sfu/node.h"

namespace parley::gateway {

/// Several sound tracks as one for the players of one feed: taps the node for each, hands their
/// packets to one conversion that mixes, and gives its AAC frames the times of the feed. Tracks of
/// RTMP publishers are in the node as Opus, like everybody's. A mosaic of pictures would be another
/// source of this kind.
class MixSource {
public:
    /// Of what the mixer takes at once, and how far it stays behind what has come.
    static constexpr Duration kStep = 20ms;
    static constexpr Duration kLatency = 60ms;

    /// Null: no codec is free, or a track is not at the node.
    static std::unique_ptr<MixSource> create(sfu::Node& node,
                                             Conversions& conversions,
                                             ConversionId conversion,
                                             const std::vector<TrackId>& tracks,
                                             Instant now);
    ~MixSource();
    MixSource(const MixSource&) = delete;
    MixSource& operator=(const MixSource&) = delete;

    void handle_packet(Instant now, TrackId track, media::PacketRef packet);
    /// Keeps the mixer going, whether anything came or not.
    void handle_timeout(Instant now);
    /// `anchor`: the feed's media time now. The first frame is put there and the others follow it;
    /// while it is not known, nothing comes out.
    void handle_conversion(Instant now,
                           ConversionResult result,
                           std::optional<convert::MediaTime> anchor,
                           std::vector<convert::FrameRef>& out);

    [[nodiscard]] ConversionId conversion() const { return conversion_; }

private:
    MixSource(sfu::Node& node, Conversions& conversions, ConversionId conversion)
        : node_(node), conversions_(conversions), conversion_(conversion) {}
    void collect(TrackId track);

    sfu::Node& node_;
    Conversions& conversions_;
    ConversionId conversion_;
    std::map<TrackId, convert::RtpToOpus> inputs_;
    std::vector<convert::OpusSample> samples_;
    std::vector<ConversionInput::Sound> pending_;
    Instant advanced_at_{};
    Bytes config_;                              ///< that has not gone out yet
    std::optional<convert::MediaTime> origin_;  ///< of the mixer's time zero
};

}  // namespace parley::gateway

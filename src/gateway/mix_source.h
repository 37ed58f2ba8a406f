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

/// A sound that is mixed, and whose it is: nobody gets his own.
struct MixInput {
    TrackId track;
    std::uint64_t owner = 0;
    friend bool operator==(const MixInput&, const MixInput&) = default;
};

/// Several sound tracks as one, for each of several listeners without his own: taps the node for
/// each track and hands their packets to one conversion that decodes each once, mixes, and encodes
/// once for each listener. Tracks of RTMP publishers are in the node as Opus, like everybody's.
/// Inputs may come and go at any time; nobody hears more of it than that. A mosaic of pictures
/// would be another source of this kind.
class MixSource {
public:
    /// Of what the mixer takes at once, and how far it stays behind what has come.
    static constexpr Duration kStep = 20ms;
    static constexpr Duration kLatency = 60ms;
    /// What one mixer takes; further inputs are left out.
    static constexpr std::size_t kMaxInputs = 64;
    static constexpr std::size_t kMaxOutputs = 64;

    /// Null: no codec is free.
    static std::unique_ptr<MixSource> create(sfu::Node& node,
                                             Conversions& conversions,
                                             ConversionId conversion);
    ~MixSource();
    MixSource(const MixSource&) = delete;
    MixSource& operator=(const MixSource&) = delete;

    /// From now on these. One that is not at the node is waited for. True: all are there.
    bool set_inputs(Instant now, std::vector<MixInput> inputs);
    [[nodiscard]] const std::vector<MixInput>& inputs() const { return inputs_; }

    /// A listener who does not hear what belongs to `owner` (0: hears all). Counted: each needs its
    /// own `remove_output`. False: too many.
    [[nodiscard]] bool add_output(std::uint64_t owner);
    void remove_output(std::uint64_t owner);
    [[nodiscard]] bool is_unused() const { return outputs_.empty(); }

    void handle_packet(Instant now, TrackId track, media::PacketRef packet);
    /// Keeps the mixer going, whether anything came or not.
    void handle_timeout(Instant now);
    /// Keeps the configuration that comes with a frame, for listeners that come later.
    void handle_frame(ConvertedFrame& frame);
    /// Of this listener's sound; empty before the first frame.
    [[nodiscard]] const Bytes& config(std::uint64_t owner) const;

    [[nodiscard]] ConversionId conversion() const { return conversion_; }

private:
    struct Output {
        std::size_t users = 0;
        Bytes config;
    };

    MixSource(sfu::Node& node, Conversions& conversions, ConversionId conversion)
        : node_(node), conversions_(conversions), conversion_(conversion) {}
    void tap_missing(Instant now);
    void make_plan();
    void collect(TrackId track);

    sfu::Node& node_;
    Conversions& conversions_;
    ConversionId conversion_;
    std::vector<MixInput> inputs_;
    std::map<TrackId, convert::RtpToOpus> tapped_;
    std::map<std::uint64_t, Output> outputs_;
    std::shared_ptr<const MixPlan> plan_;
    std::vector<convert::OpusSample> samples_;
    std::vector<ConversionInput::Sound> pending_;
    Instant advanced_at_{};
};

/// What a mixer makes for one listener, on the clock of the feed it goes to.
class MixedSound {
public:
    /// `anchor`: the feed's media time now. The first frame is put there and the others follow it;
    /// while it is not known, nothing comes out. `config` goes in front of the first.
    void handle_frame(Instant now,
                      const ConvertedFrame& frame,
                      const Bytes& config,
                      std::optional<convert::MediaTime> anchor,
                      std::vector<convert::FrameRef>& out);

private:
    std::optional<convert::MediaTime> origin_;  ///< of the mixer's time zero
};

}  // namespace parley::gateway

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "convert/frame.h"

namespace parley::gateway {

/// One conversion of one track in one direction, shared by everybody who wants it.
using ConversionId = StrongId<struct ConversionTag, std::uint64_t>;

enum class ConversionKind : std::uint8_t {
    kAacToOpus,
    kOpusToAac,
    kVp8ToH264,
    kVp9ToH264,
    kAv1ToH264,
    kMixToAac,  ///< several Opus tracks to one
    kHevcToH264,
    kH264ToH264,  ///< streams with reference B pictures, which browsers cannot show
};

/// What a mixer takes in and gives out.
struct MixPlan {
    struct Output {
        std::uint64_t id = 0;
        std::vector<TrackId> left_out;
    };
    std::vector<TrackId> inputs;
    std::vector<Output> outputs;
};

struct ConversionInput {
    enum class What : std::uint8_t {
        kConfig,     ///< `data`: the sequence header, of RTMP
        kFrame,      ///< `data`: one frame at `timestamp`
        kFillUntil,  ///< sound: the sender is silent up to `timestamp`
        kMix,        ///< `sounds` have come by `timestamp`, and `plan` holds
        kKeyFrame,   ///< pictures: the next one shall be a key frame
    };
    What what = What::kFrame;
    /// AAC: nanoseconds of media time. Opus: extended RTP timestamp. Video: extended RTP timestamp,
    /// or nanoseconds of media time for pictures of RTMP. kMix: nanoseconds of the node's clock.
    std::int64_t timestamp = 0;
    bool after_loss = false;
    Bytes data;
    Instant arrived_at{};  ///< here; comes back with what this input completed
    /// Pictures, with kConfig: FLV video tags since the last key frame, which the decoder has to
    /// have seen. Nothing comes of them.
    std::vector<convert::FrameRef> before;
    struct Sound {
        TrackId track;
        std::uint64_t timestamp = 0;  ///< extended, of RTP
        bool after_loss = false;
        Bytes data;
    };
    std::vector<Sound> sounds;
    /// With every kMix: an input may be lost when the codec cannot follow.
    std::shared_ptr<const MixPlan> plan;
};

/// What came of one input, in order.
struct ConvertedFrame {
    /// Opus: 48 kHz ticks of media time. AAC: extended RTP timestamp, of a mix 48 kHz ticks since
    /// its start. H.264: as the input's.
    std::int64_t timestamp = 0;
    bool is_key_frame = false;
    Bytes data;
    Bytes
        config;  ///< with the first frame and whenever it changes: AudioSpecificConfig, AVC record
    std::optional<std::uint8_t> audio_level = std::nullopt;  ///< Opus: of RFC 6464
    std::uint64_t output = 0;  ///< of a mix: which of its plan
};
struct ConversionResult {
    ConversionId id;
    bool wants_key_frame = false;  ///< a picture could not be decoded
    std::vector<ConvertedFrame> frames;
    Instant arrived_at{};  ///< of the input
};

/// Where codec work is done: on other threads, never here. Results come back later, each by
/// `Gateway::handle_conversion`.
class Conversions {
public:
    virtual ~Conversions() = default;
    /// False: no codec for it in this build, or all are busy.
    [[nodiscard]] virtual bool open(ConversionId id, ConversionKind kind) = 0;
    virtual void submit(ConversionId id, ConversionInput input) = 0;
    virtual void close(ConversionId id) = 0;
};

}  // namespace parley::gateway

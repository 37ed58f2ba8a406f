#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "convert/gop_cache.h"
#include "gateway/conversions.h"

namespace parley::gateway {

/// The pictures of an RTMP publisher on their way through the codec pool: open only while somebody
/// wants them. It begins in the middle of a group of pictures; the decoder is shown what came since
/// the key frame.
class VideoConverter {
public:
    /// After a refusal it is tried again no sooner than this.
    static constexpr Duration kRetry = 1s;

    VideoConverter(Conversions& conversions, ConversionId id)
        : conversions_(conversions), id_(id) {}
    ~VideoConverter() { close(); }
    VideoConverter(const VideoConverter&) = delete;
    VideoConverter& operator=(const VideoConverter&) = delete;

    /// `config`: the sequence header. `before`: the group of pictures that the next one belongs to.
    /// False: no codec is free, or it was asked for a moment ago.
    [[nodiscard]] bool open(Instant now,
                            ConversionKind kind,
                            ByteView config,
                            std::vector<convert::FrameRef> before);
    void submit(convert::MediaTime pts, ByteView picture);
    void request_key_frame();
    void close();
    /// Whether this belongs to what is open now, and not to what was closed before it.
    [[nodiscard]] bool accepts(const ConvertedFrame& frame);

    [[nodiscard]] ConversionId id() const { return id_; }
    [[nodiscard]] bool is_open() const { return open_; }
    /// Whether a refusal has not been told yet.
    [[nodiscard]] bool take_refused() { return std::exchange(refused_, false); }

private:
    Conversions& conversions_;
    ConversionId id_;
    bool open_ = false;
    bool refused_ = false;
    bool begun_ = false;  ///< its first frame is here, which has a configuration
    std::optional<Instant> tried_at_;
};

}  // namespace parley::gateway

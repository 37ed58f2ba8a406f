#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/time.h"
#include "convert/frame.h"

namespace parley::convert {

/// The newest group of pictures of one player URL with the audio since its key frame, so that a
/// player shows a picture at once.
///
/// Beyond `max_bytes` or `max_duration` the group is forgotten, not cut (a cut one cannot be
/// decoded), and nothing is cached until the next key frame. Without video the last `audio_only` of
/// sound are kept.
class GopCache {
public:
    struct Config {
        /// Of frames as they lie in memory; part of the 8 MiB that a publisher may cost.
        std::size_t max_bytes = 3 * 1024 * 1024;
        Duration max_duration = 10s;
        Duration audio_only = 200ms;
    };
    struct Stats {
        std::uint64_t groups = 0;
        std::uint64_t forgotten = 0;  ///< groups beyond a bound
    };

    explicit GopCache(const Config& config) : config_(config) {}
    GopCache() : GopCache(Config{}) {}

    void handle_frame(FrameRef frame);
    /// For a player that starts now: configurations first, then the cached frames in the order of
    /// their times, at equal ones the picture first. The caller goes on with those that follow.
    void append_start(std::vector<FrameRef>& out) const;
    /// The video track is gone (`kVideo`) or the audio track: forget its configuration and frames.
    void forget(FrameKind kind);

    [[nodiscard]] bool has_key_frame() const { return has_key_frame_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t frames() const { return frames_.size(); }
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    void clear_frames();
    void drop_front();

    Config config_;
    FrameRef audio_config_;
    FrameRef video_config_;
    std::deque<FrameRef> frames_;
    bool has_key_frame_ = false;
    bool seen_video_ = false;
    std::size_t bytes_ = 0;
    Stats stats_;
};

}  // namespace parley::convert

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/time.h"
#include "convert/frame.h"

namespace parley::convert {

/// What waits for one player. Puts audio and video into the order of their times, and keeps a slow
/// player at the live edge: when more than `max_delay` or `max_bytes` waits, everything before the
/// newest key frame goes (whole groups of pictures), or, if none waits, all video until one comes.
/// A player that is behind all the same is closed with a reason; nobody else notices.
///
///     frames ──► [hold for order] ──► [queue] ──► take() ──► socket
class PlayerQueue {
public:
    struct Config {
        Duration max_delay = 1500ms;  ///< media time that may wait
        /// Held ones too, and what its connection has not sent yet. A frame counts in full for
        /// each player that has it, although they share it. A cached start fits twice.
        std::size_t max_bytes = 7936 * 1024;
        Duration stall_timeout = 10s;  ///< nothing taken although something waits
        /// Closed when it had to be brought to the live edge this often within `drop_window`.
        std::uint32_t max_drops = 10;
        Duration drop_window = 30s;
        /// How long a picture may wait for earlier sound, so that the order of the connection is
        /// that of the times: converted sound comes 60 to 100 ms after its picture, because the AAC
        /// encoder looks two frames ahead. It costs a player that keeps lips and sound together
        /// nothing. Zero: first come, first sent.
        Duration max_picture_hold = 150ms;
        /// Sound does not wait for slow pictures; this only sorts what comes together.
        Duration max_sound_hold = 15ms;
    };
    enum class CloseReason : std::uint8_t { kNone, kStalled, kTooSlow };
    struct Stats {
        std::uint64_t frames = 0;
        std::uint64_t dropped_frames = 0;
        std::uint64_t drops = 0;          ///< times it was brought to the live edge
        std::uint64_t held_too_long = 0;  ///< frames sent without waiting longer for the other kind
    };

    explicit PlayerQueue(const Config& config) : config_(config) {}
    PlayerQueue() : PlayerQueue(Config{}) {}

    /// Which kinds this player gets: with one kind nothing is held.
    void set_expected(bool audio, bool video);
    /// What `GopCache` gives for the start; call it before any `push`. It does not count as delay.
    /// Pictures beyond the newest sound are held like others, but for the first; sound that comes
    /// later and belongs before the first picture is left out.
    void push_start(Instant now, const std::vector<FrameRef>& frames);
    void push(Instant now, FrameRef frame);
    void handle_timeout(Instant now);
    /// When a held frame goes on, or the stall ends the connection; nullopt: nothing to wait for.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The next frame to send; null: nothing is ready. Call it when the socket takes more; `unsent`
    /// bytes of earlier frames are still in memory there.
    [[nodiscard]] FrameRef take(Instant now, std::size_t unsent = 0);
    [[nodiscard]] bool has_ready() const { return !ready_.empty(); }
    /// Pictures were left out up to the next key frame: somebody should ask for it.
    [[nodiscard]] bool waits_for_key_frame() const { return waits_for_key_; }
    [[nodiscard]] CloseReason close_reason() const { return close_reason_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Media time that is ready and waits for the socket.
    [[nodiscard]] MediaTime waiting() const {
        return ready_.empty() ? MediaTime{}
                              : std::max(MediaTime{}, ready_.back()->dts - ready_.front()->dts);
    }
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    struct Held {
        FrameRef frame;
        Instant until;
        bool is_start = false;
    };
    void hold(Instant now, FrameRef frame, bool is_start);
    void make_ready(Instant now, Held held);
    void release_held(Instant now, bool all = false);
    void bound(Instant now);
    void drop_to_live_edge(Instant now);

    Config config_;
    bool expects_[2] = {true, true};
    std::deque<Held> held_[2];            ///< by kind
    std::optional<MediaTime> newest_[2];  ///< time of the newest frame of each kind, held or not
    std::deque<FrameRef> ready_;
    std::size_t start_frames_ = 0;         ///< of `push_start`, at the front of `ready_`
    bool has_picture_ = false;             ///< one has become ready
    std::optional<MediaTime> sound_from_;  ///< the time of the first picture of `push_start`
    std::size_t bytes_ = 0;
    std::size_t unsent_ = 0;  ///< taken, as of the last `take`
    bool waits_for_key_ = false;
    std::optional<Instant> stalled_since_;
    std::deque<Instant> drops_;  ///< at most `max_drops`
    CloseReason close_reason_ = CloseReason::kNone;
    Stats stats_;
};

[[nodiscard]] const char* to_text(PlayerQueue::CloseReason reason);

}  // namespace parley::convert

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "room/types.h"

/// How well members are served, a point every ten seconds.
namespace parley::quality {

/// The length of one point; points end at multiples of it (Unix time).
inline constexpr Duration kGrain = 10s;

struct MemberKey {
    room::RoomKey room;
    std::string user_id;
    friend auto operator<=>(const MemberKey&, const MemberKey&) = default;
};

/// What is known of one member for one stretch of time; an absent figure is not known. Up: from the
/// member to us.
struct Figures {
    using Figure = std::optional<std::uint32_t>;
    Figure up_kbps;
    Figure down_kbps;
    Figure up_loss_permille;    ///< before repair
    Figure down_loss_permille;  ///< the same
    Figure rtt_ms;
    Figure estimate_kbps;  ///< what the member's client says it can take
    Figure layer;          ///< sfu::Layer: the lowest it was sent, of tracks that have several
    Figure freezes;        ///< as its client reports, like the next
    Figure freeze_ms;
    Figure queue_ms;  ///< RTMP and FLV players: media that waits, at the end
    Figure dropped;   ///< the same: frames left out, so that it catches up

    [[nodiscard]] bool is_empty() const { return *this == Figures{}; }
    friend bool operator==(const Figures&, const Figures&) = default;
};

struct MemberFigures {
    std::string user_id;
    Figures figures;
    friend bool operator==(const MemberFigures&, const MemberFigures&) = default;
};

/// The figures of a room's members as they are stored: `[["user",812,null,3],...]`, compact, with
/// the figures in their order above and without the last unknown ones. New figures are added behind
/// the others only.
std::string write_points(const std::vector<MemberFigures>& points);
Result<std::vector<MemberFigures>> read_points(std::string_view text);

/// Several stretches of one member as one: rates are the mean, loss, round trip, queue and layer
/// the worst, the estimate the lowest, freezes and dropped frames the sum.
class Summary {
public:
    void add(const Figures& figures);
    [[nodiscard]] Figures figures() const;

private:
    static constexpr std::size_t kFigures = 11;
    struct One {
        std::uint64_t value = 0;
        std::uint64_t count = 0;
    };
    std::array<One, kFigures> all_{};
};

}  // namespace parley::quality

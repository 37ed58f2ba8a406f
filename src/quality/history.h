#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "quality/point.h"

namespace parley::quality {

/// What is asked of the stored points of one room.
struct HistoryQuery {
    room::RoomKey room;
    std::string user_id;  ///< empty: of all
    WallTime from;        ///< points that end in (from, to]
    WallTime to;
    Duration grain = kGrain;  ///< of the answer, a multiple of kGrain
};

struct Point {
    WallTime at;  ///< the end of its stretch
    Figures figures;
    friend bool operator==(const Point&, const Point&) = default;
};
struct MemberHistory {
    std::string user_id;
    std::vector<Point> points;  ///< by time
    friend bool operator==(const MemberHistory&, const MemberHistory&) = default;
};

/// The finest grain that has at most `kMaxColumns` points in a time of this length.
inline constexpr std::int64_t kMaxColumns = 720;
Duration usual_grain(Duration span);

/// Puts stored points together, in the grain that was asked for.
class HistoryBuilder {
public:
    /// Points of one answer; more are refused.
    static constexpr std::size_t kMaxPoints = 50'000;

    explicit HistoryBuilder(Duration grain) : grain_(grain) {}
    /// A figure of a stretch that was given already is folded into it. False: kMaxPoints.
    [[nodiscard]] bool add(WallTime at, const MemberFigures& member);
    /// By user id.
    [[nodiscard]] std::vector<MemberHistory> take();

private:
    Duration grain_;
    std::map<std::string, std::map<WallTime, Summary>, std::less<>> members_;
    std::size_t points_ = 0;
};

}  // namespace parley::quality

#include "quality/history.h"

#include <array>
#include <utility>

namespace parley::quality {

Duration usual_grain(Duration span) {
    // What people divide an hour and a day by.
    constexpr std::array kGrains{10s, 30s, 60s, 120s, 300s, 600s, 1'800s};
    for (const Duration grain : kGrains) {
        if (span <= grain * kMaxColumns) return grain;
    }
    constexpr Duration kHour = std::chrono::hours(1);
    return kHour * ((span + kHour * kMaxColumns - Duration(1)) / (kHour * kMaxColumns));
}

bool HistoryBuilder::add(WallTime at, const MemberFigures& member) {
    const std::int64_t grain = grain_.count();
    const std::int64_t stretch = (at.time_since_epoch().count() + grain - 1) / grain;
    auto& points = members_[member.user_id];
    const auto [found, is_new] = points.try_emplace(WallTime(Duration(stretch * grain)));
    if (is_new && ++points_ > kMaxPoints) return false;
    found->second.add(member.figures);
    return true;
}

std::vector<MemberHistory> HistoryBuilder::take() {
    std::vector<MemberHistory> out;
    for (const auto& [user, points] : members_) {
        MemberHistory& member = out.emplace_back();
        member.user_id = user;
        member.points.reserve(points.size());
        for (const auto& [at, summary] : points) member.points.push_back({at, summary.figures()});
    }
    members_.clear();
    points_ = 0;
    return out;
}

}  // namespace parley::quality

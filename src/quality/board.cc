#include "quality/board.h"

#include <algorithm>
#include <utility>

namespace parley::quality {
namespace {

std::uint32_t clamp(std::uint64_t value) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
}

std::uint32_t kbps(std::uint64_t bytes) {
    constexpr auto kBitMs = static_cast<std::uint64_t>(kGrain / 1ms);
    return clamp((bytes * 8 + kBitMs / 2) / kBitMs);
}

Figures::Figure permille(const sfu::LossCount& loss) {
    if (loss.expected == 0) return std::nullopt;
    const std::uint64_t lost = std::min(loss.lost, loss.expected);
    return clamp((lost * 1'000 + loss.expected / 2) / loss.expected);
}

void add_freeze(Figures& to, std::uint32_t freezes, Duration frozen) {
    to.freezes = clamp(std::uint64_t{to.freezes.value_or(0)} + freezes);
    to.freeze_ms =
        clamp(std::uint64_t{to.freeze_ms.value_or(0)} + static_cast<std::uint64_t>(to_ms(frozen)));
}

/// The end of the stretch that has this time in it.
WallTime end_of(WallTime at) {
    const std::int64_t grain = kGrain.count();
    return WallTime(Duration((at.time_since_epoch().count() + grain - 1) / grain * grain));
}

}  // namespace

void Board::handle_server_view(const MemberKey& key, const ServerView& view) {
    auto found = members_.find(key);
    if (found == members_.end()) {
        if (members_.size() >= kMaxMembers) {
            ++refused_;
            return;
        }
        found = members_.emplace(key, Member{}).first;
    }
    ServerView& sum = found->second.view ? *found->second.view : found->second.view.emplace();
    sum.bytes_in += view.bytes_in;
    sum.bytes_out += view.bytes_out;
    sum.sample += view.sample;
}

void Board::handle_client_report(const MemberKey& key, const ClientReport& report) {
    const auto found = members_.find(key);
    if (found == members_.end()) return;
    ClientReport& worst = found->second.client;
    const auto take = [](std::optional<std::uint32_t>& mine,
                         const std::optional<std::uint32_t>& theirs) {
        if (theirs) mine = std::max(mine.value_or(0), *theirs);
    };
    take(worst.up_loss_permille, report.up_loss_permille);
    take(worst.rtt_ms, report.rtt_ms);
}

void Board::handle_freeze(WallTime now, const FreezeReport& report) {
    const auto found = members_.find(report.member);
    if (found == members_.end()) return;
    Member& member = found->second;
    if (report.frozen <= Duration::zero() || report.frozen > report.span) return;
    if (report.ended_at > now || now - report.ended_at > kMaxLateness) return;
    if (report.span > kMaxLateness || member.freeze_reports >= kMaxFreezeReports) return;
    ++member.freeze_reports;
    // Where in its time it stood still is not said: the end is as good as any. One track cannot
    // stand still in a stretch for longer than that stretch.
    Duration left = report.frozen;
    std::uint32_t freezes = std::max<std::uint32_t>(report.freezes, 1);
    for (WallTime end = end_of(report.ended_at); left > Duration::zero(); end -= kGrain) {
        const Duration part = std::min(left, kGrain);
        add_freeze(end > closed_at_ ? member.freezes : member.late[end], freezes, part);
        freezes = 0;
        left -= part;
    }
}

Figures Board::figures_of(const Member& member) {
    Figures out = member.freezes;
    if (!member.view) return out;
    const ServerView& view = *member.view;
    const sfu::QualitySample& sample = view.sample;
    // Who has no connection that is counted sends and receives something all the same.
    if (view.bytes_in + view.bytes_out > 0) {
        out.up_kbps = kbps(view.bytes_in);
        out.down_kbps = kbps(view.bytes_out);
    }
    out.up_loss_permille = permille(sample.up);
    if (!out.up_loss_permille) out.up_loss_permille = member.client.up_loss_permille;
    out.down_loss_permille = permille(sample.down);
    // Who only publishes gets no sender report of us, and only its client can measure.
    if (sample.round_trip) {
        out.rtt_ms = clamp(static_cast<std::uint64_t>(to_ms(*sample.round_trip)));
    } else {
        out.rtt_ms = member.client.rtt_ms;
    }
    if (sample.estimate) {
        out.estimate_kbps = clamp(static_cast<std::uint64_t>(sample.estimate->kbps()));
    }
    if (sample.queue) out.queue_ms = clamp(static_cast<std::uint64_t>(to_ms(*sample.queue)));
    out.dropped = sample.dropped;
    if (sample.layer) out.layer = static_cast<std::uint32_t>(*sample.layer);
    return out;
}

bool Board::judge(Member& member, const Figures& figures) const {
    const bool knows_loss = figures.up_loss_permille || figures.down_loss_permille;
    if (!knows_loss && !figures.rtt_ms) return false;
    const std::uint32_t loss =
        std::max(figures.up_loss_permille.value_or(0), figures.down_loss_permille.value_or(0));
    const std::uint32_t rtt = figures.rtt_ms.value_or(0);
    const auto reaches = [](std::uint32_t value, std::uint32_t level, std::uint32_t part) {
        return level != 0 && value >= std::max(level / part, 1U);
    };
    const bool is_bad = reaches(loss, levels_.loss_permille, 1) || reaches(rtt, levels_.rtt_ms, 1);
    const bool is_good =
        !reaches(loss, levels_.loss_permille, 2) && !reaches(rtt, levels_.rtt_ms, 2);
    member.bad_points = is_bad ? member.bad_points + 1 : 0;
    member.good_points = is_good ? member.good_points + 1 : 0;
    const bool changes =
        member.is_bad ? member.good_points >= kGoodPoints : member.bad_points >= kBadPoints;
    if (changes) member.is_bad = !member.is_bad;
    return changes;
}

Board::Closed Board::close(WallTime at) {
    Closed out;
    room::RoomKey room;
    std::map<WallTime, RoomPoints> points;  // of that room
    const auto finish_room = [&] {
        for (auto& [end, each] : points) out.rooms.push_back(std::move(each));
        points.clear();
    };
    const auto put = [&](const MemberKey& key, WallTime end, const Figures& figures) {
        RoomPoints& each = points.try_emplace(end, RoomPoints{key.room, end, {}}).first->second;
        each.members.push_back({key.user_id, figures});
    };
    for (auto next = members_.begin(); next != members_.end();) {
        const auto found = next++;
        const MemberKey& key = found->first;
        Member& member = found->second;
        if (room != key.room) {
            finish_room();
            room = key.room;
        }
        for (const auto& [end, figures] : std::exchange(member.late, {})) put(key, end, figures);
        if (member.view) member.heard_at = at;
        const Figures figures = figures_of(member);
        member.newest.reset();
        if (!figures.is_empty()) {
            put(key, at, figures);
            member.newest = Point{at, figures};
            if (judge(member, figures)) out.alarms.push_back({key, at, member.is_bad, figures});
        }
        member.view.reset();
        member.client = {};
        member.freezes = {};
        member.freeze_reports = 0;
        if (at - member.heard_at > kRememberFor) members_.erase(found);
    }
    finish_room();
    closed_at_ = at;
    return out;
}

const Point* Board::newest(const room::RoomKey& room, std::string_view user) const {
    const auto found = members_.find(MemberKey{room, std::string(user)});
    if (found == members_.end() || !found->second.newest) return nullptr;
    return &*found->second.newest;
}

}  // namespace parley::quality

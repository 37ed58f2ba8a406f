#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quality/client_report.h"
#include "quality/history.h"
#include "quality/point.h"
#include "sfu/quality.h"

namespace parley::quality {

/// When a member is served so badly that its app is told. 0: never for this reason.
struct AlarmLevels {
    std::uint32_t loss_permille = 150;
    std::uint32_t rtt_ms = 400;
};

/// A member's quality fell below a level, or is good again.
struct Alarm {
    MemberKey member;
    WallTime at;
    bool is_bad = false;
    Figures figures;  ///< of the point that decided
};

/// Points of one room that end at one time.
struct RoomPoints {
    room::RoomKey room;
    WallTime at;
    std::vector<MemberFigures> members;
};

/// What a member's peers did in one stretch, as the media worker counted.
struct ServerView {
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    sfu::QualitySample sample;
};

/// Makes points of what media workers and clients report, and remembers the newest of each member.
/// Pure: whoever owns it closes a stretch when the workers' reports about it have come.
///
///     good --(kBadPoints in a row at a level or above)--> bad, alarm
///     bad --(kGoodPoints in a row below half of both levels)--> good, alarm over
///
/// A point without loss and round trip says nothing and changes nothing. So a member raises at most
/// one pair of alarms in 50 s, and one that swings around a level raises one.
class Board {
public:
    static constexpr std::size_t kMaxMembers = 100'000;  ///< of further ones nothing is known
    /// Late reports are taken of a member that was heard of so lately.
    static constexpr Duration kRememberFor = 5min;
    /// Clients report freezes in batches, some minutes late.
    static constexpr Duration kMaxLateness = 10min;
    static constexpr std::uint32_t kMaxFreezeReports = 64;  ///< of one member for each stretch
    static constexpr int kBadPoints = 2;
    static constexpr int kGoodPoints = 3;

    explicit Board(AlarmLevels levels) : levels_(levels) {}

    void handle_server_view(const MemberKey& member, const ServerView& view);
    /// Of members that the workers have told of; others are ignored.
    void handle_client_report(const MemberKey& member, const ClientReport& report);
    void handle_freeze(WallTime now, const FreezeReport& report);

    struct Closed {
        std::vector<RoomPoints> rooms;  ///< also late figures of stretches that were closed before
        std::vector<Alarm> alarms;
    };
    /// The stretch that ended at `at`, a multiple of kGrain, is complete.
    [[nodiscard]] Closed close(WallTime at);

    /// The point that was closed last; nullptr: there was none for this member.
    [[nodiscard]] const Point* newest(const room::RoomKey& room, std::string_view user) const;
    [[nodiscard]] std::size_t members() const { return members_.size(); }
    /// Members of which nothing is known, because kMaxMembers are.
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    struct Member {
        std::optional<ServerView> view;  ///< of the open stretch, like the next two
        ClientReport client;
        Figures freezes;
        std::map<WallTime, Figures> late;
        std::uint32_t freeze_reports = 0;
        std::optional<Point> newest;
        WallTime heard_at;
        bool is_bad = false;
        int bad_points = 0;
        int good_points = 0;
    };
    [[nodiscard]] static Figures figures_of(const Member& member);
    /// True when the member's state changed.
    bool judge(Member& member, const Figures& figures) const;

    AlarmLevels levels_;
    /// By room and user, so that points come by room and in one order.
    std::map<MemberKey, Member> members_;
    WallTime closed_at_{};
    std::uint64_t refused_ = 0;
};

}  // namespace parley::quality

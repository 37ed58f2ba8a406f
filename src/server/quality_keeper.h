#pragma once

#include <cstdint>
#include <vector>

#include "quality/board.h"
#include "server/app_store.h"
#include "server/journal.h"
#include "sfu/usage.h"

namespace parley::server {

/// Writes the points of quality into the store, one transaction for each ten seconds, and tells the
/// journal of alarms. Belongs to the control loop; it never waits.
class QualityKeeper {
public:
    struct Options {
        quality::AlarmLevels alarms;
        Duration retention = 7 * 24h;
    };
    /// How long after its end a stretch is closed: what workers say of it is on its way for that
    /// long at most.
    static constexpr Duration kCloseAfter = 2s;
    /// Points are the first to go when the store cannot keep up: beyond so many waiting writes they
    /// are lost, and counted, so that nothing of more worth is refused for them.
    static constexpr std::size_t kMaxPending = 10'000;

    /// Both must outlive it.
    QualityKeeper(AppStore& apps, Journal& journal, Options options)
        : apps_(apps), journal_(journal), options_(options), board_(options.alarms) {}

    [[nodiscard]] quality::Board& board() { return board_; }
    [[nodiscard]] const quality::Board& board() const { return board_; }

    void handle_reports(const std::vector<sfu::PeerReport>& reports);
    /// Closes the stretch whose time has come, if one has; to be called at `next_close` or later.
    void handle_time(WallTime now);
    /// When the stretch that is open at `now` will be closed.
    [[nodiscard]] static WallTime next_close(WallTime now);
    void prune(WallTime now);

    [[nodiscard]] std::uint64_t lost() const { return lost_; }

private:
    void raise(const quality::Alarm& alarm);

    AppStore& apps_;
    Journal& journal_;
    const Options options_;
    quality::Board board_;
    WallTime closed_at_{};
    std::uint64_t lost_ = 0;  ///< stretches of rooms
};

}  // namespace parley::server

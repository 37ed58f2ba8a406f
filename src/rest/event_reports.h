#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "quality/client_report.h"

namespace parley::rest {

/// Bounds of one report; beyond them it is dropped and counted.
inline constexpr std::size_t kMaxReportBytes = std::size_t{1} << 20;  ///< compressed
inline constexpr std::size_t kMaxPlainReportBytes = std::size_t{8} << 20;
inline constexpr std::size_t kMaxEventsPerReport = 1000;  ///< further ones are not looked at
inline constexpr std::size_t kMaxEventNames = 128;        ///< further names count as "other"
inline constexpr std::size_t kMaxKeptEvents = 256;        ///< then the oldest goes
inline constexpr std::size_t kMaxEventTextBytes = 64;  ///< of each kept text; longer ones are cut

/// Undoes gzip (RFC 1952), bounded. kTooLarge, kMalformed, kTruncated.
Result<std::string> gunzip(std::string_view compressed, std::size_t max_plain_bytes);

/// What clients report of their calls (protocol section 1.6). Nothing in it is needed to run; it is
/// counted, and the newest are kept for an operator's eyes. Anybody can post one.
class EventReports {
public:
    struct Event {
        WallTime received_at;
        std::string name;
        std::string app_id;
        std::string room_name;
        std::string user_id;
    };
    struct Stats {
        std::uint64_t reports = 0;
        std::uint64_t events = 0;
        std::uint64_t dropped_reports = 0;  ///< malformed, or beyond a bound
    };

    /// One POST body: JSON, gzipped or plain. What it says of tracks that stood still.
    std::vector<quality::FreezeReport> handle_report(WallTime now, std::string_view body);

    [[nodiscard]] const Stats& stats() const { return stats_; }
    [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& counts() const {
        return counts_;
    }
    [[nodiscard]] const std::deque<Event>& newest() const { return newest_; }

private:
    using Freezes = std::vector<quality::FreezeReport>;
    Result<Freezes> read_report(WallTime now, std::string_view body);
    void count(std::string_view name);

    Stats stats_;
    std::map<std::string, std::uint64_t, std::less<>> counts_;
    std::deque<Event> newest_;  // newest last
};

}  // namespace parley::rest

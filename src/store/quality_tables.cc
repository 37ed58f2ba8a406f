#include "store/quality_tables.h"

#include <utility>

namespace parley::store {
namespace {

/// Rows of one question: each may be as long as its room is large.
constexpr std::int64_t kRowsAtOnce = 500;

}  // namespace

Statement put_points(const quality::RoomPoints& points) {
    return {"INSERT INTO quality (app_id, room, at_s, points) VALUES ($1, $2, $3, $4)",
            {points.room.app_id,
             points.room.name,
             unix_seconds(points.at),
             quality::write_points(points.members)}};
}

Statement prune_points(WallTime before) {
    return {
        "DELETE FROM quality WHERE at_s < $1 AND at_s < (SELECT MIN(at_s) FROM quality) + $2",
        {unix_seconds(before), std::chrono::duration_cast<std::chrono::seconds>(kPruneSpan).count()}};
}

SqlResult<QualityRead> read_quality(Connection& connection, const quality::HistoryQuery& query) {
    quality::HistoryBuilder builder(query.grain);
    QualityRead out;
    std::size_t points = 0;
    std::int64_t after = unix_seconds(query.from);
    // Rows of one time are never torn apart: the last time of a full batch is asked for again.
    for (std::int64_t limit = kRowsAtOnce;;) {
        auto rows =
            connection.run({"SELECT at_s, points FROM quality WHERE app_id = $1 AND room = "
                            "$2 AND at_s > $3 AND at_s <= $4 ORDER BY at_s LIMIT $5",
                            {query.room.app_id, query.room.name, after, unix_seconds(query.to), limit}});
        if (!rows) return tl::unexpected(rows.error());
        const bool is_full = rows->size() == static_cast<std::size_t>(limit);
        const std::int64_t last = rows->empty() ? after : number_at(rows->back(), 0);
        if (is_full && number_at(rows->front(), 0) == last) {
            limit *= 2;
            continue;
        }
        for (const Row& row : *rows) {
            const std::int64_t at = number_at(row, 0);
            if (is_full && at == last) break;
            const auto members = quality::read_points(text_at(row, 1));
            if (!members) return tl::unexpected(std::string("table quality: a row is damaged"));
            points += members->size();
            for (const quality::MemberFigures& member : *members) {
                if (!query.user_id.empty() && member.user_id != query.user_id) continue;
                out.too_much |= !builder.add(WallTime(std::chrono::seconds(at)), member);
            }
            out.too_much |= points > kMaxPointsRead;
            if (out.too_much) return out;
            after = at;
        }
        if (!is_full) break;
        limit = kRowsAtOnce;
    }
    out.members = builder.take();
    return out;
}

}  // namespace parley::store

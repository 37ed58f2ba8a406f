#include "store/usage_tables.h"

#include <fmt/format.h>

#include <array>

#include "store/event_tables.h"

namespace parley::store {
namespace {

using rest::UsageQuery;
using rest::UsageRow;

constexpr std::int64_t kHour = 3'600;
constexpr std::int64_t kDay = 24 * kHour;

/// What adds up, in the order of `numbers_of`; times are in microseconds.
constexpr std::array kSums{"bytes_in",
                           "bytes_out",
                           "packets_in",
                           "packets_out",
                           "got_audio_us",
                           "got_sd_us",
                           "got_hd_us",
                           "got_fhd_us",
                           "got_uhd_us",
                           "sent_audio_us",
                           "sent_sd_us",
                           "sent_hd_us",
                           "sent_fhd_us",
                           "sent_uhd_us",
                           "merge_us",
                           "forward_us",
                           "record_us"};
using Numbers = std::array<std::int64_t, kSums.size()>;

Numbers numbers_of(const UsageRow& row) {
    const sfu::Traffic& traffic = row.usage.traffic;
    Numbers out{static_cast<std::int64_t>(traffic.bytes_in),
                static_cast<std::int64_t>(traffic.bytes_out),
                static_cast<std::int64_t>(traffic.packets_in),
                static_cast<std::int64_t>(traffic.packets_out)};
    std::size_t at = 4;
    for (const sfu::MediaTime& time : {row.usage.subscribed, row.usage.published}) {
        out[at++] = to_us(time.audio);
        for (const Duration video : time.video) out[at++] = to_us(video);
    }
    for (const Duration job : row.jobs) out[at++] = to_us(job);
    return out;
}

/// The other way, from column `at` on.
void read_numbers(const Row& row, std::size_t at, UsageRow& out) {
    sfu::Traffic& traffic = out.usage.traffic;
    for (std::uint64_t* count :
         {&traffic.bytes_in, &traffic.bytes_out, &traffic.packets_in, &traffic.packets_out}) {
        *count = static_cast<std::uint64_t>(number_at(row, at++));
    }
    const auto time = [&] { return Duration(std::chrono::microseconds(number_at(row, at++))); };
    for (sfu::MediaTime* media : {&out.usage.subscribed, &out.usage.published}) {
        media->audio = time();
        for (Duration& video : media->video) video = time();
    }
    for (Duration& job : out.jobs) job = time();
}

/// `INSERT` of one row, whose parameters are batch, hour, app, room, user, peak and the sums.
const std::string& add_sql() {
    static const std::string sql = [] {
        std::string columns;
        std::string values;
        std::string sums;
        std::size_t parameter = 7;
        for (const char* column : kSums) {
            columns += fmt::format(", {}", column);
            values += fmt::format(", CAST(${} AS BIGINT)", parameter++);
            sums += fmt::format(", {0} = usage_hours.{0} + excluded.{0}", column);
        }
        return fmt::format(
            "INSERT INTO usage_hours (hour_s, app_id, room, user_id, peak_users{}) SELECT CAST($2 "
            "AS BIGINT), "
            "CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT){} WHERE NOT "
            "EXISTS (SELECT 1 "
            "FROM usage_batch WHERE number >= $1) ON CONFLICT (app_id, hour_s, room, user_id) DO "
            "UPDATE SET peak_users "
            "= CASE WHEN excluded.peak_users > usage_hours.peak_users THEN excluded.peak_users "
            "ELSE "
            "usage_hours.peak_users END{}",
            columns,
            values,
            sums);
    }();
    return sql;
}

std::int64_t seconds_of(WallTime time) { return unix_seconds(time); }

}  // namespace

std::vector<Statement> add_usage(std::int64_t batch, const std::vector<UsageRow>& rows) {
    std::vector<Statement> out;
    out.reserve(rows.size() + 2);
    for (const UsageRow& row : rows) {
        const std::int64_t at = seconds_of(row.at);
        Statement add{add_sql(),
                      {batch,
                       at - at % kHour,
                       row.app_id,
                       row.room,
                       row.user_id,
                       static_cast<std::int64_t>(row.peak_users)}};
        for (const std::int64_t number : numbers_of(row)) add.parameters.emplace_back(number);
        out.push_back(std::move(add));
    }
    out.push_back({"UPDATE usage_batch SET number = $1 WHERE number < $1", {batch}});
    return out;
}

SqlResult<std::int64_t> load_usage_batch(Connection& connection) {
    auto rows = connection.run({"SELECT number FROM usage_batch", {}});
    if (!rows) return tl::unexpected(rows.error());
    return rows->empty() ? 0 : number_at(rows->front(), 0);
}

SqlResult<std::vector<UsageRow>> read_usage(Connection& connection, const UsageQuery& query) {
    const std::int64_t step = query.by_day ? kDay : kHour;
    std::string sql = fmt::format("SELECT hour_s / {0} * {0}", step);
    sql += query.by == UsageQuery::By::kRoom ? ", room" : ", ''";
    sql += query.by == UsageQuery::By::kUser ? ", user_id" : ", ''";
    // A row of an app or a room has the peak, rows of users everything else; jobs are of rooms.
    const bool of_app = query.by == UsageQuery::By::kApp && query.room.empty();
    sql +=
        fmt::format(", MAX(CASE WHEN user_id = '' AND (room = '') = {} THEN peak_users ELSE 0 END)",
                    of_app ? "(1 = 1)" : "(1 = 0)");
    for (const char* column : kSums) sql += fmt::format(", CAST(SUM({}) AS BIGINT)", column);
    sql += " FROM usage_hours WHERE app_id = $1 AND hour_s >= $2 AND hour_s < $3";
    Statement ask{{}, {query.app_id, seconds_of(query.from), seconds_of(query.to)}};
    const auto only = [&](const char* column, const std::string& value) {
        if (value.empty()) return;
        ask.parameters.emplace_back(value);
        sql += fmt::format(" AND {} = ${}", column, ask.parameters.size());
    };
    only("room", query.room);
    only("user_id", query.user_id);
    if (query.is_of_users()) sql += " AND user_id <> ''";
    // The app's own row is no room.
    if (query.by == UsageQuery::By::kRoom) sql += " AND room <> ''";
    ask.parameters.emplace_back(static_cast<std::int64_t>(query.limit));
    ask.sql =
        sql + fmt::format(" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT ${}", ask.parameters.size());
    auto rows = connection.run(ask);
    if (!rows) return tl::unexpected(rows.error());
    std::vector<UsageRow> out;
    out.reserve(rows->size());
    for (const Row& row : *rows) {
        UsageRow one;
        one.at = WallTime(std::chrono::seconds(number_at(row, 0)));
        one.app_id = query.app_id;
        one.room = text_at(row, 1);
        one.user_id = text_at(row, 2);
        one.peak_users = static_cast<std::uint64_t>(number_at(row, 3));
        read_numbers(row, 4, one);
        out.push_back(std::move(one));
    }
    return out;
}

std::vector<Statement> prune_usage(WallTime before) {
    // A row has no number of its own: whole hours go, of as many as the oldest rows are in.
    return {
        {"DELETE FROM usage_hours WHERE hour_s IN (SELECT hour_s FROM usage_hours WHERE hour_s < "
         "$1 ORDER BY hour_s "
         "LIMIT $2)",
         {seconds_of(before), kPruneAtOnce}}};
}

}  // namespace parley::store

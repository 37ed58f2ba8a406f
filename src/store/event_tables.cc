#include "store/event_tables.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

namespace parley::store {
namespace {

std::int64_t as_number(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::int64_t as_ns(WallTime time) { return time.time_since_epoch().count(); }
WallTime time_at(const Row& row, std::size_t i) { return WallTime(Duration(number_at(row, i))); }
std::uint64_t count_at(const Row& row, std::size_t i) {
    return static_cast<std::uint64_t>(number_at(row, i));
}

/// The eight columns of an event from `first` on.
webhook::Event read_event(const Row& row, std::size_t first) {
    return {count_at(row, first),
            text_at(row, first + 1),
            text_at(row, first + 2),
            time_at(row, first + 3),
            text_at(row, first + 4),
            text_at(row, first + 5),
            text_at(row, first + 6),
            text_at(row, first + 7)};
}

}  // namespace

Statement put_event(const webhook::Event& event) {
    return {
        "INSERT INTO events (number, id, name, at_ns, app_id, room, user_id, data) VALUES "
        "($1, $2, $3, $4, $5, $6, $7, $8)",
        {as_number(event.number),
         event.id,
         event.name,
         as_ns(event.at),
         event.app_id,
         event.room,
         event.user_id,
         event.data}};
}

Statement put_delivery(const DeliveryRecord& delivery) {
    return {
        "INSERT INTO deliveries (number, id, event, app_id, state, tries, status, error, url, "
        "created_ns, updated_ns, next_ns) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
        "$12)",
        {as_number(delivery.number),
         as_number(delivery.id),
         as_number(delivery.event),
         delivery.app_id,
         static_cast<std::int64_t>(delivery.state),
         std::int64_t{delivery.tries},
         std::int64_t{delivery.status},
         delivery.error,
         delivery.url,
         as_ns(delivery.created_at),
         as_ns(delivery.updated_at),
         as_ns(delivery.next_at)}};
}

Statement put_try(const DeliveryRecord& delivery) {
    return {
        "UPDATE deliveries SET state = $2, tries = $3, status = $4, error = $5, url = $6, "
        "updated_ns = $7, next_ns = $8 WHERE number = $1 AND state = 0",
        {as_number(delivery.number),
         static_cast<std::int64_t>(delivery.state),
         std::int64_t{delivery.tries},
         std::int64_t{delivery.status},
         delivery.error,
         delivery.url,
         as_ns(delivery.updated_at),
         as_ns(delivery.next_at)}};
}

Statement requeue_delivery(const std::string& app_id,
                           std::uint64_t id,
                           std::uint64_t number,
                           WallTime now) {
    return {
        "UPDATE deliveries SET number = $3, state = 0, tries = 0, updated_ns = $4, next_ns = $4 "
        "WHERE app_id = $1 AND id = $2 AND state <> 0",
        {app_id, as_number(id), as_number(number), as_ns(now)}};
}

Statement put_live(const room::RoomKey& room, const std::string& user) {
    return {
        "INSERT INTO live (app_id, room, user_id) VALUES ($1, $2, $3) ON CONFLICT (app_id, room, "
        "user_id) DO NOTHING",
        {room.app_id, room.name, user}};
}

Statement erase_live(const room::RoomKey& room, const std::string& user) {
    return {"DELETE FROM live WHERE app_id = $1 AND room = $2 AND user_id = $3",
            {room.app_id, room.name, user}};
}

std::vector<Statement> prune_events(WallTime before) {
    // The newest stays, so that numbers go on where they were.
    return {{"DELETE FROM events WHERE number IN (SELECT number FROM events WHERE at_ns < $1 AND "
             "number < (SELECT MAX(number) FROM events) ORDER BY at_ns LIMIT $2)",
             {as_ns(before), kPruneAtOnce}},
            {"DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries WHERE "
             "updated_ns < $1 AND number < (SELECT MAX(number) FROM deliveries) ORDER BY "
             "updated_ns LIMIT $2)",
             {as_ns(before), kPruneAtOnce}}};
}

SqlResult<EventContent> load_events(Connection& connection) {
    EventContent out;
    auto last =
        connection.run({"SELECT (SELECT MAX(number) FROM events), (SELECT MAX(event) FROM "
                        "deliveries), (SELECT MAX(number) FROM deliveries), (SELECT "
                        "MAX(id) FROM deliveries)",
                        {}});
    if (!last) return tl::unexpected(last.error());
    if (!last->empty()) {
        const Row& row = last->front();
        out.last_event = std::max(count_at(row, 0), count_at(row, 1));
        out.last_delivery = std::max(count_at(row, 2), count_at(row, 3));
    }
    auto live =
        connection.run({"SELECT app_id, room, user_id FROM live ORDER BY app_id, room, user_id "
                        "DESC",
                        {}});
    if (!live) return tl::unexpected(live.error());
    for (const Row& row : *live)
        out.live.push_back({{text_at(row, 0), text_at(row, 1)}, text_at(row, 2)});
    auto waiting = connection.run(
        {"SELECT app_id, COUNT(*) FROM deliveries WHERE state = 0 GROUP BY app_id", {}});
    if (!waiting) return tl::unexpected(waiting.error());
    for (const Row& row : *waiting) out.waiting.push_back({text_at(row, 0), count_at(row, 1)});
    return out;
}

SqlResult<std::vector<webhook::Delivery>> read_pending(Connection& connection,
                                                       const std::string& app_id,
                                                       std::uint64_t after,
                                                       std::size_t limit) {
    auto rows = connection.run(
        {"SELECT d.number, d.tries, e.number, e.id, e.name, e.at_ns, e.app_id, e.room, e.user_id, "
         "e.data FROM deliveries d JOIN events e ON e.number = d.event WHERE d.app_id = $1 AND "
         "d.state = 0 AND d.number > $2 ORDER BY d.number LIMIT $3",
         {app_id, as_number(after), static_cast<std::int64_t>(limit)}});
    if (!rows) return tl::unexpected(rows.error());
    std::vector<webhook::Delivery> out;
    for (const Row& row : *rows) {
        const webhook::Event event = read_event(row, 2);
        out.push_back({count_at(row, 0),
                       event.app_id,
                       event.room,
                       static_cast<std::uint32_t>(count_at(row, 1)),
                       boost::json::serialize(webhook::event_json(event))});
    }
    return out;
}

SqlResult<std::vector<webhook::Event>> read_events(Connection& connection,
                                                   const EventQuery& query) {
    Statement statement{
        "SELECT number, id, name, at_ns, app_id, room, user_id, data FROM events WHERE app_id = $1 "
        "AND number > $2 AND number <= $3 AND at_ns >= $4 AND at_ns < $5",
        {query.app_id,
         as_number(query.after),
         as_number(query.until),
         as_ns(query.from),
         as_ns(query.to),
         static_cast<std::int64_t>(query.limit)}};
    if (!query.room.empty()) {
        statement.sql += " AND room = $7";
        statement.parameters.emplace_back(query.room);
    }
    statement.sql += " ORDER BY number LIMIT $6";
    auto rows = connection.run(statement);
    if (!rows) return tl::unexpected(rows.error());
    std::vector<webhook::Event> out;
    for (const Row& row : *rows) out.push_back(read_event(row, 0));
    return out;
}

SqlResult<std::vector<PastRoom>> read_past_rooms(Connection& connection,
                                                 const PastRoomQuery& query) {
    Statement statement{
        "SELECT c.number, c.id, c.room, c.at_ns, (SELECT MIN(e.number) FROM events e WHERE "
        "e.app_id = c.app_id AND e.room = c.room AND e.number > c.number AND e.name = "
        "'room_closed') FROM events c WHERE c.app_id = $1 AND c.name = 'room_created' AND c.number "
        "< $2 AND c.at_ns >= $3 AND c.at_ns < $4",
        {query.app_id,
         as_number(query.before),
         as_ns(query.from),
         as_ns(query.to),
         static_cast<std::int64_t>(query.limit)}};
    if (!query.room.empty()) {
        statement.sql += " AND c.room = $6";
        statement.parameters.emplace_back(query.room);
    }
    statement.sql += " ORDER BY c.number DESC LIMIT $5";
    auto rows = connection.run(statement);
    if (!rows) return tl::unexpected(rows.error());
    std::vector<PastRoom> out;
    for (const Row& row : *rows) {
        PastRoom room;
        room.number = count_at(row, 0);
        room.id = text_at(row, 1);
        room.room = text_at(row, 2);
        room.created_at = time_at(row, 3);
        const std::uint64_t closed = count_at(row, 4);
        auto users = connection.run(
            {"SELECT COUNT(CASE WHEN name = 'user_joined' THEN 1 END), MAX(present), MAX(CASE WHEN "
             "name = 'room_closed' THEN at_ns END) FROM (SELECT name, at_ns, SUM(CASE name WHEN "
             "'user_joined' THEN 1 WHEN 'user_left' THEN -1 ELSE 0 END) OVER (ORDER BY number) AS "
             "present FROM events WHERE app_id = $1 AND room = $2 AND number >= $3 AND number <= "
             "$4) AS life",
             {query.app_id,
              room.room,
              as_number(room.number),
              closed == 0 ? INT64_MAX : as_number(closed)}});
        if (!users) return tl::unexpected(users.error());
        room.joins = count_at(users->front(), 0);
        room.peak_users = count_at(users->front(), 1);
        if (closed != 0) room.closed_at = time_at(users->front(), 2);
        out.push_back(std::move(room));
    }
    return out;
}

SqlResult<std::vector<DeliveryRecord>> read_deliveries(Connection& connection,
                                                       const DeliveryQuery& query) {
    Statement statement{
        "SELECT d.number, d.id, d.event, d.app_id, d.state, d.tries, d.status, d.error, d.url, "
        "d.created_ns, d.updated_ns, d.next_ns, e.id, e.name, e.room FROM deliveries d LEFT JOIN "
        "events e ON e.number = d.event WHERE d.app_id = $1 AND d.number < $2",
        {query.app_id, as_number(query.before), static_cast<std::int64_t>(query.limit)}};
    if (query.state >= 0) {
        statement.parameters.emplace_back(query.state);
        statement.sql += " AND d.state = $" + std::to_string(statement.parameters.size());
    }
    if (query.id != 0) {
        statement.parameters.emplace_back(as_number(query.id));
        statement.sql += " AND d.id = $" + std::to_string(statement.parameters.size());
    }
    statement.sql += " ORDER BY d.number DESC LIMIT $3";
    auto rows = connection.run(statement);
    if (!rows) return tl::unexpected(rows.error());
    std::vector<DeliveryRecord> out;
    for (const Row& row : *rows) {
        DeliveryRecord record;
        record.number = count_at(row, 0);
        record.id = count_at(row, 1);
        record.event = count_at(row, 2);
        record.app_id = text_at(row, 3);
        record.state = static_cast<DeliveryState>(number_at(row, 4));
        record.tries = static_cast<std::uint32_t>(number_at(row, 5));
        record.status = static_cast<int>(number_at(row, 6));
        record.error = text_at(row, 7);
        record.url = text_at(row, 8);
        record.created_at = time_at(row, 9);
        record.updated_at = time_at(row, 10);
        record.next_at = time_at(row, 11);
        record.event_id = text_at(row, 12);
        record.event_name = text_at(row, 13);
        record.room = text_at(row, 14);
        out.push_back(std::move(record));
    }
    return out;
}

}  // namespace parley::store

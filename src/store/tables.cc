#include "store/tables.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "store/accounts.h"
#include "store/usage_tables.h"

namespace parley::store {
namespace {

namespace json = boost::json;

/// Element n brings version n to n + 1. Never edited once released, only added to.
using Steps = std::vector<std::string>;
const std::vector<Steps>& migrations() {
    static const std::vector<Steps> all = {
        {
            "CREATE TABLE access_keys (access_key TEXT PRIMARY KEY, secret_key TEXT NOT NULL, "
            "account BIGINT NOT NULL)",
            "CREATE TABLE apps (app_id TEXT PRIMARY KEY, account BIGINT NOT NULL, content TEXT NOT "
            "NULL)",
            "CREATE TABLE jobs (app_id TEXT NOT NULL, room TEXT NOT NULL, id TEXT NOT NULL, "
            "content TEXT NOT NULL, PRIMARY KEY (app_id, room, id))",
        },
        {
            "CREATE TABLE bans (app_id TEXT NOT NULL, room TEXT NOT NULL, user_id TEXT NOT NULL, "
            "reason TEXT NOT NULL, created_ns BIGINT NOT NULL, until_ns BIGINT NOT NULL, "
            "PRIMARY KEY (app_id, room, user_id))",
            "CREATE TABLE closed_rooms (app_id TEXT NOT NULL, room TEXT NOT NULL, "
            "PRIMARY KEY (app_id, room))",
            "ALTER TABLE access_keys ADD COLUMN disabled BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE access_keys ADD COLUMN created_ns BIGINT NOT NULL DEFAULT 0",
        },
        {
            // at_ns and so on: nanoseconds since 1970. deliveries.number is the place in the queue,
            // id the public name, which a replay keeps. live: who is in which room; user_id is empty
            // for the room itself.
            ("CREATE TABLE events (number BIGINT PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT "
             "NULL, at_ns BIGINT NOT NULL, app_id TEXT NOT NULL, room TEXT NOT NULL, user_id TEXT "
             "NOT NULL, data TEXT NOT NULL)"),
            "CREATE INDEX events_of_app ON events (app_id, number)",
            "CREATE INDEX events_of_room ON events (app_id, room, number)",
            "CREATE INDEX events_by_time ON events (at_ns)",
            ("CREATE TABLE deliveries (number BIGINT PRIMARY KEY, id BIGINT NOT NULL, event BIGINT "
             "NOT NULL, app_id TEXT NOT NULL, state BIGINT NOT NULL, tries BIGINT NOT NULL, status "
             "BIGINT NOT NULL, error TEXT NOT NULL, url TEXT NOT NULL, created_ns BIGINT NOT NULL, "
             "updated_ns BIGINT NOT NULL, next_ns BIGINT NOT NULL)"),
            "CREATE INDEX deliveries_of_app ON deliveries (app_id, state, number)",
            "CREATE INDEX deliveries_by_id ON deliveries (app_id, id)",
            "CREATE INDEX deliveries_by_time ON deliveries (updated_ns)",
            ("CREATE TABLE live (app_id TEXT NOT NULL, room TEXT NOT NULL, user_id TEXT NOT NULL, "
             "PRIMARY KEY (app_id, room, user_id))"),
        },
        {
            // A list of rooms reads the events that made them, and not all between.
            "CREATE INDEX events_by_name ON events (app_id, name, number)",
        },
        {
            // Rows are only added, and only deleted by age: a stretch may have several. `points` is what
            // quality::write_points makes.
            "CREATE TABLE quality (app_id TEXT NOT NULL, room TEXT NOT NULL, at_s BIGINT NOT NULL, "
            "points TEXT NOT NULL)",
            "CREATE INDEX quality_of_room ON quality (app_id, room, at_s)",
            "CREATE INDEX quality_by_time ON quality (at_s)",
        },
        {
            ("CREATE TABLE v2_rooms (app_id TEXT NOT NULL, room TEXT NOT NULL, owner TEXT NOT "
             "NULL, user_max BIGINT NOT NULL, was_used BIGINT NOT NULL, created_ns BIGINT NOT "
             "NULL, PRIMARY KEY (app_id, room))"),
        },
        {
            "CREATE TABLE accounts (id BIGINT PRIMARY KEY, name TEXT NOT NULL, disabled BIGINT NOT "
            "NULL, created_ns BIGINT NOT NULL)",
        },
        {
            // A row of an app has an empty room, a row of a room an empty user. got: subscribed;
            // sent: published. usage_batch: the newest change that was added (usage_tables.h).
            "CREATE TABLE usage_hours (app_id TEXT NOT NULL, hour_s BIGINT NOT NULL, room TEXT "
            "NOT NULL, user_id TEXT NOT NULL, peak_users BIGINT NOT NULL, bytes_in BIGINT NOT "
            "NULL, bytes_out BIGINT NOT NULL, packets_in BIGINT NOT NULL, packets_out BIGINT "
            "NOT NULL, got_audio_us BIGINT NOT NULL, got_sd_us BIGINT NOT NULL, got_hd_us "
            "BIGINT NOT NULL, got_fhd_us BIGINT NOT NULL, got_uhd_us BIGINT NOT NULL, "
            "sent_audio_us BIGINT NOT NULL, sent_sd_us BIGINT NOT NULL, sent_hd_us BIGINT NOT "
            "NULL, sent_fhd_us BIGINT NOT NULL, sent_uhd_us BIGINT NOT NULL, merge_us BIGINT "
            "NOT NULL, forward_us BIGINT NOT NULL, record_us BIGINT NOT NULL, PRIMARY KEY "
            "(app_id, hour_s, room, user_id))",
            "CREATE INDEX usage_by_time ON usage_hours (hour_s)",
            "CREATE TABLE usage_batch (number BIGINT NOT NULL)",
            "INSERT INTO usage_batch (number) VALUES (0)",
        },
    };
    return all;
}

SqlResult<std::int64_t> read_version(Connection& connection) {
    auto made =
        connection.run({"CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", {}});
    if (!made) return tl::unexpected(made.error());
    auto rows = connection.run({"SELECT version FROM schema_version", {}});
    if (!rows) return tl::unexpected(rows.error());
    if (!rows->empty()) return number_at(rows->front(), 0);
    if (auto put = connection.run({"INSERT INTO schema_version (version) VALUES (0)", {}}); !put) {
        return tl::unexpected(put.error());
    }
    return 0;
}

WallTime wall_at(const Row& row, std::size_t column) {
    return WallTime(Duration(number_at(row, column)));
}

SqlResult<json::object> parse_content(const Row& row, std::size_t column, const char* table) {
    boost::system::error_code error;
    json::value value = json::parse(text_at(row, column), error);
    if (error || !value.is_object())
        return tl::unexpected(fmt::format("table {}: a row is damaged", table));
    return std::move(value.get_object());
}

/// The records of `select`'s first column, each a JSON object that `read` understands.
template <class Record, class Read>
SqlResult<std::vector<Record>> load_records(Connection& connection,
                                            const char* table,
                                            const char* order,
                                            Read read) {
    auto rows =
        connection.run({fmt::format("SELECT content FROM {} ORDER BY {}", table, order), {}});
    if (!rows) return tl::unexpected(rows.error());
    std::vector<Record> out;
    for (const Row& row : *rows) {
        auto content = parse_content(row, 0, table);
        if (!content) return tl::unexpected(content.error());
        Result<Record> record = read(*content);
        if (!record) return tl::unexpected(fmt::format("table {}: {}", table, record.error().what));
        out.push_back(*std::move(record));
    }
    return out;
}

}  // namespace

std::int64_t schema_version() { return static_cast<std::int64_t>(migrations().size()); }

SqlResult<void> migrate(Connection& connection) {
    auto version = read_version(connection);
    if (!version) return tl::unexpected(version.error());
    if (*version > schema_version()) {
        return tl::unexpected(fmt::format(
            "the store has version {}, this program knows {}: it belongs to a newer parley",
            *version,
            schema_version()));
    }
    for (std::int64_t at = *version; at < schema_version(); ++at) {
        std::vector<Statement> steps;
        for (const std::string& sql : migrations()[static_cast<std::size_t>(at)]) {
            steps.push_back(Statement{sql, {}});
        }
        steps.push_back(Statement{"UPDATE schema_version SET version = $1", {Value(at + 1)}});
        if (auto done = connection.run_together(steps); !done) return done;
    }
    return {};
}

Statement put_key(const KeyRecord& key) {
    return {
        "INSERT INTO access_keys (access_key, secret_key, account, disabled, created_ns) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (access_key) DO UPDATE SET "
        "secret_key = excluded.secret_key, account = excluded.account, "
        "disabled = excluded.disabled, created_ns = excluded.created_ns",
        {key.access_key,
         key.secret_key,
         key.account,
         std::int64_t{key.disabled},
         key.created_at.time_since_epoch().count()}};
}

Statement erase_key(const std::string& access_key) {
    return {"DELETE FROM access_keys WHERE access_key = $1", {access_key}};
}

Statement put_account(const AccountRecord& account) {
    return {
        "INSERT INTO accounts (id, name, disabled, created_ns) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled, "
        "created_ns = excluded.created_ns",
        {account.id,
         account.name,
         std::int64_t{account.disabled},
         account.created_at.time_since_epoch().count()}};
}

Statement put_ban(const room::RoomKey& room, const rest::Ban& ban) {
    return {
        "INSERT INTO bans (app_id, room, user_id, reason, created_ns, until_ns) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app_id, room, user_id) DO UPDATE SET "
        "reason = excluded.reason, created_ns = excluded.created_ns, until_ns = excluded.until_ns",
        {room.app_id,
         room.name,
         ban.user_id,
         ban.reason,
         ban.created_at.time_since_epoch().count(),
         ban.until ? ban.until->time_since_epoch().count() : std::int64_t{0}}};
}

Statement erase_ban(const room::RoomKey& room, const std::string& user) {
    return {"DELETE FROM bans WHERE app_id = $1 AND room = $2 AND user_id = $3",
            {room.app_id, room.name, user}};
}

Statement put_closed_room(const room::RoomKey& room) {
    return {"INSERT INTO closed_rooms (app_id, room) VALUES ($1, $2) "
            "ON CONFLICT (app_id, room) DO NOTHING",
            {room.app_id, room.name}};
}

Statement erase_closed_room(const room::RoomKey& room) {
    return {"DELETE FROM closed_rooms WHERE app_id = $1 AND room = $2", {room.app_id, room.name}};
}

std::vector<Statement> erase_rooms_of_app(const std::string& app_id) {
    return {{"DELETE FROM bans WHERE app_id = $1", {app_id}},
            {"DELETE FROM closed_rooms WHERE app_id = $1", {app_id}},
            {"DELETE FROM v2_rooms WHERE app_id = $1", {app_id}}};
}

Statement put_v2_room(const rest::V2Room& room) {
    return {
        "INSERT INTO v2_rooms (app_id, room, owner, user_max, was_used, created_ns) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app_id, room) DO UPDATE SET "
        "owner = excluded.owner, user_max = excluded.user_max, was_used = excluded.was_used, "
        "created_ns = excluded.created_ns",
        {room.key.app_id,
         room.key.name,
         room.owner_id,
         std::int64_t{room.user_max},
         std::int64_t{room.was_used},
         room.created_at.time_since_epoch().count()}};
}

Statement erase_v2_room(const room::RoomKey& room) {
    return {"DELETE FROM v2_rooms WHERE app_id = $1 AND room = $2", {room.app_id, room.name}};
}

Statement put_app(const rest::AppRecord& app) {
    return {
        "INSERT INTO apps (app_id, account, content) VALUES ($1, $2, $3) "
        "ON CONFLICT (app_id) DO UPDATE SET account = excluded.account, content = excluded.content",
        {app.app_id, app.uid, json::serialize(rest::stored_app_json(app))}};
}

Statement erase_app(const std::string& app_id) {
    return {"DELETE FROM apps WHERE app_id = $1", {app_id}};
}

Statement erase_jobs_of_app(const std::string& app_id) {
    return {"DELETE FROM jobs WHERE app_id = $1", {app_id}};
}

Statement erase_job(const room::RoomKey& room, const std::string& id) {
    return {"DELETE FROM jobs WHERE app_id = $1 AND room = $2 AND id = $3",
            {room.app_id, room.name, id}};
}

Statement put_job(const rest::JobRecord& job) {
    return {
        "INSERT INTO jobs (app_id, room, id, content) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (app_id, room, id) DO UPDATE SET content = excluded.content",
        {job.room.app_id, job.room.name, job.id, json::serialize(rest::stored_job_json(job))}};
}

SqlResult<Content> load_content(Connection& connection) {
    Content out;
    auto accounts = load_accounts(connection);
    if (!accounts) return tl::unexpected(accounts.error());
    out.accounts = std::move(accounts->accounts);
    out.keys = std::move(accounts->keys);
    auto bans = connection.run(
        {"SELECT app_id, room, user_id, reason, created_ns, until_ns FROM bans", {}});
    if (!bans) return tl::unexpected(bans.error());
    for (const Row& row : *bans) {
        rest::Ban ban{text_at(row, 2), text_at(row, 3), wall_at(row, 4), {}};
        if (number_at(row, 5) != 0) ban.until = wall_at(row, 5);
        out.bans.push_back({{text_at(row, 0), text_at(row, 1)}, std::move(ban)});
    }
    auto closed = connection.run({"SELECT app_id, room FROM closed_rooms", {}});
    if (!closed) return tl::unexpected(closed.error());
    for (const Row& row : *closed) out.closed_rooms.push_back({text_at(row, 0), text_at(row, 1)});
    auto v2_rooms = connection.run(
        {"SELECT app_id, room, owner, user_max, was_used, created_ns FROM v2_rooms", {}});
    if (!v2_rooms) return tl::unexpected(v2_rooms.error());
    for (const Row& row : *v2_rooms) {
        out.v2_rooms.push_back({{text_at(row, 0), text_at(row, 1)},
                                text_at(row, 2),
                                static_cast<std::uint32_t>(number_at(row, 3)),
                                number_at(row, 4) != 0,
                                wall_at(row, 5)});
    }
    auto apps = load_records<rest::AppRecord>(connection, "apps", "app_id", rest::app_from_json);
    if (!apps) return tl::unexpected(apps.error());
    out.apps = *std::move(apps);
    auto jobs =
        load_records<rest::JobRecord>(connection, "jobs", "app_id, room, id", rest::job_from_json);
    if (!jobs) return tl::unexpected(jobs.error());
    out.jobs = *std::move(jobs);
    auto events = load_events(connection);
    if (!events) return tl::unexpected(events.error());
    out.events = *std::move(events);
    auto batch = load_usage_batch(connection);
    if (!batch) return tl::unexpected(batch.error());
    out.usage_batch = *batch;
    return out;
}

}  // namespace parley::store

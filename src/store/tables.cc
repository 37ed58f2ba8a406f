#include "store/tables.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

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
        "INSERT INTO access_keys (access_key, secret_key, account) VALUES ($1, $2, $3) "
        "ON CONFLICT (access_key) DO UPDATE SET secret_key = excluded.secret_key, account = "
        "excluded.account",
        {key.access_key, key.secret_key, key.account}};
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
    auto keys = connection.run(
        {"SELECT access_key, secret_key, account FROM access_keys ORDER BY access_key", {}});
    if (!keys) return tl::unexpected(keys.error());
    for (const Row& row : *keys)
        out.keys.push_back({text_at(row, 0), text_at(row, 1), number_at(row, 2)});
    auto apps = load_records<rest::AppRecord>(connection, "apps", "app_id", rest::app_from_json);
    if (!apps) return tl::unexpected(apps.error());
    out.apps = *std::move(apps);
    auto jobs =
        load_records<rest::JobRecord>(connection, "jobs", "app_id, room, id", rest::job_from_json);
    if (!jobs) return tl::unexpected(jobs.error());
    out.jobs = *std::move(jobs);
    return out;
}

}  // namespace parley::store

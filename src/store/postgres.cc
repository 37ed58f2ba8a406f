#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>

#include "store/sql.h"

namespace parley::store {
namespace {

constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kInt8 = 20;
constexpr Oid kText = 25;

struct Finisher {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clearer {
    void operator()(PGresult* result) const { PQclear(result); }
};

std::string first_line(const char* text) {
    const std::string_view all(text == nullptr ? "" : text);
    return std::string(all.substr(0, all.find('\n')));
}

class PostgresConnection final : public Connection {
public:
    explicit PostgresConnection(std::unique_ptr<PGconn, Finisher> connection)
        : connection_(std::move(connection)) {}

    SqlResult<std::vector<Row>> run(const Statement& statement) override {
        // Between transactions a lost connection is made anew; inside one, what came before is lost
        // with it.
        if (PQstatus(connection_.get()) != CONNECTION_OK && statement.sql != "COMMIT") {
            PQreset(connection_.get());
        }
        std::vector<std::string> numbers(statement.parameters.size());
        std::vector<const char*> values;
        std::vector<int> lengths;
        std::vector<Oid> types;
        for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
            const Value& value = statement.parameters[i];
            if (const auto* number = std::get_if<std::int64_t>(&value)) {
                numbers[i] = std::to_string(*number);
                values.push_back(numbers[i].c_str());
                types.push_back(kInt8);
            } else if (const auto* text = std::get_if<std::string>(&value)) {
                // No database text holds a zero byte (PostgreSQL manual, section 8.3).
                if (text->find('\0') != std::string::npos)
                    return tl::unexpected(std::string("text with a zero byte"));
                values.push_back(text->c_str());
                types.push_back(kText);
            } else {
                values.push_back(nullptr);
                types.push_back(0);
            }
            lengths.push_back(0);
        }
        const std::unique_ptr<PGresult, Clearer> result(
            PQexecParams(connection_.get(),
                         statement.sql.c_str(),
                         static_cast<int>(values.size()),
                         types.data(),
                         values.data(),
                         lengths.data(),
                         nullptr,
                         0));
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_COMMAND_OK) return std::vector<Row>{};
        if (status != PGRES_TUPLES_OK) {
            return tl::unexpected("PostgreSQL: " + first_line(PQerrorMessage(connection_.get())));
        }
        std::vector<Row> rows;
        for (int r = 0; r < PQntuples(result.get()); ++r) {
            Row row;
            for (int c = 0; c < PQnfields(result.get()); ++c)
                row.push_back(read(result.get(), r, c));
            rows.push_back(std::move(row));
        }
        return rows;
    }

    /// The database's own tool does it better, and is the one that its operator restores with.
    SqlResult<void> backup_to(const std::string& file, const OnWork&) override {
        std::string command = "pg_dump --format=custom --file=" + file;
        const PGconn* const c = connection_.get();
        for (const auto& [option, value] : {std::pair("--host=", PQhost(c)),
                                            std::pair("--port=", PQport(c)),
                                            std::pair("--username=", PQuser(c)),
                                            std::pair("", PQdb(c))}) {
            if (value != nullptr && *value != '\0') command += fmt::format(" {}{}", option, value);
        }
        return tl::unexpected("PostgreSQL is backed up by its own tool, while the server runs: " +
                              command);
    }

    SqlResult<CheckReport> check(const OnWork& on_work) override {
        CheckReport report;
        auto tables =
            run({"SELECT quote_ident(tablename) FROM pg_catalog.pg_tables "
                 "WHERE schemaname = current_schema() ORDER BY tablename",
                 {}});
        if (!tables) return tl::unexpected(tables.error());
        auto indexes = indexes_to_check(report);
        if (!indexes) return tl::unexpected(indexes.error());
        const auto total = static_cast<std::int64_t>(tables->size() + indexes->size());
        std::int64_t done = 0;
        const auto look = [&](const std::string& sql, const std::string& name) {
            if (on_work) on_work(done++, total);
            if (auto read = run({sql, {}}); !read)
                report.problems.push_back(name + ": " + read.error());
        };
        // Every page and every long value is read, which is where PostgreSQL verifies its
        // checksums.
        for (const Row& row : *tables) {
            look("SELECT sum(length(t::text)) FROM " + text_at(row, 0) + " t",
                 "table " + text_at(row, 0));
        }
        for (const Row& row : *indexes) {
            look("SELECT bt_index_check('" + text_at(row, 0) + "'::regclass, true)",
                 "index " + text_at(row, 0));
        }
        return report;
    }

private:
    /// B-trees, if the extension that knows them is there and this user may call it.
    SqlResult<std::vector<Row>> indexes_to_check(CheckReport& report) {
        auto checksums = run({"SHOW data_checksums", {}});
        if (checksums && !checksums->empty() && text_at(checksums->front(), 0) != "on") {
            report.notes.emplace_back("the database has no page checksums (pg_checksums --enable)");
        }
        auto usable = run(
            {"SELECT 1 FROM pg_catalog.pg_proc WHERE proname = 'bt_index_check' AND pronargs = 2 "
             "AND has_function_privilege(oid, 'EXECUTE')",
             {}});
        if (!usable) return usable;
        if (usable->empty()) {
            report.notes.emplace_back(
                "indexes were not looked at (CREATE EXTENSION amcheck, and the right to call it)");
            return std::vector<Row>{};
        }
        return run(
            {"SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) "
             "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam "
             "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
             "WHERE c.relkind = 'i' AND a.amname = 'btree' AND n.nspname = current_schema() ORDER "
             "BY 1",
             {}});
    }

    static Value read(const PGresult* result, int row, int column) {
        if (PQgetisnull(result, row, column) != 0) return std::monostate{};
        const std::string_view text(PQgetvalue(result, row, column),
                                    static_cast<std::size_t>(PQgetlength(result, row, column)));
        const Oid type = PQftype(result, column);
        if (type == kInt2 || type == kInt4 || type == kInt8) {
            std::int64_t number = 0;
            std::from_chars(text.data(), text.data() + text.size(), number);
            return number;
        }
        return std::string(text);
    }

    std::unique_ptr<PGconn, Finisher> connection_;
};

}  // namespace

SqlResult<std::unique_ptr<Connection>> open_postgres(const std::string& url) {
    std::unique_ptr<PGconn, Finisher> connection(PQconnectdb(url.c_str()));
    if (!connection || PQstatus(connection.get()) != CONNECTION_OK) {
        // libpq's text names host and user, never the password.
        return tl::unexpected("PostgreSQL: " + first_line(connection
                                                              ? PQerrorMessage(connection.get())
                                                              : "out of memory"));
    }
    PQsetNoticeProcessor(
        connection.get(), [](void*, const char*) {}, nullptr);
    return std::make_unique<PostgresConnection>(std::move(connection));
}

}  // namespace parley::store

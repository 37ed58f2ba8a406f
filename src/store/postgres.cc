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

    SqlResult<void> backup_to(const std::string&) override {
        return tl::unexpected(std::string("PostgreSQL is backed up with its own pg_dump"));
    }
    SqlResult<std::vector<std::string>> check() override { return std::vector<std::string>{}; }

private:
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

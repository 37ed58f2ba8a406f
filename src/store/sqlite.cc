#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <unordered_map>

#include "store/sql.h"
#include "store/sqlite_backup.h"

namespace parley::store {
namespace {

constexpr int kBusyTimeoutMs = 5'000;
constexpr std::size_t kMaxPrepared = 128;

struct Finalizer {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, Finalizer>;

struct Closer {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};

std::vector<std::string> sqlite_problems(Connection& connection,
                                         sqlite3* database,
                                         const OnWork& on_work) {
    // About ten times a second; how far it is nobody knows.
    constexpr int kInstructions = 2'000'000;
    const auto tell = [](void* context) {
        (*static_cast<const OnWork*>(context))(0, 0);
        return 0;
    };
    OnWork callback = on_work;
    if (callback) sqlite3_progress_handler(database, kInstructions, tell, &callback);
    std::vector<std::string> problems;
    for (const char* pragma : {"PRAGMA integrity_check", "PRAGMA foreign_key_check"}) {
        const bool keys = std::string_view(pragma).ends_with("foreign_key_check");
        auto rows = connection.run({pragma, {}});
        if (!rows) {  // damage beyond what the check itself can stand
            problems.push_back(rows.error());
            break;
        }
        for (const Row& row : *rows) {
            if (keys) {
                problems.push_back("table " + text_at(row, 0) +
                                   ": a row refers to one that is not there");
            } else if (text_at(row, 0) != "ok") {
                problems.push_back(text_at(row, 0));
            }
        }
    }
    sqlite3_progress_handler(database, 0, nullptr, nullptr);
    return problems;
}

class SqliteConnection final : public Connection {
public:
    SqliteConnection(std::unique_ptr<sqlite3, Closer> database, std::string file)
        : database_(std::move(database)), file_(std::move(file)) {}

    SqlResult<std::vector<Row>> run(const Statement& statement) override {
        auto prepared = prepare(statement.sql);
        if (!prepared) return tl::unexpected(prepared.error());
        sqlite3_stmt* s = *prepared;
        for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
            const int at = static_cast<int>(i + 1);
            const Value& value = statement.parameters[i];
            int result = SQLITE_OK;
            if (const auto* number = std::get_if<std::int64_t>(&value)) {
                result = sqlite3_bind_int64(s, at, *number);
            } else if (const auto* text = std::get_if<std::string>(&value)) {
                // Borrowed: the statement ends before this call does.
                result = sqlite3_bind_text64(
                    s, at, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
            } else {
                result = sqlite3_bind_null(s, at);
            }
            if (result != SQLITE_OK) return complain(s);
        }
        std::vector<Row> rows;
        for (;;) {
            const int result = sqlite3_step(s);
            if (result == SQLITE_DONE) break;
            if (result != SQLITE_ROW) return complain(s);
            Row row;
            for (int column = 0; column < sqlite3_column_count(s); ++column)
                row.push_back(read(s, column));
            rows.push_back(std::move(row));
        }
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
        return rows;
    }

    SqlResult<void> backup_to(const std::string& file, const OnWork& on_work) override {
        // In a read transaction the pages stay as they are, whoever writes: without it each write
        // of another process makes the copy begin anew.
        if (auto begun = run({"BEGIN", {}}); !begun) return tl::unexpected(begun.error());
        auto done = run({"SELECT count(*) FROM sqlite_master", {}})
                        .and_then([&](auto&&) -> SqlResult<void> {
                            return write_backup(database_.get(), file, on_work);
                        });
        static_cast<void>(run({"ROLLBACK", {}}));
        return done;
    }

    SqlResult<CheckReport> check(const OnWork& on_work) override {
        return CheckReport{sqlite_problems(*this, database_.get(), on_work), {}};
    }

private:
    static Value read(sqlite3_stmt* s, int column) {
        switch (sqlite3_column_type(s, column)) {
            case SQLITE_INTEGER:
                return std::int64_t{sqlite3_column_int64(s, column)};
            case SQLITE_NULL:
                return std::monostate{};
            default:
                break;
        }
        const void* bytes = sqlite3_column_blob(s, column);
        const int size = sqlite3_column_bytes(s, column);
        return bytes == nullptr
                   ? std::string()
                   : std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }

    SqlResult<sqlite3_stmt*> prepare(const std::string& sql) {
        if (const auto found = prepared_.find(sql); found != prepared_.end())
            return found->second.get();
        // $1 is a parameter's name to SQLite, so its number follows first use; ?1 is its number.
        std::string numbered = sql;
        for (std::size_t i = 0; i + 1 < numbered.size(); ++i) {
            if (numbered[i] == '$' && numbered[i + 1] >= '1' && numbered[i + 1] <= '9')
                numbered[i] = '?';
        }
        sqlite3_stmt* raw = nullptr;
        const int result = sqlite3_prepare_v2(
            database_.get(), numbered.data(), static_cast<int>(numbered.size()), &raw, nullptr);
        if (result != SQLITE_OK) return tl::unexpected(explain());
        if (prepared_.size() >= kMaxPrepared) prepared_.clear();
        return prepared_.emplace(sql, Prepared(raw)).first->second.get();
    }

    tl::unexpected<std::string> complain(sqlite3_stmt* s) {
        std::string text = explain();
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
        return tl::unexpected(std::move(text));
    }
    [[nodiscard]] std::string explain() const {
        return fmt::format("{}: {}", file_, sqlite3_errmsg(database_.get()));
    }

    std::unique_ptr<sqlite3, Closer> database_;
    std::string file_;
    std::unordered_map<std::string, Prepared>
        prepared_;  // after the database: finalised before it closes
};

}  // namespace

SqlResult<std::unique_ptr<Connection>> open_sqlite(const std::string& file) {
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const mode_t old_mask = ::umask(S_IRWXG | S_IRWXO);
    const int result = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
    std::unique_ptr<sqlite3, Closer> database(raw);
    ::umask(old_mask);
    if (result != SQLITE_OK) {
        return tl::unexpected(
            fmt::format("{}: {}", file, raw != nullptr ? sqlite3_errmsg(raw) : "out of memory"));
    }
    sqlite3_busy_timeout(raw, kBusyTimeoutMs);
    auto connection = std::make_unique<SqliteConnection>(std::move(database), file);
    for (const char* setting :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON"}) {
        if (auto done = connection->run({setting, {}}); !done) return tl::unexpected(done.error());
    }
    return connection;
}

}  // namespace parley::store

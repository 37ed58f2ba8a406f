#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

namespace parley::store {

/// NULL, an integer of 64 bits, or text in UTF-8: what both databases keep alike.
using Value = std::variant<std::monostate, std::int64_t, std::string>;
using Row = std::vector<Value>;

/// Text of column `i`; empty for NULL and numbers.
std::string text_at(const Row& row, std::size_t i);
/// Number of column `i`; 0 for NULL and texts.
std::int64_t number_at(const Row& row, std::size_t i);

/// One line for the operator; never a password.
template <class T>
using SqlResult = tl::expected<T, std::string>;

/// SQL that both databases understand, with parameters $1, $2, ...
struct Statement {
    std::string sql;
    std::vector<Value> parameters;
};

/// Called now and then during long work: so much of `total` is done; `total` is 0 where nobody
/// knows.
using OnWork = std::function<void(std::int64_t done, std::int64_t total)>;

struct CheckReport {
    std::vector<std::string> problems;
    std::vector<std::string> notes;  ///< what was not looked at, and why
};

/// One connection. Blocks; belongs to one thread.
class Connection {
public:
    virtual ~Connection() = default;
    virtual SqlResult<std::vector<Row>> run(const Statement& statement) = 0;
    /// All of them, or none. Returns when they are on disk.
    SqlResult<void> run_together(std::span<const Statement> statements);
    /// A checked copy of the whole database as it is at one moment, which can be opened in its
    /// place; others may write meanwhile. The file must not exist, and does only when all of it is
    /// on disk.
    virtual SqlResult<void> backup_to(const std::string& file, const OnWork& on_work) = 0;
    /// The database's own check of its files.
    virtual SqlResult<CheckReport> check(const OnWork& on_work) = 0;
};

/// WAL and synchronous=FULL: a commit that returned survives a power cut.
SqlResult<std::unique_ptr<Connection>> open_sqlite(const std::string& file);
/// `url` as libpq takes it: postgresql://user:password@host/database. Reconnects by itself.
SqlResult<std::unique_ptr<Connection>> open_postgres(const std::string& url);
/// By the scheme: postgresql:// and postgres://, anything else is a SQLite file.
SqlResult<std::unique_ptr<Connection>> open_database(const std::string& url);

}  // namespace parley::store

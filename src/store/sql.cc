#include "store/sql.h"

namespace parley::store {

std::string text_at(const Row& row, std::size_t i) {
    const auto* text = i < row.size() ? std::get_if<std::string>(&row[i]) : nullptr;
    return text != nullptr ? *text : std::string();
}

std::int64_t number_at(const Row& row, std::size_t i) {
    const auto* number = i < row.size() ? std::get_if<std::int64_t>(&row[i]) : nullptr;
    return number != nullptr ? *number : 0;
}

SqlResult<void> Connection::run_together(std::span<const Statement> statements) {
    if (auto begun = run({"BEGIN", {}}); !begun) return tl::unexpected(begun.error());
    for (const Statement& statement : statements) {
        if (auto done = run(statement); !done) {
            static_cast<void>(run({"ROLLBACK", {}}));  // whatever it says, the first error counts
            return tl::unexpected(done.error());
        }
    }
    if (auto kept = run({"COMMIT", {}}); !kept) {
        static_cast<void>(run({"ROLLBACK", {}}));
        return tl::unexpected(kept.error());
    }
    return {};
}

SqlResult<std::unique_ptr<Connection>> open_database(const std::string& url) {
    const bool is_server = url.starts_with("postgresql://") || url.starts_with("postgres://");
    return is_server ? open_postgres(url) : open_sqlite(url);
}

}  // namespace parley::store

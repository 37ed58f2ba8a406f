#include "store/maintenance.h"

#include <fmt/format.h>

#include "store/tables.h"

namespace parley::store {

SqlResult<CheckReport> check_store(Connection& connection, const OnWork& on_work) {
    auto report = connection.check(on_work);
    // Rows of a damaged file only confuse.
    if (!report || !report->problems.empty()) return report;
    auto rows = connection.run({"SELECT version FROM schema_version", {}});
    if (!rows || rows->size() != 1) {
        report->problems.emplace_back(
            "this is no store of parley, or one that was never started: it has no version");
        return report;
    }
    const std::int64_t version = number_at(rows->front(), 0);
    if (version > schema_version()) {
        report->problems.push_back(fmt::format(
            "the store has version {}, this program knows {}: it belongs to a newer parley",
            version,
            schema_version()));
        return report;
    }
    if (version < schema_version()) {
        report->notes.push_back(
            fmt::format("version {} becomes {} at the next start; its rows were not looked at",
                        version,
                        schema_version()));
        return report;
    }
    if (auto content = load_content(connection); !content)
        report->problems.push_back(content.error());
    return report;
}

}  // namespace parley::store

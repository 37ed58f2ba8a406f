#include "cli/store_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "cli/commands.h"
#include "io/clock.h"
#include "io/files.h"
#include "server/app_store.h"
#include "store/maintenance.h"

namespace parley::cli {
namespace {

/// Tells people who wait: on a terminal in one line that changes, else by a line now and then.
class Progress {
public:
    explicit Progress(std::string_view what) : what_(what), last_(started_) {}
    ~Progress() {
        if (is_shown_ && is_terminal_) fmt::print(stderr, "\r\033[K");
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void tell(std::int64_t done, std::int64_t total) {
        const Instant now = io::read_monotonic_clock();
        if (now - last_ < (is_terminal_ ? 200ms : 10s)) return;
        last_ = now;
        is_shown_ = true;
        const auto seconds =
            std::chrono::duration_cast<std::chrono::seconds>(now - started_).count();
        std::string line = fmt::format("{}: {} s", what_, seconds);
        if (total > 0) line += fmt::format(", {} %", done * 100 / total);
        fmt::print(
            stderr, "{}{}{}", is_terminal_ ? "\r" : "", line, is_terminal_ ? "\033[K" : "\n");
    }

private:
    std::string_view what_;
    bool is_terminal_ = ::isatty(STDERR_FILENO) != 0;
    bool is_shown_ = false;
    Instant started_ = io::read_monotonic_clock();
    Instant last_;
};

bool is_server(const std::string& url) {
    return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

/// What a person recognises, without the password that a URL may hold.
std::string name_of(const std::string& url) { return is_server(url) ? "PostgreSQL" : url; }

}  // namespace

store::SqlResult<std::unique_ptr<store::Connection>> open_existing_store(const std::string& url) {
    if (!is_server(url) && !io::stamp_file(url)) {
        return tl::unexpected(
            url + ": does not exist; name the server's data directory or settings file");
    }
    return store::open_database(url);
}

int check_store_files(const server::ConfigSources& sources, const std::string& file) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return complain(loaded.error, kExitUsage);
    const std::string url = file.empty() ? server::store_url(loaded.config) : file;
    auto connection = open_existing_store(url);
    if (!connection) return complain(connection.error());
    store::SqlResult<store::CheckReport> report;
    {
        Progress progress("checking");
        report = store::check_store(**connection, [&](std::int64_t done, std::int64_t total) {
            progress.tell(done, total);
        });
    }
    if (!report) return complain(report.error());
    for (const std::string& note : report->notes) fmt::print("{}: note: {}\n", name_of(url), note);
    for (const std::string& problem : report->problems) complain(problem);
    if (!report->problems.empty()) return kExitFailure;
    fmt::print("{}: ok\n", name_of(url));
    return kExitOk;
}

int backup_store(const server::ConfigSources& sources, const std::string& file) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return complain(loaded.error, kExitUsage);
    auto connection = open_existing_store(server::store_url(loaded.config));
    if (!connection) return complain(connection.error());
    store::SqlResult<void> done;
    {
        Progress progress("copying");
        done = (*connection)->backup_to(file, [&](std::int64_t part, std::int64_t all) {
            progress.tell(part, all);
        });
    }
    if (!done) return complain(done.error());
    const auto stamp = io::stamp_file(file);
    fmt::print("{}: {} bytes, checked\n", file, stamp ? stamp->size : 0);
    return kExitOk;
}

}  // namespace parley::cli

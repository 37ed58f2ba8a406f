#include "store/sqlite_backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace parley::store {
namespace {

constexpr int kPagesAtOnce = 1'024;

struct CloseCopy {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Copy = std::unique_ptr<sqlite3, CloseCopy>;

std::string explain_errno(const std::string& file) {
    return fmt::format("{}: {}", file, std::strerror(errno));
}

/// Gone with everything beside it, unless it got its name.
class PartialFile {
public:
    explicit PartialFile(std::string path) : path_(std::move(path)) {}
    ~PartialFile() {
        if (!is_made_) return;
        for (const char* ending : {"", "-journal", "-wal", "-shm"})
            ::unlink((path_ + ending).c_str());
    }
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;

    /// For the owner only before there is anything in it.
    SqlResult<void> make() {
        const int fd =
            ::open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (fd < 0 && errno == EEXIST) {
            return tl::unexpected(
                path_ +
                ": exists; another backup writes it, or one was interrupted: then remove it");
        }
        if (fd < 0) return tl::unexpected(explain_errno(path_));
        ::close(fd);
        is_made_ = true;
        return {};
    }
    SqlResult<void> rename_to(const std::string& name) {
        // A file that has come up meanwhile is not overwritten, where the file system can promise
        // that.
        int failed = ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, name.c_str(), RENAME_NOREPLACE);
        if (failed != 0 && errno == EINVAL) failed = ::rename(path_.c_str(), name.c_str());
        if (failed != 0) return tl::unexpected(explain_errno(name));
        is_made_ = false;
        const std::filesystem::path folder = std::filesystem::path(name).parent_path();
        const int fd =
            ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            ::fsync(fd);
            ::close(fd);
        }
        return {};
    }

private:
    std::string path_;
    bool is_made_ = false;
};

SqlResult<void> copy_pages(sqlite3* source,
                           sqlite3* copy,
                           const std::string& name,
                           const OnWork& on_work) {
    sqlite3_backup* const backup = sqlite3_backup_init(copy, "main", source, "main");
    if (backup == nullptr) return tl::unexpected(fmt::format("{}: {}", name, sqlite3_errmsg(copy)));
    int result = SQLITE_OK;
    while (result == SQLITE_OK) {
        result = sqlite3_backup_step(backup, kPagesAtOnce);
        const int total = sqlite3_backup_pagecount(backup);
        if (on_work) on_work(total - sqlite3_backup_remaining(backup), total);
    }
    sqlite3_backup_finish(backup);
    if (result != SQLITE_DONE)
        return tl::unexpected(fmt::format("{}: {}", name, sqlite3_errstr(result)));
    return {};
}

SqlResult<void> check_copy(sqlite3* copy, const std::string& name) {
    std::string verdict;
    char* problem = nullptr;
    const auto take = [](void* out, int, char** values, char**) {
        if (static_cast<std::string*>(out)->empty()) *static_cast<std::string*>(out) = values[0];
        return 0;
    };
    const int result = sqlite3_exec(copy, "PRAGMA quick_check(1)", take, &verdict, &problem);
    if (problem != nullptr) verdict = problem;
    sqlite3_free(problem);
    if (result == SQLITE_OK && verdict == "ok") return {};
    return tl::unexpected(fmt::format(
        "{}: the copy is damaged, as the store seems to be (see `parley store check`): {}",
        name,
        verdict));
}

}  // namespace

SqlResult<void> write_backup(sqlite3* source, const std::string& file, const OnWork& on_work) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) == 0) return tl::unexpected(file + ": exists already");
    const std::string partial = file + ".partial";
    PartialFile guard(partial);
    if (auto made = guard.make(); !made) return made;
    {
        sqlite3* raw = nullptr;
        const int opened = sqlite3_open_v2(
            partial.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
        const Copy copy(raw);
        if (opened != SQLITE_OK)
            return tl::unexpected(fmt::format("{}: {}", partial, sqlite3_errstr(opened)));
        sqlite3_exec(copy.get(), "PRAGMA synchronous=FULL", nullptr, nullptr, nullptr);
        if (auto copied = copy_pages(source, copy.get(), partial, on_work); !copied) return copied;
        if (auto checked = check_copy(copy.get(), partial); !checked) return checked;
    }
    return guard.rename_to(file);
}

}  // namespace parley::store

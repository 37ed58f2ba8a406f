#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Small files, for start-up and for pages; never on a media thread.
namespace parley::io {

/// kNotFound, kForbidden, kTooLarge, or kSystem (a directory, an unreadable disk).
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

/// Modes of what nobody else may read.
inline constexpr std::uint32_t kOwnerOnly = 0600;
inline constexpr std::uint32_t kOwnerOnlyDirectory = 0700;

/// Writes a new file beside it, syncs it, and renames: after a crash there is the old or the new content,
/// never a mixture. `mode` as for open(2). kForbidden, kSystem.
Result<void> write_file_durably(const std::string& path, std::string_view content, std::uint32_t mode);

/// Makes the directory and its parents; a new directory has `mode`. kForbidden, kSystem.
Result<void> make_directory(const std::string& path, std::uint32_t mode);

struct FileStamp {
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
/// Changes when the file does. kNotFound also for what is not a regular file.
Result<FileStamp> stamp_file(const std::string& path);

/// Regular files below `root`, as paths relative to it, sorted; symbolic links are not followed out of it.
/// At most `max_files`, else kTooLarge.
Result<std::vector<std::string>> list_files(const std::string& root, std::size_t max_files);

/// A lock that the kernel gives back when the process ends, however it ends.
class FileLock {
public:
    /// kBusy: another process holds it.
    static Result<FileLock> acquire(const std::string& path);
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;
    ~FileLock();

private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

/// Whether somebody may be reading along, rather than a file or another program.
bool is_terminal(std::FILE* file);

/// Folder of the running program; empty if the system does not tell.
std::string program_directory();

/// Raises the soft limit of open files to the hard one; returns it.
std::uint64_t raise_open_file_limit();

}  // namespace parley::io

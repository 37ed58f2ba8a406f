#include "io/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace parley::io {
namespace {

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool ok() const { return fd_ >= 0; }
    int take() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

tl::unexpected<Error> last_error(const char* what) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(Errc::kNotFound, what);
    if (errno == EACCES || errno == EPERM || errno == EROFS) return fail(Errc::kForbidden, what);
    return fail(Errc::kSystem, what);
}

Result<void> sync_directory(const std::string& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.ok() || ::fsync(directory.get()) != 0) return last_error("sync directory");
    return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.ok()) return last_error("open file");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return last_error("file status");
    if (!S_ISREG(status.st_mode)) return fail(Errc::kSystem, "not a regular file");
    std::string out;
    char chunk[65536];
    for (;;) {
        const ssize_t got = ::read(file.get(), chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return last_error("read file");
        if (got == 0) return out;
        out.append(chunk, static_cast<std::size_t>(got));
        if (out.size() > max_bytes) return fail(Errc::kTooLarge, "file");
    }
}

Result<void> write_file_durably(const std::string& path, std::string_view content, std::uint32_t mode) {
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());
    {
        const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
        if (!file.ok()) return last_error("create file");
        // The process's umask may have taken bits away.
        if (::fchmod(file.get(), mode) != 0) return last_error("set file mode");
        while (!content.empty()) {
            const ssize_t written = ::write(file.get(), content.data(), content.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return last_error("write file");
            content.remove_prefix(static_cast<std::size_t>(written));
        }
        if (::fsync(file.get()) != 0) return last_error("sync file");
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) return last_error("rename file");
    const std::size_t slash = path.rfind('/');
    return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

Result<void> make_directory(const std::string& path, std::uint32_t mode) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) return {};
        return fail(Errc::kSystem, "not a directory");
    }
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    std::error_code ec;
    if (!parent.empty()) std::filesystem::create_directories(parent, ec);
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return last_error("make directory");
    if (::chmod(path.c_str(), mode) != 0) return last_error("set directory mode");
    return {};
}

Result<FileStamp> stamp_file(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return last_error("file status");
    if (!S_ISREG(status.st_mode)) return fail(Errc::kNotFound, "not a regular file");
    return FileStamp{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
                     static_cast<std::uint64_t>(status.st_size),
                     status.st_ino};
}

Result<std::vector<std::string>> list_files(const std::string& root, std::size_t max_files) {
    namespace fs = std::filesystem;
    std::vector<std::string> out;
    std::error_code ec;
    fs::recursive_directory_iterator entry(root, fs::directory_options::skip_permission_denied, ec);
    if (ec) return fail(Errc::kNotFound, "directory");
    for (; entry != fs::recursive_directory_iterator(); entry.increment(ec)) {
        if (ec) return fail(Errc::kSystem, "directory");
        std::error_code type_error;
        if (!fs::is_regular_file(entry->symlink_status(type_error))) continue;
        if (out.size() == max_files) return fail(Errc::kTooLarge, "too many files");
        out.push_back(entry->path().lexically_relative(root).generic_string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

Result<FileLock> FileLock::acquire(const std::string& path) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.ok()) return last_error("open lock file");
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return fail(Errc::kBusy, "locked");
        return last_error("lock file");
    }
    return FileLock(file.take());
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}
FileLock::~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool is_terminal(std::FILE* file) { return ::isatty(::fileno(file)) == 1; }

std::string program_directory() {
    std::error_code ec;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ec);
    return ec ? std::string() : program.parent_path().string();
}

std::uint64_t raise_open_file_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

}  // namespace parley::io

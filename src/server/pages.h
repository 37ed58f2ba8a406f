#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/http_server.h"

namespace parley::server {

/// The web pages, read into memory once and served from there. Only files that were listed at the start
/// have a name here, so that no request path ever reaches the file system.
class Pages {
public:
    static constexpr std::size_t kMaxFiles = 10'000;
    static constexpr std::size_t kMaxFileBytes = 64 * 1024 * 1024;
    static constexpr std::size_t kMaxTotalBytes = 256 * 1024 * 1024;

    Pages() = default;
    /// What cannot be read is left out. kNotFound: no such folder; kTooLarge: beyond the bounds.
    static Result<Pages> load(const std::string& root);

    [[nodiscard]] bool empty() const { return files_.empty(); }
    [[nodiscard]] std::size_t size() const { return files_.size(); }

    /// A reply for GET and HEAD; nullopt when the path is no page. `/`, `/call` and everything below `/r/`
    /// are the application (index.html), `/console` and what is below it the console (console.html); each
    /// reads its own path.
    [[nodiscard]] std::optional<io::HttpReply> find(std::string_view target,
                                                    std::string_view if_none_match) const;

private:
    struct File {
        std::shared_ptr<const std::string> content;
        std::string etag;
        std::string type;
        bool immutable = false;  ///< its name has a hash of its content
    };
    std::map<std::string, File, std::less<>> files_;  ///< by path with leading slash
};

/// "text/html; charset=utf-8" and so on, by the name's ending.
std::string_view content_type_of(std::string_view path);
/// `call-BzX81kQa.js`: a bundler's hash of eight or more characters before the ending.
bool has_hashed_name(std::string_view path);

}  // namespace parley::server

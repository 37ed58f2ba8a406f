#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::rest {

/// A method and a path whose `*` stand for any one segment.
struct Route {
    std::string_view method;
    std::vector<std::string_view> path;

    /// What the stars stand for in `given`, without its first `skip` segments; nullopt when the path
    /// is another one. The views point into `given`.
    [[nodiscard]] std::optional<std::vector<std::string_view>> match(
        const std::vector<std::string>& given, std::size_t skip = 0) const {
        if (given.size() != path.size() + skip) return std::nullopt;
        std::vector<std::string_view> arguments;
        for (std::size_t i = 0; i < path.size(); ++i) {
            if (path[i] == "*") {
                arguments.push_back(given[i + skip]);
            } else if (path[i] != given[i + skip]) {
                return std::nullopt;
            }
        }
        return arguments;
    }
};

}  // namespace parley::rest

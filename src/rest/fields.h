#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::rest {

/// Reads a call's body field by field and remembers the first that is wrong.
class Fields {
public:
    explicit Fields(const boost::json::object& body) : body_(body) {}

    std::optional<bool> flag(std::string_view name);
    std::optional<std::int64_t> number(std::string_view name, std::int64_t low, std::int64_t high);
    std::optional<std::string> text(std::string_view name, std::size_t max_bytes);
    std::optional<std::string> user(std::string_view name);
    /// Absent: empty.
    std::vector<std::string> users(std::string_view name, std::size_t most);
    /// Index into `names`.
    std::optional<std::size_t> choice(std::string_view name,
                                      const std::vector<std::string_view>& names);

    void reject(std::string_view name) {
        if (wrong_.empty()) wrong_ = name;
    }
    /// The field to complain about; empty: all is well.
    [[nodiscard]] const std::string& wrong() const { return wrong_; }

private:
    const boost::json::object& body_;
    std::string wrong_;
};

}  // namespace parley::rest

#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

/// JSON for people.
namespace parley::cli {

/// What other people have typed, made harmless for a terminal: control and direction characters
/// become `?`.
std::string printable(std::string_view text);

/// Columns that a terminal shows of a printable text; most Chinese characters take two.
std::size_t display_width(std::string_view text);

struct Column {
    const char* title;
    const char* field;  ///< "quality.rttMs" is a field inside
};

/// A line for each object, under titles. A number is on the right. Ends with a line feed.
std::string write_table(const boost::json::array& rows, const std::vector<Column>& columns);

/// Fields one below the other; lists of objects as tables with their own fields.
std::string write_fields(const boost::json::object& object);

}  // namespace parley::cli

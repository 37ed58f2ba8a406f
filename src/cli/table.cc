#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

namespace parley::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCellWidth = 60;
constexpr std::size_t kMaxFieldsOfATable = 8;

/// One character of UTF-8 and its length; damaged bytes are one `?` each.
std::pair<char32_t, std::size_t> next_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80    ? 1
                               : first >= 0xf0 ? 4
                               : first >= 0xe0 ? 3
                               : first >= 0xc0 ? 2
                                               : 0;
    if (length == 0 || length > text.size() || first > 0xf4) return {U'?', 1};
    if (length == 1) return {first, 1};
    char32_t value = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return {U'?', 1};
        value = value << 6 | (byte(i) & 0x3fU);
    }
    return {value, length};
}

bool is_harmful(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ||  // control characters
           c == 0x200e || c == 0x200f ||           // marks and overrides of the writing direction
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool is_wide(char32_t c) {
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
           (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
           (c >= 0x20000 && c <= 0x3fffd);
}

bool has_no_width(char32_t c) {
    return (c >= 0x300 && c <= 0x36f) || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f);
}

std::size_t width_of(char32_t c) { return has_no_width(c) ? 0 : is_wide(c) ? 2 : 1; }

const json::value* find_field(const json::object& row, std::string_view path) {
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    const json::value* value = row.if_contains({name.data(), name.size()});
    if (value == nullptr || dot == std::string_view::npos) return value;
    return value->is_object() ? find_field(value->get_object(), path.substr(dot + 1)) : nullptr;
}

/// RFC 3339 as our answers have it, to the second: the rest is for programs.
std::string shortened_time(std::string_view text) {
    constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
    constexpr std::string_view kUtc = "+00:00";
    if (text.size() < kShape.size() + kUtc.size() || !text.ends_with(kUtc))
        return std::string(text);
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        const bool fits =
            kShape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == kShape[i];
        if (!fits) return std::string(text);
    }
    return std::string(text.substr(0, 10)) + " " + std::string(text.substr(11, 8)) + "Z";
}

std::string cell_text(const json::value* value) {
    if (value == nullptr || value->is_null()) return "-";
    if (value->is_string()) {
        return shortened_time(printable({value->get_string().data(), value->get_string().size()}));
    }
    if (value->is_bool()) return value->get_bool() ? "yes" : "no";
    if (value->is_double()) return fmt::format("{:.1f}", value->get_double());
    if (value->is_array()) {
        const json::array& list = value->get_array();
        // A list of objects is long: its length says enough.
        if (!list.empty() && list[0].is_object()) return std::to_string(list.size());
        std::string out;
        for (const json::value& item : list) out += (out.empty() ? "" : ",") + cell_text(&item);
        return out.empty() ? "-" : out;
    }
    return printable(json::serialize(*value));
}

/// At most kMaxCellWidth columns.
std::string shortened(const std::string& text) {
    if (display_width(text) <= kMaxCellWidth) return text;
    std::string out;
    std::size_t width = 0;
    for (std::string_view rest(text); !rest.empty();) {
        const auto [c, length] = next_character(rest);
        if (width + width_of(c) >= kMaxCellWidth) break;
        out += rest.substr(0, length);
        width += width_of(c);
        rest.remove_prefix(length);
    }
    return out + "…";
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const std::string blanks(width - std::min(width, display_width(text)), ' ');
    return right ? blanks + text : text + blanks;
}

bool is_object_list(const json::value& value) {
    return value.is_array() && !value.get_array().empty() && value.get_array()[0].is_object();
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto [c, length] = next_character(text);
        if (is_harmful(c) || (c == U'?' && text[0] != '?')) {
            out += '?';
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto [c, length] = next_character(text);
        width += width_of(c);
        text.remove_prefix(length);
    }
    return width;
}

std::string write_table(const json::array& rows, const std::vector<Column>& columns) {
    std::vector<std::vector<std::string>> lines(1);
    std::vector<bool> right(columns.size(), !rows.empty());
    for (const Column& column : columns) lines[0].emplace_back(column.title);
    for (const json::value& row : rows) {
        if (!row.is_object()) continue;
        std::vector<std::string>& line = lines.emplace_back();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const json::value* value = find_field(row.get_object(), columns[i].field);
            if (value != nullptr && !value->is_number() && !value->is_null()) right[i] = false;
            line.push_back(shortened(cell_text(value)));
        }
    }
    std::vector<std::size_t> widths(columns.size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i)
            widths[i] = std::max(widths[i], display_width(line[i]));
    }
    std::string out;
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (i > 0) text += "  ";
            text += padded(line[i], widths[i], right[i]);
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    }
    return out;
}

std::string write_fields(const json::object& object) {
    std::size_t width = 0;
    for (const auto& field : object) {
        if (!is_object_list(field.value()))
            width = std::max(width, display_width(printable(field.key())));
    }
    std::string out;
    for (const auto& field : object) {
        if (is_object_list(field.value())) continue;
        out +=
            padded(printable(field.key()), width, false) + "  " + cell_text(&field.value()) + "\n";
    }
    for (const auto& field : object) {
        if (!is_object_list(field.value())) continue;
        const json::array& rows = field.value().get_array();
        std::vector<std::string> names;  // the columns borrow them
        for (const auto& inner : rows[0].get_object()) {
            if (names.size() < kMaxFieldsOfATable && !inner.value().is_object())
                names.emplace_back(inner.key());
        }
        std::vector<Column> columns;
        columns.reserve(names.size());
        for (const std::string& name : names) columns.push_back({name.c_str(), name.c_str()});
        out += fmt::format("\n{}\n{}", printable(field.key()), write_table(rows, columns));
    }
    return out;
}

}  // namespace parley::cli

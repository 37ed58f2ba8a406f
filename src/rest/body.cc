#include "rest/body.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>

#include "base/encoding.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

/// Drops nulls and counts keys. False: too many, or a text that cannot be kept.
bool tidy(json::value& value, std::size_t& keys) {
    // No database keeps a zero byte in a text.
    if (const json::string* text = value.if_string()) return text->find('\0') == json::string::npos;
    if (json::array* array = value.if_array()) {
        for (json::value& item : *array) {
            if (!tidy(item, keys)) return false;
        }
        return true;
    }
    json::object* object = value.if_object();
    if (object == nullptr) return true;
    json::object kept;
    for (json::key_value_pair& member : *object) {
        if (++keys > kMaxBodyKeys) return false;
        if (member.value().is_null()) continue;
        if (!tidy(member.value(), keys)) return false;
        kept.emplace(member.key(), std::move(member.value()));
    }
    *object = std::move(kept);
    return true;
}

Result<json::object> parse_form(std::string_view text) {
    json::object out;
    const auto decode = [](std::string_view part) {
        std::string spaced(part);
        for (char& c : spaced) c = c == '+' ? ' ' : c;
        return percent_decode(spaced);
    };
    while (!text.empty()) {
        const std::size_t ampersand = text.find('&');
        const std::string_view pair = text.substr(0, ampersand);
        text.remove_prefix(ampersand == std::string_view::npos ? text.size() : ampersand + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const Result<std::string> name = decode(pair.substr(0, equals));
        const Result<std::string> value =
            decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
        if (!name || !value || !is_utf8_text(*name) || !is_utf8_text(*value)) {
            return fail(Errc::kMalformed, "form");
        }
        if (out.size() >= kMaxBodyKeys) return fail(Errc::kTooLarge, "form");
        out.emplace(*name, json::string(*value));
    }
    return out;
}

}  // namespace

Result<json::object> parse_body(const HttpRequest& request) {
    const std::string_view text = request.body;
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return json::object{};
    const bool is_form =
        media_type(request.header("Content-Type")) == "application/x-www-form-urlencoded";
    if (is_form && text[first] != '{') return parse_form(text);
    json::parse_options options;
    options.max_depth = kMaxBodyDepth;
    boost::system::error_code error;
    json::value value = json::parse({text.data(), text.size()}, error, {}, options);
    if (error == json::error::too_deep) return fail(Errc::kTooLarge, "body is too deep");
    if (error || !value.is_object()) return fail(Errc::kMalformed, "body is no JSON object");
    std::size_t keys = 0;
    if (!tidy(value, keys)) return fail(Errc::kMalformed, "body");
    return std::move(value.get_object());
}

Result<std::optional<std::string>> text_field(const json::object& body, std::string_view name) {
    const json::value* value = body.if_contains({name.data(), name.size()});
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return fail(Errc::kMalformed, "a field must be a text");
    return std::string(value->get_string());
}

std::string text_or_empty(const json::object& body, std::string_view name) {
    return text_field(body, name).value_or(std::nullopt).value_or(std::string());
}

Result<std::optional<std::int64_t>> number_field(const json::object& body, std::string_view name) {
    const json::value* value = body.if_contains({name.data(), name.size()});
    if (value == nullptr) return std::nullopt;
    if (value->is_int64()) return value->get_int64();
    if (value->is_uint64() && value->get_uint64() <= INT64_MAX) {
        return static_cast<std::int64_t>(value->get_uint64());
    }
    constexpr double kMaxExact = 9'007'199'254'740'992;  // 2^53
    if (value->is_double() && std::abs(value->get_double()) < kMaxExact) {
        return static_cast<std::int64_t>(value->get_double());
    }
    if (value->is_string()) {
        const json::string& text = value->get_string();
        if (text.empty()) return std::nullopt;
        std::int64_t number = 0;
        const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && at == text.data() + text.size()) return number;
    }
    return fail(Errc::kMalformed, "a field must be a number");
}

Result<std::optional<bool>> flag_field(const json::object& body, std::string_view name) {
    const json::value* value = body.if_contains({name.data(), name.size()});
    if (value == nullptr) return std::nullopt;
    if (value->is_bool()) return value->get_bool();
    if (value->is_int64()) return value->get_int64() != 0;
    if (value->is_string()) {
        const json::string& text = value->get_string();
        if (text.empty()) return std::nullopt;
        if (text == "true" || text == "True" || text == "1") return true;
        if (text == "false" || text == "False" || text == "0") return false;
    }
    return fail(Errc::kMalformed, "a field must be true or false");
}

}  // namespace parley::rest

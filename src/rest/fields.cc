#include "rest/fields.h"

#include <boost/json/array.hpp>

#include "auth/room_token.h"
#include "rest/body.h"

namespace parley::rest {

namespace json = boost::json;

std::optional<bool> Fields::flag(std::string_view name) {
    const auto value = flag_field(body_, name);
    if (value) return *value;
    reject(name);
    return std::nullopt;
}

std::optional<std::int64_t> Fields::number(std::string_view name,
                                           std::int64_t low,
                                           std::int64_t high) {
    const auto value = number_field(body_, name);
    if (!value || (*value && (**value < low || **value > high))) {
        reject(name);
        return std::nullopt;
    }
    return *value;
}

std::optional<std::string> Fields::text(std::string_view name, std::size_t max_bytes) {
    auto value = text_field(body_, name);
    if (!value || (*value && (*value)->size() > max_bytes)) {
        reject(name);
        return std::nullopt;
    }
    return *std::move(value);
}

std::optional<std::string> Fields::user(std::string_view name) {
    auto value = text_field(body_, name);
    if (!value || (*value && !auth::is_user_id(**value))) {
        reject(name);
        return std::nullopt;
    }
    return *std::move(value);
}

std::vector<std::string> Fields::users(std::string_view name, std::size_t most) {
    std::vector<std::string> out;
    const json::value* value = body_.if_contains({name.data(), name.size()});
    if (value == nullptr) return out;
    const json::array* list = value->if_array();
    if (list == nullptr || list->size() > most) {
        reject(name);
        return out;
    }
    for (const json::value& item : *list) {
        const json::string* text = item.if_string();
        if (text == nullptr || !auth::is_user_id({text->data(), text->size()})) {
            reject(name);
            return {};
        }
        out.emplace_back(*text);
    }
    return out;
}

std::optional<std::size_t> Fields::choice(std::string_view name,
                                          const std::vector<std::string_view>& names) {
    const auto value = text_field(body_, name);
    if (value && !*value) return std::nullopt;
    for (std::size_t i = 0; value && i < names.size(); ++i) {
        if (**value == names[i]) return i;
    }
    reject(name);
    return std::nullopt;
}

}  // namespace parley::rest

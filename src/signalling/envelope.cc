#include "signalling/envelope.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace parley::signalling {
namespace {

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

}  // namespace

Result<Envelope> parse_envelope(std::string_view text, std::size_t max_depth) {
    const std::size_t equals = text.substr(0, kMaxNameLength + 1).find('=');
    if (equals == std::string_view::npos || equals == 0) {
        return fail(Errc::kMalformed, "message without a name");
    }
    const std::string_view name = text.substr(0, equals);
    if (!std::all_of(name.begin(), name.end(), is_name_character)) {
        return fail(Errc::kMalformed, "message name");
    }
    boost::json::parse_options options;
    options.max_depth = max_depth;
    boost::json::error_code error;
    boost::json::value value =
        boost::json::parse(text.substr(equals + 1), error, boost::json::storage_ptr{}, options);
    if (error) return fail(Errc::kMalformed, "message is not JSON", equals + 1);
    boost::json::object* body = value.if_object();
    if (body == nullptr) return fail(Errc::kMalformed, "message is not an object", equals + 1);
    return Envelope{name, std::move(*body)};
}

std::string write_envelope(std::string_view name, const boost::json::object& body) {
    std::string out;
    out.reserve(name.size() + 128);
    out.append(name);
    out.push_back('=');
    out.append(boost::json::serialize(body));
    return out;
}

}  // namespace parley::signalling

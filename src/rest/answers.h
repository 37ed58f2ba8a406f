#pragma once

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "rest/http.h"

/// The answers that many calls give (REST section 4).
namespace parley::rest {

inline HttpResponse json_answer(const boost::json::object& object) {
    return json_response(200, boost::json::serialize(object));
}
/// `detail` names the field or parameter that is meant.
inline HttpResponse invalid_args(std::string_view detail = {}) {
    boost::json::object body{{"error", "invalid args"}};
    if (!detail.empty()) body["detail"] = boost::json::string_view(detail.data(), detail.size());
    return json_response(400, boost::json::serialize(body));
}
inline HttpResponse store_busy() { return error_response(503, "the store is busy"); }

}  // namespace parley::rest

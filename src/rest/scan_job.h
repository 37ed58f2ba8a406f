#pragma once

#include <boost/json/object.hpp>

#include "base/result.h"

namespace parley::rest {

/// The checked and tidied scan_job (REST section 11): `tracks` is a list of {"trackId"} however it
/// was written, defaults are filled in, and what is off is left out. kMalformed: "invalid input".
Result<boost::json::object> check_scan_job(const boost::json::object& body);

/// What POST /v4/apps/<app>/saveas asks for (REST section 9).
struct SaveAs {
    std::string stream;
    std::string file;
};
/// kMalformed: a name is missing or is no name, or times do not come in order and together.
Result<SaveAs> check_save_as(const boost::json::object& body);

}  // namespace parley::rest

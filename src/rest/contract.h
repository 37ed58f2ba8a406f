#pragma once

#include <string_view>

namespace parley::rest {

/// openapi.json of this folder, which the build puts into the program: what `/x1/` is and answers.
std::string_view contract();

}  // namespace parley::rest

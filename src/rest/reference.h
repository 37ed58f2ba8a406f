#pragma once

#include <optional>
#include <string_view>

#include "rest/http.h"

namespace parley::rest {

/// The contract as a page for people: `/x1/`, with its script and style. nullopt: no such file.
std::optional<HttpResponse> reference_page(std::string_view name);

}  // namespace parley::rest

#include <algorithm>
#include <iterator>
#include <utility>

#include "rest/answers.h"
#include "rest/fields.h"
#include "rest/x1.h"

namespace parley::rest {

std::vector<SignedRoute> X1::routes() {
    std::vector<SignedRoute> all = room_routes();
    return all;
}

}  // namespace parley::rest

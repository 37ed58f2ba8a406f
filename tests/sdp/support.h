#pragma once

#include <fstream>
#include <iterator>
#include <string>

namespace parley::sdp {

/// One of the offers under tests/sdp/data, as the browser wrote it.
inline std::string read_offer(const std::string& name) {
    std::ifstream file(std::string(PARLEY_SOURCE_DIR) + "/tests/sdp/data/" + name + ".sdp",
                       std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace parley::sdp

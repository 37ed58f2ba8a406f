#pragma once

#include <cstdint>
#include <memory>

#include "dtls/endpoint.h"

namespace parley::dtls {

/// A deterministic double for the simulator: two flights with retransmission, fingerprints and fresh keys,
/// and no security at all. `seed` decides certificates and keys.
std::unique_ptr<Factory> create_fake_factory(std::uint64_t seed);

}  // namespace parley::dtls

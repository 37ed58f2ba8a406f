#pragma once

#include "base/rng.h"

namespace parley::io {

/// Keys, passwords and seeds from the kernel's generator. Stops the process when the kernel has none,
/// because nothing may go on with guessable secrets.
class KernelSecretSource final : public SecretSource {
public:
    void fill(MutableByteView out) override;
};

/// A seed for `Rng`, so that identifiers differ from one start to the next.
std::uint64_t random_seed();

}  // namespace parley::io

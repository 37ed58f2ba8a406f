#pragma once

#include <cstdio>
#include <cstdlib>

/// Stops the process when we are wrong. Never look at a value that a peer controls.
#define PARLEY_CHECK(cond)                                                                        \
    do {                                                                                          \
        if (!(cond)) [[unlikely]] {                                                               \
            std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #cond);         \
            std::abort();                                                                         \
        }                                                                                         \
    } while (false)

#ifdef NDEBUG
#define PARLEY_DCHECK(cond) \
    do {                    \
    } while (false)
#else
#define PARLEY_DCHECK(cond) PARLEY_CHECK(cond)
#endif

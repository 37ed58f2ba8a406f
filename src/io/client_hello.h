#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace parley::io {

/// A TLS client's first message is whole before anything is allocated for the client: it waits in
/// the kernel. Browsers send up to 2 KiB; a resumed session adds its ticket.
inline constexpr std::size_t kMaxClientHello = 8 * 1024;

/// How many bytes of the stream have to be there before more can be told about its ClientHello (RFC
/// 8446 sections 4.1.2 and 5.1); at most `bytes.size()` once that is whole. kMalformed: it is none,
/// or in records that no client makes; kTooLarge.
[[nodiscard]] Result<std::size_t> client_hello_needs(ByteView bytes);

enum class HelloState : std::uint8_t {
    kWaiting,  ///< the poller tells of this socket when more is there
    kWhole,
    kRefused,  ///< not a ClientHello, or the client has left
};
/// Looks at what the TCP socket `fd` has received, and leaves it there.
HelloState look_for_client_hello(int fd);

}  // namespace parley::io

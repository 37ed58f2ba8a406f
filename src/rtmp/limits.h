#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

/// What one RTMP connection may cost, whatever its peer promises.
namespace parley::rtmp {

/// Before the first publish or play is accepted a connection holds at most this, object included,
/// as long as the shell reads no more than `read_budget()` at a time.
inline constexpr std::size_t kMaxUnauthenticatedMemory = 8 * 1024;
/// After that, all in all: what is here, and what the shell keeps for the connection (a publisher's
/// cached pictures, what waits for a player).
inline constexpr std::size_t kMaxAuthenticatedMemory = 8 << 20;

/// One message, and all unfinished messages of a connection together.
inline constexpr std::size_t kMaxUnauthenticatedMessage = 2560;
inline constexpr std::size_t kMaxUnauthenticatedAssembly = 2560;
inline constexpr std::size_t kMaxMessage = 2560 * 1024;
inline constexpr std::size_t kMaxAssembly = 3 << 20;
/// Who plays sends commands only.
inline constexpr std::size_t kMaxPlayerMessage = 16 * 1024;
inline constexpr std::size_t kMaxPlayerAssembly = 64 * 1024;

/// Answers that a client lets pile up before it is accepted, the handshake's 3 KiB included. It
/// asks and does not read: closed. They are in the shell's queue, so they come on top of
/// kMaxUnauthenticatedMemory.
inline constexpr std::size_t kMaxUnauthenticatedUnsent = 6 * 1024;

inline constexpr std::size_t kMaxUnauthenticatedChunkStreams = 8;
inline constexpr std::size_t kMaxChunkStreams = 64;
/// Chunk sizes that a peer may set (section 5.4.1 allows 1 to 2^31-1). A larger one counts as the
/// upper bound of a message; 0 is an error.
inline constexpr std::uint32_t kMaxChunkSize = 0x7FFF'FFFF;
inline constexpr std::uint32_t kDefaultChunkSize = 128;

/// Message streams that one connection opens by createStream.
inline constexpr std::size_t kMaxMessageStreams = 8;
/// Of `app`, `tcUrl`, a stream name, and each other text that is kept.
inline constexpr std::size_t kMaxNameBytes = 1024;
/// Bytes to read at once before and after authentication.
inline constexpr std::size_t kUnauthenticatedReadBudget = 2 * 1024;
inline constexpr std::size_t kReadBudget = 64 * 1024;

}  // namespace parley::rtmp

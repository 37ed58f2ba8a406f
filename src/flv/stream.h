#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "flv/gather_list.h"
#include "flv/message.h"

/// FLV as a byte stream: a file, an HTTP body, the messages of a WebSocket (Adobe FLV 10.1, annex
/// E).
namespace parley::flv {

inline constexpr std::size_t kFileHeaderSize = 9;
inline constexpr std::size_t kTagHeaderSize = 11;

struct TagHeader {
    MediaKind kind = MediaKind::kData;
    std::uint32_t data_size = 0;     ///< 24 bits
    std::uint32_t timestamp_ms = 0;  ///< 24 + 8 bits, as on the wire

    friend bool operator==(const TagHeader&, const TagHeader&) = default;
};

/// Exactly kTagHeaderSize bytes count. Errors: kTruncated, kMalformed (another tag type, a stream
/// id), kUnsupported (filter bit: encrypted).
[[nodiscard]] Result<TagHeader> parse_tag_header(ByteView bytes);
void write_tag_header(ByteWriter& out, const TagHeader& header);

/// Reads a stream that arrives in pieces of any size.
class StreamReader {
public:
    /// A longer tag ends the stream. Memory follows what has arrived, not what is promised.
    static constexpr std::size_t kMaxTagSize = 4 << 20;

    /// Takes bytes from the front of `in` until a message is whole; call again with the rest until
    /// it gives none. After an error the stream cannot go on, and every call returns it. Tags of
    /// unknown type and wrong PreviousTagSize fields are passed over, because writers in the field
    /// do both. Errors: kMalformed (signature, version, offset), kTooLarge, kUnsupported
    /// (encrypted tags).
    [[nodiscard]] Result<std::optional<Message>> next(ByteView& in);

    /// From the file header, once it is there; encoders often get them wrong.
    [[nodiscard]] bool announces_audio() const { return announces_audio_; }
    [[nodiscard]] bool announces_video() const { return announces_video_; }

private:
    enum class State : std::uint8_t { kFileHeader, kSkip, kTagHeader, kBody, kFailed };

    /// Fills `head_`; true when it has `size` bytes.
    bool gather(ByteView& in, std::size_t size);
    Result<void> handle_file_header();
    Result<void> handle_tag_header();

    State state_ = State::kFileHeader;
    bool announces_audio_ = false;
    bool announces_video_ = false;
    std::array<std::uint8_t, kTagHeaderSize> head_{};
    std::size_t head_size_ = 0;
    std::size_t left_ = 0;  ///< to skip, or of the body
    TagHeader tag_;
    Bytes body_;
    TimestampUnwrapper timestamps_;
    Error error_;
};

/// Writes a stream; each player has one, all share the payloads.
class StreamWriter {
public:
    /// What `write_file_header` writes: the header and the first PreviousTagSize.
    static constexpr std::size_t kHeadSize = kFileHeaderSize + 4;
    /// What `write` writes; false for what it does not.
    [[nodiscard]] static bool can_write(const Message& message);
    [[nodiscard]] static std::size_t tag_size(const Message& message);

    /// Once, first. Both flags true suits a stream whose tracks may appear later.
    void write_file_header(bool has_audio, bool has_video, GatherList& out);
    /// `timestamp_ms` stands in for that of the message, so that each player starts at 0. False,
    /// and nothing written, for an empty payload or one above 24 bits.
    bool write(const Message& message, std::int64_t timestamp_ms, GatherList& out);
};

}  // namespace parley::flv

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "rtp/extensions.h"
#include "rtp/header.h"

/// RTP header extension elements in one-byte and two-byte form (RFC 8285), without allocation.
namespace parley::rtp {

/// One element; `data` borrows the packet.
struct ExtensionView {
    std::uint8_t id = 0;
    ByteView data;
};

/// Walks the elements of a header's extension block. Ends at the first element that runs over the block, at
/// id 15 of the one-byte form (RFC 8285 section 4.2), and at once for a profile that is neither form.
class ExtensionReader {
public:
    explicit ExtensionReader(const Header& header);
    std::optional<ExtensionView> next();
    /// True when an element ran over the end of the block.
    [[nodiscard]] bool malformed() const { return malformed_; }

private:
    ByteView rest_;
    bool two_byte_ = false;
    bool malformed_ = false;
};

/// RFC 6464: 0 is the loudest, 127 is silence (-dBov).
struct AudioLevel {
    std::uint8_t level = 127;
    bool voice = false;
};

/// The extensions we know, as far as the packet carries them. The texts borrow the packet.
struct ParsedExtensions {
    std::string_view mid;           ///< RFC 9143 section 15
    std::string_view rid;           ///< RFC 8852
    std::string_view repaired_rid;  ///< RFC 8852
    std::optional<AudioLevel> audio_level;
    std::optional<std::uint16_t> transport_sequence;
    std::optional<std::uint32_t> abs_send_time;  ///< 24 bits, 6.18 fixed point seconds
    std::optional<std::int32_t> toffset;         ///< RFC 5450, in units of the RTP clock
};

/// Elements of a wrong size are left out. When an id comes twice the last one counts.
[[nodiscard]] ParsedExtensions parse_extensions(const Header& header, const ExtensionIds& ids);

enum class ExtensionForm : std::uint8_t { kOneByte, kTwoByte };

/// Appends one extension block to a packet whose fixed header has just been written with `has_extension`.
/// The constructor writes profile and length, `finish()` pads and sets the length.
class ExtensionWriter {
public:
    explicit ExtensionWriter(ByteWriter& out, ExtensionForm form = ExtensionForm::kOneByte);

    /// Offset of the element's data within `out`, so that a value can be stored again just before sending.
    /// 0, and nothing written: id 0, id or size that the form cannot carry, or no room.
    std::size_t add(std::uint8_t id, ByteView data);
    std::size_t add_mid(const ExtensionIds& ids, std::string_view mid);
    std::size_t add_rid(const ExtensionIds& ids, std::string_view rid);
    std::size_t add_repaired_rid(const ExtensionIds& ids, std::string_view rid);
    std::size_t add_audio_level(const ExtensionIds& ids, AudioLevel level);
    std::size_t add_transport_sequence(const ExtensionIds& ids, std::uint16_t sequence);
    std::size_t add_abs_send_time(const ExtensionIds& ids, std::uint32_t value);
    std::size_t add_toffset(const ExtensionIds& ids, std::int32_t offset);

    /// Pads to 32 bits and sets the length. Call once, last.
    void finish();

private:
    ByteWriter& out_;
    std::size_t start_;
    ExtensionForm form_;
};

/// The abs-send-time value of a moment: seconds modulo 64 in 6.18 fixed point.
[[nodiscard]] std::uint32_t to_abs_send_time(Instant at);

}  // namespace parley::rtp

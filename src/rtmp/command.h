#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "flv/amf.h"
#include "rtmp/message.h"

namespace parley::rtmp {

/// A command message (Adobe RTMP 1.0 section 7.2): name, transaction, command object, then its
/// arguments.
struct Command {
    std::string name;
    double transaction_id = 0;
    flv::AmfValue object;
    std::vector<flv::AmfValue> arguments;

    /// Undefined where there are fewer.
    [[nodiscard]] const flv::AmfValue& argument(std::size_t index) const;
};

/// Depth, values and text of one command, far above what clients send.
inline constexpr flv::AmfLimits kCommandAmfLimits{
    .max_depth = 8, .max_values = 256, .max_text_bytes = 16'384};

/// Of type 20 (AMF0) or 17 (AMF0 behind a zero byte, its values perhaps AMF3). A transaction id or
/// object that is missing counts as 0 and null. Errors: as flv::AmfReader; kMalformed without a
/// name.
[[nodiscard]] Result<Command> parse_command(MessageType type, ByteView payload);
/// Type 20.
[[nodiscard]] Bytes write_command(const Command& command);
/// `onStatus` with level, code and description.
[[nodiscard]] Bytes write_status(std::string_view level,
                                 std::string_view code,
                                 std::string_view description);

}  // namespace parley::rtmp

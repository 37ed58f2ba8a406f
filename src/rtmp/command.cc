#include "rtmp/command.h"

namespace parley::rtmp {

const flv::AmfValue& Command::argument(std::size_t index) const {
    static const flv::AmfValue undefined;
    return index < arguments.size() ? arguments[index] : undefined;
}

Result<Command> parse_command(MessageType type, ByteView payload) {
    if (type == MessageType::kCommandAmf3 && !payload.empty() && payload[0] == 0)
        payload = payload.subspan(1);
    flv::AmfReader reader(payload, flv::AmfReader::Version::kAmf0, kCommandAmfLimits);
    Command command;
    for (std::size_t i = 0; i == 0 || !reader.at_end(); ++i) {
        Result<flv::AmfValue> value = reader.next();
        if (!value) return tl::unexpected(value.error());
        if (i == 0) {
            command.name = value->text();
            if (command.name.empty()) return fail(Errc::kMalformed, "command name");
        } else if (i == 1) {
            command.transaction_id = value->number_or(0);
        } else if (i == 2) {
            command.object = std::move(*value);
        } else {
            command.arguments.push_back(std::move(*value));
        }
    }
    return command;
}

Bytes write_command(const Command& command) {
    Bytes out;
    flv::write_amf0(out, command.name);
    flv::write_amf0(out, command.transaction_id);
    flv::write_amf0(out, command.object);
    for (const flv::AmfValue& argument : command.arguments) flv::write_amf0(out, argument);
    return out;
}

Bytes write_status(std::string_view level, std::string_view code, std::string_view description) {
    flv::AmfObject info;
    info.add("level", std::string(level))
        .add("code", std::string(code))
        .add("description", std::string(description));
    return write_command(
        {.name = "onStatus", .object = flv::AmfNull{}, .arguments = {std::move(info)}});
}

}  // namespace parley::rtmp

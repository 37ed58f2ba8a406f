#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "flv/amf.h"

namespace parley::flv {

/// One AMF3 value with its reference tables (amf-file-format-spec section 3). The budget is shared
/// with what surrounds it.
class Amf3Reader {
public:
    Amf3Reader(ByteReader& in, AmfReader::Budget& budget, std::size_t max_depth)
        : in_(in), budget_(budget), max_depth_(max_depth) {}

    [[nodiscard]] Result<AmfValue> read(std::size_t depth);

private:
    /// Each table; a value that would exceed it ends the message.
    static constexpr std::size_t kMaxReferences = 256;
    static constexpr std::size_t kMaxSealedMembers = 64;

    struct Traits {
        std::string class_name;
        std::vector<std::string> members;
        bool is_dynamic = false;
        bool is_externalizable = false;
    };

    [[nodiscard]] Result<std::uint32_t> read_u29();
    [[nodiscard]] Result<std::string> read_text();
    [[nodiscard]] Result<Traits> read_traits(std::uint32_t flags);
    [[nodiscard]] Result<AmfValue> read_object(std::uint32_t header, std::size_t depth);
    [[nodiscard]] Result<AmfValue> read_array(std::uint32_t header, std::size_t depth);
    [[nodiscard]] Result<AmfValue> read_members(AmfObject object,
                                                const Traits& traits,
                                                std::size_t depth);
    /// Properties up to an empty name.
    [[nodiscard]] Result<void> read_dynamic(AmfObject& object, std::size_t depth);
    [[nodiscard]] Result<AmfValue> reference(std::uint32_t index);
    /// A place in the table of complex values, taken before the value is read, as the format
    /// numbers them.
    [[nodiscard]] Result<std::size_t> reserve();
    [[nodiscard]] bool charge(const AmfValue& value);

    struct Complex {
        bool complete = false;
        AmfValue value;
    };

    ByteReader& in_;
    AmfReader::Budget& budget_;
    std::size_t max_depth_;
    std::vector<std::string> texts_;
    std::vector<Complex> complex_;
    std::vector<Traits> traits_;
};

}  // namespace parley::flv

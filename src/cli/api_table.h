#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cli/table.h"

/// The commands that ask a server, as data: what each says on the command line, and which call of
/// src/rest/openapi.json it is.
namespace parley::cli {

enum class ParameterKind : std::uint8_t {
    kPath,  ///< positional; takes the place of `{name}` in the path
    kApp,   ///< --app, PARLEY_APP or demo; also a place in the path
    kText,
    kTexts,  ///< separated by commas
    kNumber,
    kBool,    ///< `--option true` or `false`
    kSwitch,  ///< there or not
};

struct Parameter {
    ParameterKind kind = ParameterKind::kText;
    const char* name = "";    ///< of the field, query parameter or place in the path
    const char* option = "";  ///< "--max-users", or "ROOM" of a positional
    const char* help = "";
    bool is_required = false;
};

/// What a command's text says before any parameter.
struct FixedField {
    const char* name;
    bool value;
};

struct ApiCommand {
    const char* words;  ///< "room list"
    const char* help;
    const char* method;
    const char* path;
    std::vector<Parameter> parameters = {};  ///< into the query of a GET, else into the body
    std::vector<FixedField> fixed = {};
    const char* list = nullptr;  ///< field of the answer with the rows
    std::vector<Column> columns = {};
    bool is_paged = false;        ///< takes `cursor` and `limit`
    bool has_csv = false;         ///< takes `format=csv`
    const char* inner = nullptr;  ///< list inside of each row, whose entries are the lines
};

struct ApiGroup {
    const char* name;
    const char* help;
};

const std::vector<ApiGroup>& api_groups();
const std::vector<ApiCommand>& api_commands();

}  // namespace parley::cli

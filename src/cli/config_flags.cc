#include "cli/config_flags.h"

namespace parley::cli {

using server::Setting;
using server::SettingKind;

ConfigFlags::ConfigFlags(CLI::App& command, bool all, const char* group) {
    command
        .add_option(
            "-c,--config", sources_.file, "Settings file (default: parley.toml here, if it exists)")
        ->type_name("FILE")
        ->group(group);
    for (const Setting& setting : server::settings()) {
        if (setting.secret || (!all && setting.name != "data_dir")) continue;
        add(command, setting, group);
    }
}

server::ConfigSources ConfigFlags::take() {
    sources_.environment = server::read_environment();
    for (const Given& given : given_) {
        if (given.option->count() > 0)
            sources_.flags[std::string(given.setting->name)] = given.value;
    }
    return std::move(sources_);
}

void ConfigFlags::add(CLI::App& command, const Setting& setting, const char* group) {
    Given& given = given_.emplace_back(Given{&setting, "", nullptr});
    std::string help(setting.help);
    help += " [" + setting.environment_name() + "]";
    if (setting.kind == SettingKind::kFlag) {
        given.option = command.add_flag(setting.flag_name(), given.value, help)->group(group);
        if (setting.fallback == "true")
            given.option->description(help + " (default: true; =false to turn off)");
        return;
    }
    given.option = command.add_option(setting.flag_name(), given.value, help)->group(group);
    given.option->type_name(setting.kind == SettingKind::kNumber ? "NUMBER" : "TEXT");
    if (!setting.fallback.empty()) given.option->default_str(std::string(setting.fallback));
}

}  // namespace parley::cli

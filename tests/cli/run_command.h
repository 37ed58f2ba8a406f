#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "../server/temporary_folder.h"
#include "cli/command_line.h"

namespace parley::cli {

struct CommandOutput {
    int exit_code = -1;
    std::string out;
    std::string err;
};

/// `parley ARGUMENTS...`, in this process.
inline CommandOutput run_command(const std::vector<std::string>& arguments) {
    std::vector<const char*> argv{"parley"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    CommandOutput output;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    output.exit_code = CommandLine().run(static_cast<int>(argv.size()), argv.data());
    output.out = ::testing::internal::GetCapturedStdout();
    output.err = ::testing::internal::GetCapturedStderr();
    return output;
}

}  // namespace parley::cli

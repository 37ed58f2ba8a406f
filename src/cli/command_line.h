#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

namespace parley::cli {

/// Every command with its options and help: what is parsed, and what help, completion and the
/// manual page are made of.
class CommandLine {
public:
    CommandLine();
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    [[nodiscard]] const CLI::App& app() const { return app_; }
    /// Parses, and does what was asked; the exit code.
    int run(int argc, const char* const* argv);

private:
    CLI::App app_;
    std::function<int()> chosen_;  ///< set by the command that was parsed
};

}  // namespace parley::cli

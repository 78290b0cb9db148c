// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace mtkey::fakes {

/// A folder of mode 0700 that ends with its object, in memory where there is a place for that: the
/// journal of a disk would make thousands of cases slow. That none can be made is no test (abort).
class ScratchDirectory {
public:
    ScratchDirectory() {
        std::string pattern =
            ::access(kMemory, W_OK | X_OK) == 0
                ? std::string(kMemory) + "/mtkey-XXXXXX"
                : (std::filesystem::temp_directory_path() / "mtkey-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            std::abort();
        }
        path_ = pattern;
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    static constexpr const char* kMemory = "/dev/shm";
    std::filesystem::path path_;
};

} // namespace mtkey::fakes

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.hpp"
#include "base/file_ops.hpp"
#include "base/unique_fd.hpp"

#include <string>
#include <utility>

namespace mtkey {

/// What a replacement must outlive: the program, or a power cut as well.
enum class Outlives { Program, PowerCut };

/// The new content of a file, written and not in its place yet. Unpublished, it is removed again.
class Replacement {
public:
    Replacement(FileOps& files, int directory, std::string path, std::string name)
        : files_(&files), directory_(directory), path_(std::move(path)), name_(std::move(name)) {}
    Replacement(Replacement&& other) noexcept
        : files_(std::exchange(other.files_, nullptr)),
          directory_(other.directory_),
          path_(std::move(other.path_)),
          name_(std::move(other.name_)) {}
    Replacement& operator=(Replacement&&) = delete;
    Replacement(const Replacement&) = delete;
    Replacement& operator=(const Replacement&) = delete;
    ~Replacement();

    /// One rename: on failure the old file stands. Directory::sync() makes it outlive a power cut.
    [[nodiscard]] Result<void> publish();

    [[nodiscard]] static std::string temporary(const std::string& name) { return name + ".tmp"; }

private:
    FileOps* files_; ///< null: nothing to remove
    int directory_;
    std::string path_; ///< of the directory, for messages
    std::string name_;
};

/// Owns one open directory; files in it are read and replaced by name. `files` is borrowed.
class Directory {
public:
    /// Config and Private: owned by root or us and not writable by others (NotAuthorized).
    [[nodiscard]] static Result<Directory> open(FileOps& files, const std::string& path,
                                                Trust trust);

    /// As read_file(): NotFound; InvalidArgument (no regular file, a link), LimitExceeded and
    /// NotAuthorized say that it is not to be believed; IoFailed, that it could not be read.
    [[nodiscard]] Result<Bytes> read(const std::string& name, std::size_t limit, Trust trust) const;
    [[nodiscard]] Result<bool> has(const std::string& name) const; ///< also what is no file
    /// Writes `name`.tmp.
    [[nodiscard]] Result<Replacement> replace(const std::string& name, ByteView content,
                                              Outlives outlives, mode_t mode = 0600) const;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) const;
    [[nodiscard]] Result<void> remove(const std::string& name) const; ///< no error without it
    [[nodiscard]] Result<void> sync() const;
    /// Keeps other processes out of what is done under this name, until what is returned is closed
    /// or the process is gone; InProgress names the file. Makes the file, and leaves it.
    [[nodiscard]] Result<UniqueFd> lock(const std::string& name) const;
    /// The same of the directory itself; waits for whoever has it.
    [[nodiscard]] Result<UniqueFd> wait_for_lock() const;

private:
    Directory(FileOps& files, std::string path, UniqueFd fd)
        : files_(&files), path_(std::move(path)), fd_(std::move(fd)) {}
    FileOps* files_;
    std::string path_; ///< with the slash, for messages
    UniqueFd fd_;
};

} // namespace mtkey

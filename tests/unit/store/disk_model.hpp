// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file_ops.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mtkey::store {

/// A mistake that a writer could make; seeded to show that the model finds it.
enum class Mistake { None, NoFdatasync, NoDirectorySync, InPlace };

/// What POSIX lets a power cut leave of the files of one folder: a file keeps what was there at its
/// last fdatasync, plus any subset of the sectors written since, in any order and with any of the
/// sizes on the way; the folder keeps its names of its last fsync, plus any subset of the changes
/// since. Learns by recording the calls, which are carried out as well.
class DiskModel final : public FileOps {
public:
    using Image = std::map<std::string, Bytes>; ///< name -> content

    DiskModel(std::string folder, Mistake mistake)
        : folder_(std::move(folder)), mistake_(mistake) {}

    /// Every different image that a power cut now could leave.
    void each_state(const std::function<void(const Image&)>& visit) const;
    /// Called after each recorded call: a moment at which the power may go.
    void on_call(std::function<void()> moment) { moment_ = std::move(moment); }

    int openat(int directory, const char* name, int flags, mode_t mode) override;
    ssize_t write(int fd, ByteView octets) override;
    int fdatasync(int fd) override;
    int fsync(int fd) override;
    int renameat(int directory, const char* from, const char* to) override;
    int unlinkat(int directory, const char* name) override;

private:
    static constexpr std::size_t kSector = 512;
    struct Inode {
        Bytes durable;
        Bytes current;
        std::set<std::size_t> unsynced; ///< sectors of `current`
        std::size_t written = 0;        ///< where the next write goes
    };
    using Names = std::map<std::string, std::size_t>; ///< to inodes
    struct NameChange {
        std::string gone; ///< empty: none
        std::string name; ///< empty: none
        std::size_t inode = 0;
    };
    [[nodiscard]] std::set<Bytes> contents(const Inode& inode) const;
    [[nodiscard]] std::set<Names> names() const;
    static void apply(Names& names, const NameChange& change);
    void changed(NameChange change);
    [[nodiscard]] bool ours(int directory) const { return directories_.contains(directory); }
    void moment() const {
        if (moment_) {
            moment_();
        }
    }

    std::string folder_;
    Mistake mistake_;
    std::function<void()> moment_;
    std::set<int> directories_; ///< descriptors of the folder
    std::map<int, std::size_t> files_;
    std::vector<Inode> inodes_;
    Names current_;
    Names durable_;
    std::vector<NameChange> unsynced_;
};

} // namespace mtkey::store

// SPDX-License-Identifier: Apache-2.0
#include "disk_model.hpp"

#include <algorithm>
#include <fcntl.h>

namespace mtkey::store {
namespace {

constexpr std::size_t kMostUnsynced = 12; // 2^n states: a test that asks for more is wrong

void refuse_above(std::size_t count) {
    if (count > kMostUnsynced) {
        std::abort();
    }
}

} // namespace

void DiskModel::apply(Names& names, const NameChange& change) {
    if (!change.gone.empty()) {
        names.erase(change.gone);
    }
    if (!change.name.empty()) {
        names[change.name] = change.inode;
    }
}

void DiskModel::changed(NameChange change) {
    apply(current_, change);
    unsynced_.push_back(std::move(change));
    moment();
}

int DiskModel::openat(int directory, const char* name, int flags, mode_t mode) {
    std::string path = name;
    const bool creates = (flags & O_CREAT) != 0 && ours(directory);
    if (creates && mistake_ == Mistake::InPlace && path.ends_with(".tmp")) {
        path.resize(path.size() - 4);
        flags &= ~O_EXCL;
    }
    const int fd = FileOps::openat(directory, path.c_str(), flags, mode);
    if (fd < 0) {
        return fd;
    }
    directories_.erase(fd);
    files_.erase(fd);
    if (path == folder_) {
        directories_.insert(fd);
    }
    if (creates) {
        if (!current_.contains(path)) {
            inodes_.emplace_back();
            changed({.gone = {}, .name = path, .inode = inodes_.size() - 1});
        }
        files_[fd] = current_.at(path);
        inodes_[files_[fd]].written = 0;
    }
    return fd;
}

ssize_t DiskModel::write(int fd, ByteView octets) {
    const auto done = FileOps::write(fd, octets);
    if (done > 0 && files_.contains(fd)) {
        auto& inode = inodes_[files_[fd]];
        const auto end = inode.written + static_cast<std::size_t>(done);
        inode.current.resize(std::max(inode.current.size(), end));
        std::copy_n(octets.begin(), done,
                    inode.current.begin() + static_cast<std::ptrdiff_t>(inode.written));
        for (auto sector = inode.written / kSector; sector * kSector < end; ++sector) {
            inode.unsynced.insert(sector);
        }
        inode.written = end;
        moment();
    }
    return done;
}

int DiskModel::fdatasync(int fd) {
    if (mistake_ != Mistake::NoFdatasync && files_.contains(fd)) {
        auto& inode = inodes_[files_[fd]];
        inode.durable = inode.current;
        inode.unsynced.clear();
        moment();
    }
    return 0;
}

int DiskModel::fsync(int fd) {
    if (mistake_ != Mistake::NoDirectorySync && ours(fd)) {
        durable_ = current_;
        unsynced_.clear();
        moment();
    }
    return 0;
}

int DiskModel::renameat(int directory, const char* from, const char* to) {
    if (ours(directory) && mistake_ == Mistake::InPlace) {
        return 0;
    }
    const int done = FileOps::renameat(directory, from, to);
    if (done == 0 && ours(directory)) {
        changed({.gone = from, .name = to, .inode = current_.at(from)});
    }
    return done;
}

int DiskModel::unlinkat(int directory, const char* name) {
    const int done = FileOps::unlinkat(directory, name);
    if (done == 0 && ours(directory)) {
        changed({.gone = name, .name = {}});
    }
    return done;
}

std::set<Bytes> DiskModel::contents(const Inode& inode) const {
    const std::vector<std::size_t> sectors(inode.unsynced.begin(), inode.unsynced.end());
    refuse_above(sectors.size());
    std::set<std::size_t> sizes{inode.durable.size(), inode.current.size()};
    for (const auto sector : sectors) {
        sizes.insert(std::min((sector + 1) * kSector, inode.current.size()));
    }
    std::set<Bytes> out;
    for (std::size_t subset = 0; subset < (std::size_t{1} << sectors.size()); ++subset) {
        for (const auto size : sizes) {
            Bytes content = inode.durable;
            content.resize(size); // what did not come is zero
            for (std::size_t i = 0; i < sectors.size(); ++i) {
                const auto begin = sectors[i] * kSector;
                const auto end = std::min({begin + kSector, inode.current.size(), size});
                if ((subset >> i & 1) != 0 && begin < end) {
                    std::copy(inode.current.begin() + static_cast<std::ptrdiff_t>(begin),
                              inode.current.begin() + static_cast<std::ptrdiff_t>(end),
                              content.begin() + static_cast<std::ptrdiff_t>(begin));
                }
            }
            out.insert(std::move(content));
        }
    }
    return out;
}

std::set<DiskModel::Names> DiskModel::names() const {
    refuse_above(unsynced_.size());
    std::set<Names> out;
    for (std::size_t subset = 0; subset < (std::size_t{1} << unsynced_.size()); ++subset) {
        Names names = durable_;
        for (std::size_t i = 0; i < unsynced_.size(); ++i) {
            if ((subset >> i & 1) != 0) {
                apply(names, unsynced_[i]);
            }
        }
        out.insert(std::move(names));
    }
    return out;
}

void DiskModel::each_state(const std::function<void(const Image&)>& visit) const {
    std::set<Image> images;
    for (const auto& names : names()) {
        std::set<Image> partial{{}};
        for (const auto& [name, inode] : names) {
            std::set<Image> longer;
            for (const auto& content : contents(inodes_[inode])) {
                for (auto image : partial) {
                    image[name] = content;
                    longer.insert(std::move(image));
                }
            }
            partial = std::move(longer);
        }
        images.merge(partial);
    }
    for (const auto& image : images) {
        visit(image);
    }
}

} // namespace mtkey::store

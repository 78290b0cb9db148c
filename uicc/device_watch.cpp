// SPDX-License-Identifier: Apache-2.0
#include "uicc/device_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/inotify.h>
#include <unistd.h>

namespace mtkey::uicc {
namespace fs = std::filesystem;

Result<DeviceWatch> DeviceWatch::create(std::string path) {
    UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify.valid()) {
        return fail(Errc::NotReady, "inotify: " + std::string(std::strerror(errno)) +
                                        "; fs.inotify.max_user_instances may be too small");
    }
    DeviceWatch out(std::move(path), std::move(inotify));
    out.watch_nearest();
    return out;
}

/// The nearest folder that is there: /dev/serial/by-id comes with the first such device and goes
/// with the last one.
void DeviceWatch::watch_nearest() {
    constexpr std::uint32_t kWhat = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE |
                                    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    // A folder that comes between two looks is found by another one; they come one by one.
    for (unsigned look = 0; look < 8; ++look) {
        fs::path below = path_;
        auto folder = below.parent_path();
        int watch = -1;
        while ((watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kWhat)) < 0 &&
               folder != folder.parent_path()) {
            below = folder;
            folder = folder.parent_path();
        }
        if (watch_ >= 0 && watch_ != watch) {
            ::inotify_rm_watch(inotify_.get(), watch_);
        }
        watch_ = watch;
        awaited_ = below.filename();
        if (below == path_ || ::access(below.c_str(), F_OK) != 0) {
            return;
        }
    }
}

bool DeviceWatch::changed() {
    bool ours = false;
    alignas(inotify_event) std::array<char, 4096> events{};
    ssize_t got = 0;
    while ((got = ::read(inotify_.get(), events.data(), events.size())) > 0) {
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, events.data() + at, sizeof event);
            const char* name = event.len > 0 ? events.data() + at + sizeof event : "";
            ours = ours || name == awaited_ || event.len == 0; // the folder itself, or overflow
            at += sizeof event + event.len;
        }
    }
    if (ours) {
        watch_nearest();
    }
    return ours;
}

bool DeviceWatch::exists() const {
    return ::access(path_.c_str(), F_OK) == 0;
}

} // namespace mtkey::uicc

// SPDX-License-Identifier: Apache-2.0
#include "transports/module.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::transports {
namespace {

constexpr std::size_t kLongestName = 32;

std::unexpected<Error> failed(const std::string& what) {
    const int code = errno;
    return fail(code == ENOENT ? Errc::NotFound : Errc::IoFailed, what + ": " + std::strerror(code),
                static_cast<std::uint32_t>(code));
}

/// The name becomes part of a path: no separators, no dots.
bool valid_name(std::string_view name) {
    return !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

Result<void> check_trusted(int fd, const std::string& what, mode_t type) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return failed("cannot examine " + what);
    }
    if ((status.st_mode & S_IFMT) != type) {
        return fail(Errc::InvalidArgument, what + " is not a regular file");
    }
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return fail(Errc::NotAuthorized, what + " belongs to another user; chown it to root");
    }
    if ((status.st_mode & 0022) != 0) {
        return fail(Errc::NotAuthorized, what + " is writable by others; chmod go-w it");
    }
    return {};
}

Result<UniqueFd> open_checked(const std::string& plugin_dir, const std::string& file_name) {
    if (plugin_dir.empty() || plugin_dir.front() != '/') {
        return fail(Errc::ConfigInvalid,
                    "plugin folder '" + plugin_dir + "' is not an absolute path");
    }
    // The folder may be reached over symbolic links: what counts is the folder that is found, and
    // openat() stays in it.
    const UniqueFd folder(::open(plugin_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid()) {
        return failed("cannot open plugin folder " + plugin_dir);
    }
    MTKEY_CHECK(check_trusted(folder.get(), "plugin folder " + plugin_dir, S_IFDIR));
    const std::string path = plugin_dir + "/" + file_name;
    UniqueFd file(
        ::openat(folder.get(), file_name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.valid()) {
        return failed("cannot open plugin " + path);
    }
    MTKEY_CHECK(check_trusted(file.get(), "plugin " + path, S_IFREG));
    return file;
}

Result<void> check_api(const mt_transport_plugin* api, const std::string& plugin,
                       const std::string& path) {
    if (api == nullptr) {
        return fail(Errc::ConfigInvalid, path + " exports no mt_transport_plugin_v1");
    }
    // abi first: behind a different one nothing else may be read.
    if (api->abi != MT_TRANSPORT_ABI) {
        return fail(Errc::ConfigInvalid,
                    path + " has plugin ABI " + std::to_string(api->abi) + ", this program has " +
                        std::to_string(MT_TRANSPORT_ABI) + "; install the plugin of this version");
    }
    if (api->size < sizeof(mt_transport_plugin)) {
        return fail(Errc::ConfigInvalid, path + " has a description of a wrong size");
    }
    if (api->name == nullptr || plugin != api->name) {
        return fail(Errc::ConfigInvalid, path + " is not the plugin '" + plugin + "'");
    }
    if (api->create == nullptr || api->poll_fd == nullptr || api->dispatch == nullptr ||
        api->released == nullptr || api->destroy == nullptr) {
        return fail(Errc::ConfigInvalid, path + " lacks a function");
    }
    return {};
}

std::string linker_error() {
    const char* text = ::dlerror();
    return text == nullptr ? "unknown error" : printable(text, 300);
}

} // namespace

Result<std::shared_ptr<Module>> Module::load(const std::string& plugin_dir,
                                             const std::string& plugin) {
    if (!valid_name(plugin)) {
        return fail(Errc::ConfigInvalid, "'" + printable(plugin, 64) + "' is not a plugin name");
    }
    const std::string file_name = "mtkey-transport-" + plugin + ".so";
    const std::string path = plugin_dir + "/" + file_name;
    std::shared_ptr<Module> module(new Module);
    module->file_ = MTKEY_TRY(open_checked(plugin_dir, file_name));
    // By descriptor: what was checked is what is mapped, whoever renames what in between.
    const std::string self = "/proc/self/fd/" + std::to_string(module->file_.get());
    module->handle_ = ::dlopen(self.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module->handle_ == nullptr) {
        return fail(Errc::ConfigInvalid, "cannot load " + path + ": " + linker_error());
    }
    module->api_ =
        static_cast<const mt_transport_plugin*>(::dlsym(module->handle_, "mt_transport_plugin_v1"));
    MTKEY_CHECK(check_api(module->api_, plugin, path));
    return module;
}

Module::~Module() {
    if (handle_ == nullptr) {
        return;
    }
    ::dlclose(handle_);
    // The linker compares names before files. A module that it keeps (used elsewhere, or with
    // symbols that forbid unloading) would be found under this number by the next dlopen of another
    // file: then the number stays taken.
    const std::string self = "/proc/self/fd/" + std::to_string(file_.get());
    if (void* kept = ::dlopen(self.c_str(), RTLD_NOW | RTLD_NOLOAD); kept != nullptr) {
        ::dlclose(kept);
        static_cast<void>(file_.release());
    }
}

} // namespace mtkey::transports

// SPDX-License-Identifier: Apache-2.0
#include "transports/loader.hpp"

#include "base/log.hpp"
#include "transports/module.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <vector>

namespace mtkey::transports {
namespace {

constexpr std::size_t kLongestPeer = 200;

void log_thrown(const std::string& name, const char* where, const char* what) noexcept {
    try {
        log(LogLevel::Error, "exception at the border of a transport plugin",
            {{"transport", name}, {"in", where}, {"what", printable(what)}});
    } catch (...) { // no memory for the log line either
    }
}

/// Calls that lead into a module or come from one: nothing may be thrown across a C function.
template <typename Call>
bool fenced(const std::string& name, const char* what, Call call) noexcept {
    try {
        call();
        return true;
    } catch (const std::exception& problem) {
        log_thrown(name, what, problem.what());
    } catch (...) {
        log_thrown(name, what, "no std::exception");
    }
    return false;
}

bool prepare_descriptor(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/// The identity goes into configuration rules and logs: UTF-8 octets are fine, control characters
/// are not.
bool valid_peer(const char* peer) {
    if (peer == nullptr) {
        return false;
    }
    const std::size_t length = ::strnlen(peer, kLongestPeer + 1);
    return length > 0 && length <= kLongestPeer && std::all_of(peer, peer + length, [](char c) {
               const auto octet = static_cast<unsigned char>(c);
               return octet >= 0x20 && octet != 0x7F;
           });
}

LogLevel level_of(int syslog_level) {
    return static_cast<LogLevel>(std::clamp(syslog_level, static_cast<int>(LogLevel::Error),
                                            static_cast<int>(LogLevel::Debug)));
}

} // namespace

/// Owns the plugin's instance and is the context of its callbacks; its address is fixed.
class Instance::Impl {
public:
    Impl(InstanceSettings settings, Callbacks callbacks, std::shared_ptr<Module> module)
        : settings_(std::move(settings)),
          callbacks_(std::move(callbacks)),
          module_(std::move(module)) {
        host_.size = sizeof host_;
        host_.context = this;
        host_.connected = &Impl::on_connected;
        host_.state = &Impl::on_state;
        host_.log = &Impl::on_log;
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        closing_ = true;
        if (plugin_ != nullptr) {
            fenced(settings_.name, "destroy", [this] { module_->api().destroy(plugin_); });
        }
    }

    Result<void> start() {
        std::vector<mt_transport_option> options;
        options.reserve(settings_.options.size());
        for (const auto& [key, value] : settings_.options) {
            options.push_back({key.c_str(), value.c_str()});
        }
        const auto role =
            settings_.role == Role::Listen ? MT_TRANSPORT_LISTEN : MT_TRANSPORT_CONNECT;
        fenced(settings_.name, "create", [&] {
            plugin_ = module_->api().create(&host_, role, options.data(), options.size());
        });
        if (plugin_ == nullptr) {
            return fail(Errc::ConfigInvalid,
                        "transport " + settings_.name + ": " +
                            (message_.empty() ? "the plugin refused to start" : message_));
        }
        fenced(settings_.name, "poll_fd", [this] { poll_fd_ = module_->api().poll_fd(plugin_); });
        if (poll_fd_ < 0) {
            return fail(Errc::Internal,
                        "transport " + settings_.name + " has no descriptor to wait for");
        }
        return {};
    }

    bool dispatch() {
        if (!broken_ &&
            !fenced(settings_.name, "dispatch", [this] { module_->api().dispatch(plugin_); })) {
            // What it left half done may be readable for ever.
            broken_ = true;
            fenced(settings_.name, "state",
                   [this] { set_state(State::Failed, "the plugin failed; see the log"); });
        }
        return !broken_;
    }

    void released(const std::string& peer) {
        if (broken_) {
            return;
        }
        fenced(settings_.name, "released", [&] { module_->api().released(plugin_, peer.c_str()); });
    }

    InstanceSettings settings_;
    Callbacks callbacks_;
    std::shared_ptr<Module> module_;
    mt_transport_host host_{};
    mt_transport_instance* plugin_ = nullptr;
    int poll_fd_ = -1;
    State state_ = State::Stopped;
    std::string message_;
    bool broken_ = false;  ///< has thrown: not called any more but to destroy it
    bool closing_ = false; ///< in the destructor: the owner hears nothing more

private:
    static int on_connected(void* context, int fd, const mt_transport_link* link) noexcept {
        UniqueFd owned(fd); // ours from here on, also when it is refused
        auto& self = *static_cast<Impl*>(context);
        int refused = 1;
        fenced(self.settings_.name, "connected", [&] {
            if (self.take(std::move(owned), link)) {
                refused = 0;
            }
        });
        return refused;
    }

    bool take(UniqueFd fd, const mt_transport_link* link) {
        if (closing_ || !callbacks_.connected || !fd.valid() || link == nullptr ||
            link->size < sizeof(mt_transport_link)) {
            return false;
        }
        if (!valid_peer(link->peer) || !prepare_descriptor(fd.get())) {
            log(LogLevel::Error, "a transport plugin gave a connection that cannot be used",
                {{"transport", settings_.name}});
            return false;
        }
        Connection connection;
        connection.fd = std::move(fd);
        connection.transport = settings_.name;
        connection.peer = link->peer;
        connection.reliable = link->reliable != 0;
        connection.bonded = link->bonded != 0;
        connection.role = link->role == MT_TRANSPORT_LISTEN ? Role::Listen : Role::Connect;
        connection.largest_frame = link->largest_frame;
        connection.module = module_;
        return callbacks_.connected(std::move(connection));
    }

    static void on_state(void* context, mt_transport_state state, const char* message) noexcept {
        auto& self = *static_cast<Impl*>(context);
        fenced(self.settings_.name, "state", [&] {
            if (state > MT_TRANSPORT_FAILED) {
                return;
            }
            self.set_state(static_cast<State>(state),
                           message == nullptr ? std::string() : printable(message, 300));
        });
    }

    void set_state(State state, std::string message) {
        state_ = state;
        message_ = std::move(message);
        if (!closing_ && callbacks_.state) {
            callbacks_.state(state_, message_);
        }
    }

    static void on_log(void* context, int level, const char* message) noexcept {
        auto& self = *static_cast<Impl*>(context);
        fenced(self.settings_.name, "log", [&] {
            log(level_of(level), printable(message == nullptr ? "" : message, 300),
                {{"transport", self.settings_.name}});
        });
    }
};

Result<std::unique_ptr<Instance>> Instance::create(InstanceSettings settings, Callbacks callbacks) {
    auto module = MTKEY_TRY(Module::load(settings.plugin_dir, settings.plugin));
    auto impl =
        std::make_unique<Impl>(std::move(settings), std::move(callbacks), std::move(module));
    MTKEY_CHECK(impl->start());
    return std::unique_ptr<Instance>(new Instance(std::move(impl)));
}

Instance::Instance(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Instance::~Instance() = default;

int Instance::poll_fd() const {
    return impl_->poll_fd_;
}

bool Instance::dispatch() {
    return impl_->dispatch();
}

void Instance::released(const std::string& peer) {
    impl_->released(peer);
}

State Instance::state() const {
    return impl_->state_;
}

const std::string& Instance::last_message() const {
    return impl_->message_;
}

const std::string& Instance::name() const {
    return impl_->settings_.name;
}

std::string_view default_plugin_dir() {
    return MTKEY_PLUGIN_DIR;
}

} // namespace mtkey::transports

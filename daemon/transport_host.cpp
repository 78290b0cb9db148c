// SPDX-License-Identifier: Apache-2.0
#include "daemon/transport_host.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace mtkey::daemon {
namespace {

/// An installation has its modules side by side; a build tree has one folder a plugin.
std::string module_dir(const std::string& dir, const std::string& plugin) {
    std::error_code ignored;
    const std::string below = dir + "/" + plugin;
    return std::filesystem::exists(below + "/mtkey-transport-" + plugin + ".so", ignored) ? below
                                                                                          : dir;
}

std::string_view to_text(transports::State state) {
    switch (state) {
    case transports::State::Stopped:
        return "stopped";
    case transports::State::Starting:
        return "starting";
    case transports::State::Ready:
        return "listening";
    case transports::State::Failed:
        return "failed";
    }
    return "failed";
}

} // namespace

TransportHost::TransportHost(Reactor& reactor, Mt& mt) : reactor_(reactor), mt_(mt) {
    for (const auto& transport : mt.config().transports) {
        slots_[transport.name].config = transport;
    }
}

TransportHost::~TransportHost() = default;

void TransportHost::start_all() {
    for (auto& [name, slot] : slots_) {
        if (const auto started = start(name); !started) {
            log_error("transport " + name, started.error());
        }
    }
}

Result<void> TransportHost::start(const std::string& name) {
    const auto found = slots_.find(name);
    if (found == slots_.end()) {
        return fail(Errc::NotFound, "transport " + name);
    }
    Slot& slot = found->second;
    if (slot.instance) {
        return {};
    }
    slot.last_error.clear();
    transports::InstanceSettings settings;
    settings.name = name;
    settings.plugin = slot.config.plugin;
    settings.plugin_dir = module_dir(mt_.config().plugin_dir, slot.config.plugin);
    settings.role = transports::Role::Listen;
    settings.options = slot.config.options;
    transports::Instance::Callbacks callbacks;
    callbacks.connected = [this, name](transports::Connection connection) {
        return accept(name, std::move(connection));
    };
    callbacks.state = [this, name](transports::State state, std::string_view message) {
        Slot& changed_slot = slots_[name];
        changed_slot.state = state;
        if (!message.empty()) {
            changed_slot.last_error = printable(message);
            log(state == transports::State::Failed ? LogLevel::Warning : LogLevel::Info,
                "transport " + name, {{"message", changed_slot.last_error}});
        }
        changed(name);
    };
    auto instance = transports::Instance::create(std::move(settings), std::move(callbacks));
    if (!instance) {
        slot.state = transports::State::Failed;
        slot.last_error = describe(instance.error());
        changed(name);
        return std::unexpected(instance.error());
    }
    slot.instance = *std::move(instance);
    ++slot.start;
    slot.state = slot.instance->state();
    slot.watch = reactor_.watch(slot.instance->poll_fd(), [this, name](bool, bool) {
        if (auto& running = slots_[name]; running.instance && !running.instance->dispatch()) {
            running.watch.reset(); // the plugin is broken and may be readable for ever
        }
    });
    changed(name);
    return {};
}

Result<void> TransportHost::stop(const std::string& name) {
    const auto found = slots_.find(name);
    if (found == slots_.end()) {
        return fail(Errc::NotFound, "transport " + name);
    }
    for (auto& link : links_) {
        if (link->transport() == name) {
            link->close();
        }
    }
    found->second.watch.reset();
    found->second.instance.reset();
    found->second.state = transports::State::Stopped;
    changed(name);
    return {};
}

void TransportHost::stop_all() {
    for (auto& [name, slot] : slots_) {
        static_cast<void>(stop(name));
    }
}

bool TransportHost::accept(const std::string& name, transports::Connection connection) {
    if (const char* reason = make_room(name)) {
        log(LogLevel::Warning, "connection refused", {{"transport", name}, {"reason", reason}});
        return false;
    }
    log(LogLevel::Info, "device connected", {{"transport", name}, {"peer", connection.peer}});
    // The link tells its end by its own address, which only exists after construction.
    auto self = std::make_shared<DeviceLink*>(nullptr);
    links_.push_back(std::make_unique<DeviceLink>(
        reactor_, mt_, std::move(connection),
        [this, self, start = slots_[name].start] { ended(*self, start); }));
    *self = links_.back().get();
    changed(name);
    return true;
}

const char* TransportHost::make_room(const std::string& name) {
    if (links_.size() >= kMostLinks) {
        return "too many devices at once";
    }
    DeviceLink* oldest = nullptr; // links_ is in the order of their coming
    std::size_t strangers = 0;
    // Those that have shown their key are counted apart: nobody else takes their places.
    std::map<std::pair<std::string, bool>, std::size_t> places;
    for (const auto& link : links_) {
        const auto device = link->device();
        const bool keeps_its_place =
            !device.empty() && ++places[{device, link->proven()}] <= kLinksOfADevice;
        if (link->transport() == name && !keeps_its_place) {
            ++strangers;
            oldest = oldest != nullptr ? oldest : link.get();
        }
    }
    if (strangers < kMostStrangers) {
        return nullptr;
    }
    if (mt_.clock().boot_now() < oldest->since() + kStrangersTime) {
        return "too many unknown devices here";
    }
    log(LogLevel::Info, "an unknown device makes room",
        {{"transport", name}, {"peer", oldest->peer()}});
    oldest->drop();
    return nullptr;
}

void TransportHost::ended(DeviceLink* link, std::uint64_t start) {
    const auto found = std::ranges::find(links_, link, &std::unique_ptr<DeviceLink>::get);
    if (found == links_.end()) {
        return;
    }
    const std::string name = link->transport();
    const std::string peer = link->peer();
    links_.erase(found); // closes the descriptor: only then may the plugin open it again
    if (auto& slot = slots_[name]; slot.instance && slot.start == start) {
        slot.instance->released(peer);
    }
    changed(name);
}

void TransportHost::changed(const std::string& name) {
    if (changed_) {
        changed_(name);
    }
}

std::vector<TransportView> TransportHost::views() const {
    std::vector<TransportView> out;
    for (const auto& [name, slot] : slots_) {
        TransportView view;
        view.name = name;
        view.plugin = slot.config.plugin;
        view.state = to_text(slot.state);
        view.last_error = slot.last_error;
        view.connections = static_cast<std::uint32_t>(std::ranges::count_if(
            links_, [&](const auto& link) { return link->transport() == name; }));
        out.push_back(std::move(view));
    }
    return out;
}

} // namespace mtkey::daemon

// SPDX-License-Identifier: Apache-2.0
#include "store/store_file.hpp"

#include "store/generation.hpp"

#include <algorithm>
#include <new>

namespace mtkey::store {
namespace {

const std::string kStore = kStoreFile;
const std::string kGeneration = "generation";
constexpr unsigned kBadNames = 9;

std::string bad_name(unsigned number) {
    return kStore + ".bad-" + std::to_string(number);
}

/// For errors of files alone.
std::unexpected<Error> store_failed(Error error) {
    error.code = Errc::StoreFailed;
    return std::unexpected(std::move(error));
}

/// Nothing is known of the file: it may be all right, and must stay.
bool unreadable(const Error& error) {
    return error.code == Errc::IoFailed || error.code == Errc::CryptoFailed;
}

std::unexpected<Error> unbelievable_unless_unreadable(const Error& error) {
    return unreadable(error) ? store_failed(error) : std::unexpected(error);
}

} // namespace

Result<StoreFile> StoreFile::open(StorePlace place, FileOps& files, RandomSource& random,
                                  const BootId& boot_id, Keks keks) {
    auto directory = Directory::open(files, place.directory, Trust::Config);
    if (!directory) {
        return store_failed(std::move(directory).error());
    }
    StoreFile out(std::move(place), random, boot_id, *std::move(directory), std::move(keks));
    if (out.writable()) {
        auto lock = out.directory_.lock(kLockFile);
        if (!lock) {
            return lock.error().code == Errc::InProgress ? std::unexpected(std::move(lock).error())
                                                         : store_failed(std::move(lock).error());
        }
        out.lock_ = *std::move(lock);
    }
    if (!out.place_.runtime_directory.empty()) {
        auto runtime = Directory::open(files, out.place_.runtime_directory, Trust::Config);
        if (!runtime) {
            return store_failed(std::move(runtime).error());
        }
        out.runtime_ = *std::move(runtime);
    }
    return out;
}

Result<std::optional<Snapshot>> StoreFile::read() {
    std::vector<const Kek*> keks{&*keks_.current};
    if (keks_.next) {
        keks.push_back(&*keks_.next);
    }
    auto floor = read_floor(keks);
    if (!floor && unreadable(floor.error())) {
        return store_failed(std::move(floor).error());
    }
    next_generation_ = floor.value_or(0) + 1;
    auto file = directory_.read(kStore, kStoreLimit, Trust::Private);
    const bool none = !file && file.error().code == Errc::NotFound;
    if (!file && !none) {
        return unbelievable_unless_unreadable(file.error());
    }
    if (none) {
        if (floor && *floor != 0) {
            return fail(Errc::NotFound, "the key store that was written in this boot is gone");
        }
        return floor ? Result<std::optional<Snapshot>>(std::nullopt)
                     : std::unexpected(std::move(floor).error());
    }
    auto opened = store::open(*file, keks, place_.store_id, place_.layouts);
    if (!opened) {
        return unbelievable_unless_unreadable(opened.error());
    }
    const auto generation = opened->snapshot.generation;
    next_generation_ = std::max(next_generation_, generation + 1);
    if (!floor) {
        return std::unexpected(std::move(floor).error());
    }
    if (generation < *floor) {
        return fail(Errc::Malformed, "an old copy of the key store: generation " +
                                         std::to_string(generation) + ", not " +
                                         std::to_string(*floor));
    }
    if (kek_id(*keks_.current) != opened->sealed_under) {
        std::swap(keks_.current, keks_.next);
    }
    // Older ones are refused from now on, also when nothing is written in this run.
    if (auto next = MTKEY_TRY(prepare_floor(generation))) {
        if (auto done = next->publish(); !done) {
            return store_failed(std::move(done).error());
        }
    }
    vouched_ = *floor != 0 && generation == *floor;
    file_ = *std::move(file);
    return std::move(opened->snapshot);
}

Result<std::uint64_t> StoreFile::read_floor(std::span<const Kek* const> keks) const {
    if (!runtime_) {
        return 0;
    }
    const auto file = runtime_->read(kGeneration, kGenerationFile, Trust::Private);
    if (!file) {
        return file.error().code == Errc::NotFound ? Result<std::uint64_t>(0)
                                                   : std::unexpected(file.error());
    }
    const auto floor = MTKEY_TRY(parse_generation(*file, keks, place_.store_id));
    return floor.boot_id == boot_id_ ? floor.generation : 0;
}

Result<std::optional<Replacement>> StoreFile::prepare_floor(std::uint64_t generation) const {
    if (!runtime_ || !writable()) {
        return std::nullopt;
    }
    const auto floor = encode_generation({.boot_id = boot_id_, .generation = generation},
                                         *keks_.current, place_.store_id);
    auto replacement = runtime_->replace(kGeneration, floor, Outlives::Program);
    if (!replacement) {
        return store_failed(std::move(replacement).error());
    }
    return *std::move(replacement);
}

Result<void> StoreFile::write(Snapshot& snapshot) {
    if (!writable()) {
        return fail(Errc::NotReady, "the key store was opened to be read");
    }
    const auto former = snapshot.generation;
    snapshot.generation = next_generation_;
    Result<void> done;
    try {
        auto file = seal(snapshot, *keks_.current, place_.store_id, *random_);
        if (file) {
            ++next_generation_;
            done = replace(*file, snapshot.generation);
        } else {
            done = std::unexpected(std::move(file).error());
        }
        if (done) {
            file_ = *std::move(file);
            return {};
        }
    } catch (const std::bad_alloc&) {
        done = out_of_memory();
    }
    snapshot.generation = former;
    return done;
}

/// The floor is prepared first: what can fail for want of space has failed before the file is
/// touched.
Result<void> StoreFile::replace(ByteView file, std::uint64_t generation) {
    auto floor = MTKEY_TRY(prepare_floor(generation));
    auto next = directory_.replace(kStore, file, Outlives::PowerCut);
    if (!next) {
        return store_failed(std::move(next).error());
    }
    if (auto done = next->publish(); !done) {
        return store_failed(std::move(done).error());
    }
    Result<void> done;
    try {
        done = directory_.sync();
        if (done && floor) {
            done = floor->publish();
        }
    } catch (const std::bad_alloc&) { // by the text of an error
        done = out_of_memory();
    }
    if (done) {
        return {};
    }
    if (!restore()) {
        done.error().context += "; the file before this change could not be put back";
    }
    return store_failed(std::move(done).error());
}

bool StoreFile::restore() const try {
    if (file_.empty()) {
        const auto removed = directory_.remove(kStore);
        static_cast<void>(directory_.sync());
        return removed.has_value();
    }
    auto former = directory_.replace(kStore, file_, Outlives::PowerCut);
    if (!former || !former->publish()) {
        return false;
    }
    // What the disk makes of it nobody knows after an fsync that failed: either file is whole.
    static_cast<void>(directory_.sync());
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

Result<void> StoreFile::verify() const {
    const auto file = directory_.read(kStore, kStoreLimit, Trust::Private);
    if (!file && (file.error().code != Errc::NotFound || file_.empty())) {
        return file_.empty() && file.error().code == Errc::NotFound
                   ? Result<void>()
                   : unbelievable_unless_unreadable(file.error());
    }
    if (!file) {
        return fail(Errc::NotFound, "the key store is gone");
    }
    if (*file != file_) {
        return fail(Errc::Malformed, "the key store on the disk is not the one that was written");
    }
    return {};
}

unsigned StoreFile::last_bad() const {
    unsigned last = 0;
    for (unsigned number = 1; number <= kBadNames; ++number) {
        last = directory_.has(bad_name(number)).value_or(false) ? number : last;
    }
    return last;
}

std::string StoreFile::former() const {
    const unsigned last = last_bad();
    return last == 0 ? "" : bad_name(last);
}

Result<std::string> StoreFile::set_aside() {
    const unsigned former = last_bad();
    const auto name = bad_name(former % kBadNames + 1);
    auto moved = directory_.rename(kStore, name);
    if (!moved) {
        return moved.error().code == Errc::NotFound ? Result<std::string>("")
                                                    : store_failed(std::move(moved).error());
    }
    file_.clear();
    if (former != 0) { // one is kept
        static_cast<void>(directory_.remove(bad_name(former)));
    }
    return name;
}

Result<void> StoreFile::rekey(const Kek& next, Snapshot& snapshot) {
    if (kek_id(next) == kek_id(*keks_.current)) {
        return {};
    }
    auto former = std::exchange(keks_.current, next.clone());
    auto done = write(snapshot);
    if (!done) {
        keks_.current = std::move(former);
    }
    return done;
}

} // namespace mtkey::store

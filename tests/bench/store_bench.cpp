// SPDX-License-Identifier: Apache-2.0
// A commit of 256 records beside what the disk alone asks for as many octets: write, fdatasync,
// rename, fsync of the folder. The two take turns, so that both meet the same disk; the ratio is
// that of their medians. The disk is that of $MTKEY_BENCH_DIR (default: the current folder).
#include "unit/store/machine.hpp"

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace mtkey::store {
namespace {

namespace fs = std::filesystem;
using Seconds = std::chrono::duration<double>;

/// A folder on that disk; gone with the object.
class Folder {
public:
    Folder() {
        const char* chosen = std::getenv("MTKEY_BENCH_DIR");
        std::string pattern = fs::path(chosen != nullptr ? chosen : ".") / "store-bench-XXXXXX";
        path_ = ::mkdtemp(pattern.data()) != nullptr ? pattern : "";
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

bool write_bare(int folder, ByteView octets) {
    const int fd = ::openat(folder, "bare.tmp", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool written = fd >= 0 && write_all(fd, octets) && ::fdatasync(fd) == 0;
    ::close(fd);
    return written && ::renameat(folder, "bare.tmp", folder, "bare") == 0 && ::fsync(folder) == 0;
}

template <typename Work>
double timed(Work work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return Seconds(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

void commit_of_256_records(benchmark::State& state) {
    static const bool locked = init_secure_heap().has_value();
    const Folder disk;
    const fakes::ScratchDirectory run;
    FileOps files;
    SystemClock clock;
    SystemRandom random;
    const auto opened =
        SealedKeyStore::open(StorePlace{.directory = disk.path(),
                                        .runtime_directory = run.path(),
                                        .store_id = "mtkeyd",
                                        .layouts = kLayouts},
                             StoreParts{.files = files,
                                        .clock = clock,
                                        .random = random,
                                        .boot_id = {1},
                                        .key_id = test_key_id},
                             Keks{.current = kek_of(1), .next = {}, .origin = "file"});
    const int folder = ::open(disk.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!locked || !opened || folder < 0) {
        state.SkipWithError("no store to measure; is MTKEY_BENCH_DIR yours?");
        return;
    }
    auto& store = **opened;
    for (std::size_t i = 0; i < kMostRecords; ++i) {
        if (!store.put(record_of("urn:uuid:" + std::to_string(1000 + i), 1, clock))) {
            state.SkipWithError("cannot fill the store");
            return;
        }
    }
    const Bytes octets = Machine::read(disk.path() / "store");
    std::vector<double> sealed;
    std::vector<double> bare;
    bool well = true;
    for (auto iteration : state) {
        static_cast<void>(iteration);
        auto record = record_of("urn:uuid:1100", static_cast<std::uint8_t>(sealed.size()), clock);
        sealed.push_back(timed([&] { well = well && store.put(std::move(record)); }));
        bare.push_back(timed([&] { well = well && write_bare(folder, octets); }));
        state.SetIterationTime(sealed.back());
    }
    ::close(folder);
    if (!well) {
        state.SkipWithError("a write failed");
        return;
    }
    state.counters["octets"] = static_cast<double>(octets.size());
    state.counters["commit_us"] = median(sealed) * 1e6;
    state.counters["bare_us"] = median(bare) * 1e6;
    state.counters["ratio"] = median(sealed) / median(bare); // wanted: at most 1.5
}

BENCHMARK(commit_of_256_records)->UseManualTime()->Iterations(400)->Unit(benchmark::kMicrosecond);

} // namespace
} // namespace mtkey::store

BENCHMARK_MAIN();

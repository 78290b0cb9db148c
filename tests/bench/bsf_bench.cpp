// SPDX-License-Identifier: Apache-2.0
// Bootstrappings per second of the BSF, beside what OpenSSL and SQLite alone would take for them.
// The database is a file in $MTKEY_BENCH_DIR (default: the current folder), so that a commit costs
// what the disk there asks.
#include "aka/digest.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "bench/bsf_raw_cost.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/ub_handler.hpp"

#include <atomic>
#include <benchmark/benchmark.h>
#include <cstdio>
#include <filesystem>
#include <map>

namespace mtkey::bench {
namespace {

constexpr unsigned kSubscribers = 256;
constexpr std::string_view kFqdn = "bsf.mnc001.mcc001.pub.3gppnetwork.org";
constexpr std::string_view kK = "465b5ce8b199b49faa5f0a2ee238a6bc";
constexpr std::string_view kOpc = "cd63cb71954a9f4e48a5994e37a02baf";

/// A folder for a database; gone with the object.
class Folder {
public:
    Folder() {
        const char* chosen = std::getenv("MTKEY_BENCH_DIR");
        std::string pattern =
            std::filesystem::path(chosen != nullptr ? chosen : ".") / "bsf-bench-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file() const { return path_ / "bsf.db"; }

private:
    std::filesystem::path path_;
};

std::string imsi(unsigned number) {
    const auto digits = std::to_string(number);
    return "00101" + std::string(10 - digits.size(), '0') + digits;
}

std::vector<aka::Subscriber> subscribers() {
    std::string text;
    for (unsigned i = 0; i < kSubscribers; ++i) {
        text.append("[[subscriber]]\nimsi = \"")
            .append(imsi(i))
            .append("\"\nmnc_length = 2\nk = \"");
        text.append(kK).append("\"\nopc = \"").append(kOpc).append("\"\n");
    }
    return aka::parse_subscribers(text, "bench").value();
}

/// A whole BSF but for its sockets.
struct Bsf {
    explicit Bsf(bool file)
        : database(file ? bsf::Database::open(folder.file()).value() : bsf::Database::in_memory()) {
        (void)bsf::import_subscribers(*database, subscribers()).value();
    }
    static bsf::UbSettings settings() {
        bsf::UbSettings out;
        out.fqdn = kFqdn;
        return out;
    }

    Folder folder;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<bsf::Database> database;
    bsf::AuthenticationCentre centre{*database, aka::SqnScheme::FixedInd, clock, random};
    bsf::BootstrappingStore store{*database, clock, "bench"};
    bsf::UbHandler ub{settings(), centre, store, clock, random};
};

/// One UE after the other; its own arithmetic is the same for all that is measured.
class Ue {
public:
    HttpRequest first(unsigned number) {
        impi_ = bsf::impi_of(imsi(number % kSubscribers), 2);
        return request("Digest username=\"" + impi_ + "\", realm=\"" + std::string(kFqdn) +
                       "\", nonce=\"\", uri=\"/\", response=\"\"");
    }
    HttpRequest answer(const HttpResponse& challenge) {
        const auto offered = aka::DigestParameters::parse_challenge(
                                 *challenge.headers.single("WWW-Authenticate").value())
                                 .value();
        aka::DigestInputs inputs;
        inputs.username = impi_;
        inputs.realm = kFqdn;
        inputs.nonce = offered.get("nonce").value();
        inputs.cnonce = "6629fae49393a05397450978507c4ef1";
        auto res = algorithm_->f2345(aka::parse_nonce(inputs.nonce)->rand).res;
        aka::gba_u_flip(res, {});
        return request(
            "Digest username=\"" + impi_ + "\", realm=\"" + inputs.realm + "\", nonce=\"" +
            inputs.nonce + "\", uri=\"/\", qop=auth-int, nc=00000001, cnonce=\"" + inputs.cnonce +
            "\", response=\"" + aka::digest_response(inputs, res.reveal(), {}) + "\", opaque=\"" +
            std::string(offered.get("opaque").value()) + "\", algorithm=AKAv1-MD5");
    }

private:
    static HttpRequest request(std::string authorization) {
        HttpRequest out;
        out.headers.add("Authorization", std::move(authorization));
        return out;
    }
    static Secret<16> key(std::string_view hex) {
        return Secret<16>(secret_from_hex(hex)->reveal().first<16>());
    }
    std::unique_ptr<aka::Algorithm> algorithm_ = aka::milenage(key(kK), key(kOpc));
    std::string impi_;
};

void openssl_alone(benchmark::State& state) {
    RawCrypto crypto;
    for ([[maybe_unused]] auto step : state) {
        crypto.one_bootstrapping();
    }
    state.SetItemsProcessed(state.iterations());
}

void sqlite_alone(benchmark::State& state, bool file) {
    const Folder folder;
    RawSqlite sqlite(file ? folder.file() : "");
    for ([[maybe_unused]] auto step : state) {
        sqlite.one_bootstrapping();
    }
    state.SetItemsProcessed(state.iterations());
}

/// The handler's own time; the UE's between its calls is not counted.
void in_process(benchmark::State& state, bool file) {
    Bsf bsf(file);
    Ue ue;
    unsigned number = 0;
    for ([[maybe_unused]] auto step : state) {
        std::chrono::steady_clock::duration spent{};
        const auto handle = [&](const HttpRequest& request) {
            const auto begin = std::chrono::steady_clock::now();
            auto response = bsf.ub.handle(request);
            spent += std::chrono::steady_clock::now() - begin;
            return response;
        };
        const auto done = handle(ue.answer(handle(ue.first(number++))));
        if (done.status != 200) {
            state.SkipWithError("no 200");
            return;
        }
        state.SetIterationTime(std::chrono::duration<double>(spent).count());
    }
    state.SetItemsProcessed(state.iterations());
}

/// Real HTTP over the loopback interface, one connection a UE; the UE's time is in it.
class OverHttp {
public:
    OverHttp() {
        http::ServerSettings settings;
        settings.threads = 4;
        settings.connection_seconds = 3600;
        server_ =
            http::Server::create(settings, [this](const HttpRequest& request, const http::Peer&) {
                return bsf_.ub.handle(request);
            }).value();
        server_->start();
    }
    [[nodiscard]] http::ClientSettings client() const {
        http::ClientSettings out;
        out.fqdn = kFqdn;
        out.address = "127.0.0.1:" + std::to_string(server_->port());
        return out;
    }
    unsigned next() { return numbers_++; }

private:
    Bsf bsf_{true};
    std::unique_ptr<http::Server> server_;
    std::atomic<unsigned> numbers_ = 0;
};

std::unique_ptr<OverHttp> served;

void over_http(benchmark::State& state) {
    http::Client client(served->client());
    Ue ue;
    for ([[maybe_unused]] auto step : state) {
        const auto challenge = client.exchange(ue.first(served->next()));
        const auto done = challenge ? client.exchange(ue.answer(*challenge)) : challenge;
        if (!done || done->status != 200) {
            state.SkipWithError("no 200");
            return;
        }
    }
    state.SetItemsProcessed(state.iterations());
}

/// Keeps what the ratios are made of.
class Reporter final : public benchmark::ConsoleReporter {
public:
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const auto& run : runs) {
            if (!run.error_occurred) {
                seconds_[run.benchmark_name()] =
                    run.real_accumulated_time / static_cast<double>(run.iterations);
            }
        }
        ConsoleReporter::ReportRuns(runs);
    }
    void print_ratios() const {
        const auto crypto = of("openssl");
        for (const auto& [name, sqlite] :
             {std::pair{"in_process/memory/manual_time", "sqlite/memory"},
              std::pair{"in_process/file/manual_time", "sqlite/file/real_time"},
              std::pair{"over_http/real_time/threads:1", "sqlite/file/real_time"},
              std::pair{"over_http/real_time/threads:4", "sqlite/file/real_time"}}) {
            const auto raw = crypto + of(sqlite);
            if (of(name) > 0 && raw > 0) {
                std::printf("%-32s %9.0f a second, %5.2f x the cost of OpenSSL and SQLite alone "
                            "(%.1f + %.1f us)\n",
                            name, 1 / of(name), of(name) / raw, crypto * 1e6, of(sqlite) * 1e6);
            }
        }
    }

private:
    [[nodiscard]] double of(const std::string& name) const {
        const auto found = seconds_.find(name);
        return found == seconds_.end() ? 0 : found->second;
    }
    std::map<std::string, double> seconds_;
};

int run(int argc, char** argv) {
    set_log_level(LogLevel::Error);
    if (!init_secure_heap()) {
        std::fputs("bsf-bench: no locked memory\n", stderr);
        return 1;
    }
    benchmark::RegisterBenchmark("openssl", openssl_alone);
    benchmark::RegisterBenchmark("sqlite/memory", sqlite_alone, false);
    benchmark::RegisterBenchmark("sqlite/file", sqlite_alone, true)->UseRealTime();
    benchmark::RegisterBenchmark("in_process/memory", in_process, false)->UseManualTime();
    benchmark::RegisterBenchmark("in_process/file", in_process, true)->UseManualTime();
    for (const int threads : {1, 4}) {
        benchmark::RegisterBenchmark("over_http", over_http)->UseRealTime()->Threads(threads);
    }
    benchmark::Initialize(&argc, argv);
    served = std::make_unique<OverHttp>();
    Reporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    reporter.print_ratios();
    served.reset();
    return 0;
}

} // namespace
} // namespace mtkey::bench

int main(int argc, char** argv) {
    return mtkey::bench::run(argc, argv);
}

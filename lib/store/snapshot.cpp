// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot.hpp"

#include <algorithm>

namespace mtkey::store {
namespace {

/// Octets that a field may have; check() and read_layout_1() obey the same.
struct Range {
    std::size_t least;
    std::size_t most;
};
constexpr Range kDeviceId{1, 128};
constexpr Range kLabel{0, 128};
constexpr Range kTransport{0, 255};
constexpr Range kPeer{0, 255};
constexpr Range kNafFqdn{1, 255};
constexpr Range kBtid{1, 255};
constexpr Range kProfile{1, 64};
constexpr Range kUicc{0, 64};
constexpr std::size_t kNafUa = 5;

// 1 is the first; "" is no mode.
constexpr std::array<std::string_view, 4> kModes{"", "gba-u", "gba-me", "gba-2g"};

std::uint8_t mode_code(std::string_view mode) {
    const auto found = std::ranges::find(kModes, mode);
    return found == kModes.end() ? std::uint8_t{0}
                                 : static_cast<std::uint8_t>(found - kModes.begin());
}

bool fits(std::size_t size, Range range) {
    return size >= range.least && size <= range.most;
}
bool fits(const std::string& text, Range range) {
    return fits(text.size(), range);
}
bool fits(UtcTime time) {
    const auto seconds = time.time_since_epoch().count();
    return seconds >= 0 && seconds <= kLastSecond;
}
bool fits(BootTime time) {
    const auto milliseconds = time.time_since_epoch().count();
    return milliseconds >= 0 && milliseconds <= kLastBootMillisecond;
}

std::unexpected<Error> unfit(const char* field) {
    return fail(Errc::InvalidArgument, std::string("key store: ") + field + " cannot be stored");
}

void write_record(FieldWriter& out, const KeyRecord& record) {
    out.text(record.device_id);
    out.text(record.label);
    out.number(static_cast<std::uint8_t>(record.state));
    out.number(static_cast<std::uint8_t>(record.time_unknown ? 1 : 0));
    out.text(record.transport);
    out.text(record.peer);
    out.text(record.naf_fqdn);
    out.octets(record.naf_ua);
    out.text(record.b_tid);
    out.number(mode_code(record.mode));
    out.text(record.profile);
    out.text(record.uicc);
    out.octets(record.ks_local_mt.reveal());
    out.octets(record.th_est);
    out.octets(record.est_id);
    for (const auto time :
         {record.created, record.confirmed, record.last_used, record.expires, record.local_end}) {
        out.time(time);
    }
    out.time(record.deadline);
}

Result<std::string> read_text(FieldReader& in, Range range) {
    return in.text(range.least, range.most);
}

Result<KeyRecord> read_record(FieldReader& in) {
    KeyRecord record;
    record.device_id = MTKEY_TRY(read_text(in, kDeviceId));
    record.label = MTKEY_TRY(read_text(in, kLabel));
    const auto state = MTKEY_TRY(in.number<std::uint8_t>());
    const auto time_unknown = MTKEY_TRY(in.number<std::uint8_t>());
    record.transport = MTKEY_TRY(read_text(in, kTransport));
    record.peer = MTKEY_TRY(read_text(in, kPeer));
    record.naf_fqdn = MTKEY_TRY(read_text(in, kNafFqdn));
    record.naf_ua.resize(kNafUa);
    MTKEY_CHECK(in.octets(record.naf_ua));
    record.b_tid = MTKEY_TRY(read_text(in, kBtid));
    const auto mode = MTKEY_TRY(in.number<std::uint8_t>());
    record.profile = MTKEY_TRY(read_text(in, kProfile));
    record.uicc = MTKEY_TRY(read_text(in, kUicc));
    MTKEY_CHECK(in.octets(record.ks_local_mt.reveal_writable()));
    MTKEY_CHECK(in.octets(record.th_est));
    MTKEY_CHECK(in.octets(record.est_id));
    for (auto* time : {&record.created, &record.confirmed, &record.last_used, &record.expires,
                       &record.local_end}) {
        *time = MTKEY_TRY(in.utc_time());
    }
    record.deadline = MTKEY_TRY(in.boot_time());
    if (state < static_cast<std::uint8_t>(KeyState::Confirmed) ||
        state > static_cast<std::uint8_t>(KeyState::Pending) || time_unknown > 1 || mode == 0 ||
        mode >= kModes.size()) {
        return fail(Errc::Malformed, "the sealed store holds a state or mode that is none");
    }
    record.state = static_cast<KeyState>(state);
    record.time_unknown = time_unknown == 1;
    record.mode = kModes[mode];
    return record;
}

} // namespace

Result<void> check(const KeyRecord& record) {
    struct Text {
        const char* name;
        const std::string& value;
        Range range;
    };
    for (const auto& [name, value, range] :
         {Text{"Device_ID", record.device_id, kDeviceId}, Text{"label", record.label, kLabel},
          Text{"transport", record.transport, kTransport}, Text{"peer", record.peer, kPeer},
          Text{"FQDN of the NAF", record.naf_fqdn, kNafFqdn}, Text{"B-TID", record.b_tid, kBtid},
          Text{"KDF profile", record.profile, kProfile}, Text{"UICC", record.uicc, kUicc}}) {
        if (!fits(value, range)) {
            return unfit(name);
        }
    }
    if (record.naf_ua.size() != kNafUa) {
        return unfit("Ua security protocol identifier");
    }
    if (mode_code(record.mode) == 0) {
        return unfit("mode");
    }
    if (!fits(record.created) || !fits(record.confirmed) || !fits(record.last_used) ||
        !fits(record.expires) || !fits(record.local_end) || !fits(record.deadline)) {
        return unfit("time");
    }
    return {};
}

Result<void> check(const Memory& memory) {
    if (!fits(memory.uicc, kUicc)) {
        return unfit("UICC");
    }
    if (memory.bootstrap.size() > kMostBootstrap) {
        return unfit("memory of bootstrappings");
    }
    if (memory.tombstones.size() > kMostTombstones) {
        return unfit("number of tombstones");
    }
    for (const auto& tombstone : memory.tombstones) {
        if (!fits(tombstone.device_id, {0, kDeviceId.most}) || !fits(tombstone.b_tid, kBtid)) {
            return unfit("tombstone");
        }
    }
    return {};
}

Result<void> encode_snapshot(const Snapshot& snapshot, PlainSink& sink) {
    if (snapshot.records.size() > kMostRecords ||
        std::ranges::adjacent_find(snapshot.records, std::ranges::greater_equal{},
                                   &KeyRecord::slot) != snapshot.records.end()) {
        return unfit("number or order of the records");
    }
    if (!fits(snapshot.written) || !fits(snapshot.written_boot) || !fits(snapshot.high_water)) {
        return unfit("time");
    }
    MTKEY_CHECK(check(snapshot.memory));
    FieldWriter out(sink);
    out.number(kLayoutVersion);
    out.number(snapshot.generation);
    out.octets(snapshot.boot_id);
    out.time(snapshot.written);
    out.time(snapshot.written_boot);
    out.time(snapshot.high_water);
    out.text(snapshot.memory.uicc);
    out.counted(snapshot.memory.bootstrap);
    out.number(static_cast<std::uint16_t>(snapshot.memory.tombstones.size()));
    for (const auto& tombstone : snapshot.memory.tombstones) {
        out.text(tombstone.device_id);
        out.text(tombstone.b_tid);
    }
    out.number(static_cast<std::uint16_t>(snapshot.records.size()));
    for (const auto& record : snapshot.records) {
        MTKEY_CHECK(check(record));
        write_record(out, record);
    }
    return {};
}

Result<Snapshot> read_layout_1(FieldReader& in) {
    Snapshot out;
    out.generation = MTKEY_TRY(in.number<std::uint64_t>());
    MTKEY_CHECK(in.octets(out.boot_id));
    out.written = MTKEY_TRY(in.utc_time());
    out.written_boot = MTKEY_TRY(in.boot_time());
    out.high_water = MTKEY_TRY(in.utc_time());
    out.memory.uicc = MTKEY_TRY(read_text(in, kUicc));
    out.memory.bootstrap = MTKEY_TRY(in.counted(0, kMostBootstrap));
    const auto tombstones = MTKEY_TRY(in.number<std::uint16_t>());
    if (tombstones > kMostTombstones) {
        return fail(Errc::Malformed, "the sealed store holds too many tombstones");
    }
    for (unsigned i = 0; i < tombstones; ++i) {
        Tombstone tombstone;
        tombstone.device_id = MTKEY_TRY(in.text(0, kDeviceId.most));
        tombstone.b_tid = MTKEY_TRY(read_text(in, kBtid));
        out.memory.tombstones.push_back(std::move(tombstone));
    }
    const auto records = MTKEY_TRY(in.number<std::uint16_t>());
    if (records > kMostRecords) {
        return fail(Errc::Malformed, "the sealed store holds too many records");
    }
    out.records.reserve(records);
    for (unsigned i = 0; i < records; ++i) {
        out.records.push_back(MTKEY_TRY(read_record(in)));
        if (i > 0 && out.records[i].slot() <= out.records[i - 1].slot()) {
            return fail(Errc::Malformed, "the sealed store holds records out of order");
        }
    }
    return out;
}

Result<Snapshot> parse_snapshot(PlainSource& source, std::span<const Layout> layouts) {
    FieldReader in(source);
    const auto version = MTKEY_TRY(in.number<std::uint16_t>());
    const auto layout = std::ranges::find(layouts, version, &Layout::version);
    if (layout == layouts.end()) {
        return fail(Errc::VersionMismatch, "the sealed store has layout " +
                                               std::to_string(version) + ", not " +
                                               std::to_string(kLayoutVersion));
    }
    Snapshot out = MTKEY_TRY(layout->read(in));
    MTKEY_CHECK(in.end());
    return out;
}

Result<Bytes> seal(const Snapshot& snapshot, const Kek& kek, std::string_view store_id,
                   RandomSource& random) {
    constexpr std::size_t kUsualRecord = 384;
    Sealer sealer = MTKEY_TRY(
        Sealer::begin(kek, store_id, random, (snapshot.records.size() + 1) * kUsualRecord));
    MTKEY_CHECK(encode_snapshot(snapshot, sealer));
    return sealer.finish();
}

Result<Opened> open(ByteView file, std::span<const Kek* const> keks, std::string_view store_id,
                    std::span<const Layout> layouts) {
    Unsealer plain = MTKEY_TRY(Unsealer::begin(file, keks, store_id));
    Opened out{.snapshot = {}, .sealed_under = plain.sealed_under()};
    out.snapshot = MTKEY_TRY(parse_snapshot(plain, layouts));
    return out;
}

} // namespace mtkey::store

// SPDX-License-Identifier: Apache-2.0
#include "uicc/application.hpp"

#include "uicc/ef_parsers.hpp"
#include "uicc/files.hpp"
#include "uicc/pin.hpp"
#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kSelect = 0xA4;
constexpr std::uint8_t kUpdateBinary = 0xD6;
constexpr std::uint8_t kStatus = 0xF2;
constexpr std::uint8_t kByName = 0x04;
constexpr std::uint8_t kReturnFcp = 0x04;
constexpr std::uint8_t kReturnNothing = 0x0C;
constexpr std::uint8_t kApplicationPin = 0x01;
constexpr unsigned kServiceGba = 68;      // TS 31.102 clause 4.2.8
constexpr unsigned kServiceLocalKey = 76; // GBA-based Local Key Establishment
constexpr unsigned kMostApplications = 32;
constexpr unsigned kMostKeyCenters = 32;
constexpr std::size_t kGbabpLifetime = 17; // behind L1 and RAND
constexpr std::size_t kLongestData = 255;

/// A parser's "malformed" is the card's fault here.
template <typename T>
Result<T> of_card(Result<T> parsed) {
    if (!parsed) {
        return fail(Errc::CardFailed, parsed.error().context);
    }
    return parsed;
}

Result<Bytes> read_required(CardChannel& card, Under under, std::uint16_t file, const char* name) {
    auto content = MTKEY_TRY(read_transparent(card, under, file));
    if (!content) {
        return fail(Errc::CardFailed, std::string("the card has no ") + name, sw::kFileNotFound);
    }
    return *std::move(content);
}

Result<DirEntry> find_usim(CardChannel& card) {
    const auto records =
        MTKEY_TRY(read_records(card, Under::MasterFile, fid::kDir, kMostApplications));
    if (records) {
        for (const auto& record : *records) {
            // A record that makes no sense hides no other one.
            auto entry = parse_dir_record(record);
            if (entry && *entry && (*entry)->kind == DirEntry::Kind::Usim) {
                return **std::move(entry);
            }
        }
    }
    return fail(Errc::NotSupportedByCard, "EF_DIR names no USIM");
}

Result<ResponseApdu> select_by_name(CardChannel& card, ByteView aid, bool want_fcp) {
    if (aid.size() < 5 || aid.size() > 16) {
        return fail(Errc::InvalidArgument, "an AID has 5 to 16 octets");
    }
    CommandApdu command;
    command.ins = kSelect;
    command.p1 = kByName;
    command.p2 = want_fcp ? kReturnFcp : kReturnNothing;
    command.data = SecretBytes(aid);
    if (want_fcp) {
        command.le = 256;
    }
    auto response = MTKEY_TRY(card.transmit(command));
    if (!response.ok()) {
        return status_error(response.sw, "SELECT of the application");
    }
    return response;
}

/// SELECT, and the PIN when its FCP says that one is wanted; a card that does not say is asked
/// about key reference 01.
Result<int> open_application(CardChannel& card, const Application& application,
                             const OpenOptions& options) {
    const auto response = MTKEY_TRY(select_by_name(card, application.entry.aid, true));
    Fcp fcp;
    if (!response.data.empty()) {
        fcp = MTKEY_TRY(of_card(parse_fcp(response.data.reveal())));
    }
    const auto reference = fcp.has_pin_status ? required_pin(fcp) : kApplicationPin;
    if (!reference) {
        return -1;
    }
    const auto attempts = MTKEY_TRY(satisfy_pin(card, *reference, options.pin_floor, [&] {
        return options.pin ? options.pin(application.iccid) : std::nullopt;
    }));
    return attempts ? static_cast<int>(*attempts) : -1;
}

Result<void> read_mnc_length(CardChannel& card, const OpenOptions& options,
                             Application& application) {
    const auto ef_ad = MTKEY_TRY(read_transparent(card, Under::Current, fid::kAd));
    if (const auto length = ef_ad ? parse_mnc_length(*ef_ad) : std::nullopt) {
        application.mnc_length = *length;
        application.mnc_source = MncSource::EfAd;
    } else if (options.configured_mnc_length != 0) {
        application.mnc_length = options.configured_mnc_length;
        application.mnc_source = MncSource::Configuration;
    } else {
        application.mnc_length = usual_mnc_length(application.imsi);
        application.mnc_source = MncSource::Fallback;
    }
    return {};
}

Result<void> read_key_centers(CardChannel& card, Application& application) {
    const auto records =
        MTKEY_TRY(read_records(card, Under::Current, fid::kNafkca, kMostKeyCenters));
    if (!records) {
        return {};
    }
    for (const auto& record : *records) {
        auto fqdn = parse_nafkca_record(record);
        if (fqdn && *fqdn) {
            application.naf_key_centers.push_back(**std::move(fqdn));
        }
    }
    return {};
}

/// TS 31.102 clause 5.1.1.2: the application's initialisation is over. What the card thinks of it
/// changes nothing.
Result<void> say_initialised(CardChannel& card) {
    CommandApdu status;
    status.cla = 0x80;
    status.ins = kStatus;
    status.p1 = 0x01;
    status.p2 = kReturnNothing;
    MTKEY_CHECK(card.transmit(status));
    return {};
}
} // namespace

Result<std::string> read_iccid(CardChannel& card) {
    const auto file = MTKEY_TRY(read_required(card, Under::MasterFile, fid::kIccid, "EF_ICCID"));
    return of_card(parse_iccid(file));
}

Result<void> select_application(CardChannel& card, ByteView aid) {
    MTKEY_CHECK(select_by_name(card, aid, false));
    return {};
}

Result<void> reopen_usim(CardChannel& card, const Application& application,
                         const OpenOptions& options) {
    MTKEY_CHECK(open_application(card, application, options));
    return {};
}

Result<Application> open_usim(CardChannel& card, const OpenOptions& options) {
    if (options.configured_mnc_length != 0 && options.configured_mnc_length != 2 &&
        options.configured_mnc_length != 3) {
        return fail(Errc::InvalidArgument, "an MNC has 2 or 3 digits");
    }
    Application application;
    application.iccid = MTKEY_TRY(read_iccid(card));
    application.entry = MTKEY_TRY(find_usim(card));
    application.pin_attempts_left = MTKEY_TRY(open_application(card, application, options));
    const auto ef_imsi = MTKEY_TRY(read_required(card, Under::Current, fid::kImsi, "EF_IMSI"));
    application.imsi = MTKEY_TRY(of_card(parse_imsi(ef_imsi)));
    MTKEY_CHECK(read_mnc_length(card, options, application));
    const auto ef_ust = MTKEY_TRY(read_transparent(card, Under::Current, fid::kUst));
    application.gba = ef_ust && service_available(*ef_ust, kServiceGba);
    application.local_key = ef_ust && service_available(*ef_ust, kServiceLocalKey);
    if (application.gba && application.local_key) {
        MTKEY_CHECK(read_key_centers(card, application));
    }
    if (application.gba) {
        const auto fcp = MTKEY_TRY(select_file(card, Under::Current, fid::kGbabp));
        application.gbabp_size = fcp ? fcp->file_size.value_or(0) : 0;
    }
    MTKEY_CHECK(say_initialised(card));
    return application;
}

Result<void> update_gbabp(CardChannel& card, std::size_t file_size, std::string_view b_tid,
                          std::string_view lifetime) {
    const auto length = 1 + b_tid.size() + 1 + lifetime.size();
    if (b_tid.empty() || lifetime.empty() || length > kLongestData ||
        kGbabpLifetime + length > file_size) {
        return fail(Errc::InvalidArgument, "B-TID and lifetime do not fit into EF_GBABP");
    }
    if (!MTKEY_TRY(select_file_quietly(card, Under::Current, fid::kGbabp))) {
        return fail(Errc::NotFound, "the card has no EF_GBABP", sw::kFileNotFound);
    }
    Bytes content;
    content.push_back(static_cast<std::uint8_t>(b_tid.size()));
    append(content, as_octets(b_tid));
    content.push_back(static_cast<std::uint8_t>(lifetime.size()));
    append(content, as_octets(lifetime));
    CommandApdu update;
    update.ins = kUpdateBinary;
    update.p2 = kGbabpLifetime;
    update.data = SecretBytes(content);
    const auto response = MTKEY_TRY(card.transmit(update));
    if (!response.ok()) {
        return status_error(response.sw, "UPDATE BINARY EF_GBABP");
    }
    return {};
}

} // namespace mtkey::uicc

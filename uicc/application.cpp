// SPDX-License-Identifier: Apache-2.0
#include "uicc/application.hpp"

#include "base/log.hpp"
#include "uicc/ef_parsers.hpp"
#include "uicc/files.hpp"
#include "uicc/pin.hpp"
#include "uicc/sim.hpp"
#include "uicc/status.hpp"

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kStatus = 0xF2;
constexpr std::uint8_t kReturnNothing = 0x0C;
constexpr std::uint8_t kApplicationPin = 0x01;
constexpr unsigned kMostKeyCenters = 32;

/// Service numbers (TS 31.102 clause 4.2.8, TS 31.103 clause 4.2.7).
struct Services {
    std::uint16_t table;
    unsigned gba;
    unsigned local_key; // GBA-based Local Key Establishment
    std::uint16_t gbabp;
};
constexpr Services kUsimServices{fid::kUst, 68, 76, fid::kGbabp};
constexpr Services kIsimServices{fid::kIsimIst, 2, 4, fid::kIsimGbabp};

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

/// The card says that there is nothing to be had, now or later.
bool is_absent(const Error& error) {
    return is_status_error(error) &&
           (error.detail == sw::kFileNotFound || error.detail == sw::kDeactivated);
}

/// A file that need not be there. Errors of the way to the card stay.
template <typename T>
Result<std::optional<T>> if_any(Result<std::optional<T>> read, std::uint16_t file,
                                Application& application) {
    if (read || !is_status_error(read.error())) {
        return read;
    }
    log(LogLevel::Notice, "UICC file left out", {{"why", read.error().context}});
    if (!is_absent(read.error())) {
        application.left_out.push_back({file, std::move(read).error()});
    }
    return std::nullopt;
}

Result<DirEntry> find_application(CardChannel& card, const OpenOptions& options) {
    const auto applications = MTKEY_TRY(list_applications(card));
    if (applications.empty() && options.probe_without_dir) {
        return probe_application(card, options.choice);
    }
    return choose_application(applications, options.choice);
}

/// The key reference that the FCP of the application asks for; a card that does not say is asked
/// about reference 01.
Result<std::optional<std::uint8_t>> select_and_see_pin(CardChannel& card, ByteView aid) {
    const auto response = MTKEY_TRY(select_aid(card, aid, true));
    Fcp fcp;
    if (!response.data.empty()) {
        fcp = MTKEY_TRY(of_card(parse_fcp(response.data.reveal())));
    }
    return fcp.has_pin_status ? required_pin(fcp) : kApplicationPin;
}

/// Attempts that were left, -1 when no PIN was wanted.
Result<int> enter(CardChannel& card, Application& application, const OpenOptions& options) {
    application.pin_reference = MTKEY_TRY(select_and_see_pin(card, application.entry.aid));
    if (!application.pin_reference) {
        return -1;
    }
    const auto ask = [&] { return options.pin ? options.pin(application.iccid) : std::nullopt; };
    const auto counted = [&](unsigned attempts_left) {
        if (options.pin_counted) {
            options.pin_counted(application.iccid, attempts_left);
        }
    };
    const auto attempts =
        MTKEY_TRY(satisfy_pin(card, *application.pin_reference, options.pin_floor, ask, counted));
    return attempts ? static_cast<int>(*attempts) : -1;
}

Result<void> read_usim_identity(CardChannel& card, const OpenOptions& options,
                                Application& application) {
    const auto ef_imsi = MTKEY_TRY(read_required(card, Under::Current, fid::kImsi, "EF_IMSI"));
    application.imsi = MTKEY_TRY(of_card(parse_imsi(ef_imsi)));
    const auto ef_ad =
        MTKEY_TRY(if_any(read_transparent(card, Under::Current, fid::kAd), fid::kAd, application));
    set_mnc_length(application, ef_ad, options);
    return {};
}

Result<void> read_isim_identity(CardChannel& card, Application& application) {
    const auto ef_impi = MTKEY_TRY(read_required(card, Under::Current, fid::kIsimImpi, "EF_IMPI"));
    application.impi = MTKEY_TRY(of_card(parse_ims_name(ef_impi)));
    const auto ef_domain = read_transparent(card, Under::Current, fid::kIsimDomain);
    if (!ef_domain && !is_status_error(ef_domain.error())) {
        return std::unexpected(ef_domain.error());
    }
    if (ef_domain && *ef_domain) {
        application.domain = parse_ims_name(**ef_domain).value_or(std::string());
    }
    return {};
}

Result<void> read_key_centers(CardChannel& card, Application& application) {
    const auto records =
        MTKEY_TRY(if_any(read_records(card, Under::Current, fid::kNafkca, kMostKeyCenters),
                         fid::kNafkca, application));
    for (const auto& record : records.value_or(std::vector<Bytes>{})) {
        auto fqdn = parse_nafkca_record(record);
        if (!fqdn) {
            application.left_out.push_back(
                {fid::kNafkca, {Errc::CardFailed, 0, fqdn.error().context}});
        } else if (*fqdn) {
            application.naf_key_centers.push_back(**std::move(fqdn));
        }
    }
    return {};
}

/// 0 = no such file. Where no FCP tells its size, its end does.
Result<std::size_t> size_of_gbabp(CardChannel& card, std::uint16_t file) {
    const auto fcp = MTKEY_TRY(select_file(card, Under::Current, file));
    if (!fcp || fcp->file_size) {
        return fcp ? *fcp->file_size : 0;
    }
    const auto content = MTKEY_TRY(read_transparent(card, Under::Current, file));
    if (!content || content->empty()) {
        return fail(Errc::CardFailed, "EF_GBABP without octets");
    }
    return content->size();
}

Result<void> read_services(CardChannel& card, const Services& services, Application& application) {
    const auto table = MTKEY_TRY(read_transparent(card, Under::Current, services.table));
    application.gba = table && service_available(*table, services.gba);
    application.local_key = table && service_available(*table, services.local_key);
    if (application.gba && application.local_key) {
        MTKEY_CHECK(read_key_centers(card, application));
    }
    if (application.gba) {
        auto size = size_of_gbabp(card, services.gbabp);
        if (!size && is_absent(size.error())) {
            size = 0;
        } else if (!size && is_status_error(size.error())) {
            size.error().code = Errc::CardFailed; // no PIN would help: it has been settled
        }
        application.gbabp_size = MTKEY_TRY(std::move(size));
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

void set_mnc_length(Application& application, const std::optional<Bytes>& ef_ad,
                    const OpenOptions& options) {
    if (const auto on_card = ef_ad ? parse_mnc_length(*ef_ad) : std::nullopt) {
        application.mnc_length = *on_card;
        application.mnc_source = MncSource::EfAd;
    } else if (const auto of_country = mnc_length_of_country(application.imsi)) {
        application.mnc_length = *of_country;
        application.mnc_source = MncSource::Table;
    } else if (options.configured_mnc_length != 0) {
        application.mnc_length = options.configured_mnc_length;
        application.mnc_source = MncSource::Configuration;
    }
}

Result<void> require_wanted_card(const Application& application, const OpenOptions& options) {
    if (!options.iccid.empty() && application.iccid != options.iccid) {
        return fail(Errc::NotSupportedByCard, "the UICC is not that of uicc.iccid");
    }
    return {};
}

Result<std::string> read_iccid(CardChannel& card) {
    const auto file = MTKEY_TRY(read_required(card, Under::MasterFile, fid::kIccid, "EF_ICCID"));
    return of_card(parse_iccid(file));
}

Result<void> select_application(CardChannel& card, ByteView aid) {
    MTKEY_CHECK(select_aid(card, aid, false));
    return {};
}

Result<void> reopen_application(CardChannel& card, const Application& application,
                                const OpenOptions& options) {
    if (application.is_sim()) {
        return reopen_sim(card, application, options);
    }
    auto again = application;
    MTKEY_CHECK(enter(card, again, options));
    return {};
}

Result<Application> open_application(CardChannel& card, const OpenOptions& options) {
    if (options.configured_mnc_length != 0 && options.configured_mnc_length != 2 &&
        options.configured_mnc_length != 3) {
        return fail(Errc::InvalidArgument, "an MNC has 2 or 3 digits");
    }
    auto iccid = read_iccid(card);
    if (!iccid && options.sim && options.choice.kind == ApplicationChoice::Kind::Auto &&
        refuses_class(iccid.error())) {
        return open_sim(card, options);
    }
    Application application;
    application.iccid = MTKEY_TRY(std::move(iccid));
    MTKEY_CHECK(require_wanted_card(application, options));
    application.entry = MTKEY_TRY(find_application(card, options));
    application.pin_attempts_left = MTKEY_TRY(enter(card, application, options));
    if (application.entry.kind == DirEntry::Kind::Isim) {
        MTKEY_CHECK(read_isim_identity(card, application));
        MTKEY_CHECK(read_services(card, kIsimServices, application));
    } else {
        MTKEY_CHECK(read_usim_identity(card, options, application));
        MTKEY_CHECK(read_services(card, kUsimServices, application));
    }
    MTKEY_CHECK(say_initialised(card));
    return application;
}

Result<Application> open_usim(CardChannel& card, const OpenOptions& options) {
    auto usim = options;
    usim.choice = {ApplicationChoice::Kind::Usim, {}};
    return open_application(card, usim);
}

std::string_view mnc_source_name(MncSource source) {
    switch (source) {
    case MncSource::EfAd:
        return "ef-ad";
    case MncSource::Table:
        return "table";
    case MncSource::Configuration:
        return "configuration";
    case MncSource::Fallback:
        break;
    }
    return "fallback";
}

} // namespace mtkey::uicc

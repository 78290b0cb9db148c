// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/known_files.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "tools/mtkey-card/file_access.hpp"
#include "uicc/ber_tlv.hpp"
#include "uicc/ef_parsers.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

constexpr std::array kFiles{
    KnownFile{"EF_DIR", Home::MasterFile, 0x2F00, Coding::Dir},
    KnownFile{"EF_PL", Home::MasterFile, 0x2F05, Coding::Languages},
    KnownFile{"EF_ARR", Home::MasterFile, 0x2F06, Coding::Raw},
    KnownFile{"EF_ICCID", Home::MasterFile, 0x2FE2, Coding::Iccid},
    KnownFile{"EF_LI", Home::Usim, 0x6F05, Coding::Languages},
    KnownFile{"EF_ARR", Home::Usim, 0x6F06, Coding::Raw},
    KnownFile{"EF_IMSI", Home::Usim, 0x6F07, Coding::Imsi},
    KnownFile{"EF_KEYS", Home::Usim, 0x6F08, Coding::Keys},
    KnownFile{"EF_KEYSPS", Home::Usim, 0x6F09, Coding::Keys},
    KnownFile{"EF_HPPLMN", Home::Usim, 0x6F31, Coding::Raw},
    KnownFile{"EF_UST", Home::Usim, 0x6F38, Coding::Ust},
    KnownFile{"EF_MSISDN", Home::Usim, 0x6F40, Coding::Raw},
    KnownFile{"EF_SPN", Home::Usim, 0x6F46, Coding::Name},
    KnownFile{"EF_EST", Home::Usim, 0x6F56, Coding::Raw},
    KnownFile{"EF_START_HFN", Home::Usim, 0x6F5B, Coding::Raw},
    KnownFile{"EF_THRESHOLD", Home::Usim, 0x6F5C, Coding::Raw},
    KnownFile{"EF_PSLOCI", Home::Usim, 0x6F73, Coding::Raw},
    KnownFile{"EF_ACC", Home::Usim, 0x6F78, Coding::Raw},
    KnownFile{"EF_FPLMN", Home::Usim, 0x6F7B, Coding::Plmns},
    KnownFile{"EF_LOCI", Home::Usim, 0x6F7E, Coding::Raw},
    KnownFile{"EF_AD", Home::Usim, 0x6FAD, Coding::Ad},
    KnownFile{"EF_ECC", Home::Usim, 0x6FB7, Coding::Raw},
    KnownFile{"EF_GBABP", Home::Usim, 0x6FD6, Coding::Gbabp},
    KnownFile{"EF_GBANL", Home::Usim, 0x6FDA, Coding::Gbanl},
    KnownFile{"EF_NAFKCA", Home::Usim, 0x6FDD, Coding::ImsName},
    KnownFile{"EF_EPSLOCI", Home::Usim, 0x6FE3, Coding::Raw},
    KnownFile{"EF_EPSNSC", Home::Usim, 0x6FE4, Coding::Keys},
    KnownFile{"EF_IMPI", Home::Isim, 0x6F02, Coding::ImsName},
    KnownFile{"EF_DOMAIN", Home::Isim, 0x6F03, Coding::ImsName},
    KnownFile{"EF_IMPU", Home::Isim, 0x6F04, Coding::ImsName},
    KnownFile{"EF_ARR", Home::Isim, 0x6F06, Coding::Raw},
    KnownFile{"EF_IST", Home::Isim, 0x6F07, Coding::Ist},
    KnownFile{"EF_AD", Home::Isim, 0x6FAD, Coding::Ad},
    KnownFile{"EF_GBABP", Home::Isim, 0x6FD5, Coding::Gbabp},
    KnownFile{"EF_GBANL", Home::Isim, 0x6FD7, Coding::Gbanl},
    KnownFile{"EF_NAFKCA", Home::Isim, 0x6FDD, Coding::ImsName},
};

struct Service {
    unsigned number;
    const char* name;
};
// TS 31.102 clause 4.2.8 and TS 31.103 clause 4.2.7, those that say something about keys.
constexpr std::array kUsimServices{Service{27, "GSM access"},
                                   Service{68, "GBA"},
                                   Service{69, "MBMS security"},
                                   Service{76, "GBA-based local key establishment"},
                                   Service{85, "EPS mobility management information"},
                                   Service{95, "IMS configuration data"}};
constexpr std::array kIsimServices{Service{1, "P-CSCF address"}, Service{2, "GBA"},
                                   Service{3, "HTTP Digest"},
                                   Service{4, "GBA-based local key establishment"}};

json services(ByteView table, std::span<const Service> names) {
    json out = json::array();
    for (unsigned number = 1; number <= table.size() * 8; ++number) {
        if (!uicc::service_available(table, number)) {
            continue;
        }
        const auto known = std::ranges::find(names, number, &Service::number);
        out.push_back(
            {{"number", number}, {"name", known == names.end() ? json() : json(known->name)}});
    }
    return out;
}

json plmns(ByteView file) {
    json out = json::array();
    for (; file.size() >= 3; file = file.subspan(3)) { // TS 24.008 clause 10.5.1.13
        if (file[0] == 0xFF) {
            continue;
        }
        const auto digit = [](int nibble) {
            return nibble < 10 ? static_cast<char>('0' + nibble) : '?';
        };
        std::string plmn{digit(file[0] & 15), digit(file[0] >> 4), digit(file[1] & 15), '-',
                         digit(file[2] & 15), digit(file[2] >> 4)};
        if ((file[1] >> 4) != 15) {
            plmn.push_back(digit(file[1] >> 4));
        }
        out.push_back(plmn);
    }
    return out;
}

json tlv_text(ByteView record) {
    const auto value = uicc::find_tlv(record, 0x80);
    return value && *value ? json(printable(as_text(**value), 255)) : json();
}

json gbabp(ByteView file) {
    const auto parsed = uicc::parse_gbabp(file);
    if (!parsed || !*parsed) {
        return {};
    }
    return {{"rand", to_hex((*parsed)->rand)},
            {"b_tid", printable((*parsed)->b_tid, 255)},
            {"lifetime", printable((*parsed)->lifetime, 255)}};
}

json gbanl(ByteView record) {
    constexpr std::size_t kUa = 5; // Ua security protocol identifier
    const auto parsed = uicc::parse_gbanl_record(record);
    if (!parsed || !*parsed || (*parsed)->naf_id.size() <= kUa) {
        return {};
    }
    const ByteView naf_id = (*parsed)->naf_id;
    return {{"naf", printable(as_text(naf_id.first(naf_id.size() - kUa)), 255)},
            {"ua", to_hex(naf_id.last(kUa))},
            {"b_tid", printable((*parsed)->b_tid, 255)}};
}

json dir_record(ByteView record) {
    const auto entry = uicc::parse_dir_record(record);
    if (!entry || !*entry) {
        return {};
    }
    return {{"aid", to_hex((*entry)->aid)},
            {"kind", kind_name((*entry)->kind)},
            {"label", printable((*entry)->label)}};
}

json languages(ByteView file) {
    json out = json::array();
    for (; file.size() >= 2; file = file.subspan(2)) {
        if (file[0] != 0xFF) {
            out.push_back(printable(as_text(file.first(2))));
        }
    }
    return out;
}

template <typename T>
json value_or_null(const Result<T>& parsed) {
    return parsed ? json(*parsed) : json();
}

json decode_one(Coding coding, ByteView octets) {
    switch (coding) {
    case Coding::Dir:
        return dir_record(octets);
    case Coding::Iccid:
        return value_or_null(uicc::parse_iccid(octets));
    case Coding::Imsi:
        return value_or_null(uicc::parse_imsi(octets));
    case Coding::Ad: {
        const auto length = uicc::parse_mnc_length(octets);
        return {{"mnc_length", length ? json(*length) : json()}};
    }
    case Coding::Ust:
        return services(octets, kUsimServices);
    case Coding::Ist:
        return services(octets, kIsimServices);
    case Coding::Languages:
        return languages(octets);
    case Coding::Plmns:
        return plmns(octets);
    case Coding::Name: {
        const auto name = octets.empty() ? octets : octets.subspan(1);
        const auto end = std::ranges::find(name, 0xFF);
        return printable(as_text(name.first(static_cast<std::size_t>(end - name.begin()))));
    }
    case Coding::ImsName:
        return tlv_text(octets);
    case Coding::Gbabp:
        return gbabp(octets);
    case Coding::Gbanl:
        return gbanl(octets);
    case Coding::Raw:
    case Coding::Keys:
        break;
    }
    return {};
}

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c;
}
} // namespace

std::span<const KnownFile> known_files() {
    return kFiles;
}

const KnownFile* find_known_file(std::string_view name, Home preferred) {
    const KnownFile* found = nullptr;
    for (const auto& file : kFiles) {
        const bool same = std::ranges::equal(file.name, name, {}, {}, upper) ||
                          std::ranges::equal(file.name.substr(3), name, {}, {}, upper);
        if (same && (found == nullptr || file.home == preferred)) {
            found = &file;
        }
    }
    return found;
}

const KnownFile* find_known_file(std::uint16_t identifier, Home home) {
    const auto* found = std::ranges::find_if(kFiles, [&](const KnownFile& file) {
        return file.identifier == identifier && file.home == home;
    });
    return found == kFiles.end() ? nullptr : found;
}

json decode(Coding coding, const std::vector<Bytes>& content) {
    const bool records = coding == Coding::Dir || coding == Coding::Gbanl;
    if (content.size() == 1 && !records) {
        return decode_one(coding, content.front());
    }
    json out = json::array();
    for (const auto& one : content) {
        out.push_back(decode_one(coding, one));
    }
    return out;
}

} // namespace mtkey::tools

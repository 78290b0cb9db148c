// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace mtkey::gba {

/// <IMSI>@ims.mnc<MNC>.mcc<MCC>.3gppnetwork.org, MNC padded to three digits (TS 23.003
/// clause 13.3). InvalidArgument unless `imsi` is 6 to 15 digits and `mnc_length` 2 or 3.
Result<std::string> impi_from_imsi(std::string_view imsi, unsigned mnc_length);
/// bsf.mnc<MNC>.mcc<MCC>.pub.3gppnetwork.org (TS 23.003 clause 16.2).
Result<std::string> bsf_fqdn_from_imsi(std::string_view imsi, unsigned mnc_length);
/// Of an ISIM's IMPI (TS 23.003 clause 16.2): "bsf." and its domain, with "pub." before
/// 3gppnetwork.org. InvalidArgument when there is no domain name in it.
Result<std::string> bsf_fqdn_from_impi(std::string_view impi);

} // namespace mtkey::gba

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace mtkey::testbed {

/// What real cards and readers do beside the standard, or within it but rarely. All off by default.
struct Quirks {
    bool no_ef_dir = false;        ///< the card has no EF_DIR
    bool ef_ad_3_octets = false;   ///< EF_AD of old cards, without the length of the MNC
    bool direct_data = false;      ///< T=0 gives data and 9000 at once, as APDU-level readers do
    bool wrong_le_on_read = false; ///< each READ is answered 6Cxx once, whatever its Le
    bool select_response_fails = false;      ///< 61xx to SELECT, 6F00 to its GET RESPONSE
    bool proactive = false;                  ///< 91xx in the place of 9000 until FETCH
    unsigned busy = 0;                       ///< so many commands after power-up are answered 9300
    bool no_logical_channels = false;        ///< MANAGE CHANNEL gives 6881
    std::uint16_t deactivated = 0;           ///< SELECT of this FID gives 6283
    std::optional<std::size_t> gbabp_size{}; ///< of EF_GBABP
};

} // namespace mtkey::testbed

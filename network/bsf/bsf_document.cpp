// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/bsf_document.hpp"

namespace mtkey::bsf {

std::string bsf_document(std::string_view b_tid, UtcTime expires) {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?><BootstrappingInfo "
           "xmlns=\"uri:3gpp-gba\"><btid>" +
           std::string(b_tid) + "</btid><lifetime>" + format_utc(expires) +
           "</lifetime></BootstrappingInfo>";
}

} // namespace mtkey::bsf

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/file_system.hpp"

namespace mtkey::testbed {

/// FCP template, tag 62 (TS 102 221 clause 11.1.1.3).
Bytes fcp_of(const ElementaryFile& file);
Bytes fcp_of(const Directory& directory);

} // namespace mtkey::testbed

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <string>

namespace mtkey::bsf {

/// Before SQLite sees it: the file is there (created empty, mode 0600), regular, ours, and with its
/// log files closed to others (NotAuthorized with the remedy otherwise).
Result<void> prepare_database_file(const std::string& path);

} // namespace mtkey::bsf

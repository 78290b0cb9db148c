// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <string>

namespace mtkey::bsf {

/// What is done where there is no such file.
enum class Missing { Create, Refuse };

/// Before SQLite sees it: the folder is root's or ours and nobody else may write in it, the file is
/// there (or created empty, mode 0600; NotFound), regular, ours, and with its log files closed to
/// others (NotAuthorized with the remedy otherwise).
Result<void> prepare_database_file(const std::string& path, Missing missing);

} // namespace mtkey::bsf

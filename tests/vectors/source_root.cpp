// SPDX-License-Identifier: Apache-2.0
#include "vectors/source_root.hpp"

namespace mtkey::vectors {

std::string source_root() {
    return MTKEY_SOURCE_ROOT;
}

} // namespace mtkey::vectors

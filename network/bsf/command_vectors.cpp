// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/command_vectors.hpp"

#include "network/bsf/av_answer.hpp"

namespace mtkey::bsf {

Result<IssuedVector> CommandVectors::next_vector(std::string_view impi,
                                                 const Resynchronisation* resync) {
    const auto request = MTKEY_TRY(write_av_request(impi, resync));
    const auto output = MTKEY_TRY(run_command(command_, as_octets(request)));
    auto vector = parse_av_answer(as_text(output.reveal()));
    if (!vector && vector.error().code == Errc::IoFailed) {
        vector.error().context = command_.arguments.front() + ": " + vector.error().context;
    }
    return vector;
}

} // namespace mtkey::bsf

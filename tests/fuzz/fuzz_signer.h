/* fuzz_signer: two fixed signers (the keys of RFC 8032, section 7.1, tests 1 and 2), so that
 * targets get past the signature, which no fuzzer can guess. */
#ifndef FIREBREAK_FUZZ_SIGNER_H
#define FIREBREAK_FUZZ_SIGNER_H

#include "tuf/envelope.h"

#define FUZZ_SIGNERS 2

/* Opened at first use; lives as long as the process. */
const struct signer *fuzz_signer(size_t i);

/* Whether this key signed the envelope's "signed": the naive way, without envelope_verify. */
int fuzz_is_signed_by(const json_t *envelope, const struct key *k);

/* A deep copy without any signature. */
json_t *fuzz_unsigned(const json_t *envelope);

#endif

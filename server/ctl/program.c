/* program: see program.h. To add a command: one row in the table of verbs, one handler in the file
 * of its subject, one line in verbs.h. */
#include "program.h"

#include "repository/repo_opts.h"
#include "tuf/key.h"
#include "verbs.h"

static const struct cli_opt global_opts[] = {
    {"server", "URL", "the server (or FIREBREAK_SERVER)", false, false},
    {"token-file", "F", "file with an operator's token (or FIREBREAK_TOKEN_FILE)", false, false},
    {"ca-file", "F", "PEM certificates to trust for the server, instead of the system's", false,
     false},
    {0},
};

static const struct cli_opt init_opts[] = {
    {"channel", "C", "name of the first channel", true, false},
    {"threshold", "N", "signatures that a release needs; N + 1 keys are made (2)", false, false},
    {"passphrase-file", "F", "file with the passphrase for the offline keys", true, false},
    {"key-type", "T", KEY_TYPES " (ed25519)", false, false},
    {"url", "URL", "how endpoints will reach the server (http://127.0.0.1:8440)", false, false},
    {0},
};

static const struct cli_opt key_new_opts[] = {
    {"type", "T", KEY_TYPES " (ed25519)", false, false},
    {"passphrase-file", "F", "file with the passphrase that seals it", false, false},
    {"no-passphrase", NULL, "leave it unsealed, as a server's own keys must be", false, false},
    {0},
};

static const struct cli_opt key_show_opts[] = {
    {"passphrase-file", "F", "file with the key's passphrase or the token's PIN", false, false},
    {"o", "PUB.json", "write the public half to this new file", false, false},
    {0},
};

static const struct cli_opt key_passphrase_opts[] = {
    {"passphrase-file", "F", "file with the passphrase so far, if it has one", false, false},
    {"new-passphrase-file", "F", "file with the new one", true, false},
    {0},
};

static const struct cli_opt build_opts[] = {
    {"channel", "C", "channel that it is for", true, false},
    {"version", "V", "its version", true, false},
    {"o", "DIR", "release directory to write; must be new or empty", true, false},
    {"pace", "FILE", "JSON list of {after_s, share_ppm}; how fast it may spread at most", false,
     false},
    {"faster-pace", NULL, "allow a pace faster than the default one; recorded in the audit", false,
     false},
    {"previous", "FILE", "the channel's content metadata so far (else the server's)", false, false},
    {"root", "FILE", "trusted root: verify what the server lists so far", false, false},
    {"sequence", "N", "sequence number (the highest so far, plus 1)", false, false},
    {"lowest-sequence", "N", "lowest that anyone may be sent back to (the lowest listed)", false,
     false},
    {"baseline", NULL, "a safe baseline, also for devices without content", false, false},
    {"early-boot", NULL, "it is loaded early at boot: one failed boot is enough to go back", false,
     false},
    {"min-agent", "V", "lowest agent version that may take it", false, false},
    {"keep", "N", "newest releases that stay listed, this one included (64)", false, false},
    {"keep-version", "V", "an older version that stays listed, too", false, true},
    {"expires-days", "N", "days until the metadata expires (180)", false, false},
    {0},
};

static const struct cli_opt sign_opts[] = {
    {"key", "REF", "PEM file, pkcs11:URI of a token's key, or cmd:PATH of a program that signs",
     true, false},
    {"passphrase-file", "F", "file with the key's passphrase or the token's PIN", false, false},
    {0},
};

static const struct cli_opt revoke_opts[] = {
    {"reason", "TEXT", "what is wrong with it; everybody can read it", true, false},
    {"o", "FILE", "content metadata to write, unsigned; must not exist", true, false},
    {"previous", "FILE", "the channel's content metadata so far (else the server's)", false, false},
    {"root", "FILE", "trusted root: verify what the server lists so far", false, false},
    {"digest", "D", "the release's digest, where its version is no longer listed", false, false},
    {"expires-days", "N", "days until the metadata expires (180)", false, false},
    {0},
};

static const struct cli_opt publish_opts[] = {
    {"root", "FILE", "trusted root: verify signatures before anything is sent", false, false},
    {0},
};

static const struct cli_opt channel_opts[] = {
    {"channel", "C", "channel to list", true, false},
    {0},
};

static const struct cli_opt token_opts[] = {
    {"group", "G", "group that devices enrolled with it belong to", true, false},
    {"uses", "N", "how many devices may enrol with it (1)", false, false},
    {"out", "F", "write it to this file (mode 0600), not to standard output", false, false},
    {0},
};

static const struct cli_opt operator_opts[] = {
    {"name", "N", "the operator's name", true, false},
    {"role", "R", "viewer, releaser, approver or admin", true, false},
    {"out", "F", "write the token to this file (mode 0600), not to standard output", false, false},
    {0},
};

static const struct cli_opt start_opts[] = {
    {"policy", "NAME", "how it proceeds: a policy of the server", true, false},
    {0},
};

static const struct cli_opt halt_opts[] = {
    {"reason", "TEXT", "why; kept in the audit", true, false},
    {0},
};

static const struct cli_opt promote_opts[] = {
    {"reason", "TEXT", "why; kept in the audit", false, false},
    {0},
};

static const struct cli_opt record_opts[] = {
    {"o", "FILE", "write it to this new file, not to standard output", false, false},
    {0},
};

static const struct cli_opt exclude_opts[] = {
    {"token", "ID", "all that enrolled with this token; its remaining uses are withdrawn", false,
     false},
    {"group", "G", "all of this enrolment group", false, false},
    {"device", "ID", "this one", false, false},
    {"reason", "TEXT", "why; kept in the audit", true, false},
    {0},
};

static const struct cli_opt watch_opts[] = {
    {"interval", "S", "seconds between looks (2)", false, false},
    {"until", "STATE", "complete, halted or ended (ended)", false, false},
    {"timeout", "S", "give up after so many seconds", false, false},
    {0},
};

static const struct cli_opt calibrate_opts[] = {
    {"policy", "NAME", "a policy of the server (standard)", false, false},
    {"rounds", "N", "rollouts of nothing to play (20)", false, false},
    {"lanes", "N", "so many at once, on the same telemetry (4; 1 above 100,000 devices)", false,
     false},
    {"share-percent", "N", "of the devices take part (as many as the policy's budget allows)",
     false, false},
    {"limit-hours", "N", "a round is watched no longer (24)", false, false},
    {0},
};

static const struct cli_opt audit_opts[] = {
    {"limit", "N", "the last N entries (50)", false, false},
    {0},
};

static const struct cli_verb verbs[] = {
    {"init", "DIR", "make a new site: keys, configuration, first operators", init_opts, init_run},
    {"key new", "FILE", "make a key pair; the public half goes to FILE.pub.json", key_new_opts,
     key_new_run},
    {"key show", "REF", "id and public half of a key: file, public file, pkcs11:URI or cmd:PATH",
     key_show_opts, key_show_run},
    {"key passphrase", "FILE", "seal a key file with another passphrase", key_passphrase_opts,
     key_passphrase_run},
    {"release build", "SRC", "make a release directory from a source tree", build_opts,
     release_build_run},
    {"release sign", "DIR", "add one signature", sign_opts, release_sign_run},
    {"release publish", "DIR", "send a signed release to the server", publish_opts,
     release_publish_run},
    {"release revoke", "C/V", "take a release back, signed offline: holds without the server, too",
     revoke_opts, release_revoke_run},
    {"release list", NULL, "releases of a channel", channel_opts, release_list_run},
    {"policy check", "FILE...", "can a rollout proceed by these? needs no server; exit 3 if not",
     NULL, policy_check_run},
    {"policy list", NULL, "what the server can start a rollout with", NULL, policy_list_run},
    {"rollout start", "C/V", "start giving a release to the fleet", start_opts, rollout_start_run},
    {"rollout status", "C", "where the channel's rollout stands; exit 6 when halted", NULL,
     rollout_status_run},
    {"rollout watch", "C", "follow it until it ends; exit 6 halted, 7 timed out", watch_opts,
     watch_run},
    {"rollout explain", "C", "the verdict and the numbers behind it", NULL, rollout_explain_run},
    {"rollout record", "C/V", "all its evidence and verdicts, for 'firebreak-sim replay'",
     record_opts, rollout_record_run},
    {"rollout halt", "C/V", "stop it and recall the release; one person is enough", halt_opts,
     rollout_halt_run},
    {"rollout promote", "C/V", "open the next ring without proof; needs two people", promote_opts,
     rollout_promote_run},
    {"calibrate start", "C", "the gate on the channel's telemetry without a release",
     calibrate_opts, calibrate_start_run},
    {"calibrate status", "C", "false alarms, the fleet's own rates, what they say of the policy",
     NULL, calibrate_status_run},
    {"calibrate stop", "C", "end it; what was found stays", NULL, calibrate_stop_run},
    {"token create", NULL, "make an enrolment token for devices", token_opts, token_create_run},
    {"token create-operator", NULL, "make an operator and a bearer token", operator_opts,
     token_create_operator_run},
    {"device exclude", NULL, "take devices out of the evidence for good, as hostile or broken ones",
     exclude_opts, device_exclude_run},
    {"repo get", "ROLE", "fetch and verify root, targets or content-C, to begin a ceremony",
     repo_get_opts, repo_get_run},
    {"repo change", "FILE", "its next version, with other keys or another threshold",
     repo_change_opts, repo_change_run},
    {"repo renew", "FILE", "its next version, with a later expiry", repo_renew_opts,
     repo_renew_run},
    {"repo show", "FILE", "what it says, what changes, who has signed and who is missing",
     repo_view_opts, repo_show_run},
    {"repo sign", "FILE", "show it, ask, and add one signature", repo_sign_opts, repo_sign_run},
    {"repo merge", "FILE OTHER...", "collect signatures that were made in parallel", repo_view_opts,
     repo_merge_run},
    {"repo publish", "FILE...", "send signed metadata to the server, all or nothing",
     repo_publish_opts, repo_publish_run},
    {"repo check", NULL, "verify all of a repository as a stranger would; warn before it expires",
     repo_check_opts, repo_check_run},
    {"repo export", "DIR", "the whole repository as files for a static host", repo_export_opts,
     repo_export_run},
    {"channel add", "FILE", "the next version of targets, with one more channel", channel_add_opts,
     channel_add_run},
    {"audit list", NULL, "what people and the gate did", audit_opts, audit_list_run},
    {"audit verify", NULL, "recompute the audit log's hash chain", NULL, audit_verify_run},
    {0},
};

const struct cli_program program = {
    .name = "firebreak",
    .sentence = "release signed content to endpoints in rings",
    .global = global_opts,
    .verbs = verbs,
};

/* init_text: the files of a new site that people read and edit. */
#include "site/init.h"

/* Row: key, its first value, what it says. NULL value: made from the options. */
struct text_row {
    const char *key, *value, *sentence;
};

static const struct text_row server_rows[] = {
    {"listen", "127.0.0.1:8440", "address and port; port 0 takes a free one"},
    {"port_file", "", "the port is written there once the server listens"},
    {"tls_cert", "", "PEM certificate chain; without it: plain HTTP, for loopback or a proxy"},
    {"tls_key", "", "PEM private key of the certificate"},
    {"state_dir", "state", "database and blobs; back it up"},
    {"online_dir", "online", "the server's own keys and its master secret"},
    {"bootstrap_dir", "bootstrap",
     "root, targets and operators; newer files and new names are taken in at each start"},
    {"policies_dir", FIREBREAK_POLICIES_DIR, "how rollouts proceed, one JSON file each"},
    {"checkin_interval", "60", "seconds between check-ins of devices with nothing going on"},
    {"anonymous_viewer", "no", "whether the dashboard may be read without a token"},
    {0},
};

int init_text_server(const struct init_options *o, struct buf *ret)
{
    int r = buf_addf(ret,
                     "# firebreakd's configuration, for channel '%s'.\n"
                     "# Relative paths are taken from this file's folder. Check it with\n"
                     "# firebreakd --config FILE --check-config\n",
                     o->channel);

    for (const struct text_row *row = server_rows; r == 0 && row->key; row++)
        r = buf_addf(ret, "\n# %s\n%s=%s\n", row->sentence, row->key, row->value);
    return r;
}

int init_text_agent(const struct init_options *o, struct buf *ret)
{
    return buf_addf(ret,
                    "# firebreak-agent's configuration.\n\n"
                    "# the server's address\n"
                    "server=%s\n\n"
                    "# the trusted root; a relative path is taken from this file's folder\n"
                    "root=root.json\n\n"
                    "# identity, trusted metadata, content and state\n"
                    "state_dir=/var/lib/firebreak\n\n"
                    "[channel %s]\n"
                    "# The consumer reads /var/lib/firebreak/channels/%s/current. Hooks get\n"
                    "# FIREBREAK_CHANNEL, _VERSION, _DIGEST and _DIR; status 0 is good, 75 is not\n"
                    "# the content's fault, everything else blames the content.\n\n"
                    "# loads the candidate in _DIR with the consumer's own checker\n"
                    "# preflight=/usr/local/lib/firebreak/preflight\n\n"
                    "# makes the consumer read the new content\n"
                    "# activate=/usr/local/lib/firebreak/activate\n\n"
                    "# says whether the consumer works\n"
                    "# health=/usr/local/lib/firebreak/health\n\n"
                    "# seconds that new content must work before it counts as good\n"
                    "# soak=300\n",
                    o->url, o->channel, o->channel);
}

int init_text_readme(const struct init_options *o, struct buf *ret)
{
    int n = o->threshold + 1, t = o->threshold;
    const char *c = o->channel;

    return buf_addf(
        ret,
        "Firebreak site, channel '%s'\n\n"
        "offline/    Keep OFFLINE, each key with its own person or token, never on the server.\n"
        "            root-1..%d      name all other keys; needed once a year (%d of %d)\n"
        "            targets-1..%d   delegate to channels; needed every %d days (%d of %d)\n"
        "            content-%s-1..%d  sign releases (%d of %d)\n"
        "            All are encrypted with the one passphrase that was given: this is a site of\n"
        "            one person at one desk. For keys of several people each makes their own with\n"
        "            'firebreak key new', and root 2 and targets 2 name those instead, best "
        "before\n"
        "            the first start: docs/ceremonies.md, \"A site with keys of several people\".\n"
        "            There, too: the yearly root, lost and stolen keys, one more channel.\n"
        "server/     Goes to the server. online/ holds keys that can time and order content but\n"
        "            never make it, and master.key, from which device keys are derived. Start "
        "with\n"
        "            firebreakd --config server/firebreakd.conf\n"
        "            If its online keys are stolen, a new root and a new targets name others,\n"
        "            and come in through bootstrap/: docs/ceremonies.md.\n"
        "endpoint/   Goes to every endpoint: the trusted root and the agent's configuration.\n"
        "            Neither is secret; root.json must arrive unchanged.\n"
        "operators/  One bearer token a person, by role. Hand them out, then delete this folder:\n"
        "            the server keeps their hashes only.\n\n"
        "First release:\n"
        "  export FIREBREAK_SERVER=URL FIREBREAK_TOKEN_FILE=operators/releaser.token\n"
        "  firebreak release build SRC --channel %s --version 1.0.0 --root endpoint/root.json "
        "-o release\n"
        "  firebreak release sign release --key offline/content-%s-1.pem --passphrase-file F\n"
        "  (the same with further keys until %d have signed)\n"
        "  firebreak release publish release --root endpoint/root.json\n"
        "  firebreak rollout start %s/1.0.0 --policy standard\n"
        "  firebreak rollout watch %s\n",
        c, n, t, n, n, INIT_TARGETS_DAYS, t, n, c, n, t, n, c, c, t, c, c);
}

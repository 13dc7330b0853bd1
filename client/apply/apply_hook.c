/* apply_hook: an owner's command at its place in an apply; see apply_internal.h. */
#include <string.h>

#include "apply/apply_internal.h"
#include "apply/hook.h"
#include "base/file.h"
#include "base/log.h"
#include "layout.h"

/* Where a candidate is loaded first. True where it is wished. */
static bool fill_sandbox(const struct apply *ap, const char *dir, struct path *workspace,
                         struct sandbox *ret)
{
    const struct config_channel *c = ap->conf;
    const char *state_dir = ap->agent->config.state_dir;

    layout_at(workspace, state_dir, "sandbox");
    *ret = (struct sandbox){.hidden = state_dir,
                            .shown = dir,
                            .workspace = workspace->s,
                            .memory_bytes = c->sandbox_memory_mib << 20,
                            .disk_bytes = c->sandbox_disk_mib << 20,
                            .processes = c->sandbox_processes};
    if (c->sandbox != SANDBOX_OFF)
        (void)file_mkdir_p(workspace->s, 0755, NULL); /* where it fails, so does the sandbox */
    return c->sandbox != SANDBOX_OFF;
}

void apply_hook(const struct apply *ap, enum apply_phase phase, const char *digest,
                const char *version, struct hook_result *ret)
{
    const struct config_channel *c = ap->conf;
    struct hook h = {.channel = c->name, .version = version, .digest = digest, .confined = true};
    struct err err = {0};
    struct path dir, workspace;
    struct sandbox sandbox;

    h.dir =
        layout_at(&dir, ap->agent->config.state_dir, "channels/%s/releases/%s", c->name, digest);
    if (phase == PHASE_ACTIVATE) {
        h.kind = "activate";
        h.command = c->activate;
        h.deadline_ms = c->activate_deadline_ms;
        h.confined = false;
    } else if (phase == PHASE_NONE) {
        h.kind = "preflight";
        h.command = c->preflight;
        h.deadline_ms = c->preflight_deadline_ms;
        h.sandbox_required = c->sandbox == SANDBOX_REQUIRED;
        if (h.command && fill_sandbox(ap, dir.s, &workspace, &sandbox))
            h.sandbox = &sandbox;
    } else {
        h.kind = "health";
        h.command = c->health;
        h.deadline_ms = c->health_deadline_ms;
    }
    memset(ret, 0, sizeof *ret);
    ret->good = true;
    if (!h.command)
        return;
    if (hook_run(&h, ret, &err) < 0) {
        ret->good = ret->blamed = false;
        snprintf(ret->cause, sizeof ret->cause, "%s-not-started", h.kind);
        snprintf(ret->output, sizeof ret->output, "%s", err.msg);
    }
    if (h.sandbox && ret->level != SANDBOX_WHOLE)
        log_warn("apply",
                 "channel=%s: this machine gives no namespaces: the checker ran with "
                 "fewer rights, but saw and wrote the real files",
                 c->name);
    log_info("apply", "channel=%s version=%s %s", c->name, version, ret->cause);
}

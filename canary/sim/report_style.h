/*
 * report_style: how the picture looks, by day and by night. Lines differ by their dashes, too.
 */
#ifndef FIREBREAK_SIM_REPORT_STYLE_H
#define FIREBREAK_SIM_REPORT_STYLE_H

#define REPORT_CSS                                                                                 \
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"         \
    "font-size:13px;fill:#1f2328}\n"                                                               \
    ".page{fill:#fff}.title{font-size:21px;font-weight:650}.head{font-size:15px;font-weight:650}"  \
    ".strong{font-weight:650}.muted{fill:#59636e}.small{font-size:12px;fill:#59636e}\n"            \
    ".num{font-variant-numeric:tabular-nums}\n"                                                    \
    ".grid{stroke:#e3e7ec;stroke-width:1}.axis{stroke:#8c959f;stroke-width:1}"                     \
    ".mark{stroke:#8c959f;stroke-width:1;stroke-dasharray:2 3}\n"                                  \
    ".run{fill:none;stroke-linejoin:round;stroke-linecap:round;stroke-width:2}\n"                  \
    ".gate{stroke:#0757ba;stroke-width:3.2}.push{stroke:#bc4c00;stroke-dasharray:9 5}"             \
    ".groups{stroke:#8250df;stroke-dasharray:1.5 5;stroke-width:2.6}"                              \
    ".waves{stroke:#0f766e;stroke-dasharray:11 4 1.5 4}\n"                                         \
    ".limit{fill:none;stroke:#b42318;stroke-width:2;stroke-dasharray:7 4}"                         \
    ".warn{fill:none;stroke:#8a6100;stroke-width:1.5;stroke-dasharray:3 4}\n"                      \
    ".tgate{fill:#0757ba;font-weight:650}.tpush{fill:#a84400}.tgroups{fill:#7541d1}"               \
    ".twaves{fill:#0b6860}.tlimit{fill:#b42318}.twarn{fill:#7d5700}\n"                             \
    ".dot{fill:#fff;stroke:#0757ba;stroke-width:2}.stop{fill:#b42318;stroke:#fff;stroke-width:1."  \
    "5}"                                                                                           \
    ".hold{fill:#fff;stroke:#7d5700;stroke-width:2}.onstop{fill:#fff;font-size:11px;"              \
    "font-weight:650}.ondot{font-size:11px;font-weight:650}\n"                                     \
    ".pushend{fill:#bc4c00}.groupsend{fill:#8250df}.wavesend{fill:#0f766e}.gateend{fill:#0757ba}"  \
    "\n.band{fill:#0757ba;opacity:.07}\n"                                                          \
    "@media (prefers-color-scheme:dark){\n"                                                        \
    "text{fill:#e6edf3}.page{fill:#0d1117}.muted,.small{fill:#9aa4af}\n"                           \
    ".grid{stroke:#262c34}.axis,.mark{stroke:#6b7580}\n"                                           \
    ".gate{stroke:#6cb2ff}.push{stroke:#f59653}.groups{stroke:#bf9bff}.waves{stroke:#3cc7b8}\n"    \
    ".limit{stroke:#ff8379}.warn{stroke:#d9a93b}\n"                                                \
    ".tgate{fill:#6cb2ff}.tpush{fill:#f59653}.tgroups{fill:#bf9bff}.twaves{fill:#3cc7b8}"          \
    ".tlimit{fill:#ff8379}.twarn{fill:#d9a93b}\n"                                                  \
    ".dot{fill:#0d1117;stroke:#6cb2ff}.stop{fill:#ff8379;stroke:#0d1117}.hold{fill:#0d1117;"       \
    "stroke:#d9a93b}.onstop{fill:#0d1117}\n"                                                       \
    ".pushend{fill:#f59653}.groupsend{fill:#bf9bff}.wavesend{fill:#3cc7b8}.gateend{fill:#6cb2ff}"  \
    ".band{fill:#6cb2ff;opacity:.1}\n"                                                             \
    "}\n"

#endif

package report

// styleSheet is all that the page looks by. Every colour has a contrast of 4.5 to what lies below.
const styleSheet = `
:root { --bg: #ffffff; --fg: #1b1f24; --soft: #f3f5f7; --line: #c3cad2; --dim: #4f5965;
  --add: #116329; --addbg: #dcf5e3; --del: #a40e26; --delbg: #ffe4e6; --chg: #7a4b00;
  --chgbg: #fff3d6; --bad: #a40e26; --ok: #116329; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14181d; --fg: #e6eaef; --soft: #1f252c; --line: #47525e; --dim: #a9b4c0;
    --add: #7ee2a0; --addbg: #12351f; --del: #ffa3ad; --delbg: #46161d; --chg: #f2c572;
    --chgbg: #3b2b0a; --bad: #ffa3ad; --ok: #7ee2a0; } }
* { box-sizing: border-box; }
html { background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; padding-top: 1rem;
  border-top: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
p { margin: .4rem 0; }
code { font: .875em/1.45 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.lead { font-size: 1.125rem; }
.vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 1rem;
  padding: 0 .6rem; font-size: .875rem; margin: 0 .4rem .2rem 0; white-space: nowrap; }
.add { color: var(--add); } .del { color: var(--del); } .chg { color: var(--chg); }
.high, .fail { color: var(--bad); } .low, .pass { color: var(--ok); }
.medium, .warn, .unknown { color: var(--chg); }
.changes { list-style: none; margin: .25rem 0; padding: 0; }
.changes .changes { padding-left: 1.4rem; }
.changes li { padding: .05rem 0; }
.sign { display: inline-block; width: 1.1rem; font-weight: 700;
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.panel { background: var(--soft); border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem .9rem; margin: .5rem 0; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 20rem; min-width: 0; max-width: 33rem; }
figcaption { font-weight: 600; margin-bottom: .3rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px ui-monospace, "DejaVu Sans Mono", monospace; fill: var(--fg); }
svg .name { font-weight: 700; }
svg .box { fill: var(--bg); stroke: var(--line); }
svg .deep { fill: var(--soft); stroke: var(--line); }
svg .mark-add { fill: var(--addbg); stroke: var(--add); }
svg .mark-del { fill: var(--delbg); stroke: var(--del); stroke-dasharray: 3 2; }
svg text.add { fill: var(--add); font-weight: 700; } svg text.del { fill: var(--del);
  font-weight: 700; }
svg text.dim { fill: var(--dim); }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line); }
td:first-child, td:nth-child(2) code { white-space: nowrap; overflow-wrap: normal; }
dl { display: grid; grid-template-columns: fit-content(35%) 1fr; gap: .2rem 1rem; margin: .4rem 0; }
dt { color: var(--dim); } dd { margin: 0; min-width: 0; }
@media (max-width: 40rem) {
  html { font-size: 15px; } body { padding: .75rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, td { display: block; } td { border: 0; padding: .05rem 0; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  td:nth-child(2) code { white-space: normal; overflow-wrap: anywhere; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
@media print {
  :root { --bg: #fff; --fg: #000; --soft: #fff; --line: #888; --dim: #333; --add: #0b4a1e;
    --addbg: #eef8f1; --del: #7d0b1d; --delbg: #fdf0f1; --chg: #5a3700; --chgbg: #fff; }
  html { font-size: 10.5pt; } body { max-width: none; padding: 0; }
  .panel, figure, tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; } }
`

package page

// styleSheet is all that the page looks by. Every colour has a contrast of 4.5 to what lies below.
const styleSheet = `
:root { --bg: #ffffff; --fg: #1b1f24; --soft: #f3f5f7; --line: #c3cad2; --dim: #4f5965;
  --good: #116329; --bad: #a40e26; --other: #6b4200; --link: #0a4fa3; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14181d; --fg: #e6eaef; --soft: #1f252c; --line: #47525e; --dim: #a9b4c0;
    --good: #7ee2a0; --bad: #ffa3ad; --other: #f2c572; --link: #8fc1ff; } }
* { box-sizing: border-box; }
html { background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .25rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; padding-top: .75rem;
  border-top: 2px solid var(--line); }
p { margin: .4rem 0; }
a { color: var(--link); } .dim { color: var(--dim); } .lead { font-size: 1.125rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: 0; top: 0; padding: .3rem .8rem; background: var(--bg); }
.skip:not(:focus) { width: 1px; height: 1px; padding: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
code, time { font: .875em/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
[role=alert] { border: 2px solid var(--bad); border-radius: .5rem; padding: .5rem .8rem; }
label { font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: .6rem 1rem; }
input { flex: 1 1 14rem; min-width: 0; font: inherit; color: var(--fg); background: var(--bg);
  border: 1px solid var(--dim); border-radius: .3rem; padding: .35rem .6rem; }
button { font: inherit; color: var(--bg); background: var(--link); border: 0;
  border-radius: .3rem; padding: .35rem 1.2rem; cursor: pointer; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 1rem;
  padding: 0 .6rem; font-size: .875rem; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .other { color: var(--other); }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--line); }
dl { display: grid; grid-template-columns: fit-content(35%) 1fr; gap: .3rem 1rem; }
dd { margin: 0; min-width: 0; }
th { white-space: nowrap; }
@media (min-width: 60.01rem) {
  td[data-of=Region] > span, td[data-of=Account] > span { display: block; min-width: 8rem; }
  td[data-of=Type] > span, td[data-of=What] > span { display: block; min-width: 5rem; }
  td[data-of=Name] > span, td[data-of=Node] > span { display: block; min-width: 9rem; }
  td time { white-space: nowrap; } }
@media (max-width: 60rem) {
  body { padding: .75rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, td, caption { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  td { border: 0; padding: .05rem 0; display: grid; grid-template-columns: 7rem 1fr; gap: .5rem; }
  td::before { content: attr(data-of); color: var(--dim); }
  td.empty { display: none; } td > span { min-width: 0; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
`

/**
 * The style of all pages for persons: light and dark, from a phone's width on, without fonts or files of other addresses.
 * @module
 */

/** Colours keep a contrast of 4.5:1 for text and 3:1 for controls in both schemes (WCAG 2.2 AA). */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f4f5f7, #101216);
  --card: light-dark(#ffffff, #191c22);
  --text: light-dark(#1b1e24, #e9ebef);
  --quiet: light-dark(#565c68, #a4abb8);
  --line: light-dark(#d6d9e0, #343a45);
  --field: light-dark(#7d8492, #7b8494);
  --accent: light-dark(#1d5bd0, #8ab4ff);
  --on-accent: light-dark(#ffffff, #0c1a33);
  --warn: light-dark(#8a4b00, #ffc37d);
  --warn-back: light-dark(#fff4e3, #33230d);
  --fault: light-dark(#a81c1c, #ff9c94);
  --fault-back: light-dark(#fdecec, #3a1716);
}
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center; justify-content: center;
  padding: 1rem; background: var(--page); color: var(--text); }
main { width: 100%; max-width: 30rem; padding: 1.75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .875rem; overflow-wrap: anywhere; }
header { display: flex; gap: .5rem; align-items: center; margin: 0 0 1.25rem; color: var(--quiet); font-size: .9375rem; }
header svg { width: 1.375rem; height: 1.375rem; flex: none; color: var(--accent); }
h1 { margin: 0 0 .75rem; font-size: 1.375rem; line-height: 1.3; font-weight: 650; }
h2 { margin: 1.5rem 0 .25rem; font-size: 1rem; }
p { margin: 0 0 .75rem; }
dl { margin: 1rem 0; border-top: 1px solid var(--line); }
dl > div { padding: .625rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); font-size: .875rem; }
dd { margin: 0; }
ul { margin: 0; padding-left: 1.25rem; }
code { font: .9375em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
small, .quiet { color: var(--quiet); font-size: .875rem; }
a { color: var(--accent); }
.note { padding: .75rem .875rem; border-radius: .5rem; background: var(--warn-back); color: var(--warn); }
.fault { padding: .75rem .875rem; border-radius: .5rem; background: var(--fault-back); color: var(--fault); }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input[type=text], input[type=password] { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--field); border-radius: .5rem; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
button, .button { flex: 1 1 9rem; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; text-align: center;
  text-decoration: none; color: var(--text); background: transparent; border: 1px solid var(--field); border-radius: .5rem;
  cursor: pointer; }
button.first, .button.first { color: var(--on-accent); background: var(--accent); border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) { main { padding: 1.25rem; } body { justify-content: flex-start; } }
@media (forced-colors: active) { button, .button, main { border: 1px solid; } }
`;

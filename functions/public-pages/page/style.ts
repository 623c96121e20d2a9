/** The pages' style sheet: for phones, paper, light and dark mode. It loads no other resource. */
import { createHash } from 'node:crypto'

export const style = `
:root { color-scheme: light dark; --back: #ffffff; --card: #f6f8fa; --text: #1b1f24; --soft: #555e68;
  --line: #d3d9df; --link: #0b57b8; --current: #1a7f37; --next: #9a5b00; --deprecated: #59626c }
@media (prefers-color-scheme: dark) {
  :root { --back: #10151b; --card: #19212a; --text: #e7ebef; --soft: #a3adb8; --line: #37424e; --link: #85b9ff;
    --current: #56c271; --next: #e8a645; --deprecated: #939da8 }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100% }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; background: var(--back); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.25rem 0 .75rem }
h3 { font-size: 1.05rem; line-height: 1.35; margin: 0 0 .75rem }
p, ul { margin: 0 0 1rem }
p, li { max-width: 46rem }
ul { padding-left: 1.25rem }
li { margin: 0 0 .75rem }
.items { margin: .3rem 0 0; padding: 0; list-style: none }
.items li { margin: 0 0 .2rem; max-width: none }
a { color: var(--link) }
code { font: .84rem/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace }
.soft { color: var(--soft) }
.card { border: 1px solid var(--line); border-left-width: .3rem; border-radius: .4rem; background: var(--card);
  padding: 1rem; margin: 0 0 1rem }
.current { border-left-color: var(--current) }
.next { border-left-color: var(--next) }
.deprecated { border-left-color: var(--deprecated) }
.state { font-weight: 600 }
.current .state { color: var(--current) }
.next .state { color: var(--next) }
.deprecated .state { color: var(--deprecated) }
dl { margin: 0; display: grid; grid-template-columns: 1fr; gap: 0 1.25rem }
dt { color: var(--soft); font-size: .9rem }
dd { margin: 0 0 .65rem }
dd span { display: block }
.card p { margin: .25rem 0 0 }
.card > ul { margin: 0 }
.card > ul > li:last-child { margin: 0 }
.card + h3 { margin-top: 1.75rem }
@media (min-width: 40rem), print {
  dl { grid-template-columns: 16.5rem 1fr }
  dt, dd { margin: 0 0 .4rem; font-size: 1rem }
}
@media print {
  :root { --back: #ffffff; --card: #ffffff; --text: #000000; --soft: #333333; --line: #888888; --link: #000000;
    --current: #000000; --next: #000000; --deprecated: #000000 }
  body { max-width: none; padding: 0; font-size: 10.5pt }
  .card { break-inside: avoid }
  h2, h3 { break-after: avoid }
}
`

/** Allows only this style: no request, script, form or frame. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

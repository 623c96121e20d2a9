/** Builds an HTML page around its content. */
import { Html, html } from './html.ts'
import { style } from './style.ts'

export const documentOf = (title: string, content: Html): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${new Html(`<style>${style}</style>`)}
</head>
<body>
${content}
</body>
</html>
`.text

/** Builds a page with one message, such as an error. */
export const messagePage = (title: string, text: string): string =>
  documentOf(
    title,
    html`<main>
<h1>${title}</h1>
<p>${text}</p>
</main>`,
  )

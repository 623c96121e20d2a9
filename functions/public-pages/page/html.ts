/**
 * HTML from text. The attack: words of a certificate, of a setting or of a request that a browser takes for elements.
 * The defence: whatever is put into a template is escaped, except what came out of one. The limit: values stand in
 * text and in quoted attributes only, never in a script, a style or an unquoted attribute.
 */

/** What is HTML already. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Value = string | number | Html | readonly Value[]

/** html`<p>${text}</p>` */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.reduce((text, part, index) => text + textOf(values[index - 1] ?? '') + part))
}

function textOf(value: Value): string {
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(textOf).join('')
  return String(value).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
}

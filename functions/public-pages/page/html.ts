/**
 * Builds HTML from text. Attack: text of a certificate, a setting or a request contains markup. Defence: a template
 * escapes every value, except the result of another template. Not covered: scripts, styles and unquoted
 * attributes; values may stand only in text and in quoted attributes.
 */

/** Escaped HTML. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Value = string | number | Html | readonly Value[]

/** Tag of a template: html`<p>${text}</p>`. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.reduce((text, part, index) => text + textOf(values[index - 1] ?? '') + part))
}

function textOf(value: Value): string {
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(textOf).join('')
  return String(value).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/**
 * Checks names and texts against docs/glossary.md. The last column of the glossary's tables lists words that are not
 * used: a plain word is refused everywhere, a word in `backticks` only in names. `word*` stands for each word that
 * begins with `word`.
 */

export interface Ruling {
  /** The refused word or phrase, in small letters; with `*` at its end, each word that begins with it. */
  readonly word: string
  /** The term to use. */
  readonly use: string
  readonly onlyInNames: boolean
}

export interface Use {
  readonly file: string
  readonly line: number
  readonly word: string
  readonly use: string
}

/** @param markdown docs/glossary.md: tables whose first column is the term and whose last is "Not" */
export function readRulings(markdown: string): Ruling[] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| Term '))
    .flatMap((line) => {
      const cells = line.split('|').map((cell) => cell.trim())
      const entries = (cells.at(-2) ?? '').split(',').map((entry) => entry.trim())
      return entries
        .filter((entry) => entry !== '')
        .map((entry) => ({
          word: entry.replaceAll('`', '').toLowerCase(),
          use: cells[1] ?? '',
          onlyInNames: entry.startsWith('`'),
        }))
    })
}

/** @returns the terms of the glossary, in small letters */
export const readTerms = (markdown: string): string[] =>
  markdown.match(/^\| (?!Term |---)[^|]+/gm)?.map((cell) => cell.slice(2).trim().toLowerCase()) ?? []

/** Splits `parseTLSARecord2` into `parse`, `tlsa`, `record`. */
export const wordsOfName = (name: string): string[] =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word.length > 1)

const comment = /\/\/.*|\/\*[\s\S]*?\*\//y
const string = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y
/** Matches up to the end of the template or to the next `${`. */
const templateText = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y
const regularExpression = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
/** Code after which a slash begins a regular expression and is no division. */
const expectsValue = /(?:^|[(,=:[!&|?{};]|=>|return)\s*$/

/**
 * Replaces comments, strings, the text of templates and regular expressions by spaces. Lines keep their numbers.
 * @param source TypeScript
 */
export function codeOf(source: string): string {
  let code = ''
  let at = 0
  /** For each open `${`, the number of braces that are open within it. */
  const depths: number[] = []
  const skip = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const text = pattern.exec(source)?.[0] ?? ''
    code += text.replace(/[^\n]/g, ' ')
    at += text.length
    return text
  }
  const skipTemplate = () => {
    code += ' '
    at++
    if (skip(templateText).endsWith('{')) depths.push(0)
  }
  while (at < source.length) {
    if (skip(comment) || skip(string)) continue
    const character = source.charAt(at)
    if (character === '/' && expectsValue.test(code.slice(-40)) && skip(regularExpression)) continue
    const depth = depths.pop()
    if (character === '}' && depth === 0) {
      skipTemplate()
      continue
    }
    if (depth !== undefined) depths.push(depth + (character === '{' ? 1 : character === '}' ? -1 : 0))
    if (character === '`') {
      skipTemplate()
      continue
    }
    code += character
    at++
  }
  return code
}

/** @returns each use of a word that the rulings refuse, at most once per line and word */
export function forbiddenUses(file: string, text: string, rulings: readonly Ruling[]): Use[] {
  const code = /\.tsx?$/.test(file) ? codeOf(text).split('\n') : []
  const inNames = rulings.filter((ruling) => ruling.onlyInNames)
  const everywhere = rulings.filter((ruling) => !ruling.onlyInNames)
  return text.split('\n').flatMap((line, index) => {
    const names = wordsOfName(code[index] ?? '')
    const words = ` ${wordsOfName(line).join(' ')} `
    const uses = [
      ...inNames.filter((ruling) => names.some((name) => matches(name, ruling.word))),
      ...everywhere.filter(({ word }) =>
        words.includes(word.endsWith('*') ? ` ${word.slice(0, -1)}` : ` ${word} `),
      ),
    ]
    return uses.map(({ word, use }) => ({ file, line: index + 1, word, use }))
  })
}

const matches = (name: string, word: string): boolean =>
  word.endsWith('*') ? name.startsWith(word.slice(0, -1)) : name === word

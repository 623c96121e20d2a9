import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { code, page, table } from './markdown.ts'

const root = join(import.meta.dirname, '../..')
const sources = globSync('{cli,functions,infra,shared}/**/*.ts', { cwd: root }).sort()

/** Matches `RFC 5321 §4.1.1.4, §6.1`, also across two lines of a comment. */
const citation = /\bRFC (\d+)((?:,? (?:\* )?§[\d.]*\d)*)/g

/** Files by RFC and clause; an RFC that is cited as a whole has the clause ''. */
function citedClauses(): Map<string, Set<string>> {
  const clauses = new Map<string, Set<string>>()
  for (const file of sources) {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ')
    for (const [, number = '', sections = ''] of text.matchAll(citation))
      for (const section of sections.match(/§[\d.]*\d/g) ?? ['']) {
        const key = `${number} ${section}`
        clauses.set(key, (clauses.get(key) ?? new Set()).add(file))
      }
  }
  return clauses
}

const byNumber = ([first]: [string, unknown], [second]: [string, unknown]): number =>
  first.localeCompare(second, 'en', { numeric: true })

export const rfcsPage = (): string =>
  page(
    'RFC clauses that the code cites',
    'comments in `cli/`, `functions/`, `infra/` and `shared/`',
    '[RFCs](../rfcs.md) lists the supported RFCs. A row without a clause cites the whole RFC.',
    table(
      ['RFC', 'Clause', 'Files'],
      [...citedClauses()].toSorted(byNumber).map(([key, files]) => {
        const [number = '', section = ''] = key.split(' ')
        return [number, section, [...files].map(code).join(', ')]
      }),
    ),
  )

import { advice } from '../../shared/mail/dsn/advice.ts'
import { code, page, table } from './markdown.ts'

const rows = advice.map(({ code: detail, source, ownDecisionOnly, happened, remedy }) => [
  [code(detail), source, ownDecisionOnly && 'by a connector of mailflow'].filter(Boolean).join(', '),
  happened,
  remedy,
])

export const dsnAdvicePage = (): string =>
  page(
    'The text of a DSN for each code',
    '`shared/mail/dsn/advice.ts`',
    'The code is an enhanced status code without its class: `7.320` stands for `4.7.320` and `5.7.320`. The first row that matches applies; `*` stands for any detail. [DSNs](../dsns.md) describes when a DSN is sent.',
    table(['Code', 'What happened', 'What can be done'], rows),
  )

import { advice } from '../../shared/mail/dsn/advice.ts'
import { code, page, table } from './markdown.ts'

const rows = advice.map(({ code: detail, source, ownDecisionOnly, happened, remedy }) => [
  [code(detail), source, ownDecisionOnly && 'by a connector here'].filter(Boolean).join(', '),
  happened,
  remedy,
])

export const dsnAdvicePage = (): string =>
  page(
    'What a DSN says of each code',
    '`shared/mail/dsn/advice.ts`',
    'The code is an enhanced status code without its class: `7.320` stands for `4.7.320` and `5.7.320`. The first row that fits counts; `*` stands for any detail. [DSNs](../dsns.md) says when one is sent.',
    table(['Code', 'What happened', 'What can be done'], rows),
  )

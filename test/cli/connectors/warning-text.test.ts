import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConfigurationWarning } from '../../../cli/connectors/configuration-warnings.ts'
import { warningTexts } from '../../../cli/connectors/warning-text.ts'

const warning = (
  name: string,
  path: string,
  message: string,
  of = 'inbound connector',
): ConfigurationWarning => ({
  of,
  name,
  path,
  message,
})
const names = (count: number) => Array.from({ length: count }, (_, index) => `C${index}`)

const rows: { name: string; warnings: ConfigurationWarning[]; lines: string[] }[] = [
  { name: 'no warning', warnings: [], lines: [] },
  {
    name: 'one',
    warnings: [warning('A', 'route', 'x')],
    lines: ['warning: inbound connector "A": route: x'],
  },
  {
    name: 'equal warnings',
    warnings: [warning('A', 'route', 'x'), warning('B', 'route', 'x')],
    lines: ['warning: inbound connectors "A", "B": route: x'],
  },
  {
    name: 'equal warnings about both directions',
    warnings: [warning('A', 'mode', 'x'), warning('A', 'mode', 'x', 'outbound connector')],
    lines: ['warning: inbound connector "A": mode: x', 'warning: outbound connector "A": mode: x'],
  },
  {
    name: 'expected warnings before others',
    warnings: [warning('A', 'mode', 'x'), warning('A', 'enabled', 'y'), warning('B', 'route', 'z')],
    lines: [
      'warning: inbound connector "B": route: z',
      'warning: inbound connector "A": mode: x',
      'warning: inbound connector "A": enabled: y',
    ],
  },
  {
    name: 'twelve different warnings about a field',
    warnings: names(12).map((name, index) => warning(name, `senderDomains[${index}]`, `m${index}`)),
    lines: [
      ...names(10).map(
        (name, index) => `warning: inbound connector "${name}": senderDomains[${index}]: m${index}`,
      ),
      'warning: inbound connectors: senderDomains: 2 more warnings; --json prints all',
    ],
  },
  {
    name: 'an invisible character',
    warnings: [warning('A\u202eB', '', 'x\u0007')],
    lines: ['warning: inbound connector "A?B": x?'],
  },
]

describe('the lines of warnings', () => {
  for (const { name, warnings, lines } of rows)
    test(`are ${lines.length} for ${name}`, () => assert.deepEqual(warningTexts(warnings), lines))
})

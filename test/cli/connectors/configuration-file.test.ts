import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CommandError } from '../../../cli/command-error.ts'
import {
  type Configuration,
  inboundConnectors,
  outboundConnectors,
} from '../../../cli/connectors/entry-kinds.ts'
import { planChanges } from '../../../cli/connectors/plan-changes.ts'
import { readConfiguration } from '../../../cli/connectors/read-configuration.ts'
import { toDesiredEntry } from '../../../cli/connectors/to-desired-entry.ts'
import { writeConfiguration } from '../../../cli/connectors/write-configuration.ts'
import { cleanName } from '../../../shared/connectors/connector-name.ts'
import { outboundSchema } from '../../support/connectors.ts'

const fileOptions = { defaultRoute: 'Mx', prune: false } as const

/** Returns the lines below the message. */
function faultsOf(text: string): readonly string[] {
  try {
    readConfiguration(text, 'c.yaml', fileOptions)
  } catch (error) {
    if (error instanceof CommandError) return error.lines
    throw error
  }
  return []
}

/** Each list contains the previous one nine times: 9⁷ items in ten lines. */
const multiplied = [
  'a: &a0 [1]',
  ...[0, 1, 2, 3, 4, 5, 6].map((n) => `b${n}: &a${n + 1} [${`*a${n},`.repeat(9)}]`),
]

const rows: { shows: string; file: string; faults: RegExp[] }[] = [
  {
    shows: 'an empty file',
    file: '',
    faults: [/^c\.yaml:1: the file is empty; it needs the sections acceptedDomains, inbound/],
  },
  { shows: 'a file that is a list', file: '- a\n', faults: [/is not a map/] },
  { shows: 'broken YAML', file: 'a: [b\nc: d\n', faults: [/^c\.yaml:[12]: /] },
  {
    shows: 'a duplicate key',
    file: 'acceptedDomains: []\nacceptedDomains: []\n',
    faults: [/^c\.yaml:2: .*unique/],
  },
  {
    shows: 'two YAML documents',
    file: 'acceptedDomains: []\n---\nacceptedDomains: []\n',
    faults: [/^c\.yaml:\d: .*multiple documents/],
  },
  { shows: 'an alias without its anchor', file: 'acceptedDomains: *none\n', faults: [/none/] },
  {
    shows: 'aliases that multiply the content',
    file: multiplied.join('\n'),
    faults: [/^Excessive alias count/],
  },
  {
    shows: 'an unknown section',
    file: 'acceptedDomains: []\nconnectors: []\n',
    faults: [/^c\.yaml:2: unknown section "connectors"/],
  },
  {
    shows: 'a section without a value',
    file: '\ninboundConnectors:\n',
    faults: [/^c\.yaml:2: inboundConnectors is empty; write \[\] for no entries/],
  },
  {
    shows: 'a section that is not a list',
    file: 'inboundConnectors: {}\n',
    faults: [/inboundConnectors is not a list/],
  },
  {
    shows: 'a connector that every tenant of Exchange Online could use',
    file: 'inboundConnectors:\n  - name: Tenant\n    connectorType: OnPremises\n    senderDomains: ["*"]\n    tlsSenderCertificateNames: [mail.protection.outlook.com]\n',
    faults: [
      /^c\.yaml:5: inbound connector "Tenant": tlsSenderCertificateNames: mail\.protection\.outlook\.com is shared by all customers of Exchange Online/,
    ],
  },
  {
    shows: 'an entry that is not a map',
    file: 'inboundConnectors:\n  - hello\n',
    faults: [/^c\.yaml:2: inbound connector "hello": /],
  },
  {
    shows: 'several faults, in the order of their lines',
    file: `outboundConnectors:
  - name: To A
    connectorType: Partner
    recipientDomains:
      - a.example
      - "b c"
    smartHosts: [{ host: mail.example, port: 0 }]
  - connectorType: Partner
    recipientDomains: [b.example]
    tlsSettings: DomainValidation
inboundConnectors:
  - name: From A
    connectorType: Partner
    senderDomains: [a.example]
    requireTLS: true
`,
    faults: [
      /^c\.yaml:6: outbound connector "To A": recipientDomains\[1\]: "b c" is not a domain/,
      /^c\.yaml:7: outbound connector "To A": smartHosts\[0\]\.port: /,
      /^c\.yaml:8: outbound connector 2: name: is required$/,
      /^c\.yaml:8: outbound connector 2: tlsDomain: is needed when/,
      /^c\.yaml:15: inbound connector "From A": requireTLS: is not a known field$/,
    ],
  },
  {
    shows: 'a duplicate name in another letter case beside other faults',
    file: `inboundConnectors:
  - { name: Bank, connectorType: Partner, senderDomains: [] }
  - { connectorType: Partner, senderDomains: [b.example],
      name: BANK }
`,
    faults: [
      /^c\.yaml:2: .*senderDomains: /,
      /^c\.yaml:4: inbound connector "BANK": duplicate of entry 1 of inboundConnectors$/,
    ],
  },
  {
    shows: 'a duplicate domain in another letter case',
    file: 'acceptedDomains:\n  - ours.example\n  - domain: Ours.Example\n',
    faults: [/^c\.yaml:3: accepted domain "Ours\.Example": duplicate of entry 1 of acceptedDomains$/],
  },
  {
    shows: 'an accepted domain with a wildcard',
    file: 'acceptedDomains: ["*.ours.example"]\n',
    faults: [/"\*\.ours\.example" is not a domain name/],
  },
]

describe('reading a configuration file reports each fault, with its line, of', () => {
  for (const { shows, file, faults } of rows)
    test(shows, () => {
      const reported = faultsOf(file)
      assert.equal(reported.length, faults.length, reported.join('\n'))
      for (const [index, fault] of faults.entries()) assert.match(reported[index] ?? '', fault)
    })
})

test('a YAML alias works, and a fault is reported at the line of the connector that uses the alias', () => {
  const file = `inboundConnectors:
  - &bank { name: Bank, connectorType: Partner, senderDomains: [bank.example] }
outboundConnectors:
  - { name: Bank, connectorType: Partner, recipientDomains: &domains [bank.example] }
  - { name: Other, connectorType: Partner, recipientDomains: *domains, tlsSettings: Nothing }
`
  assert.match(faultsOf(file).join('\n'), /^c\.yaml:5: outbound connector "Other": tlsSettings: /)
  assert.deepEqual(faultsOf(file.replace(', tlsSettings: Nothing', '')), [])
})

const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/)
const domain = fc.tuple(label, label).map((labels) => `${labels.join('.')}.example`)
const pattern = fc.oneof(
  domain,
  domain.map((name) => `*.${name}`),
  fc.constant('*'),
)
/** Strings that YAML could read as another type: numbers, dates, `no`, comments, dashes, line ends. */
const text = fc.oneof(
  fc.string({ maxLength: 60, unit: 'grapheme' }),
  fc.constantFrom(
    'no',
    '1e3',
    '2026-02-03',
    '~',
    '- a',
    '# b',
    'a: b',
    'two\nlines',
    ' padded ',
    "it's",
    '"',
    'a\u200bb',
    '\\\u{e0041}\u2028\u00a0',
    '\u009b\u0085\t\n \u202e',
  ),
)
const name = text.map(cleanName).filter((words) => words !== '')

const inbound = fc.record(
  {
    name,
    connectorType: fc.constant('Partner'),
    senderDomains: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
    requireTls: fc.boolean(),
    senderIpAddresses: fc.uniqueArray(fc.ipV4(), { maxLength: 3 }),
    mode: fc.constantFrom('Enforce', 'ReportOnly'),
    comment: text,
  },
  { requiredKeys: ['name', 'connectorType', 'senderDomains'] },
)
const outbound = fc.record(
  {
    name,
    connectorType: fc.constantFrom('Partner', 'OnPremises'),
    recipientDomains: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
    tlsSettings: fc.constantFrom(null, 'EncryptionOnly', 'CertificateValidation'),
    expirationHours: fc.integer({ min: 12, max: 24 }),
    comment: text,
  },
  { requiredKeys: ['name', 'connectorType', 'recipientDomains'] },
)
const key = { selector: ({ name }: { name: string }) => name.normalize('NFC').toLowerCase(), maxLength: 4 }
const configuration = fc
  .record({ inbound: fc.uniqueArray(inbound, key), outbound: fc.uniqueArray(outbound, key) })
  .map(
    ({ inbound, outbound }): Configuration => ({
      acceptedDomains: null,
      inboundConnectors: inbound.map((connector) =>
        toDesiredEntry(inboundConnectors, inboundConnectors.input.parse(connector)),
      ),
      outboundConnectors: outbound.map((connector) =>
        toDesiredEntry(outboundConnectors, outboundSchema.parse(connector)),
      ),
    }),
  )

test('a configuration is the same after writing and reading, whatever its names and comments contain', () => {
  fc.assert(
    fc.property(configuration, text, (file, heading) => {
      const written = writeConfiguration(file, heading)
      assert.deepEqual(readConfiguration(written, 'c.yaml', fileOptions), file)
      assert.doesNotMatch(written, /[^\P{C}\n]|\p{Default_Ignorable_Code_Point}/u)
    }),
  )
})

test('planning changes finds none when file and gateway have the same configuration', () => {
  fc.assert(
    fc.property(configuration, fc.boolean(), (file, prune) => {
      const present = Object.fromEntries(
        Object.entries(file).map(([kind, wanted]) => [
          kind,
          (wanted ?? []).map((entry) => ({ ...entry, path: '', version: 1, id: null, response: {} })),
        ]),
      )
      const changes = planChanges(file, present as unknown as Parameters<typeof planChanges>[1], prune)
      assert.ok(changes.every(({ kind }) => kind === 'Unchanged'))
    }),
  )
})

/**
 * The outcome of a message at each level when its next hop misbehaves: the tables of docs/generated/tls-levels.md,
 * which the tests expect. Derived from RFC 3207, 5321, 7672, 8460, 8461, 8689 and the codes of docs/connectors.md.
 */
import type { TlsResult } from '../../../../shared/contract/tls-result.ts'

export const levelNames = [
  'Opportunistic',
  'EncryptionOnly',
  'CertificateValidation',
  'DomainValidation',
  /** DomainValidation with the partner's own CA. */
  'own CAs',
  /** EncryptionOnly with a minimum version. */
  'TLS 1.3',
  'MTA-STS enforce',
  'MTA-STS testing',
  /** The TLSA record matches the key that the server presents. */
  'DANE 3 1 1',
  /** The TLSA record matches the root of the server's certificate. */
  'DANE 2 0 1',
  'DANE unusable',
  'REQUIRETLS',
  /** DomainValidation of a report-only connector. */
  'ReportOnly',
  /** `TLS-Required: No`, with both DANE 3 1 1 and an MTA-STS policy published. */
  'TLS-Required: No',
] as const
export type LevelName = (typeof levelNames)[number]

/**
 * A cell is `tls` or `clear` for a delivery, or the enhanced status code of a failure. A code after `/` was recorded
 * and not enforced.
 */
export interface Row<Name extends string = string> {
  misbehaviours: readonly Name[]
  /** In the order of `levelNames`. */
  cells: string
  /** The result type in a TLS report (RFC 8460); null without a TLS result. */
  result: TlsResult | null
}

export interface Chapter<Name extends string = string> {
  title: string
  /** The subject of each row's sentence. */
  subject: string
  rows: readonly Row<Name>[]
}

const atAllLevels = (cell: string): string => levelNames.map(() => cell).join(' ')
/** The same cell at all levels except REQUIRETLS. */
const atAllLevelsExceptRequireTls = (cell: string, requireTls: string): string =>
  levelNames.map((name) => (name === 'REQUIRETLS' ? requireTls : cell)).join(' ')

const chapter = <const Name extends string>(
  title: string,
  subject: string,
  rows: readonly Row<Name>[],
): Chapter<Name> => ({ title, subject, rows })

const startTls = chapter('Before the handshake', 'The server', [
  { misbehaviours: ['does nothing wrong'], result: null, cells: atAllLevels('tls') },
  {
    misbehaviours: [
      'offers no STARTTLS',
      'has STARTTLS overwritten on the way',
      'does not support EHLO',
      'answers STARTTLS with 354',
      'answers STARTTLS with 421',
      'answers STARTTLS with 454',
      'answers STARTTLS with 500',
      'answers STARTTLS with 501',
      'answers STARTTLS with 502',
      'answers STARTTLS with 503',
      'answers STARTTLS with 554',
      'answers STARTTLS with garbage',
      'answers STARTTLS with a flood',
      'stalls at STARTTLS',
      'closes at STARTTLS',
      'resets at STARTTLS',
    ],
    result: 'starttls-not-supported',
    cells: `clear 4.7.321 4.7.321 4.7.321 4.7.321 4.7.321 4.7.321 clear/4.7.321
      4.7.321 4.7.321 4.7.321 4.7.321 clear/4.7.321 clear/4.7.321`,
  },
  {
    misbehaviours: ['supports STARTTLS without offering it'],
    result: 'starttls-not-supported',
    cells: 'clear tls tls tls tls tls tls clear/4.7.321 tls tls tls tls clear/4.7.321 clear/4.7.321',
  },
  {
    misbehaviours: [
      'writes starttls in lower case',
      'sends 220 in pieces',
      'injects a reply to EHLO after 220',
      'injects acceptances after 220',
      'injects a refusal after 220',
      'injects half a line after 220',
    ],
    result: null,
    cells: atAllLevels('tls'),
  },
])

const handshakeFails = `clear 4.7.5 4.7.5 4.7.5 4.7.5 4.7.5 4.7.5 clear/4.7.5
  4.7.5 4.7.5 4.7.5 4.7.5 clear/4.7.5 clear/4.7.5`

const handshake = chapter('In the handshake', 'The server', [
  {
    misbehaviours: [
      'answers STARTTLS with 250',
      'closes in the handshake',
      'resets in the handshake',
      'stalls in the handshake',
      'trickles in the handshake',
      'answers the handshake in the clear',
      'alerts handshake_failure',
      'alerts bad_certificate',
      'alerts protocol_version',
      'has TLS 1.1 at most',
      'shares no cipher suite',
      'requires a client certificate',
      'requires a client certificate in TLS 1.2',
      'breaks TLS at first, then offers none',
      'answers STARTTLS before the command',
      'continues in the clear after the handshake',
    ],
    result: 'validation-failure',
    cells: handshakeFails,
  },
  {
    misbehaviours: ['breaks TLS at first, then requires it'],
    result: 'validation-failure',
    cells: `4.7.0 4.7.5 4.7.5 4.7.5 4.7.5 4.7.5 4.7.5 4.7.0/4.7.5
      4.7.5 4.7.5 4.7.5 4.7.5 4.7.0/4.7.5 4.7.0/4.7.5`,
  },
  {
    misbehaviours: ['has TLS 1.2 at most', 'negotiates again after the handshake'],
    result: 'validation-failure',
    cells: 'tls tls tls tls tls 4.7.5 tls tls tls tls tls tls tls tls',
  },
])

const certificate = chapter('In the certificate', 'The certificate', [
  {
    misbehaviours: [
      'is self-signed',
      'is of an unknown CA',
      'lacks its intermediate',
      'has no dates',
      'has an intermediate without dates',
      'is issued by a certificate that is no CA',
      'is for clients only',
    ],
    result: 'certificate-not-trusted',
    cells: `tls tls 4.7.320 4.7.320 4.7.320 tls 4.7.5 tls/4.7.5
      tls 4.7.323 tls 4.7.320 tls/4.7.320 tls`,
  },
  {
    misbehaviours: ['is expired', 'is not valid yet', 'has an expired intermediate'],
    result: 'certificate-expired',
    cells: `tls tls 4.7.322 4.7.322 4.7.322 tls 4.7.5 tls/4.7.5
      tls 4.7.323 tls 4.7.322 tls/4.7.322 tls`,
  },
  {
    misbehaviours: [
      'is for another name',
      'is for *.mx.partner.example',
      'is for m*.partner.example',
      'is for another name, with the right one in the CN',
      'has a NUL in its name',
      'has the name after a comma in another',
    ],
    result: 'certificate-host-mismatch',
    cells: `tls tls tls 4.7.325 4.7.325 tls 4.7.5 tls/4.7.5
      tls 4.7.323 tls 4.7.325 tls/4.7.325 tls`,
  },
  {
    // RFC 7672 §3.2.2: with DANE the domain itself, partner.example, is also a reference name.
    misbehaviours: ['is for *.example'],
    result: 'certificate-host-mismatch',
    cells: 'tls tls tls 4.7.325 4.7.325 tls 4.7.5 tls/4.7.5 tls tls tls 4.7.325 tls/4.7.325 tls',
  },
  {
    misbehaviours: ['has its name in the CN only'],
    result: 'certificate-host-mismatch',
    cells: 'tls tls tls tls tls tls 4.7.5 tls/4.7.5 tls tls tls tls tls tls',
  },
  {
    misbehaviours: ['is for *.partner.example'],
    result: null,
    cells: atAllLevels('tls'),
  },
  {
    misbehaviours: ['has a key of 1024 bits'],
    result: 'certificate-not-trusted',
    cells: 'tls tls 4.7.320 4.7.320 4.7.320 tls 4.7.5 tls/4.7.5 tls 4.7.323 tls 4.7.320 tls/4.7.320 tls',
  },
  {
    misbehaviours: ['is of another public CA and has another key'],
    result: 'certificate-not-trusted',
    cells: 'tls tls tls tls 4.7.320 tls tls tls 4.7.323 4.7.323 tls tls tls tls/4.7.323',
  },
  {
    // Only the first ten certificates are read; the root is not among them.
    misbehaviours: ['is followed by sixty unrelated certificates'],
    result: null,
    cells: 'tls tls tls tls tls tls tls tls tls 4.7.323 tls tls tls tls',
  },
  {
    misbehaviours: ['is followed by more than fit the handshake'],
    result: 'validation-failure',
    cells: handshakeFails,
  },
  {
    misbehaviours: ["is of the partner's own CA"],
    result: 'certificate-not-trusted',
    cells: 'tls tls 4.7.320 4.7.320 tls tls 4.7.5 tls/4.7.5 tls 4.7.323 tls 4.7.320 tls/4.7.320 tls',
  },
])

const overTls = chapter('Over TLS', 'The server', [
  {
    misbehaviours: [
      'closes after the handshake',
      'cuts the connection after the handshake',
      'resets after the handshake',
      'floods EHLO over TLS',
    ],
    result: null,
    cells: atAllLevels('4.4.318'),
  },
  { misbehaviours: ['stalls at EHLO over TLS'], result: null, cells: atAllLevels('4.4.315') },
  { misbehaviours: ['sends 421 after the handshake'], result: null, cells: atAllLevels('4.7.1') },
  { misbehaviours: ['refuses EHLO over TLS temporarily'], result: null, cells: atAllLevels('4.3.2') },
  { misbehaviours: ['refuses EHLO over TLS permanently'], result: null, cells: atAllLevels('5.7.1') },
  {
    misbehaviours: [
      'does not support EHLO over TLS',
      'announces nothing over TLS',
      'announces REQUIRETLS in the clear only',
    ],
    result: 'success',
    cells: atAllLevelsExceptRequireTls('tls', '5.7.30'),
  },
  { misbehaviours: ['sends an unexpected reply over TLS'], result: null, cells: atAllLevels('4.5.0') },
  {
    misbehaviours: ['replies 250 to DATA', 'replies to the message before receiving it'],
    result: 'success',
    cells: atAllLevels('4.5.0'),
  },
  { misbehaviours: ['announces STARTTLS again over TLS'], result: null, cells: atAllLevels('tls') },
])

const noSession = chapter('Without a session', 'The server', [
  {
    misbehaviours: ['stalls at the greeting', 'stalls at EHLO'],
    result: null,
    cells: atAllLevels('4.4.315'),
  },
  { misbehaviours: ['greets with 554'], result: null, cells: atAllLevels('5.3.2') },
  {
    misbehaviours: [
      'resets before the greeting',
      'floods the greeting',
      'floods EHLO',
      'floods EHLO with one line',
    ],
    result: null,
    cells: atAllLevels('4.4.318'),
  },
])

export const chapters = [startTls, handshake, certificate, overTls, noSession] as const

type NameIn<Each> = Each extends Chapter<infer Name> ? Name : never
export type MisbehaviourName = NameIn<(typeof chapters)[number]>

export const cellsOf = ({ cells }: Pick<Row, 'cells'>): string[] => cells.trim().split(/\s+/)

/** Such as "the server offers no STARTTLS" or "the certificate is self-signed". */
export function sentenceOf(name: MisbehaviourName): string {
  const { subject } = (chapters as readonly Chapter[]).find(({ rows }) =>
    rows.some(({ misbehaviours }) => misbehaviours.includes(name)),
  ) as Chapter
  return `${subject.toLowerCase()} ${name}`
}

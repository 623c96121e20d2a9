/** Client scripts: pieces sent one after another, from a grammar or from mutated transcripts. */

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { lineEndAbuses } from '../line-end-abuses.ts'

export interface Script {
  /** One character for each octet; a piece is sent in one write. */
  pieces: string[]
  /** Additional positions where pieces are cut. */
  cuts: number[]
  /** Seed of all other random decisions. */
  seed: number
}

/** The abuses of line ends, and more. */
const specialSequences = fc.constantFrom(
  ...lineEndAbuses,
  '\r\n.\r',
  '\r.\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\r\n.\r\n',
  '\n\n.\n\n',
  '\x16\x03\x01',
  '\xff',
  '\t',
  ' ',
)

const local = fc.constantFrom(
  'a',
  'b',
  'late',
  'never',
  'bye',
  'nodata',
  'unstored',
  '"q q"',
  'x'.repeat(65),
  '\xc3\xa9',
  '',
)
const domain = fc.constantFrom(
  '@ours.example',
  '@elsewhere.example',
  '@[127.0.0.1]',
  '@b\xc3\xbccher.example',
  '@',
  '',
)
const address = fc.tuple(local, domain).map(([localPart, domainPart]) => localPart + domainPart)
const verb = (text: string) =>
  fc.constantFrom(text, text.toLowerCase(), text[0]?.toLowerCase() + text.slice(1))
const parameters = fc.constantFrom(
  '',
  '',
  '',
  ' SIZE=100',
  ' SIZE=99999999999',
  ' BODY=8BITMIME SMTPUTF8',
  ' SMTPUTF8',
  ' REQUIRETLS',
  ' RET=FULL ENVID=x',
  ' NOTIFY=NEVER',
  ' NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b',
  ' AUTH=<>',
  ' =',
  '  ',
)
/** The signs before and after an address; only the first pair is the syntax of RFC 5321. */
const brackets = fc.constantFrom(
  ['<', '>'],
  ['<', '>'],
  ['<', '>'],
  ['<', '>'],
  [' <', '>'],
  ['', ''],
  ['  ', ''],
  ['<', ''],
  ['', '>'],
)
const mail = fc
  .tuple(verb('MAIL FROM:'), brackets, address, parameters)
  .map(([word, [open, close], path, rest]) => `${word}${open}${path}${close}${rest}\r\n`)
const recipient = fc
  .tuple(verb('RCPT TO:'), brackets, address, parameters)
  .map(([word, [open, close], path, rest]) => `${word}${open}${path}${close}${rest}\r\n`)
const simple = fc.constantFrom(
  'EHLO client.example\r\n',
  'HELO client.example\r\n',
  'EHLO\r\n',
  'EHLO [127.0.0.1]\r\n',
  'RSET\r\n',
  'NOOP\r\n',
  'NOOP x\r\n',
  'VRFY a\r\n',
  'HELP\r\n',
  'QUIT\r\n',
  'STARTTLS\r\n',
  'STARTTLS x\r\n',
  'DATA\r\n',
  'DATA\r\n',
  'data \r\n',
  'AUTH PLAIN\r\n',
  'GET / HTTP/1.1\r\n',
  'BDAT 10 LAST\r\n',
  '\r\n',
  '\n',
)
const text = fc
  .array(
    fc.oneof(specialSequences, fc.constantFrom('Subject: x\r\n', '\r\n', 'text', '\r\n.', 'Received: x\r\n')),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''))
/** Cuts at the positions, modulo the length of the rest. */
function cutAt(octets: string, positions: readonly number[]): string[] {
  const parts: string[] = []
  let rest = octets
  for (const position of positions) {
    const end = position % (rest.length + 1)
    parts.push(rest.slice(0, end))
    rest = rest.slice(end)
  }
  return [...parts, rest]
}
const otherCommands = fc.constantFrom(
  '',
  '',
  '',
  '',
  '',
  'NOOP\r\n',
  'RSET\r\n',
  'EHLO again.example\r\n',
  'STARTTLS\r\n',
  'QUIT\r\n',
  'DATA\r\n',
  'MAIL FROM:<a@elsewhere.example>\r\n',
  'RCPT TO:<b@ours.example>\r\n',
  'BDAT x\r\n',
  'BDAT 0\r\n',
  'BDAT 7 LAST\r\nQUIT\r\n\n',
)
/** The difference between a chunk's size and its octets. */
const sizeError = fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1, -1, 20, 3000, 99_999_999_999)
const chunkVerb = fc.constantFrom('BDAT', 'BDAT', 'BDAT', 'bdat', 'Bdat ')
const lastMarker = fc.constantFrom(' LAST', ' LAST', ' LAST', ' last ', '', ' FIRST')
/** A message in chunks, with a command after one of them. */
const messageInChunks = fc
  .tuple(
    fc.tuple(text, fc.constantFrom('\r\n', '\r\n', '\r\n.\r\n', '\r', '')).map((parts) => parts.join('')),
    fc.array(fc.nat(1000), { maxLength: 4 }),
    fc.tuple(chunkVerb, sizeError, fc.nat(4), lastMarker),
    fc.tuple(otherCommands, fc.nat(4)),
  )
  .map(([content, positions, [verb, error, errorAt, last], [command, commandAt]]) =>
    cutAt(content, positions).map((octets, index, { length }) => {
      const size = Math.max(0, octets.length + (index === errorAt % length ? error : 0))
      const marker = index === length - 1 ? last : ''
      return `${index === commandAt % length ? command : ''}${verb} ${size}${marker}\r\n${octets}`
    }),
  )
const message = fc
  .tuple(text, fc.constantFrom('\r\n.\r\n', '\r\n.\r\n', '\r\n.\r\n', '\n.\r\n', ''))
  .map((parts) => parts.join(''))
const longLine = fc
  .tuple(
    fc.constantFrom('NOOP ', 'x', '\x16', '.'),
    fc.constantFrom(990, 4090, 4096, 9000, 70_000),
    fc.constantFrom('\r\n', '\n', ''),
  )
  .map(([begin, length, end]) => begin.padEnd(length, 'y') + end)
/** An envelope and a message in chunks; its commands are sent together or one after another. */
const transactionInChunks = fc
  .tuple(mail, fc.array(recipient, { minLength: 1, maxLength: 2 }), messageInChunks, fc.boolean())
  .map(([from, to, chunks, isPipelined]) => joinIf(isPipelined, [from + to.join(''), ...chunks]))
const validTransactionInChunks = fc
  .tuple(
    fc.constantFrom('a', 'a', 'a', 'a', 'unstored', 'nodata'),
    fc.constantFrom('', '', ' BODY=8BITMIME', ' BODY=BINARYMIME'),
    messageInChunks,
    fc.boolean(),
  )
  .map(([sender, body, chunks, isPipelined]) => [
    'EHLO client.example\r\n',
    ...joinIf(isPipelined, [
      `MAIL FROM:<${sender}@elsewhere.example>${body}\r\nRCPT TO:<b@ours.example>\r\n`,
      ...chunks,
    ]),
  ])
const joinIf = (isJoined: boolean, pieces: string[]): string[] => (isJoined ? [pieces.join('')] : pieces)
/** Typical transactions, so that other input is also tried after them. */
const transaction = fc
  .tuple(mail, fc.array(recipient, { minLength: 1, maxLength: 3 }), message)
  .map(([from, to, body]) => [from + to.join(''), 'DATA\r\n', body])
const validTransaction = fc
  .tuple(
    fc.constantFrom('', '', ' SIZE=100', ' BODY=8BITMIME SMTPUTF8', ' REQUIRETLS', ' RET=HDRS ENVID=x'),
    fc.constantFrom('', '', ' NOTIFY=NEVER', ' NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b'),
    message,
  )
  .map(([mailParameters, recipientParameters, body]) => [
    'EHLO client.example\r\n',
    `MAIL FROM:<a@elsewhere.example>${mailParameters}\r\nRCPT TO:<b@ours.example>${recipientParameters}\r\n`,
    'DATA\r\n',
    body,
  ])
const singlePiece = (arbitrary: fc.Arbitrary<string>) => arbitrary.map((piece) => [piece])
const commands = fc
  .array(
    fc.oneof(
      { arbitrary: singlePiece(simple), weight: 6 },
      { arbitrary: validTransaction, weight: 8 },
      { arbitrary: transaction, weight: 4 },
      { arbitrary: validTransactionInChunks, weight: 8 },
      { arbitrary: transactionInChunks, weight: 3 },
      { arbitrary: messageInChunks, weight: 1 },
      { arbitrary: singlePiece(mail), weight: 2 },
      { arbitrary: singlePiece(recipient), weight: 2 },
      { arbitrary: singlePiece(message), weight: 1 },
      { arbitrary: singlePiece(longLine), weight: 1 },
      { arbitrary: singlePiece(fc.string({ unit: 'binary', maxLength: 20 }).map(latin1)), weight: 1 },
    ),
    { maxLength: 10 },
  )
  .map((parts) => parts.flat())

type Mutation = (pieces: string[], transcripts: readonly string[][]) => string[]

const at = fc.nat(1000)
const change = (index: number, pieces: string[], replace: (piece: string) => string | string[]): string[] =>
  pieces.length === 0
    ? pieces
    : pieces.toSpliced(index % pieces.length, 1, ...[replace(pieces[index % pieces.length] ?? '')].flat())

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // Replaces an octet.
  fc.tuple(at, at, fc.nat(255)).map(
    ([piece, position, octet]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) => replaceAt(text, position, 1, String.fromCharCode(octet))),
  ),
  // Inserts octets.
  fc.tuple(at, at, specialSequences).map(
    ([piece, position, trick]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) => replaceAt(text, position, 0, trick)),
  ),
  // Replaces line ends.
  fc.tuple(at, specialSequences).map(
    ([piece, trick]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) => text.replaceAll('\r\n', trick)),
  ),
  // Removes or repeats octets.
  fc.tuple(at, at, fc.nat(20)).map(
    ([piece, position, length]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) => replaceAt(text, position, length, '')),
  ),
  fc.tuple(at, at, fc.nat(20)).map(
    ([piece, position, length]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) =>
          replaceAt(text, position, 0, text.slice(position % (text.length + 1)).slice(0, length)),
        ),
  ),
  // Cuts, joins, repeats, drops or swaps pieces.
  fc.tuple(at, at).map(
    ([piece, position]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) => [
          text.slice(0, position % (text.length + 1)),
          text.slice(position % (text.length + 1)),
        ]),
  ),
  at.map(
    (piece): Mutation =>
      (pieces) => {
        const index = piece % (pieces.length || 1)
        return pieces.toSpliced(index, 2, pieces.slice(index, index + 2).join(''))
      },
  ),
  fc.tuple(at, fc.nat(8)).map(
    ([piece, times]): Mutation =>
      (pieces) =>
        change(piece, pieces, (text) => Array(times).fill(text)),
  ),
  at.map(
    (piece): Mutation =>
      (pieces) =>
        pieces.slice(0, piece % (pieces.length + 1)),
  ),
  fc.tuple(at, at).map(
    ([firstAt, secondAt]): Mutation =>
      (pieces) => {
        const swappedPieces = [...pieces]
        const [first, second] = [firstAt % (pieces.length || 1), secondAt % (pieces.length || 1)]
        ;[swappedPieces[first], swappedPieces[second]] = [pieces[second] ?? '', pieces[first] ?? '']
        return swappedPieces
      },
  ),
  // Continues with another transcript.
  fc.tuple(at, at, at).map(
    ([piece, transcript, from]): Mutation =>
      (pieces, transcripts) => {
        const rest = transcripts[transcript % transcripts.length] ?? []
        return [...pieces.slice(0, piece % (pieces.length + 1)), ...rest.slice(from % (rest.length + 1))]
      },
  ),
)

function replaceAt(text: string, position: number, length: number, insertion: string): string {
  const from = position % (text.length + 1)
  return text.slice(0, from) + insertion + text.slice(from + length)
}

/** The UTF-8 octets of the text, one character for each. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}

const transcripts = readTranscripts()
const mutatedTranscripts = fc
  .tuple(fc.nat(transcripts.length - 1), fc.array(mutation, { maxLength: 6 }))
  .map(([index, mutations]) =>
    mutations
      .reduce((pieces, mutate) => mutate(pieces, transcripts), transcripts[index] ?? [])
      .filter((piece) => piece !== ''),
  )

const scriptsOf = (pieces: fc.Arbitrary<string[]>): fc.Arbitrary<Script> =>
  fc.record({ pieces, cuts: fc.array(fc.nat(2000), { maxLength: 6 }), seed: fc.integer() })

export const grammar = scriptsOf(commands)
export const mutations = scriptsOf(mutatedTranscripts)

/** For each transcript, its pieces: the client's octets between two replies. Large transcripts are left out. */
function readTranscripts(): string[][] {
  const folder = join(import.meta.dirname, '../../transcripts')
  return globSync('*.smtp', { cwd: folder })
    .sort()
    .map((file) => piecesOf(readFileSync(join(folder, file), 'utf8')))
    .filter((pieces) => pieces.join('').length < 100_000)
}

function piecesOf(transcript: string): string[] {
  const pieces: string[] = []
  let startsNewPiece = true
  for (const step of transcript.split('\n')) {
    const [, kind, times, line] = /^([BC])(?:\*(\d+))?: ?(.*)$/.exec(step) ?? []
    if (line === undefined) {
      if (step !== '') startsNewPiece = true
      continue
    }
    const octets = `${decodeEscapes(line)}${kind === 'C' ? '\r\n' : ''}`.repeat(
      Math.min(Number(times ?? 1), 200),
    )
    if (startsNewPiece) pieces.push(octets)
    else pieces[pieces.length - 1] += octets
    startsNewPiece = false
  }
  return pieces
}

function decodeEscapes(line: string): string {
  const escapes: Record<string, string> = { r: '\r', n: '\n', '0': '\0', '\\': '\\' }
  return latin1(
    line.replace(/\\(?:([rn0\\])|x([0-7][0-9a-f]))/g, (_, letter: string, hexadecimal: string) =>
      letter ? (escapes[letter] ?? '') : String.fromCharCode(Number.parseInt(hexadecimal, 16)),
    ),
  )
}

/** Chunks to send: cut where the script says, sometimes everywhere, without empty chunks. */
export function chunksOf({ pieces, cuts, seed }: Script): string[] {
  const octets = pieces.join('')
  if (seed % 16 === 0 && octets.length < 3000) return [...octets]
  const borders = new Set<number>([0, octets.length])
  let length = 0
  for (const piece of pieces) {
    length += piece.length
    borders.add(length)
  }
  for (const cut of cuts) borders.add(cut % (octets.length + 1))
  const positions = [...borders].sort((a, b) => a - b)
  return positions.slice(1).map((to, index) => octets.slice(positions[index], to))
}

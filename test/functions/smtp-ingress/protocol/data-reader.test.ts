import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type DataFault,
  DataReader,
  type DataReaderOptions,
} from '../../../../functions/smtp-ingress/protocol/data-reader.ts'
import { type Reading, readByTheRules, readChunksByTheRules } from '../../../support/ingress/data-rules.ts'
import { within } from '../../../support/within.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

function cut(octets: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [0, ...cuts.map((point) => point % (octets.length + 1)), octets.length].sort((a, b) => a - b)
  return points.slice(1).map((to, index) => octets.subarray(points[index], to))
}

/** Before each chunk the reader gets up to two octets that it must skip, as after commands in the same segment. */
function readThrough(options: DataReaderOptions, chunks: readonly Buffer[]): Reading {
  const reader = new DataReader(options)
  const parts: Buffer[] = []
  let offset = 0
  for (const chunk of chunks) {
    const lead = offset % 3
    const end = reader.read(Buffer.concat([bytes('\r\n.').subarray(0, lead), chunk]), lead, (octets) => {
      assert.notEqual(octets.length, 0)
      parts.push(Buffer.from(octets))
    })
    if (end >= 0) return { content: text(parts), end: offset + end - lead, fault: reader.fault }
    offset += chunk.length
  }
  return { content: text(parts), end: -1, fault: reader.fault }
}

/** Reads BDAT's chunks to the end of the last. */
function readChunks(options: DataReaderOptions, chunks: readonly Buffer[]): Reading {
  const reader = new DataReader(options, 'BDAT')
  const parts: Buffer[] = []
  const onContent = (octets: Buffer) => {
    assert.notEqual(octets.length, 0)
    parts.push(Buffer.from(octets))
  }
  for (const chunk of chunks) assert.equal(reader.read(chunk, 0, onContent), -1)
  reader.finish(onContent)
  const end = chunks.reduce((total, { length }) => total + length, 0)
  return { content: text(parts), end, fault: reader.fault }
}

const text = (parts: readonly Buffer[]) => Buffer.concat(parts).toString('latin1')

const refuse: DataReaderOptions = { maxLineOctets: 1000, bareNewlines: 'Refuse' }
const normalise: DataReaderOptions = { maxLineOctets: 1000, bareNewlines: 'Normalise' }

describe('DataReader agrees with data-rules.ts, however octets are split', () => {
  const part = fc.constantFrom('\r\n', '\r\n.', '\r\n.\r', '\r', '\n', '\0', '.', '..', 'a', 'é', 'bcdefg')
  const message = fc
    .tuple(fc.array(part, { maxLength: 14 }), fc.constantFrom('', '\r\n.\r\n'))
    .map(([parts, ending]) => parts.join('') + ending)
  const cuts = fc.array(fc.nat(40), { maxLength: 10 })
  for (const bareNewlines of ['Refuse', 'Normalise'] as const)
    test(`with bareNewlines ${bareNewlines}`, () => {
      fc.assert(
        fc.property(message, cuts, fc.integer({ min: 2, max: 12 }), (octets, points, maxLineOctets) => {
          const options: DataReaderOptions = { maxLineOctets, bareNewlines }
          const read = readThrough(options, cut(bytes(octets), points))
          const expected = readByTheRules(options, octets)
          const isWhole = expected.end >= 0 && !expected.fault
          assert.deepEqual(
            { ...read, content: isWhole && read.content },
            { ...expected, content: isWhole && expected.content },
          )
        }),
        { numRuns: 4000 },
      )
    })

  for (const bareNewlines of ['Refuse', 'Normalise'] as const)
    test(`by BDAT, with bareNewlines ${bareNewlines}`, () => {
      fc.assert(
        fc.property(message, cuts, fc.integer({ min: 2, max: 12 }), (octets, points, maxLineOctets) => {
          const options: DataReaderOptions = { maxLineOctets, bareNewlines }
          const read = readChunks(options, cut(bytes(octets), points))
          const expected = readChunksByTheRules(options, octets)
          assert.deepEqual(
            { ...read, content: !expected.fault && read.content },
            { ...expected, content: !expected.fault && expected.content },
          )
        }),
        { numRuns: 4000 },
      )
    })

  test('with bareNewlines Normalise and messages longer than one step of normalising', () => {
    const everything = '\n.\r\0\r\n..\r\n.\0a\r'.repeat(3000)
    const fullToTheLastOctet = `${'\n'.repeat(8190)}aa\r\n.\rx`
    for (const octets of [everything, fullToTheLastOctet].map((text) => `${text}\r\n.\r\n`))
      for (const cuts of [[], [8191], [8193, 20_000], [1, 2, 3, 16_384]])
        assert.deepEqual(readThrough(normalise, cut(bytes(octets), cuts)), readByTheRules(normalise, octets))
  })
})

/** Sequences that some server accepts, or once accepted, as the end of data; and whether RFC 5321 agrees. */
const endings: [ending: string, isEnd: boolean][] = [
  ['\n.\n', false],
  ['\n.\r\n', false],
  ['\n.\r', false],
  ['\r.\r', false],
  ['\r.\n', false],
  ['\r.\r\n', false],
  ['\r\n.\n', false],
  ['\r\n.\r', false],
  ['\r\n.\r\r\n', false],
  ['\r\n.\n\r\n', false],
  ['\n\n.\r\n', false],
  ['\n\r.\r\n', false],
  ['\r\n\n.\n', false],
  ['\r\n\n.\r\n', false],
  ['\r\n\r.\r\n', false],
  ['\0\n.\r\n', false],
  ['\r\0\n.\r\n', false],
  ['\r\n\0.\r\n', false],
  ['\r\n.\0\r\n', false],
  ['\r\n.\r\0\n', false],
  ['\r\n\0\n.\r\n', false],
  ['\r\r\n.\r\n', true],
  ['\n\r\n.\r\n', true],
  ['\0\r\n.\r\n', true],
]

/** The end of data for a lenient server, which accepts any CR or LF as a line end. */
const lenientEnd = /(?:\r\n|\r|\n)\.(?:\r\n|\r|\n)/g

describe('for DataReader, however octets are split,', () => {
  for (const [ending, isEnd] of endings) {
    const smuggled = 'MAIL FROM:<ceo@ours.example>\r\nDATA\r\nSubject: pay\r\n'
    const octets = bytes(`Subject: x\r\n\r\ntext${ending}${smuggled}\r\n.\r\nQUIT\r\n`)
    const end = isEnd ? 'Subject: x\r\n\r\ntext'.length + ending.length : octets.length - 'QUIT\r\n'.length
    const cuts = Array.from({ length: octets.length }, (_, index) => [index])
    cuts.push(cuts.flat())
    test(`${JSON.stringify(ending)} is ${isEnd ? 'an' : 'no'} end of data`, () => {
      for (const points of cuts) {
        const refusedReading = readThrough(refuse, cut(octets, points))
        assert.deepEqual({ ...refusedReading, content: null }, { content: null, end, fault: 'BareNewlines' })
        const { content, ...rest } = readThrough(normalise, cut(octets, points))
        assert.deepEqual(rest, { end, fault: null })
        assert.equal(content.endsWith(isEnd ? '\r\n' : `${smuggled}\r\n`), true)
        const relayed = `${`\r\n${content}`.replaceAll('\r\n.', '\r\n..')}.\r\n`
        assert.deepEqual(relayed.match(lenientEnd), ['\r\n.\r\n'])
        assert.doesNotMatch(relayed, /\0|\r(?!\n)|(?<!\r)\n/)
      }
    })
  }
})

const messages: [name: string, octets: string, content: string][] = [
  ['an empty message', '.\r\n', ''],
  ['an empty line', '\r\n.\r\n', '\r\n'],
  ['a dot in the first line', '..\r\n.\r\n', '.\r\n'],
  ['a single dot at the start of a line', '.a\r\n.\r\n', 'a\r\n'],
  ['three dots', 'a\r\n...\r\n.\r\n', 'a\r\n..\r\n'],
  ['a dot within a line', 'a.\r\n.b\r\n.\r\n', 'a.\r\nb\r\n'],
]

for (const [name, octets, content] of messages)
  test(`DataReader removes only the dots that SMTP adds: ${name}`, () => {
    for (const options of [refuse, normalise])
      assert.deepEqual(readThrough(options, [bytes(octets)]), { content, end: octets.length, fault: null })
  })

const chunks: [name: string, chunks: string[], content: string, fault: DataFault | null][] = [
  ['an empty message', [''], '', null],
  ['a dot alone in a line', ['a\r\n.\r\nb\r\n'], 'a\r\n.\r\nb\r\n', null],
  ['a dot in the first line', ['.\r\n'], '.\r\n', null],
  ['two dots', ['..\r\n'], '..\r\n', null],
  ['a CRLF in two chunks', ['a\r', '\nb\r\n'], 'a\r\nb\r\n', null],
  ['a CRLF in two chunks with an empty one between them', ['a\r', '', '\n'], 'a\r\n', null],
  ['a last line without CRLF', ['a\r\n', 'b'], 'a\r\nb\r\n', null],
  ['a CR at the end', ['a\r'], 'a\r', 'BareNewlines'],
  ['an LF at the start', ['\na\r\n'], '\na\r\n', 'BareNewlines'],
  ['a bare CR before the next chunk', ['a\r', 'b\r\n'], 'a\rb\r\n', 'BareNewlines'],
  ['a NUL', ['a\0\r\n'], 'a\0\r\n', 'BareNewlines'],
]
for (const [name, parts, content, fault] of chunks)
  test(`DataReader keeps the content of BDAT: ${name}`, () =>
    assert.deepEqual(readChunks(refuse, parts.map(bytes)), { content, end: parts.join('').length, fault }))

test('DataReader counts CRLF in the length of a line, but not the dot that SMTP adds, and reports the first fault', () => {
  const lines: [line: string, fault: DataFault | null][] = [
    [`${'a'.repeat(998)}\r\n`, null],
    [`${'a'.repeat(999)}\r\n`, 'LineTooLong'],
    [`.${'a'.repeat(998)}\r\n`, null],
    [`.${'a'.repeat(999)}\r\n`, 'LineTooLong'],
    [`${'a'.repeat(999)}\r\n\0\r\n`, 'LineTooLong'],
    [`\0${'a'.repeat(999)}\r\n`, 'BareNewlines'],
  ]
  for (const [line, fault] of lines)
    for (const cuts of [[], [500, 999, 1000, 1001]]) {
      const wholeChunks = cut(bytes(`short\r\n${line}short\r\n.\r\n`), cuts)
      assert.equal(readThrough(refuse, wholeChunks).fault, fault)
    }
})

test('DataReader passes on octets after a fault', () => {
  const octets = bytes(`a\n${'text\r\n'.repeat(100)}.\r\n`)
  assert.equal(readThrough(refuse, [octets]).content.length, octets.length)
})

describe('DataReader takes linear time for', () => {
  const million = 1_000_000
  const costly: [name: string, octets: Buffer, chunk: number][] = [
    ['a million chunks of one octet', bytes('\r\n.a'.repeat(million / 4)), 1],
    ['a million dots', bytes('\r\n..'.repeat(million)), 65_536],
    ['a million bare LF', bytes('\n'.repeat(million)), 65_536],
    ['a million NUL', bytes('\0'.repeat(million)), 65_536],
    ['a million CR', bytes('\r'.repeat(million)), 65_536],
    ['a line of a million octets', bytes('a'.repeat(million)), 1000],
    ['a million empty lines', bytes('\r\n'.repeat(million)), 65_536],
  ]
  for (const [name, octets, size] of costly)
    for (const options of [refuse, normalise])
      test(`${name} with bareNewlines ${options.bareNewlines}`, async () => {
        const reader = new DataReader(options)
        let length = 0
        const readAll = async () => {
          for (let at = 0, chunk = 1; at < octets.length; at += size, chunk++) {
            reader.read(octets.subarray(at, at + size), 0, (content) => {
              length += content.length
            })
            if (chunk % 1000 === 0) await new Promise(setImmediate)
          }
        }
        // Linear work takes milliseconds, quadratic work minutes.
        await within(30_000, readAll(), 'the end of the octets')
        assert.ok(length <= 2 * octets.length)
      })
})

const normalisedRows: [text: string, command: 'DATA' | 'BDAT', normalisedFrom: number | null][] = [
  ['ab\r\n..cd\r\n.\r\n', 'DATA', null],
  ['ab\ncd\ne\r\n.\r\n', 'DATA', 2],
  ['ab\r\n..c\0d\r\n.\r\n', 'DATA', 6],
  ['ab\r\ncd\re\r\n.\r\n', 'DATA', 7],
  ['ab\r\n\ncd', 'BDAT', 4],
  ['ab\r\n\rcd', 'BDAT', 5],
  ['ab\r\n\r\0\ncd', 'BDAT', 5],
  ['ab\r\ncd\r', 'BDAT', 7],
  ['ab\r\ncd', 'BDAT', null],
]
for (const [text, command, normalisedFrom] of normalisedRows)
  test(`DataReader reports ${normalisedFrom} octets before the first normalised octet of ${JSON.stringify(text)}`, () => {
    for (const chunks of [[bytes(text)], Array.from(bytes(text), (octet) => Buffer.of(octet))]) {
      const reader = new DataReader(normalise, command)
      for (const chunk of chunks) reader.read(chunk, 0, () => {})
      if (command === 'BDAT') reader.finish(() => {})
      assert.equal(reader.normalisedFrom, normalisedFrom)
    }
  })

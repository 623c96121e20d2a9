/** The messages of a run. Each is computed from its number and the run's seed, so none is kept. */
import { Random } from '../support/random.ts'

/** Returns the content as sent. The ingress must store it unchanged, behind the field that it adds at the top. */
export function contentOf(seed: number, number: number): Buffer {
  const random = new Random(seed, number, 1)
  const head = `From: a@elsewhere.example\r\nTo: b@ours.example\r\nSubject: message ${number} of ${seed}\r\n\r\n`
  const parts = [head]
  const size = sizeOf(number, random)
  const block = Array.from({ length: 12 }, () => lineOf(random)).join('')
  let length = head.length
  while (length < size) {
    const line = size > 100_000 ? block : lineOf(random)
    parts.push(line)
    length += line.length
  }
  return Buffer.from(parts.join(''), 'latin1')
}

/** Returns a size: mostly small; some are stored as separate objects, and some of these in several parts. */
function sizeOf(number: number, random: Random): number {
  if (number % 4000 === 3999) return random.between(6_000_000, 12_000_000)
  if (number % 1000 === 499) return random.between(1_048_576, 4_000_000)
  if (number % 200 === 24) return random.between(50_000, 200_000)
  return random.between(0, 4000)
}

/** Returns a line. Some lines begin with a dot, are one dot or empty, or have octets above 127. */
function lineOf(random: Random): string {
  const text = random.number().toString(36).repeat(random.between(0, 7))
  return `${random.weighted<string>({ '.': 0.1, '..': 0.05, '.\r\n': 0.05, é: 0.05 }, '')}${text}\r\n`
}

/** Returns the content as it is transmitted: with dot-stuffing and the final dot. */
export function stuffed(content: Buffer): Buffer {
  const lines = `\r\n${content.toString('latin1')}`.replaceAll('\r\n.', '\r\n..')
  return Buffer.from(`${lines.slice(2)}.\r\n`, 'latin1')
}

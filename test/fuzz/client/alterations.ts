/** Replies of a server that does not follow the protocol. */
import type { Random } from '../../support/random.ts'

const codes = [
  200, 220, 221, 250, 252, 299, 334, 354, 399, 421, 450, 451, 452, 454, 500, 502, 503, 504, 530, 552, 554,
]

export function randomReply(random: Random): string {
  return `${random.of(codes)} ${random.of(['', '2.0.0 ok', '4.3.2 later', '5.7.1 no', '\xc3\xa9'])}\r\n`
}

const alterations: readonly ((reply: string, random: Random) => string)[] = [
  () => '',
  (reply) => reply + reply,
  (reply) => reply.replaceAll('\r\n', '\n'),
  (reply) => reply.slice(0, -2),
  (reply, random) => reply.slice(0, random.between(0, reply.length)),
  (reply, random) => randomReply(random) + reply,
  (reply, random) => reply + randomReply(random),
  (reply, random) => reply + randomReply(random).slice(0, 5),
  (_, random) => randomReply(random),
  (_, random) => randomReply(random),
  (reply, random) => `${random.of(codes)}${reply.slice(3)}`,
  // All lines have another code.
  (reply, random) => reply.replace(/^\d{3}/gm, String(random.of(codes))),
  // The lines have different codes.
  (reply, random) => `${random.of(codes)}-first\r\n${reply}`,
  (reply, random) => `\r\n${random.of([' ', '\t', '\0', ''])}\r\n${reply}`,
  (_, random) =>
    random.of(['\0\0\r\n', 'HTTP/1.1 400 Bad Request\r\n', '2', '25', '250', '-\r\n', '250_x\r\n']),
  (_, random) => String.fromCharCode(...Array.from({ length: 20 }, () => random.between(0, 256))),
]

/** More lines, a longer line, a longer reply, or more octets than the client reads. */
export function flood(random: Random): string {
  const [unit, count] = random.of([
    ['250 x\r\n', 5000],
    ['\r\n', 5000],
    ['x', 9000],
    [`250-${'x'.repeat(1000)}\r\n`, 70],
    [`250 ${'x'.repeat(1000)}\r\n`, 1100],
  ] as const)
  return unit.repeat(count)
}

export function alterReply(reply: string, random: Random): string {
  return random.of(alterations)(reply, random)
}

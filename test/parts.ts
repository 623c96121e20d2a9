/** The parts of the test suite. Each test file belongs to exactly one part (parts.test.ts). */
import { globSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

const all = globSync('test/**/*.test.ts', { cwd: root }).sort()
const isUnder = (file: string, folders: readonly string[]) =>
  folders.some((folder) => file.startsWith(folder))
const under = (...folders: string[]) => all.filter((file) => isUnder(file, folders))

export const filesOf = {
  unit: all.filter((file) => !isUnder(file, ['test/local/', 'test/peers/', 'test/faults/'])),
  local: under('test/local/'),
  peers: under('test/peers/'),
  faults: under('test/faults/'),
}

/** Unit tests that need a process of their own, the slowest first. */
const ownProcess: readonly (readonly [reason: string, ...patterns: RegExp[]])[] = [
  [
    'takes as long as several others',
    /infra\/(synth|nag)\.test/,
    /smtp-ingress\/main\.test/,
    /pipeline\.test/,
  ],
  [
    'sets the authorities that every connection of its process trusts',
    /net\/levels\/(levels|fuzz|one-batch)/,
    /mta-sts\/(fetch|delivery|source)/,
    /net\/resolver-tls/,
    /aws\/transports/,
    /cli\/dns/,
    /report-tls\/send-reports/,
  ],
  [
    'reads its environment when it is loaded, as Lambda has it',
    /\/handler\.test/,
    /deliver-message\/(tls-sessions|certificates-seen)/,
    /evaluate-policy\/notices/,
    /aws\/target/,
  ],
]

/** Files that share a process: what they import is loaded once. */
const mostTogether = 10

/** The files of each process, in the order in which processes start. */
export function processesFor(files: readonly string[]): string[][] {
  const patterns = ownProcess.flatMap(([, ...some]) => some)
  const alone = patterns.flatMap((pattern) => files.filter((file) => pattern.test(file)))
  const others = files.filter((file) => !alone.includes(file))
  const folders = Map.groupBy(others, (file) => file.split('/', 2).join('/')).values()
  return [...[...new Set(alone)].map((file) => [file]), ...[...folders].flatMap((folder) => chunks(folder))]
}

const chunks = (files: readonly string[]): string[][] => {
  const count = Math.ceil(files.length / mostTogether)
  const size = Math.ceil(files.length / count)
  return Array.from({ length: count }, (_, index) => files.slice(index * size, (index + 1) * size))
}

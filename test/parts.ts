/** The parts of the test suite. Each test file belongs to exactly one (parts.test.ts). */
import { globSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

const all = globSync('test/**/*.test.ts', { cwd: root }).sort()
const under = (...folders: string[]) => all.filter((file) => folders.some((folder) => file.startsWith(folder)))

/** Needs minutes, so it runs in `npm run test:long` only. */
const long: readonly string[] = []

const apart = ['test/local/', 'test/peers/', 'test/faults/']

export const filesOf = {
  unit: all.filter((file) => !under(...apart).includes(file) && !long.includes(file)),
  local: under('test/local/'),
  peers: under('test/peers/'),
  faults: under('test/faults/'),
  long,
}

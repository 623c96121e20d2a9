/** Checks that the table of a command fits the terminal. */
import assert from 'node:assert/strict'
import { displayWidth } from '../../../cli/text/display-width.ts'
import { type CommandOptions, mailflow } from './mailflow.ts'

/**
 * @param around without `columns`
 * @param uncut cells that no terminal cuts
 */
export async function assertFitsTerminal(
  args: readonly string[],
  around: CommandOptions,
  uncut: readonly string[],
): Promise<void> {
  const { out: whole } = await mailflow(args, around)
  for (const columns of [80, 100, 120, 250]) {
    const { status, out } = await mailflow(args, { ...around, columns })
    assert.equal(status, 0)
    for (const line of out.split('\n')) assert(displayWidth(line) <= columns, line)
    for (const cell of uncut) assert(out.includes(cell), `${cell} in ${out}`)
  }
  const { out: wide } = await mailflow([...args, '--wide'], { ...around, columns: 80 })
  assert.equal(wide, whole)
}

/**
 * `npm run drill:restore`: destroys a local stack and restores it from its exports. Prints what was compared. Exits with
 * 1 when something differs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportText } from './compare.ts'
import { exportAndDestroy, restore } from './run-drill.ts'

const log = (step: string) => process.stdout.write(`${step}\n`)
const folder = mkdtempSync(join(tmpdir(), 'mailflow-drill-'))
try {
  const remains = await exportAndDestroy(folder, log)
  try {
    const comparisons = await restore(remains, log)
    log(`\n${reportText(comparisons)}`)
    process.exitCode = comparisons.every(({ differences }) => differences.length === 0) ? 0 : 1
  } finally {
    await remains.servers.stop()
  }
} finally {
  // The folder contains mail.
  rmSync(folder, { recursive: true })
}

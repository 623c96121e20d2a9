/** Generates load in its own process, so that its processor time is known. `generators.ts` controls it. */

import type { Answer, Order } from './generators.ts'
import type { Load } from './load.ts'
import { LoadRun } from './load.ts'

let run: LoadRun | null = null

process.on('message', async (order: Order) => {
  const answer = (what: Answer) => process.send?.(what)
  try {
    if (order.kind === 'Open') await open(order.load)
    if (order.kind === 'Run') answer({ kind: 'Ran', result: await opened().run() })
    else answer({ kind: 'Done' })
    if (order.kind === 'Close') opened().close()
  } catch (error) {
    answer({ kind: 'Failed', cause: error instanceof Error ? error.message : String(error) })
  }
})

// The controlling process has ended.
process.on('disconnect', () => process.exit())

async function open(load: Load): Promise<void> {
  run = new LoadRun({ ...load, message: Buffer.from(load.message) })
  await run.open()
}

function opened(): LoadRun {
  if (!run) throw new Error('no load is open')
  return run
}

/** Generates load in its own process, so that its processor time is known. `generators.ts` controls it. */

import type { Answer, Order } from './generators.ts'
import type { Load } from './load.ts'
import { LoadRun } from './load.ts'

let run: LoadRun | null = null

process.on('message', async (order: Order) => {
  const sendAnswer = (message: Answer) => process.send?.(message)
  try {
    if (order.kind === 'Open') await open(order.load)
    if (order.kind === 'Run') sendAnswer({ kind: 'Ran', result: await openRun().run() })
    else sendAnswer({ kind: 'Done' })
    if (order.kind === 'Close') openRun().close()
  } catch (error) {
    sendAnswer({ kind: 'Failed', cause: error instanceof Error ? error.message : String(error) })
  }
})

// Exits when the controlling process has ended.
process.on('disconnect', () => process.exit())

async function open(load: Load): Promise<void> {
  run = new LoadRun({ ...load, message: Buffer.from(load.message) })
  await run.open()
}

function openRun(): LoadRun {
  if (!run) throw new Error('no load is open')
  return run
}

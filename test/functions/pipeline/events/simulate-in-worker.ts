/** Simulates messages in a thread of its own. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type MessageRun, runMessage } from './message-run.ts'

interface Share {
  /** The first message; the others follow in steps. */
  first: number
  step: number
  messages: number
}

const runsPerReport = 50

/** @param onRun receives the messages one after another */
export async function simulateInWorker(
  share: Share,
  onRun: (run: MessageRun) => Promise<void>,
): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: share })
  let receiving = Promise.resolve()
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (runs: MessageRun[]) => {
      receiving = receiving.then(async () => {
        for (const run of runs) await onRun(run)
        // The worker simulates further messages only now, so that its reports do not fill the memory.
        worker.postMessage('next')
      })
      receiving.catch(reject)
    })
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
  await receiving
}

if (!isMainThread && parentPort !== null) {
  const { first, step, messages } = workerData as Share
  const port = parentPort
  const next = () => new Promise((resolve) => port.once('message', resolve))
  let runs: MessageRun[] = []
  let reported: Promise<unknown> = Promise.resolve()
  for (let number = first; number < messages; number += step) {
    runs.push(await runMessage(number))
    if (runs.length < runsPerReport && number + step < messages) continue
    await reported
    reported = next()
    port.postMessage(runs)
    runs = []
  }
  await reported
}

/** One runner for all files of a process that need no options of their own. The files run one after the other. */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { Api, type RunnerProcess, startRunner } from './runner.ts'

let users = 0
let started: Promise<RunnerProcess> | undefined

/** A test file calls this when it is loaded. The runner stops when the last file has called `leave`. */
export function shareRunner(): { enter(): Promise<RunnerProcess>; leave(): Promise<void> } {
  users += 1
  return {
    enter: () => {
      started ??= startRunner({ names: {} })
      return started
    },
    leave: async () => {
      const runner = await started
      users -= 1
      if (runner === undefined) return
      if (users > 0) {
        await clear(new Api(runner.endpoints))
        // The ingress may decide the next file's first session by connectors that it read up to one second earlier.
        await delay(1100)
        return
      }
      started = undefined
      assert.equal(await runner.stop(), 0, 'SIGTERM is a clean stop')
    },
  }
}

/** Removes connectors and accepted domains, so that the next file starts with none. */
async function clear(api: Api): Promise<void> {
  for (const path of ['inbound-connectors', 'outbound-connectors', 'accepted-domains']) {
    const { items } = await api.call<{ items: { id?: string; domain?: string }[] }>('GET', `/${path}`)
    const query = path === 'outbound-connectors' ? '?waiting=return' : ''
    for (const { id, domain } of items) await api.remove(`/${path}/${id ?? domain}`, query)
  }
}
